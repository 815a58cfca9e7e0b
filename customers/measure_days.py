"""Months and days of the week in `measure`: as keys, as numbers, as SQL."""

from __future__ import annotations

import re

from customers.errors import Unknown

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def month(touches: bool) -> str:
    """SQL of the number of a row's month, in measure_touches or in the other tables."""
    return "(year(l.day) * 12 + month(l.day) - 1)" if touches else "l.month"


def weekday(touches: bool) -> str:
    """SQL of a row's day of the week, Monday 1."""
    return "isodow(l.day)" if touches else "l.weekday"


def month_number(key: str) -> int:
    """The number of the month "2017-03"; raises Unknown."""
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", key)
    if match is None:
        raise Unknown(f"'{key}' is no month; write it as 2017-03.")
    return int(match[1]) * 12 + int(match[2]) - 1


def weekday_number(key: str) -> int:
    """The number of the day "Monday"; raises Unknown."""
    if key.capitalize() not in WEEKDAYS:
        raise Unknown(f"'{key}' is no weekday; write it as Monday.")
    return WEEKDAYS.index(key.capitalize()) + 1
