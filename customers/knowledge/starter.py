"""The set that ships, written by hand: intents, wordings and replies in English and Chinese, and what is out of scope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from customers.knowledge.values import LANGUAGES, Inquiry, Intent, Language, Template

SOURCE = "starter"


@dataclass(frozen=True, slots=True)
class Outside:
    """A question that a shop's service cannot answer, and of what kind it is."""

    text: str
    language: Language
    kind: str


@cache
def intents() -> dict[str, Intent]:
    """Return the intents by key, in the order of a purchase."""
    return {key: Intent(key, **told) for key, told in _read("intents.yaml").items()}


@cache
def inquiries() -> tuple[Inquiry, ...]:
    """Return the labelled wordings; each label is INTENT.ANSWER."""
    return tuple(
        Inquiry(wording, language, label)
        for language, label, told in _answers()
        for wording in told["wordings"].strip().splitlines()
    )


@cache
def templates() -> tuple[Template, ...]:
    """Return the replies; the key is INTENT.ANSWER.NUMBER."""
    found = []
    for language, label, told in _answers():
        for rank, reply in enumerate(told["replies"]):
            human = isinstance(reply, dict)
            text = reply["human"] if human else reply
            found.append(Template(f"{label}.{rank + 1}", label, language, text, human, rank))
    return tuple(found)


@cache
def outside() -> tuple[Outside, ...]:
    """Return the questions out of scope."""
    kept = _read("out_of_scope.yaml")
    return tuple(
        Outside(line, language, kind)
        for language in LANGUAGES
        for kind, lines in kept[language].items()
        for line in lines.strip().splitlines()
    )


@cache
def policy_keys() -> dict[str, dict[str, str]]:
    """Return what a shop may state of itself: key -> what it is, by language."""
    return _read("policies.yaml")


def _answers() -> Iterator[tuple[Language, str, dict[str, Any]]]:
    for language in LANGUAGES:
        for intent, answers in _read(f"{language}.yaml").items():
            for answer, told in answers.items():
                yield language, f"{intent}.{answer}", told


@cache
def _read(name: str) -> dict[str, Any]:
    folder = resources.files("customers") / "knowledge" / "starter"
    return yaml.load(
        (folder / name).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
