"""The sequential transformer on walks whose next step is known (extra `deep`)."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from customers.deep.next_items import NextItemsRecipe, Trips, fit, scores
from customers.deep.recommender import Sequential
from tests.test_recommend_models import COFFEE, PEOPLE, TEA, shop


@pytest.mark.parametrize("negatives", [0, 16])
def test_the_next_step_of_a_walk_is_learned(negatives: int) -> None:
    draw = np.random.default_rng(0)
    start = np.arange(201) * 10
    item = np.concatenate([(draw.integers(20) + np.arange(10)) % 20 for _ in range(200)])
    trips = Trips(start, np.arange(len(item) + 1), item, np.arange(len(item)), 20)
    recipe = NextItemsRecipe(
        trips=10, dimensions=32, epochs=30, batch=32, dropout=0.1, learning_rate=3e-3, negatives=negatives
    )
    found = scores(fit(trips, recipe), trips, np.arange(200)).argmax(axis=1)
    assert (found == (item[start[1:] - 1] + 1) % 20).mean() > 0.95


def test_it_recommends_of_the_own_taste() -> None:
    history = shop()
    model = Sequential(epochs=10).fit(history)
    assert model.score(np.arange(PEOPLE)).shape == (PEOPLE, 9)
    for customer, row in enumerate(model.top(np.arange(2, PEOPLE), 2), 2):
        assert set(row.tolist()) <= (TEA if customer % 2 == 0 else COFFEE)
