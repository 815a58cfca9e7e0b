"""What would change a chance: the smallest plausible change of what a customer did, scored again.

Only what a customer can do differently is varied: on which of the trips made in the last 90 days the
category was bought, the latest trips first. Every column that follows from the trips is computed anew. The
scores that the other categories give (`profiles.alike`) do not depend on the category's own purchases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from customers.features.behaviour import HALF_LIVES
from customers.profiles.design import Rhythm
from customers.values import Change

DAYS = 90
MOST_TRIPS = 6
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Trips:
    """A customer's trips to the shop: their ages in days, whether each held the category, and the money
    spent on it; all of shape (trips,)."""

    ages: NDArray[np.int64]
    held: NDArray[np.bool_]
    spent: NDArray[np.float64]

    def own(self) -> dict[str, NDArray[np.float64]]:
        """The category's raw features, as `features.behaviour.category_rhythm` computes them; zeros where no
        trip held it. Each of shape (1, 1)."""
        ages, spent = self.ages[self.held], self.spent[self.held]
        if not len(ages):
            names = (
                "days_since",
                "tenure",
                "baskets",
                "decayed_spend",
                "baskets_30",
                "baskets_90",
                "usual_gap",
            )
            return {name: np.zeros((1, 1)) for name in (*names, *(f"decayed_{h}" for h in HALF_LIVES))}
        between = len(np.unique(ages)) - 1
        values = {
            "days_since": ages.min(),
            "tenure": ages.max(),
            "baskets": len(ages),
            "decayed_spend": (spent * 0.5 ** (ages / 60)).sum(),
            "baskets_30": (ages < 30).sum(),
            "baskets_90": (ages < 90).sum(),
            "usual_gap": (ages.max() - ages.min()) / between if between else 0.0,
            **{f"decayed_{h}": (0.5 ** (ages / h)).sum() for h in HALF_LIVES},
        }
        return {name: np.full((1, 1), float(value)) for name, value in values.items()}


def without_or_with(rhythm: Rhythm, trips: Trips, places: NDArray[np.int64], price: float) -> Rhythm:
    """The rhythm of one customer and category had the trips at `places` held the category (for `price`) where
    they did not, or not held it where they did."""
    held, spent = trips.held.copy(), trips.spent.copy()
    held[places] = ~held[places]
    spent[places] = np.where(held[places], price, 0.0)
    more = (held.sum() - trips.held.sum()) / len(held)
    shop = dict(rhythm.shop)
    shop["mean_categories"] = shop["mean_categories"] + more
    shop["mean_basket"] = shop["mean_basket"] + (spent.sum() - trips.spent.sum()) / len(held)
    return replace(rhythm, own=replace(trips, held=held, spent=spent).own(), shop=shop)


def smallest_change(
    score: Callable[[Rhythm], float], rhythm: Rhythm, trips: Trips, price: float
) -> Change | None:
    """The fewest trips that take the probability across one half, or where six do not, what they come to.
    None where the customer made no trip that could have been otherwise, or where six work the other way (a
    regular buyer of long standing who skips one trip is due on the next)."""
    now = score(rhythm)
    rises = now < _HALF
    could = np.flatnonzero((trips.ages < DAYS) & (trips.held != rises))
    could = could[np.argsort(trips.ages[could], kind="stable")][:MOST_TRIPS]
    found = None
    for n in range(1, len(could) + 1):
        places = could[:n]
        probability = score(without_or_with(rhythm, trips, places, price))
        days = 30 if trips.ages[places].max() < 30 else DAYS
        found = Change(n if rises else -n, days, probability, (probability >= _HALF) == rises)
        if found.crosses:
            return found
    return found if found is not None and (found.probability > now) == rises else None
