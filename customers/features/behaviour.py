"""Behaviour features as of a day: what was known at its close, and nothing later.

Counts are of baskets; ages in days; money in the shop's currency. Time decay is exponential, with
the half-lives in `HALF_LIVES`.
"""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from customers.features.lines import day_number, decayed, known_by
from customers.schema import EventKind

HALF_LIVES = (14, 60, 180)


def category_rhythm(category_trips: ir.Table, as_of: date) -> ir.Table:
    """One row a customer and category bought by `as_of`: days_since, tenure (days since the first),
    baskets, days, spend, decayed_spend, baskets_30/_90, decayed_14/_60/_180, usual_gap (mean days
    between purchase days, null below two)."""
    table = known_by(category_trips, as_of)
    found = table.group_by("customer_id", "category").agg(**_rhythm(table))
    return found.mutate(usual_gap=_usual_gap(found))


def customer_rhythm(baskets: ir.Table, as_of: date) -> ir.Table:
    """One row a customer with a purchase by `as_of`: as `category_rhythm` over whole baskets, and
    mean_basket (money), mean_categories (a basket), shares (0..1) of baskets at the weekend and from
    18:00, of the listed price taken off, of lines of the shop's own brands, of baskets in the main
    store, and the number of stores."""
    table = known_by(baskets, as_of)
    listed = (table.amount + table.discount).sum().nullif(0)
    found = table.group_by("customer_id").agg(
        **_rhythm(table),
        mean_basket=table.amount.mean(),
        mean_categories=table.categories.mean(),
        weekend_share=(table.weekday >= 5).mean(),
        evening_share=(table.hour >= 18).mean(),
        discount_share=(table.discount.sum() / listed).fill_null(0.0),
        private_share=table.private.sum() / table.lines.sum(),
    )
    found = found.mutate(usual_gap=_usual_gap(found))
    visits = table.group_by("customer_id", "store_id").agg(n=table.count())
    loyalty = visits.group_by("customer_id").agg(
        stores=visits.count(), main_store_share=visits.n.max() / visits.n.sum()
    )
    return found.join(loyalty, "customer_id")


def _rhythm(table: ir.Table) -> dict[str, ir.Value]:
    """Aggregates over baskets with `age` and `amount`: recency, frequency, money, decay."""
    age = table.age
    recent = {f"baskets_{days}": (age < days).sum().cast("int64") for days in (30, 90)}
    decay = {f"decayed_{h}": decayed(age, h).sum() for h in HALF_LIVES}
    return {
        "days_since": age.min(),
        "tenure": age.max(),
        "baskets": table.count(),
        "days": age.nunique(),
        "spend": table.amount.sum(),
        "decayed_spend": (table.amount * decayed(age, 60)).sum(),
        **recent,
        **decay,
    }


def _usual_gap(table: ir.Table) -> ir.Value:
    return (table.tenure - table.days_since).cast("float64") / (table.days - 1).nullif(0)


def contacts(events: ir.Table, as_of: date) -> ir.Table:
    """Per customer: campaigns received and coupons redeemed by `as_of`."""
    seen = events.filter(events.ts.date() <= ibis.literal(as_of))
    reached = seen.filter(seen.kind.isin([EventKind.EXPOSURE.value, EventKind.REDEMPTION.value]))
    return reached.group_by("customer_id").agg(
        campaigns_received=reached.campaign_id.nunique(where=reached.kind == EventKind.EXPOSURE.value),
        coupons_redeemed=(reached.kind == EventKind.REDEMPTION.value).sum().cast("int64"),
    )


def decayed_counts(trips: ir.Table, by: str, as_of: date, half_life: float) -> ir.Table:
    """One row a customer and key: recency-weighted number of baskets with it (`weight` > 0), plain
    `baskets` and `spend`."""
    table = known_by(trips, as_of)
    return table.group_by("customer_id", by).agg(
        weight=decayed(table.age, half_life).sum(), baskets=table.count(), spend=table.amount.sum()
    )


def buyers_after(category_trips: ir.Table, as_of: date, days: int) -> ir.Table:
    """Who bought what in the `days` days after `as_of`: distinct customer and category."""
    start = day_number(as_of)
    bought = category_trips.filter((category_trips.day_n > start) & (category_trips.day_n <= start + days))
    return bought.select("customer_id", "category").distinct()
