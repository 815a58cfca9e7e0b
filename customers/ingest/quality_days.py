"""What the plots of the data-quality page show: events by day, before and after, and quantities."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta

import ibis

from customers.ingest import parsing
from customers.ingest.cleaning import ABSURD
from customers.ingest.load_mappings import remembered
from customers.stores.events import Column, EventStore, Table

# More columns than this are unreadable; days are put together into spans of equal length.
_MOST_COLUMNS, _BINS, _FURTHEST = 120, 40, 400


def by_day(store: EventStore) -> list[tuple[str, int, int]]:
    """Return (first day of the span, events kept, rows kept aside) in order of time.

    A row kept aside is counted where its own text still says a day within the kept events' period;
    the plot is of the period, rows of other days are in the table of rules.
    """
    con = store.backend.con
    kept = Counter(dict(con.execute("SELECT CAST(ts AS DATE), count(*) FROM events GROUP BY 1").fetchall()))
    kept.pop(None, None)
    if not kept:
        return []
    first, last = min(kept), max(kept)
    aside = Counter({d: n for d, n in _aside(store).items() if first <= d <= last})
    span = max(1, math.ceil(((last - first).days + 1) / _MOST_COLUMNS))
    found = []
    for start in range(0, (last - first).days + 1, span):
        days = [first + timedelta(days=start + step) for step in range(span)]
        found.append((str(days[0]), sum(kept[d] for d in days), sum(aside[d] for d in days)))
    return found


def _aside(store: EventStore) -> Counter[date]:
    """Days of the rows kept aside, as their texts and the mappings of their loads say."""
    days: Counter[date] = Counter()
    rejected = store.table("rejected")
    for source, column, written in _time_columns(store):
        rows = rejected.filter(rejected.source == source) if source is not None else rejected
        rows = rows.filter((rows.rule == "robot") if source is None else (rows.rule != "robot"))
        rows = rows.filter(rows.rule != "malformed_line")
        dated = rows.select(day=parsing.time(_field(rows, column), written).date())
        for row in dated.group_by("day").agg(rows=dated.count()).to_pyarrow().to_pylist():
            if row["day"] is not None:
                days[row["day"]] += int(row["rows"])
    return days


def _time_columns(store: EventStore) -> list[tuple[str | None, str, str]]:
    """(source, its column of time, how it is written) of every file; None: robots, kept aside later."""
    files: list[tuple[str | None, str, str]] = [
        (source, entry.columns["ts"], entry.time)
        for source, (_, entry) in remembered(store).items()
        if "ts" in entry.columns
    ]
    return [(None, "ts", "year-first"), *files]


@ibis.udf.scalar.builtin(name="json_extract_string")
def json_text(document: str, path: str) -> str:
    """A value of a JSON text as text; built into DuckDB."""
    ...


def quantities(store: EventStore) -> tuple[list[tuple[str, int, int]], float, float]:
    """Return bins of quantity sold (label, rows kept, rows kept aside), the fence, and its place (0..1).

    Bins are even in logarithms. The fence shown is that of all sales together: the median times
    exp(8 robust standard deviations of log quantity, at least log 2 each); the rule looks at each
    category by itself.
    """
    con = store.backend.con
    sold = con.execute(
        "SELECT ln(quantity), count(*) FROM events WHERE kind = 'purchase' AND quantity > 0 GROUP BY 1"
    ).fetchall()
    if not sold:
        return [], 0.0, 0.0
    centre = _median(sold)
    spread = max(_median([(abs(at - centre), n) for at, n in sold]) * 1.4826, math.log(2))
    fence = centre + ABSURD * spread
    aside = [(min(at, _FURTHEST), 1) for at in _absurd(store)]
    low = min(at for at, _ in sold)
    high = max([fence + spread, *(at for at, _ in aside)])
    step = (high - low) / _BINS or 1.0
    kept_bins, aside_bins = Counter[int](), Counter[int]()
    for bins, values in ((kept_bins, sold), (aside_bins, aside)):
        for at, rows in values:
            bins[min(int((at - low) / step), _BINS - 1)] += int(rows)
    bins = [(f"{_figure(math.exp(low + step * n))}", kept_bins[n], aside_bins[n]) for n in range(_BINS)]
    return bins, math.exp(fence), (fence - low) / (high - low)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _absurd(store: EventStore) -> list[float]:
    """Log quantities of the rows kept aside as absurd, read by each source's mapping."""
    found: list[float] = []
    for source, (_, entry) in remembered(store).items():
        if "quantity" in entry.columns:
            rejected = store.table("rejected")
            rows = rejected.filter((rejected.source == source) & (rejected.rule == "absurd_quantity"))
            number = parsing.number(_field(rows, entry.columns["quantity"]), entry.decimal)
            found += [math.log(n) for n in rows.select(n=number).to_pyarrow()["n"].to_pylist() if n and n > 0]
    return found


def _field(rejected: Table, column: str) -> Column:
    pointer = column.replace("~", "~0").replace("/", "~1")  # RFC 6901
    return json_text(rejected.row, ibis.literal(f"/{pointer}"))


def _median(weighted: list[tuple[float, int]]) -> float:
    half, seen = sum(rows for _, rows in weighted) / 2, 0
    for at, rows in sorted(weighted):
        seen += rows
        if seen >= half:
            return at
    return 0.0
