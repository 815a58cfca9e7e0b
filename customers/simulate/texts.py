"""What simulated customers write, in English and Chinese: searches, reviews and questions."""

from __future__ import annotations

from functools import cache

import numpy as np

from customers.simulate.catalogue import rows

LANGUAGES = ("en", "zh")
# What a level of review_phrases.csv says on the scale of sentiments.
LEVELS = (-2, -1, 0, 1, 2)
_BUT = {"en": (", but ", "; still, ", ". However, "), "zh": (",但是", ",不过", ",只是")}
_AND = {"en": (". ", ", and ", "; "), "zh": ("。", ",", ",而且")}
_END = {"en": (".", "!", "", "."), "zh": ("。", "!", "", "~")}
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
TYPOS = 0.04


@cache
def phrases() -> dict[tuple[str, int], list[str]]:
    """Clauses of reviews by language and level."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in rows("review_phrases.csv"):
        found.setdefault((row["language"], int(row["level"])), []).append(row["text"])
    return found


@cache
def questions() -> dict[tuple[str, str], list[str]]:
    """Templates of inquiries by intent and language."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows("inquiries.csv"):
        found.setdefault((row["intent"], row["language"]), []).append(row["text"])
    return found


def intents() -> list[str]:
    """The planted intents, in the order of inquiries.csv."""
    return list(dict.fromkeys(intent for intent, _ in questions()))


def level_of(sentiment: float) -> int:
    """The level of clauses that says a sentiment of -1 .. 1."""
    return int(np.clip(np.floor(sentiment * 2.5 + 0.5), -2, 2))


def review(sentiment: float, language: str, thing: str, rng: np.random.Generator) -> str:
    """A review that means `sentiment` (-1 .. 1): one or two clauses of its level, three in ten with
    an aside of the other sign before it. No irony: the last clause is what is meant."""
    level = level_of(sentiment)
    bank = phrases()
    main = _one(bank[language, level], rng)
    draw = rng.random()
    if level and draw < 0.3:
        aside = _one(bank[language, -1 if level > 0 else 1], rng)
        text = aside + _one(_BUT[language], rng) + main
    elif draw < 0.65:
        near = int(np.clip(level + (rng.random() < 0.5) * (1 if level < 0 else -1), -2, 2)) if level else 0
        text = main + _one(_AND[language], rng) + _one(bank[language, near], rng)
    else:
        text = main
    text = _sentence(text.replace("{type}", thing), language) + _one(_END[language], rng)
    return text


def _sentence(text: str, language: str) -> str:
    """A capital letter at each sentence's start."""
    if language == "zh":
        return text
    return ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))


def inquiry(intent: str, language: str, thing: str, order: str, rng: np.random.Generator) -> str:
    """A question to the shop's service with an intent of `intents`."""
    text = _one(questions()[intent, language], rng)
    n, weekday = int(rng.integers(2, 10)), _one(_WEEKDAYS[language], rng)
    if "{thing}" in text:
        text = text.replace("{thing}", thing)
    text = text.replace("{order}", order).replace("{n}", str(n)).replace("{weekday}", weekday)
    draw = rng.random()
    if language == "en":
        return f"Hello, {text[:1].lower()}{text[1:]}" if draw < 0.15 and text[1:2].islower() else text
    return f"你好,{text}" if draw < 0.2 else text


def query(words: str, brand: str, language: str, rng: np.random.Generator) -> str:
    """A search for one of a bar-separated list of words, sometimes with a brand, rarely mistyped."""
    text = _one(words.split("|"), rng)
    draw = rng.random()
    if brand and draw < 0.15:
        text = f"{brand} {text}" if language == "en" else f"{brand}{text}"
    if language == "en" and rng.random() < TYPOS and len(text) > 5:
        at = int(rng.integers(1, len(text) - 1))
        text = text[:at] + text[at + 1 :]
    return text


def singular(kind: str) -> str:
    """An English type's name as it stands in a sentence: "Frying pans" -> "frying pan"."""
    text = kind.lower()
    if text in ("cookies", "headphones", "nuts", "seeds", "running shoes", "bed sheets", "running socks"):
        return text
    if text.endswith(("ies", "ss", "ves")) or not text.endswith("s"):
        return {"computer mice": "computer mouse", "kitchen knives": "kitchen knife"}.get(text, text)
    return text[:-2] if text.endswith(("atoes", "eashes")) else text[:-1]


def _one(options: list[str] | tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.random() * len(options))]
