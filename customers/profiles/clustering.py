"""K-means on taste, with the number of segments chosen by silhouette and resampling stability.

Stability is the adjusted Rand index of two clusterings of all customers, fitted on two random
halves (Lange et al., "Stability-based validation of clustering solutions", 2004; Hubert & Arabie,
1985). A continuum has no natural k: stability says which cut can be told again tomorrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from customers.encoder import unit_rows

_HALVES = 8
_RESTARTS = 4
_STRONG = 0.7
_ALIKE = 0.1


@dataclass(frozen=True, slots=True)
class KRow:
    """One candidate k: mean silhouette (-1..1), mean resampled ARI (0..1) and the smallest
    segment's share of customers (0..1)."""

    k: int
    silhouette: float
    stability: float
    smallest: float


@dataclass(frozen=True, slots=True)
class Clustering:
    """`labels` of every customer (0..k-1, by size), and the table that k was chosen from."""

    labels: NDArray[np.int64]
    k: int
    table: tuple[KRow, ...]


def cluster(
    factors: NDArray[np.float64],
    candidates: range = range(3, 10),
    smallest: float = 0.03,
    stable: float = 0.8,
    random_state: int = 0,
) -> Clustering:
    """Cluster customers by their latent `factors`, shape (customers, >= 1), strongest first.

    k segments are sought in the leading k - 1 factors, which span the relaxed optimum of k-means
    (Ding & He, "K-means clustering via principal component analysis", 2004), each customer scaled to
    unit length. Candidates are the k whose stability reaches `stable` with no segment under
    `smallest`. Where customers form islands (a silhouette above 0.7, "strong structure" in Kaufman &
    Rousseeuw, 1990) the best silhouette decides (the larger k within 0.1 of it); on a continuum, where silhouette only falls with k,
    the largest k, which tells customers apart the most. Where there is no candidate, the most stable
    k. Fewer than 6 different customers make one segment.
    """
    distinct = len(np.unique(np.round(_space(factors, candidates.stop), 6), axis=0))
    candidates = range(candidates.start, min(candidates.stop, len(factors) // 2 + 1, distinct // 2 + 1))
    if not candidates:
        return Clustering(np.zeros(len(factors), dtype=np.int64), 1, ())
    # The matrices are small: threads cost more than they give, the more so on a shared machine.
    with threadpool_limits(1):
        spaces = {k: _space(factors, k) for k in candidates}
        fits = {k: _fit(spaces[k], k, random_state) for k in candidates}
        table = tuple(_row(spaces[k], fits[k], k, random_state) for k in candidates)
        chosen = choose(table, smallest, stable)
        return Clustering(
            _by_size(np.asarray(fits[chosen].predict(spaces[chosen]), dtype=np.int64)), chosen, table
        )


def _space(factors: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    return unit_rows(factors[:, : max(2, k - 1)]).astype(np.float64)


def choose(table: tuple[KRow, ...], smallest: float, stable: float) -> int:
    """The rule by which k is chosen from the table (see `cluster`)."""
    sized = [row for row in table if row.smallest >= smallest] or list(table)
    good = [row for row in sized if row.stability >= stable]
    islands = [row for row in good if row.silhouette > _STRONG]
    if islands:
        best = max(row.silhouette for row in islands)
        return max(row.k for row in islands if row.silhouette >= best - _ALIKE)
    if good:
        return max(good, key=lambda row: row.k).k
    return max(sized, key=lambda row: row.stability).k


def _fit(points: NDArray[np.float64], k: int, random_state: int) -> KMeans:
    return KMeans(k, n_init=_RESTARTS, random_state=random_state).fit(points)  # pyright: ignore[reportArgumentType]


def _row(points: NDArray[np.float64], fit: KMeans, k: int, random_state: int) -> KRow:
    labels = fit.predict(points)
    silhouette = silhouette_score(
        points, labels, sample_size=min(len(points), 5000), random_state=random_state
    )
    shares = np.bincount(labels, minlength=k) / len(points)
    return KRow(k, float(silhouette), stability(points, k, random_state), float(shares.min()))


def stability(points: NDArray[np.float64], k: int, random_state: int = 0) -> float:
    """Mean ARI over pairs of clusterings fitted on disjoint random halves."""
    random = np.random.default_rng(random_state)
    scores = []
    for _ in range(_HALVES):
        order = random.permutation(len(points))
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        seed = int(random.integers(2**31))
        one, two = (_fit(points[half], k, seed).predict(points) for half in (first, second))
        scores.append(adjusted_rand_score(one, two))
    return float(np.mean(scores))


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[labels].astype(np.int64)
