"""Large typed files stream past; what becomes of them is what becomes of small ones, which are held."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.ingest import event_files, files, ordering, rates, screening
from customers.ingest.mapping import guess_mapping
from customers.ingest.ordering import Ordering
from customers.stores import events

MONDAY = datetime(2024, 3, 4, 9)
KINDS = ("browse", "click", "search", "cart", "purchase", "purchase", "return", "review", "exposure")


def plain_rows(count: int = 400) -> list[dict]:
    """Tidy events of every sort, their numbers and texts different from row to row."""
    rows = []
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        sale = kind in ("purchase", "return")
        rows.append({
            "event_id": f"e{n}", "kind": kind, "customer_id": f"c{n % 37}",
            "ts": MONDAY + timedelta(minutes=7 * n, microseconds=n),
            "product_id": None if kind in ("search", "exposure") else f"p{n % 11}",
            "quantity": 1 + n % 3 if sale else None, "amount": (1 + n % 3) * 2.5 if sale else None,
            "discount": 0.5 if sale and n % 2 else None, "basket_id": f"b{n // 5}" if sale else None,
            "campaign_id": "k1" if kind == "exposure" else None,
            "rating": float(1 + n % 5) if kind == "review" else None,
            "text": "oat milk" if kind == "search" else None,
        })  # fmt: skip
    return rows


def dirty_rows() -> list[dict]:
    """As `plain_rows`, with something of every sort wrong."""
    rows = plain_rows()
    rows[3] |= {"customer_id": None}
    rows[5] |= {"ts": None}
    rows[13] |= {"quantity": 0}
    rows[14] |= {"quantity": -2}
    rows[15] |= {"quantity": -1, "amount": -2.5}
    rows[22] |= {"quantity": 9000}
    rows[23] |= {"amount": 90_000.0}
    rows[31] |= {"amount": float("inf")}
    rows[32] |= {"amount": float("nan")}
    rows[34] |= {"rating": 400.0}
    rows[40] |= {"kind": "BROWSE", "customer_id": " c7 "}
    rows[41] |= {"kind": "stared"}
    rows[44] |= {"product_id": "nan"}
    rows[49] |= {"ts": datetime(1970, 1, 1)}
    rows[50] |= {"product_id": "12.0"}
    rows[58] |= {"quantity": None}
    for n in range(60, 120):  # a clock that stood still
        rows[n] |= {
            "ts": datetime(2024, 3, 5, 12, 0, 1),
            "customer_id": f"c{n}",
            "kind": "click",
            "product_id": "p1",
        }
    return [*rows, dict(rows[7]), dict(rows[8]), rows[9] | {"kind": "click"}]


def load(rows: list[dict], folder: Path, name: str, own: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "events.parquet"
    table = pa.Table.from_pylist(rows)
    pq.write_table(table if own else table.drop_columns(["event_id"]), path)
    files.ingest([path], guess_mapping([path]), folder / name)
    return folder / name


def contents(store: Path) -> dict[str, list[tuple]]:
    with duckdb.connect(str(store), read_only=True) as con:
        return {
            table: sorted(con.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in ("events", "rejected", "quality", "products", "shop")
        }


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("rows", [plain_rows(), dirty_rows()])
def test_a_file_that_streams_ends_as_one_that_is_held(
    rows: list[dict], own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = contents(load(rows, tmp_path, "held.duckdb", own))
    monkeypatch.setattr(event_files, "HELD", 0)
    monkeypatch.setattr(ordering, "HELD", 64)
    assert contents(load(rows, tmp_path, "streamed.duckdb", own)) == held


def test_what_is_planted_in_a_stream_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_files, "HELD", 0)
    store = contents(load(dirty_rows(), tmp_path, "shop.duckdb"))
    found = {rule: rows for _, rule, *_, rows, _, _ in store["quality"] if rule not in ("read", "kept")}
    assert {rule: found.get(rule) for rule in ("duplicate", "missing_customer", "missing_time", "one_instant")} == {
        "duplicate": 2, "missing_customer": 1, "missing_time": 1, "one_instant": 60,
    }  # fmt: skip
    assert len(store["events"]) + len(store["rejected"]) == len(dirty_rows())


def test_files_are_added_to_a_store_whose_times_have_fractions_of_a_second(tmp_path: Path):
    rows = plain_rows()
    load(rows[:300], tmp_path / "first", "../shop.duckdb")
    store = contents(load(rows[200:], tmp_path / "second", "../shop.duckdb"))
    assert len(store["events"]) == len(rows)
    assert [rows for _, rule, *_, rows, _, _ in store["quality"] if rule == "repeated"] == [100]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=60), st.integers(1, 20))
def test_numbers_come_back_in_order_and_equal_ones_together(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], held: int
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "HELD", held)
        with Ordering(len(numbers), tmp_path_factory.getbasetemp()) as ordered:
            for start in range(0, len(numbers), 7):
                ordered.add(np.array(numbers[start : start + 7], np.uint64))
            parts = [part.tolist() for part in ordered.parts()]
    assert [number for part in parts for number in part] == sorted(numbers)
    assert all(not set(one) & set(other) for one, other in pairwise(parts))


def visits(path: Path, rows: list[tuple]) -> None:
    """A store with visits: (customer, time, kind)."""
    with events.create(path) as store:
        store.make_tables()
        store.backend.con.executemany(
            "INSERT INTO events (event_id, customer_id, ts, kind) VALUES (?, ?, ?, ?)",
            [(f"e{n}", *row) for n, row in enumerate(rows)],
        )


def both_counts(path: Path) -> tuple[list[dict] | None, list[dict]]:
    with events.update(path) as store:
        fast, slow = rates.counted(store), screening._grouped(store.table("events"))
        columns = ("customer_id", "events", "days", "hours", "sleepless", "busiest_hour", "bought")
        told = [
            None if table is None else sorted(table.select(*columns).to_pyarrow().to_pylist(), key=repr)
            for table in (fast, slow)
        ]
    return told[0], told[1] or []


def test_visits_are_counted_as_grouping_them_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ordering, "HELD", 100)
    random = np.random.default_rng(3)
    minutes = random.integers(0, 60 * 24 * 40, 700).tolist()
    rows = [
        (f"c{n % 9}", datetime(1969, 12, 20) + timedelta(minutes=m), "browse") for n, m in enumerate(minutes)
    ]
    rows += [("c98", datetime(1970, 3, 4) + timedelta(hours=h), "click") for h in range(22)]
    rows += [
        (None, datetime(1970, 1, 1, 23, 59), "cart"),
        ("c2", MONDAY, "purchase"),
        ("c99", MONDAY, "purchase"),
    ]
    visits(tmp_path / "shop.duckdb", rows)
    fast, slow = both_counts(tmp_path / "shop.duckdb")
    assert fast == slow
    assert max(row["sleepless"] for row in slow) > 0
    assert {row["customer_id"]: row["bought"] for row in slow}["c2"]


@pytest.mark.parametrize("odd", [None, datetime(1700, 1, 1)])
def test_visits_without_a_time_or_over_centuries_are_not_counted_the_fast_way(
    tmp_path: Path, odd: datetime | None
):
    visits(tmp_path / "shop.duckdb", [("c1", MONDAY, "browse"), ("c1", odd, "browse")])
    fast, slow = both_counts(tmp_path / "shop.duckdb")
    assert fast is None
    assert [row["events"] for row in slow] == [2]
