"""Campaigns, coupons, demographics and store promotions of the Complete Journey sample."""

from __future__ import annotations

import ibis

from customers.ingest.cleaning import DROPPED, NOTED, Report, Rule, clean, duplicated
from customers.ingest.journey_sources import FILES, FIRST_DAY, LAST_DAY, Sources, Steps
from customers.schema import EventKind
from customers.stores.events import Column, EventStore, Table

# Campaigns, coupons, redemptions ----------------------------------------------------------------


def _unknown(name: str, en: str, zh: str) -> Rule:
    return Rule(f"unknown_{name}", NOTED, en, zh, lambda t: t.listed.isnull())


def campaigns(store: EventStore, report: Report, sources: Sources, products: Table) -> None:
    described = _described(store, report, sources["campaign_descriptions"])
    _exposures(store, report, sources["campaigns"], described)
    _redemptions(store, report, sources["coupon_redemptions"], described)
    _coupons(store, report, sources["coupons"], products)


def _described(store: EventStore, report: Report, source: Table) -> Table:
    rules = [
        Rule("missing_id", DROPPED, "no campaign id", "缺少活动编号", lambda t: t.campaign_id.isnull()),
        Rule("duplicate", DROPPED, "campaign listed twice", "活动重复", lambda t: t.duplicate),
        Rule("missing_start", DROPPED, "no first day", "缺少开始日期", lambda t: t.start_date.isnull()),
        Rule(
            "starts_before_data",
            NOTED,
            "campaign began before the data's first day",
            "活动开始于数据首日之前",
            lambda t: t.start_date.date() < FIRST_DAY,
        ),
        Rule(
            "ends_after_data",
            NOTED,
            "campaign runs past the data's last day",
            "活动结束于数据末日之后",
            lambda t: t.end_date.date() > LAST_DAY,
        ),
    ]
    rows = duplicated(source, ["campaign_id"])
    kept = clean(store, report, "campaign_descriptions", rows, rules, FILES["campaign_descriptions"])
    campaigns = kept.select(
        campaign_id=kept.campaign_id,
        name=ibis.literal("Campaign ") + kept.campaign_id.cast("string"),
        kind=kept.campaign_type,
        start_day=kept.start_date.date(),
        end_day=kept.end_date.date(),
    )
    store.write("campaigns", campaigns.order_by(kept.campaign_id))
    return kept


def _exposures(store: EventStore, report: Report, source: Table, described: Table) -> None:
    rules = [
        Rule(
            "missing_customer", DROPPED, "no household id", "缺少家庭编号", lambda t: t.household_id.isnull()
        ),
        Rule(
            "duplicate",
            DROPPED,
            "same campaign and household twice",
            "同一活动与家庭重复",
            lambda t: t.duplicate,
        ),
        Rule(
            "unknown_campaign",
            DROPPED,
            "campaign without a description, so without a date",
            "活动没有说明,因而没有日期",
            lambda t: t.listed.isnull(),
        ),
    ]
    rows = duplicated(source, ["campaign_id", "household_id"])
    start = described.select(listed="campaign_id", start_date="start_date")
    rows = rows.left_join(start, [rows.campaign_id == start.listed])
    kept = clean(store, report, "campaigns", rows, rules, FILES["campaigns"])
    exposure = kept.select(
        event_id=ibis.literal("x") + kept.campaign_id.cast("string") + "-" + kept.household_id.cast("string"),
        kind=ibis.literal(EventKind.EXPOSURE.value),
        customer_id=kept.household_id,
        ts=kept.start_date,
        campaign_id=kept.campaign_id,
    )
    store.append("events", exposure)


def _redemptions(store: EventStore, report: Report, source: Table, described: Table) -> None:
    columns = FILES["coupon_redemptions"]
    rules = [
        Rule(
            "missing_customer", DROPPED, "no household id", "缺少家庭编号", lambda t: t.household_id.isnull()
        ),
        Rule(
            "missing_time",
            DROPPED,
            "no day of redemption",
            "缺少核销日期",
            lambda t: t.redemption_date.isnull(),
        ),
        Rule("duplicate", DROPPED, "same redemption twice", "核销记录重复", lambda t: t.duplicate),
        _unknown("campaign", "campaign without a description", "活动没有说明"),
    ]
    listed = described.select(listed="campaign_id")
    rows = duplicated(source, columns)
    rows = rows.left_join(listed, [rows.campaign_id == listed.listed])
    kept = clean(store, report, "coupon_redemptions", rows, rules, columns)
    day = kept.redemption_date.strftime("%Y%m%d")
    ids = [
        kept.household_id.cast("string"),
        kept.coupon_upc.cast("string"),
        kept.campaign_id.cast("string"),
        day,
    ]
    dash: Column = ibis.literal("-")
    joined = dash.join(ids)
    redemption = kept.select(
        event_id=ibis.literal("r") + joined,
        kind=ibis.literal(EventKind.REDEMPTION.value),
        customer_id=kept.household_id,
        ts=kept.redemption_date,
        campaign_id=kept.campaign_id,
        text=kept.coupon_upc.cast("string"),
    )
    store.append("events", redemption)


def _coupons(store: EventStore, report: Report, source: Table, products: Table) -> None:
    columns = FILES["coupons"]
    rules = [
        Rule("duplicate", DROPPED, "same coupon, product and campaign twice", "优惠券、商品与活动重复",
             lambda t: t.duplicate),
        _unknown("product", "product is not among the shop's products", "商品不在商品表中"),
    ]  # fmt: skip
    listed = products.select(listed="product_id")
    rows = duplicated(source, columns)
    rows = rows.left_join(listed, [rows.product_id == listed.listed])
    kept = clean(store, report, "coupons", rows, rules, columns)
    store.write("campaign_products", kept.select("campaign_id", "product_id", coupon_id=kept.coupon_upc))


# Attributes and promotions ----------------------------------------------------------------------


def attributes(store: EventStore, report: Report, source: Table) -> None:
    columns = [column for column in FILES["demographics"] if column != "household_id"]
    long = source.pivot_longer(columns, names_to="attribute", values_to="value")
    rules = [
        Rule(
            "missing_customer", DROPPED, "no household id", "缺少家庭编号", lambda t: t.household_id.isnull()
        ),
        Rule(
            "unknown_value",
            DROPPED,
            "attribute not known for this household",
            "该家庭的此项属性未知",
            lambda t: t.value.isnull() | t.value.upper().isin(["NAN", "NONE", "NULL", "", "UNKNOWN"]),
        ),
    ]
    kept = clean(store, report, "demographics", long, rules, ["household_id", "attribute", "value"])
    store.write("attributes", kept.select("attribute", "value", customer_id=kept.household_id))


def promotions(store: EventStore, report: Report, source: Table, steps: Steps) -> None:
    """Count stores by product and week, one stretch of weeks at a time to bound memory."""
    total = int(source.count().to_pyarrow().as_py())
    counted = 0
    weeks = range(1, 54, 6)
    for done, first in enumerate(weeks):
        part = source.filter(source.week.between(first, first + 5))
        shop = part.group_by("product_id", "week", "store_id").agg(
            rows=part.count(),
            display=(part.display_location != "0").cast("int8").max(),
            mailer=(part.mailer_location != "0").cast("int8").max(),
        )
        counts = shop.group_by("product_id", "week").agg(
            stores_display=shop.display.sum(), stores_mailer=shop.mailer.sum(), stores=shop.count()
        )
        held = store.hold(counts)
        counted += int(held.stores.sum().fill_null(0).to_pyarrow().as_py())
        store.append("promotions", held)
        store.release(held)
        steps.done(done + 1, len(weeks))
    report.add_read("promotions", total)
    report.add(
        "promotions",
        "repeated_store",
        "same product, store and week listed again; the store is counted once",
        "同一商品、门店和周重复出现;门店只计一次",
        NOTED,
        total - counted,
        total,
    )
