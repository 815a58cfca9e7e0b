"""`shopkeeper bench ingest`: seconds and peak memory of bringing a large event file into a store and
computing the customer features, beside DuckDB's bare scan-and-group of the same file.

Each measure runs in a process of its own, one after the other, with the same memory limit, so that
its time and its peak memory are its own. The bare run reads every column that ingest reads and
groups by customer and product. Beside it stand two things that DuckDB does alone and ingest must do
too: a copy of the file into a table of a new DuckDB file, and (up to 20 million events) rows that stand
twice found by grouping by all columns. Seconds of work (CPU) are told as well: on a machine that others use too, they say
more than the clock.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from customers.errors import BadInput
from customers.simulate import events_parquet
from customers.stores import space
from customers.stores.events import MEMORY

SIZES = (1_500_000, 15_000_000, 150_000_000)
# Bytes on disk that one event needs while it is measured: the file, the store, what is spilled.
_ROOM = 250
# Beyond this many events, grouping by all columns wants more room on disk than all else together.
_DISTINCT_EVENTS = 20_000_000

_TIMED = """import json, resource, sys, time
began = time.perf_counter()
{body}
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
figures = dict(seconds=seconds, cpu=used.ru_utime + used.ru_stime, mib=used.ru_maxrss / 1024)
print(json.dumps(dict(parts, **figures)))
"""
_OURS = _TIMED.format(
    body="""import pathlib, ibis
from customers.features import behaviour, lines
from customers.ingest import files
from customers.ingest.mapping import guess_mapping
path, out = map(pathlib.Path, sys.argv[1:3])
loaded = files.ingest([path], guess_mapping([path]), out, add=False)
parts = dict(ingest_seconds=time.perf_counter() - began, new=loaded.new, rejected=loaded.rejected)
con = ibis.duckdb.connect(out, read_only=True, memory_limit=sys.argv[3], temp_directory=sys.argv[2] + ".spill")
events = con.table("events")
last = con.to_pyarrow(con.table("shop").last_day.max()).as_py()
bought = lines.baskets(lines.purchase_lines(events, con.table("products")), [])
held = con.create_table("held", bought, temp=True)
parts["customers"] = con.create_table("f", behaviour.customer_rhythm(held, last), temp=True).count().execute()
parts["customers"] = int(parts["customers"])"""
)

# DuckDB alone: nothing of ours is imported.
_BARE = _TIMED.format(
    body="""import duckdb
con = duckdb.connect(config={"memory_limit": sys.argv[3], "temp_directory": sys.argv[2] + ".spill"})
names = [name for name, *_ in con.execute("DESCRIBE FROM read_parquet(?)", [sys.argv[1]]).fetchall()]
rest = [name for name in names if name not in ("customer_id", "product_id", "ts", "quantity", "amount")]
counts = ", ".join(f'count("{name}")' for name in rest)
groups = con.execute(f"SELECT count(*) FROM (SELECT customer_id, product_id, count(*), sum(quantity), sum(amount), "
    f"min(ts), max(ts), {counts} FROM read_parquet(?) GROUP BY customer_id, product_id)", [sys.argv[1]]).fetchall()
parts = dict(groups=groups[0][0])"""
)

_DISTINCT = _TIMED.format(
    body="""import duckdb
con = duckdb.connect(config={"memory_limit": sys.argv[3], "temp_directory": sys.argv[2] + ".spill"})
rows = con.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM read_parquet(?))", [sys.argv[1]]).fetchall()
parts = dict(rows=rows[0][0])"""
)

_COPY = _TIMED.format(
    body="""import duckdb
con = duckdb.connect(sys.argv[2] + ".copy", config={"memory_limit": sys.argv[3], "preserve_insertion_order": False,
    "temp_directory": sys.argv[2] + ".spill"})
con.execute("CREATE TABLE events AS FROM read_parquet(?)", [sys.argv[1]])
con.close()
parts = {}"""
)


def run(folder: Path, sizes: str | None, as_json: bool = False) -> int:
    """Measure each size (numbers of events, comma-separated), print the figures; 0 when done.

    Files go to `folder` and are removed. Raises BadInput where a size is no number, the disk has no
    room, or a run fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [_measure(folder, events) for events in _sizes(sizes)]
    figures: dict[str, Any] = {"memory_limit": MEMORY, "sizes": found, "growth": _growth(found)}
    figures["peak_mib"] = max(size["peak_mib"] for size in found)
    print(json.dumps(figures) if as_json else _table(figures))
    return 0


def _sizes(text: str | None) -> list[int]:
    try:
        sizes = [int(part.replace("_", "")) for part in text.split(",")] if text else list(SIZES)
    except ValueError as error:
        raise BadInput(f"{text!r} is no list of sizes; write for example 1500000,15000000") from error
    return sorted(sizes)


def _measure(folder: Path, events: int) -> dict[str, Any]:
    space.require(folder, events * _ROOM, f"measuring {events:,} events")
    path, out = folder / f"simulated_events_{events}.parquet", folder / f"simulated_{events}.duckdb"
    try:
        events_parquet(path, events)
        bare, copied, ours = (_measured(code, path, out) for code in (_BARE, _COPY, _OURS))
        distinct = _measured(_DISTINCT, path, out) if events <= _DISTINCT_EVENTS else None
        size = path.stat().st_size, out.stat().st_size
    finally:
        for left in folder.glob(f"simulated_*{events}.*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return {
        "events": events,
        "kept": ours["new"],
        "kept_aside": ours["rejected"],
        "customers": ours["customers"],
        "seconds": round(ours["seconds"], 2),
        "ingest_seconds": round(ours["ingest_seconds"], 2),
        "peak_mib": round(ours["mib"], 1),
        "bare_seconds": round(bare["seconds"], 2),
        "bare_peak_mib": round(bare["mib"], 1),
        "seconds_ratio": round(ours["seconds"] / bare["seconds"], 2),
        "cpu_seconds": round(ours["cpu"], 2),
        "bare_cpu_seconds": round(bare["cpu"], 2),
        "cpu_ratio": round(ours["cpu"] / bare["cpu"], 2),
        "copy_seconds": round(copied["seconds"], 2),
        "copy_cpu_seconds": round(copied["cpu"], 2),
        "copy_cpu_ratio": round(copied["cpu"] / bare["cpu"], 2),
        "distinct_seconds": round(distinct["seconds"], 2) if distinct else None,
        "distinct_cpu_seconds": round(distinct["cpu"], 2) if distinct else None,
        "distinct_cpu_ratio": round(distinct["cpu"] / bare["cpu"], 2) if distinct else None,
        "file_mb": round(size[0] / 1e6, 1),
        "store_mb": round(size[1] / 1e6, 1),
    }


def _measured(code: str, path: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", code, str(path), str(out), MEMORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    Path(f"{out}.copy").unlink(missing_ok=True)
    if done.returncode:
        raise BadInput(f"a run over {path.name} failed: {(done.stderr.strip() or 'killed').splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _growth(found: list[dict[str, Any]]) -> list[dict[str, float]]:
    """From each size to the next: how many times the data, the time, and the bare run's time grew."""
    return [
        {
            "data": round(b["events"] / a["events"], 2),
            "seconds": round(b["seconds"] / a["seconds"], 2),
            "cpu_seconds": round(b["cpu_seconds"] / a["cpu_seconds"], 2),
            "bare_seconds": round(b["bare_seconds"] / a["bare_seconds"], 2),
        }
        for a, b in pairwise(found)
    ]


def _or_none(number: float | None) -> str:
    return "-" if number is None else f"{number:.1f}"


def _table(figures: dict[str, Any]) -> str:
    lines = [
        f"{'events':>12} {'seconds':>9} {'bare':>8} {'ratio':>6} {'CPU s':>8} {'bare':>7} {'ratio':>6} {'copy':>7} {'ratio':>6}"
        f" {'distinct':>9} {'ratio':>6} {'peak MiB':>9} {'bare MiB':>9} {'store MB':>9}"
    ]
    lines += [
        f"{s['events']:>12,} {s['seconds']:>9.1f} {s['bare_seconds']:>8.1f} {s['seconds_ratio']:>6.1f}"
        f" {s['cpu_seconds']:>8.1f} {s['bare_cpu_seconds']:>7.1f} {s['cpu_ratio']:>6.1f}"
        f" {s['copy_cpu_seconds']:>7.1f} {s['copy_cpu_ratio']:>6.1f}"
        f" {_or_none(s['distinct_cpu_seconds']):>9} {_or_none(s['distinct_cpu_ratio']):>6}"
        f" {s['peak_mib']:>9,.0f} {s['bare_peak_mib']:>9,.0f} {s['store_mb']:>9,.0f}"
        for s in figures["sizes"]
    ]
    for step in figures["growth"]:
        lines.append(
            f"{step['data']:g} times the data: {step['cpu_seconds']:g} times the CPU seconds and"
            f" {step['seconds']:g} times the time ({step['bare_seconds']:g} bare)"
        )
    return "\n".join(lines)
