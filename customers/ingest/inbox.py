"""Events that are pushed: kept on disk the moment they are accepted, brought into the store after.

    shop/inbox/            a JSONL file a batch, in the order of acceptance
    shop/inbox/done/       batches that are in the store, for a week
    shop/inbox/failed/     batches that no event could be used of, with the reason beside them

A batch is accepted once its file is whole and synced. It leaves the inbox only after the store holds
its events, and an event that the store holds already is known by its event id: a process killed at any
moment loses nothing and doubles nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from customers.errors import BadInput
from customers.ingest import files, remembered
from customers.ingest.file_mapping import FileMapping
from customers.ingest.headers import EVENT_FIELDS
from customers.ingest.mapping import Mapping as FilesMapping
from customers.schema import EventKind

SOURCE = "push"
# Batches that are applied together, and how long those that are done are kept.
APPLY_BYTES, KEEP_SECONDS = 64_000_000, 7 * 86400.0

_MAPPING = FileMapping(
    path=SOURCE,
    table="events",
    columns={field: field for field in EVENT_FIELDS},
    kinds={kind.value: kind.value for kind in EventKind},
)


class Inbox:
    """The inbox of one shop. Several threads may accept; one process at a time applies."""

    def __init__(self, shop: Path, store: Path) -> None:
        self.shop, self.store, self.folder = shop, store, shop / "inbox"
        self._lock, self._last = threading.Lock(), 0

    def accept(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep a batch; it is on disk, whole, when this returns.

        An event is the fields of `headers.EVENT_FIELDS`, each text or null, and `raw`, the JSON text
        of whatever else was sent. Raises BadInput where the disk does not take it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._last = max(self._last + 1, time.time_ns())
                path = self.folder / f"{self._last:020d}-{uuid.uuid4().hex[:8]}.jsonl"
            partial = path.with_suffix(".partial")
            try:
                with partial.open("w", encoding="utf-8") as file:
                    file.writelines(json.dumps(dict(event), ensure_ascii=False) + "\n" for event in events)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
            _sync_folder(self.folder)
        except OSError as error:
            raise BadInput(
                f"{self.folder}: events cannot be kept ({error.strerror}); free disk space"
            ) from error

    def pending(self) -> list[Path]:
        """Return the batches that are not in the store yet, in order."""
        return sorted(self.folder.glob("*.jsonl"))

    def backlog(self) -> int:
        """Return the bytes that wait to be applied."""
        return sum(_size(path) for path in self.pending())

    def apply(self) -> int:
        """Bring what is pending into the store, a bounded part of it; return the batches that left.

        A batch that cannot be used goes to `failed/`. Raises BadInput where the store cannot be
        written now; everything stays as it was. Zero where another process applies.
        """
        with self._applying() as free:
            batches = self._some() if free else []
            if not batches:
                return 0
            self._apply(batches)
            self._forget_old()
            return len(batches)

    def _apply(self, batches: list[Path]) -> None:
        try:
            self._ingest(batches)
        except BadInput as error:
            if _passing(error):
                raise
            if len(batches) == 1:
                self._leave(batches, "failed", str(error))
                return
            for batch in batches:
                self._apply([batch])
            return
        self._leave(batches, "done")

    def _ingest(self, batches: list[Path]) -> None:
        saved = remembered.read(self.store)
        mapping = FilesMapping((_MAPPING,), currency=saved.currency if saved is not None else "$")
        scratch = Path(tempfile.mkdtemp(prefix="shopkeeper-push-"))
        try:
            path = scratch / f"{SOURCE}.parquet"
            pq.write_table(_table(batches), path)
            files.ingest([path], mapping, self.store, self.shop.name, source=SOURCE)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _some(self) -> list[Path]:
        batches, size = [], 0
        for path in self.pending():
            size += _size(path)
            if batches and size > APPLY_BYTES:
                break
            batches.append(path)
        return batches

    def _leave(self, batches: Sequence[Path], where: str, why: str | None = None) -> None:
        folder = self.folder / where
        folder.mkdir(exist_ok=True)
        for batch in batches:
            if why is not None:
                (folder / f"{batch.stem}.txt").write_text(why + "\n", encoding="utf-8")
            os.replace(batch, folder / batch.name)

    def _forget_old(self) -> None:
        oldest = time.time() - KEEP_SECONDS
        for path in (self.folder / "done").glob("*.jsonl"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    @contextmanager
    def _applying(self) -> Iterator[bool]:
        """Whether this process may apply now; another one that does is let be."""
        if not self.folder.is_dir():
            yield False
            return
        with (self.folder / ".applying").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True


def _passing(error: BadInput) -> bool:
    """Whether an error lies in the disk or the store, not in the events: it may pass."""
    return isinstance(error.__cause__, OSError | duckdb.Error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # applied meanwhile


def _table(batches: Sequence[Path]) -> pa.Table:
    """The batches' events as one table of text columns, in order."""
    rows = [json.loads(line) for batch in batches for line in batch.read_text(encoding="utf-8").splitlines()]
    schema = pa.schema([(field, pa.string()) for field in EVENT_FIELDS])
    return pa.Table.from_pylist([{field: row.get(field) for field in EVENT_FIELDS} for row in rows], schema)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
