"""The blend: candidates from every recommender, described by their scores and by what is known of the
customer with the product, ordered by what was learned from purchases in 30 later days of several mornings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.recommend.features import Features
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import ItemItem, MatrixFactors, Pooled, Popularity, TypeTaste
from customers.recommend.neighbours import UpCf, UserNeighbours
from customers.recommend.promoted import PLANNED

HORIZON = 30
OWN = 150
NEW = 60
COMMON = 500
_BATCH = 400
_THREADS = 1


@dataclass(frozen=True)
class Candidates:
    """Products worth ranking for customers: aligned arrays, sorted by customer, then product.

    `features`, shape (rows, features), in the order of `names`; `new` where the customer never bought the
    product.
    """

    customer: Ints
    product: Ints
    new: NDArray[np.bool_]
    features: Floats
    names: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Candidates of one morning that training sees, and whether they were `bought` in the days after it."""

    customer: Ints
    new: NDArray[np.bool_]
    features: Floats
    bought: NDArray[np.bool_]
    names: tuple[str, ...]

    def some(self, customers: Ints, keep: float = 1.0, random_state: int = 0) -> Examples:
        """Those of some customers, with the share `keep` of what was not bought."""
        draw = np.random.default_rng(random_state)
        kept = np.isin(self.customer, customers) & (self.bought | (draw.random(len(self.bought)) < keep))
        return Examples(
            self.customer[kept], self.new[kept], self.features[kept], self.bought[kept], self.names
        )


class Components:
    """The recommenders of the blend, fitted on one history, and the candidates they give."""

    def __init__(self) -> None:
        self.popular = Popularity(60)
        self.of_late = Popularity(14)
        self.factors = MatrixFactors()
        self.pooled: dict[str, Pooled] = {
            "item-item": ItemItem(),
            "item-item, long": ItemItem(half_life=400),
            "user neighbours": UserNeighbours(),
            "UP-CF": UpCf(pool=12_000, own=0),
            "matrix factors": self.factors,
            "type taste": TypeTaste(),
        }

    def fit(self, history: History) -> Self:
        self.history = history
        for model in (self.popular, self.of_late, *self.pooled.values()):
            model.fit(history)
        self.features = Features().fit(history)
        self._own = history.weights(90).tocsr()
        self._own.sum_duplicates()
        self._common = [
            np.argsort(-model.popularity, kind="stable")[:COMMON] for model in (self.popular, self.of_late)
        ]
        self._place = {name: _places(model.items, history.shape[1]) for name, model in self.pooled.items()}
        return self

    def candidates(self, customers: Ints | None = None) -> Candidates:
        """For each customer (ascending; all by default) the best `OWN` own products, and `NEW` new ones of
        each recommender."""
        everybody = np.arange(self.history.shape[0]) if customers is None else customers
        parts = [
            self._batch(everybody[start : start + _BATCH]) for start in range(0, len(everybody), _BATCH)
        ] or [self._batch(everybody)]
        if len(parts) == 1:
            return parts[0]
        columns = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("customer", "product", "new", "features")
        ]
        return Candidates(*columns, names=parts[0].names)

    def _batch(self, customers: Ints) -> Candidates:
        own, wide = self._own[customers], self.history.shape[1]
        scores = {name: model.score_pool(customers) for name, model in self.pooled.items()}
        places = [_top_own(own, wide, OWN)]
        for name, model in self.pooled.items():
            places.append(_fresh(scores[name], own, model.items, self._place[name]))
        for model, common in zip((self.popular, self.of_late), self._common, strict=True):
            worth = np.tile(model.popularity[common], (len(customers), 1))
            places.append(_fresh(worth, own, common, _places(common, wide)))
        code = np.unique(np.concatenate(places))
        row, product = code // wide, code % wide
        columns, bought = self.features.of(customers[row], product)
        for name, found in scores.items():
            place = self._place[name][product]
            columns[name] = np.where(place >= 0, found[row, np.maximum(place, 0)], np.nan)
        features = np.column_stack([np.asarray(column, np.float32) for column in columns.values()])
        return Candidates(customers[row], product, ~bought, features, tuple(columns))


@dataclass(frozen=True)
class Trees:
    """How a ranking is learned: rounds, rate and leaves of the trees for the probability, the rows that a leaf
    needs, and the rounds of the trees for the order (LambdaMART; 0: none)."""

    rounds: int
    rate: float
    leaves: int
    least: int
    order_rounds: int = 0


# Chosen on the sample's November, the validation days; the first two are what a build has the time for.
EVERYTHING, FRESH = Trees(100, 0.1, 31, 100), Trees(150, 0.1, 15, 200)
EVERYTHING_THOROUGH, FRESH_THOROUGH = Trees(300, 0.05, 31, 50, 200), Trees(250, 0.08, 15, 200, 0)


class Blend:
    """Orders candidates by the probability that they are bought within `HORIZON` days; learned on candidates
    before cuts and on the purchases after them, once for all candidates and once for new ones only.

    The log-odds are the mean of those of gradient-boosted trees (binary log-loss) and of trees that learn the
    order of each customer's candidates (LambdaMART, Burges 2010; its scores brought to the same mean and
    spread), where `Trees` asks for these: they err differently. `keep`: share of the candidates that were not
    bought which training sees; `plans`: whether what the shop plans to promote may be looked at, where it is told.
    """

    def __init__(
        self,
        random_state: int = 0,
        keep: float = 0.15,
        everything: Trees = EVERYTHING,
        fresh: Trees = FRESH,
        plans: bool = True,
    ) -> None:
        self.random_state = random_state
        self.keep = keep
        self.parts = {False: everything, True: fresh}
        self.plans = plans

    def _columns(self, names: tuple[str, ...]) -> slice | Ints:
        """The columns that may be looked at."""
        hidden = [name.startswith(f"product {PLANNED} ") for name in names]
        return slice(None) if self.plans or not any(hidden) else np.flatnonzero(~np.array(hidden))

    def examples(self, candidates: Candidates, bought: sparse.csr_matrix) -> Examples:
        """What to learn from the candidates of a morning and who bought what (0/1) in the days after it."""
        draw = np.random.default_rng(self.random_state)
        hit = np.asarray(bought[candidates.customer, candidates.product]).ravel() > 0
        kept = np.flatnonzero(hit | (draw.random(len(hit)) < self.keep))
        return Examples(
            candidates.customer[kept],
            candidates.new[kept],
            candidates.features[kept],
            hit[kept],
            candidates.names,
        )

    def fit(self, seen: list[Examples], fresh: list[Examples] | None = None) -> Self:
        """Learn from the examples of several mornings; what is new from those of `fresh`, where given: it is
        bought seldom, and more mornings help there only."""
        self.models = {False: self._fit_part(seen, False), True: self._fit_part(fresh or seen, True)}
        return self

    def _fit_part(self, seen: list[Examples], new: bool) -> _Learned | None:
        rows = [np.flatnonzero(examples.new) if new else np.arange(len(examples.new)) for examples in seen]
        if not seen:
            return None
        label = np.concatenate([one.bought[kept] for one, kept in zip(seen, rows, strict=True)])
        if len(np.unique(label)) < 2:
            return None
        told = self._columns(seen[0].names)
        columns = np.concatenate([one.features[kept][:, told] for one, kept in zip(seen, rows, strict=True)])
        sizes = [
            np.unique(one.customer[kept], return_counts=True)[1] for one, kept in zip(seen, rows, strict=True)
        ]
        return _Learned.fit(self.parts[new], columns, label, np.concatenate(sizes), self.random_state)

    def score(self, candidates: Candidates, new: bool = False) -> Floats:
        """Probability to be bought in the next `HORIZON` days, corrected for the negatives that training left
        out; without anything to learn from, the decayed baskets. With `new` the model of new products speaks,
        and products that were bought before score 0."""
        learned = self.models.get(new)
        rows = np.flatnonzero(candidates.new) if new else np.arange(len(candidates.new))
        scores = np.zeros(len(candidates.new), np.float32)
        if learned is None:
            own = candidates.features[rows, candidates.names.index("own 90")] + 1e-3
            scores[rows] = own / (1 + own)
        elif len(rows):
            columns = candidates.features[rows][:, self._columns(candidates.names)]
            odds = np.exp(np.clip(learned.log_odds(columns), -20, 20)) * self.keep
            scores[rows] = odds / (1 + odds)
        return scores


@dataclass(frozen=True)
class _Learned:
    probability: lightgbm.Booster
    order: lightgbm.Booster | None
    scale: float
    shift: float

    @classmethod
    def fit(
        cls, part: Trees, columns: Floats, label: NDArray[np.bool_], group: Ints, random_state: int
    ) -> _Learned:
        common: dict[str, Any] = {
            "learning_rate": part.rate, "num_leaves": part.leaves, "min_data_in_leaf": min(part.least, max(1, len(label) // 50)),
            "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5.0, "max_bin": 63,
            "num_threads": _THREADS, "seed": random_state, "deterministic": True, "force_col_wise": True, "verbosity": -1,
        }  # fmt: skip
        data = lightgbm.Dataset(columns, label.astype(np.int8), group=group, params=common)
        probability = lightgbm.train(common | {"objective": "binary"}, data, part.rounds)
        if not part.order_rounds:
            return cls(probability, None, 1.0, 0.0)
        ranking = {"objective": "lambdarank", "lambdarank_truncation_level": 20, "label_gain": [0, 1]}
        order = lightgbm.train(common | ranking, data, part.order_rounds)
        some = columns[:: max(1, len(columns) // 50_000)]
        odds, worth = np.asarray(probability.predict(some, raw_score=True)), np.asarray(order.predict(some))
        scale = float(odds.std() / max(float(worth.std()), 1e-9))
        return cls(probability, order, scale, float(odds.mean() - scale * worth.mean()))

    def log_odds(self, columns: Floats) -> NDArray[np.float64]:
        odds = np.asarray(self.probability.predict(columns, raw_score=True, num_threads=_THREADS))
        if self.order is None:
            return odds
        worth = np.asarray(self.order.predict(columns, num_threads=_THREADS))
        return (odds + self.scale * worth + self.shift) / 2


def _places(items: Ints, wide: int) -> Ints:
    place = np.full(wide, -1)
    place[items] = np.arange(len(items))
    return place


def _entries(rows: sparse.csr_matrix) -> tuple[Ints, Ints, Floats]:
    """Row, column and value of each entry, by row."""
    pairs = rows.tocoo()
    order = np.argsort(pairs.row, kind="stable")
    row, column = pairs.row[order].astype(np.int64), pairs.col[order].astype(np.int64)
    return row, column, np.asarray(pairs.data[order], np.float32)


def _top_own(own: sparse.csr_matrix, wide: int, n: int) -> Ints:
    """Codes (row * products + product) of each row's `n` heaviest entries."""
    row, column, worth = _entries(own)
    order = np.lexsort((column, -worth, row))
    place = np.arange(len(order)) - np.searchsorted(row, row)
    kept = order[place < n]
    return row[kept] * wide + column[kept]


def _fresh(scores: Floats, own: sparse.csr_matrix, items: Ints, place: Ints) -> Ints:
    """Codes of each row's `NEW` largest scores among the items that the row does not own."""
    n = min(NEW, scores.shape[1])
    if n == 0:
        return np.array([], np.int64)
    row, product, _ = _entries(own)
    column = place[product]
    scores = scores.copy()
    scores[row[column >= 0], column[column >= 0]] = -np.inf
    found = np.argpartition(-scores, n - 1, axis=1)[:, :n]
    fit = np.isfinite(np.take_along_axis(scores, found, 1))
    return (np.arange(len(scores))[:, None] * len(place) + items[found])[fit]
