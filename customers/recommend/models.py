"""The recommenders that the blend is made of."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import bm25_weight
from scipy import sparse
from threadpoolctl import threadpool_limits

from customers.recommend.base import Recommender, best, dense
from customers.recommend.history import Floats, History, Ints
from customers.recommend.rhythm import rhythm

POOL = 4_000


class Popularity(Recommender):
    """Customers who bought the product in the last `days` days, the same for everybody."""

    name = "popularity"

    def __init__(self, days: int | None = None) -> None:
        self.days = days

    def fit(self, history: History) -> Self:
        first = history.cut - self.days if self.days else 0
        buyers = history.bought(first, history.cut)
        self.popularity = np.asarray(buyers.sum(axis=0), np.float32).ravel()
        return self

    def score(self, customers: Ints) -> Floats:
        return np.tile(self.popularity, (len(customers), 1))


class PersonalRepeat(Recommender):
    """Own baskets with the product, each worth half after `half_life` days, filled up with what is
    popular (below every own product)."""

    name = "personal repeat"

    def __init__(self, half_life: float = 120, fill: bool = True) -> None:
        self.half_life = half_life
        self.fill = fill

    def fit(self, history: History) -> Self:
        self.own = history.weights(self.half_life)
        popularity = Popularity().fit(history).popularity
        self.filling = popularity / (popularity.max(initial=0) or 1) * np.float32(1e-6)
        return self

    def score(self, customers: Ints) -> Floats:
        own = dense(self.own[customers])
        return own + self.filling if self.fill else own


class DueRepeat(Recommender):
    """Own decayed baskets, worth less the longer the customer is overdue by her own mean gap: by
    exp(-`patience` * (days since / gap - 1)) beyond one gap, since then she mostly stopped or switched.

    The gap of a product bought once is taken as `usual` days.
    """

    name = "personal repeat, due"

    def __init__(self, half_life: float = 90, patience: float = 0.2, usual: float = 60) -> None:
        self.half_life = half_life
        self.patience = patience
        self.usual = usual

    def fit(self, history: History) -> Self:
        own = rhythm(history)
        weights = history.weights(self.half_life).tocsr(copy=True)
        weights.sum_duplicates()
        customer = np.repeat(np.arange(history.shape[0]), np.diff(weights.indptr))
        row, _ = own.find(customer, weights.indices.astype(np.int64))
        gap = np.nan_to_num(np.maximum(own.gap(), 1), nan=self.usual)
        overdue = np.maximum((history.cut - own.last) / gap - 1, 0)
        weights.data *= np.exp(-self.patience * overdue[row]).astype(np.float32)
        self.own = weights
        popularity = Popularity().fit(history).popularity
        self.filling = popularity / (popularity.max(initial=0) or 1) * np.float32(1e-9)
        return self

    def score(self, customers: Ints) -> Floats:
        return dense(self.own[customers]) + self.filling


class Pooled(Recommender):
    """Learns only on the `pool` products with the most buyers; scores the others 0."""

    def __init__(self, pool: int = POOL, half_life: float = 120) -> None:
        self.pool = pool
        self.half_life = half_life

    def fit(self, history: History) -> Self:
        buyers = Popularity().fit(history).popularity
        order = np.argsort(-buyers, kind="stable")[: self.pool]
        self.items = np.sort(order[buyers[order] > 0])
        self.products = history.shape[1]
        own = history.weights(self.half_life)[:, self.items].tocsr()
        self._fit_pool(own)
        return self

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        raise NotImplementedError

    def score_pool(self, customers: Ints) -> Floats:
        """Scores of the pool's products only, shape (len(customers), len(items))."""
        raise NotImplementedError

    def score(self, customers: Ints) -> Floats:
        scores = np.zeros((len(customers), self.products), np.float32)
        scores[:, self.items] = np.maximum(self.score_pool(customers), 0)
        return scores

    def top(self, customers: Ints, n: int, masked: sparse.csr_matrix | None = None) -> list[Ints]:
        scores = np.maximum(self.score_pool(customers), 0)
        if masked is not None:
            scores[dense(masked[customers][:, self.items]) > 0] = 0
        return [self.items[row] for row in best(scores, n)]


class ItemItem(Pooled):
    """EASE-R: the linear item-item model with a closed form (Steck, WWW 2019), on the root of the
    time-decayed baskets.

    B = I - P / diag(P) with P the inverse of X'X + ridge * I. Where there are fewer customers than
    products the same scores come from the customers' side (Woodbury): X P = (X X' + ridge * I)^-1 X and
    diag(P) = (1 - diag(X' (X X' + ridge * I)^-1 X)) / ridge, so that no product need be left out.
    """

    name = "item-item"

    def __init__(self, pool: int = 12_000, half_life: float = 90, ridge: float = 200) -> None:
        super().__init__(pool, half_life)
        self.ridge = ridge

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        self.own = own.power(0.5).tocsr()
        self.links = None
        if self.own.shape[0] < self.own.shape[1]:
            self._inverse = self._inverted(self.own @ self.own.T).astype(np.float32)
            through = np.ascontiguousarray((self.own.T @ self._inverse).T)
            share = np.asarray(self.own.multiply(through).sum(axis=0), np.float32).ravel()
            self._scale = self.ridge / np.maximum(1 - share, np.float32(1e-4))
            return
        inverse = self._inverted(self.own.T @ self.own)
        self.links = (-inverse / np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(self.links, 0)

    def _inverted(self, gram: sparse.csr_matrix) -> Floats:
        full = dense(gram).astype(np.float64)
        full[np.diag_indices_from(full)] += self.ridge
        return np.linalg.inv(full)

    def score_pool(self, customers: Ints) -> Floats:
        if self.links is not None:
            return np.asarray(self.own[customers] @ self.links)
        through = (self.own.T @ self._inverse[customers].T).T
        return dense(self.own[customers]) - through * self._scale


class MatrixFactors(Pooled):
    """Weighted matrix factorisation by alternating least squares (Hu, Koren and Volinsky, ICDM
    2008), on BM25-weighted baskets."""

    name = "matrix factors"

    def __init__(
        self,
        pool: int = POOL,
        half_life: float = 365,
        factors: int = 48,
        ridge: float = 0.05,
        random_state: int = 0,
    ) -> None:
        super().__init__(pool, half_life)
        self.factors = factors
        self.ridge = ridge
        self.random_state = random_state

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=max(1, min(self.factors, *(side - 1 for side in cast(tuple[int, int], own.shape)))),
                regularization=self.ridge,
                iterations=10,
                random_state=self.random_state,
            )
            model.fit(bm25_weight(own, K1=cast(Any, 1.2), B=0.5).tocsr(), show_progress=False)
        self.customer_factors = np.asarray(model.user_factors, np.float32)
        self.item_factors = np.asarray(model.item_factors, np.float32)

    def score_pool(self, customers: Ints) -> Floats:
        return self.customer_factors[customers] @ self.item_factors.T


class PairwiseFactors(Pooled):
    """Matrix factorisation that learns which of two products was bought (BPR, Rendle et al., UAI 2009)."""

    name = "pairwise factors"

    def __init__(
        self,
        pool: int = POOL,
        half_life: float = 365,
        factors: int = 48,
        epochs: int = 200,
        random_state: int = 0,
    ) -> None:
        super().__init__(pool, half_life)
        self.factors = factors
        self.epochs = epochs
        self.random_state = random_state

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        model = BayesianPersonalizedRanking(
            factors=self.factors, learning_rate=0.05, regularization=0.01, iterations=self.epochs,
            random_state=self.random_state, num_threads=1,
        )  # fmt: skip
        model.fit(own, show_progress=False)
        self.customer_factors = np.asarray(model.user_factors, np.float32)
        self.item_factors = np.asarray(model.item_factors, np.float32)

    def score_pool(self, customers: Ints) -> Floats:
        return np.exp(np.clip(self.customer_factors[customers] @ self.item_factors.T, -30, 30))


class TypeTaste(Pooled):
    """The customer's own product types (decayed baskets), and within a type what is popular."""

    name = "type taste"

    def __init__(self, pool: int = 12_000, half_life: float = 90) -> None:
        super().__init__(pool, half_life)

    def fit(self, history: History) -> Self:
        types = history.catalogue.types
        if len(np.unique(types)) == len(types):  # types themselves are ranked: their categories stand above
            types = history.catalogue.categories
        kinds = int(types.max(initial=-1)) + 1
        belongs = sparse.csr_matrix((np.ones(len(types), np.float32), (np.arange(len(types)), types)))
        self.tastes = np.log1p(dense(history.weights(self.half_life) @ belongs))
        popularity = Popularity(45).fit(history).popularity
        total = np.bincount(types, popularity, minlength=kinds)
        self.within = (popularity / np.maximum(total[types], 1)).astype(np.float32)
        self.types = types
        return super().fit(history)

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        del own

    def score_pool(self, customers: Ints) -> Floats:
        return self.tastes[customers][:, self.types[self.items]] * self.within[self.items]
