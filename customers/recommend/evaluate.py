"""Held-out quality of the recommenders, by the protocol of the published baselines.

Train on everything before the last 30 days, test on those 30 days; binary relevance; customers with
at least one target; NDCG@10 with the ideal cut at min(10, targets); recall@10 = hits / targets of
the customer, averaged; coverage over products seen in training. "New" masks every product that the
customer bought in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.recommend.blend import Candidates
from customers.recommend.history import Floats, Ints

TOP = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one recommender on one task ("repeats" or "new")."""

    model: str
    task: str
    ndcg: float
    recall: float
    coverage: float
    customers: int


def quality(
    model: str, task: str, ranked: list[Ints], targets: sparse.csr_matrix, products_seen: int
) -> Quality:
    """Score the first ten of each customer's ranked products against `targets` (0/1)."""
    gains = 1 / np.log2(np.arange(2, TOP + 2))
    ndcg, recall, shown = [], [], set()
    for customer, row in enumerate(ranked):
        wanted = targets.indices[targets.indptr[customer] : targets.indptr[customer + 1]]
        if not len(wanted):
            continue
        hits = np.isin(row[:TOP], wanted)
        ndcg.append(float((hits * gains[: len(hits)]).sum() / gains[: len(wanted)].sum()))
        recall.append(float(hits.sum() / len(wanted)))
        shown.update(row[:TOP].tolist())
    count = max(len(ndcg), 1)
    coverage = len(shown) / max(products_seen, 1)
    return Quality(model, task, sum(ndcg) / count, sum(recall) / count, coverage, len(ndcg))


def without(targets: sparse.csr_matrix, owned: sparse.csr_matrix) -> sparse.csr_matrix:
    """The targets that the customer had never bought."""
    new = (targets - targets.multiply(owned > 0)).tocsr()
    new.eliminate_zeros()
    return new


def ranked(
    candidates: Candidates, scores: Floats, customers: int, keep: NDArray[np.bool_] | None = None
) -> list[Ints]:
    """Each customer's first ten candidates by score, ties by product; those in `keep` only."""
    rows = np.flatnonzero(keep) if keep is not None else np.arange(len(scores))
    order = rows[np.lexsort((candidates.product[rows], -scores[rows], candidates.customer[rows]))]
    owner = candidates.customer[order]
    starts = np.searchsorted(owner, np.arange(customers))
    ends = np.searchsorted(owner, np.arange(customers), side="right")
    return [candidates.product[order[a : min(b, a + TOP)]] for a, b in zip(starts, ends, strict=True)]
