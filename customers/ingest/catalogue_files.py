"""Files of products and of customers: what is listed anew takes the place of what was listed before."""

from __future__ import annotations

import ibis

from customers.ingest import file_rules, parsing
from customers.ingest.cleaning import DROPPED, NOTED, Report, Rule, clean, duplicated
from customers.ingest.event_files import Counts, shown
from customers.ingest.headers import NAME_FIELDS, PRODUCT_FIELDS
from customers.ingest.mapping import FileMapping
from customers.ingest.raw import Raw
from customers.ingest.values import complete, fields
from customers.stores.events import Column, EventStore, Table

_UPDATED = Rule(
    "updated",
    NOTED,
    "listed differently before; what this file says holds",
    "此前列出的内容不同;以此文件为准",
    lambda t: t.updated,
)
_DETAILS = tuple(field for field in PRODUCT_FIELDS if field not in ("product_id", "price"))


def load_products(
    store: EventStore, report: Report, source: str, raw: Raw, entry: FileMapping, waive: frozenset[str]
) -> Counts:
    """Bring a product file into `products`; a field that it leaves empty keeps what was known."""
    rows = complete(fields(raw.table, entry), PRODUCT_FIELDS)
    rows = duplicated(rows, ["product_id"])
    price = (
        rows.price.cast("float64")
        if rows.price.type().is_numeric()
        else parsing.number(rows.price, entry.decimal)
    )
    rows = rows.mutate(bad_price=price < 0, price=ibis.ifelse(price < 0, ibis.null("float64"), price))
    before = store.hold(store.table("products"))
    old = before.rename({f"old_{field}": field for field in before.columns})
    rows = rows.left_join(old, [rows.product_id == old.old_product_id])
    same = _same(rows.price, rows.old_listed_price)
    for field in _DETAILS:
        same = same & _same(rows[field], rows[f"old_{field}"])
    rows = rows.mutate(updated=rows.old_source.notnull() & ~same)
    rules = [rule for rule in [*file_rules.PRODUCT_RULES, _UPDATED] if rule.name not in waive]
    kept = clean(store, report, source, rows, rules, shown(entry))
    merged = store.hold(
        kept.select(
            "product_id",
            **{field: ibis.coalesce(kept[field], kept[f"old_{field}"]) for field in _DETAILS},
            listed_price=ibis.coalesce(kept.price, kept.old_listed_price),
            price=ibis.coalesce(kept.price, kept.old_price),
            source=ibis.literal(source),
        )
    )
    store.replace(
        "products", ibis.union(before.anti_join(merged, "product_id"), merged.select(*before.columns))
    )
    return _counts(report, source)


def _same(new: Column, old: Column) -> Column:
    """A field left empty changes nothing."""
    return new.isnull() | (new == old).fill_null(False)


def load_customers(
    store: EventStore, report: Report, source: str, raw: Raw, entry: FileMapping, waive: frozenset[str]
) -> Counts:
    """Bring a customer file's attributes into `attributes`, one row each."""
    if not entry.attributes:
        report.add_read(source, raw.rows)
        return Counts(raw.rows, raw.rows)
    rows = fields(raw.table, entry)
    texts = rows.mutate(**{column: rows[column].cast("string") for column in entry.attributes})
    long = texts.pivot_longer(list(entry.attributes), names_to="attribute", values_to="value")
    long = duplicated(long.mutate(value=parsing.identifier(long.value)), ["customer_id", "attribute"])
    before = store.hold(store.table("attributes"))
    old = before.rename(old_customer="customer_id", old_attribute="attribute", old_value="value")
    long = long.left_join(old, [long.customer_id == old.old_customer, long.attribute == old.old_attribute])
    long = long.mutate(updated=(long.old_value != long.value).fill_null(False))
    rules = [rule for rule in [*file_rules.ATTRIBUTE_RULES, _UPDATED] if rule.name not in waive]
    kept = clean(store, report, source, long, rules, ["customer_id", "attribute", "value"])
    merged = store.hold(kept.select(*before.columns))
    rest = before.anti_join(merged, ["customer_id", "attribute"])
    store.replace("attributes", ibis.union(rest, merged))
    return _counts(report, source)


def load_names(store: EventStore, report: Report, source: str, given: Table) -> None:
    """Bring names in English and Chinese into `names`, those of products too; a language that is left empty keeps its
    name. Call it once everything else of the load has its own names."""
    rows = complete(given, NAME_FIELDS)
    rows = rows.mutate(**{field: rows[field].cast("string").strip().nullif("") for field in NAME_FIELDS})
    before = store.hold(store.table("names"))
    products = store.table("products")
    listed = products.select(kind=ibis.literal("product"), key="product_id", name_en="name", name_zh="name")
    named = listed.anti_join(before, ["kind", "key"]).union(before.select(*listed.columns))
    named = named.rename({f"old_{field}": field for field in NAME_FIELDS})
    rows = duplicated(rows, ["kind", "key"])
    rows = rows.left_join(named, [rows.kind == named.old_kind, rows.key == named.old_key])
    rows = rows.mutate(unknown=rows.old_key.isnull())
    kept = clean(store, report, source, rows, file_rules.NAME_RULES, NAME_FIELDS)
    merged = store.hold(
        kept.select(
            "kind",
            "key",
            **{field: ibis.coalesce(kept[field], kept[f"old_{field}"]) for field in ("name_en", "name_zh")},
        )
    )
    rest = before.anti_join(merged, ["kind", "key"])
    store.replace("names", ibis.union(rest, merged.select(*before.columns)))


def _counts(report: Report, source: str) -> Counts:
    """The counts of the file that was cleaned last."""
    last = max(n for n, f in enumerate(report.findings) if f.source == source and f.rule == "read")
    mine = report.findings[last:]
    dropped = sum(f.rows for f in mine if f.action == DROPPED and f.source == source)
    return Counts(mine[0].rows, mine[0].rows - dropped, 0, dropped)


def add_mentioned(store: EventStore, mentioned: Table) -> None:
    """List products that events speak of; what product files say goes before what events say."""
    before = store.hold(store.table("products"))
    old = before.rename({f"old_{field}": field for field in before.columns})
    rows = mentioned.left_join(old, [mentioned.product_id == old.old_product_id])
    says = {field: ibis.coalesce(rows[f"old_{field}"], rows[field]) for field in _DETAILS}
    says["name"] = ibis.coalesce(rows.old_name, rows.name, rows.product_id)
    for field in ("price", "listed_price", "source"):
        says[field] = rows[f"old_{field}"]
    merged = store.hold(rows.select("product_id", **says).select(*before.columns))
    store.replace("products", ibis.union(before.anti_join(merged, "product_id"), merged))
