"""Periods named in a question, relative to the last day of the data.

"Last month" is the calendar month before the one that the data ends in; "this month" the one it
ends in; "last 30 days" the 30 days up to the last day; a month without a year is the latest such
month that the data touches.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

_EN_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name} | {
    name.lower(): i for i, name in enumerate(calendar.month_abbr) if name
}
_ZH_DIGITS = {
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
}
_SEASONS = {"spring": (3, 5), "summer": (6, 8), "fall": (9, 11), "autumn": (9, 11),
            "春": (3, 5), "夏": (6, 8), "秋": (9, 11)}  # fmt: skip
_MONTH = "|".join(sorted(_EN_MONTHS, key=len, reverse=True))
_ZH_NUM = "[一二两三四五六七八九十]{1,3}|\\d{1,2}"
_UNIT_DAYS = {"day": 1, "week": 7, "天": 1, "日": 1, "周": 7, "个星期": 7, "星期": 7}


@dataclass(frozen=True, slots=True)
class Period:
    """An inclusive period of days as it was named in `text`; `span` is where in the question.
    `future` marks one that was named relative to the last day and lies after it."""

    start: date
    end: date
    text: str
    span: tuple[int, int]
    future: bool = False


def chinese_number(text: str) -> int | None:
    """Return the value of a Chinese or Arabic numeral up to 99, or None."""
    if text.isdigit():
        return int(text)
    if text == "十":
        return 10
    tens, ten, ones = text.partition("十")
    if not ten:
        return _ZH_DIGITS.get(text)
    high, low = _ZH_DIGITS.get(tens, 1 if not tens else 0), _ZH_DIGITS.get(ones, 0)
    return high * 10 + low


def month_span(year: int, first: int, last: int | None = None) -> tuple[date, date]:
    """Return the first and last day of a run of months of one year."""
    last = last or first
    return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])


def find_periods(text: str, first_day: date, last_day: date) -> list[Period]:
    """Return the periods named in a text, in order, none overlapping; longer forms win."""
    found: list[Period] = []
    for pattern, build in _RULES:
        for match in pattern.finditer(text):
            span = match.span()
            if any(span[0] < p.span[1] and p.span[0] < span[1] for p in found):
                continue
            days = build(match, first_day, last_day)
            if days is not None:
                found.append(Period(days[0], days[1], match.group().strip(), span, days[0] > last_day))
    return sorted(found, key=lambda p: p.span)


def _shift_month(day: date, by: int) -> tuple[int, int]:
    index = day.year * 12 + day.month - 1 + by
    return index // 12, index % 12 + 1


def _latest_year(month: int, last_day: date) -> int:
    return last_day.year if month <= last_day.month else last_day.year - 1


def _season(name: str, year: int) -> tuple[date, date]:
    if name in ("winter", "冬"):
        return date(year, 12, 1), date(year + 1, 2, calendar.monthrange(year + 1, 2)[1])
    return month_span(year, *_SEASONS[name])


def _en_month(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    if m["m"] == "may" and not re.search(
        r"\b(?:in|of|since|from|to|last|for)\s+$", m.string[: m.start()], re.I
    ):
        return None  # the verb
    begin = _EN_MONTHS[m["m"].lower()]
    until = _EN_MONTHS[m["m2"].lower()] if m["m2"] else begin
    year = int(m["y"]) if m["y"] else _latest_year(until, last)
    if m["d"]:
        try:
            day = date(year, begin, int(m["d"]))
        except ValueError:
            return None
        return day, day
    return (
        month_span(year, begin, until)
        if until >= begin
        else (month_span(year - 1, begin)[0], month_span(year, until)[1])
    )


def _zh_month(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    begin = chinese_number(m["m"])
    until = chinese_number(m["m2"]) if m["m2"] else begin
    if not begin or not until or begin > 12 or until > 12:
        return None
    year = last.year + {"去年": -1, "今年": 0, "明年": 1, "前年": -2}[m["rel"]] if m["rel"] else (
        int(m["y"]) if m["y"] else _latest_year(until, last))  # fmt: skip
    if m["d"]:
        try:
            day = date(year, begin, chinese_number(m["d"]) or 0)
        except ValueError:
            return None
        return day, day
    return month_span(year, begin, max(begin, until))


def _quarter(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    groups = m.groupdict()
    q = chinese_number(next(groups[g] for g in ("q", "q2") if groups.get(g))) or 0
    words = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}
    q = q or words.get((groups.get("q2") or "").lower(), 0)
    if not 1 <= q <= 4:
        return None
    year = int(groups["y"]) if groups.get("y") else last.year
    return month_span(year, 3 * q - 2, 3 * q)


def _relative(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    word = m.group().lower()
    if "half" in word or "半年" in word:
        late = "second" in word or "下半年" in word
        return month_span(last.year, 7, 12) if late else month_span(last.year, 1, 6)
    step = (
        -1
        if re.search(r"last|previous|past|上|去", word)
        else 1
        if re.search(r"next|coming|下|明", word)
        else 0
    )
    step = -2 if "前年" in word or "before last" in word else step
    if re.search(r"year|年", word):
        return date(last.year + step, 1, 1), date(last.year + step, 12, 31)
    if re.search(r"month|月", word):
        year, month = _shift_month(last, step)
        return month_span(year, month)
    if re.search(r"week|周|星期", word):
        monday = last - timedelta(days=last.weekday()) + timedelta(weeks=step)
        return monday, monday + timedelta(days=6)
    named = {"yesterday": -1, "昨天": -1, "today": 0, "今天": 0, "tomorrow": 1, "明天": 1}
    day = last + timedelta(days=named[word.strip()])
    return day, day


def _rolling(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    raw = m["n"] or "1"
    count = int(raw) if raw.isdigit() else chinese_number(raw) or _WORDS.get(raw.lower(), 0)
    unit = m["u"].lower().rstrip("s")
    if not count:
        return None
    if unit in _UNIT_DAYS:
        return last - timedelta(days=count * _UNIT_DAYS[unit] - 1), last
    months = count * (12 if unit in ("year", "年") else 1)
    year, month = _shift_month(last + timedelta(days=1), -months)
    ahead = last + timedelta(days=1)
    return date(year, month, min(ahead.day, calendar.monthrange(year, month)[1])), last


def _seasonal(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    name = m["s"].lower()
    if m["y"]:
        year = int(m["y"])
    elif m["rel"]:
        rel = m["rel"].lower()
        begins = _season(name, last.year)[0]
        # "last summer" is the latest one that is over; "去年夏天" is the calendar year's.
        year = last.year + {"去年": -1, "今年": 0, "明年": 1, "next": 1}.get(rel, 0)
        if rel in ("last", "past", "上个") and begins > last:
            year -= 1
    else:
        year = last.year if _season(name, last.year)[0] <= last else last.year - 1
    return _season(name, year)


def _year(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    year = int(m["y"])
    until = int(m["y2"]) if m.groupdict().get("y2") else year
    return date(year, 1, 1), date(max(year, until), 12, 31)


def _iso(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    try:
        begin = date.fromisoformat(m["a"])
        until = date.fromisoformat(m["b"]) if m["b"] else begin
    except ValueError:
        return None
    return begin, max(begin, until)


def _since(m: re.Match[str], first: date, last: date) -> tuple[date, date] | None:
    begin = _EN_MONTHS[m["m"].lower()]
    year = int(m["y"]) if m["y"] else _latest_year(begin, last)
    return date(year, begin, 1), max(last, date(year, begin, 1))


_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "twelve": 12, "thirty": 30,
          "sixty": 60, "ninety": 90}  # fmt: skip


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_RULES = (
    (_rule(r"(?P<a>\d{4}-\d{2}-\d{2})(?:\s*(?:to|until|–|-|至|到)\s*(?P<b>\d{4}-\d{2}-\d{2}))?"), _iso),
    (_rule(rf"\bsince\s+(?P<m>{_MONTH})\b\.?(?:,?\s*(?P<y>(?:19|20)\d\d))?"), _since),
    (_rule(rf"\b(?P<m>{_MONTH})\b\.?(?:\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d))?"
           rf"(?:\s*(?:to|until|through|and|–|-)\s*(?P<m2>{_MONTH})\b)?(?:,?\s*(?:of\s+)?(?P<y>(?:19|20)\d\d))?"), _en_month),
    (_rule(rf"(?:(?P<rel>去年|今年|明年|前年)|(?P<y>(?:19|20)\d\d)年)?(?:的)?(?P<m>{_ZH_NUM})月(?:份)?(?:(?P<d>{_ZH_NUM})[日号])?"
           rf"(?:\s*(?:至|到|和|-|–)\s*(?P<m2>{_ZH_NUM})月(?:份)?)?"), _zh_month),
    (_rule(r"(?:(?P<y>(?:19|20)\d\d)年?\s*)?第(?P<q>[一二三四1-4])(?:个)?季度"), _quarter),
    (_rule(r"\bQ(?P<q>[1-4])\b(?:\s*(?:of\s*)?(?P<y>(?:19|20)\d\d))?"), _quarter),
    (_rule(r"\b(?:the\s+)?(?P<rel>last|past|this|next)?\s*\b(?P<s>spring|summer|autumn|winter)\b(?:\s*(?:of\s*)?(?P<y>(?:19|20)\d\d))?"), _seasonal),
    (_rule(r"\b(?:in\s+the|in|(?P<rel>last|this|next))\s+(?P<s>fall)\b(?:\s*(?:of\s*)?(?P<y>(?:19|20)\d\d))?"), _seasonal),
    (_rule(r"(?:(?P<rel>去年|今年|明年|上个)|(?P<y>(?:19|20)\d\d)年)?(?:的)?(?P<s>[春夏秋冬])[天季]"), _seasonal),
    (_rule(r"\b(?:in\s+|over\s+|during\s+)?(?:the\s+)?(?:last|past|previous)\s+(?P<n>\d{1,3}|two|three|four|five|six|seven|ten|twelve|thirty|sixty|ninety)\s+(?P<u>days?|weeks?|months?|years?)\b"), _rolling),
    (_rule(r"(?:最近|过去|近)(?:的)?(?P<n>\d{1,3}|[一二两三四五六七八九十]{1,3})?(?:个)?(?P<u>天|日|周|星期|月|年)"), _rolling),
    (_rule(r"\b(?:first|second)\s+half(?:\s+of\s+(?:the\s+|this\s+)?year)?\b|[上下]半年"), _relative),
    (_rule(r"\b(?:last|previous|this|next|coming)\s+(?:year|month|week)\b|前年|去年|今年|明年|上个?月|这个?月|本月|下个?月|上个?(?:周|星期)|这个?(?:周|星期)|本周|下个?(?:周|星期)"), _relative),
    (_rule(r"\byesterday\b|\btoday\b|\btomorrow\b|昨天|今天|明天"), _relative),
    (_rule(r"\b(?P<y>(?:19|20)\d\d)(?:\s*(?:to|until|–|-)\s*(?P<y2>(?:19|20)\d\d))?\b(?!\s*(?:年|customers?|units?|trips?))"), _year),
    (_rule(r"(?P<y>(?:19|20)\d\d)年(?:(?:至|到|-|–)(?P<y2>(?:19|20)\d\d)年)?"), _year),
)  # fmt: skip
