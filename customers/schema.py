"""The one schema that every source is brought into, whatever it looked like before.

A shop's store is a DuckDB file with the tables below. Times are naive local times of the shop;
money is in the shop's currency; every id and every attribute is text.
"""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What a customer did, or what was done to a customer (exposure)."""

    BROWSE = "browse"
    CLICK = "click"
    SEARCH = "search"
    CART = "cart"
    PURCHASE = "purchase"
    RETURN = "return"
    REVIEW = "review"
    INQUIRY = "inquiry"
    EXPOSURE = "exposure"
    REDEMPTION = "redemption"


# Column -> Ibis type. `amount` is the money of the line after the shop's own discount,
# `discount` the money taken off (>= 0); `text` a search query, a review or an inquiry; `source`
# what the event came from: a file's or table's name, "push", "complete-journey"; one that starts
# with "simulated" marks simulated events. `event_id` is the kind with the source's own id, or with
# a fingerprint of the event's values, so that the same event from another file is known again.
EVENTS = {
    "event_id": "string",
    "kind": "string",
    "customer_id": "string",
    "ts": "timestamp",
    "product_id": "string",
    "quantity": "float64",
    "amount": "float64",
    "discount": "float64",
    "basket_id": "string",
    "store_id": "string",
    "campaign_id": "string",
    "rating": "float64",
    "text": "string",
    "source": "string",
}

# `department`, `category`, `type` and `brand` are keys into `names`; `price` is the median unit
# price paid where `listed_price`, the price that a product file gives, is null. `source` is the
# product file that listed it last, null where only events speak of the product.
PRODUCTS = {
    "product_id": "string",
    "name": "string",
    "department": "string",
    "category": "string",
    "type": "string",
    "brand": "string",
    "manufacturer": "string",
    "size": "string",
    "price": "float64",
    "listed_price": "float64",
    "source": "string",
}

# What a key is called, by kind: "department", "category", "type", "brand", "attribute",
# "attribute_value" (key "age=45-54"). name_zh falls back to name_en where a source has none.
NAMES = {"kind": "string", "key": "string", "name_en": "string", "name_zh": "string"}

# Everyday words for a key of `names`, by language ("en", "zh"); one word may mean several keys.
SYNONYMS = {"kind": "string", "key": "string", "language": "string", "synonym": "string"}

# Customer attributes, one row each (age, income, household size ...), text values, no nulls.
ATTRIBUTES = {"customer_id": "string", "attribute": "string", "value": "string"}

CAMPAIGNS = {
    "campaign_id": "string",
    "name": "string",
    "kind": "string",
    "start_day": "date",
    "end_day": "date",
}
CAMPAIGN_PRODUCTS = {"campaign_id": "string", "coupon_id": "string", "product_id": "string"}

# In how many stores a product stood on display or in the mailer, by week of the year (1-based).
PROMOTIONS = {
    "product_id": "string",
    "week": "int64",
    "stores_display": "int64",
    "stores_mailer": "int64",
}

# Rows kept aside by cleaning: the row as JSON text, and the rule that put it there.
REJECTED = {"source": "string", "rule": "string", "row": "string"}

# The data-quality report. `action` is "dropped" (kept aside in `rejected`), "repaired" or "noted";
# `examples` holds up to three rows as JSON text.
QUALITY = {
    "source": "string",
    "rule": "string",
    "reason_en": "string",
    "reason_zh": "string",
    "action": "string",
    "rows": "int64",
    "of_rows": "int64",
    "examples": "string",
}

# One row a build: what the shop is called, its currency symbol and name, the period its data covers.
SHOP = {
    "name": "string",
    "currency": "string",
    "first_day": "date",
    "last_day": "date",
    "source": "string",
}

# One row a file (or table, or batch) brought in, in order. A file whose `sha256` and `mapping` are
# those of an earlier load is not read again. `rows_read` is `rows_new` + `rows_repeated` (events
# that an earlier load brought already) + `rows_rejected`.
LOADS = {
    "load_id": "int64",
    "at": "timestamp",
    "source": "string",
    "path": "string",
    "sha256": "string",
    "bytes": "int64",
    "rows_read": "int64",
    "rows_new": "int64",
    "rows_repeated": "int64",
    "rows_rejected": "int64",
    "mapping": "string",
}

# What was put back after cleaning had kept it aside: `rule` no longer holds for it. `row` is the row of
# `rejected`; for the rule "robot" it is the customer.
WAIVED = {"rule": "string", "source": "string", "row": "string"}

TABLES = {
    "events": EVENTS,
    "products": PRODUCTS,
    "names": NAMES,
    "synonyms": SYNONYMS,
    "attributes": ATTRIBUTES,
    "campaigns": CAMPAIGNS,
    "campaign_products": CAMPAIGN_PRODUCTS,
    "promotions": PROMOTIONS,
    "rejected": REJECTED,
    "quality": QUALITY,
    "shop": SHOP,
    "loads": LOADS,
    "waived": WAIVED,
}
