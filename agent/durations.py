"""How long something lasted, in days, as a text says it: "for 30 days", "two months", "半个月"."""

from __future__ import annotations

import re

from agent.periods import chinese_number

_DAYS = {
    "day": 1,
    "week": 7,
    "month": 30,
    "year": 365,
    "天": 1,
    "日": 1,
    "周": 7,
    "星期": 7,
    "礼拜": 7,
    "月": 30,
    "年": 365,
}
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "twelve": 12,
    "couple of": 2,
}
_EN = re.compile(
    r"\b(?:(?P<n>\d{1,3})|(?P<w>an?\s+couple\s+of|couple\s+of|an?|one|two|three|four|five|six|twelve))[\s-]+(?P<u>day|week|month|year)s?\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:last|past|this)\s+(?P<u>week|month|year)\b", re.IGNORECASE)
_ZH = re.compile(
    r"(?P<n>\d{1,3}|[一二两三四五六七八九十]{1,3}|半)个?(?P<u>天|日|周|星期|礼拜|月|年)(?![份底初末])"
)


def days_in(text: str) -> int | None:
    """Return the first duration in a text as days (a month has 30), None where there is none."""
    if m := _EN.search(text):
        word = " ".join((m["w"] or "").lower().split()).removeprefix("a ") or "a"
        return (int(m["n"]) if m["n"] else _NUMBERS[word]) * _DAYS[m["u"].lower()]
    if m := _PAST.search(text):
        return _DAYS[m["u"].lower()]
    if m := _ZH.search(text):
        many = 0.5 if m["n"] == "半" else chinese_number(m["n"]) or 0
        return round(many * _DAYS[m["u"]]) or None
    return None
