"""The store of a shop's behaviour data: one DuckDB file with the tables of `customers.schema`.

Written once by ingest, read by everything after it. Writing goes to a file beside the target that
takes its place only when it is whole, so a reader never meets half a store.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis

from customers.errors import BadInput, NotBuilt
from customers.schema import TABLES
from customers.stores import space

# An Ibis table and an Ibis column. Ibis gives their attributes (the columns, and the methods that
# depend on a column's type) no static types, so they are opaque to the type checker.
Table = Any
Column = Any

MEMORY = "1GB"


class EventStore:
    """A store being written, or open to be read. `backend` is the Ibis connection behind it."""

    def __init__(self, path: Path, backend: Any) -> None:
        self.path = path
        self.backend = backend

    def table(self, name: str) -> Table:
        """Return a table of `customers.schema.TABLES` as an Ibis expression."""
        return self.backend.table(name)

    def tables(self) -> set[str]:
        """Return the names of the tables that are there."""
        rows = self.backend.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        ).fetchall()
        return {name for (name,) in rows}

    def write(self, name: str, rows: Table) -> None:
        """Fill a table of the schema from an expression; columns are put in order and cast."""
        self.backend.create_table(name, conform(name, rows))

    def write_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Fill a table of the schema from plain rows; none leave it empty."""
        self.write(name, ibis.memtable([dict(row) for row in rows]) if rows else empty(name))

    def append(self, name: str, rows: Table) -> None:
        """Add rows to a table of the schema, making it where it is not there yet."""
        if name in self.tables():
            self.backend.insert(name, conform(name, rows))
        else:
            self.write(name, rows)

    def hold(self, rows: Table) -> Table:
        """Compute an expression once and keep it for this connection only (spilled when large)."""
        return self.backend.create_table(f"held_{uuid.uuid4().hex}", rows, temp=True)

    def release(self, held: Table) -> None:
        """Free what `hold` kept."""
        self.backend.con.execute(f'DROP TABLE temp.main."{held.op().name}"')

    def forget_view(self, name: str) -> None:
        """Drop a view that reading a file made."""
        self.backend.con.execute(f'DROP VIEW IF EXISTS "{name}"')

    def close(self) -> None:
        self.backend.disconnect()


def conform(name: str, rows: Table) -> Table:
    """Select a schema table's columns from `rows`, in order, with the schema's types.

    A column that `rows` lacks is null throughout.
    """
    columns = TABLES[name]
    have = set(rows.columns)
    return rows.select(
        **{
            column: rows[column].cast(kind) if column in have else ibis.null(kind)
            for column, kind in columns.items()
        }
    )


def empty(name: str) -> Table:
    """Return a schema table without rows."""
    return ibis.memtable([], schema=ibis.schema(TABLES[name]))


@contextmanager
def create(path: Path) -> Iterator[EventStore]:
    """Write a new store that appears at `path` only when the block ends well.

    Tables of the schema that the block did not write are made empty. On any error the unfinished
    file is removed and what stood at `path` before is untouched. Raises BadInput where the disk
    does not take the file.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    spill = path.with_name(f"{path.name}.{os.getpid()}.spill")
    store: EventStore | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store = EventStore(partial, _connect(partial, spill))
        yield store
        _finish(store)
        os.replace(partial, path)
    except (duckdb.Error, OSError) as error:
        if not isinstance(
            error, duckdb.IOException | duckdb.OutOfMemoryException | OSError
        ) and not space.is_full(error):
            raise
        raise BadInput(
            f"{path}: the store could not be written ({_first_line(error)}); free disk space or memory, "
            "or choose another directory, and run again"
        ) from error
    finally:
        if store is not None:
            store.close()
        for left in (partial, Path(f"{partial}.wal")):
            left.unlink(missing_ok=True)
        _remove_spill(spill)


def open_store(path: Path) -> EventStore:
    """Open a finished store to read it. Raises NotBuilt where there is none that can be read."""
    if not path.is_file():
        raise NotBuilt(f"{path}: there is no store; run `shopkeeper data SOURCE` first")
    try:
        store = EventStore(path, ibis.duckdb.connect(path, read_only=True))
    except duckdb.Error as error:
        raise NotBuilt(
            f"{path}: not a readable store ({_first_line(error)}); run `shopkeeper data SOURCE` again"
        ) from error
    missing = sorted(set(TABLES) - store.tables())
    if missing:
        store.close()
        raise NotBuilt(f"{path}: lacks {', '.join(missing)}; run `shopkeeper data SOURCE` again")
    return store


def _connect(path: Path, spill: Path) -> Any:
    return ibis.duckdb.connect(
        path,
        memory_limit=MEMORY,
        temp_directory=str(spill),
        preserve_insertion_order=False,
    )


def _finish(store: EventStore) -> None:
    written = store.tables()
    for name in TABLES:
        if name not in written:
            store.backend.create_table(name, schema=ibis.schema(TABLES[name]))
    store.backend.raw_sql("CHECKPOINT")
    store.close()


def _remove_spill(spill: Path) -> None:
    if spill.is_dir():
        for left in spill.iterdir():
            left.unlink(missing_ok=True)
        spill.rmdir()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
