"""Behaviour features as of a day: what was known at its close, and nothing later.

Counts are of baskets; ages in days; money in the shop's currency. Time decay is exponential, with
the half-lives in `HALF_LIVES`.
"""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from customers.features.lines import decayed, trips
from customers.schema import EventKind

HALF_LIVES = (14, 60, 180)


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


def category_rhythm(lines: ir.Table, as_of: date) -> ir.Table:
    """One row a customer and category bought by `as_of`: days_since, tenure, baskets, days, spend,
    decayed_spend, baskets_30/_90, decayed_14/_60/_180, usual_gap (mean days between purchase days,
    null below two)."""
    table = trips(lines, "category", as_of)
    found = table.group_by("customer_id", "category").agg(**_rhythm(table))
    return found.mutate(usual_gap=_usual_gap(found))


def customer_rhythm(lines: ir.Table, as_of: date) -> ir.Table:
    """One row a customer with a purchase by `as_of`: as `category_rhythm` over whole baskets, and
    mean_basket (money), mean_categories (distinct categories a basket), weekend and evening share of
    baskets, discount share of the listed price, stores visited, share of baskets in the main store."""
    table = trips(lines, None, as_of)
    rhythm = table.group_by("customer_id").agg(
        **_rhythm(table), mean_basket=table.amount.mean(), mean_categories=table.categories.mean()
    )
    rhythm = rhythm.mutate(usual_gap=_usual_gap(rhythm))
    return rhythm.left_join(_habits(lines, as_of), "customer_id").drop("customer_id_right")


def _usual_gap(table: ir.Table) -> ir.Value:
    many = table.days > 1
    gap = (table.tenure - table.days_since).cast("float64") / (table.days - 1).nullif(0)
    return many.ifelse(gap, ibis.null("float64"))


def _habits(lines: ir.Table, as_of: date) -> ir.Table:
    seen = lines.filter(lines.day <= ibis.literal(as_of))
    baskets = seen.group_by("customer_id", "basket_id").agg(
        ts=seen.ts.min(), store_id=seen.store_id.min(), amount=seen.amount.sum(), discount=seen.discount.sum()
    )
    when = baskets.group_by("customer_id").agg(
        weekend_share=(baskets.ts.day_of_week.index() >= 5).mean(),
        evening_share=(baskets.ts.hour() >= 18).mean(),
        discount_share=(
            baskets.discount.sum() / (baskets.amount.sum() + baskets.discount.sum()).nullif(0)
        ).fill_null(0.0),
    )
    visits = baskets.group_by("customer_id", "store_id").agg(n=baskets.count())
    stores = visits.group_by("customer_id").agg(
        stores=visits.count(), main_store_share=visits.n.max() / visits.n.sum()
    )
    return when.left_join(stores, "customer_id").drop("customer_id_right")


def private_label_share(lines: ir.Table, as_of: date, private_brands: list[str]) -> ir.Table:
    """Per customer, the share of lines of the shop's own brands, where it has any."""
    seen = lines.filter(lines.day <= ibis.literal(as_of))
    return seen.group_by("customer_id").agg(
        private_share=seen.brand.isin(private_brands).fill_null(False).mean()
    )


def contacts(events: ir.Table, as_of: date) -> ir.Table:
    """Per customer: campaigns received and coupons redeemed by `as_of`."""
    seen = events.filter(events.ts.date() <= ibis.literal(as_of))
    sent, used = (seen.kind == kind.value for kind in (EventKind.EXPOSURE, EventKind.REDEMPTION))
    found = seen.filter(sent | used).group_by("customer_id")
    return found.agg(
        campaigns_received=seen.campaign_id.nunique(where=sent), coupons_redeemed=used.sum().cast("int64")
    )


def decayed_counts(lines: ir.Table, by: str, as_of: date, half_life: float) -> ir.Table:
    """One row a customer and key: recency-weighted number of baskets with it (`weight` > 0), plain
    `baskets` and `spend`."""
    table = trips(lines, by, as_of)
    return table.group_by("customer_id", by).agg(
        weight=decayed(table.age, half_life).sum(), baskets=table.count(), spend=table.amount.sum()
    )
