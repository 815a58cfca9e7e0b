"""What a store says beside its events, brought up to date after a load: prices, names, the shop."""

from __future__ import annotations

import ibis

from customers.ingest import naming
from customers.ingest.looking import hashed_moment
from customers.schema import EventKind
from customers.stores.events import Column, EventStore, Table
from customers.values import Name

# The median price of a product comes from all its purchases, or, where the store has more than so
# many events, from about as many of each product as the second number says.
_EXACT_EVENTS, _PRICED = 20_000_000, 500


def write_prices(store: EventStore, touched: Table) -> None:
    """Set the price of products (`product_id`) that no file gives a price for to the median paid."""
    events, products = store.table("events"), store.hold(store.table("products"))
    unlisted = products.filter(products.listed_price.isnull()).select("product_id")
    wanted = store.hold(unlisted.semi_join(touched, "product_id"))
    sold = events.filter(
        (events.kind == EventKind.PURCHASE.value) & (events.quantity > 0) & events.amount.notnull()
    )
    sold = sold.semi_join(wanted, "product_id")
    sold = sold.select("product_id", "customer_id", "ts", paid=sold.amount / sold.quantity)
    if int(events.count().to_pyarrow().as_py()) > _EXACT_EVENTS:
        many = store.hold(sold.group_by("product_id").agg(every=sold.count() // _PRICED + 1))
        sold = sold.join(many, "product_id")
        # Drawn by who and when: ids are far dearer to read.
        number: Column = hashed_moment(sold.customer_id, sold.ts)
        sold = sold.filter(number % sold.every == 0)
    paid = sold.group_by("product_id").agg(paid=sold.paid.median().round(4))
    priced = products.left_join(paid, "product_id")
    priced = priced.mutate(price=ibis.coalesce(priced.listed_price, priced.paid, priced.price))
    priced = priced.mutate(name=ibis.coalesce(priced.name, priced.product_id))
    store.replace("products", priced.select(*products.columns))


def write_names(store: EventStore) -> None:
    """Give every key a name; keys that have one keep it."""
    products, attributes = store.table("products"), store.table("attributes")
    pairs = attributes.select(pair=attributes.attribute + "=" + attributes.value)
    keys = {kind: _distinct(products, kind) for kind in ("department", "category", "type", "brand")}
    keys["attribute"] = _distinct(attributes, "attribute")
    keys["attribute_value"] = _distinct(pairs, "pair")
    rows = store.backend.con.execute("SELECT kind, key, name_en, name_zh FROM names").fetchall()
    known = {(kind, key): Name(english, chinese) for kind, key, english, chinese in rows}
    wanted = {kind: [key for key in found if (kind, key) not in known] for kind, found in keys.items()}
    if not any(wanted.values()):
        return
    named = {(row["kind"], row["key"]): row for row in naming.name_rows(keys, known, tidy_keys=False)}
    new = [named[kind, key] for kind, found in wanted.items() for key in found]
    store.append("names", ibis.memtable(new))


def _distinct(rows: Table, column: str) -> list[str]:
    values = rows.select(column).filter(rows[column].notnull()).distinct().order_by(column)
    return values.to_pyarrow()[column].to_pylist()


def write_shop(store: EventStore, name: str | None, currency: str) -> None:
    """Bring the shop's row up to date; a store keeps the name and the currency that it began with."""
    events = store.table("events")
    before = store.table("shop").to_pyarrow().to_pylist()
    kept = before[0] if before else {"name": name or "My shop", "currency": currency, "source": "files"}
    row = events.aggregate(
        name=ibis.literal(kept["name"]),
        currency=ibis.literal(kept["currency"]),
        first_day=events.ts.min().date(),
        last_day=events.ts.max().date(),
        source=ibis.literal(kept["source"]),
    )
    store.replace("shop", row)
