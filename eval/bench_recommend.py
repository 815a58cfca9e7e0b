"""`shopkeeper bench recommend`: every recommender beside the libraries' own on one split, in one run.

By default the last three months of the shop are held out one after the other, at the level of products and of
product types, with what customers bought before and without it. `sequences` measures the published leave-one-out
protocol on a file instead, `scenarios` what `eval.recommend.scenarios` says. The protocol is in `eval.recommend.protocol`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from customers.recommend.base import Recommender
from customers.recommend.history import History, Ints
from customers.stages import Silent, Stopwatch
from eval.recommend import page, peers
from eval.recommend.ours import Lessons, recommenders, run_blends, thorough
from eval.recommend.protocol import HORIZON, LEVELS, TASKS, Array, Split, interval, measure, read, split

Row = dict[str, Any]
MONTHS = 4


@dataclass(frozen=True)
class _Took:
    fit_seconds: float
    peak_mib: float
    ms: float
    one_ms: float | None = None


def run(
    shop: Path,
    *,
    sequences: Path | None = None,
    scenarios: bool = False,
    quick: bool = False,
    as_json: bool = False,
    months: int = MONTHS,
) -> list[Row]:
    """Measure and print a table, or one JSON object; the page goes to `bench/recommend.html` in the shop.

    `quick`: the last window only, without the slow methods. Raises BadInput where the file or the shop cannot
    be measured.
    """
    if sequences is not None:
        from eval.recommend import sequences as published

        rows = published.run(sequences, quick=quick, say=_say)
    elif scenarios:
        from eval.recommend import scenarios as measured

        rows = measured.run(read(shop / "store" / "shop.duckdb"), _say)
        print(json.dumps({"rows": rows}, ensure_ascii=False) if as_json else measured.table(rows))
        return rows
    else:
        rows = _windows(read(shop / "store" / "shop.duckdb"), quick, months)
        page.write(rows, shop / "bench" / "recommend.html")
    print(json.dumps({"rows": rows}, ensure_ascii=False) if as_json else table(rows))
    return rows


def _windows(history: History, quick: bool, months: int) -> list[Row]:
    rows: list[Row] = []
    for level in LEVELS:
        told = history if level == LEVELS[0] else history.by_type()
        lessons = Lessons(told, thorough())
        for back in (1,) if quick else (1, 2, 3):
            cut = history.cut - HORIZON * back
            if cut - int(history.day.min()) < 3 * HORIZON:
                continue
            one = split(history, cut, level)
            rows += _window(one, lessons, months, slow=back == 1 and not quick, only_blend=back > 1)
            lessons.forget(cut - HORIZON)
    return rows


def _window(one: Split, lessons: Lessons, months: int, slow: bool, only_blend: bool) -> list[Row]:
    day = (date(1970, 1, 1) + timedelta(days=one.cut)).isoformat()
    rows: list[Row] = []
    reference = peers.Reference()
    _say(f"{one.level}s from {day}: {reference.name}")
    watch = Stopwatch(Silent())
    with watch.stage(reference.name):
        reference.fit(one.history)
    took = _Took(watch.stages[-1].seconds, watch.stages[-1].peak_mib, 0.0)
    against: dict[str, Array] = {}
    for task in TASKS:
        row, values = _row(one, task, reference.name, reference.top(task == TASKS[1]), took, None)
        against[task] = values
        rows.append(row)
    del reference
    _say(f"{one.level}s from {day}: the blend")
    with watch.stage("blend"):
        ours = run_blends(one, lessons, months, _say)
    everybody, peak = one.history.shape[0], watch.stages[-1].peak_mib
    for found in ours:
        took = _Took(found.fit_seconds, peak, 1000 * found.rank_seconds / everybody, found.one_ms)
        rows += [_row(one, task, found.name, found.lists[task], took, against[task])[0] for task in TASKS]
    for model in [] if only_blend else [*recommenders(not slow), *peers.peers()]:
        _say(f"{one.level}s from {day}: {model.name}")
        rows += _simple(one, model, against)
    return [{"window": day, **row} for row in rows]


def _simple(one: Split, model: Recommender, against: dict[str, Array]) -> list[Row]:
    watch = Stopwatch(Silent())
    with watch.stage(model.name):
        model.fit(one.history)
    fitted = watch.stages[-1]
    everybody = np.arange(one.history.shape[0])
    rows = []
    for task in TASKS:
        begun = perf_counter()
        found = model.top(everybody, 10, one.owned if task == TASKS[1] else None)
        ms = 1000 * (perf_counter() - begun) / len(everybody)
        rows.append(
            _row(one, task, model.name, found, _Took(fitted.seconds, fitted.peak_mib, ms), against[task])[0]
        )
    return rows


def _row(
    one: Split, task: str, name: str, found: list[Ints], took: _Took, against: Array | None
) -> tuple[Row, Array]:
    """One line of the comparison, and NDCG by customer. `gain`: over the quick reference, paired."""
    measured = measure(found, one, task)
    ndcg, low, high = interval(measured.ndcg)
    row: Row = {
        "level": one.level,
        "task": task,
        "model": name,
        "ndcg": ndcg,
        "ndcg_low": low,
        "ndcg_high": high,
    }
    row["recall"] = float(np.nanmean(measured.recall)) if np.isfinite(measured.recall).any() else 0.0
    if against is not None:
        gain = interval(measured.ndcg - against)
        row |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    row |= {
        "coverage": measured.coverage, "novelty": measured.novelty, "diversity": measured.diversity,
        "taste_divergence": measured.calibration, "fit_seconds": took.fit_seconds, "peak_mib": took.peak_mib,
        "ms_per_customer": took.ms,
    }  # fmt: skip
    if took.one_ms is not None:
        row["one_customer_ms"] = took.one_ms
    row["customers"] = int(np.isfinite(measured.ndcg).sum())
    _say(f"  {task}, {name}: NDCG@10 {ndcg:.4f}")
    return row, measured.ndcg


_SHOWN: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("model", "model", str),
    ("ndcg", "NDCG@10", lambda v: f"{v:.4f}"),
    ("recall", "recall", lambda v: f"{v:.4f}"),
    ("gain", "gain", lambda v: f"{v:+.4f}"),
    ("gain_low", "from", lambda v: f"{v:+.4f}"),
    ("gain_high", "to", lambda v: f"{v:+.4f}"),
    ("hr", "HR@10", lambda v: f"{v:.4f}"),
    ("coverage", "cover %", lambda v: f"{100 * v:.1f}"),
    ("novelty", "novelty", lambda v: f"{v:.2f}"),
    ("diversity", "diverse", lambda v: f"{v:.3f}"),
    ("taste_divergence", "taste", lambda v: f"{v:.3f}"),
    ("fit_seconds", "fit s", lambda v: f"{v:.1f}"),
    ("peak_mib", "MiB", lambda v: f"{v:,.0f}"),
    ("ms_per_customer", "ms each", lambda v: f"{v:.2f}"),
    ("one_customer_ms", "ms one", lambda v: f"{v:.1f}"),
)


def table(rows: list[Row]) -> str:
    """The rows as text, a table for each window, level and task, best first."""
    lines: list[str] = []
    kinds = dict.fromkeys((row.get("window"), row.get("level"), row.get("task")) for row in rows)
    for kind in kinds:
        group = [row for row in rows if (row.get("window"), row.get("level"), row.get("task")) == kind]
        group.sort(key=lambda row: -row["ndcg"])
        lines.append("\n" + ", ".join(str(part) for part in kind if part))
        shown = [column for column in _SHOWN if any(column[0] in row for row in group)]
        cells = [[title for _, title, _ in shown]]
        cells += [[form(row[key]) if key in row else "" for key, _, form in shown] for row in group]
        widths = [max(len(line[i]) for line in cells) for i in range(len(shown))]
        lines += [
            "  ".join(_aligned(c, w, i) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in cells
        ]
    return "\n".join(lines)


def _aligned(cell: str, width: int, place: int) -> str:
    return cell.rjust(width) if place else cell.ljust(width)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
