"""Orders that a database keeps in two tables: who and when in one, what and how many in the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from customers.ingest import headers
from customers.ingest.file_mapping import FIELDS_OF
from customers.ingest.guessing import match_columns, order_lines


@dataclass(frozen=True, slots=True)
class Joined:
    """The table of lines, the table of orders that they belong to, and the query of both."""

    lines: str
    orders: str
    query: str


def join_orders(tables: Mapping[str, Sequence[str]], quoted: Callable[[str], str]) -> list[Joined]:
    """Find tables of order lines (table -> columns) and give each line its order's customer and time.

    `quoted` writes a name as the engine's SQL has it. An order is found by the column of the same name
    in both, or by the plain `id` of a table that the lines' column is called after.
    """
    found = []
    for lines, columns in tables.items():
        if not order_lines(columns):
            continue
        key = match_columns(columns, FIELDS_OF["events"])["basket_id"]
        for orders, others in tables.items():
            of_order = _key(orders, others, key) if orders != lines else None
            if of_order is not None:
                query = _query((lines, columns, key), (orders, others, of_order), quoted)
                found.append(Joined(lines, orders, query))
                break
    return found


def _key(table: str, columns: Sequence[str], key: str) -> str | None:
    """The column of a table of orders that the lines' `key` speaks of; None where it is no such table."""
    fields = match_columns(columns, FIELDS_OF["events"])
    if not {"customer_id", "ts"} <= set(fields) or "product_id" in fields:
        return None
    plain = {headers.plain(column): column for column in columns}
    wanted, name = headers.plain(key), headers.plain(table)
    if wanted in plain:
        return plain[wanted]
    called = [name, name.removesuffix("s"), name.removesuffix("表")]
    return plain.get("id") if any(wanted in (word + "id", word + "编号") for word in called) else None


def _query(
    lines: tuple[str, Sequence[str], str],
    orders: tuple[str, Sequence[str], str],
    quoted: Callable[[str], str],
) -> str:
    """Every column of the lines, and those of the order that the lines lack: customer, time, store."""
    table, columns, key = lines
    other, of_order, other_key = orders
    mine = match_columns(columns, FIELDS_OF["events"])
    fields = match_columns(of_order, FIELDS_OF["events"])
    taken = [fields[f] for f in ("customer_id", "ts", "store_id") if f in fields and f not in mine]
    picked = [f"l.{quoted(c)}" for c in columns if c not in taken] + [f"o.{quoted(c)}" for c in taken]
    return (
        f"SELECT {', '.join(picked)} FROM {quoted(table)} l "
        f"JOIN {quoted(other)} o ON l.{quoted(key)} = o.{quoted(other_key)}"
    )
