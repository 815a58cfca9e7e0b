"""What the stages of a build share: the version's database and the tables held in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from customers.errors import BadInput
from customers.features.lines import baskets, own_brand_keys, purchase_lines, trips
from customers.features.looks import looks
from customers.ports import TextEncoder
from customers.profiles.training import Behaviour
from customers.values import Name

MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Workspace:
    """`con` and `backend` are the same DuckDB connection, for SQL and for Ibis."""

    out: Path
    encoder: TextEncoder
    backend: Any
    con: duckdb.DuckDBPyConnection

    @classmethod
    def open(cls, out: Path, encoder: TextEncoder) -> Workspace:
        """Open the version's database for writing."""
        backend = ibis.duckdb.connect(
            out / "shop.duckdb", memory_limit=MEMORY, temp_directory=str(out / "spill")
        )
        return cls(out, encoder, backend, backend.con)

    def close(self) -> None:
        self.backend.disconnect()

    def table(self, name: str) -> ir.Table:
        """A table of the version's database."""
        return self.backend.table(name)

    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """Write a table that readers will find."""
        return self.backend.create_table(name, rows)

    def keep_rows(self, name: str, schema: pa.Schema, columns: Mapping[str, Any]) -> None:
        """Write a table of computed columns that readers will find."""
        rows = pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema})
        self.con.register("computed_rows", rows)
        self.con.execute(f"CREATE TABLE {name} AS SELECT * FROM computed_rows")
        self.con.unregister("computed_rows")

    def hold(self, name: str, rows: ir.Table) -> ir.Table:
        """Compute an expression once, for this build only."""
        return self.backend.create_table(name, rows, temp=True)

    def names(self, kind: str) -> dict[str, Name]:
        """Key -> name of a kind."""
        rows = self.con.execute("SELECT key, name_en, name_zh FROM names WHERE kind = ?", [kind]).fetchall()
        return {key: Name(en or key, zh or en or key) for key, en, zh in rows}


@dataclass(frozen=True, slots=True)
class Behaviours(Behaviour):
    """The behaviour tables of a build: see `features.lines`."""

    lines: ir.Table = field(kw_only=True)
    items: ir.Table = field(kw_only=True)


def behaviours(work: Workspace) -> Behaviours:
    """Compute the behaviour tables. Raises BadInput where the store has no purchase."""
    lines = work.hold("held_lines", purchase_lines(work.table("events"), work.table("products")))
    first, last = work.con.execute("SELECT min(day), max(day) FROM held_lines").fetchall()[0]
    if last is None:
        raise BadInput("the shop's data holds no purchase; bring in purchase events with `shopkeeper data`")
    return Behaviours(
        baskets=work.hold("held_baskets", baskets(lines, own_brand_keys(work.table("names")))),
        categories=work.hold("held_categories", trips(lines, "category")),
        first_day=_day(first),
        last_day=_day(last),
        lines=lines,
        items=work.hold("held_items", trips(lines, "item")),
        looks=_looks(work),
    )


def _looks(work: Workspace) -> ir.Table | None:
    held = work.hold("held_looks", looks(work.table("events"), work.table("products")))
    (seen,) = work.con.execute("SELECT count(*) FROM held_looks").fetchall()[0]
    return held if seen else None


def _day(value: Any) -> date:
    return value if type(value) is date else value.date()
