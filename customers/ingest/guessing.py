"""What a plain file holds, guessed from its name, its headers and its first rows.

Columns are known by their names, compared as `headers.plain` has them, so the order of the columns
and their capitals make no difference. What a guess says is shown before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

from customers.errors import BadInput
from customers.ingest import headers
from customers.ingest.file_mapping import FIELDS_OF, NEEDED, FileMapping
from customers.ingest.reading import Sample, delimiter, file_format
from customers.schema import EventKind

_SIGNS = {
    "¥": "¥", "￥": "¥", "元": "¥", "€": "€", "£": "£", "$": "$", "CNY": "¥", "RMB": "¥", "EUR": "€",
    "GBP": "£", "USD": "$",
}  # fmt: skip
_NEEDS = {"customer_id": "the customer", "ts": "the time", "product_id": "the product"}
# Kinds of which every row would be kept aside without a product; a review may be the shop's own.
_OF_PRODUCTS = (EventKind.CLICK, EventKind.CART, EventKind.PURCHASE, EventKind.RETURN)
_TEXTS = (EventKind.REVIEW.value, EventKind.INQUIRY.value)


def guess_file(found: Sample) -> FileMapping:
    """Guess how one file is to be read.

    Raises BadInput where what it needs cannot be found in it.
    """
    if names := _names_of(found):
        left = tuple(column for column in found.columns if column not in names.values())
        return FileMapping(found.path.name, "names", names, left_out=left)
    table, columns, at = _guess_table(found)
    kind, kinds = _guess_kind(found, columns) if table == "events" else (None, {})
    if kind in _OF_PRODUCTS and "product_id" not in columns:
        raise BadInput(_lacking(found, ["product_id"]))
    more_text: tuple[str, ...] = ()
    if kind is not None:
        _own_time(found, columns, EventKind(kind))
    if kind in _TEXTS:
        more_text = _join_texts(found, columns)
    used = {*columns.values(), *more_text}
    left = [column for column in found.columns if column not in used]
    attributes: tuple[str, ...] = ()
    if table == "customers":
        personal = _plain(headers.PERSONAL)
        attributes = tuple(column for column in left if headers.plain(column) not in personal)
        left = [column for column in left if column not in attributes]
    return FileMapping(
        path=found.path.name,
        table=table,
        columns=columns,
        kind=kind,
        kinds=kinds,
        time=_guess_time(found.values(columns["ts"])) if "ts" in columns else "year-first",
        at=at,
        more_text=more_text,
        decimal=_guess_decimal(found, columns),
        attributes=attributes,
        left_out=tuple(left),
    )


def _names_of(found: Sample) -> dict[str, str]:
    """The columns of a file that tells what keys are called; {} for any other file."""
    columns = {name: c for c in found.columns if (name := c.strip().lower()) in headers.NAME_FIELDS}
    return columns if {"kind", "key"} <= columns.keys() and columns.keys() & {"name_en", "name_zh"} else {}


@lru_cache(maxsize=64)
def _plain(words: tuple[str, ...]) -> dict[str, int]:
    """Words as they are compared -> how telling they are (0 the most)."""
    ranks: dict[str, int] = {}
    for rank, word in enumerate(words):
        ranks.setdefault(headers.plain(word), rank)
    return ranks


def _named(columns: Iterable[str], words: tuple[str, ...]) -> list[str]:
    """The columns that the words name, the most telling first."""
    ranks = _plain(words)
    hits = [(ranks[plain], plain, column) for column in columns if (plain := headers.plain(column)) in ranks]
    return [column for _, _, column in sorted(hits)]


def match_columns(columns: Sequence[str], fields: Sequence[str]) -> dict[str, str]:
    """Match columns to schema fields by name; each column and each field is used at most once.

    The more telling a name is for its field, the earlier it is taken; then the field's order.
    """
    offers = []
    for place, schema_field in enumerate(fields):
        ranks = _plain(headers.FIELDS[schema_field])
        for column in columns:
            plain = headers.plain(column)
            if plain in ranks:
                offers.append((ranks[plain], place, schema_field, column))
    chosen: dict[str, str] = {}
    for _, _, schema_field, column in sorted(offers):
        if schema_field not in chosen and column not in chosen.values():
            chosen[schema_field] = column
    return {f: chosen[f] for f in fields if f in chosen}


# Tables -------------------------------------------------------------------------------------
def _guess_table(found: Sample) -> tuple[str, dict[str, str], str | None]:
    """Return the table, its columns, and the day of all rows where the file has no times."""
    named = headers.table_in(found.path.name)
    order = [named] if named else []
    order += [table for table in ("events", "products", "customers") if table != named]
    guesses = {table: match_columns(found.columns, FIELDS_OF[table]) for table in order}
    if named in ("products", "customers"):
        _own_key(found, guesses[named], NEEDED[named][0])
    at = _day_of(found, guesses["events"], named)
    fits = [table for table in order if all(f in guesses[table] for f in NEEDED[table])]
    if "events" in fits and _sells(guesses["events"]):
        return "events", guesses["events"], None
    if at is not None:
        return "events", guesses["events"], at
    if "customers" in fits and "product_id" in guesses["events"]:
        fits.remove("customers")
    if not fits or (named and named not in fits):
        raise BadInput(_lacking(found, [f for f in NEEDED[order[0]] if f not in guesses[order[0]]]))
    if fits[0] == "products" and named != "products" and order_lines(found.columns):
        raise BadInput(_lacking(found, ["customer_id", "ts"]))
    return fits[0], guesses[fits[0]], None


def order_lines(columns: Sequence[str]) -> bool:
    """Whether columns are those of the lines of orders, with the customer and the time elsewhere."""
    lines = match_columns(columns, FIELDS_OF["events"])
    return {"basket_id", "product_id"} <= set(lines) and not {"customer_id", "ts"} <= set(lines)


def _lacking(found: Sample, fields: Sequence[str]) -> str:
    missing = [f"{_NEEDS[f]} ({f})" for f in fields]
    return (
        f"{found.path}: no column for {' or '.join(missing)} among {', '.join(found.columns)}; "
        "name it in a mapping file and pass it with --mapping"
    )


def _own_key(found: Sample, columns: dict[str, str], key: str) -> None:
    """A column that is plainly called "id" is the key of a file called after what it lists."""
    bare = [c for c in _named(found.columns, ("id", "code", "编号", "编码")) if c not in columns.values()]
    if key not in columns and bare:
        columns[key] = bare[0]


def _day_of(found: Sample, columns: dict[str, str], named: str | None) -> str | None:
    """The day that stands for the times of a file of behaviour that has none: when it was written."""
    about = {"product_id", "text", "rating"} & set(columns)
    if named != "events" or "ts" in columns or "customer_id" not in columns or not about:
        return None
    if not found.path.exists():
        return None
    return date.fromtimestamp(found.path.stat().st_mtime).isoformat()


def _sells(columns: dict[str, str]) -> bool:
    """Customer, time, product and how much of it: a line of sale, whatever the file is called."""
    return "product_id" in columns and bool({"quantity", "amount"} & set(columns))


# Events -------------------------------------------------------------------------------------
def _guess_kind(found: Sample, columns: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    """Return the kind of every row, or the kinds that the values of the column `kind` mean."""
    if "kind" in columns:
        known = {value: headers.kind_of(value) for value in dict.fromkeys(found.values(columns["kind"]))}
        if any(known.values()):
            return None, {value: kind.value for value, kind in known.items() if kind}
        del columns["kind"]
    kind = headers.kind_in(found.path.name) or _kind_of_headers(found.columns, columns)
    if kind is None:
        raise BadInput(
            f"{found.path}: nothing says what its rows are (purchase, browse, return ...); name the file "
            "after it, for example purchases.csv, or say `kind` in a mapping file"
        )
    return kind.value, {}


def _kind_of_headers(names: Sequence[str], columns: dict[str, str]) -> EventKind | None:
    """The kind that the headers speak of; how much was paid or bought makes it a sale or a return."""
    own = [kind for kind, words in headers.OWN_HEADERS.items() if _named(names, words)]
    timed = [kind for kind, words in headers.OWN_TIMES.items() if _named(names, words)]
    if {"amount", "quantity"} & set(columns):
        told = [kind for kind in (EventKind.RETURN, EventKind.REDEMPTION, EventKind.CART) if kind in timed]
        back = [kind for kind in (EventKind.RETURN, EventKind.REDEMPTION) if kind in own]
        return (back + told + [EventKind.PURCHASE])[0]
    if own or timed:
        return (own + timed)[0]
    return EventKind.PURCHASE if {"basket_id", "unit_price"} & set(columns) else None


def _own_time(found: Sample, columns: dict[str, str], kind: EventKind) -> None:
    """Of several times the one that is called after the kind of event: the return's, not the order's."""
    own = _named(found.columns, headers.OWN_TIMES[kind])
    if own and columns.get("ts") not in own:
        columns["ts"] = own[0]


def _join_texts(found: Sample, columns: dict[str, str]) -> tuple[str, ...]:
    """Make `text` what heads a review or an inquiry; return the columns that follow it.

    A title there is the review's, not the product's.
    """
    if headers.plain(columns.get("name", "")) in _plain((*headers.SUBJECTS, *headers.BODIES)):
        del columns["name"]
    taken = {column for schema_field, column in columns.items() if schema_field != "text"}
    free = [column for column in found.columns if column not in taken]
    heads = _named(free, headers.SUBJECTS)[:1]
    bodies = [column for column in _named(free, headers.BODIES) if column not in heads]
    if "text" in columns and columns["text"] not in heads:
        bodies = [columns["text"], *(column for column in bodies if column != columns["text"])]
    parts = heads + bodies[:1]
    if parts:
        columns["text"] = parts[0]
    return tuple(parts[1:])


# Values -------------------------------------------------------------------------------------
_SLASHED = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-]\d{4}")
_OFFSET = re.compile(r"(\d[zZ]|:\d\d(\.\d+)? ?[+-]\d\d:?\d{0,2})$")
_MOST = 0.9


def _mostly(values: Sequence[str], pattern: str) -> bool:
    return bool(values) and sum(bool(re.fullmatch(pattern, value)) for value in values) >= _MOST * len(values)


def _guess_time(values: Sequence[str]) -> str:
    """Month before day where nothing tells them apart (shown for confirmation)."""
    if _mostly(values, r"\d{9,10}(\.\d+)?"):
        return "epoch-seconds"
    if _mostly(values, r"\d{12,13}(\.0+)?"):
        return "epoch-milliseconds"
    pairs = [tuple(map(int, hit.groups())) for value in values if (hit := _SLASHED.match(value))]
    if len(pairs) * 2 <= len(values):
        return "year-first"
    return "day-first" if any(first > 12 for first, _ in pairs) else "month-first"


def _guess_decimal(found: Sample, columns: dict[str, str]) -> str:
    money = [columns[f] for f in ("amount", "unit_price", "price", "discount") if f in columns]
    values = [value for column in money for value in found.values(column)]
    comma = sum(bool(re.search(r"\d,\d{1,2}$", value)) and "." not in value[-3:] for value in values)
    separated = file_format(found.path) == "csv" and delimiter(found.path) != ","
    return "," if separated and values and comma * 2 > len(values) else "."


def guess_currency(samples: Sequence[Sample], entries: Sequence[FileMapping]) -> str:
    """Return the sign of money: one that stands beside it, else the yuan's where headers are Chinese."""
    for found, entry in zip(samples, entries, strict=True):
        for schema_field in ("amount", "unit_price", "price"):
            if schema_field in entry.columns:
                text = "".join([entry.columns[schema_field], *found.values(entry.columns[schema_field])])
                for sign, currency in _SIGNS.items():
                    if sign in text:
                        return currency
    return "¥" if _chinese(samples) else "$"


def guess_timezone(samples: Sequence[Sample], entries: Sequence[FileMapping]) -> str | None:
    """Return China's one time zone where headers are Chinese and every file's times are absolute.

    Absolute times are counted from the epoch or carry an offset. Elsewhere a zone cannot be told
    from the files: times stay as they are written.
    """
    timed = [(s, e) for s, e in zip(samples, entries, strict=True) if e.table == "events"]
    if not timed or not _chinese(samples):
        return None
    return "Asia/Shanghai" if all(absolute(found, entry) for found, entry in timed) else None


def absolute(found: Sample, entry: FileMapping) -> bool:
    """Whether nearly all times of a file are counted from the epoch or carry an offset."""
    values = found.values(entry.columns["ts"]) if "ts" in entry.columns else []
    offsets = sum(bool(_OFFSET.search(value)) for value in values)
    return bool(values) and (entry.time.startswith("epoch") or offsets >= _MOST * len(values))


def _chinese(samples: Sequence[Sample]) -> bool:
    return any(re.search(r"[\u4e00-\u9fff]", column) for found in samples for column in found.columns)
