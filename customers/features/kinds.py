"""Features of every kind of event, as of a day: how often, how lately, how much, and what share.

Three levels with the same columns: the customer as a whole, and the customer with one category or
one brand. An event without the key (a search, say) counts for the whole customer only. Money is in
the shop's currency, ages in days; time decay is that of `features.lines.decayed`. A ratio whose
denominator is zero is null: nothing is known, which is another thing than zero.
"""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from customers.features.behaviour import HALF_LIVES
from customers.features.lines import EPOCH, decayed, known_by
from customers.schema import EventKind

KEYS = ("category", "brand")
RECENT = (30, 90)
RATIOS = (
    "discount_share",
    "return_rate",
    "returned_share",
    "clicks_per_browse",
    "carts_per_browse",
    "purchases_per_browse",
    "purchases_per_cart",
    "redemptions_per_exposure",
    "reviews_per_purchase",
    "inquiries_per_purchase",
    "mean_rating",
)
SHARES = ("share_of_spend", "share_of_trips", "share_of_events")


def activity(events: ir.Table, products: ir.Table) -> ir.Table:
    """One row an event of any kind: customer, kind, category and brand (null where the event names no
    known product), day_n, trip (the basket; without one, the customer's day), amount, discount,
    rating. Money taken back in a return is counted without its sign, however the source writes it."""
    known = products.select("product_id", "category", "brand")
    joined = events.left_join(known, "product_id").drop("product_id_right")
    day = joined.ts.date()
    return joined.select(
        "customer_id", "kind", "category", "brand", "rating",
        day_n=day.epoch_days().cast("int32"),
        trip=joined.basket_id.fill_null(joined.customer_id + "/" + day.cast("string")),
        amount=_money(joined),
        discount=joined.discount.fill_null(0.0),
    )  # fmt: skip


def kind_rhythm(activities: ir.Table, as_of: date, by: str | None = None) -> ir.Table:
    """One row a customer (and key, with `by` "category" or "brand") and kind that was seen by `as_of`:
    events, days, days_since, tenure (days since the first), events_30/_90, decayed_14/_60/_180,
    amount, decayed_amount (half-life 60), usual_gap (mean days between days with one, null below two)."""
    table, keys = _known(activities, as_of, by)
    found = table.group_by(*keys, "kind").agg(
        events=table.count(),
        days=table.age.nunique(),
        days_since=table.age.min(),
        tenure=table.age.max(),
        amount=table.amount.sum(),
        decayed_amount=(table.amount * decayed(table.age, 60)).sum(),
        **{f"events_{days}": (table.age < days).sum().cast("int64") for days in RECENT},
        **{f"decayed_{half}": decayed(table.age, half).sum() for half in HALF_LIVES},
    )
    gap = (found.tenure - found.days_since).cast("float64") / (found.days - 1).nullif(0)
    return found.mutate(usual_gap=gap)


def kind_ratios(activities: ir.Table, as_of: date, by: str | None = None) -> ir.Table:
    """One row a customer (and key) with an event by `as_of`: `RATIOS`, and with `by` also `SHARES` of
    the customer's whole (money and trips of purchases, events of every kind).

    discount_share is of the listed price; return_rate counts events, returned_share money; the rates
    named a_per_b divide the numbers of events."""
    table, keys = _known(activities, as_of, by)
    found = table.group_by(*keys).agg(**_totals(table))
    n = {kind: found[f"n_{kind.value}"] for kind in EventKind}
    made = found.select(
        *keys,
        discount_share=_ratio(found.discount, found.spend + found.discount),
        return_rate=_ratio(n[EventKind.RETURN], n[EventKind.PURCHASE]),
        returned_share=_ratio(found.returned, found.spend),
        clicks_per_browse=_ratio(n[EventKind.CLICK], n[EventKind.BROWSE]),
        carts_per_browse=_ratio(n[EventKind.CART], n[EventKind.BROWSE]),
        purchases_per_browse=_ratio(n[EventKind.PURCHASE], n[EventKind.BROWSE]),
        purchases_per_cart=_ratio(n[EventKind.PURCHASE], n[EventKind.CART]),
        redemptions_per_exposure=_ratio(n[EventKind.REDEMPTION], n[EventKind.EXPOSURE]),
        reviews_per_purchase=_ratio(n[EventKind.REVIEW], n[EventKind.PURCHASE]),
        inquiries_per_purchase=_ratio(n[EventKind.INQUIRY], n[EventKind.PURCHASE]),
        mean_rating=found.mean_rating,
        **({} if by is None else {name: found[name] for name in ("spend", "trips", "events")}),
    )
    return made if by is None else _with_shares(made, known_by(activities, as_of), keys)


def customer_features(activities: ir.Table, as_of: date) -> ir.Table:
    """One row a customer with an event by `as_of`: of each kind `{kind}_events`, `_events_30`,
    `_decayed_60`, `_amount` (0 where none), `_days_since` and `_usual_gap` (null where none), the
    customer's `RATIOS`, main_category and main_brand, and the day `as_of` that all of it was known."""
    rhythm = kind_rhythm(activities, as_of)
    columns = {}
    for kind in EventKind:
        own = rhythm.kind == kind.value
        for name, empty in (("events", 0), ("events_30", 0), ("decayed_60", 0.0), ("amount", 0.0)):
            columns[f"{kind.value}_{name}"] = rhythm[name].max(where=own).fill_null(empty)
        for name in ("days_since", "usual_gap"):
            columns[f"{kind.value}_{name}"] = rhythm[name].max(where=own)
    wide = rhythm.group_by("customer_id").agg(**columns)
    joined = wide.join(kind_ratios(activities, as_of), "customer_id")
    for by in KEYS:
        joined = joined.left_join(main_key(activities, as_of, by), "customer_id").drop("customer_id_right")
    return joined.mutate(as_of=ibis.literal(as_of))


def main_key(activities: ir.Table, as_of: date, by: str) -> ir.Table:
    """One row a customer with a purchase that has the key: `main_{by}`, the category or brand that most
    money went to by `as_of`, the first in text order of several. Money is compared to the cent, so that a
    tie does not hang on the order of adding."""
    table, keys = _known(activities.filter(activities.kind == EventKind.PURCHASE.value), as_of, by)
    spent = table.group_by(*keys).agg(spend=table.amount.sum().round(2))
    first = ibis.window(group_by="customer_id", order_by=[spent.spend.desc(), spent[by]])
    ranked = spent.mutate(place=ibis.row_number().over(first))
    return ranked.filter(ranked.place == 0).select("customer_id", **{f"main_{by}": ranked[by]})


def _known(activities: ir.Table, as_of: date, by: str | None) -> tuple[ir.Table, list[str]]:
    table = known_by(activities, as_of)
    if by is None:
        return table, ["customer_id"]
    return table.filter(table[by].notnull()), ["customer_id", by]


def _money(joined: ir.Table) -> ir.Value:
    amount = joined.amount.fill_null(0.0)
    return ibis.ifelse(joined.kind == EventKind.RETURN.value, amount.abs(), amount)


def _totals(table: ir.Table) -> dict[str, ir.Value]:
    bought = table.kind == EventKind.PURCHASE.value
    numbers = {f"n_{k.value}": (table.kind == k.value).sum().cast("int64") for k in EventKind}
    return {
        "events": table.count(),
        "trips": table.trip.nunique(where=bought),
        "spend": _sum(table.amount, bought),
        "discount": _sum(table.discount, bought),
        "returned": _sum(table.amount, table.kind == EventKind.RETURN.value),
        "mean_rating": table.rating.mean(where=table.kind == EventKind.REVIEW.value),
        **numbers,
    }


def _with_shares(own: ir.Table, table: ir.Table, keys: list[str]) -> ir.Table:
    """`own` with shares of the customer's whole, events without a key included."""
    bought = table.kind == EventKind.PURCHASE.value
    whole = table.group_by("customer_id").agg(
        all_events=table.count(),
        all_trips=table.trip.nunique(where=bought),
        all_spend=_sum(table.amount, bought),
    )
    joined = own.join(whole, "customer_id")
    return joined.select(
        *keys,
        *RATIOS,
        share_of_spend=_ratio(joined.spend, joined.all_spend),
        share_of_trips=_ratio(joined.trips, joined.all_trips),
        share_of_events=_ratio(joined.events, joined.all_events),
    )


def _sum(values: ir.NumericValue, where: ir.BooleanValue) -> ir.NumericValue:
    """A sum that is 0 where there is no such row."""
    return values.sum(where=where).fill_null(0.0)


def _ratio(part: ir.NumericValue, whole: ir.NumericValue) -> ir.NumericValue:
    return part.cast("float64") / whole.cast("float64").nullif(0.0)


def last_day(events: ir.Table) -> date | None:
    """The day of the latest purchase, the day that a build's profiles are of; None without one."""
    found = events.filter(events.kind == EventKind.PURCHASE.value)
    latest = found.aggregate(day_n=found.ts.date().epoch_days().max()).to_pyarrow()["day_n"][0].as_py()
    return None if latest is None else EPOCH + timedelta(days=int(latest))
