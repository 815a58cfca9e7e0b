"""Looks: what customers browse, click and put in the cart, by category, as of a day; and what they search for.

Looks that were made up for a shop which has none (`customers.simulate.fill`) are left out: they are derived from
purchases, later ones among them, and so would foretell these as no real look can.
"""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from datetime import date

import ibis.expr.types as ir

from customers.features.lines import decayed, known_by
from customers.schema import EventKind

KINDS = (EventKind.BROWSE, EventKind.CLICK, EventKind.CART)
HALF_LIVES = (7, 30)
RECENT_DAYS = 30
_FILLED = "simulated:"


def looks(events: ir.Table, products: ir.Table) -> ir.Table:
    """One row a look at a product of a known category: customer, category, kind, day_n."""
    seen = events.filter(events.kind.isin([k.value for k in KINDS]) & ~events.event_id.startswith(_FILLED))
    joined = seen.join(products.select("product_id", "category"), "product_id")
    known = joined.filter(joined.category.notnull())
    return known.select("customer_id", "category", "kind", day_n=known.ts.date().epoch_days().cast("int32"))


def look_rhythm(seen: ir.Table, as_of: date) -> ir.Table:
    """One row a customer and category looked at by `as_of`: `{kind}_{half-life}`, counts in which a look loses
    half its weight every so many days, and looks_30, plain looks of all kinds in the last 30 days."""
    table = known_by(seen, as_of)
    counts = {
        f"{kind.value}_{half}": decayed(table.age, half).sum(where=table.kind == kind.value).fill_null(0.0)
        for kind in KINDS
        for half in HALF_LIVES
    }
    recent = (table.age < RECENT_DAYS).sum().cast("int64")
    return table.group_by("customer_id", "category").agg(**counts, looks_30=recent)
