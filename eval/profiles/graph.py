"""Cross-category recommendation, held out: categories never bought before, in the 30 days after a cut.

Everything is fitted on what was known before the cut: the graph as well, which then has no segments. For
each customer who did buy a category for the first time in those days, ten categories never bought before
are ranked. hit@5: customers with at least one of them among the first five; precision@5; recall@10;
NDCG@10 (ideal cut at ten). `lift` is precision@5 over chance's. Peers: chance, popularity (customers so
far), those lately taken up, and EASE-R (Steck 2019) on who bought what, ridge 1,000.
The walk's settings and EASE's ridge were chosen on November, the powers of the score fitted on October.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from customers.features.lines import EPOCH
from customers.graph.build import tables
from customers.graph.graph import KnowledgeGraph
from customers.graph.reach import Reach
from customers.graph.trips import Trips, read_trips

PART = "cross-category"
DAYS = 30
EASE_RIDGE = 1_000.0
_TOP = 10

Floats = NDArray[np.float64]
Row = dict[str, Any]


def run(shop: Path, *, quick: bool = False) -> list[Row]:
    """Rows of every model for the last 30 days of a shop (its folder, or its store), and with `quick` off for the 30 before them."""
    store = shop / "store" / "shop.duckdb" if shop.is_dir() else shop
    con = duckdb.connect(str(store), read_only=True)
    try:
        whole = read_trips(con)
        if not len(whole.day):
            return []
        last = EPOCH + timedelta(days=int(whole.day.max()) + 1 - DAYS)
        cuts = [last] if quick else [last - timedelta(days=DAYS), last]
        return [row for cut in cuts for row in _window(con, whole, cut)]
    finally:
        con.close()


def _window(con: duckdb.DuckDBPyConnection, whole: Trips, cut: date) -> list[Row]:
    known = read_trips(con, cut)
    if not len(known.day):
        return []
    bought = np.asarray(known.bought.todense(), float)
    own = bought > 0
    targets = after_cut(whole, known, cut) & ~own
    reach, seconds = _timed(lambda: Reach(KnowledgeGraph(*tables(con, cut))))
    places = [reach.index[f"category:{key}"] for key in known.things]
    lately = np.broadcast_to(reach.adoption[places], own.shape)
    scores = {
        "chance": (lambda: np.random.default_rng(0).random(own.shape), 0.0),
        "popularity": (lambda: np.broadcast_to(own.mean(axis=0), own.shape), 0.0),
        "lately taken up": (lambda: lately, 0.0),
        "EASE-R": (lambda: ease(own.astype(float), EASE_RIDGE), 0.0),
        "knowledge graph": (lambda: _walked(reach, known, bought)[:, places], seconds),
    }
    rows: list[Row] = []
    for model, (score, before) in scores.items():
        values, took = _timed(score)
        found = ranking(values, own, targets)
        lift = found["precision@5"] / rows[0]["precision@5"] if rows else 1.0
        rows.append({"part": PART, "model": model, "cut": cut.isoformat()} | found | {"lift": lift}
                    | {"seconds": round(took + before, 2)})  # fmt: skip
    return rows


def after_cut(whole: Trips, known: Trips, cut: date) -> NDArray[np.bool_]:
    """Who of the known customers bought which of the known categories in the days from the cut on."""
    first = (cut - EPOCH).days
    keep = (whole.day >= first) & (whole.day < first + DAYS)
    customer = _places(whole.customers, known.customers)[whole.customer[keep]]
    thing = _places(whole.things, known.things)[whole.thing[keep]]
    there = (customer >= 0) & (thing >= 0)
    found = np.zeros((len(known.customers), len(known.things)), bool)
    found[customer[there], thing[there]] = True
    return found


def _places(keys: list[str], among: list[str]) -> NDArray[np.int64]:
    index = {key: number for number, key in enumerate(among)}
    return np.array([index.get(key, -1) for key in keys], np.int64)


def _walked(reach: Reach, known: Trips, bought: Floats) -> Floats:
    restarts = [reach.restart({known.things[j]: row[j] for j in np.flatnonzero(row)}) for row in bought]
    return reach.score(np.stack(restarts))


def ease(bought: Floats, ridge: float) -> Floats:
    """Scores of EASE-R from a 0/1 matrix (customers, categories)."""
    gram = bought.T @ bought
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    links = -inverse / np.diag(inverse)
    np.fill_diagonal(links, 0)
    return bought @ links


def ranking(scores: Floats, own: NDArray[np.bool_], targets: NDArray[np.bool_]) -> dict[str, float]:
    """Metrics over the customers with a target; what is owned is never ranked."""
    asked = targets.any(axis=1)
    if not asked.any():
        return {"customers": 0, "hit@5": 0.0, "precision@5": 0.0, "recall@10": 0.0, "ndcg@10": 0.0}
    left, wanted = np.where(own, -np.inf, scores)[asked], targets[asked]
    top = np.argsort(-left, axis=1, kind="stable")[:, :_TOP]
    hits = np.take_along_axis(wanted, top, 1)
    gains = 1 / np.log2(np.arange(2, _TOP + 2))
    ideal = np.array([gains[: min(_TOP, n)].sum() for n in wanted.sum(axis=1)])
    return {
        "customers": int(asked.sum()),
        "hit@5": float(hits[:, :5].any(axis=1).mean()),
        "precision@5": float(hits[:, :5].mean()),
        "recall@10": float((hits.sum(axis=1) / wanted.sum(axis=1)).mean()),
        "ndcg@10": float(((hits * gains[: hits.shape[1]]).sum(axis=1) / ideal).mean()),
    }


def _timed(make: Any) -> tuple[Any, float]:
    begun = perf_counter()
    return make(), perf_counter() - begun
