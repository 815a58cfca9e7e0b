"""Bench part "interest": segmentations of the same customers, and the rules of what is bought together.

`stability` is the mean ARI of bootstrap samples with the whole, `halves` that of two disjoint halves with
each other; whatever a model is fitted on is fitted anew in each. `apart` is the fewest categories with a
lift of at least 1.5 that any segment has, `smallest` the smallest segment's share. `truth` is the ARI with
planted segments, where the shop is a simulated one. `noise`: customers left out, by HDBSCAN.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from customers.encoder import unit_rows
from customers.features.behaviour import customer_rhythm, decayed_counts
from customers.features.lines import baskets, purchase_lines, trips
from customers.profiles.clustering import InterestSegments, Taste
from customers.profiles.embedding import count_matrix
from eval.profiles import rules

Row = dict[str, Any]
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Fit = Callable[[NDArray[np.int64]], tuple[Labels, Floats]]
"""Rows to fit on -> labels of all customers (-1: none), and the points that they were clustered in."""

PART = "interest"
_LIFT, _SUPPORT, _BUYERS = 1.5, 0.002, 0.1


def run(store: Path, *, quick: bool = False, truth: Path | None = None) -> list[Row]:
    """Rows of every model. store: the DuckDB file; truth: segments.parquet of a simulated shop."""
    backend = ibis.duckdb.connect(store, read_only=True)
    try:
        lines = purchase_lines(backend.table("events"), backend.table("products"))
        last = lines.day.max().to_pyarrow().as_py()
        counted = decayed_counts(trips(lines, "category"), "category", last, 120.0).to_pandas()
        rhythm = customer_rhythm(baskets(lines, []), last).to_pandas().sort_values(by="customer_id")
    finally:
        backend.disconnect()
    customers = rhythm["customer_id"].tolist()
    categories = sorted(counted["category"].unique())
    place = (counted["customer_id"].tolist(), counted["category"].tolist())
    counts, spend = (
        count_matrix(*place, counted[name].tolist(), customers, categories) for name in ("baskets", "spend")
    )
    planted = None if truth is None else _planted(truth, customers)
    ours = InterestSegments().fit(counts)
    k = 5 if ours.n_clusters_ < 2 else ours.n_clusters_
    behaviour = StandardScaler().fit_transform(
        np.nan_to_num(rhythm.drop(columns="customer_id").to_numpy(dtype=float, na_value=np.nan))
    )
    money = StandardScaler().fit_transform(
        np.log1p(rhythm[["days_since", "baskets", "spend", "tenure"]].to_numpy(dtype=float).clip(0))
    )
    fits: dict[str, Fit] = {
        f"k-means on taste (served), k={k}": _on_taste(counts, k, _k_means(k)),
        f"Ward on taste, k={k}": _on_taste(counts, k, _ward(k)),
        f"Gaussian mixture on taste, k={k}": _on_taste(counts, k, _mixture(k)),
        "HDBSCAN on taste": _on_taste(counts, k, _hdbscan),
        "k-means on recency, frequency, money, tenure, k=5": _on_points(money, _k_means(5)),
        f"k-means on {behaviour.shape[1]} behaviour features, k=5": _on_points(behaviour, _k_means(5)),
    }
    found = [_row(name, fit, counts, spend, planted, 2 if quick else 8) for name, fit in fits.items()]
    chosen = [
        {"part": f"{PART}: choice of k", "model": f"k={row.k}{' (chosen)' if row.k == ours.n_clusters_ else ''}",
         "silhouette": row.silhouette, "gap": row.gap, "stability": row.stability, "halves": row.halves,
         "smallest": row.smallest}
        for row in ours.table_
    ]  # fmt: skip
    return found + chosen + rules.run(store, quick=quick)


def _planted(truth: Path, customers: list[str]) -> list[str | None]:
    found = ibis.duckdb.connect().read_parquet(truth).to_pandas()
    of = dict(zip(found["customer_id"].astype(str), found["segment"], strict=True))
    return [of.get(customer) for customer in customers]


def _row(
    name: str,
    fit: Fit,
    counts: sp.csr_matrix,
    spend: sp.csr_matrix,
    planted: list[str | None] | None,
    resamples: int,
) -> Row:
    size, random = len(spend.indptr) - 1, np.random.default_rng(0)
    labels, points = fit(np.arange(size))
    again, apart = [], []
    for _ in range(resamples):
        again.append(adjusted_rand_score(labels, fit(random.integers(0, size, size))[0]))
        order = random.permutation(size)
        one, other = (fit(half)[0] for half in (order[: size // 2], order[size // 2 :]))
        apart.append(adjusted_rand_score(one, other))
    told = labels >= 0
    sizes = np.bincount(labels[told]) if told.any() else np.zeros(1)
    row = {
        "part": PART, "model": name, "segments": int((sizes > 0).sum()),
        "silhouette": float(silhouette_score(points[told], labels[told])) if (sizes > 0).sum() > 1 else 0.0,
        "stability": float(np.mean(again)), "halves": float(np.mean(apart)),
        "smallest": float(sizes.min() / size), "apart": least_apart(labels, counts, spend),
        "noise": float(1 - told.mean()),
    }  # fmt: skip
    if planted is not None:
        known = [i for i, segment in enumerate(planted) if segment is not None]
        row["truth"] = float(adjusted_rand_score([planted[i] for i in known], labels[known]))
    return row


def least_apart(labels: Labels, counts: sp.csr_matrix, spend: sp.csr_matrix) -> int:
    """The fewest categories that set a segment apart: a lift of its spend's share of at least 1.5, among
    those with 0.2 % of all spend that a tenth of the segment buys."""
    money, trips_ = np.asarray(spend.todense()), np.asarray(counts.todense())
    usual = money.sum(axis=0) / money.sum()
    found = []
    for label in np.unique(labels[labels >= 0]):
        own = money[labels == label].sum(axis=0)
        lift = np.divide(own / own.sum(), usual, out=np.ones_like(usual), where=usual > 0)
        bought = (trips_[labels == label] > 0).mean(axis=0) >= _BUYERS
        found.append(int(((lift >= _LIFT) & (usual >= _SUPPORT) & bought).sum()))
    return min(found, default=0)


# models: rows to fit on and points of everybody -> everybody's labels --------------------------
Cluster = Callable[[Floats, NDArray[np.int64]], Labels]


def _on_taste(counts: sp.csr_matrix, k: int, cluster: Cluster) -> Fit:
    def fit(rows: NDArray[np.int64]) -> tuple[Labels, Floats]:
        points = unit_rows(Taste.fit(sp.csr_matrix(counts[rows]), 8, 0).factors(counts)[:, : max(2, k - 1)])
        points = points.astype(np.float64)
        return cluster(points, rows), points

    return fit


def _on_points(points: Floats, cluster: Cluster) -> Fit:
    return lambda rows: (cluster(points, rows), points)


def _k_means(k: int) -> Cluster:
    return lambda points, rows: np.asarray(_means(k, points[rows]).predict(points), dtype=np.int64)


def _means(k: int, points: Floats) -> KMeans:
    return KMeans(k, n_init=10, random_state=0).fit(points)  # pyright: ignore[reportArgumentType]


def _mixture(k: int) -> Cluster:
    return lambda points, rows: np.asarray(
        GaussianMixture(k, n_init=3, reg_covar=1e-4, random_state=0).fit(points[rows]).predict(points)
    )


def _ward(k: int) -> Cluster:
    """Ward's tree has no place for others: each customer goes to the nearest segment's mean."""

    def cluster(points: Floats, rows: NDArray[np.int64]) -> Labels:
        labels = AgglomerativeClustering(k).fit_predict(points[rows])
        return np.asarray(NearestCentroid().fit(points[rows], labels).predict(points))

    return cluster


def _hdbscan(points: Floats, rows: NDArray[np.int64]) -> Labels:
    found = HDBSCAN(min_cluster_size=max(5, int(0.03 * len(rows))), copy=True)  # pyright: ignore[reportArgumentType]
    labels = found.fit_predict(points[rows])
    if len(np.unique(labels[labels >= 0])) < 2:
        return np.full(len(points), 0 if (labels >= 0).any() else -1, dtype=np.int64)
    inside = labels >= 0
    everybody = np.asarray(NearestCentroid().fit(points[rows][inside], labels[inside]).predict(points))
    everybody[rows] = labels  # those left out stay so; the others were not seen
    return everybody
