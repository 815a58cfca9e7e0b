"""What a load is given, files, folders and connection strings, as files that can be read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from customers.errors import BadInput
from customers.ingest import database, incremental
from customers.ports import Progress


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of one load; `told` is what to say of them, `marks` where to read on next time."""

    paths: tuple[Path, ...]
    told: tuple[str, ...] = ()
    marks: Mapping[str, Mapping[str, str]] | None = None

    def loaded(self, store: Path) -> None:
        """Remember how far a database was read; call it once the store holds what was read."""
        if self.marks:
            incremental.keep_marks(store, self.marks)


@contextmanager
def opened(
    given: Sequence[str],
    store: Path,
    progress: Progress | None = None,
    *,
    tables: Sequence[str] = (),
    since: str | None = None,
    afresh: bool = False,
) -> Iterator[Sources]:
    """Yield the files that `given` names; tables of a database are files while the block lasts.

    `tables` and `since` are those of `database.fetch`; `afresh` reads everything, whatever an earlier
    load has reached. No paths where a database holds nothing new.
    """
    urls = [source for source in given if database.is_connection(source)]
    paths = tuple(Path(source) for source in given if source not in urls)
    if not urls:
        if tables or since:
            raise BadInput("--table and --since go with a connection string such as sqlite:///shop.db")
        yield Sources(paths)
        return
    if len(urls) > 1 or paths:
        raise BadInput("give one connection string by itself; load the others with commands of their own")
    scratch = Path(tempfile.mkdtemp(prefix="shopkeeper-db-"))
    try:
        marks = incremental.read_marks(store) if since and not afresh else {}
        fetched = database.fetch(urls[0], tables, scratch, progress, since=since, marks=marks)
        told = [f"{name}: {rows:,} row{'s' * (rows != 1)}" for name, rows in fetched.rows.items()]
        told += [f"{name}: left out ({why})" for name, why in fetched.left_out.items()]
        yield Sources(fetched.files, tuple(told), fetched.marks)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
