"""A period that is told by another one of the same question: "Thanksgiving week … than the week before", "比前一周"."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from agent.periods import Period, month_span
from agent.prompts import patterns

_UNITS = patterns("unit_before")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def earlier(text: str, period: Period, first_day: date) -> Period | None:
    """Return the day, week, month, quarter or year right before a period, where a text asks for it; None where it does
    not, where the period is no whole number of them, or where the data does not reach so far back."""
    for unit, form in _UNITS.items():
        for m in form.finditer(text):
            if m.start() < period.span[1] and period.span[0] < m.end():
                continue
            days = _right_before(period, unit)
            if days is not None and days[1] >= first_day:
                return replace(period, start=days[0], end=days[1], text=m.group().strip(), span=m.span())
    return None


def _right_before(period: Period, unit: str) -> tuple[date, date] | None:
    end = period.start - timedelta(days=1)
    length = (period.end - period.start).days + 1
    if unit in _DAYS:
        return (period.start - timedelta(days=_DAYS[unit]), end) if length <= _DAYS[unit] else None
    whole = period.start.day == 1 and (period.end + timedelta(days=1)).day == 1
    months = 12 * (period.end.year - period.start.year) + period.end.month - period.start.month + 1
    if not whole or months != _MONTHS[unit]:
        return None
    index = end.year * 12 + end.month - months
    return month_span(index // 12, index % 12 + 1)[0], end
