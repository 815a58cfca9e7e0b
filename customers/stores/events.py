"""The store of a shop's behaviour data: one DuckDB file with the tables of `customers.schema`.

Written by ingest, read by everything after it. A new store is a file beside the target that takes
its place only when it is whole; adding to a store is one DuckDB transaction. Either way a process
killed at any moment leaves the store as it was before or as it is after. Writers, and a build that
copies the store, exclude each other with a lock on `STORE.lock`, which the system frees when the
process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from customers.errors import BadInput, NotBuilt
from customers.schema import TABLES
from customers.stores import space

# An Ibis table and an Ibis column. Ibis gives their attributes (the columns, and the methods that
# depend on a column's type) no static types, so they are opaque to the type checker.
Table = Any
Column = Any

MEMORY = "2GB"
# How a column is packed where DuckDB's own trial of every way costs more than it saves: ids that are
# all different take as little room this way, in a third of the time, and are read as fast.
PACKED = {"event_id": "zstd"}
_CANNOT = (duckdb.IOException, duckdb.OutOfMemoryException)


class EventStore:
    """A store being written, or open to be read. `backend` is the Ibis connection behind it.

    A `fresh` store is a file that nobody sees until it is whole.
    """

    def __init__(self, path: Path, backend: Any, *, fresh: bool = False) -> None:
        self.path = path
        self.backend = backend
        self.fresh = fresh

    def table(self, name: str) -> Table:
        """Return a table of `customers.schema.TABLES` as an Ibis expression."""
        return self.backend.table(name)

    def tables(self) -> set[str]:
        """Return the names of the tables that are there."""
        rows = self.backend.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        ).fetchall()
        return {name for (name,) in rows}

    def make_tables(self) -> None:
        """Make the tables of the schema that are not there yet, empty."""
        have = self.tables()
        for name, columns in TABLES.items():
            if name in have:
                continue
            try:
                self._make(name, columns, PACKED)
            except duckdb.BinderException:  # a store's file of an earlier DuckDB knows no such packing
                self._make(name, columns, {})

    def _make(self, name: str, columns: Mapping[str, str], packed: Mapping[str, str]) -> None:
        told = [
            f'"{column}" {self.column_type(kind)}'
            + (f" USING COMPRESSION {packed[column]}" if column in packed else "")
            for column, kind in columns.items()
        ]
        self.backend.con.execute(f'CREATE TABLE "{name}" ({", ".join(told)})')

    def column_type(self, kind: str) -> str:
        """What DuckDB calls one of the schema's types."""
        return self.backend.compiler.type_mapper.to_string(ibis.dtype(kind))

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

    def view(self, rows: Table) -> Table:
        """Give an expression a name for this connection: its rows are computed anew wherever they are
        asked for, but what is built on it is put into SQL without it."""
        name = f"view_{uuid.uuid4().hex}"
        self.backend.con.execute(f'CREATE TEMP VIEW "{name}" AS {self.backend.compile(rows)}')
        return self.backend.table(name, database=("temp", "main"))

    def hold_query(self, query: str) -> Table:
        """As `hold`, of a query in SQL."""
        name = f"held_{uuid.uuid4().hex}"
        self.backend.con.execute(f'CREATE TEMP TABLE "{name}" AS {query}')
        return self.backend.table(name, database=("temp", "main"))

    def hold_batches(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Table:
        """Keep rows that are made one batch after the other, for this connection only."""
        con = self.backend.con
        con.register("made", pa.RecordBatchReader.from_batches(schema, batches))
        try:
            return self.hold_query("FROM made")
        finally:
            con.unregister("made")

    def batches(self, rows: Table, size: int = 1 << 18) -> pa.RecordBatchReader:
        """Compute an expression batch by batch; nothing else may be asked until the last one came."""
        return self.stream(self.backend.compile(rows), size)

    def stream(self, query: str, size: int = 1 << 18) -> pa.RecordBatchReader:
        """As `batches`, of a query in SQL."""
        return self.backend.con.sql(query).to_arrow_reader(size)

    def release(self, held: Table) -> None:
        """Free what `hold` kept."""
        self.backend.con.execute(f'DROP TABLE temp.main."{held.op().name}"')

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What the block writes is kept whole when it ends well, and not at all otherwise.

        A fresh store needs none: it is thrown away whole. (DuckDB writes rows that were added and
        partly deleted in one transaction a second time, and that costs as much as the whole load.)
        """
        if self.fresh:
            yield
            return
        con = self.backend.con
        con.execute("BEGIN TRANSACTION")
        try:
            yield
            con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")
            raise

    def replace(self, name: str, rows: Table) -> None:
        """Put rows in the place of those of a table that is there."""
        held = self.hold(conform(name, rows))
        self.backend.con.execute(f'DELETE FROM "{name}"')
        self.backend.insert(name, held)
        self.release(held)

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
def lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Held while a store is written, or `shared` while it is copied. Raises BadInput when it is in
    use the other way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            busy = "is being written" if shared else "is in use by another run"
            raise BadInput(f"{path}: the store {busy}; wait until that has ended, and run again") from error
        yield


@contextmanager
def create(path: Path) -> Iterator[EventStore]:
    """Write a new store that appears at `path` only when the block ends well.

    Tables of the schema that the block did not write are made empty. On any error the unfinished
    file is removed and what stood at `path` before is untouched. Raises BadInput where the disk
    does not take the file, or another run writes the store.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    store: EventStore | None = None
    with _told(path), lock(path):
        try:
            _sweep(path)
            store = EventStore(partial, _connect(partial, _spill(path)), fresh=True)
            yield store
            _finish(store)
            Path(f"{path}.wal").unlink(missing_ok=True)
            os.replace(partial, path)
        finally:
            if store is not None:
                store.close()
            _sweep(path)


@contextmanager
def update(path: Path) -> Iterator[EventStore]:
    """Open a store to add to it, made anew where there is none; write inside its `transaction`.

    Raises BadInput where the disk does not take it, another run has it open, or `path` is no store.
    """
    if not path.exists():
        with create(path) as store:
            yield store
        return
    store = None
    with _told(path), lock(path):
        try:
            _sweep(path)
            store = EventStore(path, _connect(path, _spill(path)))
            _upgrade(store)
            yield store
            store.backend.raw_sql("CHECKPOINT")
        finally:
            if store is not None:
                store.close()
            _sweep(path)


def copy(path: Path, target: Path) -> None:
    """Copy a store whole. Raises BadInput while it is being written."""
    with _told(path), lock(path, shared=True):
        if Path(f"{path}.wal").exists():  # a run was killed after its commit
            con = duckdb.connect(str(path))
            con.execute("CHECKPOINT")
            con.close()
        shutil.copyfile(path, target)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line what the disk, or another process, does not let us do."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if "lock" in str(error).lower() and isinstance(error, duckdb.IOException):
            raise BadInput(
                f"{path}: the store is open in another program; close that, and run again"
            ) from error
        if not isinstance(error, (*_CANNOT, OSError)) and not space.is_full(error):
            raise
        raise BadInput(
            f"{path}: the store could not be written ({_first_line(error)}); free disk space or memory, "
            "or choose another directory, and run again"
        ) from error


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
    try:
        return ibis.duckdb.connect(
            path, memory_limit=MEMORY, temp_directory=str(spill), preserve_insertion_order=False
        )
    except duckdb.IOException as error:
        if "valid duckdb" not in str(error).lower():
            raise
        raise BadInput(
            f"{path}: is no store of ours; say --replace to write a new one in its place"
        ) from error


def _upgrade(store: EventStore) -> None:
    """Give a store of an earlier release the tables and columns that came after it."""
    with store.transaction():
        store.make_tables()
        for name, columns in TABLES.items():
            have = set(store.table(name).columns)
            for column, kind in columns.items():
                if column not in have:
                    written = store.column_type(kind)
                    store.backend.con.execute(f'ALTER TABLE "{name}" ADD COLUMN "{column}" {written}')


def _finish(store: EventStore) -> None:
    store.make_tables()
    store.backend.raw_sql("CHECKPOINT")
    store.close()


def _spill(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.spill")


def _sweep(path: Path) -> None:
    """Remove what runs on this store left behind, killed ones too; the lock must be held."""
    for left in path.parent.glob(f"{path.name}.*.partial*"):
        left.unlink(missing_ok=True)
    for left in path.parent.glob(f"{path.name}.*.spill"):
        shutil.rmtree(left, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
