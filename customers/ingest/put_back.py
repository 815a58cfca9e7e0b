"""Rows that cleaning kept aside go back among the events, when a person says that they are right.

The rows' own text is read again with the mapping of their load, without the rule; a row that breaks
another rule is kept aside under that one. All of it is one transaction, and the store remembers that
the rule does not hold for these rows, so that the same file does not bring them aside again.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import ibis

from customers.errors import BadInput
from customers.ingest import event_files, loads, refresh
from customers.ingest.catalogue_files import add_mentioned
from customers.ingest.cleaning import Report
from customers.ingest.event_files import EventFile
from customers.ingest.kept_aside import nothing
from customers.ingest.load_mappings import remembered
from customers.ingest.mapping import FileMapping, Mapping
from customers.ingest.raw import read_file
from customers.ingest.screening import RULE as ROBOT
from customers.schema import EVENTS
from customers.stores import events
from customers.stores.events import EventStore, open_store

# Rules whose rows are no events, whatever a person says; rule -> what mends them.
CANNOT = {
    "missing_customer": "an event needs a customer",
    "missing_time": "an event needs a time",
    "unreadable_time": "an event needs a time",
    "unknown_kind": "name the kind under `kinds` in the mapping",
    "missing_product": "this kind of event needs a product",
    "unreadable_number": "a quantity or an amount has to be a number",
    "malformed_line": "a row needs the header's columns",
    "missing_id": "a product needs an id",
    "unknown_value": "an attribute needs a value",
}
_OWN_ID = "put_back_id"


@dataclass(frozen=True, slots=True)
class PutBack:
    """What became of `rows` that were taken out of those kept aside: `restored` to the events,
    `again` kept aside under another rule, `repeated` because the same event is there already."""

    rows: int
    restored: int
    again: int
    repeated: int


def put_back(store: Path, rule: str, source: str | None = None, customer: str | None = None) -> PutBack:
    """Put the rows kept aside under `rule` back, of one source or of all, of one robot or of all.

    Raises BadInput where there are none, or their rule or source does not let them be put back; the
    store is then unchanged.
    """
    if rule in CANNOT:
        raise BadInput(
            f"rows under {rule} cannot be put back: {CANNOT[rule]}; mend the source and load it again"
        )
    if customer is not None and rule != ROBOT:
        raise BadInput("a customer is named only to put back what was taken for a robot's: --put-back robot")
    _check(store, rule, source)
    with events.update(store) as opened:
        if rule == ROBOT:
            return _robots(opened, source, customer)
        return _rows(opened, rule, source)


def _check(store: Path, rule: str, source: str | None) -> None:
    """Refuse before anything is opened to be written."""
    opened = open_store(store)
    try:
        found = _sources(opened, rule, source)
        if not found:
            raise BadInput(nothing(opened, rule, source))
        if rule == ROBOT:
            return
        mappings = remembered(opened)
        shop = opened.backend.con.execute("SELECT source FROM shop").fetchall()
        for name in found:
            if name not in mappings:
                sample = shop and shop[0][0] == "complete-journey"
                why = (
                    "the built-in sample's rules are fixed"
                    if sample
                    else "the store does not say how it was read"
                )
                others = [one for one in found if one in mappings]
                mend = (
                    f"put back others with --source {others[0]}"
                    if others
                    else "bring them in as a file of your own"
                )
                raise BadInput(f"rows of {name} cannot be put back: {why}; {mend}")
            if mappings[name][1].table != "events":
                raise BadInput(
                    f"rows of {name} cannot be put back: it lists {mappings[name][1].table}, each once; "
                    "mend the file and load it again"
                )
    finally:
        opened.close()


def _sources(store: EventStore, rule: str, source: str | None) -> list[str]:
    query = (
        "SELECT DISTINCT source FROM rejected WHERE rule = $rule AND ($source IS NULL OR source = $source)"
    )
    found = store.backend.con.execute(f"{query} ORDER BY 1", {"rule": rule, "source": source}).fetchall()
    return [name for (name,) in found]


# Rows of files ------------------------------------------------------------------------------


def _rows(store: EventStore, rule: str, source: str | None) -> PutBack:
    scratch = Path(tempfile.mkdtemp(prefix="shopkeeper-"))
    try:
        mappings = remembered(store)
        names = _sources(store, rule, source)
        read = [_read(store, scratch, name, rule, *mappings[name]) for name in names]
        with store.transaction():
            done = [_load(store, file, rule) for file in read]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return PutBack(
        sum(one.rows for one in done),
        sum(one.restored for one in done),
        sum(one.again for one in done),
        sum(one.repeated for one in done),
    )


def _read(
    store: EventStore, scratch: Path, source: str, rule: str, mapping: Mapping, entry: FileMapping
) -> EventFile:
    """Write the rows' own texts as a file and read it as their load was read."""
    path = scratch / f"{len(list(scratch.iterdir()))}.parquet"
    columns = list(dict.fromkeys(entry.used()))
    own = entry.columns.get("event_id")
    texts = [
        f"{_text(column)} AS {_name(column)}" for column in columns if column != own or rule != "duplicate"
    ]
    if rule == "duplicate":
        # A row that was right to stand there twice is an event of its own, with an id of its own.
        base = f"coalesce({_text(own)}, md5(row))" if own else "md5(row)"
        number = f"row_number() OVER (PARTITION BY {base} ORDER BY row) + 1"
        texts.append(f"{base} || '#' || {number} AS {_name(own or _OWN_ID)}")
        entry = replace(entry, columns={**entry.columns, "event_id": own or _OWN_ID})
    store.backend.con.execute(
        f"COPY (SELECT {', '.join(texts)} FROM rejected WHERE source = $source AND rule = $rule) "
        f"TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)",
        {"source": source, "rule": rule},
    )
    raw = read_file(store, path, scratch, entry.used())
    return event_files.prepare(store, source, raw, entry, mapping.timezone)


def _text(column: str) -> str:
    pointer = column.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return f"json_extract_string(row, '/{pointer}')"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _load(store: EventStore, file: EventFile, rule: str) -> PutBack:
    con, where = store.backend.con, {"source": file.source, "rule": rule}
    of = "FROM rejected WHERE source = $source AND rule = $rule"
    con.execute(f"INSERT INTO waived SELECT DISTINCT rule, source, row {of}", where)
    con.execute(f"DELETE {of}", where)
    _uncount(store, file.source, rule, file.count)
    report = Report()
    counts, mentioned = event_files.load(store, report, file, frozenset({rule}))
    if mentioned is not None:
        add_mentioned(store, mentioned)
        refresh.write_prices(store, mentioned.select("product_id"))
        refresh.write_names(store)
    _refresh(store, report)
    return PutBack(file.count, counts.new, counts.rejected, counts.repeated)


def _uncount(store: EventStore, source: str, rule: str, rows: int) -> None:
    """Take rows out of the report's count of a rule."""
    con = store.backend.con
    where = {"source": source, "rule": rule, "rows": rows}
    con.execute("UPDATE quality SET rows = rows - $rows WHERE source = $source AND rule = $rule", where)
    con.execute("DELETE FROM quality WHERE rows <= 0 AND source = $source AND rule = $rule",
                {"source": source, "rule": rule})  # fmt: skip


def _refresh(store: EventStore, report: Report) -> None:
    """Bring shop and report up to date; the rows were counted as read when their file was."""
    refresh.write_shop(store, None, "$")
    report.findings = [finding for finding in report.findings if finding.rule not in ("read", "kept")]
    loads.write_quality(store, report)


# Robots -------------------------------------------------------------------------------------


def _robots(store: EventStore, source: str | None, customer: str | None) -> PutBack:
    """Put back what was taken for a robot's: whole events, which no other rule had kept aside."""
    con = store.backend.con
    typed = ibis.schema(EVENTS)
    casts = ", ".join(
        f"CAST({_text(name)} AS {'TIMESTAMP' if kind.is_timestamp() else 'DOUBLE' if kind.is_floating() else 'VARCHAR'})"
        f" AS {name}"
        for name, kind in typed.items()
    )
    where = {"rule": ROBOT, "source": source, "customer": customer}
    of = (
        "FROM rejected WHERE rule = $rule AND ($source IS NULL OR source = $source) AND "
        f"($customer IS NULL OR {_text('customer_id')} = $customer)"
    )
    with store.transaction():
        counts = con.execute(f"SELECT source, count(*) {of} GROUP BY 1", where).fetchall()
        if not counts:
            raise BadInput(
                f"customer {customer!r} was not taken for a robot; `shopkeeper rejected --rule robot`"
            )
        before = store.table("events").count().to_pyarrow().as_py()
        con.execute(
            f"INSERT INTO events BY NAME SELECT {casts} {of} AND {_text('event_id')} NOT IN "
            "(SELECT event_id FROM events WHERE event_id IS NOT NULL)",
            where,
        )
        con.execute(f"INSERT INTO waived SELECT DISTINCT rule, source, {_text('customer_id')} {of}", where)
        con.execute(f"DELETE {of}", where)
        for name, rows in counts:
            _uncount(store, name, ROBOT, rows)
        _refresh(store, Report())
        restored = store.table("events").count().to_pyarrow().as_py() - before
    rows = sum(many for _, many in counts)
    return PutBack(rows, restored, 0, rows - restored)
