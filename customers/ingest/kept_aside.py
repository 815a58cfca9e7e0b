"""Rows that cleaning kept aside, for people: listed with the rule and its reason, or as CSV or JSON."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customers.errors import BadInput
from customers.stores.events import EventStore


@dataclass(frozen=True, slots=True)
class KeptAside:
    """One row: its source, the rule it broke with the reason, and its own fields (or its line as `line`)."""

    source: str
    rule: str
    reason_en: str
    reason_zh: str
    row: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


_COUNTS = """
SELECT r.source, r.rule, count(*), any_value(q.reason_en), any_value(q.reason_zh)
FROM rejected r LEFT JOIN quality q ON q.source = r.source AND q.rule = r.rule
WHERE ($rule IS NULL OR r.rule = $rule) AND ($source IS NULL OR r.source = $source)
GROUP BY ALL ORDER BY 3 DESC, 1, 2
"""


def counts(store: EventStore, rule: str | None, source: str | None) -> list[tuple[str, str, int, str, str]]:
    """Return (source, rule, rows, reason in English, in Chinese) of rows kept aside, the most first."""
    found = store.backend.con.execute(_COUNTS, {"rule": rule, "source": source}).fetchall()
    return [(s or "", r, n, en or r, zh or r) for s, r, n, en, zh in found]


def rows(
    store: EventStore, rule: str | None = None, source: str | None = None, limit: int | None = None
) -> list[KeptAside]:
    """Return rows kept aside, in the order of source, rule and text; all of them without a `limit`.

    Raises BadInput, naming what there is, where no row was kept aside under that rule or source.
    """
    found = counts(store, rule, source)
    if not found and (rule or source):
        raise BadInput(nothing(store, rule, source))
    reasons = {(s, r): (en, zh) for s, r, _, en, zh in found}
    said = store.backend.con.execute(
        "SELECT coalesce(source, ''), rule, row FROM rejected WHERE ($rule IS NULL OR rule = $rule) AND "
        "($source IS NULL OR source = $source) ORDER BY 1, 2, 3 LIMIT $limit",
        {"rule": rule, "source": source, "limit": (1 << 62) if limit is None else limit},
    ).fetchall()
    return [KeptAside(s, r, *reasons[(s, r)], _fields(text)) for s, r, text in said]


def nothing(store: EventStore, rule: str | None, source: str | None) -> str:
    """One line: no row was kept aside for this, and what rows were."""
    all_of = counts(store, None, None)
    asked = " and ".join(
        part for part in (f"rule {rule!r}" if rule else "", f"source {source!r}" if source else "") if part
    )
    there = sorted({f"{r} ({s})" if source else r for s, r, *_ in all_of if source in (None, s) or not rule})
    return f"no rows are kept aside under {asked}; there are: {', '.join(there) or 'none at all'}"


def _fields(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError:
        row = text
    return row if isinstance(row, dict) else {"line": row}


def render(store: EventStore, found: Sequence[KeptAside], rule: str | None, source: str | None) -> str:
    """Return a listing for people: how many rows by source and rule, then the rows, empty fields left out."""
    lines = []
    by_rule = counts(store, rule, source)
    for where, name, many, reason_en, reason_zh in by_rule:
        lines.append(f"{where}  {name}: {many:,} rows, {reason_en} / {reason_zh}")
    total = sum(many for _, _, many, _, _ in by_rule)
    if not total:
        return "No rows are kept aside."
    lines.append("")
    for row in found:
        fields = ", ".join(f"{key}={value}" for key, value in row.row.items() if value not in (None, ""))
        lines.append(f"[{row.source} {row.rule}] {fields}")
    if total > len(found):
        lines.append(f"... and {total - len(found):,} more (--limit, or all of them with --csv FILE)")
    return "\n".join(lines)


def write_csv(found: Sequence[KeptAside], path: Path) -> None:
    """Write rows with source, rule and reason, one column a field. Raises BadInput where it cannot be."""
    fields = list(dict.fromkeys(field for row in found for field in row.row))
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        # With the mark that tells spreadsheets that this is UTF-8.
        with partial.open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.writer(file)
            out.writerow(["kept_aside_source", "kept_aside_rule", "kept_aside_reason", *fields])
            for row in found:
                out.writerow([row.source, row.rule, row.reason_en, *(row.row.get(f, "") for f in fields)])
        os.replace(partial, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error}); choose another file") from error
    finally:
        partial.unlink(missing_ok=True)
