"""The tables that every behaviour feature is computed from, as Ibis expressions.

`purchase_lines` joins purchases with their products; `trips` is what one customer bought in one
basket, whole or of one category or type. Days are counted as whole days since 1970-01-01, so that
an age is a plain difference on any engine.
"""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from customers.schema import EventKind

EPOCH = date(1970, 1, 1)
# What the name of a shop's own brand holds, in either language.
_OWN_BRAND = ("private", "own brand", "store brand", "自有")


def day_number(day: date) -> int:
    """Whole days since 1970-01-01."""
    return (day - EPOCH).days


def purchase_lines(events: ir.Table, products: ir.Table) -> ir.Table:
    """One row a purchase line: customer, product, its keys, item, day, day_n, basket, store, money.
    A purchase without a basket id belongs to the customer's basket of that day."""
    bought = events.filter(events.kind == EventKind.PURCHASE.value)
    known = products.select("product_id", "name", "department", "category", "type", "brand")
    joined = bought.left_join(known, "product_id").drop("product_id_right")
    day = joined.ts.date()
    return joined.select(
        "customer_id", "product_id", "name", "department", "category", "type", "brand", "store_id", "ts",
        # The finest kind of good that the source tells: the product itself where it tells none.
        item=ibis.coalesce(joined.type, joined.category, joined.name, joined.product_id),
        day=day,
        day_n=day.epoch_days().cast("int32"),
        basket_id=joined.basket_id.fill_null(joined.customer_id + "/" + day.cast("string")),
        amount=joined.amount.fill_null(0.0),
        discount=joined.discount.fill_null(0.0),
    )  # fmt: skip


def trips(lines: ir.Table, by: str) -> ir.Table:
    """Baskets with a key ("category" or "item"): customer, key, basket, day_n, amount. Lines without
    the key are left out."""
    keyed = lines.filter(lines[by].notnull())
    return keyed.group_by("customer_id", by, "basket_id").agg(
        day_n=keyed.day_n.min(), amount=keyed.amount.sum()
    )


def baskets(lines: ir.Table, private_brands: list[str]) -> ir.Table:
    """Whole baskets: customer, basket, day_n, amount, discount, lines, lines of the shop's own brands
    (`private`), distinct categories, store, hour (0..23), weekday (0 = Monday)."""
    grouped = lines.group_by("customer_id", "basket_id").agg(
        day_n=lines.day_n.min(),
        ts=lines.ts.min(),
        store_id=lines.store_id.min(),
        amount=lines.amount.sum(),
        discount=lines.discount.sum(),
        lines=lines.count(),
        private=lines.brand.isin(private_brands).fill_null(False).sum()
        if private_brands
        else ibis.literal(0),
        categories=lines.category.nunique(),
    )
    return grouped.mutate(hour=grouped.ts.hour(), weekday=grouped.ts.day_of_week.index()).drop("ts")


def own_brand_keys(names: ir.Table) -> list[str]:
    """Brand keys that are the shop's own, told by their name, in text order."""
    rows = names.filter(names.kind == "brand").select("key", "name_en", "name_zh").to_pyarrow().to_pylist()
    called = {row["key"]: f"{row['name_en'] or row['key']} {row['name_zh'] or ''}".lower() for row in rows}
    return sorted(key for key, name in called.items() if any(mark in name for mark in _OWN_BRAND))


def known_by(table: ir.Table, as_of: date) -> ir.Table:
    """Rows up to and including `as_of`, with their `age` in days (>= 0)."""
    today = day_number(as_of)
    return table.filter(table.day_n <= today).mutate(age=today - table.day_n)


def decayed(age: ir.Value, half_life: float) -> ir.NumericValue:
    """Weight 0.5 ** (age / half_life): 1 today, a half after one half-life (days)."""
    return ibis.literal(0.5) ** (age.cast("float64") / half_life)
