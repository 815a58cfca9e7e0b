"""Robots are told from people: planted ones of every sort found, heavy and few-event customers left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pytest

from customers.ingest.cleaning import Report
from customers.ingest.screening import robots, screen
from customers.stores import events
from customers.stores.events import EventStore, Table

START = datetime(2024, 3, 1)
FULL_SAMPLE = Path(__file__).parents[1] / "var" / "complete-journey" / "store" / "shop.duckdb"


class Log:
    """Events as rows, in the order they are told."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def add(self, who: str, at: datetime, kind: str = "browse") -> None:
        self.rows.append(
            {
                "event_id": f"e{len(self.rows)}",
                "kind": kind,
                "customer_id": who,
                "ts": at,
                "source": "web.csv",
            }
        )

    def humans(self, many: int, seed: int = 3) -> Log:
        """Visits of lognormal number and length, by day, with pauses of seconds to minutes."""
        draw = np.random.default_rng(seed)
        for n in range(many):
            for _ in range(int(draw.lognormal(1.2, 0.9)) + 1):
                at = START + timedelta(days=int(draw.integers(60)), hours=float(draw.uniform(8, 23)))
                for _ in range(int(draw.lognormal(1.5, 0.8)) + 1):
                    self.add(f"h{n}", at)
                    at += timedelta(seconds=float(draw.lognormal(3, 1)) + 1)
                if draw.random() < 0.3:
                    self.add(f"h{n}", at, "purchase")
        return self

    def steady(self, who: str, many: int, gap: float, jitter: float = 0.0, start: datetime = START) -> Log:
        draw = np.random.default_rng(5)
        at = start + timedelta(hours=9)
        for _ in range(many):
            self.add(who, at)
            at += timedelta(seconds=gap * (1 + jitter * float(draw.uniform(-1, 1))))
        return self


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with events.create(tmp_path / "shop.duckdb") as made:
        yield made


def as_table(rows: list[dict]) -> Table:
    return ibis.memtable(pa.Table.from_pylist(rows))


def found(store: EventStore, log: Log) -> dict[str, tuple[str, ...]]:
    store.write("events", as_table(log.rows))
    return {robot.customer_id: robot.why for robot in robots(store)}


def test_people_are_no_robots(store: EventStore):
    assert found(store, Log().humans(400)) == {}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (Log().humans(60).steady("r", 60, 1.0), "gaps"),
        (Log().humans(60).steady("r", 200, 30.0, 0.05), "even"),
        (Log().humans(60).steady("r", 200, 900.0, 0.9), "clock"),
        (Log().humans(60).steady("r", 3000, 20.0, 0.9), "day"),
        (Log().humans(60).steady("r", 6000, 60.0, 0.9), "idle"),
        (Log().humans(60).steady("r", 3000, 1.2, 0.9), "hour"),
    ],
)
def test_each_sort_of_robot_is_found_alone(store: EventStore, log: Log, why: str):
    who = found(store, log)
    assert set(who) == {"r"}
    assert why in who["r"]


def test_few_customers_are_not_compared_but_machines_show(store: EventStore):
    log = Log()
    for n in range(5):
        log.add(f"h{n}", START + timedelta(hours=n))
    log.steady("busy", 400, 40.0, 0.9).steady("r", 400, 2.5, 0.0)
    assert set(found(store, log)) == {"r"}


def test_times_of_bare_days_and_minutes_are_no_machine(store: EventStore):
    log = Log()
    for n in range(40):
        for day in range(60):
            log.add(f"d{n}", START + timedelta(days=day))
        for minute in range(40):
            log.add(f"m{n}", START + timedelta(hours=10, minutes=minute))
    assert found(store, log) == {}


def test_a_shop_that_logs_several_events_a_page(store: EventStore):
    log = Log()
    for n in range(40):
        at = START + timedelta(hours=10 + n % 8)
        for _ in range(30):
            for second in range(4):
                log.add(f"h{n}", at + timedelta(seconds=second), "click")
            at += timedelta(seconds=30 + n)
    log.steady("r", 4000, 1.0)
    assert set(found(store, log)) == {"r"}


def test_a_robots_looking_goes_aside_and_its_purchase_stays(store: EventStore):
    log = Log().humans(60).steady("r", 100, 1.0)
    log.add("r", START + timedelta(days=3), "purchase")
    store.write("events", as_table(log.rows))
    report = Report()
    report.add_read("web.csv", len(log.rows))
    report.add_kept("web.csv", len(log.rows), len(log.rows))
    screen(store, report)
    con = store.backend.con
    assert con.execute("SELECT kind, count(*) FROM events WHERE customer_id = 'r' GROUP BY 1").fetchall() == [
        ("purchase", 1)
    ]
    rows = con.execute("SELECT source, rule, row FROM rejected").fetchall()
    assert len(rows) == 100
    assert rows[0][:2] == ("web.csv", "robot")
    assert json.loads(rows[0][2])["customer_id"] == "r"
    findings = {f.rule: f for f in report.findings}
    assert findings["robot"].rows == 100
    assert findings["kept"].rows == len(log.rows) - 100
    assert "1.5 s" in findings["robot"].reason_en
    assert "1.5 秒" in findings["robot"].reason_zh
    assert json.loads(findings["robot"].examples)[0]["customer_id"] == "r"


def test_a_known_robot_is_recognised_by_the_next_load_unless_put_back(store: EventStore):
    store.write("events", as_table(Log().humans(60).steady("r", 100, 1.0).rows))
    screen(store, Report())
    later = {"event_id": "later", "kind": "click", "customer_id": "r", "ts": START, "source": "next.csv"}
    store.append("events", as_table([later]))
    screen(store, Report())
    con = store.backend.con
    assert con.execute("SELECT count(*) FROM rejected").fetchone() == (101,)
    store.write_rows("waived", [{"rule": "robot", "source": "web.csv", "row": "r"}])
    store.append("events", as_table([{**later, "event_id": "last"}]))
    screen(store, Report())
    assert con.execute("SELECT count(*) FROM events WHERE customer_id = 'r'").fetchone() == (1,)


def test_waived_rule_finds_nobody(store: EventStore):
    store.write("events", as_table(Log().steady("r", 100, 1.0).rows))
    screen(store, Report(), frozenset({"robot"}))
    assert "rejected" not in store.tables()


@pytest.mark.skipif(not FULL_SAMPLE.is_file(), reason="needs the built sample")
def test_heavy_grocery_buyers_are_people(store: EventStore):
    """The sample's purchases, taken as if each line were a page looked at, name no rate a robot's."""
    con = store.backend.con
    con.execute(f"ATTACH '{FULL_SAMPLE}' AS sample (READ_ONLY)")
    con.execute(
        "CREATE TABLE events AS SELECT 'browse' AS kind, * EXCLUDE (kind) FROM sample.events WHERE kind = 'purchase'"
    )
    con.execute("DETACH sample")
    assert robots(store) == []
