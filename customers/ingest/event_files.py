"""One file of events brought into the store: read, sifted by the rules, and only what is new added.

A file whose columns are typed streams: it is scanned once to find which texts need cleaning, once for
all that is to be counted beforehand (see `looking`), once for the rules and once to add what is kept,
and only what breaks a rule is held.
Fences (the usual period, quantities and prices) come from every row of a small file and from an even
sample of a large one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import ibis

from customers.ingest import file_rules, marks
from customers.ingest.cleaning import REPEATED, REPEATED_REASON, Report, Rule, with_quantity_score
from customers.ingest.headers import PRODUCT_FIELDS
from customers.ingest.looking import Look, hashed, look
from customers.ingest.mapping import FileMapping
from customers.ingest.raw import Raw
from customers.ingest.sifting import Sifted, report_on, sift
from customers.ingest.values import (
    DETAILS,
    duplicates,
    fields,
    look_through,
    streams,
    values,
    with_id,
    with_print,
)
from customers.schema import EVENTS
from customers.stores.events import Column, EventStore, Table

# From this many rows on, fences come from a sample of about as many rows.
SAMPLED = 2_000_000
_FENCED = ("outside_period", "absurd_quantity", "unusual_quantity")
# Up to this many rows are held between the steps; more stream from the file at each.
HELD = 500_000

# A time is outside the period when it lies three spans of the bulk of the times (at least thirty
# days each) beyond it. The bulk leaves out a twentieth of the rows at each end, more where there
# are few rows, so that a handful of default dates (1970, 1900) cannot stretch it.
_PERIOD_SPANS, _LEAST_SPAN, _TAIL, _MOST_TAIL, _TAIL_ROWS = 3.0, 30 * 86400.0, 0.05, 0.25, 3


@dataclass(slots=True)
class Counts:
    """What became of a file's rows: `read` is `new` + `repeated` + `rejected`."""

    read: int = 0
    new: int = 0
    repeated: int = 0
    rejected: int = 0


@dataclass(slots=True)
class EventFile:
    """An event file that was read: its rows as values, `held` by the store or still in the file;
    whether `every` row is known to have an id of its own."""

    source: str
    entry: FileMapping
    rows: Table
    count: int
    held: bool
    malformed: list[str] = field(default_factory=list)
    every: bool = False

    @property
    def show(self) -> dict[str, str]:
        return shown(self.entry)


def shown(entry: FileMapping) -> dict[str, str]:
    """The file's own columns -> what `values.fields` calls them."""
    more = {column: f"more_{n}" for n, column in enumerate(entry.more_text)}
    return {column: f"raw_{field}" for field, column in entry.columns.items()} | more


def prepare(store: EventStore, source: str, raw: Raw, entry: FileMapping, timezone: str | None) -> EventFile:
    """Turn a file that was read into values; every row of it is looked at, so that a broken file shows."""
    if raw.in_file and raw.rows > HELD and streams(raw.table, entry):
        known = look_through(raw, entry)
        tidy = store.view(values(store, fields(raw.table, entry, known.careful), entry, timezone, known))
        return EventFile(source, entry, tidy, raw.rows, held=False, every=known.every)
    texts = store.hold(fields(raw.table, entry))
    rows = store.hold(values(store, texts, entry, timezone))
    store.release(texts)
    return EventFile(source, entry, rows, raw.rows, True, raw.malformed)


def load(
    store: EventStore, report: Report, file: EventFile, waive: frozenset[str]
) -> tuple[Counts, Table | None]:
    """Add a file's events to the store; return the counts and the products that they mention.

    Rows that break a rule go to `rejected`; events that the store has already, and rows that it
    kept aside already, are counted as repeated and not written again.
    """
    own = "event_id" in file.entry.columns
    printed = with_print(file.rows, own, file.every)
    seen = look(store, printed, file.count)
    rows = with_id(file.rows, own, file.every)
    rows = store.hold(rows) if file.held else store.view(rows)
    rows = _apart(store, rows, file.source) if own else rows
    later = duplicates(store, printed, seen.again, own, file.every)
    marked, rules = _marked(store, rows, later, file, seen)
    rules = [_said_of(rule, file.count) for rule in rules if rule.name not in waive]
    sifted = sift(store, file.source, marked, rows, file.count, rules, file.show)
    repeated = _repeated(store, rows, sifted)
    report_on(report, file.source, rows, sifted, repeated, file.show)
    aside = sifted.aside.mutate(source=ibis.literal(file.source))
    rejected = _count(aside)
    if rejected:
        store.append("rejected", aside)
    out = [sifted.aside.select("row_n"), sifted.known, *([] if repeated is None else [repeated])]
    again = sum(_count(table) for table in out[1:])
    kept = rows
    if rejected or again:
        kept = rows.anti_join(store.hold(ibis.union(*out)), "row_n")
    kept = kept.mutate(source=ibis.literal(file.source))
    store.append("events", kept.select(*EVENTS))
    counts = Counts(file.count, file.count - rejected - again, again, rejected)
    if again:
        report.add(file.source, REPEATED, *REPEATED_REASON, REPEATED, again, file.count)
    report.add_kept(file.source, counts.new, file.count)
    mentioned = _mentioned(store, kept, file.entry, file.source) if counts.new else None
    return counts, mentioned


def _said_of(rule: Rule, count: int) -> Rule:
    """The rule, its reason telling where a sample stood for all rows."""
    if count <= SAMPLED or rule.name not in _FENCED:
        return rule
    return replace(
        rule,
        reason_en=f"{rule.reason_en} (the usual, from an even sample of about {SAMPLED:,} rows)",
        reason_zh=f"{rule.reason_zh}(正常范围取自约 {SAMPLED:,} 行的均匀抽样)",
    )


def _count(rows: Table) -> int:
    return int(rows.count().to_pyarrow().as_py())


def _second(rows: Table, later: Table) -> Table:
    """Add `duplicate`: an event of the same id stands before this one in the file."""
    if not _count(later):
        return rows.mutate(duplicate=ibis.literal(False))
    joined = rows.left_join(later, [rows.row_n == later.duplicate_n])
    return joined.mutate(duplicate=joined.duplicate_n.notnull()).drop("duplicate_n")


def _marked(
    store: EventStore, rows: Table, later: Table, file: EventFile, seen: Look
) -> tuple[Table, list[Rule]]:
    """Add everything that the rules look at, and return the rules."""
    rules: list[Rule] = [*file_rules.EVENT_RULES]
    every = file.count // SAMPLED + 1
    number: Column = hashed(rows.row_n)
    fenced = rows.filter(number % every == 0) if every > 1 else rows
    listed = store.table("products").filter(ibis._.source.notnull())
    if _count(listed):
        rules.append(file_rules.UNKNOWN_PRODUCT)
        rows, fenced = _with_listed(rows, listed), _with_listed(fenced, listed)
    else:
        rows, fenced = (_unlisted(some) for some in (rows, fenced))
    campaigns = store.table("campaigns")
    if _count(campaigns):
        rules.append(file_rules.UNKNOWN_CAMPAIGN)
        known = campaigns.select(listed_campaign="campaign_id").distinct()
        rows = rows.left_join(known, [rows.campaign_id == known.listed_campaign])
    fenced = store.hold(fenced.select("ts", "quantity", score_group=_group(fenced)))
    rows = _in_period(store, _second(rows, later), fenced)
    grouped = _count(listed) > 0 or "category" in file.entry.columns
    rows = rows.mutate(score_group=_group(rows))
    rows = with_quantity_score(rows, "score_group" if grouped else None, ibis.literal(True), fenced)
    return marks.mark(store, rows, file.rows, seen), rules


def _with_listed(rows: Table, listed: Table) -> Table:
    listed = listed.select(listed="product_id", listed_category="category", listed_price="listed_price")
    return rows.left_join(listed, [rows.product_id == listed.listed])


def _unlisted(rows: Table) -> Table:
    nothing = ibis.null("string")
    return rows.mutate(listed=nothing, listed_category=nothing, listed_price=ibis.null("float64"))


def _group(rows: Table) -> Column:
    return ibis.coalesce(rows.listed_category, rows.category)


def _in_period(store: EventStore, rows: Table, sample: Table) -> Table:
    """Mark times far outside the usual period, of the sample's and of the events there already."""
    now = datetime.now() + timedelta(days=1)
    rows = rows.mutate(now=ibis.literal(now))
    seconds = sample.filter(sample.ts <= now).select(at=sample.ts.epoch_seconds())
    count = _count(seconds)
    if not count:
        return rows.mutate(outside=ibis.literal(False))
    tail = min(_MOST_TAIL, max(_TAIL, _TAIL_ROWS / count))
    ends = seconds.aggregate(low=seconds.at.quantile(tail), high=seconds.at.quantile(1 - tail))
    low, high = ends.to_pyarrow().to_pylist()[0].values()
    there = "SELECT epoch(min(ts)), epoch(max(ts)) FROM events"
    ((first, last),) = store.backend.con.execute(there).fetchall()
    margin = _PERIOD_SPANS * max(high - low, _LEAST_SPAN)
    low, high = low - margin, high + margin
    if first is not None:
        low, high = min(low, first), max(high, last)
    return rows.mutate(outside=~rows.ts.epoch_seconds().between(low, high))


def _apart(store: EventStore, rows: Table, source: str) -> Table:
    """Give events their source's name where the store has the id for another customer or time: two
    tills that both count from 1 speak of different events."""
    theirs = store.table("events").select(their_id="event_id", their_customer="customer_id", their_ts="ts")
    if not _count(theirs):
        return rows
    same = rows.inner_join(theirs, [rows.event_id == theirs.their_id])
    other = same.filter((same.customer_id != same.their_customer) | (same.ts != same.their_ts))
    clashing = store.hold(other.select(clash_n="row_n").distinct())
    if not _count(clashing):
        return rows
    joined = rows.left_join(clashing, [rows.row_n == clashing.clash_n])
    apart: Column = ibis.ifelse(joined.clash_n.isnull(), joined.event_id, joined.event_id + f"@{source}")
    return joined.mutate(event_id=apart).drop("clash_n")


def _repeated(store: EventStore, rows: Table, sifted: Sifted) -> Table | None:
    """The rows (row_n) of events that the store has, or kept aside as a robot's; None where it is new."""
    before = store.table("events").select("event_id")
    robots = store.table("rejected")
    robots = robots.filter(robots.rule == "robot")
    if not _count(before) and not _count(robots):
        return None
    theirs = robots.select(event_id=robots.row.cast("json")["event_id"].str)
    left = rows.select("row_n", "event_id").anti_join(sifted.aside, "row_n")
    left = left.anti_join(sifted.known, "row_n")
    return store.hold(left.semi_join(ibis.union(before, theirs), "event_id").select("row_n"))


def _mentioned(store: EventStore, kept: Table, entry: FileMapping, source: str) -> Table:
    """One row a product that the kept events speak of, with what they say of it."""
    said = [field for field in DETAILS if field in entry.columns]
    if not said:  # the store's own column is read faster than the file
        kept = store.table("events").filter(ibis._.source == source)
    about = kept.filter(kept.product_id.notnull())
    found = about.group_by("product_id").agg(**{field: about[field].max() for field in said})
    found = found.mutate(
        **{f: ibis.null("string") for f in DETAILS if f not in said}, price=ibis.null("float64")
    )
    return store.hold(found.select(*PRODUCT_FIELDS))
