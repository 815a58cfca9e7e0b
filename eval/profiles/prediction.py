"""Bench part "prediction": next order, churn and value, back-tested at three days of the data.

Everything is fitted on what was known by the day, and scored on what came after. Peers in the same
rows: naive rules, our BG/NBD with Gamma-Gamma, and PyMC-Marketing's of the same where it is installed
(`pip install pymc-marketing`, in an environment of its own: it is large). `python -m
eval.profiles.prediction SHOP [--truth FOLDER]`; with a simulated shop's folder `truth`, estimates are
compared with what was planted.
"""
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (scikit-learn and SciPy have no types of their own; what is inferred of their results is wrong.)

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import brier_score_loss, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from customers.encoder import MultilingualEncoder
from customers.features.lines import baskets, purchase_lines
from customers.profiles.forecast import CHURN_DAYS, ORDER_DAYS, VALUE_DAYS, Forecast, Known
from customers.profiles.gaps import AttributeGuess, behaviour_columns
from customers.profiles.next_order import QUANTILES
from customers.profiles.orders import FEATURES, Orders
from customers.profiles.workspace import Workspace, behaviours

Row = dict[str, Any]
Floats = NDArray[np.float64]
BACK = (150, 120, 90)
PART = "prediction"
# The sample's bands, as BASELINES has them: four of age, three of income, children or none, 1/2/3+.
BANDS: dict[str, Any] = {
    "age": {"19-24": "<35", "25-34": "<35", "55-64": "55+", "65+": "55+"},
    "income": dict.fromkeys(("Under 15K", "15-24K", "25-34K"), "<35K") | dict.fromkeys(("35-49K", "50-74K"), "35-74K"),
    "kids_count": {"0": "none", "1": "some", "2": "some", "3+": "some"},
    "household_size": {"1": "1", "2": "2", "3": "3+", "4": "3+", "5+": "3+"},
}  # fmt: skip
_REST = {"income": "75K+"}


def run(shop: Path, *, quick: bool = False) -> list[Row]:
    """All rows; `quick` takes the last back-test day only, without PyMC-Marketing."""
    forecast, last = _forecast(_store(shop))
    rows: list[Row] = []
    for back in BACK[-1:] if quick else BACK:
        cut = last - timedelta(days=back)
        if forecast.learnable(cut):
            rows += _back_test(forecast, cut, peer=not quick)
    return rows + gaps(shop, repeats=1 if quick else 2)


def _store(shop: Path) -> Path:
    return shop / "store" / "shop.duckdb" if shop.is_dir() else shop


def _forecast(store: Path) -> tuple[Forecast, date]:
    con = ibis.duckdb.connect(store, read_only=True)
    orders = Orders.of(baskets(purchase_lines(con.table("events"), con.table("products")), []))
    con.disconnect()
    first, last = (date(1970, 1, 1) + timedelta(days=int(n)) for n in (orders.day.min(), orders.day.max()))
    return Forecast(orders, first), last


# back-tests ----------------------------------------------------------------------------------
def _back_test(forecast: Forecast, cut: date, peer: bool) -> Iterator[Row]:
    start = time.perf_counter()
    ahead, now = forecast.ahead(cut), forecast.known(cut)
    seconds = time.perf_counter() - start
    orders = forecast.orders
    came, spent = orders.next_gap(cut, ORDER_DAYS), orders.spend_after(cut, VALUE_DAYS)
    gone = orders.next_gap(cut, CHURN_DAYS) > CHURN_DAYS
    rest, fitted = now.repeats[:, :3], {"BG/NBD, Gamma-Gamma (ours)": _ours(now)}
    if peer and (found := _peer(now)):
        fitted["BG/NBD, Gamma-Gamma (PyMC-Marketing)"] = found
    told = {"part": PART, "cut": cut.isoformat(), "rows": len(rest)}

    def column(name: str) -> Floats:
        return now.columns[:, FEATURES.index(name)]

    median = np.clip(np.nan_to_num(column("gap_median"), nan=ORDER_DAYS / 3), 1, ORDER_DAYS + 1)
    yield told | {"task": "next order", "model": "usual gap"} | _point(came, median)
    yield (
        told
        | {"task": "next order", "model": "BG/NBD (ours)"}
        | _dates(came, np.column_stack([now.buying.quantile(rest, q) for q in QUANTILES]))
    )
    yield told | {"task": "next order", "model": "quantile trees (served)"} | _dates(came, ahead.order_days)
    recency = column("days_since")
    yield (
        told
        | {"task": "churn", "model": "days since the last order"}
        | {"roc_auc": roc_auc_score(gone, recency)}
    )
    for name, model in fitted.items():
        yield told | {"task": "churn", "model": name} | _chances(gone, model["silent"])
    yield told | {"task": "churn", "model": "logistic regression (served)"} | _chances(gone, ahead.churn)
    yield told | {"task": "value", "model": "last 90 days' spend"} | _money(spent, column("spend_90"))
    decayed = column("spend_decayed") * VALUE_DAYS * np.log(2) / 30
    yield told | {"task": "value", "model": "decayed spend"} | _money(spent, decayed)
    for name, model in fitted.items():
        yield told | {"task": "value", "model": name} | _money(spent, model["value"])
    low, high = ahead.value_ends.T
    inside = {"coverage_80": float(((spent >= low) & (spent <= high)).mean()), "seconds": seconds}
    yield told | {"task": "value", "model": "ridge on roots (served)"} | _money(spent, ahead.value) | inside


def _point(came: Floats, told: Floats) -> Row:
    return {"mae_days": float(np.abs(came - told).mean())}


def _dates(came: Floats, days: Floats) -> Row:
    days = np.clip(days, 1, ORDER_DAYS + 1)
    off = came[:, None] - days
    pinball = np.maximum(np.array(QUANTILES) * off, (np.array(QUANTILES) - 1) * off).mean()
    inside = (came >= np.floor(days[:, 0])) & (came <= np.ceil(days[:, 2]))
    return _point(came, days[:, 1]) | {"pinball": float(pinball), "coverage_80": float(inside.mean())}


def _chances(gone: NDArray[np.bool_], chance: Floats) -> Row:
    order = np.array_split(np.argsort(chance, kind="stable"), 10)
    error = sum(len(part) * abs(chance[part].mean() - gone[part].mean()) for part in order) / len(gone)
    return {
        "roc_auc": roc_auc_score(gone, chance),
        "brier": brier_score_loss(gone, np.clip(chance, 0, 1)),
        "calibration_error": float(error),
        "mean_chance": float(chance.mean()),
        "true_share": float(gone.mean()),
    }


def _money(spent: Floats, told: Floats) -> Row:
    off = spent - told
    return {
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "spearman": float(spearmanr(spent, told).statistic),
        "total_bias": float(told.sum() / spent.sum() - 1),
    }


def _ours(now: Known) -> dict[str, Floats]:
    rest = now.repeats[:, :3]
    each = now.amounts.predict(now.repeats[:, [0, 3]]) if now.amounts else np.zeros(len(rest))
    return {
        "silent": now.buying.silent(rest, CHURN_DAYS),
        "value": now.buying.expected(rest, VALUE_DAYS) * each,
    }


def _peer(now: Known) -> dict[str, Floats] | None:
    """PyMC-Marketing's BG/NBD and Gamma-Gamma at their posterior's mode, with their own priors."""
    try:
        from pymc_marketing import clv  # type: ignore[import-not-found]
    except ImportError:
        return None
    frame = pd.DataFrame(now.repeats, columns=["frequency", "recency", "T", "monetary_value"])
    frame["customer_id"] = np.arange(len(frame))
    buying, again = clv.BetaGeoModel(), frame[(frame.frequency > 0) & (frame.monetary_value > 0)]
    buying.fit(data=frame, method="map", progressbar=False)

    def mean(found: Any) -> Floats:
        return np.asarray(found.mean(("chain", "draw")))

    worth = clv.GammaGammaModel()
    worth.fit(data=again, method="map", progressbar=False)
    orders = mean(buying.expected_purchases(data=frame, future_t=VALUE_DAYS))
    silent = mean(buying.expected_probability_no_purchase(data=frame, t=CHURN_DAYS))
    each = np.full(len(frame), float(np.asarray(worth.expected_new_customer_spend()).mean()))
    each[again.index] = mean(worth.expected_customer_spend(data=again))
    return {"silent": silent, "value": orders * each}


# attributes that nobody told -----------------------------------------------------------------
def gaps(shop: Path, repeats: int = 2) -> list[Row]:
    """Five-fold cross-validation on the customers whose attributes are known."""
    work = _copy(_store(shop))
    try:
        behaviours(work)
        customers, columns = behaviour_columns(work)
        place, rows = {key: i for i, key in enumerate(customers)}, []
        for attribute, joined in BANDS.items():
            told = work.con.execute(
                "SELECT customer_id, value FROM attributes WHERE attribute = ? ORDER BY ALL", [attribute]
            ).fetchall()
            pairs = [(place[c], joined.get(v, _REST.get(attribute, v))) for c, v in told if c in place]
            truth = np.array([value for _, value in pairs])
            if len(pairs) < 200 or len(set(truth)) > 6:
                continue
            rows.append(_guess_row(attribute, columns[[i for i, _ in pairs]], truth, repeats))
        return rows
    finally:
        work.close()


def _guess_row(attribute: str, columns: Floats, truth: NDArray, repeats: int) -> Row:
    chances = np.mean([
        cross_val_predict(
            AttributeGuess(), columns, truth, method="predict_proba",
            cv=StratifiedKFold(5, shuffle=True, random_state=seed),
        )
        for seed in range(repeats)
    ], axis=0)  # fmt: skip
    values, counts = np.unique(truth, return_counts=True)
    chosen = values[(chances / counts).argmax(axis=1)]
    auc = (
        roc_auc_score(truth, chances, multi_class="ovr")
        if len(values) > 2
        else roc_auc_score(truth, chances[:, 1])
    )
    top = chances.max(axis=1)
    return {
        "part": PART, "task": f"guess {attribute}", "model": "logistic regression (served)", "rows": len(truth),
        "macro_f1": f1_score(truth, chosen, average="macro"), "roc_auc": auc,
        "mean_chance": float(top.mean()), "true_share": float((values[chances.argmax(axis=1)] == truth).mean()),
    }  # fmt: skip


def _copy(store: Path) -> Workspace:
    """The store's tables attached in memory: nothing is written beside it."""
    backend = ibis.duckdb.connect()
    backend.con.execute(f"ATTACH '{store}' AS shop (READ_ONLY)")
    for table in ("events", "products", "names", "attributes"):
        backend.con.execute(f"CREATE TEMP VIEW {table} AS FROM shop.main.{table}")
    return Workspace(store.parent, MultilingualEncoder(), backend, backend.con)


# what was planted ----------------------------------------------------------------------------
def planted(shop: Path, truth: Path) -> list[Row]:
    """On a simulated shop: estimated visits a day and leaving, against the truth, at the last day but
    `VALUE_DAYS`; customers of one account only."""
    forecast, last = _forecast(_store(shop))
    cut = last - timedelta(days=VALUE_DAYS)
    ahead, now = forecast.ahead(cut), forecast.known(cut)
    lives = pd.read_parquet(truth / "lifetimes.parquet").set_index("customer_id")
    lives = lives[lives.accounts == 1]
    keep = np.array([key in lives.index for key in ahead.customers])
    lives = lives.loc[[key for key, kept in zip(ahead.customers, keep, strict=True) if kept]]
    left = (lives.alive_until < pd.Timestamp(cut)).to_numpy()
    r, alpha, _, _ = now.buying.params_
    rate = (r + now.repeats[:, 0]) / (alpha + now.repeats[:, 1])
    plain = now.repeats[:, 0] / np.maximum(now.repeats[:, 2], 1)
    told = {"part": PART, "cut": cut.isoformat(), "rows": int(keep.sum()), "true_share": float(left.mean())}
    visits = lives.visits_per_day.to_numpy()
    days_since = now.columns[:, FEATURES.index("days_since")]

    def tied(found: Floats) -> float:
        return float(spearmanr(found[keep], visits).statistic)

    def area(found: Floats) -> float:
        return float(roc_auc_score(left, found[keep]))

    return [
        told | {"task": "planted rate", "model": "orders a day so far", "spearman": tied(plain)},
        told | {"task": "planted rate", "model": "BG/NBD (ours)", "spearman": tied(rate)},
        told | {"task": "planted leaving", "model": "days since the last order", "roc_auc": area(days_since)},
        told | {"task": "planted leaving", "model": "BG/NBD (ours)", "roc_auc": area(1 - ahead.alive)},
        told
        | {"task": "planted leaving", "model": "logistic regression (served)", "roc_auc": area(ahead.churn)},
    ]


def main() -> None:
    """Print the rows of a shop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    rows = run(args.shop, quick=args.quick) + (planted(args.shop, args.truth) if args.truth else [])
    for row in rows:
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items() if k != "part"}
        print("  ".join(f"{k}={v}" for k, v in shown.items()), flush=True)


if __name__ == "__main__":
    main()
