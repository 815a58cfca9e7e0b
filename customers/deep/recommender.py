"""The sequential transformer as a recommender: from a customer's baskets to the products of the next ones."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from customers.deep.extra import require
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import Pooled


class Sequential(Pooled):
    """`customers.deep.next_items` on the `pool` products with the most buyers; needs the extra `deep`."""

    name = "sequential transformer"

    def __init__(self, pool: int = 3_000, epochs: int = 15, random_state: int = 0) -> None:
        super().__init__(pool)
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, history: History) -> Sequential:
        self._history = history
        super().fit(history)
        del self._history
        return self

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        require(("torch",))
        from customers.deep import next_items

        recipe = next_items.NextItemsRecipe(
            wide=16,
            ahead=2,
            epochs=self.epochs,
            batch=64,
            dropout=0.3,
            negatives=1_000,
            random_state=self.random_state,
        )
        self.trips = _trips(self._history, self.items)
        self.model = next_items.fit(self.trips, recipe)

    def score_pool(self, customers: Ints) -> Floats:
        from customers.deep import next_items

        return np.exp(np.clip(next_items.scores(self.model, self.trips, customers), -30, 30))


def _trips(history: History, items: Ints):
    from customers.deep.next_items import Trips

    place = np.full(history.shape[1], -1)
    place[items] = np.arange(len(items))
    item = place[history.product]
    kept = np.flatnonzero(item >= 0)
    kept = kept[np.lexsort((history.basket[kept], history.day[kept], history.customer[kept]))]
    basket = history.basket[kept]
    first = np.flatnonzero(np.r_[True, basket[1:] != basket[:-1]][: len(basket)])
    owner = history.customer[kept][first]
    start = np.searchsorted(owner, np.arange(history.shape[0] + 1))
    return Trips(start, np.r_[first, len(kept)], item[kept], history.day[kept][first], len(items))
