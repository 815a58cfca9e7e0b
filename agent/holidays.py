"""Days that are named by a holiday ("the week before Christmas", "情人节当天"), and parts of months
("early May", "十一月上旬", "the first week of December"), as rules for `agent.periods`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

from agent.prompts import patterns

Days = tuple[date, date]
_FIXED = {"christmas_eve": (12, 24), "christmas": (12, 25), "new_years_eve": (12, 31), "new_years_day": (1, 1),
          "valentines_day": (2, 14), "independence_day": (7, 4), "halloween": (10, 31), "national_day": (10, 1),
          "singles_day": (11, 11)}  # fmt: skip
# Month, weekday (0 is Monday) and which of them; -1 is the month's last.
_NTH = {"mothers_day": (5, 6, 2), "memorial_day": (5, 0, -1), "fathers_day": (6, 6, 3), "labor_day": (9, 0, 1),
        "thanksgiving": (11, 3, 4)}  # fmt: skip
_AFTER_THANKSGIVING = {"black_friday": 1, "cyber_monday": 4}
_FORMS = {
    name: re.compile(f"(?:{form.pattern})", re.IGNORECASE) for name, form in patterns("holidays").items()
}
_ANY = "(?P<h>" + "|".join(f"(?:{form.pattern})" for form in _FORMS.values()) + ")"
_NUMBERS = {"一": 1, "两": 2, "二": 2, "三": 3, "one": 1, "two": 2, "three": 3, "a": 1, "the": 1, "": 1}
_PLACES = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4,
           "一": 1, "二": 2, "三": 3, "四": 4, "last": -1, "final": -1, "最后": -1, "最后一": -1}  # fmt: skip
_THIRDS = {"early": 0, "beginning": 0, "start": 0, "上": 0, "初": 0, "mid": 1, "middle": 1, "中": 1,
           "late": 2, "end": 2, "下": 2, "末": 2, "底": 2}  # fmt: skip


def easter(year: int) -> date:
    """Return Easter Sunday (Meeus, Jones and Butcher's Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1)


def holiday(name: str, year: int) -> date:
    """Return the day of a holiday in a year."""
    if name in _FIXED:
        return date(year, *_FIXED[name])
    if name == "easter":
        return easter(year)
    if name in _AFTER_THANKSGIVING:
        return holiday("thanksgiving", year) + timedelta(days=_AFTER_THANKSGIVING[name])
    month, weekday, which = _NTH[name]
    days = [d for d in calendar.Calendar().itermonthdates(year, month) if d.month == month]
    return [d for d in days if d.weekday() == weekday][which - 1 if which > 0 else which]


def _day(m: re.Match[str], last: date) -> date:
    name = next(n for n, form in _FORMS.items() if form.fullmatch(m["h"]))
    if year := m.groupdict().get("y"):
        return holiday(name, int(year))
    day = holiday(name, last.year)
    return day if day <= last else holiday(name, last.year - 1)


def _near(m: re.Match[str], last: date) -> Days:
    """The day itself, its week, or so many days or weeks before or after it."""
    groups, day = m.groupdict(), _day(m, last)
    side, unit = (groups.get("side") or "").lower(), (groups.get("unit") or "").lower()
    if not unit:
        return day, day
    monday = day - timedelta(days=day.weekday())
    if unit.startswith("weekend") or unit == "周末":
        saturday = monday + timedelta(days=5 if day.weekday() > 1 else -2)  # the nearest weekend
        return saturday, saturday + timedelta(days=1)
    if not re.match(r"before|after|leading|following|preceding|前|后", side):
        return monday, monday + timedelta(days=6)
    raw = (groups.get("n") or "").lower()
    count = int(raw) if raw.isdigit() else _NUMBERS.get(raw, 1)
    length = timedelta(days=count * (7 if unit.startswith(("week", "周", "星期", "个星期")) else 1))
    before = re.match(r"before|leading|preceding|前", side)
    one = timedelta(days=1)
    return (day - length, day - one) if before else (day + one, day + length)


def _said(m: re.Match[str], group: str) -> str:
    """What the first of the groups of a name ("part", "part2") holds."""
    return next(said for name, said in m.groupdict().items() if name.startswith(group) and said)


def _third(m: re.Match[str], year: int, month: int) -> Days:
    part = _THIRDS[_said(m, "part").lower()]
    end = calendar.monthrange(year, month)[1] if part == 2 else 10 * part + 10
    return date(year, month, 10 * part + 1), date(year, month, end)


def _week(m: re.Match[str], year: int, month: int) -> Days:
    """A month's first, second ... seven days, or its last seven."""
    place, days = _PLACES[_said(m, "place").lower()], calendar.monthrange(year, month)[1]
    begin = days - 6 if place < 0 else 7 * place - 6
    return date(year, month, begin), date(year, month, begin + 6)


def _to_date(m: re.Match[str], last: date) -> Days:
    return date(last.year, last.month if any(m.group("month", "month1")) else 1, 1), last


def _rule(form: str) -> re.Pattern[str]:
    return re.compile(form, re.IGNORECASE)


_Y = r"(?:,?\s*(?:of\s+|in\s+)?(?P<y>(?:19|20)\d\d)\b)?"
_SIDE = r"(?P<side>before|after|of|leading\s+up\s+to|following|preceding)"
_THING = r"(?!\s*(?:merchandise|items?|products?|cards?|lil(?:y|ies)|cand(?:y|ies)|eggs?|season|trees?|decorations?)|用品|商品|产品|装饰|百合|礼|卡|糖|树)"
HOLIDAY_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], Days | None]], ...] = (
    (_rule(r"\b(?:year|(?P<month>month))[\s-]to[\s-]date\b|\bytd\b|\bso\s+far\s+this\s+(?:year|(?P<month1>month))\b|今年以来|年初至今|今年至今"), _to_date),
    (_rule(rf"\b(?:(?:in|on|over|during)\s+)?(?:the\s+)?(?:(?P<n>\d{{1,2}}|one|two|three)\s+)?(?P<unit>weekend|weeks?|days?)\s+{_SIDE}\s+{_ANY}\b{_Y}"), _near),
    (_rule(rf"\b(?:(?:in|on|over|during)\s+)?(?:the\s+)?\b{_ANY}\s+(?P<unit>weekend|week)\b{_Y}"), _near),
    (_rule(rf"(?:(?P<y>(?:19|20)\d\d)年(?:的)?)?{_ANY}(?P<side>前|后)(?:的)?(?P<n>[一两二三]|\d{{1,2}})?(?P<unit>周|个?星期|天)"), _near),
    (_rule(rf"(?:(?P<y>(?:19|20)\d\d)年(?:的)?)?{_ANY}(?:那|当)?(?P<unit>周末|周|星期)"), _near),
    (_rule(rf"(?:\b(?:on|at|over|during|for|around|by|from|until|till)\s+|(?<=\bsince ))(?:the\s+)?{_ANY}\b{_Y}{_THING}"), _near),
    (_rule(rf"(?:(?P<y>(?:19|20)\d\d)年(?:的)?)?(?=[\u3400-\u9fff]){_ANY}(?:当天|那天|当日|期间)?{_THING}"), _near),
)  # fmt: skip


def month_part_rules(
    month: str, zh_number: str, zh_year: str, read: Callable[[re.Match[str], date], tuple[int, int] | None]
) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], Days | None]], ...]:
    """Return the rules for thirds and weeks of months. `month` and `zh_number` match a month's name, in
    group "m", and `read` tells the year and month that a match names."""

    def of(build: Callable[[re.Match[str], int, int], Days]) -> Callable[[re.Match[str], date], Days | None]:
        def days(m: re.Match[str], last: date) -> Days | None:
            found = read(m, last)
            return build(m, *found) if found else None

        return days

    year = r"(?:,?\s*(?:of\s+)?(?P<y>(?:19|20)\d\d)\b)?"
    return (
        (_rule(rf"\b(?:in\s+|the\s+)*(?P<part>early|mid|late|beginning|start|middle|end)(?:\s+of\s+|\s+in\s+|[\s-]+)(?P<m>{month})\b{year}"), of(_third)),
        (_rule(rf"{zh_year}(?P<m>{zh_number})月(?:份)?(?:的)?(?:(?P<part>[上中下])旬|(?P<part2>[初末底]))"), of(_third)),
        (_rule(rf"\b(?:in\s+)?(?:the\s+)?(?P<place>first|second|third|fourth|last|final|1st|2nd|3rd|4th)\s+week\s+(?:of|in)\s+(?P<m>{month})\b{year}"), of(_week)),
        (_rule(rf"{zh_year}(?P<m>{zh_number})月(?:份)?(?:的)?(?:第(?P<place1>[一二三四])|(?P<place2>最后一?))个?(?:周|星期)"), of(_week)),
    )  # fmt: skip
