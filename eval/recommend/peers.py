"""The libraries' own recommenders, as people would pick them, and the quick LightGBM reference over all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self, cast

import lightgbm
import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from threadpoolctl import threadpool_limits

from customers.recommend.base import Recommender
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import ItemItem, PersonalRepeat, Popularity
from customers.recommend.neighbours import TifuKnn, UpCf
from eval.recommend.protocol import HORIZON

Model = Any


class Implicit(Recommender):
    """A model of the library implicit on logarithms of how many baskets had the product."""

    def __init__(self, name: str, make: Callable[[], Model]) -> None:
        self.name = name
        self.make = make

    def fit(self, history: History) -> Self:
        self.bought = history.weights(None).tocsr(copy=True)
        self.bought.sum_duplicates()
        self.bought.data = np.log1p(self.bought.data)
        with threadpool_limits(1, "blas"), warnings.catch_warnings():
            # It warns of conversions of its own, and of threads that are limited here.
            warnings.simplefilter("ignore")
            self.model = self.make()
            self.model.fit(self.bought, show_progress=False)
        return self

    def score(self, customers: Ints) -> Floats:
        if hasattr(self.model, "similarity"):
            found = self.bought[customers] @ self.model.similarity
            return np.asarray(found.todense(), np.float32)
        scores = self.model.user_factors[customers] @ self.model.item_factors.T
        return np.asarray(scores - scores.min(axis=1, keepdims=True) + 1e-6, np.float32)


def peers(random_state: int = 0) -> list[Recommender]:
    """Every peer, unfitted."""
    return [
        Implicit(
            "implicit ALS",
            lambda: AlternatingLeastSquares(
                factors=64, regularization=0.05, iterations=10, random_state=random_state
            ),
        ),
        Implicit(
            "implicit BPR",
            lambda: BayesianPersonalizedRanking(
                factors=64, learning_rate=0.05, iterations=100, random_state=random_state
            ),
        ),
        Implicit("implicit ItemKNN, cosine", lambda: CosineRecommender(K=100)),
        Implicit("implicit ItemKNN, BM25", lambda: BM25Recommender(K=100)),
    ]


class Reference:
    """The quick blend: LightGBM (LambdaMART) over the scores of every simple method, one month to learn from."""

    name = "quick LightGBM reference"
    depth = 100

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def models(self) -> Sequence[Recommender]:
        return [
            TifuKnn(), PersonalRepeat(120, fill=False), UpCf(), PersonalRepeat(10_000, fill=False),
            ItemItem(pool=3_000, half_life=120), Popularity(60), *peers(self.random_state),
        ]  # fmt: skip

    def fit(self, history: History) -> Self:
        """Learn on the last month of `history`, then describe what is known now."""
        before = history.before(history.cut - HORIZON)
        customer, product, own, columns = self._described(before)
        bought = history.bought(before.cut, history.cut)
        label = np.asarray(bought[customer, product]).ravel() > 0
        self.boosters = [
            self._learn(columns[kept], label[kept], customer[kept]) for kept in (own | ~own, ~own)
        ]
        self._now = self._described(history)
        return self

    def _described(self, history: History) -> tuple[Ints, Ints, Any, Floats]:
        fitted = [model.fit(history) for model in self.models()]
        owned, wide = history.bought(0, history.cut), history.shape[1]
        everybody = np.arange(history.shape[0])
        codes = [everybody.repeat(np.diff(owned.indptr)) * wide + owned.indices]
        for model in fitted:
            for rows in (model.top(everybody, self.depth), model.top(everybody, self.depth, owned)):
                codes.append(np.concatenate([c * wide + row for c, row in enumerate(rows)]))
        code = np.unique(np.concatenate(codes))
        customer, product = code // wide, code % wide
        columns = [_gathered(model, customer, product) for model in fitted]
        own = np.asarray(owned[customer, product]).ravel() > 0
        return customer, product, own, np.column_stack(columns)

    def _learn(self, columns: Floats, label: Any, customer: Ints) -> lightgbm.Booster:
        groups = np.unique(customer, return_counts=True)[1]
        parameters = {
            "objective": "lambdarank", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 50, "label_gain": [0, 1],
            "num_threads": 2, "seed": self.random_state, "verbosity": -1,
        }  # fmt: skip
        return lightgbm.train(parameters, lightgbm.Dataset(columns, label.astype(np.int8), group=groups), 200)

    def top(self, never_bought: bool) -> list[Ints]:
        """Each customer's first ten."""
        customer, product, own, columns = self._now
        kept = np.flatnonzero(~own) if never_bought else np.arange(len(own))
        worth = np.asarray(cast(Any, self.boosters[never_bought].predict(columns[kept])))
        order = kept[np.lexsort((product[kept], -worth, customer[kept]))]
        start = np.searchsorted(customer[order], np.arange(int(customer.max(initial=-1)) + 2))
        return [product[order[a : min(a + 10, b)]] for a, b in pairwise(start)]


def _gathered(model: Recommender, customer: Ints, product: Ints) -> Floats:
    found = np.zeros(len(customer), np.float32)
    start = np.searchsorted(customer, np.arange(0, int(customer.max(initial=-1)) + 257, 256))
    for place, (a, b) in enumerate(pairwise(start)):
        owners = np.arange(256 * place, 256 * place + 256)
        owners = owners[owners <= customer[-1]]
        found[a:b] = model.score(owners)[customer[a:b] - 256 * place, product[a:b]]
    return found
