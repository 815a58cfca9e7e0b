"""The Complete Journey grocery sample (eight parquet files) brought into the shop's schema.

Public sample data: household transactions of one year, demographics, coupons, campaigns,
redemptions and store promotions. What counts as a real purchase follows the protocol that the
published comparisons on this sample use: fuel, coupon and miscellaneous pseudo-products, gift
cards, lines of quantity 0 and lines whose product is not in the product table are kept aside.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir

from customers.errors import BadInput
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
from customers.ports import Progress
from customers.schema import EventKind
from customers.stores import events
from customers.stores.events import EventStore

SHOP_NAME, CURRENCY = "Complete Journey", "$"
ZONE, FIRST_DAY, LAST_DAY = "America/New_York", date(2017, 1, 1), date(2017, 12, 31)

EXCLUDED_DEPARTMENTS = ("COUPON", "MISCELLANEOUS", "CNTRL/STORE SUP", "PROD-WHS SALES")
EXCLUDED_CATEGORIES = ("COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG", "PROD SUPPLIES")

# File -> the columns it must have.
FILES = {
    "transactions": (
        "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc",
        "coupon_disc", "coupon_match_disc", "week", "transaction_timestamp",
    ),
    "products": (
        "product_id", "manufacturer_id", "department", "brand", "product_category", "product_type", "package_size",
    ),
    "demographics": (
        "household_id", "age", "income", "home_ownership", "marital_status", "household_size", "household_comp",
        "kids_count",
    ),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date", "end_date"),
    "coupons": ("coupon_upc", "product_id", "campaign_id"),
    "coupon_redemptions": ("household_id", "coupon_upc", "campaign_id", "redemption_date"),
    "promotions": ("product_id", "store_id", "display_location", "mailer_location", "week"),
}  # fmt: skip

Sources = dict[str, ir.Table]


def ingest(data_dir: Path, out: Path, progress: Progress | None = None) -> None:
    """Read the sample's parquet files in `data_dir` and write the store `out` (a DuckDB file).

    `out` appears only when everything is in it. Raises BadInput where a file is missing, cannot be
    read or lacks a column.
    """
    _require_files(data_dir)
    steps = _Steps(progress)
    with events.create(out) as store:
        sources = _open(store, data_dir)
        report = Report()
        steps.begin("Products")
        products = _products(store, report, sources["products"])
        steps.begin("Purchases")
        _purchases(store, report, sources, products)
        steps.begin("Campaigns and coupons")
        _campaigns(store, report, sources, products)
        steps.begin("Customer attributes")
        _attributes(store, report, sources["demographics"])
        steps.begin("Store promotions")
        _promotions(store, report, sources["promotions"], steps)
        steps.begin("Names and quality report")
        _finish(store, report, products)
        for name in FILES:
            store.forget_view(_view(name))


class _Steps:
    """Forwards progress to whoever listens, if anybody does."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def begin(self, name: str) -> None:
        if self._progress is not None:
            self._progress.stage(name)

    def done(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress.step(done, total)


def _require_files(data_dir: Path) -> None:
    if not data_dir.is_dir():
        raise BadInput(f"{data_dir}: no such directory; give the one that holds the sample's parquet files")
    missing = [f"{name}.parquet" for name in FILES if not (data_dir / f"{name}.parquet").is_file()]
    if missing:
        raise BadInput(f"{data_dir}: lacks {', '.join(missing)}; fetch the sample again")


def _view(name: str) -> str:
    return f"source_{name}"


def _open(store: EventStore, data_dir: Path) -> Sources:
    sources: Sources = {}
    for name, columns in FILES.items():
        path = data_dir / f"{name}.parquet"
        try:
            table = store.backend.read_parquet(path, table_name=_view(name))
        except duckdb.Error as error:
            raise BadInput(f"{path}: not a readable parquet file; fetch the sample again") from error
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise BadInput(f"{path}: lacks the column(s) {', '.join(missing)}; fetch the sample again")
        sources[name] = table.select(*columns)
    return sources


# What is wrong with a product, shared by product and purchase rows ------------------------------


def _fuel(t: ir.Table) -> ir.BooleanValue:
    named = (t.department == "FUEL") | (t.product_category == "FUEL")
    return named.fill_null(False) | t.product_type.contains("GASOLINE").fill_null(False)


def _pseudo(t: ir.Table) -> ir.BooleanValue:
    department = t.department.isin(EXCLUDED_DEPARTMENTS).fill_null(False)
    return department | t.product_category.isin(EXCLUDED_CATEGORIES).fill_null(False)


def _gift_card(t: ir.Table) -> ir.BooleanValue:
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


def _products(store: EventStore, report: Report, source: ir.Table) -> ir.Table:
    """Clean the product table; return its kept rows with a text column `name`, held."""
    rows = duplicated(source, ["product_id"])
    kept = clean(store, report, "products", rows, PRODUCT_RULES, FILES["products"])
    known = naming.load_names(Path(__file__).with_name("complete_journey_names.csv"))
    words = ibis.memtable(_words(kept, known))
    named = kept.left_join(words, [kept.product_type == words.raw_type]).drop("raw_type")
    sizes = ibis.memtable(_sizes(kept))
    sized = named.left_join(sizes, [named.package_size == sizes.raw_size]).drop("raw_size")
    what = ibis.coalesce(sized.type_name, sized.product_category, sized.department)
    size = ibis.ifelse(sized.size_name.notnull(), ibis.literal(", ") + sized.size_name, "")
    brand = ibis.ifelse(sized.brand == "Private", " (private label)", "")
    return store.hold(sized.mutate(name=what + size + brand))


def _distinct(rows: ir.Table, column: str) -> list[str]:
    values = rows.select(column).filter(rows[column].notnull()).distinct().order_by(column)
    return values.to_pyarrow()[column].to_pylist()


def _words(rows: ir.Table, known: dict) -> list[dict[str, str]]:
    types = _distinct(rows, "product_type")
    return [
        {"raw_type": t, "type_name": known[("type", t)].en if ("type", t) in known else naming.tidy(t)}
        for t in types
    ]


def _sizes(rows: ir.Table) -> list[dict[str, str]]:
    return [{"raw_size": s, "size_name": naming.tidy_size(s)} for s in _distinct(rows, "package_size")]


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


def _purchases(store: EventStore, report: Report, sources: Sources, products: ir.Table) -> None:
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
    )
    store.write("events", purchase.order_by("customer_id", "ts", "event_id"))
    _write_products(store, rows, products)


def _scored(sources: Sources, rules: list[Rule]) -> ir.Table:
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


def _write_products(store: EventStore, lines: ir.Table, products: ir.Table) -> None:
    """Fill `products`, with the median unit price paid as the price (null where never sold)."""
    paid = lines.group_by("product_id").agg(price=(lines.sales_value / lines.quantity).median())
    priced = products.left_join(paid, "product_id")
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


# Campaigns, coupons, redemptions ----------------------------------------------------------------


def _unknown(name: str, en: str, zh: str) -> Rule:
    return Rule(f"unknown_{name}", NOTED, en, zh, lambda t: t.listed.isnull())


def _campaigns(store: EventStore, report: Report, sources: Sources, products: ir.Table) -> None:
    described = _described(store, report, sources["campaign_descriptions"])
    _exposures(store, report, sources["campaigns"], described)
    _redemptions(store, report, sources["coupon_redemptions"], described)
    _coupons(store, report, sources["coupons"], products)


def _described(store: EventStore, report: Report, source: ir.Table) -> ir.Table:
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


def _exposures(store: EventStore, report: Report, source: ir.Table, described: ir.Table) -> None:
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


def _redemptions(store: EventStore, report: Report, source: ir.Table, described: ir.Table) -> None:
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
    redemption = kept.select(
        event_id=ibis.literal("r") + ibis.literal("-").join(ids),
        kind=ibis.literal(EventKind.REDEMPTION.value),
        customer_id=kept.household_id,
        ts=kept.redemption_date,
        campaign_id=kept.campaign_id,
        text=kept.coupon_upc.cast("string"),
    )
    store.append("events", redemption)


def _coupons(store: EventStore, report: Report, source: ir.Table, products: ir.Table) -> None:
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


def _attributes(store: EventStore, report: Report, source: ir.Table) -> None:
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


def _promotions(store: EventStore, report: Report, source: ir.Table, steps: _Steps) -> None:
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


# Names, shop, quality report --------------------------------------------------------------------


def _finish(store: EventStore, report: Report, products: ir.Table) -> None:
    known = naming.load_names(Path(__file__).with_name("complete_journey_names.csv"))
    attributes = store.table("attributes")
    pairs = attributes.select(pair=attributes.attribute + "=" + attributes.value)
    keys = {
        "department": _distinct(products, "department"),
        "category": _distinct(products, "product_category"),
        "type": _distinct(products, "product_type"),
        "brand": _distinct(products, "brand"),
        "attribute": _distinct(attributes, "attribute"),
        "attribute_value": _distinct(pairs, "pair"),
    }
    store.write("names", ibis.memtable(naming.name_rows(keys, known)))
    purchases = store.table("events").filter(ibis._.kind == EventKind.PURCHASE.value)
    shop = purchases.aggregate(
        name=ibis.literal(SHOP_NAME),
        currency=ibis.literal(CURRENCY),
        first_day=purchases.ts.min().date(),
        last_day=purchases.ts.max().date(),
        source=ibis.literal("complete-journey"),
    )
    store.write("shop", shop)
    store.write("quality", report.table())
