"""Segments of interest: k-means on the direction of taste, with k chosen by what can be found again.

Stability is the adjusted Rand index (Hubert & Arabie, 1985) of resampled clusterings, in which
everything is fitted anew, the weights and factors of taste too: `stability` compares clusterings of
bootstrap samples with the one of all customers (Hennig, "Cluster-wise assessment of cluster
stability", 2007), `halves`, the sterner, two clusterings of disjoint halves with each other (Lange et
al., "Stability-based validation of clustering solutions", 2004). A continuum has no natural k:
stability says which cut can be told again tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from customers.encoder import unit_rows
from customers.profiles.embedding import latent_axes, rarity, weighted_taste

_RESTARTS = 4
_FINAL_RESTARTS = 10
_REFERENCES = 4
_MOST_ROWS = 5000


@dataclass(frozen=True, slots=True)
class KRow:
    """One candidate k: mean silhouette (-1..1), mean ARI of bootstrap samples with the whole
    (`stability`, up to 1), the smallest segment's share of customers (0..1), the gap statistic with its
    standard error, and mean ARI of disjoint halves."""

    k: int
    silhouette: float
    stability: float
    smallest: float
    gap: float
    gap_error: float = 0.0
    halves: float = 0.0


@dataclass(frozen=True, slots=True)
class Taste:
    """Weights and axes of taste, fitted on some customers, that place any customer."""

    rarity: NDArray[np.float64]
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, counts: sp.csr_matrix, dimensions: int, random_state: int) -> Taste:
        """counts: customers x categories, at least one of each."""
        weights = rarity(counts)
        taste = weighted_taste(counts, weights)
        mean = np.asarray(taste.mean(axis=0)).ravel()
        return cls(weights, mean, latent_axes(taste, dimensions, random_state))

    def factors(self, counts: sp.csr_matrix) -> NDArray[np.float64]:
        """Latent factors, strongest first, shape (customers, dimensions)."""
        # Multiplied before the mean is taken off, so that the table stays sparse.
        return np.asarray(weighted_taste(counts, self.rarity) @ self.axes) - self.mean @ self.axes


class InterestSegments(ClusterMixin, BaseEstimator):
    """K-means of customers by what they buy, not how much.

    k segments are sought in the leading k - 1 factors of taste, which span the relaxed optimum of
    k-means (Ding & He, "K-means clustering via principal component analysis", 2004), each customer
    scaled to unit length. Candidates are the k whose stability reaches `stable` with no segment under
    `smallest` (a share); among them the largest gap statistic decides, which asks how far the customers
    are from one even cloud. Where there is no candidate, the most stable k. Fewer than 6 different
    customers make one segment.

    n_clusters: k itself, instead of a choice among `candidates`. resamples: of each kind of stability.

    Fitted: `labels_` of shape (customers,), 0 the largest segment; `n_clusters_`; `table_`, a KRow a
    candidate; `factors_` of shape (customers, dimensions), strongest first.
    """

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        candidates: Iterable[int] = (3, 4, 5, 6, 7, 8, 9),
        smallest: float = 0.03,
        stable: float = 0.85,
        resamples: int = 8,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.candidates = candidates
        self.smallest = smallest
        self.stable = stable
        self.resamples = resamples
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> InterestSegments:
        """X: customers x categories, baskets or another count, none negative; dense or sparse."""
        counts = self._checked(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        asked = (self.n_clusters,) if self.n_clusters else tuple(self.candidates)
        # The matrices are small: threads cost more than they give, the more so on a shared machine.
        with threadpool_limits(1):
            self._taste = Taste.fit(counts, max(asked) - 1, seed)
            self.factors_ = self._taste.factors(counts)
            different = len(np.unique(np.round(_space(self.factors_, max(asked)), 6), axis=0))
            possible = [k for k in asked if k <= len(self.factors_) // 2 and k <= max(1, different // 2)]
            fits = {k: _fit(_space(self.factors_, k), k, seed, _FINAL_RESTARTS) for k in possible}
            self.table_: tuple[KRow, ...] = ()
            if self.n_clusters is None and fits:
                self.table_ = _evidence(counts, self.factors_, fits, self.resamples, seed)
            chosen = (
                choose(self.table_, self.smallest, self.stable) if self.table_ else max(possible, default=1)
            )
            self._centres = _by_size(fits[chosen], _space(self.factors_, chosen)) if chosen > 1 else None
            self.n_clusters_ = chosen
            self.labels_ = self._nearest(self.factors_)
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The segment of each customer, shape (customers,)."""
        check_is_fitted(self, "labels_")
        return self._nearest(self._taste.factors(self._checked(X, reset=False)))

    def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> NDArray[np.int64]:
        """`fit`, then `labels_`."""
        return self.fit(X).labels_

    def distances(self, X: Any) -> NDArray[np.float64]:
        """Distance of each customer's taste to the centre of each segment, shape (customers, segments)."""
        check_is_fitted(self, "labels_")
        points = _space(self._taste.factors(self._checked(X, reset=False)), self.n_clusters_)
        centres = np.zeros((1, points.shape[1])) if self._centres is None else self._centres
        return np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=2)

    def _nearest(self, factors: NDArray[np.float64]) -> NDArray[np.int64]:
        if self._centres is None:
            return np.zeros(len(factors), dtype=np.int64)
        points, centres = _space(factors, self.n_clusters_), self._centres
        # |x - c|² without |x|², which is the same for all centres.
        return np.argmin((centres**2).sum(axis=1) - 2 * points @ centres.T, axis=1).astype(np.int64)

    def _checked(self, X: Any, reset: bool) -> sp.csr_matrix:
        found = sp.csr_matrix(validate_data(self, X, reset=reset, accept_sparse="csr", dtype=np.float64))
        if found.nnz and found.data.min() < 0:
            raise ValueError("Negative values in data passed to InterestSegments: counts cannot be negative")
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def choose(table: tuple[KRow, ...], smallest: float, stable: float) -> int:
    """The rule by which k is chosen from the table (see `InterestSegments`)."""
    sized = [row for row in table if row.smallest >= smallest] or list(table)
    good = [row for row in sized if row.stability >= stable]
    if good:
        return max(good, key=lambda row: row.gap).k
    return max(sized, key=lambda row: row.stability).k


def _space(factors: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    return unit_rows(factors[:, : max(2, k - 1)]).astype(np.float64)


def _fit(points: NDArray[np.float64], k: int, seed: int, restarts: int = _RESTARTS) -> KMeans:
    return KMeans(k, n_init=restarts, random_state=seed).fit(points)  # pyright: ignore[reportArgumentType]


def _told(fit: KMeans, points: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(fit.predict(points), dtype=np.int64)


def _evidence(
    counts: sp.csr_matrix, factors: NDArray[np.float64], fits: dict[int, KMeans], resamples: int, seed: int
) -> tuple[KRow, ...]:
    random = np.random.default_rng(seed)
    rows = min(len(factors), _MOST_ROWS)
    if rows < len(factors):
        picked = np.sort(random.choice(len(factors), rows, replace=False))
        counts, factors = sp.csr_matrix(counts[picked]), factors[picked]
    whole = {k: _told(fits[k], _space(factors, k)) for k in fits}
    again, apart = _resampled(counts, whole, resamples, random)
    found = []
    for k, labels in whole.items():
        points = _space(factors, k)
        seen = len(np.unique(labels))
        gap, error = _gap(factors, points, labels, k, random)
        found.append(
            KRow(
                k=k,
                silhouette=float(silhouette_score(points, labels)) if 1 < seen < rows else 0.0,
                stability=float(np.mean(again[k])),
                smallest=float(np.bincount(labels, minlength=k).min() / rows),
                gap=gap,
                gap_error=error,
                halves=float(np.mean(apart[k])),
            )
        )
    return tuple(found)


def _resampled(
    counts: sp.csr_matrix, whole: dict[int, NDArray[np.int64]], resamples: int, random: np.random.Generator
) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
    """ARI a resample, by k: of bootstrap samples with the whole, and of two halves with each other."""
    again: dict[int, list[float]] = {k: [] for k in whole}
    apart: dict[int, list[float]] = {k: [] for k in whole}
    size = counts.shape[0]  # type: ignore[index]
    for _ in range(resamples):
        order, seed = random.permutation(size), int(random.integers(2**31 - 1))
        one = _anew(counts, order[: size // 2], list(whole), seed)
        other = _anew(counts, order[size // 2 :], list(whole), seed)
        drawn = _anew(counts, random.integers(0, size, size), list(whole), seed)
        for k, labels in whole.items():
            again[k].append(adjusted_rand_score(labels, drawn[k]))
            apart[k].append(adjusted_rand_score(one[k], other[k]))
    return again, apart


def _anew(
    counts: sp.csr_matrix, rows: NDArray[np.int64], ks: list[int], seed: int
) -> dict[int, NDArray[np.int64]]:
    """Labels of all customers by k, everything fitted on `rows` alone."""
    factors = Taste.fit(sp.csr_matrix(counts[rows]), max(ks) - 1, seed).factors(counts)
    spaces = {k: _space(factors, k) for k in ks}
    return {k: _told(_fit(spaces[k][rows], k, seed), spaces[k]) for k in ks}


def _gap(
    factors: NDArray[np.float64],
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    k: int,
    random: np.random.Generator,
) -> tuple[float, float]:
    """The gap statistic and its standard error: log dispersion under uniform factors less that of the
    data (Tibshirani, Walther & Hastie, 2001)."""
    own = sum(
        ((points[labels == j] - points[labels == j].mean(axis=0)) ** 2).sum() for j in np.unique(labels)
    )
    low, high = factors.min(axis=0), factors.max(axis=0)
    logs = []
    for _ in range(_REFERENCES):
        drawn = _space(random.uniform(low, high, factors.shape), k)
        spread = float(_fit(drawn, k, int(random.integers(2**31 - 1)), 1).inertia_ or 0.0)
        logs.append(np.log(max(spread, 1e-12)))
    return float(np.mean(logs) - np.log(max(own, 1e-12))), float(np.std(logs) * np.sqrt(1 + 1 / _REFERENCES))


def _by_size(fit: KMeans, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centres, that of the largest segment first."""
    sizes = np.bincount(fit.predict(points), minlength=len(fit.cluster_centers_))
    return fit.cluster_centers_[np.argsort(-sizes, kind="stable")]
