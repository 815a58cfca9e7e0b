"""How one plain file is read: which column is what, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass, field

from customers.ingest import headers

FIELDS_OF = {
    "events": headers.EVENT_FIELDS,
    "products": headers.PRODUCT_FIELDS,
    "customers": headers.CUSTOMER_FIELDS,
    "names": headers.NAME_FIELDS,
}
NEEDED = {
    "events": ("customer_id", "ts"),
    "products": ("product_id",),
    "customers": ("customer_id",),
    "names": ("kind", "key"),
}
TIMES = ("year-first", "month-first", "day-first", "epoch-seconds", "epoch-milliseconds")


@dataclass(frozen=True, slots=True)
class FileMapping:
    """How one file is read.

    `path` its name; `table` "events", "products", "customers" or "names"; `columns` schema field -> column
    of the file; `kind` the event kind of every row where no column says it; `kinds` values of the
    kind column -> event kind; `time` how times are written (one of TIMES); `at` the day of every
    row (YYYY-MM-DD) where no column says when it was; `more_text` columns that follow the one of
    `text`, a line each (a subject and its body); `decimal` the decimal sign of numbers;
    `attributes` columns of a customer file that become attributes; `left_out` columns that are not
    used.
    """

    path: str
    table: str
    columns: dict[str, str]
    kind: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    time: str = "year-first"
    at: str | None = None
    more_text: tuple[str, ...] = ()
    decimal: str = "."
    attributes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def used(self) -> list[str]:
        """Return the file's columns that are read."""
        return [*self.columns.values(), *self.more_text, *self.attributes]
