"""Intervals and tests for scores of cases: pure functions, seeded, each defined on empty input.

The unit is the case: its trials (epochs) are averaged first, since four trials of one question tell less than
four questions. Cases that share a cluster (the same question in both languages) are drawn together, since they
are mostly right or wrong together; drawn apart, they would make every interval too narrow.
Methods: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 (percentile interval) and 15
(sign flips); Wilson, JASA 22 (1927); Holm, Scand. J. Statist. 6 (1979); pass^k as in tau-bench (arXiv 2406.12045).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Any

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95
_Z = 1.959963984540054  # the normal's 97.5 % point, for LEVEL
_EXACT = 12  # up to so many non-zero differences, every one of the 2^n sign patterns is counted
_DECIMALS = 12  # sums of thirds miss zero by a hair, which must not decide a sign
_BLOCK = 2_000_000  # draws held in memory at once

Trials = Mapping[Any, Sequence[float]]
"""A case's key -> the scores of its trials."""
Clusters = Mapping[Any, Hashable]
"""A case's key -> its cluster; a case that has none stands alone."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over n cases with its 95 % interval, in the unit of what was averaged.

    With n == 0 the value is 0.0 and the interval everything possible: nothing is known.
    """

    value: float
    low: float
    high: float
    n: int


def score(trials: Trials, clusters: Clusters | None = None) -> Estimate:
    """Return one run's mean score (0 to 1) with Wilson's interval.

    Wilson's stays honest where all are right, and is on the safe side for scores between 0 and 1. The number of
    clusters stands for the number of cases in it, as if those of a cluster were always right or wrong together.
    """
    means = {key: float(np.mean(scores)) for key, scores in trials.items() if len(scores)}
    if not means:
        return Estimate(0.0, 0.0, 1.0, 0)
    value = sum(means.values()) / len(means)
    units = len({(clusters or {}).get(key, key) for key in means})
    low, high = wilson(value * units, units)
    return Estimate(value, low, high, len(means))


def wilson(right: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, `right` of `n`; (0, 1) with n == 0."""
    if n == 0:
        return 0.0, 1.0
    if not 0 <= right <= n + 1e-9:
        raise ValueError(f"{right} of {n} is no share; give a number of right ones from 0 to n.")
    share, square = right / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * sqrt(max(share * (1 - share) / n + square / (4 * n * n), 0.0))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(
    values: Mapping[Any, float],
    clusters: Clusters | None = None,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of the cases' values with its percentile interval over `resamples` draws of clusters.

    bounds: the least and greatest mean possible, which is the interval while fewer than two clusters are there.
    """
    if not values:
        return Estimate(0.0, *bounds, 0)
    sums, sizes = _by_cluster(values, clusters)
    value = round(float(sums.sum() / sizes.sum()), _DECIMALS)
    if len(sums) < 2:
        return Estimate(value, *bounds, len(values))
    low, high = np.quantile(_means(sums, sizes, resamples, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, round(float(low), _DECIMALS), round(float(high), _DECIMALS), len(values))


def paired_difference(
    a: Trials,
    b: Trials,
    clusters: Clusters | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of B minus A over the cases that both have (scores 0 to 1, so -1 to 1), bootstrapped."""
    return bootstrap(differences(a, b), clusters, bounds=(-1.0, 1.0), resamples=resamples, seed=seed)


def differences(a: Trials, b: Trials) -> dict[Any, float]:
    """Return B's mean less A's for each case with a trial in both, in A's order."""
    return {
        key: round(float(np.mean(b[key]) - np.mean(scores)), _DECIMALS)
        for key, scores in a.items()
        if len(scores) and len(b.get(key, ()))
    }


def pass_power(
    trials: Trials,
    k: int,
    clusters: Clusters | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return pass^k, the chance that k trials of a case are all right: the mean over cases of C(c, k) / C(n, k),
    unbiased for c right ones (score 1) of n; cases with fewer than k trials are left out. Bootstrapped."""
    if k < 1:
        raise ValueError(f"pass^{k} means nothing; k is 1 or more.")
    chances = {
        key: comb(sum(is_right(s) for s in scores), k) / comb(len(scores), k)
        for key, scores in trials.items()
        if len(scores) >= k
    }
    return bootstrap(chances, clusters, resamples=resamples, seed=seed)


def is_right(score: float) -> bool:
    """Whether a trial's score says that it is wholly right."""
    return score >= 1 - 1e-9


def sign_flip(
    differences: Mapping[Any, float],
    clusters: Clusters | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return two one-sided p values: of a mean this low, and of one this high, if A and B were interchangeable.

    Then each cluster's difference is as likely to have the other sign; for right and wrong alone this is McNemar's
    exact test. A bootstrap of three cases that all got worse is certain of itself; this test is not (1 in 8).
    (1.0, 1.0) where nothing differs.
    """
    if not differences:
        return 1.0, 1.0
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[np.abs(sums) > 1e-9]
    if not len(sums):
        return 1.0, 1.0
    if len(sums) <= _EXACT:
        signs = (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1
        flipped, extra = (2 * signs - 1) @ sums, 0
    else:
        flipped, extra = _flipped(sums, resamples, seed), 1  # what was seen is one of the patterns
    seen, total = float(sums.sum()), len(flipped) + extra
    low = (np.count_nonzero(flipped <= seen + 1e-9) + extra) / total
    high = (np.count_nonzero(flipped >= seen - 1e-9) + extra) / total
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for being several, in their order: what is at most alpha keeps the chance of
    any false alarm among them at alpha."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _by_cluster(values: Mapping[Any, float], clusters: Clusters | None) -> tuple[np.ndarray, np.ndarray]:
    """Each cluster's sum of values and number of cases, both of shape (clusters,)."""
    sums: dict[Hashable, float] = {}
    sizes: dict[Hashable, int] = {}
    for key, value in values.items():
        cluster = (clusters or {}).get(key, key)
        sums[cluster] = sums.get(cluster, 0.0) + value
        sizes[cluster] = sizes.get(cluster, 0) + 1
    return np.array(list(sums.values())), np.array(list(sizes.values()), dtype=float)


def _means(sums: np.ndarray, sizes: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    rng, n = np.random.default_rng(seed), len(sums)
    means = np.empty(resamples)
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        drawn = rng.integers(0, n, size=(min(step, resamples - start), n))
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means


def _flipped(sums: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    rng, n = np.random.default_rng(seed), len(sums)
    step = max(1, _BLOCK // n)
    blocks = (min(step, resamples - start) for start in range(0, resamples, step))
    return np.concatenate([(2 * rng.integers(0, 2, size=(block, n)) - 1) @ sums for block in blocks])
