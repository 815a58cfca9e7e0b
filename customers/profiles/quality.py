"""How good probabilities are, as pure functions; an empty input gives nan."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score


@dataclass(frozen=True, slots=True)
class Quality:
    """Of `rows` predictions with share `base_rate` true: area under the ROC and the
    precision-recall curve, Brier score, expected calibration error (15 equal-count bins), and mean
    areas over the categories that have both outcomes."""

    rows: int
    base_rate: float
    roc_auc: float
    pr_auc: float
    mean_roc_auc: float
    mean_pr_auc: float
    brier: float
    ece: float


def quality(truth: NDArray[np.float64], probability: NDArray[np.float64]) -> Quality:
    """Quality of `probability` against 0/1 `truth`, both of shape (customers, categories)."""
    y, p = truth.ravel(), probability.ravel()
    per = [
        (
            roc_auc_score(truth[:, j], probability[:, j]),
            average_precision_score(truth[:, j], probability[:, j]),
        )
        for j in range(truth.shape[1])
        if 0 < truth[:, j].sum() < len(truth)
    ]
    if not per:
        return Quality(len(y), float(y.mean()) if len(y) else math.nan, *[math.nan] * 6)
    mean_roc, mean_pr = np.mean(per, axis=0)
    return Quality(
        rows=len(y),
        base_rate=float(y.mean()),
        roc_auc=float(roc_auc_score(y, p)),
        pr_auc=float(average_precision_score(y, p)),
        mean_roc_auc=float(mean_roc),
        mean_pr_auc=float(mean_pr),
        brier=float(np.mean((y - p) ** 2)),
        ece=expected_calibration_error(y, p),
    )


def reliability(
    truth: NDArray[np.float64], probability: NDArray[np.float64], bins: int = 15
) -> list[tuple[float, float, int]]:
    """(mean probability, share true, count) of `bins` equal-count bins, by rising probability."""
    order = np.argsort(probability, axis=None, kind="stable")
    parts = np.array_split(order, min(bins, len(order)) or 1)
    y, p = truth.ravel(), probability.ravel()
    return [(float(p[part].mean()), float(y[part].mean()), len(part)) for part in parts if len(part)]


def expected_calibration_error(
    truth: NDArray[np.float64], probability: NDArray[np.float64], bins: int = 15
) -> float:
    """Mean |share true - mean probability| over equal-count bins, weighted by count (Naeini et al., 2015)."""
    found = reliability(truth, probability, bins)
    total = sum(count for _, _, count in found)
    return sum(abs(y - p) * count for p, y, count in found) / total if total else math.nan
