"""The blend: candidates from every recommender, described by their scores and the customer's own
history with them, ordered by what was learned from purchases in 30 later days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from customers.recommend.base import dense
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import ItemItem, MatrixFactors, PersonalRepeat, Pooled, Popularity, TypeTaste

HORIZON = 30
HALF_LIVES = (15, 45, 120, 360)
DECAYED = len(HALF_LIVES)
OWN = 120
NEW = 60


@dataclass(frozen=True)
class Candidates:
    """Products worth ranking for customers: aligned arrays, sorted by customer.

    `features`, shape (rows, features); `new` where the customer never bought the product.
    """

    customer: Ints
    product: Ints
    new: NDArray[np.bool_]
    features: Floats


class Components:
    """The recommenders of the blend, fitted on one history, and the candidates they give."""

    def __init__(self) -> None:
        self.repeat = PersonalRepeat()
        self.recent = PersonalRepeat(half_life=30, fill=False)
        self.popular = Popularity(60)
        self.pooled: tuple[Pooled, ...] = (ItemItem(), MatrixFactors(), TypeTaste())

    def fit(self, history: History) -> Self:
        self.history = history
        for model in (self.repeat, self.recent, self.popular, *self.pooled):
            model.fit(history)
        return self

    def candidates(self) -> Candidates:
        """For every customer the best `OWN` own products and `NEW` new ones of each recommender."""
        customers = np.arange(self.history.shape[0])
        owned = self.history.weights(None)
        wide = self.history.shape[1]
        codes = [_codes(_top_own(self.history.weights(120), OWN), wide)]
        scores = [model.score_pool(customers) for model in self.pooled]
        for model, found in zip(self.pooled, scores, strict=True):
            fresh = np.where(dense(owned[:, model.items]) > 0, -np.inf, found)
            codes.append(_codes([model.items[row] for row in _largest(fresh, NEW)], wide))
        common = np.argsort(-self.popular.popularity, kind="stable")[:500]
        fresh = np.where(dense(owned[:, common]) > 0, -np.inf, self.popular.popularity[common])
        codes.append(_codes([common[row] for row in _largest(fresh, NEW)], wide))
        code = np.unique(np.concatenate(codes))
        customer, product = code // wide, code % wide
        return self._describe(customer, product, scores)

    def _describe(self, customer: Ints, product: Ints, scores: list[Floats]) -> Candidates:
        history = self.history
        pairs = history.pairs
        row, own = pairs.find(customer * history.shape[1] + product)
        baskets = np.where(own, pairs.baskets[row] if len(pairs.code) else 0, 0)
        since = np.where(own, history.cut - pairs.last[row], np.nan)
        span = np.where(
            baskets > 1, (pairs.last[row] - pairs.first[row]) / np.maximum(baskets - 1, 1), np.nan
        )
        trips = np.bincount(history.customer[_first_of_basket(history)], minlength=history.shape[0])
        popularity = self.popular.popularity
        columns = [
            *(np.asarray(history.weights(half)[customer, product]).ravel() for half in HALF_LIVES),
            baskets,
            since,
            span,
            since / np.maximum(span, 1),
            trips[customer],
            baskets / np.maximum(trips[customer], 1),
            popularity[product],
            self._repeat_rate()[product],
            np.bincount(history.catalogue.categories, popularity)[history.catalogue.categories[product]],
        ]
        for model, found in zip(self.pooled, scores, strict=True):
            place = np.full(history.shape[1], -1)
            place[model.items] = np.arange(len(model.items))
            column = place[product]
            columns.append(np.where(column >= 0, found[customer, np.maximum(column, 0)], np.nan))
        # "Never" and "not in the pool" are -1, below every real value; trees split them off.
        features = np.nan_to_num(np.column_stack(columns).astype(np.float32), nan=-1)
        return Candidates(customer, product, ~own, features)

    def _repeat_rate(self) -> Floats:
        """Share of a product's buyers who bought it in two baskets or more, drawn to the mean."""
        pairs, wide = self.history.pairs, self.history.shape[1]
        product = pairs.code % wide
        buyers = np.bincount(product, minlength=wide)
        again = np.bincount(product, pairs.baskets > 1, minlength=wide)
        mean = again.sum() / max(buyers.sum(), 1)
        return ((again + 5 * mean) / (buyers + 5)).astype(np.float32)


class Blend:
    """Orders candidates by the probability that they are bought within `HORIZON` days, learned on
    candidates before a cut and the purchases after it, apart for own and for new products.

    The probability's odds are the geometric mean of those of gradient-boosted trees and of a
    logistic regression on logarithms: they err differently, so their mean ranks better than either.
    Chosen on the sample's validation windows before the test (from September, October, November;
    NDCG@10 repeats, new): mean .4254 .4167 .4202, .0520 .0535 .0554; trees .4227 .4156 .4190, .0482
    .0507 .0552; logistic regression .4227 .4134 .4171, .0523 .0513 .0535.
    `keep`: share of the candidates that were not bought which training sees.
    """

    def __init__(self, random_state: int = 0, keep: float = 0.15) -> None:
        self.random_state = random_state
        self.keep = keep

    def fit(self, seen: list[tuple[Candidates, sparse.csr_matrix]]) -> Self:
        """`seen`: candidates of a cut, and who bought what in the days after it."""
        self.models: dict[bool, tuple[Any, Any] | None] = {}
        for new in (False, True):
            self.models[new] = self._fit_part(seen, new)
        return self

    def _fit_part(
        self, seen: list[tuple[Candidates, sparse.csr_matrix]], new: bool
    ) -> tuple[Any, Any] | None:
        draw = np.random.default_rng(self.random_state)
        parts: list[Floats] = []
        labels: list[NDArray[np.bool_]] = []
        for candidates, bought in seen:
            hit = np.asarray(bought[candidates.customer, candidates.product]).ravel() > 0
            kept = (candidates.new == new) & (hit | (draw.random(len(hit)) < self.keep))
            parts.append(candidates.features[kept])
            labels.append(hit[kept])
        if not labels or len(np.unique(np.concatenate(labels))) < 2:
            return None
        features, label = np.concatenate(parts), np.concatenate(labels)
        # More threads than free cores make both many times slower: they wait by spinning.
        with threadpool_limits(1):
            return _trees(self.random_state).fit(features, label), _weights().fit(_smooth(features), label)

    def score(self, candidates: Candidates) -> Floats:
        """Probability to be bought in the next `HORIZON` days, corrected for the negatives that
        training left out; without anything to learn from, the decayed baskets."""
        own = candidates.features[:, 2] + 1e-3
        scores = (own / (1 + own)).astype(np.float32)
        for new, models in self.models.items():
            rows = np.flatnonzero(candidates.new == new)
            if models is None or not len(rows):
                continue
            trees, weights = models
            features = candidates.features[rows]
            with threadpool_limits(1):
                odds = _odds(trees.predict_proba(features)) * _odds(weights.predict_proba(_smooth(features)))
            odds = np.sqrt(odds) * self.keep
            scores[rows] = odds / (1 + odds)
        return scores


def _trees(random_state: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.1,
        max_leaf_nodes=31,
        min_samples_leaf=100,
        l2_regularization=1.0,
        early_stopping=cast(Any, False),
        random_state=random_state,
    )


def _weights() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))


def _smooth(features: Floats) -> Floats:
    """Features in which a weighted sum makes sense: logarithms, what is missing, and saturating
    forms of the decayed baskets."""
    decayed = np.maximum(features[:, :DECAYED], 0).astype(np.float64)
    missing = (features < 0).astype(np.float64)
    return np.column_stack(
        [np.log1p(np.maximum(features, 0)), missing, np.sqrt(decayed), decayed / (1 + decayed)]
    )


def _odds(probabilities: Floats) -> Floats:
    bought = np.clip(probabilities[:, 1], 1e-7, 1 - 1e-7)
    return bought / (1 - bought)


def _first_of_basket(history: History) -> Ints:
    return np.unique(history.basket, return_index=True)[1]


def _top_own(weights: sparse.csr_matrix, n: int) -> list[Ints]:
    weights = weights.copy()
    weights.sum_duplicates()
    worth = np.asarray(weights.data, np.float32)
    rows = []
    for start, end in zip(weights.indptr[:-1], weights.indptr[1:], strict=True):
        order = np.argsort(-worth[start:end], kind="stable")[:n]
        rows.append(weights.indices[start:end][order].astype(np.int64))
    return rows


def _largest(scores: Floats, n: int) -> list[Ints]:
    n = min(n, scores.shape[1])
    if n == 0:
        return [np.array([], np.int64) for _ in scores]
    found = np.argpartition(-scores, n - 1, axis=1)[:, :n]
    return [row[np.isfinite(values[row])] for row, values in zip(found, scores, strict=True)]


def _codes(rows: list[Ints], wide: int) -> Ints:
    sizes = [len(row) for row in rows]
    flat = np.concatenate(rows) if rows else np.array([], np.int64)
    return np.repeat(np.arange(len(rows)), sizes) * wide + flat
