"""The two tables that every behaviour feature is computed from, as Ibis expressions.

`purchase_lines` joins purchases with their products; `trips` is what one customer bought of one
category in one basket. Days are counted as whole days since 1970-01-01, so that an age is a plain
difference on any engine.
"""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from customers.schema import EventKind

EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Whole days since 1970-01-01."""
    return (day - EPOCH).days


def purchase_lines(events: ir.Table, products: ir.Table) -> ir.Table:
    """One row a purchase line: customer, product, its keys, day, day_n, basket, store, money."""
    bought = events.filter(events.kind == EventKind.PURCHASE.value)
    known = products.select("product_id", "name", "department", "category", "type", "brand")
    joined = bought.left_join(known, "product_id").drop("product_id_right")
    day = joined.ts.date()
    basket = joined.basket_id.fill_null(joined.customer_id + "/" + day.cast("string"))
    return joined.select(
        "customer_id", "product_id", "name", "department", "category", "type", "brand", "store_id", "ts",
        day=day,
        day_n=day.epoch_days().cast("int32"),
        basket_id=basket,
        amount=joined.amount.fill_null(0.0),
        discount=joined.discount.fill_null(0.0),
    )  # fmt: skip


def trips(lines: ir.Table, by: str | None, as_of: date) -> ir.Table:
    """Baskets up to and including `as_of`: customer[, by], basket, age in days (>= 0), amount.

    `by` is a key column ("category", "type") or None for whole baskets; lines without the key are
    left out.
    """
    seen = lines.filter(lines.day <= ibis.literal(as_of))
    keys = ["customer_id", "basket_id"]
    if by is not None:
        seen = seen.filter(seen[by].notnull())
        keys.insert(1, by)
    grouped = seen.group_by(keys).agg(
        day_n=seen.day_n.min(), amount=seen.amount.sum(), categories=seen.category.nunique()
    )
    return grouped.mutate(age=day_number(as_of) - grouped.day_n)


def decayed(age: ir.NumericValue, half_life: float) -> ir.NumericValue:
    """Weight 0.5 ** (age / half_life): 1 today, a half after one half-life (days)."""
    return ibis.literal(0.5) ** (age.cast("float64") / half_life)
