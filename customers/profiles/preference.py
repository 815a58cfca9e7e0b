"""Logistic regression per category for "buys from it within 30 days".

All categories are fitted together first; each category's own coefficients are then fitted with a
ridge penalty towards the common ones, so that a category with few buyers leans on the others
(hierarchical shrinkage; Gelman & Hill, 2007, ch. 12). Fitted by Newton's method. Contributions are
exact: the log-odds are the sum of coefficient x scaled difference from all customers' mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from customers.profiles.design import ALL_COLUMNS

_COMMON_RIDGE = 10.0
_OWN_RIDGE = 100.0
_CHUNK = 200_000


@dataclass(frozen=True, slots=True)
class PreferenceModel:
    """Coefficients of every category.

    categories: C keys. mean, scale: of the columns in training, shape (F,). coefficients: (C, F),
    of scaled columns. intercepts: (C,).
    """

    categories: list[str]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def probability(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape (customers, C) from `design` columns of shape (customers, C, F)."""
        return sigmoid(self.log_odds(columns))

    def log_odds(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        weights = self.coefficients / self.scale
        shift = self.intercepts - weights @ self.mean
        return np.einsum("ucf,cf->uc", columns, weights) + shift

    def contributions(
        self, columns: NDArray[np.float32], usual: NDArray[np.float64], category: int
    ) -> dict[str, float]:
        """Behaviour -> log-odds it adds for one customer, against a customer with the `usual` columns
        (F,) of the category. `columns`: (F,). Their sum is the difference of the two log-odds."""
        parts = self.coefficients[category] * (columns - usual) / self.scale
        behaviours = list(ALL_COLUMNS.values())[: len(parts)]
        told = dict.fromkeys(behaviours, 0.0)
        for part, behaviour in zip(parts, behaviours, strict=True):
            told[behaviour] += float(part)
        return told

    def save(self, path: Path) -> None:
        """Write as a numpy archive (no pickles)."""
        np.savez(
            path,
            categories=np.array(self.categories, dtype=np.str_),
            mean=self.mean,
            scale=self.scale,
            coefficients=self.coefficients,
            intercepts=self.intercepts,
        )

    @classmethod
    def load(cls, path: Path) -> PreferenceModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            rest = (data[name] for name in ("mean", "scale", "coefficients", "intercepts"))
            return cls(data["categories"].tolist(), *rest)


def fit_preference(
    categories: list[str], columns: NDArray[np.float32], truth: NDArray[np.float64]
) -> PreferenceModel:
    """Fit on `columns` (rows, C, F) and 0/1 `truth` (rows, C); rows are customers at cut days."""
    flat = columns.reshape(-1, columns.shape[-1])
    mean = flat.mean(axis=0, dtype=np.float64)
    scale = flat.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1.0
    common = _newton(_scaled(flat, mean, scale), truth.ravel(), _COMMON_RIDGE)
    own = [
        _newton(_scaled(columns[:, j], mean, scale), truth[:, j], _OWN_RIDGE, towards=common)
        for j in range(len(categories))
    ]
    fitted = np.stack(own)
    return PreferenceModel(categories, mean, scale, fitted[:, :-1], fitted[:, -1])


def _scaled(columns: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]):
    """Scaled columns and a column of ones."""
    made = np.ones((len(columns), columns.shape[1] + 1), dtype=np.float32)
    made[:, :-1] = (columns - mean.astype(np.float32)) / scale.astype(np.float32)
    return made


def _newton(
    x: NDArray[np.float32], y: NDArray[np.float64], ridge: float, towards: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Minimise log loss + ridge/2 |w - towards|^2; the intercept (last) is hardly penalised."""
    target = np.zeros(x.shape[1]) if towards is None else towards
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = ridge * 0.01
    weights = target.copy()
    for _ in range(25):
        gradient, curvature = -penalty * (weights - target), np.diag(penalty)
        for start in range(0, len(x), _CHUNK):
            part = x[start : start + _CHUNK]
            p = sigmoid(part @ weights.astype(np.float32))
            gradient = gradient + part.T @ (y[start : start + _CHUNK] - p)
            curvature = curvature + (part * (p * (1 - p)).astype(np.float32)[:, None]).T @ part
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-4:
            break
    return weights


def log_odds_of(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """log(p / (1 - p)), safe at the ends."""
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def sigmoid(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), safe at the ends."""
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -35, 35)))
