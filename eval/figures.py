"""Numbers as people write them: found in a text, and compared with a true value.

A written number carries its own precision: "1,234.5" stands for anything within 0.05 of it, "1.2万"
for anything within 500. Dates, footnote marks, list numbers and customer ids are no figures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a number counts, as far as its writing shows."""

    MONEY = "money"
    PERCENT = "percent"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Written:
    """A number in a text: its value in single units (percents as shares), half of its last digit's
    worth, and what its writing says that it counts."""

    value: float
    precision: float
    unit: Unit
    text: str


_SCALES = {
    "万亿": 1e12, "亿": 1e8, "千万": 1e7, "百万": 1e6, "万": 1e4, "billion": 1e9, "bn": 1e9,
    "million": 1e6, "thousand": 1e3, "k": 1e3, "m": 1e6,
}  # fmt: skip
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
# What looks like a number and is none: footnotes, list numbers, ids, dates, age and income bands.
_NO_FIGURE = re.compile(
    r"\[\d+(?:\s*,\s*\d+)*\]|^\s*\d+[.)、]\s|#\s*\d+|\d+(?:(?:、|和)\d+)*\s*号(?:顾客|客户|会员)"
    r"|(?:customers?|households?|campaigns?|顾客|客户|会员|活动|编号)\s*#?(?:号|为)?\s*\d+(?:(?:\s*,\s*|、|\s+and\s+|和)\d+)*"
    rf"|\b{_MONTH}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?\b|\b\d{{1,2}}\s+{_MONTH}\b(?:\s+\d{{4}})?"
    rf"|\b{_MONTH}\.?\s+\d{{4}}\b|\b\d{{4}}-\d{{2}}(?:-\d{{2}})?\b"
    r"|(?<![\d,.])\d{4}\s*年(?:\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?)?|(?<![\d,.])\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?"
    r"|(?<![\d,.$])20[12]\d(?![\d,%]|\.\d)|(?<![\d,.])\d{1,2}-\d{1,2}\s*岁|\baged\s+\d+(?:-\d+)?"
    r"|\b(?:19-24|25-34|35-44|45-54|55-64)\b|\b65\+"
    r"|\bincome (?:under )?\$\d+K(?:-\d+K)?|年收入(?:低于)?[\d.]+万(?:-[\d.]+万)?美元|\$?\d+K?-\d+K\b",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(
    r"(?P<sign>[-−])?(?P<money>(?:US)?[$¥€£]|USD|RMB)?\s*(?P<whole>\d{1,3}(?:[,，]\d{3})+|\d+)(?P<dec>\.\d+)?"
    r"\s*(?P<scale>万亿|亿|千万|百万|万|billion\b|bn\b|million\b|thousand\b|[kKmM]\b)?"
    r"\s*(?P<tail>%|％|percent\b|per cent\b|美元|元|块|dollars?\b|USD\b)?",
    re.IGNORECASE,
)
_BEFORE_PERCENT = re.compile(r"百分之\s*(\d+(?:\.\d+)?)")


def figures(text: str) -> list[Written]:
    """Return the figures of a text, in order."""
    clean = _BEFORE_PERCENT.sub(r"\1%", text)
    clean = _NO_FIGURE.sub(lambda m: " " * len(m.group()), clean)
    return [_read(found) for found in _NUMBER.finditer(clean)]


def _read(found: re.Match[str]) -> Written:
    decimals = found["dec"] or ""
    value = float(re.sub("[,，]", "", found["whole"]) + decimals)
    precision = 0.5 * 10.0 ** -max(len(decimals) - 1, 0)
    scale = _SCALES.get((found["scale"] or "").lower(), 1.0)
    tail = (found["tail"] or "").lower()
    unit = Unit.PLAIN
    if tail in ("%", "％", "percent", "per cent"):
        unit, scale = Unit.PERCENT, scale / 100
    elif found["money"] or tail:
        unit = Unit.MONEY
    sign = -1.0 if found["sign"] and found["money"] else 1.0
    return Written(sign * value * scale, precision * scale, unit, found.group().strip())


def says(written: Written, true: float, tolerance: float = 0.0, coarsest: float = 0.05) -> bool:
    """Whether a written number states the true value.

    It does when it lies within `tolerance` (relative) of it, or when the value rounds to it at the
    precision of its writing, provided that this is no coarser than `coarsest` of the value ("$6
    thousand" does not state 6,346.66).
    """
    error = abs(written.value - true)
    # A hair of slack: 12.345 may be written 12.34 or 12.35, whichever way a float falls.
    close = written.precision * (1 + 1e-6) + 1e-9
    size = abs(true)
    return error <= tolerance * size + 1e-9 or (error <= close and written.precision <= coarsest * size)


def states(text: str, true: float, unit: Unit | None = None, tolerance: float = 0.0) -> bool:
    """Whether any figure of the text, in that unit if one is given, states the true value."""
    return any((unit is None or w.unit == unit) and says(w, true, tolerance) for w in figures(text))
