"""Recommenders that look at alike customers, or at products that alike customers bought."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from customers.recommend.base import dense
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import Pooled

LARGE = 12_000


class UserNeighbours(Pooled):
    """What the `k` most alike customers bought (cosine of the roots of decayed baskets), and with the share
    `own` what the customer bought."""

    name = "user neighbours"

    def __init__(self, pool: int = LARGE, half_life: float = 60, k: int = 100, own: float = 0.0) -> None:
        super().__init__(pool, half_life)
        self.k = k
        self.own = own

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        self.bought = own.power(0.5).tocsr()
        self.alike = nearest(dense_gram(scaled(self.bought)), self.k)

    def score_pool(self, customers: Ints) -> Floats:
        others = product(self.alike[customers], self.bought)
        if not self.own:
            return others
        return np.float32(1 - self.own) * others + np.float32(self.own) * dense(self.bought[customers])


class TifuKnn(UserNeighbours):
    """TIFU-KNN (Hu, He, Gao and Zhang, SIGIR 2020): baskets in groups of `group`, weights that fall by
    `within` from basket to basket of a group and by `across` from group to group; `own` is its alpha.

    The customers' vectors are compared by cosine instead of Euclidean distance.
    """

    name = "TIFU-KNN"

    def __init__(
        self, pool: int = 20_000, k: int = 200, own: float = 0.7,
        group: int = 4, within: float = 0.9, across: float = 0.8,
    ) -> None:  # fmt: skip
        super().__init__(pool, 120, k, own)
        self.group = group
        self.within = within
        self.across = across

    def fit(self, history: History) -> TifuKnn:
        age = baskets_since(history)
        worth = self.within ** (age % self.group) * self.across ** (age // self.group)
        self._worth = sparse.csr_matrix(
            (worth.astype(np.float32), (history.customer, history.product)), shape=history.shape
        )
        groups = np.zeros(history.shape[0])
        np.maximum.at(groups, history.customer, age // self.group + 1)
        self._groups = np.maximum(groups, 1) * self.group
        super().fit(history)
        del self._worth, self._groups
        return self

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        del own
        self.bought = weighed(sparse.csr_matrix(self._worth[:, self.items]), 1 / self._groups)
        self.alike = nearest(dense_gram(scaled(self.bought)), self.k)


class UpCf(Pooled):
    """UP-CF (Faggioli, Polato and Aiolli, UMAP 2020): each customer's share of recent baskets with a product,
    averaged over customers by asymmetric cosine to the power `locality`; `own` keeps the customer's own row."""

    name = "UP-CF"

    def __init__(
        self, pool: int = 20_000, half_life: float = 90, k: int = 300,
        locality: float = 3, asymmetry: float = 0.25, own: float = 0.7,
    ) -> None:  # fmt: skip
        super().__init__(pool, half_life)
        self.k = k
        self.locality = locality
        self.asymmetry = asymmetry
        self.own = own

    def fit(self, history: History) -> UpCf:
        _, first = np.unique(history.basket, return_index=True)
        worth = np.exp2(-(history.cut - history.day[first]) / self.half_life)
        self._trips = np.bincount(history.customer[first], worth, minlength=history.shape[0])
        self._ever = history.weights(None)
        super().fit(history)
        del self._trips, self._ever
        return self

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        ever = sparse.csr_matrix(self._ever[:, self.items].sign())
        size = np.asarray(ever.sum(axis=1), np.float32).ravel() + np.float32(1e-6)
        alike = dense_gram(ever)
        alike /= size[:, None] ** self.asymmetry * size[None, :] ** (1 - self.asymmetry)
        self.alike = nearest(alike**self.locality, self.k)
        self.bought = weighed(own, 1 / (self._trips + 1))

    def score_pool(self, customers: Ints) -> Floats:
        others = product(self.alike[customers], self.bought)
        if not self.own:
            return others
        return np.float32(1 - self.own) * others + np.float32(self.own) * dense(self.bought[customers])


class ItemNeighbours(Pooled):
    """The `k` products most alike to the customer's own (cosine of the roots of decayed baskets)."""

    name = "item neighbours"

    def __init__(self, pool: int = 4_000, half_life: float = 120, k: int = 100) -> None:
        super().__init__(pool, half_life)
        self.k = k

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        self.bought = own.power(0.5).tocsr()
        alike = dense_gram(scaled(sparse.csr_matrix(self.bought.T)))
        self.links = sparse.csr_matrix(nearest(alike, self.k, average=False).T)

    def score_pool(self, customers: Ints) -> Floats:
        return product(self.bought[customers], self.links)


def product(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Floats:
    """left @ right with its zeros written out; `left` has few rows with many entries."""
    return np.ascontiguousarray((right.T @ dense(left).T).T)


def dense_gram(rows: sparse.csr_matrix) -> Floats:
    """Inner products of all rows."""
    return dense(sparse.csr_matrix(rows @ rows.T))


def weighed(rows: sparse.csr_matrix, worth: Floats) -> sparse.csr_matrix:
    """Each row times its worth."""
    return sparse.csr_matrix(rows.multiply(worth[:, None]), dtype=np.float32)


def scaled(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of length 1 (or 0)."""
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return weighed(rows, 1 / np.where(length > 0, length, 1))


def nearest(alike: Floats, k: int, average: bool = True) -> sparse.csr_matrix:
    """The `k` largest of each row above 0, the diagonal left out; with `average` they sum to 1."""
    np.fill_diagonal(alike, 0)
    k = min(k, alike.shape[1])
    place = np.argpartition(-alike, k - 1, axis=1)[:, :k]
    worth = np.maximum(np.take_along_axis(alike, place, 1), 0)
    if average:
        worth = worth / np.maximum(worth.sum(axis=1, keepdims=True), np.float32(1e-9))
    rows = np.repeat(np.arange(len(alike)), k)
    found = sparse.csr_matrix((worth.ravel().astype(np.float32), (rows, place.ravel())), shape=alike.shape)
    found.eliminate_zeros()
    return found


def baskets_since(history: History) -> Ints:
    """Of each row of the history, how many baskets its customer took after it."""
    _, first, number = np.unique(history.basket, return_index=True, return_inverse=True)
    order = np.lexsort((history.basket[first], history.day[first], history.customer[first]))
    owner = history.customer[first][order]
    end = np.searchsorted(owner, owner, side="right")
    since = np.empty(len(order), np.int64)
    since[order] = end - 1 - np.arange(len(order))
    return since[number]
