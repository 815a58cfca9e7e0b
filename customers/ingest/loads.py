"""What was brought in before: files that need not be read again, and the report over all loads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import ibis

from customers.errors import BadInput
from customers.ingest.cleaning import DROPPED, EXAMPLES, REPEATED, Finding, Report
from customers.ingest.event_files import Counts
from customers.ingest.mapping import FileMapping, Mapping
from customers.schema import LOADS
from customers.stores.events import EventStore


@dataclass(frozen=True, slots=True)
class Given:
    """A file as it was given: the digest of its bytes, and how it is to be read, as YAML."""

    path: Path
    entry: FileMapping
    source: str
    sha256: str
    bytes: int
    mapping: str


def given(path: Path, entry: FileMapping, mapping: Mapping, source: str | None) -> Given:
    """Look at a file. Raises BadInput where it cannot be read."""
    alone = Mapping((entry,), mapping.currency, mapping.timezone).to_yaml()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error}); check the file and its permissions") from error
    return Given(path, entry, source or path.name, digest, size, alone)


def is_loaded(store: EventStore, file: Given) -> bool:
    """Whether the very same bytes were brought in before, read in the same way."""
    query = "SELECT count(*) FROM loads WHERE sha256 = ? AND mapping = ? AND source = ?"
    found = store.backend.con.execute(query, [file.sha256, file.mapping, file.source]).fetchall()
    return bool(found[0][0])


def remember(store: EventStore, done: Sequence[tuple[Given, Counts]]) -> None:
    """Add a row of `loads` for each file."""
    last = store.table("loads").load_id.max().to_pyarrow().as_py() or 0
    rows = [
        {
            "load_id": last + number, "at": datetime.now().replace(microsecond=0), "source": file.source,
            "path": str(file.path.absolute()), "sha256": file.sha256, "bytes": file.bytes,
            "rows_read": counts.read, "rows_new": counts.new, "rows_repeated": counts.repeated,
            "rows_rejected": counts.rejected, "mapping": file.mapping,
        }
        for number, (file, counts) in enumerate(done, 1)
    ]  # fmt: skip
    store.append("loads", ibis.memtable(rows, schema=LOADS))


def write_quality(store: EventStore, report: Report) -> None:
    """Bring the findings of this run into the report of all loads: one row a source and rule."""
    found = [Finding(*row) for row in _rows(store)]
    merged: dict[tuple[str, str], Finding] = {}
    for finding in [*found, *report.findings]:
        key = finding.source, finding.rule
        before = merged.get(key)
        if before is not None:
            finding = replace(
                finding,
                rows=before.rows + finding.rows,
                examples=_examples(before.examples, finding.examples),
            )
        merged[key] = finding
    store.replace("quality", Report(_balanced(list(merged.values()))).table())


def _rows(store: EventStore) -> list[tuple]:
    columns = ", ".join(Finding.__dataclass_fields__)
    return store.backend.con.execute(f"SELECT {columns} FROM quality").fetchall()


def _balanced(findings: list[Finding]) -> list[Finding]:
    """Rows kept are those read that were neither kept aside nor there already."""
    read = {f.source: f.rows for f in findings if f.rule == "read"}
    gone: dict[str, int] = {}
    for finding in findings:
        if finding.action in (DROPPED, REPEATED):
            gone[finding.source] = gone.get(finding.source, 0) + finding.rows
    balanced = [
        replace(f, rows=read[f.source] - gone.get(f.source, 0))
        if f.rule == "kept" and f.source in read
        else f
        for f in findings
    ]
    return [replace(f, of_rows=read.get(f.source, f.of_rows)) for f in balanced]


def _examples(before: str, after: str) -> str:
    rows = [*json.loads(before or "[]"), *json.loads(after or "[]")]
    return json.dumps(rows[:EXAMPLES], ensure_ascii=False)
