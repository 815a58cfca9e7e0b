"""A ranking that learns from clicks and purchases: a contextual bandit on top of the blend's score.

Linear Thompson sampling (Agrawal & Goyal 2013) with a Gaussian posterior: an offer's reward is x·w plus noise, w
begins at a prior under which the blend's order stands, and each list that was seen moves it. `exploration` is the
share of lists that are drawn from the posterior; the others are ordered by its mean. What stood where, and with which
chance, is kept, so that other rankings can be judged by the same lists later (`policy_value`).

What a draw explores beside the weights is what a product and its category draw of clicks, as far as few lists have shown
it: each gets a random worth whose spread shrinks as it is shown.

Features of an offer: the blend's log odds; whether it is new to the customer; how much more reward than the level above
its category brought, its product, its category with this customer and the product with this customer, each drawn to that
level (empirical Bayes), so that little feedback moves little; all these as one product of rates; and how often this
customer was shown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

FEATURES = (
    "level",
    "blend",
    "new",
    "category",
    "product",
    "own_category",
    "own_product",
    "ignored",
    "together",
)
"""What the ranking weighs, in order."""
_PRIOR_WEIGHT = 0.02
"""What a unit of the blend's log odds is worth in reward before anything was learnt; a mean reward, drawn to what is
above it, is worth itself."""
_NOISE = 0.3
_STRENGTH = (30.0, 20.0, 20.0, 30.0)
"""Shown offers that the prior of a category, a product, a customer's category and a customer's product is worth;
chosen on a simulated shop of 208 customers."""
_UNKNOWN = (0.05, 0.08)
"""How far the reward of a category, and of a product in it, may be off before it was ever shown."""
_DRAWS = 128


@dataclass(frozen=True)
class Slate:
    """Candidates of one customer, aligned: numbers of the products and of their categories, the blend's probabilities,
    whether the customer never bought them."""

    customer: int
    product: Ints
    category: Ints
    score: Floats
    new: NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """A list that was shown: places in the slate, best first; the chance that the first stood first; features of every
    candidate at that time, shape (candidates, features); whether it was drawn to explore."""

    chosen: Ints
    chance: float
    features: Floats
    explored: bool


@dataclass
class Counts:
    """How often things were shown and clicked; a click is worth its reward."""

    shown: dict[tuple[int, ...], float] = field(default_factory=dict)
    reward: dict[tuple[int, ...], float] = field(default_factory=dict)

    def add(self, key: tuple[int, ...], reward: float) -> None:
        self.shown[key] = self.shown.get(key, 0.0) + 1.0
        self.reward[key] = self.reward.get(key, 0.0) + reward

    def mean(self, key: tuple[int, ...], prior: float, strength: float) -> float:
        """The mean reward, drawn to `prior` as if that had been seen `strength` times."""
        return (self.reward.get(key, 0.0) + strength * prior) / (self.shown.get(key, 0.0) + strength)


class Bandit:
    """Ranks slates and learns from what came of them.

    exploration: share (0..1) of the lists that are drawn to learn; lot: the part of these in an order by lot, so that
    every product stands first with a chance that a log can be weighed by. width: scales the posterior's spread when
    drawing.
    Not safe for several threads at once: one process ranks, and learns between lists.
    """

    def __init__(
        self, exploration: float = 0.1, *, lot: float = 0.1, width: float = 1.0, random_state: int = 0
    ) -> None:
        if not 0 <= exploration <= 1:
            raise ValueError(f"exploration is a share from 0 to 1, not {exploration}")
        self.exploration, self.lot, self.width = exploration, lot, width
        self._rng = np.random.default_rng(random_state)
        # The blend's own order is what is believed first; the other weights start near nothing.
        spread = np.array([0.3, 0.03, 0.1, 0.5, 0.5, 0.5, 0.5, 0.05, 0.5])
        mean = np.array([0.0, _PRIOR_WEIGHT, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0, 0.5])
        self._precision = np.diag(_NOISE**2 / spread**2)
        self._moment = self._precision @ mean
        self._levels = [Counts(), Counts(), Counts(), Counts()]
        self._all = Counts()

    # ranking -------------------------------------------------------------------------------
    def rank(self, slate: Slate, n: int) -> Shown:
        """Return the `n` best of a slate, as the exploration share has it."""
        x = self.features(slate)
        mean, half = self._posterior()
        greedy = x @ mean
        explored = bool(self._rng.random() < self.exploration)
        worth = self._explore(slate, x, mean, half) if explored else greedy
        chosen = np.argsort(-worth, kind="stable")[:n]
        chance = float(np.argmax(greedy) == chosen[0])
        if self.exploration:
            best = self._drawn(slate, x, mean, half, _DRAWS).argmax(axis=0)
            wins = float((best == chosen[0]).mean())
            tried = self.lot / len(x) + (1 - self.lot) * (wins + 1.0 / (len(x) * _DRAWS)) / (1 + 1.0 / _DRAWS)
            chance = (1 - self.exploration) * chance + self.exploration * tried
        return Shown(chosen, chance, x, explored)

    def _explore(self, slate: Slate, x: Floats, mean: Floats, half: Floats) -> Floats:
        """Worths that put a list in an order to learn from: any order, or one that may be the best."""
        if self._rng.random() < self.lot:
            return self._rng.random(len(x))
        return self._drawn(slate, x, mean, half, 1)[:, 0]

    def _drawn(self, slate: Slate, x: Floats, mean: Floats, half: Floats, draws: int) -> Floats:
        """Rewards that may be, drawn from what is known, shape (candidates, draws)."""
        weights = mean[:, None] + half @ self._rng.standard_normal((len(mean), draws))
        worth = x @ weights
        of, place = np.unique(slate.category, return_inverse=True)
        for level, keys, index in ((0, of, place), (1, slate.product, np.arange(len(x)))):
            seen = np.array([self._levels[level].shown.get((int(key),), 0.0) for key in keys])
            spread = self.width * _UNKNOWN[level] * np.sqrt(_STRENGTH[level] / (seen + _STRENGTH[level]))
            worth += (spread[:, None] * self._rng.standard_normal((len(keys), draws)))[index]
        return worth

    def features(self, slate: Slate) -> Floats:
        """Return what is known of a slate's offers now, shape (candidates, len(FEATURES))."""
        odds = np.log(np.clip(slate.score, 1e-5, 1 - 1e-5)) - np.log1p(-np.clip(slate.score, 1e-5, 1 - 1e-5))
        base = self._all.mean((), 0.1, 20.0)
        rows = []
        for place, (product, category) in enumerate(
            zip(slate.product.tolist(), slate.category.tolist(), strict=True)
        ):
            means = self._means(slate.customer, product, category, base)
            seen = self._levels[3].shown.get((slate.customer, product), 0.0)
            rows.append((1.0, odds[place], float(slate.new[place]), *means[:4], np.log1p(seen), means[4]))
        return np.array(rows)

    def _means(
        self, customer: int, product: int, category: int, base: float
    ) -> tuple[float, float, float, float, float]:
        """Mean rewards less those of the level above, from the category down to the customer's own product."""
        of_category = self._levels[0].mean((category,), base, _STRENGTH[0])
        of_product = self._levels[1].mean((product,), of_category, _STRENGTH[1])
        own = self._levels[2].mean((customer, category), of_category, _STRENGTH[2])
        own_product = self._levels[3].mean((customer, product), of_product, _STRENGTH[3])
        together = of_product * own / of_category * own_product / of_product
        return (
            of_category - base,
            of_product - of_category,
            own - of_category,
            own_product - of_product,
            together,
        )

    def _posterior(self) -> tuple[Floats, Floats]:
        """The mean of the weights, and a matrix that turns standard normal numbers into their spread."""
        mean = np.linalg.solve(self._precision, self._moment)
        half = np.linalg.cholesky(np.linalg.inv(self._precision)) * (_NOISE * self.width)
        return mean, half

    @property
    def weights(self) -> dict[str, float]:
        """What each feature is worth in reward now."""
        return dict(zip(FEATURES, self._posterior()[0].tolist(), strict=True))

    # learning ------------------------------------------------------------------------------
    def learn(self, slate: Slate, shown: Shown, rewards: Sequence[float] | Floats) -> None:
        """Take in what came of a list: one reward for each product of it, in order (1: bought or clicked, 0: passed
        over; what lies between is worth so much)."""
        for place, reward in zip(shown.chosen.tolist(), rewards, strict=True):
            x = shown.features[place]
            self._precision += np.outer(x, x)
            self._moment += x * float(reward)
            product, category = int(slate.product[place]), int(slate.category[place])
            keys = ((category,), (product,), (slate.customer, category), (slate.customer, product))
            for level, key in zip(self._levels, keys, strict=True):
                level.add(key, float(reward))
            self._all.add((), float(reward))
