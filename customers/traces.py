"""Which rows are a customer's where no column of ours says so: rows as they came, examples of them, pushed events.

Rows kept aside and the report's examples stand as their source wrote them, so the customer is looked for in the
column that the source's mapping names. A line that could not be split is a customer's when it holds the id as a
word: it can be no event, and a line too many is better lost than one left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from customers.errors import BadInput
from customers.ingest.mapping import Mapping as FilesMapping
from customers.ingest.screening import RULE as ROBOT

# Ours (a robot's events, pushed events), and the built-in sample's.
_OWN = ("customer_id", "household_id")
_SAMPLE = "complete-journey"
_WHOLE = re.compile(r"(\d+)\.0")  # as `parsing.identifier` reads it
_AT_ONCE = 10_000


class Traces:
    """Tells which rows are one customer's. `columns`: source -> the column that holds its customers' ids, None for
    a source without; rows of other sources are the customer's where any value is the id, unless `known`."""

    def __init__(self, customer: str, columns: Mapping[str, str | None], known: bool = False) -> None:
        self.customer, self._columns, self._known = customer, columns, known
        self._word = re.compile(rf"(?<!\w){re.escape(customer)}(?!\w)")

    @property
    def text(self) -> str:
        """What every JSON text with the customer's id in it contains."""
        return json.dumps(self.customer, ensure_ascii=False)[1:-1]

    def named_in(self, text: str) -> bool:
        """Whether a text holds the id as a word of its own."""
        return self._word.search(text) is not None

    def row(self, source: str | None, rule: str, row: Any) -> bool:
        """Whether a row kept aside (or an example of one) is the customer's; `row` as JSON holds it."""
        if not isinstance(row, dict):
            return isinstance(row, str) and self.named_in(row)
        column = self._columns.get(source or "")
        if rule == ROBOT or source in self._columns or self._known:
            columns = _OWN if rule == ROBOT or column is None else (column,)
            return any(self._is(row.get(name)) for name in columns)
        return any(self._is(value) for value in row.values())

    def line(self, line: str) -> bool:
        """Whether a line of pushed events is the customer's; a broken line is where it holds the id."""
        try:
            event = json.loads(line)
        except ValueError:
            return self.named_in(line)
        return isinstance(event, dict) and self._is(event.get("customer_id"))

    def _is(self, value: Any) -> bool:
        told = "" if value is None else str(value).strip()
        whole = _WHOLE.fullmatch(told)
        return (whole[1] if whole else told) == self.customer


def traces_in(con: duckdb.DuckDBPyConnection, database: str, customer: str) -> Traces:
    """What tells a customer's rows in an attached store, by how its loads read their sources."""
    tables = {
        name for (name,) in _ask(con, "duckdb_tables() WHERE database_name = ?", "table_name", database)
    }
    columns: dict[str, str | None] = {}
    if "loads" in tables:
        for source, text in _ask(con, f"{database}.loads WHERE mapping IS NOT NULL", "source, mapping"):
            columns |= _columns_of(source, text)
    sample = "shop" in tables and bool(_ask(con, f"{database}.shop WHERE source = ?", "1", _SAMPLE))
    return Traces(customer, columns, known=sample)


def _ask(con: duckdb.DuckDBPyConnection, of: str, what: str, *values: str) -> list[tuple]:
    return con.execute(f"SELECT {what} FROM {of}", list(values)).fetchall()


def _columns_of(source: str, mapping: str) -> dict[str, str | None]:
    try:
        files = FilesMapping.from_yaml(mapping, source).files
    except BadInput:  # another version's
        return {}
    entry = next((file for file in files if file.path == source), files[0] if len(files) == 1 else None)
    return {} if entry is None else {source: entry.columns.get("customer_id")}


def rows_aside(con: duckdb.DuckDBPyConnection, database: str, table: str, traces: Traces) -> Iterator[tuple]:
    """Yield (source, rule, row) of the customer's rows in `rejected` or `waived`, each once."""
    found = con.execute(
        f'SELECT DISTINCT source, rule, row FROM {database}."{table}" WHERE contains(row, ?)', [traces.text]
    )
    while rows := found.fetchmany(_AT_ONCE):
        for source, rule, text in rows:
            # What was put back of a robot is its id alone.
            if (
                text == traces.customer
                if table == "waived" and rule == ROBOT
                else _of(traces, source, rule, text)
            ):
                yield source, rule, text


def _of(traces: Traces, source: str | None, rule: str, text: str) -> bool:
    try:
        return traces.row(source, rule, json.loads(text))
    except ValueError:
        return traces.named_in(text)


def examples(
    con: duckdb.DuckDBPyConnection, database: str, traces: Traces
) -> list[tuple[str, str, str, int]]:
    """Return (source, rule, the examples without the customer's as JSON, how many went) of the quality report."""
    found = []
    told = con.execute(
        f"SELECT source, rule, examples FROM {database}.quality WHERE contains(examples, ?)", [traces.text]
    ).fetchall()
    for source, rule, text in told:
        rows = json.loads(text)
        kept = [row for row in rows if not traces.row(source, rule, row)]
        if len(kept) < len(rows):
            found.append((source, rule, json.dumps(kept, ensure_ascii=False), len(rows) - len(kept)))
    return found
