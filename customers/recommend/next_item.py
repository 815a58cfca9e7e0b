"""What comes next in sequences of items, without a deep model: what follows what, learned together.

From each customer's items in order come counts of what follows what within `WINDOW` places, and embeddings from
them (a truncated SVD of positive pointwise mutual information; Levy and Goldberg, NIPS 2014). Gradient-boosted
trees (LambdaMART) learn to order candidates from these and from popularity, on every customer's last item.
"""

from __future__ import annotations

from typing import Any, Self

import lightgbm
import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from customers.recommend.history import Floats, Ints
from customers.recommend.neighbours import weighed

WINDOW = 12
DIMENSIONS = 96
LATE = 3.0
_LAST = 10
_BATCH = 400


class Links:
    """What is known of items and customers from sequences; `user` and `item` in order of user, then time."""

    def fit(self, user: Ints, item: Ints, users: int, items: int, random_state: int = 0) -> Self:
        self.start = np.searchsorted(user, np.arange(users + 1))
        self.item, self.items = item, items
        age = self.start[user + 1] - 1 - np.arange(len(user))
        length = np.diff(self.start)
        self.length = length.astype(np.float32)
        self.count = np.bincount(item, minlength=items).astype(np.float32)
        self.late = np.bincount(item, np.exp2(-age / LATE), minlength=items) / (self.count + 1)
        place = (length[user] - 1 - age) / np.maximum(length[user], 1)
        self.place = np.bincount(item, place, minlength=items) / np.maximum(self.count, 1)
        after = _following(user, item, items)
        either = sparse.csr_matrix(after + after.T)
        self.links = {
            "together": _scaled(either, self.count, 1, 0), "together, rare": _scaled(either, self.count, 0.5, 0.5),
            "after": _scaled(after, self.count, 0.5, 0.5),
        }  # fmt: skip
        self.vectors = _embedded(either, random_state)
        worth = np.exp2(-age / LATE).astype(np.float32)
        late = sparse.csr_matrix((worth, (user, item)), shape=(users, items))
        total = np.asarray(late.sum(axis=1)).ravel()
        self.recent = weighed(late, 1 / np.maximum(total, 1e-9))
        self.ever = sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(users, items))
        self.late_taste = self.recent @ self.vectors
        self.taste = (self.ever @ self.vectors) / np.maximum(self.length, 1)[:, None]
        return self

    def describe(self, customers: Ints, candidates: Ints) -> Floats:
        """Columns of each candidate; `candidates`, shape (customers, k). Rows by customer."""
        parts = [
            self._batch(customers[start : start + _BATCH], candidates[start : start + _BATCH])
            for start in range(0, len(customers), _BATCH)
        ]
        return np.concatenate(parts)

    def _batch(self, who: Ints, what: Ints) -> Floats:
        near = self.vectors[what]
        columns = [self.count[what], self.late[what], self.place[what]]
        columns.append(np.broadcast_to(self.length[who][:, None], what.shape))
        for taste in (self.late_taste[who], self.taste[who]):
            columns.append(np.einsum("qd,qkd->qk", taste, near))
        columns += self._nearest(who, near)
        for links in self.links.values():
            for own in (self.recent[who], self.ever[who]):
                columns.append(np.take_along_axis((own @ links).toarray(), what, 1))
        return np.column_stack([np.asarray(column, np.float32).ravel() for column in columns])

    def _nearest(self, who: Ints, near: Floats) -> list[Floats]:
        """Likeness to the last item, and to the likest of the last `_LAST`."""
        most = np.full(near.shape[:2], -1, np.float32)
        last = most
        for back in range(1, _LAST + 1):
            there = self.length[who] >= back
            own = self.vectors[self.item[np.maximum(self.start[who + 1] - back, 0)]]
            like = np.where(there[:, None], np.einsum("qd,qkd->qk", own, near), -1)
            most = np.maximum(most, like)
            last = like if back == 1 else last
        return [last, most]


class NextItem:
    """Orders candidates for the next place of each sequence. `examples`: customers learned from at most;
    `negatives` drawn for each, evenly from what the customer does not have."""

    name = "blend of links"

    def __init__(
        self, rounds: int = 200, examples: int = 15_000, negatives: int = 100, random_state: int = 0
    ) -> None:
        self.rounds = rounds
        self.examples = examples
        self.negatives = negatives
        self.random_state = random_state

    def fit(self, user: Ints, item: Ints, users: int, items: int) -> Self:
        """Learn from sequences (`user` ascending, `item` in time order): each one's last item is what came next
        after the others."""
        draw = np.random.default_rng(self.random_state)
        size = np.bincount(user, minlength=users)
        last = np.r_[user[1:] != user[:-1], True] & (size[user] > 1)
        before = Links().fit(user[~last], item[~last], users, items, self.random_state)
        rows = np.flatnonzero(last)
        rows = np.sort(draw.choice(rows, min(self.examples, len(rows)), replace=False))
        others = unseen(user[rows], user, item, items, self.negatives, draw)
        columns = before.describe(user[rows], np.c_[item[rows], others])
        del before
        label = np.tile(np.r_[1, np.zeros(self.negatives, int)], len(rows))
        parameters: dict[str, Any] = {
            "objective": "lambdarank", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 100, "label_gain": [0, 1],
            "feature_fraction": 0.8, "lambdarank_truncation_level": 20, "num_threads": 2, "max_bin": 127, "verbosity": -1,
            "seed": self.random_state, "deterministic": True, "force_col_wise": True,
        }  # fmt: skip
        data = lightgbm.Dataset(columns, label, group=np.full(len(rows), self.negatives + 1))
        self.order = lightgbm.train(parameters, data, self.rounds)
        self.links = Links().fit(user, item, users, items, self.random_state)
        return self

    def score(self, customers: Ints, candidates: Ints) -> Floats:
        """Higher is likelier; `candidates` and what returns, shape (customers, k)."""
        columns = self.links.describe(customers, candidates)
        return np.asarray(self.order.predict(columns, num_threads=2)).reshape(candidates.shape)


def unseen(customers: Ints, user: Ints, item: Ints, items: int, n: int, draw: np.random.Generator) -> Ints:
    """`n` items for each customer, drawn evenly from those that the customer does not have."""
    owned = np.unique(user * items + item)
    found = draw.integers(0, items, (len(customers), n))
    while True:
        code = customers[:, None] * items + found
        row = np.minimum(np.searchsorted(owned, code), len(owned) - 1)
        had = owned[row] == code
        if not had.any():
            return found
        found[had] = draw.integers(0, items, int(had.sum()))


def _following(user: Ints, item: Ints, items: int) -> sparse.csr_matrix:
    """How often an item follows another, worth 0.8 as much with each place further away."""
    first, second, worth = [], [], []
    for apart in range(1, WINDOW + 1):
        same = user[:-apart] == user[apart:]
        first.append(item[:-apart][same])
        second.append(item[apart:][same])
        worth.append(np.full(int(same.sum()), 0.8 ** (apart - 1), np.float32))
    pairs = (np.concatenate(first), np.concatenate(second))
    return sparse.csr_matrix((np.concatenate(worth), pairs), shape=(items, items))


def _scaled(links: sparse.csr_matrix, count: Floats, left: float, right: float) -> sparse.csr_matrix:
    scaled = links.multiply(((count + 2) ** -left)[:, None]).multiply(((count + 2) ** -right)[None, :])
    return sparse.csr_matrix(scaled, dtype=np.float32)


def _embedded(either: sparse.csr_matrix, random_state: int) -> Floats:
    """Vectors of length 1 from the positive pointwise mutual information of what goes together."""
    pairs = either.tocoo()
    total = np.asarray(either.sum(axis=1)).ravel() + 1e-9
    smooth = total**0.75
    chance = total[pairs.row] * smooth[pairs.col] / smooth.sum()
    worth = np.log(np.maximum(pairs.data / chance, 1e-9)).astype(np.float32)
    kept = worth > 0
    matrix = sparse.csr_matrix((worth[kept], (pairs.row[kept], pairs.col[kept])), shape=either.shape)
    size = min(DIMENSIONS, len(total) - 1)
    with threadpool_limits(2, "blas"):
        left, strength, _ = randomized_svd(matrix, size, random_state=random_state)
    vectors = left * np.sqrt(strength)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-9)).astype(np.float32)
