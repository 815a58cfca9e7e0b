"""From the columns of an event file to values: ids, times, numbers and the kind of each event.

Columns that are typed already (Parquet) are taken as they are, so that a large file streams through
without being turned into text; texts are read with the expressions of `parsing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import ibis
import ibis.expr.datatypes as dt

from customers.ingest import file_rules, parsing
from customers.ingest.clock import to_local
from customers.ingest.mapping import FileMapping
from customers.ingest.raw import Raw
from customers.schema import EVENTS, EventKind
from customers.stores.events import Column, EventStore, Table

NUMBERS = ("quantity", "amount", "unit_price", "discount", "rating")
DETAILS = ("name", "department", "category", "type", "brand", "manufacturer", "size")
# What tells one event from another where the source gives no id.
_IDENTITY = ("customer_id", "ts", "product_id", "quantity", "amount", "discount", "basket_id",
             "store_id", "campaign_id", "rating", "text")  # fmt: skip
_PRINT_LENGTH = 20  # hexadecimal digits: 80 bits, one clash in 10^8 shops of 150 million events


@ibis.udf.scalar.builtin(name="hash")
def _hash(kind, customer_id, ts, product_id, quantity, amount, discount, basket_id, store_id,
          campaign_id, rating, text) -> dt.UInt64:  # fmt: skip
    """A 64-bit hash of the values; only ever compared within one run."""
    ...


@ibis.udf.scalar.builtin(name="hash")
def _hash_of_id(kind, event_id) -> dt.UInt64:
    """As `_hash`, of an event's own id."""
    ...


def fields(raw: Table, entry: FileMapping, careful: frozenset[str] | None = None) -> Table:
    """Rename columns to fields, ids cleaned and missing texts null; `raw_FIELD` keeps what the file has.

    `careful` names the text columns whose texts need cleaning; None means all of them.
    """
    columns = {}
    for field, column in entry.columns.items():
        value = raw[column]
        columns[f"raw_{field}"] = value
        columns[field] = _field(field, value, careful is None or column in careful)
    if entry.more_text:
        texts = [raw[c].cast("string") for c in (entry.columns["text"], *entry.more_text)]
        columns["text"] = parsing.joined(texts)
        columns |= {f"more_{n}": raw[column] for n, column in enumerate(entry.more_text)}
    if entry.at:
        columns["ts"] = ibis.literal(entry.at)
    return raw.select("row_n", **columns, **{column: raw[column] for column in entry.attributes})


def _field(field: str, value: Column, careful: bool) -> Column:
    kind = value.type()
    if kind.is_string():
        if not careful:
            return value
        return parsing.identifier(value) if field.endswith("_id") else parsing.filled(value)
    if field in NUMBERS and kind.is_numeric():
        return value
    if field == "ts" and (kind.is_timestamp() or kind.is_date() or kind.is_numeric()):
        return value
    return parsing.identifier(value.cast("string"))


def streams(raw: Table, entry: FileMapping) -> bool:
    """Whether the file's columns are typed, so that its values need not be read from texts."""
    if entry.at:
        return False
    for field, column in entry.columns.items():
        kind = raw[column].type()
        if field in NUMBERS and not kind.is_numeric():
            return False
        if field == "ts" and not (kind.is_timestamp() or kind.is_date() or _is_epoch(kind, entry)):
            return False
    return True


def _is_epoch(kind: dt.DataType, entry: FileMapping) -> bool:
    return kind.is_numeric() and entry.time.startswith("epoch")


def complete(rows: Table, wanted: Sequence[str]) -> Table:
    """Add the fields that the rows lack, null throughout."""
    lacking = {
        field: ibis.null("float64" if field in NUMBERS else "string")
        for field in wanted
        if field not in rows.columns
    }
    return rows.mutate(**lacking) if lacking else rows


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all rows of a typed file, so that no row need be asked again.

    `careful`: text columns of the file whose texts need cleaning; `kinds`: the different texts of its
    kinds, None where not known; `finite`: fields whose numbers are all finite; `signed`: whether a
    quantity or an amount may be below zero; `every`: whether every row has an id of its own.
    """

    careful: frozenset[str]
    kinds: frozenset[str] | None = None
    finite: frozenset[str] = frozenset()
    signed: bool = True
    every: bool = False


def look_through(raw: Raw, entry: FileMapping) -> Known:
    """Find out what is to be known of a file that streams."""
    columns = entry.columns
    careful = raw.careful(entry.used())
    finite = raw.finite([columns[field] for field in NUMBERS if field in columns])
    kind, own = columns.get("kind"), columns.get("event_id")
    kinds = None
    if kind is not None and kind not in careful and raw.table[kind].type().is_string():
        kinds = frozenset(raw.texts(kind))
    return Known(
        careful,
        kinds,
        frozenset(field for field in NUMBERS if columns.get(field) in finite),
        raw.negative([columns[field] for field in ("quantity", "amount", "unit_price") if field in columns]),
        own is not None and own not in careful and raw.every(own),
    )


def values(
    store: EventStore, rows: Table, entry: FileMapping, timezone: str | None, known: Known | None = None
) -> Table:
    """Turn an event file's fields into values; unreadable numbers are marked.

    `ts_text`, `quantity_text` and `amount_text` are what the file has in their place.
    """
    known = known or Known(frozenset())
    wanted = [field for field in EVENTS if field not in ("kind", "ts", "source")]
    rows = complete(rows, [*wanted, "unit_price", *DETAILS]).mutate(price=ibis.null("float64"))
    rows = rows.mutate(
        kind=_kind(rows, entry, known), **{f"{f}_text": rows[f] for f in ("ts", "quantity", "amount")}
    )
    rows = _time(store, rows, entry)
    for field in NUMBERS:
        if field in entry.columns:
            rows = _number(store, rows, field, entry.decimal, field in known.finite)
    bad = _lost(rows, "quantity", known) | _lost(rows, "amount", known)
    rows = rows.mutate(bad_number=bad, **{f: rows[f].cast("float64") for f in NUMBERS})
    return _local(_sales(rows, "unit_price" in entry.columns, known.signed), timezone)


def _lost(rows: Table, field: str, known: Known) -> Column:
    """Whether the file says something of the field that is no number."""
    if field in known.finite:
        return ibis.literal(False)
    text = rows[f"{field}_text"]
    lost = text.notnull() & rows[field].isnull()
    return lost & ~text.isnan() if text.type().is_floating() else lost


def _time(store: EventStore, rows: Table, entry: FileMapping) -> Table:
    kind = rows.ts.type()
    if kind.is_timestamp() or kind.is_date():
        return rows.mutate(ts=rows.ts.cast("timestamp"))
    if _is_epoch(kind, entry):
        seconds = rows.ts.cast("float64") / (1000.0 if entry.time.endswith("milliseconds") else 1.0)
        sane: Column = ibis.ifelse(seconds.between(-5e9, 1e11), seconds, ibis.null("float64"))
        return rows.mutate(
            ts=ibis.literal(datetime(1970, 1, 1)) + sane.floor().cast("int64").as_interval("s")
        )
    rows = rows.mutate(ts=rows.ts.cast("string"))
    plain = parsing.PLAIN_TIME if entry.time == "year-first" else None
    return _read(store, rows, "ts", lambda text: parsing.time(text, entry.time), plain, "timestamp")


def _number(store: EventStore, rows: Table, field: str, decimal: str, finite: bool) -> Table:
    if rows[field].type().is_numeric():
        value = rows[field].cast("float64")
        if finite:
            return rows.mutate(**{field: value})
        return rows.mutate(**{field: ibis.ifelse(value.isnan() | value.isinf(), ibis.null("float64"), value)})
    if field == "rating":
        return _read(store, rows, field, parsing.rating, parsing.PLAIN_NUMBER, "float64")
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


def _kind(rows: Table, entry: FileMapping, known: Known) -> Column:
    if "kind" not in entry.columns:
        return ibis.literal(entry.kind)
    if known.kinds is not None and all(_meant(kind, entry) == kind for kind in known.kinds):
        return rows.kind
    named = [(rows.kind == value, ibis.literal(kind)) for value, kind in entry.kinds.items()]
    named += [(rows.kind.lower() == kind.value, ibis.literal(kind.value)) for kind in EventKind]
    return ibis.cases(*named, else_=ibis.null("string"))


def _meant(text: str, entry: FileMapping) -> str | None:
    """The kind that a text stands for, as `_kind` reads it."""
    return entry.kinds.get(text) or (text.lower() if text.lower() in list(EventKind) else None)


def _sales(rows: Table, priced: bool, signed: bool) -> Table:
    """Fill in what a sale's row leaves out, and make a purchase of less than nothing a return.

    `priced`: the file has unit prices; `signed`: it may have numbers below zero.
    """
    sale: Column = rows.kind.isin(file_rules.SALES)
    sale = sale.fill_null(False)
    bare = rows.quantity_text.isnull() & sale
    rows = rows.mutate(quantity=ibis.ifelse(bare, 1.0, rows.quantity), discount=rows.discount.abs())
    if priced:
        computed = (rows.quantity * rows.unit_price).round(4)
        rows = rows.mutate(amount=ibis.ifelse(rows.amount_text.isnull(), computed, rows.amount))
    if not signed:
        return rows.mutate(negative=ibis.literal(False), signed_return=ibis.literal(False))
    negative: Column = (rows.kind == EventKind.PURCHASE.value) & (rows.quantity < 0)
    minus: Column = (rows.kind == EventKind.RETURN.value) & ((rows.quantity < 0) | (rows.amount < 0))
    rows = rows.mutate(negative=negative.fill_null(False), signed_return=minus.fill_null(False))
    back = rows.negative | (rows.kind == EventKind.RETURN.value).fill_null(False)
    return rows.mutate(
        kind=ibis.ifelse(rows.negative, EventKind.RETURN.value, rows.kind),
        quantity=ibis.ifelse(back, rows.quantity.abs(), rows.quantity),
        amount=ibis.ifelse(back, rows.amount.abs(), rows.amount),
    )


def _local(rows: Table, timezone: str | None) -> Table:
    """Move times to the shop's zone, where they are UTC or carry an offset."""
    if timezone is None:
        return rows
    utc = rows.ts
    if rows.ts_text.type().is_string():
        utc = utc - parsing.offset_seconds(rows.ts_text).cast("int64").as_interval("s")
    bounds = rows.aggregate(low=utc.min(), high=utc.max()).to_pyarrow().to_pylist()[0]
    return rows.mutate(ts=to_local(utc, timezone, _bounded(bounds["low"]), _bounded(bounds["high"])))


def _bounded(at: datetime | None) -> date:
    """Keep the search for clock changes within years that have any."""
    return min(max(at or datetime(2000, 1, 1), datetime(1970, 1, 1)), datetime(2100, 1, 1)).date()


# Which events are the same ------------------------------------------------------------------


def with_print(rows: Table, own: bool, every: bool) -> Table:
    """Add `print`, a 64-bit hash of what `with_id` makes the id of, and `place`, the row's number; rows
    that lack what an event needs come after all others.

    `own`: the source gives ids; `every`: to every row.
    """
    prints = _hash_of_id(rows.kind, rows.event_id)
    if not every:
        values = _hash(rows.kind, *(rows[field] for field in _IDENTITY))
        prints = ibis.ifelse(rows.event_id.isnull(), values, prints) if own else values
    broken = rows.customer_id.isnull() | rows.ts.isnull() | rows.bad_number
    return rows.mutate(print=prints, place=rows.row_n + ibis.ifelse(broken, 2**60, 0))


def with_id(rows: Table, own: bool, every: bool) -> Table:
    """Make `event_id` the kind with the source's own id, or with a fingerprint of the values."""
    given = rows.event_id
    if not every:
        given = ibis.coalesce(given, _fingerprint(rows)) if own else _fingerprint(rows)
    return rows.mutate(event_id=rows.kind + ":" + given)


def duplicates(store: EventStore, rows: Table, again: Table, own: bool, every: bool) -> Table:
    """Return the rows (`duplicate_n`) before which an event of the same id stands in the file.

    `rows` are those of `with_print`, `again` (print) the hashes that come more than once: what shares
    a hash is compared by the whole id. Of events with one id the first that has all it needs counts
    as the first.
    """
    close = with_id(rows.filter(rows.kind.notnull()).semi_join(again, "print"), own, every)
    close = store.hold(close.select("row_n", "event_id", "place"))
    first = close.group_by("event_id").agg(first=close.place.min())
    later = close.join(first, "event_id")
    return store.hold(later.filter(later.place > later.first).select(duplicate_n="row_n"))


def _fingerprint(rows: Table) -> Column:
    """The values as one text, hashed; the same in every run and on every engine."""
    texts = [_said(rows[field]) for field in _IDENTITY]
    bar: Column = ibis.literal("\x1f")
    return bar.join(texts).hexdigest("md5").left(_PRINT_LENGTH)


def _said(value: Column) -> Column:
    if value.type().is_timestamp():
        value = value.epoch_seconds() * 1_000_000 + value.microsecond()
    return value.cast("string").fill_null("")
