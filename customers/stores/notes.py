"""Long-term notes on customers: one small SQLite file in the shop's folder, apart from the builds.

    shop/notes.sqlite     made by the first note, readable by its owner only

How it is opened, and how what is erased leaves no trace, stands in `sqlite`.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from customers.errors import BadInput
from customers.stores.sqlite import SqliteFile
from customers.values import Note, NoteKind

NOTES_FILE = "notes.sqlite"
MOST_CHARS, MOST_NOTES = 500, 200
_VERSION = 1
_SCHEMA = (
    # AUTOINCREMENT: the number of an erased note is never given to another one.
    "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id TEXT NOT NULL, written TEXT NOT NULL,"
    " kind TEXT NOT NULL, text TEXT NOT NULL, session TEXT NOT NULL)",
    "CREATE INDEX notes_of ON notes (customer_id, id)",
)
_COLUMNS = "id, customer_id, written, kind, text, session"

Why = Literal["empty", "long", "full", "read_only", "busy", "unreadable"]


class NoteRefused(BadInput):
    """A note cannot be kept, read or erased; `why` tells the reason apart for who words it anew."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


class NoteStore:
    """The notes of one shop. Safe to use from several threads and processes; nothing is held open.

    path: the file. clock: gives the time (aware) that a note is written at.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self._clock = clock
        self._file = SqliteFile(path, _SCHEMA, _VERSION, NoteRefused)

    def add(
        self,
        customer_id: str,
        text: str = "",
        *,
        kind: NoteKind = "note",
        products: Sequence[str] = (),
        session: str = "",
    ) -> Note:
        """Keep a note and return it: `text` for the kinds "note" and "handoff", `products` (their ids)
        for "offered". Where a customer has MOST_NOTES, the oldest "offered" makes room.

        Raises NoteRefused where there is no text, it has over MOST_CHARS characters, the customer has
        too many notes, or the folder cannot be written.
        """
        if kind not in get_args(NoteKind):
            raise ValueError(f"no kind of note: {kind!r}")
        kept = _fits(json.dumps(list(products)) if products else "") if kind == "offered" else checked(text)
        with self._file.writing() as con:
            _make_room(con, customer_id)
            row = (customer_id, self._clock().astimezone(UTC).isoformat(), kind, kept, session)
            made = con.execute(
                "INSERT INTO notes (customer_id, written, kind, text, session) VALUES (?, ?, ?, ?, ?)", row
            ).lastrowid
        return _note((made, *row))

    def of(
        self, customer_id: str, kinds: Iterable[NoteKind] | None = None, limit: int | None = None
    ) -> list[Note]:
        """Return a customer's notes, the newest first: all kinds unless `kinds` names some, at most
        `limit`. [] where there are none, whether or not there is such a customer."""
        wanted = list(get_args(NoteKind) if kinds is None else kinds)
        rows = self._file.rows(
            f"SELECT {_COLUMNS} FROM notes WHERE customer_id = ?"
            f" AND kind IN ({', '.join('?' * len(wanted))}) ORDER BY id DESC LIMIT ?",
            [customer_id, *wanted, -1 if limit is None else limit],
        )
        return [_note(row) for row in rows]

    def count(self, customer_id: str) -> int:
        """Return how many notes a customer has, of all kinds."""
        return next((n for (n,) in self._file.rows(_COUNT, [customer_id])), 0)

    def erase(self, note_id: int) -> bool:
        """Erase one note; return whether there was one of that number."""
        return self._erase("id", note_id) > 0

    def erase_customer(self, customer_id: str) -> int:
        """Erase all notes on a customer; return how many."""
        return self._erase("customer_id", customer_id)

    def erase_session(self, session: str) -> int:
        """Erase all notes that a session left; return how many. Notes without a session stay."""
        return self._erase("session", session) if session else 0

    def _erase(self, column: str, value: int | str) -> int:
        """Delete, and clear every trace of what was deleted, now or by an erasure that was cut short."""
        if not self.path.exists():
            return 0
        with self._file.writing() as con:
            count = con.execute(f"DELETE FROM notes WHERE {column} = ?", [value]).rowcount
        self._file.scrub()
        return count


def clean(text: str) -> str:
    """Return a text on one line, without control, formatting and unpaired surrogate characters."""
    kinds = ((c, unicodedata.category(c)) for c in text)
    kept = (" " if kind in ("Cc", "Zl", "Zp") else c for c, kind in kinds if kind not in ("Cf", "Cs"))
    return " ".join("".join(kept).split())


def checked(text: str) -> str:
    """Return a text as `add` keeps it. Raises NoteRefused where it is empty or too long."""
    return _fits(clean(text))


def _fits(text: str) -> str:
    if not text:
        raise NoteRefused("empty", "the note is empty; say what is to be noted")
    if len(text) > MOST_CHARS:
        raise NoteRefused("long", f"the note has {len(text)} characters; write at most {MOST_CHARS}")
    return text


_COUNT = "SELECT count(*) FROM notes WHERE customer_id = ?"


def _make_room(con: sqlite3.Connection, customer_id: str) -> None:
    """Drop the oldest "offered" of a customer who has as many notes as one may have."""
    ((have,),) = con.execute(_COUNT, [customer_id]).fetchall()
    if have < MOST_NOTES:
        return
    dropped = con.execute(
        "DELETE FROM notes WHERE id = (SELECT min(id) FROM notes WHERE customer_id = ? AND kind = 'offered')",
        [customer_id],
    ).rowcount
    if not dropped:
        raise NoteRefused(
            "full", f"customer {customer_id} has {have} notes, the most there may be; erase some first"
        )


def _note(row: tuple[Any, ...]) -> Note:
    note_id, customer_id, written, kind, text, session = row
    products = tuple(json.loads(text)) if kind == "offered" else ()
    return Note(
        note_id,
        customer_id,
        datetime.fromisoformat(written),
        kind,
        "" if products else text,
        products,
        session,
    )
