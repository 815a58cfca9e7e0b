"""The tables a measure reads, and whether the keys it is given exist in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from customers.errors import Unknown
from customers.measure_tables import Tables


@dataclass(frozen=True, slots=True)
class Store:
    """Where the question is put: the connection and its tables."""

    con: duckdb.DuckDBPyConnection
    tables: Tables

    def __getitem__(self, table: str) -> str:
        return self.tables[table]

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.con.execute(query, list(values)).fetchall()


def ids(store: Store, level: str, keys: Sequence[str]) -> list[int]:
    """Return the numbers that stand for keys of a level in the measure's tables, or raise Unknown."""
    marks = ", ".join("?" for _ in keys)
    query = f"SELECT key, id FROM {store['measure_keys']} WHERE level = ? AND key IN ({marks})"
    rows = store.rows(query, [level, *keys])
    _raise_missing(level, keys, {key for key, _ in rows})
    return [number for _, number in rows]


def known(
    store: Store,
    query: str,
    column: str,
    keys: Sequence[str],
    what: str,
    before: Sequence[str] = (),
    named: str = "",
) -> None:
    """Raise Unknown where `query` (with `before` bound) does not give every one of `keys`."""
    marks = ", ".join("?" for _ in keys)
    rows = store.rows(f"SELECT {column} FROM ({query}) WHERE {column} IN ({marks})", [*before, *keys])
    _raise_missing(what, keys, {key for (key,) in rows}, named)


def known_attribute(store: Store, name: str) -> None:
    """Raise Unknown for an attribute that the shop does not have."""
    names = sorted(row[0] for row in store.rows(f"SELECT DISTINCT attribute FROM {store['attributes']}"))
    if name not in names:
        raise Unknown(
            f"The shop knows no attribute '{name}' of customers; it has {', '.join(names) or 'none'}."
        )


def _raise_missing(what: str, keys: Sequence[str], known: set[str], named: str = "") -> None:
    missing = [key for key in keys if key not in known]
    if missing:
        raise Unknown(f"The shop has no {what} '{named}{missing[0]}'.")
