"""What every recommender is: fitted on a history, it scores products for customers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from scipy import sparse

from customers.recommend.history import Floats, History, Ints

_BATCH = 256


class Recommender(ABC):
    """Constructors only store; `fit` learns; `score` never changes anything.

    A score of 0 means that the recommender knows no reason for the product.
    """

    name: str

    @abstractmethod
    def fit(self, history: History) -> Self:
        """Learn from everything in `history` and return self."""

    @abstractmethod
    def score(self, customers: Ints) -> Floats:
        """Return scores >= 0, shape (len(customers), products); higher is better."""

    def top(self, customers: Ints, n: int, masked: sparse.csr_matrix | None = None) -> list[Ints]:
        """Return for each customer up to `n` product indices with a score above 0, best first,
        ties by index. `masked`, shape (all customers, products): nonzero entries are left out."""
        found: list[Ints] = []
        for start in range(0, len(customers), _BATCH):
            batch = customers[start : start + _BATCH]
            scores = self.score(batch)
            if masked is not None:
                scores[dense(masked[batch]) > 0] = 0
            found += best(scores, n)
        return found


def dense(matrix: sparse.csr_matrix) -> Floats:
    """The matrix with its zeros written out."""
    return np.asarray(matrix.todense(), np.float32)


def best(scores: Floats, n: int) -> list[Ints]:
    """Indices of the up to `n` largest scores above 0 in each row, best first, ties by index."""
    n = min(n, scores.shape[1])
    if n == 0:
        return [np.array([], np.int64) for _ in scores]
    cut = np.partition(scores, scores.shape[1] - n, axis=1)[:, scores.shape[1] - n]
    found = []
    for row, least in zip(scores, cut, strict=True):
        candidates = np.flatnonzero((row >= least) & (row > 0))
        found.append(candidates[np.argsort(-row[candidates], kind="stable")][:n])
    return found
