"""Plain files of events, products and customers brought into the shop's schema.

Every column is read as text and turned into values by declared expressions, so that nothing is
lost in reading: a row is kept, or kept aside with the rule it broke and its own text.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import ibis

from customers.errors import BadInput
from customers.ingest import file_rules, naming, parsing, reading
from customers.ingest.cleaning import (
    DROPPED,
    Report,
    Rule,
    add_malformed,
    clean,
    duplicated,
    tag,
    with_quantity_score,
)
from customers.ingest.clock import to_local
from customers.ingest.headers import PRODUCT_FIELDS
from customers.ingest.mapping import FileMapping, Mapping
from customers.ports import Progress
from customers.schema import EVENTS, EventKind
from customers.stores import events
from customers.stores.events import Column, EventStore, Table

_NUMBERS = ("quantity", "amount", "unit_price", "discount", "rating", "price")

# A time is outside the period when it lies three spans of the bulk of the times (at least thirty
# days each) beyond it. The bulk leaves out a twentieth of the rows at each end, more where there
# are few rows, so that a handful of default dates (1970, 1900) cannot stretch it.
_PERIOD_SPANS, _LEAST_SPAN, _TAIL, _MOST_TAIL, _TAIL_ROWS = 3.0, 30 * 86400.0, 0.05, 0.25, 3


def ingest(
    paths: Sequence[Path],
    mapping: Mapping,
    out: Path,
    name: str = "My shop",
    progress: Progress | None = None,
) -> None:
    """Read the files that `paths` name as `mapping` says and write the store `out`.

    `out` appears only when everything is in it. Raises BadInput where a file cannot be read, a
    mapped column is not there, or no usable event is left.
    """
    found = [(path, mapping.for_file(path)) for path in reading.expand(paths)]
    for path, entry in found:
        _require_columns(path, entry)
    if not any(entry.table == "events" for _, entry in found):
        raise BadInput("none of the files holds events; give a file of purchases or other behaviour too")
    scratch = Path(tempfile.mkdtemp(prefix="shopkeeper-"))
    try:
        with events.create(out) as store:
            _Ingest(store, mapping, scratch, progress).run(found, name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_columns(path: Path, entry: FileMapping) -> None:
    have = reading.sample(path).columns
    missing = [c for c in [*entry.columns.values(), *entry.attributes] if c not in have]
    if missing:
        raise BadInput(
            f"{path}: lacks the column(s) {', '.join(missing)}; it has {', '.join(have)}: mend the mapping"
        )


class _Ingest:
    """One run over a set of files: products first, then customers, then events."""

    def __init__(self, store: EventStore, mapping: Mapping, scratch: Path, progress: Progress | None) -> None:
        self.store, self.mapping, self.scratch, self.progress = store, mapping, scratch, progress
        self.report = Report()
        self.listed: list[Table] = []
        self.mentioned: list[Table] = []

    def run(self, found: list[tuple[Path, FileMapping]], name: str) -> None:
        order = {"products": 0, "customers": 1, "events": 2}
        for path, entry in sorted(found, key=lambda pair: order[pair[1].table]):
            if self.progress is not None:
                self.progress.stage(f"Reading {path.name}")
            raw, malformed = reading.read(self.store, path, self.scratch)
            rows = self.store.hold(_fields(raw, entry))
            self.store.release(raw)
            {"products": self._products, "customers": self._customers, "events": self._events}[entry.table](
                path.name, rows, entry
            )
            if malformed:
                add_malformed(self.store, self.report, path.name, malformed)
            self.store.release(rows)
        if self.progress is not None:
            self.progress.stage("Names and quality report")
        self._finish(name)

    def _products(self, source: str, rows: Table, entry: FileMapping) -> None:
        """Clean a product file; a product listed by an earlier file is a duplicate as well."""
        rows = duplicated(_complete(rows, PRODUCT_FIELDS), ["product_id"])
        if self.listed:
            before = self._listed().select(before="product_id")
            rows = rows.left_join(before, [rows.product_id == before.before])
            rows = rows.mutate(duplicate=rows.duplicate | rows.before.notnull())
        rows = rows.mutate(price=parsing.number(rows.price, entry.decimal))
        kept = clean(self.store, self.report, source, rows, file_rules.PRODUCT_RULES, _shown(entry))
        self.listed.append(kept.select(*PRODUCT_FIELDS))

    def _listed(self) -> Table:
        return ibis.union(*self.listed) if len(self.listed) > 1 else self.listed[0]

    def _customers(self, source: str, rows: Table, entry: FileMapping) -> None:
        if not entry.attributes:
            self.report.add_read(source, int(rows.count().to_pyarrow().as_py()))
            return
        long = rows.pivot_longer(list(entry.attributes), names_to="attribute", values_to="value")
        long = long.mutate(value=parsing.identifier(long.value))
        long = duplicated(long, ["customer_id", "attribute"])
        if "attributes" in self.store.tables():
            before = self.store.table("attributes").select("customer_id", "attribute", before="value")
            long = long.left_join(before, ["customer_id", "attribute"])
            long = long.mutate(duplicate=long.duplicate | long.before.notnull())
        show = ["customer_id", "attribute", "value"]
        kept = clean(self.store, self.report, source, long, file_rules.ATTRIBUTE_RULES, show)
        self.store.append("attributes", kept)

    def _events(self, source: str, rows: Table, entry: FileMapping) -> None:
        parsed = self.store.hold(_values(self.store, rows, entry))  # held, so that no text is parsed twice
        timed = _timed(_sales(parsed), self.mapping.timezone)
        rules: list[Rule] = [*file_rules.EVENT_RULES]
        if self.listed:
            rules.append(file_rules.UNKNOWN_PRODUCT)
            listed = self._listed().select(listed="product_id", listed_category="category")
            timed = timed.left_join(listed, [timed.product_id == listed.listed])
        else:
            timed = timed.mutate(listed_category=ibis.null("string"))
        before_scores = [r for r in rules if r.action == DROPPED and r.name != "absurd_quantity"]
        tagged = tag(timed, before_scores)
        group = ibis.coalesce(tagged.listed_category, tagged.category)
        tagged = tagged.mutate(score_group=group)
        scored = with_quantity_score(tagged, "score_group", tagged.rule.isnull()).drop("rule")
        kept = clean(self.store, self.report, source, scored, rules, _shown(entry))
        self.store.release(parsed)
        kept = kept.mutate(event_id=_event_id(source, kept, entry))
        self.store.append("events", kept.select(*EVENTS))
        about = kept.filter(kept.product_id.notnull())
        self.mentioned.append(_complete(about, PRODUCT_FIELDS).select(*PRODUCT_FIELDS).distinct())

    def _finish(self, name: str) -> None:
        rows = self.store.table("events")
        if not int(rows.count().to_pyarrow().as_py()):
            raise BadInput(
                f"no usable event is left after cleaning: {_why(self.report)}; mend the files or the mapping"
            )
        self._write_products(rows)
        self._write_names()
        shop = rows.aggregate(
            name=ibis.literal(name),
            currency=ibis.literal(self.mapping.currency),
            first_day=rows.ts.min().date(),
            last_day=rows.ts.max().date(),
            source=ibis.literal("files"),
        )
        self.store.write("shop", shop)
        self.store.write("quality", self.report.table())

    def _write_products(self, rows: Table) -> None:
        """Fill `products` with those of product files and those that only events speak of."""
        mentioned = ibis.union(*self.mentioned) if len(self.mentioned) > 1 else self.mentioned[0]
        details = {c: mentioned[c].max() for c in PRODUCT_FIELDS if c != "product_id"}
        mentioned = mentioned.group_by("product_id").agg(**details)
        if self.listed:
            listed = self._listed()
            only = mentioned.anti_join(listed, "product_id").select(*PRODUCT_FIELDS)
            products = ibis.union(listed, only)
        else:
            products = mentioned
        sold = rows.filter((rows.kind == EventKind.PURCHASE.value) & (rows.quantity > 0))
        paid = sold.group_by("product_id").agg(paid=(sold.amount / sold.quantity).median())
        priced: Table = products.left_join(paid, "product_id")
        priced = priced.mutate(
            price=ibis.coalesce(priced.price, priced.paid.round(4)),
            name=ibis.coalesce(priced.name, priced.product_id),
        )
        self.store.write("products", priced)

    def _write_names(self) -> None:
        products, attributes = self.store.table("products"), None
        keys = {kind: _distinct(products, kind) for kind in ("department", "category", "type", "brand")}
        if "attributes" in self.store.tables():
            attributes = self.store.table("attributes")
            pairs = attributes.select(pair=attributes.attribute + "=" + attributes.value)
            keys["attribute"] = _distinct(attributes, "attribute")
            keys["attribute_value"] = _distinct(pairs, "pair")
        self.store.write_rows("names", naming.name_rows(keys, {}, tidy_keys=False))


def _why(report: Report) -> str:
    worst = max((f for f in report.findings if f.action == DROPPED), key=lambda f: f.rows, default=None)
    return f"{worst.source}, {worst.reason_en} ({worst.rows} of {worst.of_rows} rows)" if worst else "no rows"


def _distinct(rows: Table, column: str) -> list[str]:
    values = rows.select(column).filter(rows[column].notnull()).distinct().order_by(column)
    return values.to_pyarrow()[column].to_pylist()


def _shown(entry: FileMapping) -> dict[str, str]:
    """The file's own columns -> what `_fields` calls their text."""
    return {column: f"raw_{field}" for field, column in entry.columns.items()}


def _fields(raw: Table, entry: FileMapping) -> Table:
    """Rename columns to fields, ids cleaned and missing texts null; `raw_FIELD` keeps the file's text."""
    columns = {}
    for field, column in entry.columns.items():
        text = raw[column]
        columns[f"raw_{field}"] = text
        columns[field] = parsing.identifier(text) if field.endswith("_id") else parsing.filled(text)
    return raw.select(**columns, **{column: raw[column] for column in entry.attributes})


def _complete(rows: Table, fields: Sequence[str]) -> Table:
    """Add the fields that the rows lack, null throughout."""
    lacking = {
        field: ibis.null("float64" if field in _NUMBERS and field != "price" else "string")
        for field in fields
        if field not in rows.columns
    }
    return rows.mutate(**lacking) if lacking else rows


def _values(store: EventStore, rows: Table, entry: FileMapping) -> Table:
    """Turn an event file's texts into values; duplicates and unreadable numbers are marked."""
    keys = ["raw_event_id"] if "event_id" in entry.columns else list(_shown(entry).values())
    rows = duplicated(rows, keys)
    if "event_id" in entry.columns:
        rows = rows.mutate(duplicate=rows.duplicate & rows.event_id.notnull())
    wanted = [field for field in EVENTS if field not in ("kind", "ts")]
    rows = _complete(rows, [*wanted, "unit_price", "name", "department", "category", "type", "brand",
                            "manufacturer", "size"]).mutate(price=ibis.null("float64"))  # fmt: skip
    texts = {f"{field}_text": rows[field].cast("string") for field in ("ts", "quantity", "amount")}
    rows = rows.mutate(**texts, kind=_kind(rows, entry))
    plain = parsing.PLAIN_TIME if entry.time == "year-first" else None
    rows = _read(store, rows, "ts", lambda text: parsing.time(text, entry.time), plain, "timestamp")
    for field in ("quantity", "amount", "unit_price", "discount", "rating"):
        if field in entry.columns:
            rows = _read_number(store, rows, field, entry.decimal)
    bad = [rows[f"{field}_text"].notnull() & rows[field].isnull() for field in ("quantity", "amount")]
    numbers = {f: rows[f].cast("float64") for f in ("quantity", "amount", "unit_price", "discount", "rating")}
    return rows.mutate(bad_number=bad[0] | bad[1], **numbers)


def _read_number(store: EventStore, rows: Table, field: str, decimal: str) -> Table:
    plain = parsing.PLAIN_NUMBER if decimal == "." else None
    return _read(store, rows, field, lambda text: parsing.number(text, decimal), plain, "float64")


def _read(
    store: EventStore,
    rows: Table,
    field: str,
    careful: Callable[[Column], Column],
    plain: str | None,
    kind: str,
) -> Table:
    """Replace a column of text by what it says; each distinct text is read once."""
    texts = store.hold(rows.select(text=rows[field]).filter(ibis._.text.notnull()).distinct())
    read = store.hold(parsing.readings(texts, careful, plain, kind))
    found = read.select(read_text="text", read_value="value")
    joined = rows.left_join(found, [rows[field] == found.read_text])
    return joined.mutate(**{field: joined.read_value}).drop("read_text", "read_value")


def _kind(rows: Table, entry: FileMapping) -> Column:
    if "kind" not in entry.columns:
        return ibis.literal(entry.kind)
    known = [(rows.kind == value, ibis.literal(kind)) for value, kind in entry.kinds.items()]
    known += [(rows.kind.lower() == kind.value, ibis.literal(kind.value)) for kind in EventKind]
    return ibis.cases(*known, else_=ibis.null("string"))


def _sales(rows: Table) -> Table:
    """Fill in what a sale's row leaves out, and make a purchase of less than nothing a return."""
    sale = rows.kind.isin(file_rules.SALES).fill_null(False)
    bare = rows.quantity_text.isnull() & sale
    rows = rows.mutate(quantity=ibis.ifelse(bare, 1.0, rows.quantity), discount=rows.discount.abs())
    computed = (rows.quantity * rows.unit_price).round(4)
    rows = rows.mutate(amount=ibis.ifelse(rows.amount_text.isnull(), computed, rows.amount))
    negative = (rows.kind == EventKind.PURCHASE.value) & (rows.quantity < 0)
    rows = rows.mutate(negative=negative.fill_null(False))
    back = rows.negative | (rows.kind == EventKind.RETURN.value).fill_null(False)
    return rows.mutate(
        kind=ibis.ifelse(rows.negative, EventKind.RETURN.value, rows.kind),
        quantity=ibis.ifelse(back, rows.quantity.abs(), rows.quantity),
        amount=ibis.ifelse(back, rows.amount.abs(), rows.amount),
    )


def _timed(rows: Table, timezone: str | None) -> Table:
    """Move times to the shop's zone; mark those in the future or far outside the usual period."""
    if timezone is not None:
        shift = parsing.offset_seconds(rows.ts_text).cast("int64").as_interval("s")
        utc = rows.ts - shift
        bounds = rows.aggregate(low=utc.min(), high=utc.max()).to_pyarrow().to_pylist()[0]
        low, high = _bounded(bounds["low"]), _bounded(bounds["high"])
        rows = rows.mutate(ts=to_local(utc, timezone, low.date(), high.date()))
    now = datetime.now() + timedelta(days=1)
    rows = rows.mutate(now=ibis.literal(now))
    seconds = rows.filter(rows.ts <= now).select(at=rows.ts.epoch_seconds())
    count = int(seconds.count().to_pyarrow().as_py())
    if not count:
        return rows.mutate(outside=ibis.literal(False))
    tail = min(_MOST_TAIL, max(_TAIL, _TAIL_ROWS / count))
    ends = seconds.aggregate(low=seconds.at.quantile(tail), high=seconds.at.quantile(1 - tail))
    low, high = ends.to_pyarrow().to_pylist()[0].values()
    margin = _PERIOD_SPANS * max(high - low, _LEAST_SPAN)
    return rows.mutate(outside=~rows.ts.epoch_seconds().between(low - margin, high + margin))


def _bounded(at: datetime | None) -> datetime:
    """Keep the search for clock changes within years that have any."""
    return min(max(at or datetime(2000, 1, 1), datetime(1970, 1, 1)), datetime(2100, 1, 1))


def _event_id(source: str, rows: Table, entry: FileMapping) -> Column:
    """The file's name with the row's own id, or with a fingerprint of the row's text."""
    bar: Column = ibis.literal("|")
    own = rows.event_id if "event_id" in entry.columns else ibis.null("string")
    whole = bar.join([rows[column].fill_null("") for column in _shown(entry).values()])
    prefix: Column = ibis.literal(f"{source}:")
    return prefix + ibis.coalesce(own, whole.hexdigest("md5"))
