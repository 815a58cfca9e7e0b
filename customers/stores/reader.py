"""Read-only access to a version's DuckDB file from many threads: one connection, a cursor a thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from customers.errors import NotBuilt


class Reader:
    """Answers our own SQL with bound parameters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._base = duckdb.connect(str(path), read_only=True)
        except duckdb.Error as error:
            raise NotBuilt(f"{path} cannot be read; run `shopkeeper build --force` ({error})") from error
        self._local = threading.local()

    def connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's own cursor on the file."""
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._base.cursor()
        return self._local.cursor

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection().execute(sql, list(params)).fetchall()

    def has_table(self, name: str) -> bool:
        """Whether the version holds the table."""
        return bool(self.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [name]))

    def close(self) -> None:
        self._base.close()
