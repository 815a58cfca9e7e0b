"""Plain files of events, products and customers brought into the shop's store.

A row is kept, or kept aside with the rule it broke and its own text, or was there already. Bringing
files in again adds what is new: a file whose bytes were loaded before is not read at all, and an
event that is there already is not added twice.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis

from customers.errors import BadInput
from customers.ingest import catalogue_files, event_files, loads, reading, refresh
from customers.ingest.catalogue_files import add_mentioned, load_customers, load_products
from customers.ingest.cleaning import DROPPED, NOTED, Report, add_malformed
from customers.ingest.event_files import Counts, EventFile
from customers.ingest.loads import Given
from customers.ingest.mapping import FileMapping, Mapping
from customers.ingest.raw import Raw, read_file
from customers.ingest.screening import screen
from customers.ingest.values import fields
from customers.ports import Progress
from customers.stores import events
from customers.stores.events import EventStore, Table

_ORDER = {"products": 0, "customers": 1, "events": 2, "names": 3}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a run did: events `new`, `repeated` (there already) and `rejected` (kept aside); files that
    were `unchanged` since an earlier load, and lines on those that could not be read."""

    new: int = 0
    repeated: int = 0
    rejected: int = 0
    unchanged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def ingest(
    paths: Sequence[Path],
    mapping: Mapping,
    out: Path,
    name: str | None = None,
    progress: Progress | None = None,
    *,
    add: bool = True,
    waive: frozenset[str] = frozenset(),
    source: str | None = None,
) -> Loaded:
    """Read the files that `paths` name as `mapping` says into the store `out`.

    With `add`, a store that is there is added to, in one transaction; otherwise a new one takes its
    place. `name` is what a new store's shop is called. `waive` names rules that are not applied; `source` stands for the files' names in the
    store. A file that cannot be read is reported and the others are loaded. Raises BadInput, the
    store unchanged, where no file can be read, a mapped column is not there, no usable event is
    left, or another run writes the store.
    """
    found, unreadable = readable(paths)
    if not found:
        raise BadInput(unreadable[0])
    files = [loads.given(path, mapping.for_file(path), mapping, source) for path in found]
    for file in files:
        _require_columns(file.path, file.entry)
    if not (add and out.exists()) and not any(file.entry.table == "events" for file in files):
        raise BadInput("none of the files holds events; give a file of purchases or other behaviour too")
    scratch = Path(tempfile.mkdtemp(prefix="shopkeeper-"))
    try:
        with (events.update if add else events.create)(out) as store:
            store.make_tables()
            run = _Ingest(store, mapping, scratch, progress, waive)
            return run.run(files, unreadable, name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def readable(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files that can be read, and a line on each that cannot.

    Raises BadInput for a path that is not there or of an unknown kind.
    """
    good, bad = [], []
    for path in reading.expand(paths):
        try:
            reading.sample(path)
            good.append(path)
        except BadInput as error:
            bad.append(str(error))
    return good, bad


def _require_columns(path: Path, entry: FileMapping) -> None:
    have = reading.sample(path).columns
    missing = [c for c in entry.used() if c not in have]
    if missing:
        raise BadInput(
            f"{path}: lacks the column(s) {', '.join(missing)}; it has {', '.join(have)}: mend the mapping"
        )


class _Ingest:
    """One run over a set of files. All are read before the transaction begins, so that one that
    cannot be read costs nothing; then products, customers and events are written."""

    def __init__(
        self,
        store: EventStore,
        mapping: Mapping,
        scratch: Path,
        progress: Progress | None,
        waive: frozenset[str],
    ) -> None:
        self.store, self.mapping, self.scratch = store, mapping, scratch
        self.progress, self.waive = progress, waive
        self.report = Report()
        self.mentioned: list[Table] = []
        self.names: list[tuple[str, Table]] = []

    def run(self, files: list[Given], unreadable: list[str], name: str | None) -> Loaded:
        # Names are read every time: what they name may have come since.
        known = [
            file for file in files
            if not self.waive and file.entry.table != "names" and loads.is_loaded(self.store, file)
        ]  # fmt: skip
        todo = [file for file in files if file not in known]
        read = [(file, found) for file in todo if (found := self._read(file, unreadable)) is not None]
        unchanged = tuple(file.path.name for file in known)
        if not read and not known:
            raise BadInput(unreadable[0])
        if not read:
            return Loaded(unchanged=unchanged, unreadable=tuple(unreadable))
        with self.store.transaction():
            done = [
                (file, self._load(file, found))
                for file, found in sorted(read, key=lambda pair: _ORDER[pair[0].entry.table])
            ]
            self._finish(name, unreadable)
            loads.remember(self.store, done)
        mine = [counts for file, counts in done if file.entry.table == "events"]
        return Loaded(
            sum(counts.new for counts in mine),
            sum(counts.repeated for counts in mine),
            sum(counts.rejected for counts in mine),
            unchanged,
            tuple(unreadable),
        )

    def _stage(self, name: str) -> None:
        if self.progress is not None:
            self.progress.stage(name)

    def _read(self, file: Given, unreadable: list[str]) -> Raw | EventFile | None:
        """Read a file whole; one that cannot be is noted and left out."""
        self._stage(f"Reading {file.path.name}")
        try:
            raw = read_file(self.store, file.path, self.scratch, file.entry.used())
        except BadInput as error:
            unreadable.append(str(error))
            return None
        if file.entry.table != "events":
            return raw
        return event_files.prepare(self.store, file.source, raw, file.entry, self.mapping.timezone)

    def _load(self, file: Given, found: Raw | EventFile) -> Counts:
        self._stage(f"Cleaning {file.path.name}")
        if isinstance(found, EventFile):
            counts, mentioned = event_files.load(self.store, self.report, found, self.waive)
            if mentioned is not None:
                self.mentioned.append(mentioned)
        elif file.entry.table == "names":
            self.names.append((file.source, fields(found.table, file.entry)))
            counts = Counts(found.rows, found.rows)
        else:
            load = load_products if file.entry.table == "products" else load_customers
            counts = load(self.store, self.report, file.source, found, file.entry, self.waive)
        if found.malformed:
            self._add_malformed(file.source, found.malformed, counts)
        return counts

    def _add_malformed(self, source: str, lines: list[str], counts: Counts) -> None:
        again = add_malformed(self.store, self.report, source, lines)
        counts.read += len(lines)
        counts.repeated += again
        counts.rejected += len(lines) - again

    def _finish(self, name: str | None, unreadable: list[str]) -> None:
        self._stage("Names and quality report")
        if not int(self.store.table("events").count().to_pyarrow().as_py()):
            raise BadInput(
                f"no usable event is left after cleaning: {_why(self.report)}; mend the files or the mapping"
            )
        screen(self.store, self.report, self.waive)
        for mentioned in self.mentioned:
            add_mentioned(self.store, mentioned)
        touched = [self.store.table("products").filter(ibis._.price.isnull()).select("product_id")]
        touched += [mentioned.select("product_id") for mentioned in self.mentioned]
        refresh.write_prices(
            self.store, ibis.union(*touched, distinct=True) if len(touched) > 1 else touched[0]
        )
        refresh.write_names(self.store)
        for source, given in self.names:
            catalogue_files.load_names(self.store, self.report, source, given)
        refresh.write_shop(self.store, name, self.mapping.currency)
        for line in unreadable:
            path, _, reason = line.partition(": ")
            self.report.add(Path(path).name, "unreadable_file", reason, f"文件无法读取:{reason}", NOTED, 1, 1)
        loads.write_quality(self.store, self.report)


def _why(report: Report) -> str:
    worst = max((f for f in report.findings if f.action == DROPPED), key=lambda f: f.rows, default=None)
    return f"{worst.source}, {worst.reason_en} ({worst.rows} of {worst.of_rows} rows)" if worst else "no rows"
