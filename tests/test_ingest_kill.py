"""Killed at any moment (kill -9), an ingest leaves the store as it was before or as it is after."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from pathlib import Path

import duckdb
import pytest

from customers.ingest import files
from customers.ingest.files import Loaded
from customers.ingest.mapping import FileMapping, Mapping
from customers.stores.events import open_store

FIELDS = ("customer_id", "ts", "product_id", "quantity", "amount")
MAPPING = Mapping(
    tuple(
        FileMapping(name, "events", {f: f for f in FIELDS}, kind="purchase")
        for name in ("first.parquet", "more.parquet")
    )
)
FIRST, MORE = 1_000, 100_000
KILLS, KILLS_OF_NEW = 20, 4


def _write(path: Path, rows: int, start: int) -> None:
    duckdb.connect().execute(
        f"COPY (SELECT 'c' || i % 997 AS customer_id, TIMESTAMP '2024-01-01' + to_seconds(i) AS ts, 'p' || i % 97 "
        f"AS product_id, 1.0 AS quantity, 2.5 AS amount FROM range({start}, {start + rows}) r(i)) TO '{path}'"
    )


def load(path: Path, out: Path) -> Loaded:
    return files.ingest([path], MAPPING, out)


def state(out: Path) -> tuple[int, int, int]:
    """Events, loads and rows read as the report has them, of a store that opens."""
    store = open_store(out)
    try:
        return store.backend.con.execute(
            "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM loads), "
            "(SELECT sum(rows) FROM quality WHERE rule = 'read')"
        ).fetchall()[0]
    finally:
        store.close()


def killed_after(seconds: float, path: Path, out: Path) -> bool:
    """Run an ingest in a process of its own and kill it; whether it was still running."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["customers.ingest.files", "ibis.backends.duckdb"])
    process = context.Process(target=load, args=(path, out))
    process.start()
    process.join(seconds)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


@pytest.mark.slow
def test_killed_at_any_moment_the_store_is_whole(tmp_path: Path):
    first, more, out = tmp_path / "first.parquet", tmp_path / "more.parquet", tmp_path / "shop.duckdb"
    _write(first, FIRST, 0)
    _write(more, MORE, FIRST)
    load(first, out)
    shutil.copyfile(out, tmp_path / "before.duckdb")
    before, after = (FIRST, 1, FIRST), (FIRST + MORE, 2, FIRST + MORE)
    assert state(out) == before
    killed_after(600, tmp_path / "nothing.parquet", out)  # the process that the others come from
    began = time.monotonic()
    killed_after(600, more, out)
    whole = time.monotonic() - began
    assert state(out) == after
    chance = random.Random(7)
    caught = 0
    for attempt in range(3 * KILLS):
        if state(out) == after:
            shutil.copyfile(tmp_path / "before.duckdb", out)
        low = 0.1 if attempt % 2 else 0.7  # half of them near the end, where the store is written
        began = time.monotonic()
        running = killed_after(chance.uniform(low, 1.0) * whole, more, out)
        assert state(out) in (before, after)
        caught += running
        if not running:  # the machine is faster now than it was
            whole = min(whole, time.monotonic() - began)
        if caught == KILLS:
            break
    assert caught == KILLS
    done = load(more, out)
    assert done in (Loaded(new=MORE), Loaded(unchanged=("more.parquet",)))
    assert state(out) == after
    assert {p.name for p in tmp_path.iterdir()} == {
        "first.parquet", "more.parquet", "before.duckdb", "shop.duckdb", "shop.duckdb.lock",
    }  # fmt: skip


@pytest.mark.slow
def test_killed_while_a_store_is_new_there_is_none_or_all_of_it(tmp_path: Path):
    path, out = tmp_path / "more.parquet", tmp_path / "shop.duckdb"
    _write(path, MORE, 0)
    chance = random.Random(3)
    for _ in range(KILLS_OF_NEW):
        killed_after(chance.uniform(0.2, 3.0), path, out)
        if out.exists():
            assert state(out) == (MORE, 1, MORE)
            out.unlink()
    load(path, out)
    assert state(out) == (MORE, 1, MORE)
    assert {p.name for p in tmp_path.iterdir()} == {"more.parquet", "shop.duckdb", "shop.duckdb.lock"}
