"""How values are written for people, in English and Chinese. Pure functions; no model involved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

LANGUAGES = ("en", "zh")

# Data is shown, never obeyed: characters that Markdown or HTML would act on are replaced by
# harmless look-alikes, so a name is the same plain text in a terminal, a chat and a report.
_NEUTRAL = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "|": "/", "*": "·", "_": " ",
                          "\\": "/", "~": "-", "#": "No.", "{": "(", "}": ")"})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


def label(text: str, limit: int = 80) -> str:
    """Return a name from data as plain text that no renderer acts on, at most `limit` characters."""
    clean = " ".join(_CONTROL.sub(" ", str(text)).replace("://", ": //").translate(_NEUTRAL).split())
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def number(value: float, decimals: int | None = None) -> str:
    """Write a number with thousands separators; whole numbers without decimals unless asked."""
    if decimals is None:
        decimals = 0 if float(value).is_integer() else 1
    return f"{value:,.{decimals}f}"


def money(value: float, currency: str) -> str:
    """Write an amount: "$1,234.50", cents left out from 10,000 up."""
    text = number(abs(value), 0 if abs(value) >= 10_000 else 2)
    return f"{'-' if value < 0 else ''}{currency}{text}"


def percent(share: float, decimals: int = 1) -> str:
    """Write a share (0..1) as a percentage."""
    return f"{100 * share:.{decimals}f}%"


def chance(probability: float) -> str:
    """Write a model's probability in whole percent, never as certainty."""
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else percent(probability, 0)


def day(value: date, language: str) -> str:
    """Write a day: "March 3, 2017" / "2017年3月3日"."""
    if language == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{_MONTHS[value.month - 1]} {value.day}, {value.year}"


def month(value: date, language: str) -> str:
    """Write a month: "March 2017" / "2017年3月"."""
    return (
        f"{value.year}年{value.month}月" if language == "zh" else f"{_MONTHS[value.month - 1]} {value.year}"
    )


def _is_month_end(value: date) -> bool:
    return (value + timedelta(days=1)).day == 1


def period(start: date, end: date, language: str) -> str:
    """Write an inclusive period as an adverbial: "in 2017", "in March 2017", "from … to …"."""
    zh = language == "zh"
    if start == end:
        return day(start, "zh") if zh else f"on {day(start, 'en')}"
    if start.day == 1 and _is_month_end(end):
        if (start.year, start.month, end.month) == (end.year, 1, 12):
            return f"{start.year}年" if zh else f"in {start.year}"
        if (start.year, start.month) == (end.year, end.month):
            return month(start, "zh") if zh else f"in {month(start, 'en')}"
        if zh:
            return f"{month(start, 'zh')}至{month(end, 'zh')}"
        return f"from {month(start, 'en')} to {month(end, 'en')}"
    if zh:
        return f"{day(start, 'zh')}至{day(end, 'zh')}"
    return f"from {day(start, 'en')} to {day(end, 'en')}"


def listing(items: Iterable[str], language: str, *, either: bool = False) -> str:
    """Join names: "a, b and c" / "a、b和c"; `either`: "a, b or c" / "a、b或c"."""
    names = list(items)
    if len(names) < 2:
        return "".join(names)
    if language == "zh":
        return "、".join(names[:-1]) + ("或" if either else "和") + names[-1]
    return ", ".join(names[:-1]) + (" or " if either else " and ") + names[-1]


def plural(count: float, one: str, many: str | None = None) -> str:
    """Write a count with its noun in English: "1 trip", "12 trips"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def days_ago(days: int, language: str) -> str:
    """Write how long before the data's last day something was."""
    if language == "zh":
        return "数据截止当天" if days == 0 else f"数据截止日前{days}天"
    return "on the data's last day" if days == 0 else f"{plural(days, 'day')} before the data ends"


def both(**text: str) -> Mapping[str, str]:
    """A text in both languages: both(en=…, zh=…)."""
    return text
