"""Products and purchase lines of the Complete Journey sample: what is kept, and as what."""

from __future__ import annotations

from pathlib import Path

import ibis

from customers.ingest import naming
from customers.ingest.cleaning import (
    DROPPED,
    NOTED,
    REPAIRED,
    Report,
    Rule,
    clean,
    duplicated,
    quantity_rules,
    tag,
    with_quantity_score,
)
from customers.ingest.clock import to_local
from customers.ingest.journey_sources import FILES, FIRST_DAY, LAST_DAY, ZONE, Sources, distinct
from customers.schema import EventKind
from customers.stores.events import Column, EventStore, Table
from customers.values import Name

EXCLUDED_DEPARTMENTS = ("COUPON", "MISCELLANEOUS", "CNTRL/STORE SUP", "PROD-WHS SALES")
EXCLUDED_CATEGORIES = ("COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG", "PROD SUPPLIES")

# What is wrong with a product, shared by product and purchase rows ------------------------------


def _fuel(t: Table) -> Column:
    named = (t.department == "FUEL") | (t.product_category == "FUEL")
    return named.fill_null(False) | t.product_type.contains("GASOLINE").fill_null(False)


def _pseudo(t: Table) -> Column:
    department = t.department.isin(EXCLUDED_DEPARTMENTS).fill_null(False)
    return department | t.product_category.isin(EXCLUDED_CATEGORIES).fill_null(False)


def _gift_card(t: Table) -> Column:
    return t.product_type.contains("GIFT CARD")


EXCLUSIONS = [
    Rule("fuel", DROPPED, "fuel, sold by the unit of a cent or so", "燃油,按极小单位计量", _fuel),
    Rule(
        "pseudo_product",
        DROPPED,
        "coupon, miscellaneous and store-supply entries that are no product",
        "优惠券、杂项及店内用品等并非商品的条目",
        _pseudo,
    ),
    Rule("gift_card", DROPPED, "gift cards: money, not a product", "礼品卡:属于金额而非商品", _gift_card),
]


# Products ---------------------------------------------------------------------------------------

PRODUCT_RULES = [
    Rule("missing_id", DROPPED, "no product id", "缺少商品编号", lambda t: t.product_id.isnull()),
    Rule("duplicate", DROPPED, "product id listed twice", "商品编号重复", lambda t: t.duplicate),
    *EXCLUSIONS,
    Rule("no_category", NOTED, "no category given", "缺少品类", lambda t: t.product_category.isnull()),
    Rule("no_size", NOTED, "no package size given", "缺少包装规格", lambda t: t.package_size.isnull()),
]


def products(store: EventStore, report: Report, source: Table) -> Table:
    """Clean the product table; return its kept rows with a text column `name`, held."""
    rows = duplicated(source, ["product_id"])
    kept = clean(store, report, "products", rows, PRODUCT_RULES, FILES["products"])
    coarse = ibis.coalesce(kept.product_category, kept.department)
    rows = kept.mutate(
        what_kind=ibis.ifelse(kept.product_type.isnull(), "category", "type"),
        what_key=ibis.coalesce(kept.product_type, coarse),
    )
    words = ibis.memtable(_words(rows, load_known()))
    named = rows.left_join(words, ["what_kind", "what_key"])
    sizes = ibis.memtable(_sizes(kept))
    sized = named.left_join(sizes, [named.package_size == sizes.raw_size]).drop("raw_size")
    what = sized.type_name
    size = ibis.ifelse(sized.size_name.notnull(), ibis.literal(", ") + sized.size_name, "")
    brand = ibis.ifelse(sized.brand == "Private", " (private label)", "")
    return store.hold(sized.mutate(name=what + size + brand))


def _words(rows: Table, known: dict[tuple[str, str], Name]) -> list[dict[str, str]]:
    pairs = rows.select("what_kind", "what_key").distinct().order_by("what_kind", "what_key")
    found = [(pair["what_kind"], pair["what_key"]) for pair in pairs.to_pyarrow().to_pylist()]
    return [
        {"what_kind": kind, "what_key": key, "type_name": _english(known, kind, key)} for kind, key in found
    ]


def _english(known: dict[tuple[str, str], Name], kind: str, key: str) -> str:
    name = known.get((kind, key))
    return name.en if name else naming.tidy(key)


def load_known() -> dict[tuple[str, str], Name]:
    """Return the bilingual names that are written down for the sample's keys."""
    return naming.load_names(Path(__file__).with_name("complete_journey_names.csv"))


def _sizes(rows: Table) -> list[dict[str, str]]:
    return [{"raw_size": s, "size_name": naming.tidy_size(s)} for s in distinct(rows, "package_size")]


# Purchases --------------------------------------------------------------------------------------

LINE_KEYS = ("household_id", "basket_id", "product_id", "transaction_timestamp", "quantity", "sales_value")


def _line_rules() -> list[Rule]:
    missing = [
        Rule(
            "missing_customer", DROPPED, "no household id", "缺少家庭编号", lambda t: t.household_id.isnull()
        ),
        Rule("missing_product", DROPPED, "no product id", "缺少商品编号", lambda t: t.product_id.isnull()),
        Rule(
            "missing_time",
            DROPPED,
            "no time of purchase",
            "缺少购买时间",
            lambda t: t.transaction_timestamp.isnull(),
        ),
        Rule(
            "duplicate",
            DROPPED,
            "same household, basket, product, time, quantity and amount as an earlier line",
            "与之前某行的家庭、购物篮、商品、时间、数量和金额完全相同",
            lambda t: t.duplicate,
        ),
        Rule(
            "quantity_zero",
            DROPPED,
            "quantity of zero or less: nothing was bought",
            "数量为零或负数:没有购买任何商品",
            lambda t: t.quantity <= 0,
        ),
        Rule(
            "unknown_product",
            DROPPED,
            "product is not in the product table",
            "商品不在商品表中",
            lambda t: t.listed.isnull(),
        ),
    ]
    period = Rule(
        "outside_period",
        DROPPED,
        "local time outside the year that the data covers",
        "当地时间不在数据所覆盖的年份内",
        lambda t: (t.ts.date() < FIRST_DAY) | (t.ts.date() > LAST_DAY),
    )
    noted = [
        Rule(
            "utc_clock",
            REPAIRED,
            f"time was UTC and is now local ({ZONE}); these lines changed their day",
            f"时间原为UTC,已换算为当地时间({ZONE});这些行的日期因此改变",
            lambda t: t.ts.date() != t.transaction_timestamp.date(),
        ),
        Rule(
            "past_period",
            REPAIRED,
            "time past the data's last day, mended by the move to local time",
            "时间晚于数据的最后一天,换算为当地时间后已修正",
            lambda t: t.transaction_timestamp.date() > LAST_DAY,
        ),
        Rule("negative_amount", NOTED, "amount below zero", "金额为负数", lambda t: t.sales_value < 0),
        Rule("free", NOTED, "amount of zero: given away or paid by coupon", "金额为零:赠送或以券抵付",
             lambda t: t.sales_value == 0),
    ]  # fmt: skip
    return [*missing, *EXCLUSIONS, period, *quantity_rules(), *noted]


def purchases(store: EventStore, report: Report, sources: Sources, product_rows: Table) -> None:
    rules = _line_rules()
    rows = clean(store, report, "transactions", _scored(sources, rules), rules, FILES["transactions"])
    purchase = rows.select(
        event_id=ibis.literal("p") + rows.basket_id.cast("string") + "-" + rows.product_id.cast("string"),
        kind=ibis.literal(EventKind.PURCHASE.value),
        customer_id=rows.household_id,
        ts=rows.ts,
        product_id=rows.product_id,
        quantity=rows.quantity,
        amount=rows.sales_value,
        discount=rows.retail_disc.abs() + rows.coupon_disc.abs() + rows.coupon_match_disc.abs(),
        basket_id=rows.basket_id,
        store_id=rows.store_id,
        source=ibis.literal("complete-journey"),
    )
    store.write("events", purchase.order_by("customer_id", "ts", "event_id"))
    _write_products(store, rows, product_rows)


def _scored(sources: Sources, rules: list[Rule]) -> Table:
    """Join what the rules look at: the product's place in the range, local time, quantity score."""
    lines = duplicated(sources["transactions"], LINE_KEYS)
    place = sources["products"].select(
        listed="product_id",
        department="department",
        product_category="product_category",
        product_type="product_type",
    )
    ts = lines.transaction_timestamp
    lines = lines.mutate(quantity=lines.quantity.cast("float64"), ts=to_local(ts, ZONE, FIRST_DAY, LAST_DAY))
    lines = lines.left_join(place, [lines.product_id == place.listed])
    before_scores = [rule for rule in rules if rule.name not in ("absurd_quantity", "unusual_quantity")]
    tagged = tag(lines, before_scores)
    return with_quantity_score(tagged, "product_category", tagged.rule.isnull()).drop("rule")


def _write_products(store: EventStore, lines: Table, product_rows: Table) -> None:
    """Fill `products`, with the median unit price paid as the price (null where never sold)."""
    paid = lines.group_by("product_id").agg(price=(lines.sales_value / lines.quantity).median())
    priced = product_rows.left_join(paid, "product_id")
    rows = priced.select(
        product_id=priced.product_id,
        name=priced.name,
        department=priced.department,
        category=priced.product_category,
        type=priced.product_type,
        brand=priced.brand,
        manufacturer=priced.manufacturer_id.cast("string"),
        size=priced.package_size,
        price=priced.price.round(4),
    )
    store.write("products", rows)
