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

# What names a row or heads its table, and is no figure of it.
_NOT_FIGURES = ("part", "model", "task", "window", "cut")

MEANINGS = {
    "silhouette": "-1 to 1: how much nearer customers are to their own segment than to the next",
    "gap": "how far the customers are from one even cloud (gap statistic)",
    "stability": "agreement of clusterings of bootstrap samples with the whole (adjusted Rand index, 1 = the same)",
    "halves": "agreement of what two disjoint halves of the customers give (ARI; of rules: Jaccard)",
    "smallest": "the smallest segment's share of customers",
    "apart": "the fewest categories with a lift of 1.5 that any segment has",
    "noise": "share of customers in no segment",
    "truth": "agreement with what was planted (ARI)",
    "held_lift": "of rules known 30 days before the end: how often what they say came, over how often it came to all",
    "held_lift_new": "the same among customers without that interest before",
    "again": "share of rules that a bootstrap sample finds too",
    "top_again": "the same of the hundred with the highest lift",
    "by_chance": "rules found where interests are dealt at random",
    "base_rate": "share that bought",
    "mean_roc_auc": "ROC-AUC within a category, mean over categories",
    "mean_pr_auc": "PR-AUC within a category, mean over categories",
    "brier": "mean squared error of the chances: less is better",
    "ece": "calibration error: how far stated chances are from shares observed",
    "skill": "1 - Brier over that of stating the base rate for everybody",
    "us_per_row": "microseconds a pair",
    "mb": "megabytes of the model",
    "fit_s": "seconds to learn",
    "pinball": "error of the quantiles told, in days",
    "coverage_80": "share inside the range that should hold 80 %",
    "total_bias": "money told for all customers over what they spent, less 1",
    "spearman": "rank correlation",
}


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
        groups.setdefault((_heading(row), *(key for key in row if key not in _NOT_FIGURES)), []).append(row)
    for (heading, *figures), group in groups.items():
        table = [("", *figures)]
        table += [(str(row.get("model", "")), *(_cell(row[f]) for f in figures)) for row in group]
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines += ["", heading] if heading != name else [""]
        lines += [_line(line, widths) for line in table]
    told = dict.fromkeys(figure for _, *figures in groups for figure in figures if figure in MEANINGS)
    lines += ["", *(f"  {figure}: {MEANINGS[figure]}" for figure in told)] if told else []
    return "\n".join(lines)


def _heading(row: Row) -> str:
    """What a row's table is about: its part, its task, and the days that it was held out on."""
    parts = (row.get("part"), row.get("task"), row.get("window"), row.get("cut") and f"from {row['cut']}")
    return ", ".join(str(part) for part in parts if part)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, figures to the right."""
    figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *figures]).rstrip()


def _cell(value: Any) -> str:
    if value is None or value != value:  # not measured
        return "–"
    if isinstance(value, float):
        return (
            f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"
        )
    return f"{value:,}" if isinstance(value, int) else str(value)
