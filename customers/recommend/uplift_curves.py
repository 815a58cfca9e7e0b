"""How well a ranking finds those whom an offer moves: uplift and Qini curves with bootstrap intervals.

Each row has a score of its effect whose mean over a group estimates the group's effect (a randomised
trial's weighted outcome, or a doubly robust score), so one formula serves trials and observational data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customers.recommend.offers import Floats, Ints


@dataclass(frozen=True, slots=True)
class Curve:
    """`auuc`: the mean over all shares of customers of the effect gained by sending to the best of the ranking, per
    customer; `qini` the same above sending to a random part; `top` the mean effect in the best `share`; all with 95 %
    bootstrap intervals over customers."""

    auuc: float
    auuc_low: float
    auuc_high: float
    qini: float
    qini_low: float
    qini_high: float
    top: float
    top_low: float
    top_high: float


def within(score: Floats, group: Ints, seed: int = 0) -> Floats:
    """Ranks (1 best .. 0) inside each group, ties by lot, so that a curve over all is the mean of the groups'."""
    order = np.lexsort((np.random.default_rng(seed).random(len(score)), score, group))
    ranked = np.empty(len(score))
    sizes = np.bincount(group)
    place = np.arange(len(score)) - np.concatenate([[0], np.cumsum(sizes)])[group[order]]
    ranked[order] = (place + 0.5) / sizes[group[order]]
    return ranked


def gains(effect: Floats, order: Ints, weight: Floats) -> tuple[Floats, Floats]:
    """Share of customers reached, and effect gained per customer of all, after each row in `order`."""
    w = weight[order]
    total = w.sum()
    return np.cumsum(w) / total, np.cumsum(effect[order] * w) / total


def curve(
    score: Floats, effect: Floats, customer: Ints, *, share: float = 0.2, rounds: int = 200, seed: int = 0
) -> Curve:
    """Measure a ranking. score: higher is sent first. effect: each row's effect score. customer: whose row it is."""
    order = _order(score, seed)
    found = np.array([_areas(order, effect, w, share) for w in draw_weights(customer, rounds, seed)])
    low, high = np.percentile(found[1:], [2.5, 97.5], axis=0) if rounds else (found[0], found[0])
    parts = [x for triple in zip(found[0], low, high, strict=True) for x in triple]
    return Curve(*map(float, parts))


def difference(
    score: Floats, other: Floats, effect: Floats, customer: Ints, *, rounds: int = 200, seed: int = 0
) -> tuple[float, float, float]:
    """How much more Qini area `score` has than `other`, with a paired 95 % interval."""
    mine, theirs = _order(score, seed), _order(other, seed)
    draws = draw_weights(customer, rounds, seed)
    gap = np.array([_areas(mine, effect, w, 0.2)[1] - _areas(theirs, effect, w, 0.2)[1] for w in draws])
    low, high = np.percentile(gap[1:], [2.5, 97.5])
    return float(gap[0]), float(low), float(high)


def draw_weights(customer: Ints, rounds: int, seed: int) -> list[Floats]:
    """Row weights: all 1 first, then `rounds` bootstrap draws of customers."""
    rng = np.random.default_rng(seed)
    people, place = np.unique(customer, return_inverse=True)
    found: list[Floats] = [np.ones(len(customer))]
    for _ in range(rounds):
        found.append(
            np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[place].astype(float)
        )
    return found


def _order(score: Floats, seed: int) -> Ints:
    """The best first, ties by lot."""
    return np.lexsort((np.random.default_rng(seed).random(len(score)), -score))


def _areas(order: Ints, effect: Floats, weight: Floats, share: float) -> tuple[float, float, float]:
    reached, gained = gains(effect, order, weight)
    step = np.diff(reached, prepend=0.0)
    auuc = float((step * gained).sum())
    head = reached <= share
    top = float(gained[head][-1] / max(reached[head][-1], 1e-12)) if head.any() else 0.0
    return auuc, auuc - float(gained[-1]) * float((step * reached).sum()), top
