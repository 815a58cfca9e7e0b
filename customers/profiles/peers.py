"""Other models of "buys from the category within 30 days", beside the served logistic regression.

All follow one contract: `fit` on columns (rows, categories, F) and 0/1 truth (rows, categories), and
`probability` of columns, shape (rows, categories). Scikit-learn's habit: a constructor only stores.
Tree models learn all categories together, the category's number being one more column.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from customers.errors import BadInput
from customers.profiles.preference import PreferenceModel, fit_preference, log_odds_of, sigmoid

Columns = NDArray[np.float32]
Numbers = NDArray[np.float64]


class Model(Protocol):
    """What every model of the comparison can do."""

    def fit(self, columns: Columns, truth: Numbers) -> Self: ...

    def probability(self, columns: Columns) -> Numbers: ...


class Logistic:
    """The served model: `preference.fit_preference`."""

    model: PreferenceModel

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        _checked(columns, truth)
        self.model = fit_preference([str(i) for i in range(truth.shape[1])], columns, truth)
        return self

    def probability(self, columns: Columns) -> Numbers:
        return self.model.probability(columns)


class LinearSvm:
    """Linear support vector machine (squared hinge; Fan et al., LIBLINEAR, 2008) with the category as
    indicator columns; its margin becomes a probability by a logistic curve (Platt, 1999) fitted on rows
    that the machine did not see."""

    def __init__(self, penalty: float = 0.01, most_rows: int = 150_000, random_state: int = 0) -> None:
        self.penalty = penalty
        self.most_rows = most_rows
        self.random_state = random_state

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        x, y = _sampled(columns, truth, self.most_rows, self.random_state)
        self.scaler_ = StandardScaler().fit(x[:, :-1])
        wide, kept = self._wide(x, truth.shape[1]), len(y) * 4 // 5
        self.machine_ = LinearSVC(C=self.penalty, dual="auto", random_state=self.random_state)
        self.machine_.fit(wide[:kept], y[:kept])
        margin = self.machine_.decision_function(wide[kept:])
        self.curve_ = LogisticRegression(C=1e6).fit(margin[:, None], y[kept:])
        return self

    def probability(self, columns: Columns) -> Numbers:
        margin = self.machine_.decision_function(self._wide(_flat(columns), columns.shape[1]))
        return self.curve_.predict_proba(margin[:, None])[:, 1].reshape(columns.shape[:2])

    def _wide(self, x: Columns, categories: int) -> Columns:
        marks = np.eye(categories, dtype=np.float32)[x[:, -1].astype(int)]
        return np.hstack([np.asarray(self.scaler_.transform(x[:, :-1]), dtype=np.float32), marks])


class Forest:
    """Random forest (Breiman, 2001); probabilities are mean shares of leaves of 40 rows at least."""

    def __init__(self, trees: int = 120, most_rows: int = 250_000, random_state: int = 0) -> None:
        self.trees = trees
        self.most_rows = most_rows
        self.random_state = random_state

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        x, y = _sampled(columns, truth, self.most_rows, self.random_state)
        self.model_ = RandomForestClassifier(
            self.trees,
            min_samples_leaf=40,
            max_features=8,  # pyright: ignore[reportArgumentType]
            max_samples=0.4,
            random_state=self.random_state,
        ).fit(x, y)
        return self

    def probability(self, columns: Columns) -> Numbers:
        return self.model_.predict_proba(_flat(columns))[:, 1].reshape(columns.shape[:2])


class AdaBoost:
    """Boosted trees of depth 3 (Freund & Schapire, 1997); the score, squeezed towards one half, becomes a
    probability by a logistic curve (Platt, 1999) fitted on rows that the boosting did not see."""

    def __init__(self, trees: int = 60, most_rows: int = 120_000, random_state: int = 0) -> None:
        self.trees = trees
        self.most_rows = most_rows
        self.random_state = random_state

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        x, y = _sampled(columns, truth, self.most_rows, self.random_state)
        kept = len(y) * 4 // 5
        self.model_ = AdaBoostClassifier(
            DecisionTreeClassifier(max_depth=3), n_estimators=self.trees, learning_rate=0.3,
            random_state=self.random_state,
        ).fit(x[:kept], y[:kept])  # fmt: skip
        score = self.model_.decision_function(x[kept:])
        self.curve_ = LogisticRegression(C=1e6).fit(score[:, None], y[kept:])
        return self

    def probability(self, columns: Columns) -> Numbers:
        score = self.model_.decision_function(_flat(columns))
        return self.curve_.predict_proba(score[:, None])[:, 1].reshape(columns.shape[:2])


class Boosting:
    """Gradient-boosted trees with log loss (Friedman, 2001) by LightGBM (Ke et al., 2017)."""

    def __init__(
        self, rounds: int = 150, rate: float = 0.06, random_state: int = 0, threads: int = 1
    ) -> None:
        self.rounds = rounds
        self.rate = rate
        self.random_state = random_state
        self.threads = threads

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        import lightgbm

        _checked(columns, truth)
        x = _flat(columns)
        shape: dict[str, Any] = {
            "objective": "binary", "num_leaves": 31, "learning_rate": self.rate, "min_data_in_leaf": 200,
            "feature_fraction": 0.3, "bagging_fraction": 0.5, "bagging_freq": 1, "lambda_l2": 20.0,
            "cat_smooth": 100.0, "cat_l2": 50.0, "max_bin": 63, "num_threads": self.threads,
            "seed": self.random_state, "deterministic": True, "force_row_wise": True, "verbose": -1,
        }  # fmt: skip
        data = lightgbm.Dataset(
            x, truth.ravel(), categorical_feature=[x.shape[1] - 1], params={"max_bin": 63, "verbose": -1}
        )
        self.model_ = lightgbm.train(shape, data, self.rounds)
        return self

    def probability(self, columns: Columns) -> Numbers:
        found = self.model_.predict(_flat(columns), num_threads=self.threads)
        return np.asarray(found).reshape(columns.shape[:2])

    def contributions(self, columns: Columns) -> Numbers:
        """Shape (rows, categories, F + 2): the log-odds that each column, then the category itself, adds
        (exact TreeSHAP; Lundberg et al., 2020), and last what is expected of anybody; they sum to the
        log-odds."""
        found = np.asarray(self.model_.predict(_flat(columns), pred_contrib=True, num_threads=self.threads))
        return found.reshape(*columns.shape[:2], -1)


class Blend:
    """The mean of the log-odds of the logistic regressions and the boosted trees."""

    def __init__(self, first: Model, second: Model) -> None:
        self.first = first
        self.second = second

    def fit(self, columns: Columns, truth: Numbers) -> Self:
        self.first.fit(columns, truth)
        self.second.fit(columns, truth)
        return self

    def probability(self, columns: Columns) -> Numbers:
        odds = [log_odds_of(model.probability(columns)) for model in (self.first, self.second)]
        return sigmoid((odds[0] + odds[1]) / 2)


def _checked(columns: Columns, truth: Numbers) -> None:
    if columns.ndim != 3 or columns.shape[:2] != truth.shape:
        raise BadInput(
            f"columns {columns.shape} and truth {truth.shape} are not of the same rows and categories"
        )
    if len({*np.unique(truth)} & {0.0, 1.0}) < 2:
        raise BadInput("nothing can be learned where all bought or nobody did")


def _flat(columns: Columns) -> Columns:
    """Shape (rows x categories, F + 1): the category's number comes last."""
    number = np.broadcast_to(
        np.arange(columns.shape[1], dtype=np.float32)[None, :, None], (*columns.shape[:2], 1)
    )
    return np.concatenate([columns, number], axis=-1).reshape(-1, columns.shape[-1] + 1)


def _sampled(columns: Columns, truth: Numbers, most: int, seed: int) -> tuple[Columns, Numbers]:
    """Shuffled rows, `most` at most: the slow learners gain little from more."""
    _checked(columns, truth)
    order = np.random.default_rng(seed).permutation(truth.size)[:most]
    return _flat(columns)[order], truth.ravel()[order]
