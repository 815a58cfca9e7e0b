"""Windows, targets and measures of the comparison of recommenders.

Left out, as nobody is offered them: lines without a product, of quantity 0, and of the departments, categories
and types below. A window trains on every day before its cut and tests on the `HORIZON` days from it; binary
relevance; customers with a target, those who are new included; NDCG@10 with the ideal cut at min(10, targets);
recall@10 = hits / targets; coverage over the products seen in training. "never bought" masks what the customer
bought in training, in the lists and in the targets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.errors import BadInput
from customers.recommend.evaluate import TOP, without
from customers.recommend.fitting import RESTRICTED
from customers.recommend.history import History, Ints, read_history

HORIZON = 30
LEVELS, TASKS = ("product", "type"), ("repeats", "never bought")
DRAWS = 2_000
Array = NDArray[np.float64]

_LEFT_OUT = """
    coalesce(e.quantity, 1) = 0
    OR coalesce(p.department, '') IN ('FUEL', 'COUPON', 'MISCELLANEOUS', 'CNTRL/STORE SUP', 'PROD-WHS SALES')
    OR coalesce(p.category, '') IN ('COUPON/MISC ITEMS', 'COUPON', 'COUPONS/STORE & MFG', 'FUEL', 'PROD SUPPLIES')
    OR regexp_matches(coalesce(p."type", ''), 'GASOLINE|GIFT CARD')"""


@dataclass(frozen=True)
class Split:
    """One window at one level: `history` before the cut, `bought` after it, 0/1."""

    level: str
    cut: int
    history: History
    bought: sparse.csr_matrix

    @cached_property
    def owned(self) -> sparse.csr_matrix:
        return self.history.bought(0, self.cut)

    @cached_property
    def seen(self) -> int:
        """Products seen in training."""
        return len(np.unique(self.history.product))

    def targets(self, task: str) -> sparse.csr_matrix:
        return self.bought if task == TASKS[0] else without(self.bought, self.owned)

    @cached_property
    def surprise(self) -> Array:
        """-log2 of the share of customers who bought each product."""
        share = (np.asarray(self.owned.sum(axis=0)).ravel() + 1) / (self.history.shape[0] + 1)
        return -np.log2(share)

    @cached_property
    def taste(self) -> Array:
        """Share of each category among the lines of each customer."""
        groups = self.history.catalogue.categories
        size = int(groups.max(initial=-1)) + 1
        code = self.history.customer * size + groups[self.history.product]
        counts = np.bincount(code, minlength=self.history.shape[0] * size).reshape(-1, size)
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True)
class Measured:
    """Measures of one list of recommendations. `ndcg` and `recall` by customer, nan without a target."""

    ndcg: Array
    recall: Array
    coverage: float
    novelty: float
    diversity: float
    calibration: float


def read(store: Path) -> History:
    """The purchases of a shop's store, without what the protocol leaves out, and its promotions, those after a
    window's cut too: they stand for what the shop has planned. Raises BadInput."""
    if not store.is_file():
        raise BadInput(f"{store} does not exist; bring data in first: `shopkeeper data SOURCE`")
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{str(store).replace(chr(39), chr(39) * 2)}' AS shop (READ_ONLY)")
        con.execute("CREATE VIEW products AS FROM shop.products")
        con.execute("CREATE VIEW promotions AS FROM shop.promotions")
        con.execute(
            "CREATE VIEW events AS SELECT e.* FROM shop.events e LEFT JOIN shop.products p USING (product_id)"
            f" WHERE NOT ({_LEFT_OUT})"
        )
        history = read_history(con, RESTRICTED)
    if not len(history.day) or history.cut - int(history.day.min()) < 4 * HORIZON:
        raise BadInput(f"{store} holds less than four months of purchases; too little to hold a month out")
    if history.promoted is not None and history.promoted.reaches(history.cut - HORIZON):
        return replace(history, promoted=replace(history.promoted, planned=True))
    return history


def split(history: History, cut: int, level: str) -> Split:
    told = history if level == LEVELS[0] else history.by_type()
    return Split(level, cut, told.before(cut), told.bought(cut, cut + HORIZON - 1))


def measure(found: list[Ints], one: Split, task: str) -> Measured:
    """Measure each customer's first ten products."""
    targets, gains = one.targets(task), 1 / np.log2(np.arange(2, TOP + 2))
    ndcg, recall = np.full(len(found), np.nan), np.full(len(found), np.nan)
    shown: set[int] = set()
    novelty, diversity, calibration = [], [], []
    groups = one.history.catalogue.categories
    for customer, row in enumerate(found):
        wanted = targets.indices[targets.indptr[customer] : targets.indptr[customer + 1]]
        if not len(wanted):
            continue
        row = row[:TOP]
        hits = np.isin(row, wanted)
        ndcg[customer] = (hits * gains[: len(hits)]).sum() / gains[: len(wanted)].sum()
        recall[customer] = hits.sum() / len(wanted)
        shown.update(row.tolist())
        if len(row) > 1:
            kinds = groups[row]
            novelty.append(one.surprise[row].mean())
            diversity.append((kinds[:, None] != kinds[None, :]).sum() / (len(row) * (len(row) - 1)))
            if one.taste[customer].any():
                calibration.append(_divergence(one.taste[customer], np.bincount(kinds) / len(row)))
    mean = [float(np.mean(values)) if values else 0.0 for values in (novelty, diversity, calibration)]
    return Measured(ndcg, recall, len(shown) / max(one.seen, 1), *mean)


def _divergence(taste: Array, shown: Array) -> float:
    """Kullback-Leibler divergence of the list's categories from the customer's (Steck, RecSys 2018): the list is
    mixed with a hundredth of the taste."""
    mixed = 0.01 * taste
    mixed[: len(shown)] += 0.99 * shown
    there = taste > 0
    return float((taste[there] * np.log(taste[there] / mixed[there])).sum())


def interval(values: Array, random_state: int = 0) -> tuple[float, float, float]:
    """Mean, and the 95 % bootstrap interval of the mean, over customers with a target."""
    there = values[np.isfinite(values)]
    if not len(there):
        return 0.0, 0.0, 0.0
    draw = np.random.default_rng(random_state)
    means = np.array([there[draw.integers(0, len(there), len(there))].mean() for _ in range(DRAWS)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(there.mean()), float(low), float(high)
