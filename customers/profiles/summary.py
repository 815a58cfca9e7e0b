"""Per-customer, per-category and per-month tables that the Shop reads, written at build time."""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from customers.features.lines import day_number, known_by


def customer_summary(baskets: ir.Table, contacts: ir.Table, last_day: date) -> ir.Table:
    """One row a customer: first_day, last_day, recency_days, baskets, spend, mean_basket,
    days_between (median days between two trips' days, null below two), campaigns_received,
    coupons_redeemed."""
    totals = baskets.group_by("customer_id").agg(
        first_n=baskets.day_n.min(),
        last_n=baskets.day_n.max(),
        baskets=baskets.count(),
        spend=baskets.amount.sum(),
    )
    days = baskets.select("customer_id", "day_n").distinct()
    window = ibis.window(group_by="customer_id", order_by="day_n")
    gaps = days.mutate(gap=days.day_n - days.day_n.lag().over(window))
    usual = gaps.group_by("customer_id").agg(days_between=gaps.gap.cast("float64").median())
    joined = totals.left_join(usual, "customer_id").drop("customer_id_right")
    joined = joined.left_join(contacts, "customer_id").drop("customer_id_right")
    last = day_number(last_day)
    start = ibis.literal(last_day)
    return joined.select(
        "customer_id", "baskets", "spend", "days_between",
        first_day=start - (last - joined.first_n).as_interval("D"),
        last_day=start - (last - joined.last_n).as_interval("D"),
        recency_days=last - joined.last_n,
        mean_basket=joined.spend / joined.baskets,
        campaigns_received=joined.campaigns_received.fill_null(0),
        coupons_redeemed=joined.coupons_redeemed.fill_null(0),
    )  # fmt: skip


def customer_months(lines: ir.Table) -> ir.Table:
    """One row a customer and month with purchases: month (its first day), spend."""
    monthly = lines.mutate(month=lines.day.truncate("M"))
    return monthly.group_by("customer_id", "month").agg(spend=monthly.amount.sum())


def category_totals(lines: ir.Table) -> ir.Table:
    """One row a category: customers, baskets, spend, share of all spend (0..1)."""
    known = lines.filter(lines.category.notnull())
    totals = known.group_by("category").agg(
        customers=known.customer_id.nunique(), baskets=known.basket_id.nunique(), spend=known.amount.sum()
    )
    return totals.mutate(share=totals.spend / totals.spend.sum().over(ibis.window()))


def customer_categories(category_trips: ir.Table, totals: ir.Table, last_day: date) -> ir.Table:
    """One row a customer and category bought: spend, baskets, days_since, share of the customer's
    spend in categories, lift of that share over all customers' share."""
    table = known_by(category_trips, last_day)
    own = table.group_by("customer_id", "category").agg(
        spend=table.amount.sum(), baskets=table.count(), days_since=table.age.min()
    )
    whole = own.spend.sum().over(ibis.window(group_by="customer_id"))
    shared = own.mutate(share=(own.spend / whole.nullif(0)).fill_null(0.0))
    joined = shared.join(totals.select("category", all_share="share"), "category")
    return joined.select(
        "customer_id", "category", "spend", "baskets", "days_since", "share",
        lift=(joined.share / joined.all_share.nullif(0)).fill_null(1.0),
    )  # fmt: skip
