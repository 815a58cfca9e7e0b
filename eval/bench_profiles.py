"""`shopkeeper bench profiles`: every profile builder beside its peers on one shop, in one run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eval.profiles import deep, graph, interest, prediction, preference

Row = dict[str, Any]

_NOT_FIGURES = ("part", "model")


def run(shop: Path, *, part: str | None = None, quick: bool = False, as_json: bool = False) -> list[Row]:
    """Measure the parts (or one of PARTS) on a shop's store and print a table of each, or one JSON object.

    Plots go to `bench` in the shop's folder. Raises ValueError for a part that there is none of.
    """
    plots = shop / "bench"
    plots.mkdir(parents=True, exist_ok=True)
    parts = parts_of(shop, quick, plots)
    if part is not None and part not in parts:
        raise ValueError(f"there is no part {part!r}; take one of {', '.join(parts)}")
    rows: list[Row] = []
    for name, measure in parts.items():
        if part not in (None, name):
            continue
        begun = time.perf_counter()
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        found = [{"part": name, **row} for row in measure()]
        rows += found
        if not as_json:
            print(render(name, found, time.perf_counter() - begun), flush=True)
    if as_json:
        print(json.dumps({"rows": rows}, ensure_ascii=False, default=str))
    return rows


def parts_of(shop: Path, quick: bool, plots: Path) -> dict[str, Callable[[], Sequence[Row]]]:
    """The parts by name, each a function that measures it."""
    store = shop / "store" / "shop.duckdb"
    return {
        "interest": lambda: interest.run(store, quick=quick),
        "preference": lambda: preference.run(store, quick=quick, plots=plots, say=lambda _: None),
        "prediction": lambda: prediction.run(store, quick=quick),
        "graph": lambda: graph.run(store, quick=quick),
        "deep": lambda: deep.run(store, quick=quick),
    }


def render(name: str, rows: Sequence[Row], seconds: float) -> str:
    """A part as text: rows that have the same figures stand in one table."""
    lines = [f"\n{name} ({seconds:.0f} s)"]
    if not rows:
        lines.append("nothing to measure here (too little data, or an extra is not installed)")
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(key for key in row if key not in _NOT_FIGURES), []).append(row)
    for figures, group in groups.items():
        table = [("model", *figures)]
        table += [(str(row.get("model", "")), *(_cell(row[f]) for f in figures)) for row in group]
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines += ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in table]
        lines.append("")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"
    return "" if value is None else str(value)
