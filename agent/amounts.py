"""Numbers that bound something: "more than $5,000", "at least 50 trips", "5000元以上", "between 100 and 200".

A number is read with what stands around it: the bounding words before or after, its currency or unit,
and, for a bare one, the verb of its clause. No LLM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.prompts import pattern, patterns

Span = tuple[int, int]

_WORDS = {w: i for i, w in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)} | {
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "single": 1, "a": 1, "a couple of": 2, "half a": 0.5, "once": 1, "twice": 2}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1_000, "grand": 1_000, "k": 1_000, "million": 1_000_000, "m": 1_000_000,
           "百": 100, "千": 1_000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000}  # fmt: skip
_HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1_000}
_NUMBER = re.compile(
    r"(?P<currency>(?:US)?[$￥¥€£]\s?)?"
    r"(?:(?P<figures>(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![\w.])\d+(?:\.\d+)?(?![\d-]*[A-Za-z]{2,}\d))"
    r"\s?(?P<scale>k\b|m\b|thousand\b|hundred\b|grand\b|million\b|百万|千万|[百千万])?"
    r"|(?P<word>\b(?:a\s+couple\s+of|half\s+a|a(?=\s+(?:hundred|thousand|million|grand))|" + "|".join(w for w in _WORDS if " " not in w and w not in ("a", "single"))
    + r"|single(?=[\s-]person)"
    + r")\b)(?:[\s-](?P<word_scale>hundred|thousand|grand|million)\b)?"
    r"|(?P<han>(?!一[起下样般直共定些点边旦向])[零一二两三四五六七八九十百千万]+))", re.IGNORECASE | re.ASCII)  # fmt: skip
_TO = re.compile(r"\s*(?:-|–|—|~|～|to|至|到)\s*", re.IGNORECASE)
_AND = re.compile(r"\s*(?:and|和|与|到|至)\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:\b(?:between|from)\s*|介于|在|从)$", re.IGNORECASE)
_BETWEEN_AFTER = re.compile(r"\s*之间")
_ABOUT = r"\s*(?:about|around|roughly|some|the|大约|大概|约)?\s*"
_CLAUSE = re.compile(r"[,;.!?，；。！？]\s|\band\b|并且|而且", re.IGNORECASE)
_YEARS = (1950, 2100)
_NEAR = 40
_BEFORE = {
    kind: re.compile(f"(?:{form.pattern})-?{_ABOUT}$", re.IGNORECASE)
    for kind, form in patterns("bounds_before").items()
}
_AFTER = {
    kind: re.compile(rf"\s*(?:{form.pattern})", re.IGNORECASE)
    for kind, form in patterns("bounds_after").items()
}
_UNITS = {
    unit: re.compile(rf"\s*(?:{form.pattern})", re.IGNORECASE)
    for unit, form in patterns("amount_units").items()
}
_VERBS, _COUNTS = patterns("amount_verbs"), pattern("amount_is_count")
_WITH_COUNT_UNITS = ("units", "customers", "")


@dataclass(frozen=True, slots=True)
class Amount:
    """A bounded number: `low` and `high` (None: open), whether each leaves its own value out, what it
    counts, and where it stands.

    unit: "money", "baskets", "units", "customers", "share" (low and high are then parts of 1) or ""
    where the text does not tell; "age", "kids", "persons" and "time" for what is no figure of sales.
    """

    low: float | None
    high: float | None
    strict_low: bool
    strict_high: bool
    unit: str
    span: Span
    bounded: bool = True
    """False for a plain number with a unit ("$50"), which holds nothing against anything."""

    def as_argument(self) -> dict[str, Any]:
        """Return it as a tool takes it (plain JSON)."""
        told = asdict(self)
        return {name: told[name] for name in ("low", "high", "strict_low", "strict_high", "unit")}


@dataclass(frozen=True, slots=True)
class _Number:
    value: float
    unit: str
    start: int
    end: int
    """Where the number ends with its unit."""
    figure_end: int
    """Where it ends without."""
    currency: bool
    scale: float
    """What the figure was multiplied with ("k", "万"), else 1."""


def han_value(text: str) -> float | None:
    """Return the value of a Chinese numeral below a hundred million ("一万五", "三百五十"), or None."""
    total, section, digit, last = 0.0, 0.0, None, 1
    for c in text:
        if c in _HAN_DIGITS:
            digit = _HAN_DIGITS[c]
            last = 1 if c in "零〇" else last
        elif c in _HAN_UNITS:
            section += (1 if digit is None else digit) * _HAN_UNITS[c]
            digit, last = None, _HAN_UNITS[c]
        elif c == "万":
            if digit is None and not section:
                return None
            total, section, digit, last = (total + section + (digit or 0)) * 10_000, 0.0, None, 10_000
    if digit is not None:  # 一万五 is 15,000 and 三百五 350; after 零, or alone, a digit counts ones
        section += digit * (last // 10 if last >= 100 else 1)
    return total + section if text and (text[0] in _HAN_DIGITS or text[0] == "十") else None


def find_amounts(text: str, free: Sequence[bool]) -> list[Amount]:
    """Return the numbers of a text with what bounds them, in order, none overlapping; ranges
    ("between 100 and 200 dollars") are one. `free[i]` says whether character i may be used."""
    numbers, found, i = _numbers(text, free), [], 0
    while i < len(numbers):
        here = numbers[i]
        ahead = numbers[i + 1] if i + 1 < len(numbers) else None
        if ahead and (both := _range(text, here, ahead)):
            found.append(both)
            i += 2
            continue
        if one := _single(text, here):
            found.append(one)
        i += 1
    return [a for a in found if all(free[slice(*a.span)])]


def _numbers(text: str, free: Sequence[bool]) -> list[_Number]:
    found: list[_Number] = []
    for m in _NUMBER.finditer(text):
        value = _value(m)
        if value is None or not all(free[m.start() : m.end()]) or (found and m.start() < found[-1].end):
            continue
        stop = m.start() + len(m.group().rstrip())
        unit, end = _unit(text, stop)
        currency = bool(m["currency"])
        if unit == "share":
            value /= 100
        if (m["word"] or "").lower() in ("once", "twice"):
            unit = "baskets"
        found.append(_Number(value, "money" if currency else unit, m.start(), stop if currency else end,
                             stop, currency, _scale(m)))  # fmt: skip
    return found


def _value(m: re.Match[str]) -> float | None:
    if m["han"]:
        return han_value(m["han"])
    if m["word"]:
        base = _WORDS[" ".join(m["word"].lower().split())]
        return base * _SCALES[(m["word_scale"] or "").lower()] if m["word_scale"] else base
    return float(m["figures"].replace(",", "")) * _SCALES.get((m["scale"] or "").lower(), 1)


def _scale(m: re.Match[str]) -> float:
    return _SCALES.get((m["scale"] or m["word_scale"] or "").lower(), 1)


def _unit(text: str, at: int) -> tuple[str, int]:
    for unit, form in _UNITS.items():
        if m := form.match(text, at):
            return unit, m.end()
    return "", at


def _range(text: str, a: _Number, b: _Number) -> Amount | None:
    between = bool(_BETWEEN.search(text[: a.start]) or _BETWEEN_AFTER.match(text, b.end))
    gap = text[a.end : b.start]
    if not (_TO.fullmatch(gap) or (between and _AND.fullmatch(gap))):
        return None
    unit = b.unit or a.unit
    if a.value > b.value or _is_years(a) or _is_years(b):
        return None
    if a.unit and not a.currency and a.unit != b.unit:
        return None  # "12 products to 88"
    if a.scale == 1 and a.value * b.scale <= b.value:
        a = replace(a, value=a.value * b.scale)  # "50 to 75k"
    low = a.value / 100 if unit == "share" and a.unit != "share" else a.value
    unit = unit or (_unit_of_clause(text, a.start) if between else "")
    return Amount(low, b.value, False, False, unit, (a.start, b.end), bounded=bool(unit or between))


def _single(text: str, n: _Number) -> Amount | None:
    before = text[: n.start]
    for kind, form in _BEFORE.items():
        if m := form.search(before):
            if _is_years(n) and kind == "more_than" and not re.search("than|>|过|于|止", m.group()):
                break  # "over 2017" is the year
            if kind == "exactly" and n.unit not in ("baskets", "money"):
                break
            return _made(text, n, kind, (m.start(), n.end), n.unit)
    for kind, form in _AFTER.items():
        if m := form.match(text, n.end) or form.match(text, n.figure_end):
            late, stop = _unit(text, m.end())
            counted = late in ("kids", "persons", "customers") and n.unit in ("", "units")  # "3个及以上孩子"
            unit, end = (late, stop) if counted or not n.unit else (n.unit, max(n.end, m.end()))
            return _made(text, n, kind, (n.start, max(end, m.end())), unit)
    return Amount(n.value, n.value, False, False, n.unit, (n.start, n.end), bounded=False)


def _made(text: str, n: _Number, kind: str, span: Span, unit: str) -> Amount | None:
    unit = unit or _unit_of_clause(text, span[0])
    if unit in _WITH_COUNT_UNITS and _COUNTS.search(text[: span[0]]):
        return None
    low = n.value if kind in ("at_least", "more_than", "exactly") else None
    high = n.value if kind in ("at_most", "less_than", "exactly") else None
    return Amount(low, high, kind == "more_than", kind == "less_than", unit, span)


def _is_years(n: _Number) -> bool:
    return not n.unit and not n.currency and float(n.value).is_integer() and _YEARS[0] <= n.value <= _YEARS[1]


def _unit_of_clause(text: str, at: int) -> str:
    """What a bare number counts: the nearest telling word before it in its clause, else after it."""
    before = _CLAUSE.split(text[max(0, at - _NEAR) : at])[-1]
    last = {unit: max((m.end() for m in form.finditer(before)), default=0) for unit, form in _VERBS.items()}
    best = max(last, key=lambda unit: last[unit])
    return best if last[best] else ""
