"""What goes together, what comes after, and who buys both: counts and lifts over chance, for pairs of things.

Every function returns a `Links`: ordered pairs (first, second) with the count that supports them, the
share of the first's cases in which the second is there too, and the lift of that share over the usual one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.graph.trips import Ints, Trips

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Links:
    """Columns of equal length; `first` and `second` are numbers of things, `support` counts cases."""

    first: Ints
    second: Ints
    support: Ints
    share: Floats
    lift: Floats

    def where(self, keep: NDArray) -> Links:
        """The links at a mask or at positions."""
        return Links(
            self.first[keep], self.second[keep], self.support[keep], self.share[keep], self.lift[keep]
        )

    def strongest(self, most: int, least_support: int, least_share: float = 0.0) -> Links:
        """At most `most` links of each first thing: those of the highest lift above 1 that enough cases
        support."""
        found = self.where((self.support >= least_support) & (self.share >= least_share) & (self.lift > 1))
        order = np.lexsort((found.second, -found.support, -np.round(found.lift, 9), found.first))
        found = found.where(order)
        starts = np.searchsorted(found.first, found.first)
        return found.where(np.arange(len(found.first)) - starts < most)


def together(trips: Trips) -> Links:
    """Categories in one basket. lift = P(second | first) / P(second), over all baskets."""
    held = trips.held
    return _links(held.T @ held, _column_sums(held), trips.count)


def buyers(trips: Trips) -> Links:
    """Categories bought by the same customers, in whatever baskets."""
    ever = trips.ever
    return _links(ever.T @ ever, _column_sums(ever), len(trips.customers))


def after(trips: Trips) -> Links:
    """Categories of the next trip that were not in the one before.

    Of the trips that have a next one: share = P(second next | first now, second not now) and
    lift = that / P(second next | second not now). What is bought again is no news, so it is left out.
    """
    follows = np.flatnonzero(trips.owner[1:] == trips.owner[:-1])
    now, following = trips.held[follows], trips.held[follows + 1]
    again = now.multiply(following).tocsr()
    both = (now.T @ following - now.T @ again).tocsr()
    stayed = (now.T @ now).tocsr()
    free = len(follows) - _column_sums(now)
    usual = (_column_sums(following) - _column_sums(again)) / np.maximum(free, 1)
    first, second, support = _pairs(both)
    if not len(first):
        return Links(first, second, support, support.astype(float), support.astype(float))
    cases = _column_sums(now)[first] - np.asarray(stayed[first, second], np.int64).ravel()
    share = support / np.maximum(cases, 1)
    return Links(first, second, support, share, share / np.maximum(usual[second], 1e-12))


def leads(trips: Trips, ridge: float = 1_000.0, most: int = 100) -> Links:
    """What having bought the first adds to the chance of having bought the second, all other categories
    held equal: the weights of EASE-R (Steck 2019) on who bought what, as `share`, those furthest from 0 for
    each second. They may be below 0; `support` counts customers of both, `lift` is 1."""
    ever = trips.ever
    both = np.asarray((ever.T @ ever).todense())
    inverse = np.linalg.inv(both + ridge * np.eye(len(both)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    order = np.argsort(-np.abs(weights), axis=0, kind="stable")[:most]
    second = np.broadcast_to(np.arange(len(both)), order.shape)
    first, second = order.ravel(), second.ravel()
    found = Links(first, second, both[first, second], weights[first, second], np.ones(len(first)))
    return found.where(np.flatnonzero(found.share != 0))


def _links(both: sparse.csr_matrix, single: Ints, cases: int) -> Links:
    first, second, support = _pairs(both)
    share = support / np.maximum(single[first], 1)
    return Links(first, second, support, share, share * cases / np.maximum(single[second], 1))


def _pairs(both: sparse.csr_matrix) -> tuple[Ints, Ints, Ints]:
    found = both.tocoo()
    keep = (found.row != found.col) & (found.data > 0)
    first, second, support = (np.asarray(part[keep], np.int64) for part in (found.row, found.col, found.data))
    return first, second, support


def _column_sums(matrix: Any) -> Ints:
    return np.asarray(matrix.sum(axis=0), np.int64).ravel()
