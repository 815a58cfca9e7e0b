"""When a customer orders next, as three quantiles of the days until then.

Gradient-boosted trees with the pinball loss (Koenker & Bassett 1978). An outcome that lies beyond the
horizon is held at horizon + 1: quantiles below the horizon stay what they are, since a quantile of
min(days, c) is min(quantile, c), so customers who never came back bias nothing (Powell 1986).
"""
# pyright: reportArgumentType=false, reportAssignmentType=false
# (scikit-learn has no types of its own; what is inferred of its results is wrong.)

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

QUANTILES = (0.1, 0.5, 0.9)


class NextOrder(BaseEstimator):
    """X: columns of behaviour, shape (n, F), NaN where not known; y: days until the next order (>= 1),
    horizon + 1 where it did not come within `horizon` days."""

    def __init__(self, horizon: int = 90, trees: int = 80, random_state: int | None = 0) -> None:
        self.horizon = horizon
        self.trees = trees
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> NextOrder:
        """Fit one model a quantile."""
        columns, days = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True
        )
        logs = np.log(np.clip(days, 1, self.horizon + 1))
        self.models_ = [self._model(q) for q in QUANTILES]
        with threadpool_limits(1):  # OpenMP's threads wait for each other where cores are shared
            for model in self.models_:
                model.fit(columns, logs)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Days until the next order, at the quantiles, shape (n, 3), never falling; horizon + 1 stands
        for "not within the horizon"."""
        check_is_fitted(self)
        columns = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        days = np.exp(np.column_stack([model.predict(columns) for model in self.models_]))
        return np.clip(np.maximum.accumulate(days, axis=1), 1.0, self.horizon + 1.0)

    def _model(self, q: float) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            loss="quantile", quantile=q, max_iter=self.trees, learning_rate=0.08, max_leaf_nodes=12,
            min_samples_leaf=40, random_state=self.random_state, early_stopping=False,
        )  # fmt: skip
