"""Which column of a plain file is what: guessed from headers, or read from YAML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from customers.errors import BadInput
from customers.ingest import headers
from customers.ingest.clock import zone
from customers.ingest.reading import Sample, delimiter, expand, file_format, sample
from customers.schema import EventKind

FIELDS_OF = {
    "events": headers.EVENT_FIELDS,
    "products": headers.PRODUCT_FIELDS,
    "customers": headers.CUSTOMER_FIELDS,
}
NEEDED = {"events": ("customer_id", "ts"), "products": ("product_id",), "customers": ("customer_id",)}
TIMES = ("year-first", "month-first", "day-first", "epoch-seconds", "epoch-milliseconds")
_SIGNS = {"¥": "¥", "￥": "¥", "元": "¥", "€": "€", "£": "£", "$": "$"}
_NEEDS = {"customer_id": "the customer", "ts": "the time", "product_id": "the product"}


@dataclass(frozen=True, slots=True)
class FileMapping:
    """How one file is read.

    `path` its name; `table` "events", "products" or "customers"; `columns` schema field -> column
    of the file; `kind` the event kind of every row where no column says it; `kinds` values of the
    kind column -> event kind; `time` how times are written (one of TIMES); `decimal` the decimal
    sign of numbers; `attributes` columns of a customer file that become attributes; `left_out`
    columns that are not used.
    """

    path: str
    table: str
    columns: dict[str, str]
    kind: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    time: str = "year-first"
    decimal: str = "."
    attributes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a set of files is read. `timezone` None: times are local already; else times are UTC (or
    carry an offset) and become local times of that zone. `currency` is the sign of all money."""

    files: tuple[FileMapping, ...]
    currency: str = "$"
    timezone: str | None = None

    def for_file(self, path: Path) -> FileMapping:
        """Return the file's mapping. Raises BadInput where there is none."""
        for entry in self.files:
            if entry.path == path.name or Path(entry.path) == path:
                return entry
        raise BadInput(f"{path}: is not in the mapping; add it under `files` or leave the file out")

    def to_yaml(self) -> str:
        """Return the mapping as YAML that `from_yaml` reads back."""
        document = {
            "currency": self.currency,
            "timezone": self.timezone,
            "files": [_entry(entry) for entry in self.files],
        }
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str, source: str = "mapping") -> Mapping:
        """Read a mapping. Raises BadInput, naming `source`, where it is not a sound one."""
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BadInput(f"{source}: not readable YAML ({_one_line(error)}); mend it") from error
        if not isinstance(document, dict) or not isinstance(document.get("files"), list):
            raise BadInput(f"{source}: has no list `files`; start from the mapping that a guess prints")
        timezone = document.get("timezone")
        if timezone is not None:
            zone(str(timezone))
        return cls(
            files=tuple(_parse(entry, source) for entry in document["files"]),
            currency=str(document.get("currency") or "$"),
            timezone=None if timezone is None else str(timezone),
        )

    def table(self) -> str:
        """Return the mapping as text for people, one line a column."""
        lines = [f"Currency {self.currency}; times {_times(self.timezone)}"]
        for entry in self.files:
            lines += ["", f"{entry.path}: {entry.table}{_kind_words(entry)}"]
            lines += [f"  {_padded(column)} -> {meaning}" for meaning, column in entry.columns.items()]
            lines += [f"  {_padded(column)} -> attribute" for column in entry.attributes]
            lines += [f"  {_padded(column)}    left out" for column in entry.left_out]
        return "\n".join(lines)


def _padded(column: str, width: int = 28) -> str:
    """Pad to a width in terminal cells; Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in column)
    return column + " " * max(0, width - len(column) - wide)


def _times(timezone: str | None) -> str:
    return "are local times" if timezone is None else f"are UTC and become {timezone}"


def _kind_words(entry: FileMapping) -> str:
    if entry.table != "events":
        return ""
    kind = (
        f"kind from column {entry.columns['kind']}"
        if "kind" in entry.columns
        else f"every row a {entry.kind}"
    )
    return f" ({kind}; times {entry.time}; decimal sign {entry.decimal})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _entry(entry: FileMapping) -> dict[str, Any]:
    document: dict[str, Any] = {"path": entry.path, "table": entry.table, "columns": dict(entry.columns)}
    if entry.table == "events":
        document |= {"kind": entry.kind, "kinds": dict(entry.kinds), "time": entry.time}
    document["decimal"] = entry.decimal
    if entry.attributes:
        document["attributes"] = list(entry.attributes)
    if entry.left_out:
        document["left_out"] = list(entry.left_out)
    return document


def _parse(entry: Any, source: str) -> FileMapping:
    if not isinstance(entry, dict) or not entry.get("path"):
        raise BadInput(f"{source}: an entry of `files` has no `path`; name the file")
    name = f"{source}, {entry['path']}"
    table = str(entry.get("table"))
    if table not in FIELDS_OF:
        raise BadInput(f"{name}: table is {table!r}; write events, products or customers")
    parsed = FileMapping(
        path=str(entry["path"]),
        table=table,
        columns=_texts(entry.get("columns"), f"{name}: `columns`"),
        kind=None if entry.get("kind") is None else str(entry["kind"]),
        kinds=_texts(entry.get("kinds"), f"{name}: `kinds`"),
        time=str(entry.get("time") or "year-first"),
        decimal=str(entry.get("decimal") or "."),
        attributes=_list(entry.get("attributes"), f"{name}: `attributes`"),
        left_out=_list(entry.get("left_out"), f"{name}: `left_out`"),
    )
    _check(parsed, name)
    return parsed


def _texts(value: Any, name: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, MappingOf):
        raise BadInput(f"{name} must be pairs of NAME: VALUE; mend it")
    return {str(key): str(text) for key, text in value.items() if text is not None}


def _list(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(f"{name} must be a list of columns; mend it")
    return tuple(map(str, value))


def _check(entry: FileMapping, name: str) -> None:
    allowed = FIELDS_OF[entry.table]
    if unknown := [f for f in entry.columns if f not in allowed]:
        raise BadInput(f"{name}: {', '.join(unknown)} is no field of {entry.table}; use {', '.join(allowed)}")
    if missing := [f for f in NEEDED[entry.table] if f not in entry.columns]:
        raise BadInput(f"{name}: no column for {', '.join(missing)}; add it under `columns`")
    if entry.time not in TIMES:
        raise BadInput(f"{name}: time is {entry.time!r}; write one of {', '.join(TIMES)}")
    if entry.decimal not in (".", ","):
        raise BadInput(f"{name}: decimal is {entry.decimal!r}; write '.' or ','")
    kinds = [*entry.kinds.values(), *([entry.kind] if entry.kind else [])]
    if wrong := [kind for kind in kinds if kind not in set(EventKind)]:
        raise BadInput(f"{name}: {wrong[0]!r} is no event kind; use {', '.join(EventKind)}")
    if entry.table == "events" and not entry.kind and "kind" not in entry.columns:
        raise BadInput(f"{name}: neither `kind` nor a column for it; say for example `kind: purchase`")


# Guessing -----------------------------------------------------------------------------------


def guess_mapping(paths: Sequence[Path]) -> Mapping:
    """Guess from file names, headers and first rows how the files are to be read.

    Raises BadInput where a file cannot be read, or where what it needs cannot be found in it.
    """
    samples = [sample(path) for path in expand(paths)]
    entries = tuple(_guess_file(found) for found in samples)
    return Mapping(entries, currency=_guess_currency(samples, entries))


def _guess_file(found: Sample) -> FileMapping:
    table, columns = _guess_table(found)
    left = [column for column in found.columns if column not in columns.values()]
    attributes: tuple[str, ...] = ()
    if table == "customers":
        personal = {headers.plain(word) for word in headers.PERSONAL}
        attributes = tuple(column for column in left if headers.plain(column) not in personal)
        left = [column for column in left if column not in attributes]
    kind, kinds = _guess_kind(found, columns) if table == "events" else (None, {})
    return FileMapping(
        path=found.path.name,
        table=table,
        columns=columns,
        kind=kind,
        kinds=kinds,
        time=_guess_time(found.values(columns["ts"])) if "ts" in columns else "year-first",
        decimal=_guess_decimal(found, columns),
        attributes=attributes,
        left_out=tuple(left),
    )


def _guess_table(found: Sample) -> tuple[str, dict[str, str]]:
    named = headers.table_in(found.path.name)
    order = [named] if named else []
    order += [table for table in ("events", "products", "customers") if table != named]
    guesses = {table: match_columns(found.columns, FIELDS_OF[table]) for table in order}
    fits = [table for table in order if all(f in guesses[table] for f in NEEDED[table])]
    if "events" in fits and _sells(guesses["events"]):
        return "events", guesses["events"]
    if "customers" in fits and "product_id" in guesses["events"]:
        fits.remove("customers")
    if not fits or (named and named not in fits):
        table = order[0]
        missing = [f"{_NEEDS[f]} ({f})" for f in NEEDED[table] if f not in guesses[table]]
        raise BadInput(
            f"{found.path}: no column for {' or '.join(missing)} among {', '.join(found.columns)}; "
            "name it in a mapping file and pass it with --mapping"
        )
    return fits[0], guesses[fits[0]]


def _sells(columns: dict[str, str]) -> bool:
    """Customer, time, product and how much of it: a line of sale, whatever the file is called."""
    return "product_id" in columns and bool({"quantity", "amount"} & set(columns))


def match_columns(columns: Sequence[str], fields: Sequence[str]) -> dict[str, str]:
    """Match columns to schema fields by name; each column and each field is used at most once.

    The more telling a name is for its field, the earlier it is taken; then the field's order.
    """
    plain = {column: headers.plain(column) for column in columns}
    offers = []
    for place, schema_field in enumerate(fields):
        for rank, word in enumerate(headers.FIELDS[schema_field]):
            wanted = headers.plain(word)
            offers += [(rank, place, schema_field, c) for c in columns if plain[c] and plain[c] == wanted]
    chosen: dict[str, str] = {}
    for _, _, schema_field, column in sorted(offers):
        if schema_field not in chosen and column not in chosen.values():
            chosen[schema_field] = column
    return {f: chosen[f] for f in fields if f in chosen}


def _guess_kind(found: Sample, columns: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    if "kind" in columns:
        known = {value: headers.kind_of(value) for value in dict.fromkeys(found.values(columns["kind"]))}
        if any(known.values()):
            return None, {value: kind.value for value, kind in known.items() if kind}
        del columns["kind"]
    named = headers.kind_in(found.path.name)
    if named:
        return named.value, {}
    if {"amount", "quantity", "basket_id"} & set(columns):
        return EventKind.PURCHASE.value, {}
    raise BadInput(
        f"{found.path}: nothing says what its rows are (purchase, browse, return ...); name the file "
        "after it, for example purchases.csv, or say `kind` in a mapping file"
    )


_SLASHED = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-]\d{4}")


def _guess_time(values: Sequence[str]) -> str:
    """Month before day where nothing tells them apart (shown for confirmation)."""
    if values and all(re.fullmatch(r"\d{10}(\.\d+)?", value) for value in values):
        return "epoch-seconds"
    if values and all(re.fullmatch(r"\d{13}(\.0)?", value) for value in values):
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


def _guess_currency(samples: Sequence[Sample], entries: Sequence[FileMapping]) -> str:
    for found, entry in zip(samples, entries, strict=True):
        for schema_field in ("amount", "unit_price", "price"):
            if schema_field in entry.columns:
                text = "".join([entry.columns[schema_field], *found.values(entry.columns[schema_field])])
                for sign, currency in _SIGNS.items():
                    if sign in text:
                        return currency
    chinese = any(re.search(r"[\u4e00-\u9fff]", column) for found in samples for column in found.columns)
    return "¥" if chinese else "$"
