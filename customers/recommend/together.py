"""What is bought in the same basket, counted once at the build."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from customers.recommend.history import Floats, History, Ints

SUPPORT = 5
_CHUNK = 2_000


@dataclass(frozen=True)
class Pairings:
    """`both`: baskets with i and j, shape (things, things), the diagonal empty, counts below
    `SUPPORT` left out; `single`: baskets with i; `baskets`: all baskets."""

    both: sparse.csr_matrix
    single: Ints
    baskets: int

    def rules(self, thing: int, least_share: float = 0.02) -> tuple[Ints, Ints, Floats, Floats]:
        """Things, baskets with both, confidence and lift of the rules `thing` -> other, by lift.

        A rule is kept from `SUPPORT` baskets and a confidence of `least_share` on, and above the
        lift of chance (1).
        """
        row = slice(self.both.indptr[thing], self.both.indptr[thing + 1])
        other, both = self.both.indices[row].astype(np.int64), self.both.data[row].astype(np.int64)
        confidence = both / max(int(self.single[thing]), 1)
        lift = confidence * self.baskets / np.maximum(self.single[other], 1)
        keep = np.flatnonzero((confidence >= least_share) & (lift > 1))
        order = keep[np.lexsort((other[keep], -both[keep], -np.round(lift[keep], 9)))]
        return other[order], both[order], confidence[order], lift[order]


def count(history: History, thing: Ints, things: int) -> Pairings:
    """Count pairs of things in baskets; `thing` gives each product's thing (itself, its category)."""
    baskets = int(history.basket.max(initial=-1)) + 1
    held = sparse.csr_matrix(
        (np.ones(len(history.basket), np.int32), (history.basket, thing[history.product])),
        shape=(baskets, things),
    )
    held.sum_duplicates()
    held.data[:] = 1
    single = np.asarray(held.sum(axis=0)).ravel().astype(np.int64)
    often = np.flatnonzero(single >= SUPPORT)
    small = held[:, often].tocsr()
    across = small.T.tocsr()
    parts = [
        _supported(across[start : start + _CHUNK] @ small, start) for start in range(0, len(often), _CHUNK)
    ]
    rows = np.concatenate([part[0] for part in parts] or [np.array([], np.int64)])
    columns = np.concatenate([part[1] for part in parts] or [np.array([], np.int64)])
    both = np.concatenate([part[2] for part in parts] or [np.array([], np.int32)])
    matrix = sparse.csr_matrix((both, (often[rows], often[columns])), shape=(things, things))
    return Pairings(matrix, single, baskets)


def _supported(product: sparse.csr_matrix, start: int) -> tuple[Ints, Ints, Ints]:
    found = product.tocoo()
    keep = (found.data >= SUPPORT) & (found.row + start != found.col)
    rows, columns = found.row[keep].astype(np.int64) + start, found.col[keep].astype(np.int64)
    return rows, columns, np.asarray(found.data, np.int64)[keep]
