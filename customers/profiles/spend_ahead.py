"""What a customer spends in the days ahead: the mean, and an interval that holds 8 times in 10.

Ridge regression of the square root of the money on square roots of behaviour: money spreads in
proportion to its size, and its square root about evenly. The mean is brought back with the spread
(E[Y] = E[sqrt Y]^2 + variance), and scaled so that the training total is met. The interval comes from
the errors of rows left out of fitting (Lei et al. 2018, split conformal prediction).
"""
# pyright: reportArgumentType=false, reportAssignmentType=false
# (scikit-learn has no types of its own; what is inferred of its results is wrong.)

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

_LEVELS = 10


class SpendAhead(RegressorMixin, BaseEstimator):
    """X: columns of behaviour, shape (n, F), NaN where not known; y: money, below 0 taken as 0.

    `penalty` is the ridge's, `coverage` the interval's, `unknown` what stands for NaN (days).
    """

    def __init__(self, penalty: float = 30.0, coverage: float = 0.8, unknown: float = 120.0) -> None:
        self.penalty = penalty
        self.coverage = coverage
        self.unknown = unknown

    def fit(self, X: ArrayLike, y: ArrayLike) -> SpendAhead:
        """Fit the mean, then the interval by level of the mean."""
        columns, money = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True
        )
        roots, target = self._roots(columns), np.sqrt(np.maximum(money, 0.0))
        self.model_ = make_pipeline(StandardScaler(), Ridge(self.penalty)).fit(roots, target)
        folds = KFold(min(5, len(target)), shuffle=True, random_state=0)
        left_out = cross_val_predict(self.model_, roots, target, cv=folds)
        errors = target - left_out
        self.spread_ = float(np.mean(errors**2))
        levels = np.array_split(np.argsort(left_out, kind="stable"), min(_LEVELS, len(target)))
        tails = ((1 - self.coverage) / 2, (1 + self.coverage) / 2)
        self.levels_ = np.array([left_out[rows].mean() for rows in levels])
        self.errors_ = np.array([np.quantile(errors[rows], tails) for rows in levels])
        total = self._mean(self.model_.predict(roots)).sum()
        self.scale_ = float(np.maximum(money, 0.0).sum() / total) if total > 0 else 1.0
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The money expected, shape (n,)."""
        return self._mean(self._root(X)) * self.scale_

    def interval(self, X: ArrayLike) -> NDArray[np.float64]:
        """The low and the high end, shape (n, 2)."""
        root = self._root(X)
        ends = [root + np.interp(root, self.levels_, self.errors_[:, side]) for side in (0, 1)]
        return np.maximum(np.column_stack(ends), 0.0) ** 2

    def _root(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        columns = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.maximum(self.model_.predict(self._roots(columns)), 0.0)

    def _roots(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(np.where(np.isnan(columns), self.unknown, columns), 0.0))

    def _mean(self, root: NDArray[np.float64]) -> NDArray[np.float64]:
        # Where hardly anything is expected the spread shrinks with it, or nobody would be worth nothing.
        root = np.maximum(root, 0.0)
        return root**2 + self.spread_ * np.minimum(1.0, root / np.sqrt(self.spread_ or 1.0))
