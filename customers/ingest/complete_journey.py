"""The Complete Journey grocery sample (eight parquet files) brought into the shop's schema.

Public sample data: household transactions of one year, demographics, coupons, campaigns,
redemptions and store promotions. What counts as a real purchase follows the protocol that the
published comparisons on this sample use: fuel, coupon and miscellaneous pseudo-products, gift
cards, lines of quantity 0 and lines whose product is not in the product table are kept aside.
"""

from __future__ import annotations

from pathlib import Path

import ibis

from customers.ingest import naming
from customers.ingest.cleaning import Report
from customers.ingest.journey_campaigns import attributes, campaigns, promotions
from customers.ingest.journey_lines import load_known, products, purchases
from customers.ingest.journey_sources import (
    CURRENCY,
    SHOP_NAME,
    Steps,
    distinct,
    forget_sources,
    open_sources,
    require_files,
)
from customers.ports import Progress
from customers.schema import EventKind
from customers.stores import events
from customers.stores.events import EventStore, Table

_SYNONYMS = Path(__file__).with_name("complete_journey_synonyms.csv")


def ingest(data_dir: Path, out: Path, progress: Progress | None = None) -> None:
    """Read the sample's parquet files in `data_dir` and write the store `out` (a DuckDB file).

    `out` appears only when everything is in it. Raises BadInput where a file is missing, cannot be
    read or lacks a column.
    """
    require_files(data_dir)
    steps = Steps(progress)
    with events.create(out) as store:
        sources = open_sources(store, data_dir)
        report = Report()
        steps.begin("Products")
        product_rows = products(store, report, sources["products"])
        steps.begin("Purchases")
        purchases(store, report, sources, product_rows)
        steps.begin("Campaigns and coupons")
        campaigns(store, report, sources, product_rows)
        steps.begin("Customer attributes")
        attributes(store, report, sources["demographics"])
        steps.begin("Store promotions")
        promotions(store, report, sources["promotions"], steps)
        steps.begin("Names and quality report")
        _finish(store, report, product_rows)
        forget_sources(store)


def _finish(store: EventStore, report: Report, products: Table) -> None:
    attributes = store.table("attributes")
    pairs = attributes.select(pair=attributes.attribute + "=" + attributes.value)
    keys = {
        "department": distinct(products, "department"),
        "category": distinct(products, "product_category"),
        "type": distinct(products, "product_type"),
        "brand": distinct(products, "brand"),
        "attribute": distinct(attributes, "attribute"),
        "attribute_value": distinct(pairs, "pair"),
    }
    store.write_rows("names", naming.name_rows(keys, load_known()))
    store.write_rows("synonyms", naming.synonym_rows(keys, _SYNONYMS))
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
