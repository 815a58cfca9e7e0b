"""Long-term notes on customers: one small SQLite file in the shop's folder, apart from the builds.

    shop/notes.sqlite     made by the first note, readable by its owner only

Each call opens the file, does one transaction and closes it again, so that threads and processes share
nothing, and a writer killed at any moment leaves what was committed before it. Nothing is written where
there is nothing to keep: reading makes no file.

What is erased must not be found in the file afterwards. SQLite's secure_delete alone does not warrant
that: a page that was split keeps stale copies of rows that moved elsewhere, and the write-ahead log keeps
the pages as they were. An erasure therefore ends by rewriting the file (VACUUM) and emptying the log.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from customers.errors import BadInput
from customers.values import Note, NoteKind

NOTES_FILE = "notes.sqlite"
MOST_CHARS, MOST_NOTES = 500, 200
_WAIT_S = 30.0
_VERSION = 1
_SCHEMA = (
    # AUTOINCREMENT: the number of an erased note is never given to another one.
    "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id TEXT NOT NULL, written TEXT NOT NULL,"
    " kind TEXT NOT NULL, text TEXT NOT NULL, session TEXT NOT NULL)",
    "CREATE INDEX notes_of ON notes (customer_id, id)",
    f"PRAGMA user_version = {_VERSION}",
)
_COLUMNS = "id, customer_id, written, kind, text, session"
_SHUT = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

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
        with self._writing() as con, _transaction(con):
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
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM notes WHERE customer_id = ?"
            f" AND kind IN ({', '.join('?' * len(wanted))}) ORDER BY id DESC LIMIT ?",
            [customer_id, *wanted, -1 if limit is None else limit],
        )
        return [_note(row) for row in rows]

    def count(self, customer_id: str) -> int:
        """Return how many notes a customer has, of all kinds."""
        return next((n for (n,) in self._rows(_COUNT, [customer_id])), 0)

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
        with self._writing() as con:
            with _transaction(con):
                count = con.execute(f"DELETE FROM notes WHERE {column} = ?", [value]).rowcount
            _patiently(lambda: con.execute("VACUUM"))
            _patiently(lambda: _empty_log(con))
        return count

    # opening -------------------------------------------------------------------------------
    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            # SQLite gives its log and its index the mode that the file has.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise self._read_only(error) from error
        with self._translated(), closing(self._connect("mode=rw")) as con:
            con.execute("PRAGMA secure_delete = ON")
            con.execute("PRAGMA temp_store = MEMORY")
            con.execute("PRAGMA synchronous = FULL")
            _patiently(lambda: con.execute("PRAGMA journal_mode = WAL"))
            with _transaction(con):
                if self._version(con) == 0:
                    for statement in _SCHEMA:
                        con.execute(statement)
            yield con

    def _rows(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._translated():
            try:
                return self._read("mode=rw", sql, params)
            except sqlite3.OperationalError as error:
                if _code(error) not in _SHUT:
                    raise
            # A folder where the log cannot be made: nothing can be written there, so the file stands still.
            return self._read("mode=ro&immutable=1", sql, params)

    def _read(self, mode: str, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with closing(self._connect(mode)) as con:
            return con.execute(sql, params).fetchall() if self._version(con) else []

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        return sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)

    def _version(self, con: sqlite3.Connection) -> int:
        ((version,),) = con.execute("PRAGMA user_version").fetchall()
        if version not in (0, _VERSION):
            raise NoteRefused(
                "unreadable",
                f"{self.path} was written by a newer Shopkeeper (version {version} of the file); update Shopkeeper",
            )
        return version

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours; what is our own bug stays what it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = _code(error)
            if code in _SHUT:
                raise self._read_only(error) from error
            if code in _TAKEN:
                raise NoteRefused(
                    "busy", f"{self.path} is in use by another program; try again when it is done"
                ) from error
            if code == sqlite3.SQLITE_FULL:
                raise NoteRefused("read_only", f"{self.path}: the disk is full; free some space") from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise NoteRefused(
                    "unreadable",
                    f"{self.path} is damaged ({error}); put a backup in its place or move it away",
                ) from error
            raise

    def _read_only(self, error: Exception) -> NoteRefused:
        return NoteRefused(
            "read_only",
            f"{self.path} cannot be opened as needed ({error}); give this user the right to write in its folder",
        )


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


@contextmanager
def _transaction(con: sqlite3.Connection) -> Iterator[None]:
    con.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if con.in_transaction:  # some errors have SQLite roll back by itself
            con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def _empty_log(con: sqlite3.Connection) -> None:
    ((busy, *_),) = con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if busy:
        error = sqlite3.OperationalError("the log is in use")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


def _patiently(run: Callable[[], object]) -> None:
    """Run what SQLite may refuse at once, without the wait that it grants other statements."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            run()
            return
        except sqlite3.OperationalError as error:
            if _code(error) not in _TAKEN or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code (the low byte of an extended one)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
