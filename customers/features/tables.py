"""All feature tables of a shop as of a day, by name: the same expressions on every engine."""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import ibis.expr.types as ir

from customers.features import behaviour, kinds, lines

HALF_LIFE = 120.0
Hold = Callable[[ir.Table], ir.Table]


def kind_tables(activities: ir.Table, as_of: date) -> dict[str, ir.Table]:
    """Rhythm and ratios of every kind of event: of customers, and of customers with each category and
    brand."""
    found = {}
    for by in (None, *kinds.KEYS):
        suffix = "" if by is None else f"_{by}"
        found[f"kind_rhythm{suffix}"] = kinds.kind_rhythm(activities, as_of, by)
        found[f"kind_ratios{suffix}"] = kinds.kind_ratios(activities, as_of, by)
    return found


def feature_tables(
    events: ir.Table,
    products: ir.Table,
    private_brands: list[str],
    as_of: date,
    hold: Hold = lambda rows: rows,
) -> dict[str, ir.Table]:
    """Every feature table; `hold` may compute an expression that several of them start from once."""
    bought = hold(lines.purchase_lines(events, products))
    activities = hold(kinds.activity(events, products))
    trips = {by: lines.trips(bought, by) for by in ("category", "item")}
    baskets = lines.baskets(bought, private_brands)
    return {
        "customer_features": kinds.customer_features(activities, as_of),
        "customer_rhythm": behaviour.customer_rhythm(baskets, as_of),
        "category_rhythm": behaviour.category_rhythm(trips["category"], as_of),
        "item_counts": behaviour.decayed_counts(trips["item"], "item", as_of, HALF_LIFE),
        "contacts": behaviour.contacts(events, as_of),
        **kind_tables(activities, as_of),
    }
