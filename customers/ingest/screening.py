"""Robots: customers whose behaviour over time no human has, found in the whole store after a load.

Two plain aggregates over all customers find the few that deserve a closer look; only theirs are the
events that are put in order. What a robot looked at goes to `rejected` under the rule `robot`; what
was bought under its name stays, for someone paid for it.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, replace

import ibis

from customers.ingest.cleaning import DROPPED, EXAMPLES, Finding, Report, as_json
from customers.ingest.looking import VISIT
from customers.ingest.rates import HOURS_AWAKE, counted
from customers.schema import EVENTS, EventKind
from customers.stores.events import EventStore, Table

RULE = "robot"
REASON_EN = "browsed by a robot ({why})"
REASON_ZH = "机器人的浏览行为({why})"

# Below this many events nothing is said of a customer; below this many customers none is compared.
LEAST_EVENTS, LEAST_CUSTOMERS = 30, 20
# Robust standard deviations of log rate above the shop's median that no human reaches; the deviation
# is never taken below one doubling, so that this is thirty-two times the usual rate at the least. Who
# never bought anything is held to the lower mark, of all events.
RATE_SCORE, IDLE_SCORE, _LOOK_SCORE = 5.0, 4.0, 2.5
# Inhuman gaps: half of them shorter than a person can read a page; or nine tenths of them within a
# tenth of the middle one. A shop whose ordinary customers have such gaps logs several events a page.
GAP_SECONDS, EVEN_GAPS, _EVEN_MOST_SECONDS, _LOGGED_SECONDS = 1.5, 0.1, 3600.0, 3.0
# So large a share of a customer's days must be round the clock, for a household's or a café's account
# may see one sleepless night.
_SLEEPLESS = 0.3
_ORDINARY = 200

_WORDS = {
    "gaps": ("less than 1.5 s between events", "事件间隔不足 1.5 秒"),
    "even": ("evenly spaced events", "事件间隔几乎恒定"),
    "clock": ("active round the clock", "昼夜不停"),
    "hour": ("events per hour far beyond all others", "每小时事件数远超其他客户"),
    "day": ("events per day far beyond all others", "每日事件数远超其他客户"),
    "idle": ("huge browsing and never a purchase", "大量浏览却从未购买"),
}


@dataclass(frozen=True, slots=True)
class Robot:
    """One customer taken for a robot: how many events, and why (keys of the words of both languages)."""

    customer_id: str
    events: int
    why: tuple[str, ...]


def screen(store: EventStore, report: Report, waive: frozenset[str] = frozenset()) -> None:
    """Keep aside what robots browsed, clicked, searched and put in carts, and say so in `report`.

    Runs inside the load's transaction. A customer that an earlier load found stays one; those that
    were put back (`waived` in the store) are left alone, and so is everyone if `waive` names the rule.
    """
    if RULE in waive or "events" not in store.tables():
        return
    left_alone = put_back(store)
    found = [robot for robot in robots(store) if robot.customer_id not in left_alone]
    ids = sorted({robot.customer_id for robot in found} | (_known(store) - left_alone))
    if not ids:
        return
    events = store.table("events")
    events = events.mutate(place=events.rowid())
    theirs = store.hold(events.filter(events.kind.isin(VISIT) & events.customer_id.isin(ids)))
    _file(store, report, found, theirs)
    store.append("rejected", _aside(theirs))
    con = store.backend.con
    con.execute(f'DELETE FROM events WHERE rowid IN (SELECT place FROM temp.main."{theirs.op().name}")')
    store.release(theirs)


def put_back(store: EventStore) -> set[str]:
    """Return the customers that were taken for robots and put back: they are left alone."""
    return _texts(store, "waived", f"SELECT DISTINCT row FROM waived WHERE rule = '{RULE}'")


def _known(store: EventStore) -> set[str]:
    """Customers that an earlier load took for robots; what a later load brings of them is kept aside too."""
    customer = "json_extract_string(row, '$.customer_id')"
    return _texts(store, "rejected", f"SELECT DISTINCT {customer} FROM rejected WHERE rule = '{RULE}'")


def _texts(store: EventStore, table: str, query: str) -> set[str]:
    if table not in store.tables():
        return set()
    return {text for (text,) in store.backend.con.execute(query).fetchall() if text is not None}


def _aside(events: Table) -> Table:
    """Return events of the store as rows of `rejected`: all fields as JSON, so that they can go back."""
    return events.select(source=events.source, rule=ibis.literal(RULE), row=as_json(events, tuple(EVENTS)))


def _file(store: EventStore, report: Report, found: list[Robot], theirs: Table) -> None:
    """Count the events of robots in the report, source by source."""
    counts = theirs.group_by("source").agg(rows=theirs.count()).order_by("source").to_pyarrow().to_pylist()
    reasons = dict.fromkeys(why for robot in found for why in robot.why)
    why_en, why_zh = (", ".join(_WORDS[key][place] for key in reasons) for place in (0, 1))
    robots_en = f"{len(found)} customers: {why_en}" if found else "found by an earlier load"
    robots_zh = f"{len(found)} 位客户:{why_zh}" if found else "此前已识别"
    examples = json.dumps([asdict(robot) for robot in found[:EXAMPLES]], ensure_ascii=False)
    for count in counts:
        source, rows = count["source"] or "", int(count["rows"])
        read = [f.rows for f in report.findings if f.source == source and f.rule == "read"]
        report.findings = [
            replace(f, rows=f.rows - rows) if f.source == source and f.rule == "kept" else f
            for f in report.findings
        ]
        report.findings.append(
            Finding(source, RULE, REASON_EN.format(why=robots_en), REASON_ZH.format(why=robots_zh), DROPPED,
                    rows, read[0] if read else rows, examples)
        )  # fmt: skip


def robots(store: EventStore) -> list[Robot]:
    """Return the customers whose browsing, clicking, searching and carts are no human's, most events first."""
    rates = store.hold(_rates(store))
    scored = store.hold(_scored(store, rates))
    close = scored.filter(
        (scored.events >= LEAST_EVENTS)
        & (
            (scored.busiest_hour >= LEAST_EVENTS)
            | (scored.sleepless >= _SLEEPLESS)
            | (scored.hour_score > _LOOK_SCORE)
            | (scored.day_score > _LOOK_SCORE)
            | (scored.total_score > _LOOK_SCORE)
        )
    )
    suspects = close.to_pyarrow().to_pylist()
    gaps = _gaps(store, [row["customer_id"] for row in suspects])
    logged = _ordinary_gap(store, scored) if suspects else None
    found = [
        Robot(row["customer_id"], row["events"], why)
        for row in suspects
        if (why := _why(row, gaps.get(row["customer_id"]), logged))
    ]
    return sorted(found, key=lambda robot: (-robot.events, robot.customer_id))


def _rates(store: EventStore) -> Table:
    """One row a customer: events of a visit, by hour and day, and whether something was ever bought."""
    found = counted(store)
    found = _grouped(store.table("events")) if found is None else found
    return found.mutate(per_hour=found.events / found.hours, per_day=found.events / found.days)


def _grouped(events: Table) -> Table:
    """What `rates.counted` counts, whatever the events."""
    visits = events.filter(events.kind.isin(VISIT))
    hours = visits.group_by("customer_id", at=visits.ts.truncate("h")).agg(hour_events=visits.count())
    days = hours.group_by("customer_id", day=hours.at.date()).agg(
        day_events=hours.hour_events.sum(), day_hours=hours.count(), busiest=hours.hour_events.max()
    )
    each = days.group_by("customer_id").agg(
        events=days.day_events.sum(), days=days.count(), hours=days.day_hours.sum(),
        sleepless=(days.day_hours >= HOURS_AWAKE).mean(), busiest_hour=days.busiest.max(),
    )  # fmt: skip
    bought = events.filter(events.kind == EventKind.PURCHASE.value).select(buyer="customer_id").distinct()
    joined = each.left_join(bought, [each.customer_id == bought.buyer])
    return joined.mutate(bought=joined.buyer.notnull()).drop("buyer")


def _scored(store: EventStore, rates: Table) -> Table:
    """Add `hour_score`, `day_score` and `total_score` (robust, in logs); 0 where too few can be compared."""
    measures = {"hour_score": "per_hour", "day_score": "per_day", "total_score": "events"}
    comparable = rates.filter(rates.events > 1)
    centre = comparable.aggregate(
        many=comparable.count(), **{s: comparable[m].log().median() for s, m in measures.items()}
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    if centre["many"] < LEAST_CUSTOMERS:
        return rates.mutate(**dict.fromkeys(measures, ibis.literal(0.0)))
    off = {s: (comparable[m].log() - centre[s]).abs().median() for s, m in measures.items()}
    spread = comparable.aggregate(**off).to_pyarrow().to_pylist()[0]
    return rates.mutate(**{
        s: (rates[m].log() - centre[s]) / max(spread[s] * 1.4826, math.log(2)) for s, m in measures.items()
    })  # fmt: skip


def _gaps(store: EventStore, customers: list[str]) -> dict[str, dict]:
    """Median, first and last decile of the seconds between a customer's distinct instants."""
    if not customers:
        return {}
    events = store.table("events")
    wanted = store.hold(ibis.memtable({"customer_id": customers}, schema={"customer_id": "string"}))
    theirs = events.filter(events.kind.isin(VISIT)).semi_join(wanted, "customer_id")
    times = theirs.select("customer_id", at=theirs.ts.epoch_seconds()).distinct()
    order = ibis.window(group_by="customer_id", order_by="at")
    steps = times.mutate(gap=times.at - times.at.lag().over(order))
    steps = steps.filter(steps.gap.notnull())
    found = steps.group_by("customer_id").agg(
        gaps=steps.count(),
        middle=steps.gap.median(),
        low=steps.gap.quantile(0.1),
        high=steps.gap.quantile(0.9),
    )
    return {row["customer_id"]: row for row in found.to_pyarrow().to_pylist()}


def _ordinary_gap(store: EventStore, scored: Table) -> float | None:
    """The usual median gap, in seconds, of ordinary customers with as many events; None without any."""
    plain = scored.filter((scored.events >= LEAST_EVENTS) & (scored.hour_score <= _LOOK_SCORE))
    picked = plain.order_by(plain.customer_id.hash()).limit(_ORDINARY)
    gaps = _gaps(store, picked.to_pyarrow()["customer_id"].to_pylist())
    return statistics.median(row["middle"] for row in gaps.values()) if len(gaps) >= LEAST_CUSTOMERS else None


def _why(row: dict, gaps: dict | None, logged: float | None) -> tuple[str, ...]:
    why = []
    gaps = gaps if gaps is not None and gaps["gaps"] >= LEAST_EVENTS else None
    if gaps and gaps["middle"] < GAP_SECONDS and (logged is None or logged >= _LOGGED_SECONDS):
        why.append("gaps")
    if gaps and gaps["middle"] < _EVEN_MOST_SECONDS and _even(gaps):
        why.append("even")
    if row["sleepless"] >= _SLEEPLESS:
        why.append("clock")
    if row["hour_score"] > RATE_SCORE:
        why.append("hour")
    if row["day_score"] > RATE_SCORE:
        why.append("day")
    if row["total_score"] > IDLE_SCORE and not row["bought"]:
        why.append("idle")
    return tuple(why)


def _even(gaps: dict) -> bool:
    """Nine tenths of the gaps within a tenth of the middle one; gaps of a bare second or minute say nothing."""
    return (
        gaps["middle"] > 2
        and gaps["middle"] != 60
        and gaps["high"] - gaps["low"] <= 2 * EVEN_GAPS * gaps["middle"]
    )
