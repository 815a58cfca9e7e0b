"""What a shop keeps of one customer: counted place by place, handed out, and erased.

Erased at once: the store's events, attributes, rows kept aside and examples of them (the file is written anew
without them, so no stale page holds them), pushed events that wait, were brought in lately or failed, notes,
feedback, labelled texts and inquiries. A build holds figures of all its customers together and is replaced, not
edited: `remaining` counts what builds still hold, until the next one has taken their place and `forget_builds`
has removed those before it. Files that the data was loaded from are their owner's to mend.

Each place is erased whole or not at all, and what is erased already is passed over: after a crash, erase again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from customers import traces
from customers.errors import BadInput
from customers.knowledge.base import KnowledgeBase
from customers.knowledge.store import KNOWLEDGE_FILE
from customers.labels.store import LabelStore
from customers.pipeline import STORE
from customers.schema import TABLES
from customers.stores import events, versions
from customers.stores.events import EventStore
from customers.stores.feedback import FEEDBACK_FILE, FeedbackStore
from customers.stores.notes import NOTES_FILE, NoteStore
from customers.traces import Traces

# What ingest kept of rows as they came: no column of ours says whose they are.
_ASIDE = ("rejected", "waived")
_IN_STORE: tuple[str, ...] = ("store", "kept_aside", "report_examples")


def erase(shop: Path, customer: str) -> dict[str, int]:
    """Erase what is kept of a customer outside the builds; return how many records went, by place.

    Raises BadInput, with nothing changed, while the store is written or a build runs: a build that began
    before would bring back what is erased now.
    """
    with versions.build_lock(shop), _inbox_at_rest(shop):
        gone = _forget_in_store(shop / STORE, customer)
        _forget_unfinished(shop)
        gone["inbox"] = sum(_forget_in_batch(path, customer) for path in _batches(shop))
        gone["notes"] = NoteStore(shop / NOTES_FILE).erase_customer(customer)
        gone["feedback"] = FeedbackStore(shop / FEEDBACK_FILE).erase_customer(customer)
        gone["labels"] = LabelStore.of(shop).forget(customer)
        gone["inquiries"] = _forget_inquiries(shop, customer)
        _rewrite_report(shop / STORE, customer)
        return gone


def forget_builds(shop: Path) -> list[str]:
    """Remove every build but the current one, finished or not; return the names of those that went.
    Raises BadInput while a build runs."""
    with versions.build_lock(shop):
        kept = versions.find_current(shop)
        old = [path for path in sorted((shop / "versions").glob("*")) if path != kept]
        for path in old:
            shutil.rmtree(path)
        return [path.name for path in old]


def remaining(shop: Path, customer: str) -> dict[str, int]:
    """Count the records of a customer that are left, by place; places without any are left out."""
    found = _counts_in(shop / STORE, customer) | {
        "inbox": sum(len(_lines_of(path, customer)) for path in _batches(shop)),
        "notes": NoteStore(shop / NOTES_FILE).count(customer),
        "feedback": FeedbackStore(shop / FEEDBACK_FILE).count(customer),
        "labels": len(LabelStore.of(shop).kept_of(customer)),
    }
    for version in sorted((shop / "versions").glob("*")):
        found[f"build {version.name}"] = sum(_counts_in(version / "shop.duckdb", customer).values())
    return {place: count for place, count in found.items() if count}


def raw_records(shop: Path, customer: str) -> dict[str, list[dict[str, Any]]]:
    """Return a customer's own events and attributes as the current build has them, as plain JSON values."""
    version = versions.current(shop)
    with duckdb.connect(str(version / "shop.duckdb"), read_only=True) as con:
        return {
            table: _records(con, f'SELECT * FROM "{table}" WHERE customer_id = ? ORDER BY ALL', customer)
            for table in ("events", "attributes")
        }


def kept_besides(shop: Path, customer: str) -> dict[str, list[dict[str, Any]]]:
    """Return what is kept of a customer outside the builds, as plain JSON values: rows kept aside, pushed events,
    notes, feedback, and texts that were drawn to be labelled with what was said of them."""
    pushed = [line for path in _batches(shop) for _, line in _lines_of(path, customer)]
    return {
        "kept_aside": _kept_aside(shop / STORE, customer),
        "inbox": [_json(line) for line in pushed],
        "notes": [_fields(note) for note in NoteStore(shop / NOTES_FILE).of(customer)],
        "feedback": [_fields(one) for one in FeedbackStore(shop / FEEDBACK_FILE).of(customer)],
        "labels": LabelStore.of(shop).kept_of(customer),
    }


def _fields(one: Any) -> dict[str, Any]:
    return _plain({name: getattr(one, name) for name in one.__dataclass_fields__})


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    said = {name: dict(v) if isinstance(v, Mapping) else v for name, v in row.items()}
    return {name: str(v) if isinstance(v, date) else v for name, v in said.items()}


def _json(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = line
    return event if isinstance(event, dict) else {"line": event}


def _records(con: duckdb.DuckDBPyConnection, sql: str, customer: str) -> list[dict[str, Any]]:
    done = con.execute(sql, [customer])
    names = [column[0] for column in done.description or ()]
    return [_plain(dict(zip(names, row, strict=True))) for row in done.fetchall()]


# the store -------------------------------------------------------------------------------------
def _forget_in_store(path: Path, customer: str) -> dict[str, int]:
    """Write the store anew without a customer, and put it in the old one's place."""
    counts = _counts_in(path, customer)
    if any(counts.values()):
        with events.create(path) as store:
            _write_back_log(path)
            _copy_without(store, path, customer)
    elif any(path.parent.glob(f"{path.name}.*.partial*")):  # a killed run's, of everybody
        with events.update(path):
            pass
    return counts


def _copy_without(store: EventStore, path: Path, customer: str) -> None:
    con = store.backend.con
    store.make_tables()  # before another file's tables of the same names are in sight
    con.execute(f"ATTACH '{_quoted(path)}' AS old (READ_ONLY)")
    theirs = traces.traces_in(con, "old", customer)
    for table in _tables(con, "old"):
        put = f'INSERT INTO "{table}" BY NAME' if table in TABLES else f'CREATE TABLE "{table}" AS'
        if table in _ASIDE:
            _copy_aside(con, put, table, theirs)
            continue
        where = _kept_where(con, "old", table)
        con.execute(f'{put} SELECT * FROM old."{table}" {where}', [customer] if where else [])
    for source, rule, kept, _ in _examples(con, theirs):
        con.execute("UPDATE quality SET examples = ? WHERE source = ? AND rule = ?", [kept, source, rule])
    con.execute("DETACH old")


def _copy_aside(con: duckdb.DuckDBPyConnection, put: str, table: str, theirs: Traces) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE theirs (source VARCHAR, rule VARCHAR, row VARCHAR)")
    if rows := list(traces.rows_aside(con, "old", table, theirs)):
        con.executemany("INSERT INTO theirs VALUES (?, ?, ?)", rows)
    con.execute(
        f'{put} SELECT * FROM old."{table}" r WHERE NOT EXISTS (SELECT 1 FROM theirs t'
        " WHERE t.rule = r.rule AND t.row = r.row AND t.source IS NOT DISTINCT FROM r.source)"
    )


def _counts_in(path: Path, customer: str) -> dict[str, int]:
    """Count a customer's rows in a DuckDB file: in tables that name customers, kept aside, and as examples."""
    found = dict.fromkeys(_IN_STORE, 0)
    if not path.is_file():
        return found
    with _reading(path) as con:
        theirs, tables = traces.traces_in(con, "old", customer), _tables(con, "old")
        for table in tables:
            if table in _ASIDE:
                found["kept_aside"] += sum(1 for _ in traces.rows_aside(con, "old", table, theirs))
            elif where := _kept_where(con, "old", table):
                theirs_in = f'old."{table}" WHERE NOT ({where.removeprefix("WHERE ")})'
                ((count,),) = con.execute(f"SELECT count(*) FROM {theirs_in}", [customer]).fetchall()
                found["store"] += int(count)
        found["report_examples"] = sum(gone for *_, gone in _examples(con, theirs))
    return found


def _examples(con: duckdb.DuckDBPyConnection, theirs: Traces) -> list[tuple[str, str, str, int]]:
    return traces.examples(con, "old", theirs) if "quality" in _tables(con, "old") else []


def _kept_aside(path: Path, customer: str) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with _reading(path) as con:
        theirs = traces.traces_in(con, "old", customer)
        rows = sorted(traces.rows_aside(con, "old", "rejected", theirs), key=str)
    return [{"source": source, "rule": rule, "row": _json(text)} for source, rule, text in rows]


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    rows = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND NOT temporary ORDER BY table_name",
        [database],
    ).fetchall()
    return [name for (name,) in rows]


def _kept_where(con: duckdb.DuckDBPyConnection, database: str, table: str) -> str:
    """Return the condition that a row is of another customer; "" for a table that names none (in a build,
    measure_lines, measure_touches and measure_events number them: their keys stand in measure_keys, and go with the build)."""
    columns = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = ?",
        [database, table],
    ).fetchall()
    return "WHERE customer_id IS DISTINCT FROM ?" if ("customer_id",) in columns else ""


def _write_back_log(path: Path) -> None:
    """Bring what a killed run had committed into the file itself: its log may not outlive the file."""
    if Path(f"{path}.wal").exists():
        with duckdb.connect(str(path)) as con:
            con.execute("CHECKPOINT")


def _rewrite_report(store: Path, customer: str) -> None:
    """Make the quality page anew where it names the customer: it shows rows as examples."""
    from customers.ingest import quality_page  # draws plots, which takes a second to load

    page = store.with_name(quality_page.PAGE)
    if page.is_file() and Traces(customer, {}).named_in(page.read_text(encoding="utf-8")):
        quality_page.write(store)


@contextmanager
def _reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that has a DuckDB file attached as `old`. Raises BadInput while another program writes it."""
    with duckdb.connect() as con:
        try:
            con.execute(f"ATTACH '{_quoted(path)}' AS old (READ_ONLY)")
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            raise BadInput(f"{path}: is being written; wait until that has ended, and run again") from error
        yield con


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


# other places ----------------------------------------------------------------------------------
def _forget_inquiries(shop: Path, customer: str) -> int:
    if not (shop / KNOWLEDGE_FILE).is_file():
        return 0
    known = KnowledgeBase(shop)
    try:
        return known.erase_customer(customer)
    finally:
        known.close()


def _forget_unfinished(shop: Path) -> None:
    """Remove what killed runs left: builds that never ended, and batches that were never accepted."""
    for left in (shop / "versions").glob("*.partial"):
        shutil.rmtree(left)


@contextmanager
def _inbox_at_rest(shop: Path) -> Iterator[None]:
    """Held while nobody brings pushed events into the store: one who had read them would bring them back."""
    folder = shop / "inbox"
    if not folder.is_dir():
        yield
        return
    with (folder / ".applying").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"{folder}: pushed events are being brought in; wait a moment and erase again"
            ) from None
        yield


def _batches(shop: Path) -> list[Path]:
    return sorted((shop / "inbox").rglob("*.jsonl"))


def _lines_of(path: Path, customer: str) -> list[tuple[int, str]]:
    """The numbers and the text of a batch's lines that are the customer's."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []  # applied meanwhile
    theirs = Traces(customer, {})
    return [(n, line) for n, line in enumerate(lines) if theirs.line(line)]


def _forget_in_batch(path: Path, customer: str) -> int:
    """Write a batch anew without a customer; the reason why it failed goes with it where it names the customer."""
    reason = path.with_suffix(".txt")
    if reason.is_file() and Traces(customer, {}).named_in(reason.read_text(encoding="utf-8")):
        reason.unlink()
    gone = {n for n, _ in _lines_of(path, customer)}
    if not gone:
        return 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    draft = path.with_suffix(f".{os.getpid()}.partial")
    draft.write_text("".join(line for n, line in enumerate(lines) if n not in gone), encoding="utf-8")
    _synced(draft)
    os.replace(draft, path)
    return len(gone)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
