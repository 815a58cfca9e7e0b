"""Periods named in a question, relative to the last day of the data.

"Last month" is the calendar month before the one that the data ends in; "this month" the one it
ends in; "last 30 days" the 30 days up to the last day; a month, quarter or half without a year is the
latest such one that the data touches, unless a neighbour in the same list or range names the year.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from agent.holidays import HOLIDAY_RULES, month_part_rules

_EN_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name} | {
    name.lower(): i for i, name in enumerate(calendar.month_abbr) if name
}
_ZH_DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
              "十": 10}  # fmt: skip
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


Days = tuple[date, date]


def find_periods(text: str, first_day: date, last_day: date) -> list[Period]:
    """Return the periods named in a text, in order, none overlapping; longer forms win. Two that are
    joined as a range ("March to May") are one period, two in a list ("March and May") are two."""
    found: list[_Named] = []
    for pattern, build in _RULES:
        for match in pattern.finditer(text):
            span = match.span()
            if any(span[0] < p.span[1] and p.span[0] < span[1] for p in found):
                continue
            days = build(match, last_day)
            if days is not None:
                found.append(_Named(*days, span, _floats(match)))
    joined = [_until_now(text, p, last_day) for p in _joined(text, sorted(found, key=lambda p: p.span))]
    return [Period(p.start, p.end, text[slice(*p.span)].strip(), p.span, p.start > last_day) for p in joined]


@dataclass(frozen=True, slots=True)
class _Named:
    """A period on the way: `floats` where no year was named, so that a neighbour's may hold."""

    start: date
    end: date
    span: tuple[int, int]
    floats: bool

    def moved(self, years: int) -> _Named:
        """Return the same months or days, some years later; whole months stay whole (February)."""
        year = min(max(self.end.year + years, 2), 9998)
        last = calendar.monthrange(year, self.end.month)[1]
        whole = self.start.day == 1 and (self.end + timedelta(days=1)).day == 1
        end = date(year, self.end.month, last if whole else min(self.end.day, last))
        first_year = year - (self.end.year - self.start.year)
        days = calendar.monthrange(first_year, self.start.month)[1]
        return replace(self, start=date(first_year, self.start.month, min(self.start.day, days)), end=end)


def _floats(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    return "y" in groups and not any(groups.get(g) for g in ("y", "y0", "rel"))


_RANGE = re.compile(r"\s*(?:to|until|till|through|up\s+to|[–—~-]|至|到)\s*(?:the\s+)?", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:and|和|与)\s*", re.IGNORECASE)
_LIST = re.compile(r"\s*(?:,|，|、|/|(?:,\s*)?(?:and|or|vs\.?|versus|than|with|compared\s+(?:to|with))|和|与|跟|及|还是|比|对比)\s*(?:in\s+|to\s+)?", re.IGNORECASE)  # fmt: skip


def _joined(text: str, periods: list[_Named]) -> list[_Named]:
    done: list[_Named] = []
    for period in periods:
        if not done:
            done.append(period)
            continue
        before = done[-1]
        gap = text[before.span[1] : period.span[0]]
        if _is_range(text, before, period, gap):
            begin, end = _same_year(before, period)
            if begin.start > end.end:
                begin = begin.moved(-1)
            if begin.start <= end.end:
                done[-1] = _Named(
                    begin.start, end.end, (before.span[0], period.span[1]), begin.floats and end.floats
                )
                continue
        elif _LIST.fullmatch(gap):
            done[-1], period = _same_year(before, period)
        done.append(period)
    return done


def _is_range(text: str, a: _Named, b: _Named, gap: str) -> bool:
    if _RANGE.fullmatch(gap):
        return True
    between = re.search(r"\bbetween\s+(?:the\s+)?$", text[: a.span[0]], re.IGNORECASE) or re.match(
        r"\s*之间", text[b.span[1] :]
    )
    return bool(between and _BETWEEN.fullmatch(gap))


_SINCE = re.compile(
    r"(?:\bsince|\bever\s+since|(?<![来各独])自从?)\s*(?:the\s+(?:start|beginning)\s+of\s+)?(?:the\s+)?$",
    re.IGNORECASE,
)
_ONWARDS = re.compile(r"\s*(?:份)?(?:的)?(?:以来|至今|到(?:现在|目前|今天|如今)(?:为止)?|开始(?:到现在|至今)?|起(?![码来])(?:至今|到现在)?)|\s+onwards?\b|\s+on(?=\s*[,;.?!]|\s*$)|\s+(?:to|until|till|through)\s+(?:date|now|today|the\s+(?:end|present))\b", re.IGNORECASE)  # fmt: skip


def _until_now(text: str, period: _Named, last: date) -> _Named:
    """Reach to the last day of the data where the text says so ("since September", "9月以来")."""
    before = _SINCE.search(text[: period.span[0]])
    after = _ONWARDS.match(text, period.span[1])
    if not (before or after):
        return period
    span = (before.start() if before else period.span[0], after.end() if after else period.span[1])
    return replace(period, end=max(last, period.start), span=span)


def _same_year(a: _Named, b: _Named) -> tuple[_Named, _Named]:
    """Give the one that names no year the other's."""
    if a.floats and not b.floats:
        return replace(a.moved(b.start.year - a.start.year), floats=False), b
    if b.floats and not a.floats:
        return a, replace(b.moved(a.start.year - b.start.year), floats=False)
    return a, b


def _shift_month(day: date, by: int) -> tuple[int, int]:
    index = day.year * 12 + day.month - 1 + by
    return index // 12, index % 12 + 1


def _latest_year(month: int, last_day: date) -> int:
    return last_day.year if month <= last_day.month else last_day.year - 1


_REL_YEARS = {"去年": -1, "今年": 0, "明年": 1, "前年": -2, "last year": -1, "this year": 0, "next year": 1,
              "the year": 0}  # fmt: skip


def _named_year(m: re.Match[str], last: date) -> int | None:
    """Return the year that a match names, by number or relative to the data; None where it does not."""
    groups = m.groupdict()
    for group in ("y", "y0"):
        if groups.get(group):
            return int(groups[group])
    rel = " ".join((groups.get("rel") or "").lower().split())
    return last.year + _REL_YEARS[rel] if rel in _REL_YEARS else None


def _season(name: str, year: int) -> Days:
    if name in ("winter", "冬"):
        return date(year, 12, 1), date(year + 1, 2, calendar.monthrange(year + 1, 2)[1])
    return month_span(year, *_SEASONS[name])


_SPAN_OF_DAYS = re.compile(r"\bbetween\s+(?:the\s+)?$", re.IGNORECASE)
_VERB_MAY = re.compile(
    r"\s+(?:i|we|you|he|she|they|it|be|not|also|have|customers?|(?:the|this|that|our)\s+\w+)\b", re.IGNORECASE
)
_OF_MAY = re.compile(r"\b(?:in|of|since|from|to|last|for|during|until|through|and|or|between|by|before|after|than|\d(?:st|nd|rd|th)?)\s+$", re.IGNORECASE)  # fmt: skip


def _en_month(m: re.Match[str], last: date) -> Days | None:
    if m["m"].lower() == "may" and not any(m[g] for g in ("y", "d", "d1")):
        told = _OF_MAY.search(m.string[: m.start("m")])
        if not told and (m["m"] == "may" or _VERB_MAY.match(m.string[m.end() :])):
            return None  # the verb
    if m["d1"] and m["list"] and not _SPAN_OF_DAYS.search(m.string[: m.start()]):
        return None  # "on the 3rd and 9th of May" are two days
    month, days = _EN_MONTHS[m["m"].lower()], [m[g] for g in ("d0", "d1", "d", "d2") if m[g]]
    return _month_days(int(m["y"]) if m["y"] else _latest_year(month, last), month, days)


def _zh_month(m: re.Match[str], last: date) -> Days | None:
    begin = chinese_number(m["m0"]) if m["m0"] else None
    until = chinese_number(m["m"])
    if not until or until > 12 or (begin is not None and not 1 <= begin <= 12):
        return None
    year = _named_year(m, last) or _latest_year(until, last)
    if begin is not None:
        return month_span(year - 1 if begin > until else year, begin)[0], month_span(year, until)[1]
    return _month_days(year, until, [str(chinese_number(m[g]) or 0) for g in ("d", "d2") if m[g]])


def _month_days(year: int, month: int, days: list[str]) -> Days | None:
    """Return the month, or its day or run of days; None for a day that it does not have."""
    if not days:
        return month_span(year, month)
    try:
        begin, until = date(year, month, int(days[0])), date(year, month, int(days[-1]))
    except ValueError:
        return None
    return (begin, until) if begin <= until else None


def _month_of(m: re.Match[str], last: date) -> tuple[int, int] | None:
    """The year and month that a match names in group "m"."""
    month = _EN_MONTHS.get(m["m"].lower()) or chinese_number(m["m"])
    if not month or month > 12:
        return None
    return _named_year(m, last) or _latest_year(month, last), month


_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4, "1st": 1, "2nd": 2, "3rd": 3,
             "4th": 4}  # fmt: skip


def _quarter(m: re.Match[str], last: date) -> Days | None:
    word = m["q"].lower()
    number = _ORDINALS.get(word) or chinese_number(word) or 0
    if not 1 <= number <= 4:
        return None
    year = _named_year(m, last)
    if year is None:
        year = _latest_year(3 * number - 2, last)
    return month_span(year, 3 * number - 2, 3 * number)


def _half(m: re.Match[str], last: date) -> Days | None:
    late = m["h"].lower() in ("second", "2nd", "下", "2")
    year = _named_year(m, last)
    if year is None:
        year = _latest_year(7 if late else 1, last)
    return month_span(year, 7, 12) if late else month_span(year, 1, 6)


def _relative(m: re.Match[str], last: date) -> Days | None:
    word = m.group().lower()
    step = (
        -1 if re.search(r"last|previous|上|去", word) else 1 if re.search(r"next|coming|下|明", word) else 0
    )
    step = -2 if "前年" in word else step
    if re.search(r"quarter|季", word):
        year, month = _shift_month(date(last.year, last.month - (last.month - 1) % 3, 1), 3 * step)
        return month_span(year, month, month + 2)
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


def _rolling(m: re.Match[str], last: date) -> Days | None:
    raw, unit = (m["n"] or "1").lower(), m["u"].lower().rstrip("s")
    if "half" in raw or "半" in unit:
        return _months_back(6, last)
    count = int(raw) if raw.isdigit() else chinese_number(raw) or _WORDS.get(raw, 0)
    if not count:
        return None
    if unit in _UNIT_DAYS:
        return last - timedelta(days=count * _UNIT_DAYS[unit] - 1), last
    return _months_back(count * (12 if unit in ("year", "年") else 1), last)


def _months_back(months: int, last: date) -> Days:
    ahead = last + timedelta(days=1)
    year, month = _shift_month(ahead, -months)
    return date(year, month, min(ahead.day, calendar.monthrange(year, month)[1])), last


def _seasonal(m: re.Match[str], last: date) -> Days | None:
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


def _year(m: re.Match[str], last: date) -> Days | None:
    year = int(m["y"])
    until = int(m["y2"]) if m.groupdict().get("y2") else year
    return date(year, 1, 1), date(max(year, until), 12, 31)


def _numeric(m: re.Match[str], last: date) -> Days | None:
    """A date in figures: year first, or month/day/year (day first where the month cannot be)."""
    groups = m.groupdict()
    year, month, day = int(m["y"]), int(m["mm"]), int(m["dd"]) if m["dd"] else None
    if not groups.get("first") and day is not None and month > 12:
        month, day = day, month
    try:
        if day is None:
            return month_span(year, month) if 1 <= month <= 12 else None
        return date(year, month, day), date(year, month, day)
    except ValueError:
        return None


_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "twelve": 12, "thirty": 30,
          "sixty": 60, "ninety": 90}  # fmt: skip


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_Y = r"(?:19|20)\d\d"
_NUMBER_WORDS = "|".join(_WORDS)
_TH = "(?:st|nd|rd|th)?"
_D = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_OF_YEAR = rf"(?:,?\s*(?:of\s+)?(?:the\s+)?(?:(?P<y>{_Y})|(?P<rel>last\s+year|this\s+year|next\s+year|(?<=the\s)year))\b)?"
_ZH_YEAR = rf"(?:(?P<rel>去年|今年|明年|前年)|(?P<y>{_Y})年?)?(?:的)?"
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], Days | None]], ...] = (
    *HOLIDAY_RULES,
    *month_part_rules(_MONTH, _ZH_NUM, _ZH_YEAR, _month_of),
    (_rule(rf"(?<![\d.])(?P<first>(?P<y>{_Y}))[-/.](?P<mm>\d{{1,2}})(?:[-/.](?P<dd>\d{{1,2}}))?(?![\d-])"), _numeric),
    (_rule(rf"(?<![\d./])(?P<mm>\d{{1,2}})/(?P<dd>\d{{1,2}})/(?P<y>{_Y})(?!\d)"), _numeric),
    (_rule(rf"(?<!\btop )(?<!\bbest )\b(?P<d0>\d{{1,2}}){_TH}\s*(?:(?P<list>and)|to|until|till|through|[-–—])\s*(?:the\s+)?(?P<d1>\d{{1,2}}){_TH}\s+(?:of\s+)?(?P<m>{_MONTH})\b\.?"
           rf"(?P<d>)(?P<d2>)(?:,?\s*(?:of\s+)?(?P<y>{_Y})\b)?"), _en_month),
    (_rule(rf"(?<!\btop )(?<!\bbest )\b(?:(?P<d0>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?(?P<m>{_MONTH})\b\.?(?P<d1>)(?P<list>)"
           rf"(?:\s+(?:the\s+)?{_D}\b(?!\d)(?:\s*(?:to|until|till|through|–|—|-)\s*(?:the\s+)?(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*(?:{_MONTH})))?)?"
           rf"(?:,?\s*(?:of\s+)?(?P<y>{_Y})\b)?"), _en_month),
    (_rule(rf"{_ZH_YEAR}(?:(?P<m0>{_ZH_NUM})月?(?:至|到|-|–))?(?P<m>{_ZH_NUM})月(?:份)?(?:(?P<d>{_ZH_NUM})[日号]?(?:(?:至|到|-|–)(?P<d2>{_ZH_NUM}))?[日号])?"), _zh_month),
    (_rule(rf"{_ZH_YEAR}第?(?P<q>[一二三四1-4])个?季度"), _quarter),
    (_rule(rf"(?:\b(?P<y0>{_Y})\s*)?(?<![A-Za-z])Q(?P<q>[1-4])\b{_OF_YEAR}"), _quarter),
    (_rule(rf"\b(?:the\s+)?(?P<q>first|second|third|fourth|1st|2nd|3rd|4th)\s+quarter\b{_OF_YEAR}"), _quarter),
    (_rule(rf"\b(?:the\s+)?(?P<q>last)\s+quarter\s+of\s+(?:the\s+)?(?:(?P<y>{_Y})|(?P<rel>last\s+year|this\s+year|year))\b"), _quarter),
    (_rule(rf"\b(?:the\s+)?(?P<h>first|second|1st|2nd)\s+half\b{_OF_YEAR}"), _half),
    (_rule(rf"(?:\b(?P<y0>{_Y})\s*)?(?<![A-Za-z])H(?P<h>[12])\b{_OF_YEAR}"), _half),
    (_rule(rf"{_ZH_YEAR}(?P<h>[上下])半年"), _half),
    (_rule(rf"\b(?:the\s+)?(?P<rel>last|past|this|next)?\s*\b(?P<s>spring|summer|autumn|winter)\b(?:\s*(?:of\s*)?(?P<y>{_Y}))?"), _seasonal),
    (_rule(rf"\b(?:in\s+the|in|(?P<rel>last|this|next))\s+(?P<s>fall)\b(?:\s*(?:of\s*)?(?P<y>{_Y}))?"), _seasonal),
    (_rule(rf"(?:(?P<rel>去年|今年|明年|上个)|(?P<y>{_Y})年)?(?:的)?(?P<s>[春夏秋冬])[天季]"), _seasonal),
    (_rule(rf"\b(?:in\s+|over\s+|during\s+)?(?:the\s+)?(?:last|past|previous)\s+(?P<n>\d{{1,3}}|{_NUMBER_WORDS}|half\s+(?:a\s+)?)\s*(?P<u>days?|weeks?|months?|years?)\b"), _rolling),
    (_rule(r"\b(?:in\s+|over\s+|during\s+)?(?:the\s+)?past\s+(?P<n>)(?P<u>week|month|year)\b"), _rolling),
    (_rule(r"(?:最近|过去|近)(?:的)?(?P<n>\d{1,3}|[一二两三四五六七八九十]{1,3})?(?:个)?(?P<u>天|日|周|星期|月|年|半年)"), _rolling),
    (_rule(r"\b(?:last|previous|this|next|coming)\s+(?:year|month|week|quarter)\b"
           r"|前年|去年|今年|明年|上个?月|这个?月|本月|下个?月|上个?(?:周|星期)|这个?(?:周|星期)|本周|下个?(?:周|星期)|(?:上|下|这)个?季度|本季度"), _relative),
    (_rule(r"\byesterday\b|\btoday\b|\btomorrow\b|昨天|今天|明天"), _relative),
    (_rule(rf"\b(?P<y>{_Y})(?:\s*(?:to|until|–|-)\s*(?P<y2>{_Y}))?\b(?![-/.]\d)(?!\s*(?:全?年|customers?|units?|trips?))"), _year),
    (_rule(rf"(?P<y>{_Y})(?:年|全年|年全年|整年|年度)(?:(?:至|到|-|–)(?P<y2>{_Y})年)?"), _year),
)  # fmt: skip
