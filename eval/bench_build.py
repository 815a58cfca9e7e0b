"""`shopkeeper bench build`: seconds and peak memory of a build by stage, beside DuckDB's bare
read-and-aggregate of the same data in the same run.

The build runs in a process of its own, so that its peak memory is its own. The bare run reads the
store's tables and aggregates purchases by customer and category and by customer and month, which is
the least that any profile needs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from customers.errors import BadInput
from customers.pipeline import STORE
from customers.stores import versions

_BUILD = "import sys, pathlib, customers.pipeline as p; p.build(pathlib.Path(sys.argv[1]), force=True)"
_QUERIES = (
    "SELECT customer_id, category, count(DISTINCT basket_id), sum(amount), max(ts) FROM events"
    " JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY ALL",
    "SELECT customer_id, date_trunc('month', ts), count(DISTINCT basket_id), sum(amount) FROM events"
    " WHERE kind = 'purchase' GROUP BY ALL",
)

# DuckDB alone: nothing of ours is imported.
_BARE = f"""import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
for query in {_QUERIES!r}:
    con.execute(query).fetchnumpy()"""


def run(shop_dir: Path, as_json: bool = False) -> dict[str, Any]:
    """Build a copy of the shop's store anew, print the figures, and return them. Raises BadInput
    where there is no store or the build fails; the shop itself is not touched."""
    store = shop_dir / STORE
    if not store.is_file():
        raise BadInput(f"{store} does not exist; bring data in first: `shopkeeper data SOURCE`")
    with tempfile.TemporaryDirectory(prefix="shopkeeper-bench-") as scratch:
        copy = Path(scratch) / STORE
        copy.parent.mkdir(parents=True)
        shutil.copyfile(store, copy)
        bare_seconds, bare_mib = _measured(_BARE, str(copy))
        seconds, mib = _measured(_BUILD, scratch)
        manifest = json.loads((versions.current(Path(scratch)) / "manifest.json").read_text("utf-8"))
    figures: dict[str, Any] = {
        "stages": manifest["stages"],
        "seconds": round(seconds, 2),
        "peak_mib": round(mib, 1),
        "bare_seconds": round(bare_seconds, 2),
        "bare_peak_mib": round(bare_mib, 1),
        "seconds_ratio": round(seconds / bare_seconds, 1),
        "memory_ratio": round(mib / bare_mib, 1),
    }
    print(json.dumps(figures) if as_json else table(figures))
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures as lines for people."""
    rows = [(s["name"], s["seconds"], s["peak_mib"]) for s in figures["stages"]]
    rows += [("build, whole process", figures["seconds"], figures["peak_mib"])]
    rows += [("DuckDB alone, read and aggregate", figures["bare_seconds"], figures["bare_peak_mib"])]
    lines = [f"{'stage':<40}{'seconds':>10}{'peak MiB':>12}"]
    lines += [f"{name:<40}{seconds:>10.1f}{mib:>12,.0f}" for name, seconds, mib in rows]
    ratios = (
        f"{'ratio to DuckDB alone':<40}{figures['seconds_ratio']:>9.1f}x{figures['memory_ratio']:>11.1f}x"
    )
    return "\n".join([*lines, ratios])


def _measured(code: str, argument: str) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of a Python process that runs `code`."""
    report = "import resource as _r, sys as _s; print(_r.getrusage(_r.RUSAGE_SELF).ru_maxrss, file=_s.stderr)"
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{code}\n{report}", argument],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    seconds = time.perf_counter() - begun
    last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no word"
    if done.returncode != 0:
        raise BadInput(f"the measured run failed: {last}")
    # Linux counts in KiB, macOS in bytes.
    return seconds, int(last) / (2**20 if sys.platform == "darwin" else 2**10)
