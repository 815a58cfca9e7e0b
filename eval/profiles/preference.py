"""Bench part "preference": models of "buys from the category within 30 days", held out by time.

Each window trains on what was known by its cut and scores the 30 days after it: the last 30 days of the
data, where every model runs on the same rows, and the two windows before them for the served model and the
blend. The categories are the 80 with the largest sales by the cut; two more rows, named so, take those of a month
before, which the training rows knew as well. A Brier score falls with the share that bought, so
`skill` tells it beside that of saying the share for everybody: 1 - Brier / (share (1 - share)).
`python -m eval.profiles.preference SHOP [--plots FOLDER] [--quick]`.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from customers.features.behaviour import category_rhythm
from customers.features.lines import baskets, purchase_lines, trips
from customers.features.looks import looks
from customers.profiles import peers
from customers.profiles.alike import neighbour_shares
from customers.profiles.design import HORIZON, design
from customers.profiles.preference import log_odds_of
from customers.profiles.quality import quality, reliability
from customers.profiles.training import Behaviour, rhythm_at, served_categories, training_cuts, truth_after

Row = dict[str, Any]
Floats = NDArray[np.float64]
PART = "preference"
NARROW, WIDE = "the served columns", "and what the most alike customers bought"
SERVED, BLEND = "logistic regression (served)", "blend of gradient boosting and logistic regression"
MODELS: dict[str, tuple[str, Callable[[], peers.Model]]] = {
    SERVED: (NARROW, peers.Logistic),
    "logistic regression, alike customers": (WIDE, peers.Logistic),
    "linear SVM": (WIDE, peers.LinearSvm),
    "random forest": (WIDE, peers.Forest),
    "AdaBoost": (WIDE, peers.AdaBoost),
    "gradient boosting (LightGBM)": (WIDE, peers.Boosting),
    BLEND: (WIDE, lambda: peers.Blend(peers.Logistic(), peers.Boosting())),
}


@dataclass(frozen=True, slots=True)
class Window:
    """Training rows known by `cut`, and the scored rows after it; columns (rows, categories, F), the wide
    ones' last is left out for the narrow models."""

    cut: date
    columns: NDArray[np.float32]
    truth: Floats
    scored: NDArray[np.float32]
    came: Floats
    days_since: Floats


def run(
    shop: Path, *, quick: bool = False, plots: Path | None = None, say: Callable[[str], None] = print
) -> list[Row]:
    """All rows, oldest window first; `quick` takes the last window only, without the slow learners."""
    rows: list[Row] = []
    curves: dict[str, list[tuple[float, float, int]]] = {}
    data = _behaviour(shop / "store" / "shop.duckdb" if shop.is_dir() else shop)
    for back in (1,) if quick else (3, 2, 1):
        found = window(data, data.last_day - timedelta(days=HORIZON * back))
        if found is None:
            continue
        chosen = MODELS if back == 1 and not quick else {name: MODELS[name] for name in (SERVED, BLEND)}
        for name in chosen:
            row, curve = _scored(name, found)
            rows.append(row)
            say(
                f"{row['window']}  {name}: ROC {row['roc_auc']:.4f}, PR {row['pr_auc']:.4f}, Brier {row['brier']:.4f}"
            )
            if back == 1:
                curves[name] = curve
        plain = quality(found.came, 1 / (1 + found.days_since))
        kept = ("rows", "base_rate", "roc_auc", "pr_auc", "mean_roc_auc", "mean_pr_auc")
        told = {name: value for name, value in asdict(plain).items() if name in kept}
        rows.append(_named("days since the last purchase", found.cut) | told)
    if rows:
        rows += _a_month_before(data, say)
    if plots is not None and curves:
        draw(curves, plots / "preference_reliability.png")
    return rows


def _a_month_before(data: Behaviour, say: Callable[[str], None]) -> list[Row]:
    """The last window again, on the categories that sold most before the month that training ends with."""
    cut = data.last_day - timedelta(days=HORIZON)
    found = window(data, cut, chosen=cut - timedelta(days=HORIZON))
    rows: list[Row] = []
    if found is None:
        return rows
    for name in (SERVED, BLEND):
        row, _ = _scored(name, found)
        row["window"] += f", categories of {cut - timedelta(days=HORIZON)}"
        rows.append(row)
        say(
            f"{row['window']}  {name}: ROC {row['roc_auc']:.4f}, PR {row['pr_auc']:.4f}, Brier {row['brier']:.4f}"
        )
    return rows


def window(data: Behaviour, cut: date, chosen: date | None = None) -> Window | None:
    """Lay out what is known by `cut`, for the categories with the largest sales by `chosen` (None: the cut);
    None where the data is too short."""
    cuts = training_cuts(data, cut)
    categories = served_categories(data.categories, chosen or cut)
    if not cuts or not categories:
        return None
    parts = [_laid_out(data, day, categories) for day in cuts]
    scored, came, days = _laid_out(data, cut, categories)
    columns, truth = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    return Window(cut, columns, truth, scored, came, days)


def _laid_out(
    data: Behaviour, day: date, categories: list[str]
) -> tuple[NDArray[np.float32], Floats, Floats]:
    rhythm = rhythm_at(data, day, categories)
    shares = neighbour_shares(category_rhythm(data.categories, day).to_pandas(), rhythm.customers, categories)
    alike = log_odds_of(np.clip(shares, 0.005, 0.995))[..., None].astype(np.float32)
    days = np.where(rhythm.own["baskets"] > 0, rhythm.own["days_since"], np.inf)
    return np.concatenate([design(rhythm), alike], axis=-1), truth_after(data, day, rhythm), days


def _scored(name: str, found: Window) -> tuple[Row, list[tuple[float, float, int]]]:
    columns, made = MODELS[name]
    train, test = (part if columns == WIDE else part[..., :-1] for part in (found.columns, found.scored))
    start = time.perf_counter()
    model = made().fit(train, found.truth)
    fitted = time.perf_counter()
    probability = model.probability(test)
    told = asdict(quality(found.came, probability))
    cost = {
        "fit_s": fitted - start,
        "us_per_row": (time.perf_counter() - fitted) * 1e6 / probability.size,
        "mb": len(pickle.dumps(model)) / 1e6,
    }
    told["skill"] = 1 - told["brier"] / max(told["base_rate"] * (1 - told["base_rate"]), 1e-12)
    return _named(name, found.cut) | told | cost, reliability(found.came, probability)


def _named(model: str, cut: date) -> Row:
    return {"part": PART, "model": model, "window": f"{HORIZON} days after {cut}"}


def draw(curves: dict[str, list[tuple[float, float, int]]], path: Path) -> None:
    """Predicted probability against the share that bought, all models in one figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#999", linestyle=":", label="perfect")
    for name, curve in curves.items():
        axes.plot(
            [p for p, *_ in curve], [y for _, y, _ in curve], "o-", markersize=3, linewidth=1, label=name
        )
    axes.set_xlabel("stated probability")
    axes.set_ylabel("share that bought")
    axes.set_title("Reliability of the chances to buy, held out")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def _behaviour(store: Path) -> Behaviour:
    con = ibis.duckdb.connect(":memory:")
    con.raw_sql(f"ATTACH '{str(store).replace(chr(39), chr(39) * 2)}' AS store (READ_ONLY)")
    source = {name: con.table(name, database=("store", "main")) for name in ("events", "products")}
    lines = con.create_table("lines", purchase_lines(source["events"], source["products"]), temp=True)
    first, last = con.raw_sql("SELECT min(day), max(day) FROM lines").fetchall()[0]
    seen = looks(source["events"], source["products"])
    whole, by_category = baskets(lines, []), trips(lines, "category")
    return Behaviour(
        con.create_table("baskets", whole, temp=True),
        con.create_table("categories", by_category, temp=True),
        first,
        last,
        con.create_table("looks", seen, temp=True) if seen.count().to_pyarrow().as_py() else None,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shop", type=Path)
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    for made in run(
        asked.shop, quick=asked.quick, plots=asked.plots, say=lambda text: print(text, flush=True)
    ):
        print({key: round(value, 4) if isinstance(value, float) else value for key, value in made.items()})
