"""What was drawn to be labelled and what was said of it: one small SQLite file in the shop's folder.

    shop/labels.sqlite     made by the first sample, readable by its owner only; outlives builds

A unit keeps the text that it was drawn with, so a label means the same after the data has changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from customers.errors import BadInput, Unknown
from customers.labels.values import Annotation, Labeller, LabellerKind, Unit
from customers.stores.notes import clean
from customers.stores.sqlite import SqliteFile

LABELS_FILE = "labels.sqlite"
MOST_NAME, MOST_RAW = 60, 2000
_SCHEMA = (
    "CREATE TABLE units (place INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, unit_id TEXT NOT NULL,"
    " customer_id TEXT NOT NULL, text TEXT NOT NULL, context TEXT NOT NULL, drawn TEXT NOT NULL,"
    " UNIQUE (task, unit_id))",
    "CREATE INDEX units_of ON units (customer_id)",
    "CREATE TABLE labels (task TEXT NOT NULL, unit_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
    " label TEXT NOT NULL, written TEXT NOT NULL, model TEXT NOT NULL, model_print TEXT NOT NULL,"
    " prompt TEXT NOT NULL, raw TEXT NOT NULL, PRIMARY KEY (task, unit_id, kind, name))",
    "CREATE TABLE failures (task TEXT NOT NULL, unit_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
    " written TEXT NOT NULL, why TEXT NOT NULL, raw TEXT NOT NULL, PRIMARY KEY (task, unit_id, kind, name))",
)
_OF_CUSTOMER = "(task, unit_id) IN (SELECT task, unit_id FROM units WHERE customer_id = ?)"


class LabelStore:
    """The labels of one shop. Safe to use from several threads and processes; nothing is held open.

    path: the file. clock: gives the time (aware) that something is written at. All methods raise BadInput
    where the file cannot be read or written.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = SqliteFile(path, _SCHEMA, version=1)
        self._clock = clock

    @classmethod
    def of(cls, shop_dir: Path) -> LabelStore:
        """The store of a shop's directory."""
        return cls(shop_dir / LABELS_FILE)

    def add_units(self, task: str, units: Iterable[Unit]) -> int:
        """Add units to a task's sample, in order; return how many were new."""
        now = self._now()
        rows = [(task, u.unit_id, u.customer_id, u.text, u.context, now) for u in units]
        with self._file.writing() as con:
            before = con.total_changes
            con.executemany(
                "INSERT OR IGNORE INTO units (task, unit_id, customer_id, text, context, drawn)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            return con.total_changes - before

    def units(self, task: str) -> list[Unit]:
        """Return a task's sample, in the order it was drawn."""
        rows = self._file.rows(
            "SELECT unit_id, customer_id, text, context FROM units WHERE task = ? ORDER BY place", [task]
        )
        return [Unit(*row) for row in rows]

    def put(self, task: str, unit_id: str, label: str, labeller: Labeller, raw: str = "") -> None:
        """Keep a label; one that the same labeller gave the unit before is replaced. Raises Unknown for a unit
        that is not (or no longer) in the sample."""
        row = (task, unit_id, labeller.kind, labeller.name, label, self._now(), labeller.model)
        row += (labeller.model_print, labeller.prompt, raw[:MOST_RAW])
        with self._file.writing() as con:
            _must_be_drawn(con, task, unit_id)
            con.execute(f"INSERT OR REPLACE INTO labels VALUES ({', '.join('?' * len(row))})", row)
            con.execute(
                "DELETE FROM failures WHERE task = ? AND unit_id = ? AND kind = ? AND name = ?", row[:4]
            )

    def fail(self, task: str, unit_id: str, labeller: Labeller, why: str, raw: str) -> None:
        """Keep that a labeller's answer could not be read as a label. Raises Unknown as `put` does."""
        row = (task, unit_id, labeller.kind, labeller.name, self._now(), why, raw[:MOST_RAW])
        with self._file.writing() as con:
            _must_be_drawn(con, task, unit_id)
            con.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def annotations(self, task: str) -> list[Annotation]:
        """Return every label of a task, people's first, then by labeller and in the order of the sample."""
        rows = self._file.rows(
            "SELECT unit_id, label, kind, name, model, model_print, prompt, written, raw"
            " FROM labels JOIN units USING (task, unit_id) WHERE task = ? ORDER BY kind, name, place",
            [task],
        )
        return [_annotation(row) for row in rows]

    def failures(self, task: str) -> dict[tuple[LabellerKind, str], int]:
        """Return how many answers of each labeller (kind, name) could not be read."""
        rows = self._file.rows(
            "SELECT kind, name, count(*) FROM failures WHERE task = ? GROUP BY kind, name", [task]
        )
        return {(kind, name): count for kind, name, count in rows}

    def kept_of(self, customer_id: str) -> list[dict[str, Any]]:
        """Return a customer's units as plain JSON values, each with its labels, in the order they were drawn."""
        units = self._file.rows(
            "SELECT task, unit_id, text, context, drawn FROM units WHERE customer_id = ? ORDER BY place",
            [customer_id],
        )
        said = self._file.rows(
            f"SELECT task, unit_id, kind, name, label, written FROM labels WHERE {_OF_CUSTOMER}"
            " ORDER BY kind, name",
            [customer_id],
        )
        return [
            {
                "task": task, "unit_id": unit, "text": text, "context": context, "drawn": drawn,
                "labels": [dict(zip(("kind", "name", "label", "written"), row[2:], strict=True))
                           for row in said if row[:2] == (task, unit)],
            }
            for task, unit, text, context, drawn in units
        ]  # fmt: skip

    def forget(self, customer_id: str) -> int:
        """Erase a customer's units and all that was said of them, beyond recovery; return how many units."""
        if not self._file.path.exists():
            return 0
        with self._file.writing() as con:
            for table in ("labels", "failures"):
                con.execute(f"DELETE FROM {table} WHERE {_OF_CUSTOMER}", [customer_id])
            count = con.execute("DELETE FROM units WHERE customer_id = ?", [customer_id]).rowcount
        self._file.scrub()  # even where there is nothing: an erasure before may have been cut short
        return count

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="seconds")


def person(name: str) -> Labeller:
    """Return the labeller of a person's name. Raises BadInput for a name that is none."""
    tidy = clean(name)
    if not 0 < len(tidy) <= MOST_NAME:
        raise BadInput(f"say who labels: a name of 1 to {MOST_NAME} characters")
    return Labeller("human", tidy)


def forget(shop_dir: Path, customer_id: str) -> int:
    """Erase all of a shop's label units of a customer, with their labels; return how many units."""
    return LabelStore.of(shop_dir).forget(customer_id)


def _must_be_drawn(con: sqlite3.Connection, task: str, unit_id: str) -> None:
    """A unit may have been erased while somebody was looking at it: nothing of it may come back."""
    if not con.execute("SELECT 1 FROM units WHERE task = ? AND unit_id = ?", [task, unit_id]).fetchall():
        raise Unknown("this one is no longer in the sample; go on with the next one")


def _annotation(row: tuple[Any, ...]) -> Annotation:
    unit_id, label, kind, name, model, model_print, prompt, written, raw = row
    labeller = Labeller(kind, name, model, model_print, prompt)
    return Annotation(unit_id, label, labeller, datetime.fromisoformat(written), raw)
