"""From naive UTC to a shop's local time, with expressions that run on every engine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import ibis

from customers.errors import BadInput
from customers.stores.events import Column


def zone(name: str) -> ZoneInfo:
    """Return the named time zone; BadInput where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            f"{name!r} is not a time zone; write one like America/New_York or Asia/Shanghai"
        ) from error


def offsets(name: str, first: date, last: date) -> list[tuple[datetime, int]]:
    """Return (naive UTC time, seconds east of UTC from then on) from `first` to `last`, in order.

    The first entry holds from the beginning; changes are found to the minute.
    """
    where = zone(name)
    at = datetime(first.year, first.month, first.day)
    end = datetime(last.year, last.month, last.day) + timedelta(days=2)
    found = [(at, _offset(where, at))]
    while at < end:
        after = at + timedelta(days=1)
        if _offset(where, after) != found[-1][1]:
            change = _change(where, at, after)
            found.append((change, _offset(where, change)))
        at = after
    return found


def _offset(where: ZoneInfo, at: datetime) -> int:
    shift = at.replace(tzinfo=UTC).astimezone(where).utcoffset()
    return int(shift.total_seconds()) if shift else 0


def _change(where: ZoneInfo, low: datetime, high: datetime) -> datetime:
    start = _offset(where, low)
    while high - low > timedelta(minutes=1):
        middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
        low, high = (middle, high) if _offset(where, middle) == start else (low, middle)
    return high


def to_local(ts: Column, name: str, first: date, last: date) -> Column:
    """Turn naive UTC times between two days into naive local times of the named zone."""
    steps = offsets(name, first, last)
    seconds: Column = ibis.literal(steps[0][1])
    if len(steps) > 1:
        branches = [(ts >= ibis.literal(at), ibis.literal(shift)) for at, shift in reversed(steps[1:])]
        seconds = ibis.cases(*branches, else_=steps[0][1])
    return ts + seconds.cast("int64").as_interval("s")
