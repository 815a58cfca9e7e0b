"""Customer attributes that come in bands of numbers (age, income, children, household size): which of
them a text means by a number that need not be a band's own ("over 50", "income above 100k", "two kids").

A band is meant where at least half of it lies in what was asked; the answer names the bands it used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from agent.amounts import Amount, find_amounts
from agent.prompts import pattern, patterns

_VALUE = re.compile(r"(?:(?P<under>under|below|<)\s*)?(?P<low>\d+)(?:\s*-\s*(?P<high>\d+))?\s*(?P<k>k)?(?P<open>\+)?", re.IGNORECASE)  # fmt: skip
_CUES, _AGES, _CHILDLESS = patterns("bands"), patterns("ages"), pattern("childless")
_OF_UNIT = {"age": "age", "kids": "kids_count", "persons": "household_size"}
_FILLER = r"[\s:：]*(?:group|range|band|level|bracket|size|of|is|are|was|between|from|in|with|about|around|over|under|在|为|是|段|约|人数|规模|[年月]?收入|\s)*"
_BESIDE = {a: re.compile(f"(?:{cue.pattern}){_FILLER}$", re.IGNORECASE) for a, cue in _CUES.items()}
_PEOPLE = re.compile(r"\b(?:people|customers?|shoppers?|households?|adults|those|anyone|everyone)(?:\s+(?:who|that)\s+are)?(?:\s+(?:of|at|from))?\s*$", re.IGNORECASE)  # fmt: skip
_HOUSEHOLDS_OF = re.compile(r"\b(?:households?|famil(?:y|ies))\s+of\s*$", re.IGNORECASE)
_AND_OVER = re.compile(
    r"\b(?:and|or)\s+(?:over|older|up|above|upwards?|under|younger|below)\b|\d\s*\+", re.IGNORECASE
)
_PLURAL_AGE = re.compile(r"['’]?s\b")
_NEAR, _AFTER = 28, 12
_ADULT, _OLDEST, _LARGEST_HOUSEHOLD = 15, 110, 12


@dataclass(frozen=True, slots=True)
class Band:
    """One value of an attribute as whole numbers from `low` to `high`, both included."""

    value: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Meant:
    """The bands of an attribute that a stretch of text means."""

    attribute: str
    values: tuple[str, ...]
    span: tuple[int, int]


def bands_of(attribute_values: Iterable[str]) -> dict[str, list[Band]]:
    """Return the bands of each attribute whose values are numbers, from keys such as "age=45-54"."""
    found: dict[str, list[Band]] = {}
    for key in attribute_values:
        attribute, _, value = key.partition("=")
        if band := _band(value):
            found.setdefault(attribute, []).append(band)
    return {attribute: bands for attribute, bands in found.items() if len(bands) > 1}


def _band(value: str) -> Band | None:
    m = _VALUE.fullmatch(value.strip())
    if m is None:
        return None
    scale = 1000 if m["k"] else 1
    low = int(m["low"]) * scale
    if m["under"]:
        return Band(value, 0, low - 1)
    if m["open"]:
        return Band(value, low, inf)
    return Band(value, low, (int(m["high"]) + 1) * scale - 1 if m["high"] else low)


class BandFinder:
    """Finds what a text says of one shop's banded attributes."""

    def __init__(self, attribute_values: Iterable[str]) -> None:
        self._bands = bands_of(attribute_values)

    def find(self, text: str, free: Sequence[bool]) -> list[Meant]:
        """Return the bands that a text means, with where it says so; `free[i]`: character i may be used."""
        found = [*self._named(text, free)]
        for amount in find_amounts(text, free):
            attribute = self._attribute(text, amount)
            values = self._values(attribute, amount) if attribute else ()
            if attribute and values:
                found.append(Meant(attribute, values, amount.span))
        return found

    def _named(self, text: str, free: Sequence[bool]) -> Iterable[Meant]:
        for years, form in _AGES.items():
            low, high = map(int, years.split("-"))
            for m in form.finditer(text):
                values = self._inside("age", low, high)
                if values and all(free[m.start() : m.end()]):
                    yield Meant("age", values, m.span())
        for m in _CHILDLESS.finditer(text):
            values = self._inside("kids_count", 0, 0)
            if values and all(free[m.start() : m.end()]):
                yield Meant("kids_count", values, m.span())

    def _attribute(self, text: str, amount: Amount) -> str | None:
        """Which attribute a number is of: by its unit, by a word right before it, or, where it bounds
        something, by a word near it; a bounded number of an adult's years after "customers" is an age."""
        before, after = text[: amount.span[0]], text[amount.span[1] :]
        said = text[slice(*amount.span)]
        if (named := _OF_UNIT.get(amount.unit)) in self._bands:
            return named
        if "household_size" in self._bands and _HOUSEHOLDS_OF.search(before):
            return "household_size"
        for attribute, cue in _BESIDE.items():
            if attribute in self._bands and cue.search(before) and self._fits(attribute, amount):
                return attribute
        near = before[-_NEAR:] + said + after[:_AFTER]
        for attribute, cue in _CUES.items():
            if (
                amount.bounded
                and attribute in self._bands
                and self._fits(attribute, amount)
                and cue.search(near)
            ):
                return attribute
        if amount.bounded and "age" in self._bands and self._ends_an_age(said, after, amount):
            return "age"
        adult = amount.unit in ("", "customers") and _ADULT <= (amount.low or amount.high or 0) <= _OLDEST
        return "age" if amount.bounded and adult and _PEOPLE.search(before) and "age" in self._bands else None

    def _ends_an_age(self, said: str, after: str, amount: Amount) -> bool:
        """Whether a bare number is an age by how it is said and where the bands end ("65 and over",
        "the over-65s")."""
        value = amount.low if amount.low is not None else amount.high
        ends = {b.low for b in self._bands["age"]} | {b.high + 1 for b in self._bands["age"]}
        told = _AND_OVER.search(said) or _PLURAL_AGE.match(after)
        return bool(told and amount.unit == "" and value in ends)

    @staticmethod
    def _fits(attribute: str, amount: Amount) -> bool:
        ends = [v for v in (amount.low, amount.high) if v is not None]
        if attribute == "household_size":
            return amount.unit in ("", "customers") and max(ends) <= _LARGEST_HOUSEHOLD
        if attribute == "age":
            return amount.unit in ("", "time", "customers") and max(ends) <= _OLDEST
        return amount.unit in ("", "money") and (attribute != "income" or max(ends) > _OLDEST)

    def _values(self, attribute: str, amount: Amount) -> tuple[str, ...]:
        low = 0 if amount.low is None else amount.low + amount.strict_low
        high = inf if amount.high is None else amount.high - amount.strict_high
        return self._inside(attribute, low, high)

    def _inside(self, attribute: str, low: float, high: float) -> tuple[str, ...]:
        bands = self._bands.get(attribute, [])
        widest = max((b.high - b.low + 1 for b in bands if b.high < inf), default=1)
        if low == high:
            return tuple(b.value for b in bands if b.low <= low <= b.high)
        return tuple(b.value for b in bands if _covered(b, low, high, widest) >= 1 / 2)


def _covered(band: Band, low: float, high: float, widest: float) -> float:
    """What part of a band lies between two numbers; an open band counts as wide as the widest other,
    and wholly where what was asked is open too."""
    if band.high == inf and high == inf and (low >= band.low or band.low >= low):
        return 1.0
    end = band.low + widest - 1 if band.high == inf else band.high
    return max(0.0, min(end, high) - max(band.low, low) + 1) / (end - band.low + 1)
