"""What the agent may say to a benchmark's user: no figure that nobody gave.

Figures are compared as numbers: "$1,299.00" is 1299, "3:00 PM" is 15:00, "twenty-four" is 24, "50%" is 0.5 as well.
An identifier ("#W2378156") counts as one thing, so that its digits vouch for nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from agent.claim_words import vocabulary
from agent.figures import find_figures
from agent.language import language_of
from agent.sentences import list_mark, split
from eval.harness_request import Turn, parsed

_CLOCK = re.compile(r"\b(\d{1,2})(?::(\d\d))?\s*([ap])\.?\s?m\b\.?", re.IGNORECASE | re.ASCII)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)T(?=\d\d:)")
_CURRENCY = re.compile(r"\b(?:USD|EUR|GBP|RMB|CNY|US)(?=\d)")
_MIXED = re.compile(r"[A-Za-z0-9_]*(?:[A-Za-z_]\d|\d[A-Za-z_])[A-Za-z0-9_]*")
"""A word of letters and digits: an identifier, unless it is measured."""
_MEASURED = re.compile(
    r"\d+(?:st|nd|rd|th|[kKmM]|bn|hours?|hrs?|h|days?|min|s|[gmt]b|k?g|lbs?|oz|[cmk]m|ml|l|in|ft|w|v|x|usd)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?P<n>\d{1,3}(?:[,，]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:(?P<scale>[km]\b|bn\b|万|亿|千)|\s?(?P<word>thousand|million|billion)\b)?(?P<percent>\s?(?:%|％|percent\b))?",
    re.IGNORECASE | re.ASCII,
)
_SCALES = {"k": 3, "m": 6, "bn": 9, "万": 4, "亿": 8, "千": 3, "thousand": 3, "million": 6, "billion": 9}
_TEENS = {"thirteen": 13, "fourteen": 14, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19}
_CENTS = 2
_LARGEST_SUM = 10**15
"""What is larger is no sum of money, and past what decimals can be rounded in."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number without its sign (a refund of 50 may be written -50), its decimals, and whether it is a percentage."""

    value: Decimal
    decimals: int = 0
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a text, and its identifiers in lower case."""

    numbers: tuple[Figure, ...]
    identifiers: frozenset[str]

    def cover(self, said: Figures) -> bool:
        """Whether every figure that was said is among these. A percentage may be given as a share; what is said in
        whole cents may be given with more decimals."""
        given = {f.value for f in self.numbers} | {f.value / 100 for f in self.numbers if f.percent}
        cents = {round(value, _CENTS) for value in given if value < _LARGEST_SUM}

        def known(figure: Figure) -> bool:
            values = {figure.value, figure.value / 100} if figure.percent else {figure.value}
            return bool(values & given) or (figure.decimals == _CENTS and figure.value in cents)

        return said.identifiers <= self.identifiers and all(map(known, said.numbers))


def grounds(turns: Sequence[Turn]) -> Figures:
    """Return the figures that may be said: those of the policy, the users' words and the tools' results.

    The agent's own words vouch for nothing.
    """
    return figures("\n".join(_plain(turn) for turn in turns if turn.role != "assistant"))


def kept(text: str, known: Figures) -> str:
    """Return a text without the sentences that have a figure that is not known; "" where none is left.

    The number of a list's item is no figure.
    """
    return "".join(s for s in split(text) if known.cover(figures(list_mark(s)[1]))).strip()


def figures(text: str) -> Figures:
    """Return the figures of a text, those written in words included."""
    text = _CURRENCY.sub("", _CLOCK.sub(_by_24_hours, _ISO.sub(r"\1 ", text)))
    identifiers = {m.group().lower() for m in _MIXED.finditer(text) if not _MEASURED.fullmatch(m.group())}
    rest = _MIXED.sub(lambda m: m.group() if _MEASURED.fullmatch(m.group()) else " ", text)
    numbers = [_figure(m) for m in _NUMBER.finditer(rest)]
    return Figures((*numbers, *map(Figure, _spelled(rest))), frozenset(identifiers))


def _figure(m: re.Match[str]) -> Figure:
    digits = re.sub("[,，]", "", m["n"])
    scale = _SCALES.get((m["scale"] or m["word"] or "").lower(), 0)
    return Figure(Decimal(digits) * 10**scale, len(digits.partition(".")[2]), bool(m["percent"]))


def _by_24_hours(m: re.Match[str]) -> str:
    hour = int(m[1]) % 12 + (12 if m[3].lower() == "p" else 0)
    return f"{hour:02}:{m[2] or '00'}"


def _spelled(text: str) -> Iterator[Decimal]:
    """Yield the numbers that are written in words: in Chinese those that count something."""
    if language_of(text) == "zh":
        found = find_figures(text, "zh")
        yield from (Decimal(str(f.value)) for f in found if not re.search(r"\d", text[f.start : f.end]))
        return
    words, pattern = _number_words()
    for m in pattern.finditer(text):
        total = last = 0
        for word in re.findall("[a-z]+", m.group().lower()):
            if word == "hundred":
                last *= 100
            elif word == "thousand":
                total, last = total + last * 1000, 0
            else:
                last += words.get(word, 0)
        yield Decimal(total + last)


@cache
def _number_words() -> tuple[dict[str, int], re.Pattern[str]]:
    words: dict[str, int] = {**vocabulary()["number_words"]["en"], **_TEENS}
    plain = "|".join(sorted(words, key=len, reverse=True))
    large = r"(?:hundred|thousand)"
    one = rf"(?:a|one)(?=[\s-]+{large}\b)"  # alone they count nothing
    joined = rf"(?:[\s-]+|(?<=hundred)\s+and\s+|(?<=thousand)\s+and\s+)(?:{plain}|{large})\b"
    return words | {"a": 1, "one": 1}, re.compile(rf"\b(?:{plain}|{one})\b(?:{joined})*", re.IGNORECASE)


def _plain(turn: Turn) -> str:
    """A turn's text, a tool's JSON with its escapes read: the digits of \\u20ac are no figure."""
    value = parsed(turn.text) if turn.role == "tool" else None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | str) else turn.text
