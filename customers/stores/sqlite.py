"""A small SQLite file beside a shop's builds: opened for each call, erased without a trace.

Each call opens the file, does its work in one transaction and closes it again, so that threads and
processes share nothing, and a writer killed at any moment leaves what was committed before it. Reading
makes no file. What is erased must not be found in the file afterwards: SQLite's secure_delete leaves stale
copies on split pages and in the write-ahead log, so `scrub` rewrites the file and empties the log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from customers.errors import BadInput

_WAIT_S = 30.0
_SHUT = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

Why = Literal["read_only", "busy", "unreadable"]


class SqliteFile:
    """One file with the tables of `schema`, made by the first write, readable by its owner only.

    schema: the statements that make the tables. version: of the schema, kept in the file; a file of
    another version is refused. All methods raise BadInput where the file cannot be used; `refused` makes
    another error of the reason ("read_only", "busy" or "unreadable") and the message.
    """

    def __init__(
        self,
        path: Path,
        schema: Sequence[str],
        version: int,
        refused: Callable[[Why, str], BadInput] = lambda _, message: BadInput(message),
    ) -> None:
        self.path, self._schema, self._version_wanted, self._refused = path, schema, version, refused

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which is committed when the block ends well."""
        with self._opened() as con, _transaction(con):
            yield con

    def scrub(self) -> None:
        """Rewrite the file, so that nothing that was deleted is left in it."""
        if not self.path.exists():
            return
        with self._opened() as con:
            _patiently(lambda: con.execute("VACUUM"))
            _patiently(lambda: _empty_log(con))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none where there is no file yet."""
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

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            self._make()
        with self._translated(), closing(self._connect("mode=rw")) as con:
            con.execute("PRAGMA secure_delete = ON")
            con.execute("PRAGMA temp_store = MEMORY")
            con.execute("PRAGMA synchronous = FULL")
            _patiently(lambda: con.execute("PRAGMA journal_mode = WAL"))
            with _transaction(con):
                if self._version(con) == 0:
                    for statement in (*self._schema, f"PRAGMA user_version = {self._version_wanted}"):
                        con.execute(statement)
            yield con

    def _make(self) -> None:
        """Make the file empty; SQLite gives its log and its index the mode that the file has.

        A file that exists is not opened here: closing it would drop the locks that the other connections of
        this process hold on it (https://sqlite.org/howtocorrupt.html, 2.2).
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass  # another was quicker
        except OSError as error:
            raise self._read_only(error) from error

    def _read(self, mode: str, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with closing(self._connect(mode)) as con:
            return con.execute(sql, params).fetchall() if self._version(con) else []

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        return sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)

    def _version(self, con: sqlite3.Connection) -> int:
        ((version,),) = con.execute("PRAGMA user_version").fetchall()
        if version not in (0, self._version_wanted):
            raise self._refused(
                "unreadable",
                f"{self.path} was written by another version of Shopkeeper (version {version} of the file);"
                " update Shopkeeper",
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
                raise self._refused(
                    "busy", f"{self.path} is in use by another program; try again when it is done"
                ) from error
            if code == sqlite3.SQLITE_FULL:
                raise self._refused("read_only", f"{self.path}: the disk is full; free some space") from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise self._refused(
                    "unreadable",
                    f"{self.path} is damaged ({error}); put a backup in its place or move it away",
                ) from error
            raise

    def _read_only(self, error: Exception) -> BadInput:
        return self._refused(
            "read_only",
            f"{self.path} cannot be opened as needed ({error}); give this user the right to write in its folder",
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
