"""Figures and dates in a text, with unit and rounding, in English and Chinese."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from agent.claim_words import joined, vocabulary
from agent.events import Language

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MONTH = "|".join(f"{m[:3]}(?:{m[3:]})?" if m != "may" else "may" for m in _MONTHS)
_DAY_EN = re.compile(
    rf"\b(?:(?P<m>{_MONTH})\.?(?:\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?)?(?:,?\s+(?P<y>(?:19|20)\d\d))?"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m2>{_MONTH})(?:,?\s+(?P<y2>(?:19|20)\d\d))?"
    rf"|(?P<iso>(?:19|20)\d\d-\d\d-\d\d)|(?<![$€£¥\d.,])(?P<y3>(?:19|20)\d\d)(?![\d.,]*\d|\s?%))\b", re.I)  # fmt: skip
_DAY_ZH = re.compile(
    r"(?P<y>(?:19|20)\d\d)年(?:(?P<m>\d{1,2})月(?:(?P<d>\d{1,2})[日号])?)?"
    r"|(?<!\d)(?P<m2>\d{1,2})月(?:(?P<d2>\d{1,2})[日号])?|(?P<iso>(?:19|20)\d\d-\d\d-\d\d)"
)
_NUMBER = re.compile(
    r"(?<![\d.\w])(?P<sign>-)?(?P<symbol>[$€£¥₹])?(?P<n>\d[\d,]*(?:\.\d+)?)(?P<scale>\s?(?:k|thousand|million|bn|billion)\b|万|亿|千)?", re.I | re.A
)  # fmt: skip
_SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "million": 1e6,
    "bn": 1e9,
    "billion": 1e9,
    "万": 1e4,
    "亿": 1e8,
    "千": 1e3,
}
_SEPARATOR = re.compile(r"[,;:.!?()（），；：。！？“”\"–—]|\b(?:and|but|while|whereas)\b")
_MARKS = ("approximate", "approximate_after", "nearly", "over", "under")
_SPANS = frozenset({"trip", "day", "week", "year"})
Span = tuple[int, int]
_LARGEST_ERROR = 0.05
"""A figure rounded to tens or hundreds may be this far from the fact's, relative to it."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date as it is written: what was left out is None."""

    year: int | None
    month: int | None
    day: int | None
    start: int
    end: int

    def agrees(self, other: Day) -> bool:
        """Whether this is the other date, of the same precision; the year may go without saying."""
        same_year = self.year is None or self.year == other.year
        return same_year and (self.month, self.day) == (other.month, other.day)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text. `unit` is "" where none is told; `step` is one of the last digit kept;
    `bound` is ">" for "more than", "<" for "less than", "~<" for "nearly"."""

    value: float
    unit: str
    step: float
    start: int
    end: int
    about: bool = False
    bound: str = ""
    weak: bool = False
    """Whether the unit was only guessed from a word before the number."""

    def agrees(self, fact: Figure) -> bool:
        """Whether the number says what a fact's number says: the same, or openly rounded from it."""
        equal = math.isclose(self.value, fact.value, rel_tol=1e-9, abs_tol=1e-9)
        if fact.bound:
            return equal and self.bound == fact.bound
        if self.bound == "~<" and fact.value > self.value:
            return False
        if self.bound == ">":
            return self.value < fact.value <= 1.1 * self.value
        if self.bound == "<":
            return 0.9 * self.value <= fact.value < self.value
        if equal or not self.about:
            return equal
        error = abs(self.value - fact.value)
        small = self.step <= 1 or error <= _LARGEST_ERROR * abs(fact.value)
        return error <= self.step / 2 + 1e-9 and small


def find_days(text: str, language: Language) -> list[Day]:
    """Return the dates of a text, in order; a bare year counts as one."""
    return [_day(m) for m in (_DAY_ZH if language == "zh" else _DAY_EN).finditer(text) if not _modal_may(m)]


def _modal_may(m: re.Match[str]) -> bool:
    """ "may" without a day or a year is a verb, not a month."""
    return m.group() == "may"


def _day(m: re.Match[str]) -> Day:
    g = m.groupdict()
    if g.get("iso"):
        y, mo, d = (int(p) for p in g["iso"].split("-"))
        return Day(y, mo, d, m.start(), m.end())
    year, month, day = (
        g.get("y") or g.get("y2") or g.get("y3"),
        g.get("m") or g.get("m2"),
        g.get("d") or g.get("d2"),
    )
    if month and not month.isdigit():
        month = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(month[:3].lower()))
    return Day(
        int(year) if year else None,
        int(month) if month else None,
        int(day) if day else None,
        m.start(),
        m.end(),
    )


@cache
def _words(language: Language) -> Mapping[str, re.Pattern[str]]:
    vocab = vocabulary()
    lead = vocab["before_unit"][language]
    units = {
        unit: re.compile((r"^(?:%s)" if unit in ("%", "ratio") else f"^(?:{lead})(?:%s)" + (r"\b" if language == "en" else "")) % "|".join(p[language]), re.I)
        for unit, p in vocab["units"].items()
    }  # fmt: skip
    before = {
        f"<{unit}": re.compile(joined(p[language], language), re.I)
        for unit, p in vocab["units"].items()
        if unit not in ("%", "ratio") and language == "en"
    }
    marks = {name: re.compile(vocab[name][language], re.I) for name in _MARKS}
    return units | before | marks


def find_figures(text: str, language: Language) -> list[Figure]:
    """Return the figures of a text in order, number words included."""
    found = [_number(m, text, language) for m in _NUMBER.finditer(text)]
    taken = [(f.start, f.end) for f in found]
    for start, end, value, unit in _spelled(text, language):
        if not any(start < e and s < end for s, e in taken):
            found.append(_figure(value, unit, 1.0, start, end, text, language))
            taken.append((start, end))
    return _units_before(sorted(found, key=lambda f: f.start), text, language)


def _number(m: re.Match[str], text: str, language: Language) -> Figure:
    digits = m["n"].rstrip(",").replace(",", "")
    scale = _SCALES[m["scale"].strip().lower()] if m["scale"] else 1.0
    value = float(digits) * scale * (-1 if m["sign"] else 1)
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    zeros = 0 if decimals else len(digits) - len(digits.rstrip("0")) if digits.strip("0") else 0
    unit = f"money{m['symbol']}" if m["symbol"] else ""
    end = m.start("n") + len(m["n"].rstrip(",")) if not m["scale"] else m.end()
    return _figure(value, unit, 10.0 ** (zeros - decimals) * scale, m.start(), end, text, language)


def _spelled(text: str, language: Language) -> list[tuple[int, int, float, str]]:
    found, vocab = [], vocabulary()
    for group, unit in (("shares_in_words", "%"), ("ratios_in_words", "ratio"), ("number_words", "")):
        for word, value in vocab[group][language].items():
            pattern = rf"\b{word}\b" if language == "en" else re.escape(word)
            for m in re.finditer(pattern, text, re.I):
                counted = unit or language == "en" or _unit_after(text, m.end(), language)[0]
                if counted:
                    found.append((m.start(), m.end(), float(value), unit))
    return found


def _figure(
    value: float, unit: str, step: float, start: int, end: int, text: str, language: Language
) -> Figure:
    words = _words(language)
    before = text[max(0, start - 24) : start]
    about = over = under = None
    step = 5.0 if unit == "%" and not any(c.isdigit() for c in text[start:end]) else step
    if over := words["over"].search(before):
        start -= len(before) - over.start()
    elif under := words["under"].search(before):
        start -= len(before) - under.start()
    elif about := words["approximate"].search(before):
        start -= len(before) - about.start()
    if not unit:
        unit, end = _unit_after(text, end, language)
    elif unit.startswith("money") and (after := _unit_after(text, end, language))[0] == "money":
        end = after[1]
    if over and over.group().strip().lower() == "over" and unit in _SPANS:
        over = None  # "over 60 trips", "over 30 days": in the course of them
    if late := words["approximate_after"].search(text[end : end + 12]):
        about, end = late, end + late.end()
    short = bool(about and words["nearly"].search(about.group()))
    return Figure(value, unit, step, start, end, bool(about), ">" if over else "<" if under else "~<" * short)


def _unit_after(text: str, end: int, language: Language) -> tuple[str, int]:
    for unit, pattern in _words(language).items():
        if unit[0] == "<" or unit in _MARKS:
            continue
        if m := pattern.match(text[end : end + 40]):
            # Words between the figure and its noun ("200 eligible customers") stay, to be read themselves.
            return unit, end + m.end() if len(m.group().split()) < 2 else end
    return "", end


def _units_before(figures: list[Figure], text: str, language: Language) -> list[Figure]:
    """Give a figure that no unit follows the one before it: "trips: 60", "a similarity of 0.89"."""
    done: list[Figure] = []
    for f in figures:
        zone = text[done[-1].end if done else 0 : f.start]
        if not f.unit:
            f = replace(f, unit=_last_unit(zone, language), weak=True)
        done.append(f)
    return done


def _last_unit(zone: str, language: Language) -> str:
    if language == "zh":
        return "similarity" if "相似度" in zone else ""
    best, unit = -1, ""
    for name, pattern in _words(language).items():
        if name[0] == "<":
            for m in pattern.finditer(zone):
                if m.start() > best:
                    best, unit = m.start(), name[1:]
    return unit


def zones(text: str, figures: list[Figure]) -> list[tuple[list[Span], list[Span]]]:
    """Return, for each figure, the stretches of text that are surely its own and those that may be its
    neighbour's. Between two figures separators part the words; without one they may belong to either."""
    found: list[tuple[list[Span], list[Span]]] = [([], []) for _ in figures]
    edges = [0, *(f.end for f in figures)]
    for i, begin in enumerate(edges):
        end = figures[i].start if i < len(figures) else len(text)
        cuts = list(_SEPARATOR.finditer(text, begin, end))
        first = i == 0
        if first or i == len(figures) or not cuts:
            sure = first or i == len(figures)
            for k in [0] if first else [i - 1] if i == len(figures) else [i - 1, i]:
                if 0 <= k < len(figures):
                    found[k][0 if sure else 1].append((begin, end))
            continue
        found[i - 1][0].append((begin, cuts[0].start()))
        found[i][0].append((cuts[-1].end(), end))
        if len(cuts) > 1:
            for k in (i - 1, i):
                found[k][1].append((cuts[0].end(), cuts[-1].start()))
    return found
