"""Reading on from where the last load ended: the highest value of a column, kept beside the store.

A little below the highest value is read again, for rows that were written late; what was loaded
already is known by its event id and not added twice. The file is written after the store, so a load
that ends halfway is read again, never skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

MARKS = "since.json"
OVERLAP_TIME, OVERLAP_NUMBER = timedelta(days=1), 1000


class Highest:
    """The highest value of a column: the one to start from, and the highest seen since."""

    def __init__(self, column: str | None, mark: Mapping[str, str] | None) -> None:
        self.column = column
        self._value: Any = _value(mark) if column is not None and mark is not None else None

    def start(self) -> tuple[str, Any] | None:
        """Return (column, value) from which on to read; None reads everything."""
        if self.column is None or self._value is None:
            return None
        return self.column, _before(self._value)

    def see(self, values: Sequence[Any]) -> None:
        """Take note of values that were read; those of another kind than the first are passed over."""
        for value in values:
            if isinstance(value, Decimal):
                value = int(value)
            if not isinstance(value, int | float | str | date) or isinstance(value, bool):
                continue
            if _ahead(value):
                continue
            if self._value is None or (_comparable(value, self._value) and value > self._value):
                self._value = value

    def mark(self) -> dict[str, str] | None:
        """Return the highest value as it is kept; None where there is none."""
        if self._value is None:
            return None
        if isinstance(self._value, datetime):
            return {"type": "datetime", "value": self._value.isoformat()}
        if isinstance(self._value, date):
            return {"type": "date", "value": self._value.isoformat()}
        kind = "number" if isinstance(self._value, int | float) else "text"
        return {"type": kind, "value": str(self._value)}


def _ahead(value: Any) -> bool:
    """Whether a time lies in the future: a wrong clock, beyond which no row would ever be read."""
    now = datetime.now(UTC) + OVERLAP_TIME
    if isinstance(value, str):
        return value[:10] > now.date().isoformat() and value[:4].isdigit() and value[4:5] == "-"
    if isinstance(value, datetime):
        return value > (now if value.tzinfo else now.replace(tzinfo=None))
    return isinstance(value, date) and value > now.date()


def _value(mark: Mapping[str, str]) -> Any:
    text = mark["value"]
    if mark["type"] == "number":
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return {"datetime": datetime.fromisoformat, "date": date.fromisoformat, "text": str}[mark["type"]](text)


def _before(value: Any) -> Any:
    if isinstance(value, date):
        return value - OVERLAP_TIME
    if isinstance(value, int | float):
        return value - OVERLAP_NUMBER
    return _day_before(value)


def _day_before(text: str) -> str:
    """A day before a time that is kept as text, in the same spelling; other text as it is."""
    try:
        return (date.fromisoformat(text[:10]) - OVERLAP_TIME).isoformat()
    except ValueError:
        return text


def _comparable(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return (one.tzinfo is None) == (other.tzinfo is None)
    if isinstance(one, datetime) or isinstance(other, datetime):
        return False
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return numbers or type(one) is type(other)


def key(place: str, table: str, column: str | None) -> str:
    """Return what a mark is kept under: the database without its password, the table, the column."""
    return f"{place} {table} {column}"


def read_marks(store: Path) -> dict[str, dict[str, str]]:
    """Return the marks kept beside `store`; none where the store is not there."""
    path = store.with_name(MARKS)
    if not store.is_file() or not path.is_file():
        return {}
    try:
        marks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # everything is read again, and known again
    return marks if isinstance(marks, dict) else {}


def keep_marks(store: Path, marks: Mapping[str, Mapping[str, str]]) -> None:
    """Keep marks beside `store`, once what they stand for is in it."""
    path = store.with_name(MARKS)
    partial = path.with_name(f"{MARKS}.{os.getpid()}.partial")
    document = {key: dict(mark) for key, mark in marks.items()}
    partial.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(partial, path)
