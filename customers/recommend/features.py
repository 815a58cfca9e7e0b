"""What is known of a customer with a product on a morning: the columns that the blend learns from.

`fit` counts everything once; `of` only looks it up, so that one customer is described in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.recommend.history import Floats, History, Ints
from customers.recommend.rhythm import HALF_LIVES, Rhythm, rhythm

Column = Floats | Ints
Columns = dict[str, Column]
# Of these levels also variety, trials and price are told; others tell rhythm and share only.
DETAILED = ("type", "category")
RECENT = (7, 21, 60, 400)
TRIALS = 60
STORE_DAYS = 60


@dataclass(frozen=True)
class Counts:
    """A number for each of some codes, ascending; 0 for every other code."""

    code: Ints
    count: Floats

    def of(self, code: Ints) -> Floats:
        if not len(self.code):
            return np.zeros(len(code), np.float32)
        row = np.minimum(np.searchsorted(self.code, code), len(self.code) - 1)
        return np.where(self.code[row] == code, self.count[row], 0).astype(np.float32)


@dataclass(frozen=True)
class _Level:
    """Products in groups: rhythm of customers with groups, and the group's and product's popularity in it."""

    group: Ints
    rhythm: Rhythm
    popularity: Floats
    share: Floats
    variety: Counts | None
    trials: Counts | None
    price: Counts | None


class Features:
    """Describes (customer, product) pairs from one history."""

    def fit(self, history: History) -> Self:
        self.shape = history.shape
        self.cut = history.cut
        self.own = rhythm(history)
        self._gap = self.own.gap()
        self.product = self._of_products(history)
        self.customer = self._of_customers(history)
        self.levels = {name: self._level(history, name, group) for name, group in _levels(history).items()}
        self._fit_trips(history)
        self._fit_stores(history)
        return self

    def of(self, customer: Ints, product: Ints) -> tuple[Columns, NDArray[np.bool_]]:
        """The columns of each pair, and whether the customer bought the product before."""
        rhythms, own = self._rhythm("own", self.own, customer, product, full=True)
        columns: Columns = {}
        columns.update(rhythms)
        trips = self.customer["trips"][customer]
        columns["own rate"] = columns["own baskets"] / np.maximum(trips, 1)
        columns.update(self._trips_with(customer, product))
        for place, half in enumerate(HALF_LIVES[1:], 1):
            columns[f"own share {half}"] = columns[f"own {half}"] / (
                self._weighted_trips[customer, place] + 0.5
            )
        columns.update({f"customer {name}": column[customer] for name, column in self.customer.items()})
        columns.update({f"product {name}": column[product] for name, column in self.product.items()})
        for name, level in self.levels.items():
            columns.update(self._of_level(name, level, customer, product, columns))
        columns.update(self._in_store(customer, product))
        return columns, own

    # pairs ---------------------------------------------------------------------------------
    def _rhythm(
        self, name: str, held: Rhythm, customer: Ints, thing: Ints, full: bool = False
    ) -> tuple[Columns, NDArray[np.bool_]]:
        row, there = held.find(customer, thing)
        if not len(held.code):
            empty: Columns = {f"{name} {half}": np.zeros(len(row), np.float32) for half in HALF_LIVES}
            empty[f"{name} baskets"] = np.zeros(len(row), np.float32)
            return empty, there
        columns: Columns = {
            f"{name} {half}": np.where(there, held.decayed[row, place], 0)
            for place, half in enumerate(HALF_LIVES)
            if full or half != HALF_LIVES[0]
        }
        baskets = np.where(there, held.baskets[row], 0)
        since = np.where(there, held.cut - held.last[row], np.nan)
        span = (held.last[row] - held.first[row]).astype(np.float32)
        gap = np.where(baskets > 1, span / np.maximum(baskets - 1, 1), np.nan)
        columns |= {f"{name} baskets": baskets, f"{name} since": since, f"{name} gap": gap}
        columns[f"{name} due"] = since / np.maximum(gap, 1)
        if full:
            columns["own age"] = np.where(there, held.cut - held.first[row], np.nan)
            columns["own last gap"] = np.where(baskets > 1, held.last_gap[row], np.nan)
            spread = np.where(
                baskets > 2, held.square_gaps[row] / np.maximum(baskets - 1, 1) - gap**2, np.nan
            )
            columns["own gap spread"] = np.sqrt(np.maximum(spread, 0)) / np.maximum(gap, 1)
        return columns, there

    def _fit_trips(self, history: History) -> None:
        _, first = np.unique(history.basket, return_index=True)
        owner, day = history.customer[first], history.day[first]
        order = np.lexsort((day, owner))
        self._trip_code = owner[order] * self._days + day[order]
        age = (self.cut - day).astype(np.float32)
        self._weighted_trips = np.column_stack(
            [np.bincount(owner, np.exp2(-age / half), minlength=self.shape[0]) for half in HALF_LIVES]
        ).astype(np.float32)

    @property
    def _days(self) -> int:
        return self.cut + 1

    def _trips_with(self, customer: Ints, product: Ints) -> Columns:
        """Trips of the customer since the last basket with the product, and the share of the trips since the
        first one that had it."""
        row, there = self.own.find(customer, product)
        if not len(self.own.code):
            return {}
        start = customer * self._days
        end = np.searchsorted(self._trip_code, start + self.cut)
        last = np.searchsorted(self._trip_code, start + self.own.last[row], side="right")
        first = np.searchsorted(self._trip_code, start + self.own.first[row], side="left")
        share = self.own.baskets[row] / np.maximum(end - first, 1)
        return {
            "own trips since": np.where(there, end - last, np.nan),
            "own share since first": np.where(there, share, 0),
        }

    # products and customers ----------------------------------------------------------------
    def _of_products(self, history: History) -> Columns:
        wide, own = self.shape[1], self.own
        product = own.code % wide
        buyers = np.bincount(product, minlength=wide)
        again = np.bincount(product, own.baskets > 1, minlength=wide)
        mean = again.sum() / max(buyers.sum(), 1)
        lines = np.bincount(history.product, minlength=wide)
        recent = {
            days: np.asarray(history.bought(self.cut - days, self.cut).sum(axis=0), np.float32).ravel()
            for days in RECENT
        }
        self._popular = recent[60]
        first, last = np.full(wide, self.cut), np.zeros(wide, np.int64)
        np.minimum.at(first, history.product, history.day)
        np.maximum.at(last, history.product, history.day)
        columns: Columns = {f"buyers {days}": count for days, count in recent.items()}
        columns |= {
            "trend 21": (recent[21] + 2) / (recent[60] + 5),
            "trend 7": (recent[7] + 1) / (recent[60] + 5),
            "again": (again + 5 * mean) / (buyers + 5),
            "baskets a buyer": lines / np.maximum(buyers, 1),
            "age": self.cut - first,
            "unsold": self.cut - last,
            "first buyers 30": np.bincount(product, own.first >= self.cut - 30, minlength=wide),
            "first buyers 10": np.bincount(product, own.first >= self.cut - 10, minlength=wide),
        }
        if history.amount is not None and history.reduced is not None:
            price = np.bincount(history.product, history.amount, minlength=wide) / np.maximum(lines, 1)
            late = history.day >= self.cut - 14
            reduced = np.bincount(history.product[late], history.reduced[late], minlength=wide)
            often = np.bincount(history.product[late], minlength=wide)
            columns["price"] = np.log1p(np.maximum(price, 0))
            columns["reduced 14"] = (reduced + 0.2) / (often + 1)
            columns["reduced"] = np.bincount(history.product, history.reduced, minlength=wide) / np.maximum(
                lines, 1
            )
        if history.catalogue.private is not None:
            columns["private"] = history.catalogue.private.astype(np.float32)
        if history.promoted is not None:
            columns.update(history.promoted.columns(self.cut, history.catalogue.types))
        return {name: np.asarray(column, np.float32) for name, column in columns.items()}

    def _of_customers(self, history: History) -> Columns:
        people, own = self.shape[0], self.own
        _, first = np.unique(history.basket, return_index=True)
        owner, day = history.customer[first], history.day[first]
        trips = np.bincount(owner, minlength=people)
        lines = np.bincount(history.customer, minlength=people)
        last = np.zeros(people, np.int64)
        np.maximum.at(last, owner, day)
        mine = own.code // self.shape[1]
        columns: Columns = {
            "trips": trips,
            "trips 30": np.bincount(owner[day >= self.cut - 30], minlength=people),
            "trips 90": np.bincount(owner[day >= self.cut - 90], minlength=people),
            "since": self.cut - last,
            "basket": lines / np.maximum(trips, 1),
            "lines 60": np.bincount(history.customer[history.day >= self.cut - 60], minlength=people),
            "again": np.bincount(mine, own.baskets > 1, minlength=people)
            / np.maximum(np.bincount(mine, minlength=people), 1),
            "first 30": np.bincount(mine, own.first >= self.cut - 30, minlength=people),
        }
        if history.reduced is not None:
            columns["reduced"] = np.bincount(
                history.customer, history.reduced, minlength=people
            ) / np.maximum(lines, 1)
        if history.catalogue.private is not None:
            private = np.bincount(
                history.customer, history.catalogue.private[history.product], minlength=people
            )
            columns["private"] = private / np.maximum(lines, 1)
        return {name: np.asarray(column, np.float32) for name, column in columns.items()}

    # groups of products --------------------------------------------------------------------
    def _level(self, history: History, name: str, group: Ints) -> _Level:
        size = int(group.max(initial=-1)) + 1
        held = rhythm(history.grouped(group))
        popularity = np.bincount(group, self._popular, minlength=size).astype(np.float32)
        share = (self._popular / np.maximum(popularity[group], 1)).astype(np.float32)
        variety = trials = price = None
        if name in DETAILED:
            wide = self.shape[1]
            code = self.own.code // wide * size + group[self.own.code % wide]
            variety = _counted(code)
            trials = _counted(code[self.own.first >= self.cut - TRIALS])
            if history.amount is not None:
                spent = _counted(history.customer * size + group[history.product], history.amount)
                lines = _counted(history.customer * size + group[history.product])
                price = Counts(spent.code, spent.count / lines.count)
        return _Level(group, held, popularity, share, variety, trials, price)

    def _of_level(self, name: str, level: _Level, customer: Ints, product: Ints, columns: Columns) -> Columns:
        group = level.group[product]
        found, _ = self._rhythm(name, level.rhythm, customer, group)
        found[f"{name} share"] = level.share[product]
        if level.variety is None or level.trials is None:
            return found
        found[f"{name} buyers"] = level.popularity[group]
        found[f"{name} own share"] = columns["own 90"] / np.maximum(found[f"{name} 90"], 1e-6)
        code = customer * len(level.popularity) + group
        found[f"{name} variety"] = level.variety.of(code)
        found[f"{name} trials"] = level.trials.of(code)
        if level.price is not None:
            usual = level.price.of(code)
            price = np.expm1(self.product["price"][product])
            found[f"{name} price"] = np.where(usual > 0, price / np.maximum(usual, 0.01), np.nan)
        return found

    # stores --------------------------------------------------------------------------------
    def _fit_stores(self, history: History) -> None:
        self._store_buyers: Counts | None = None
        if history.store is None or not len(history.store):
            return
        stores, wide = int(history.store.max()) + 1, self.shape[1]
        worth = np.exp2(-(self.cut - history.day) / 60).astype(np.float32)
        visits = sparse.csr_matrix((worth, (history.customer, history.store)), shape=(self.shape[0], stores))
        self._home = np.asarray(visits.argmax(axis=1)).ravel()
        self._neighbours = np.bincount(self._home, minlength=stores)
        late = history.day >= self.cut - STORE_DAYS
        owner, product = history.customer[late], history.product[late]
        pairs = np.unique((self._home[owner] * wide + product) * self.shape[0] + owner)
        self._store_buyers = _counted(pairs // self.shape[0])
        self._store_sold = _counted(history.store[late] * wide + product)

    def _in_store(self, customer: Ints, product: Ints) -> Columns:
        """Buyers among those who shop in the customer's store, and baskets sold there, of late."""
        if self._store_buyers is None:
            return {}
        code = self._home[customer] * self.shape[1] + product
        buyers = self._store_buyers.of(code)
        usual = self._popular[product] / self.shape[0]
        return {
            "store buyers": buyers,
            "store rate": (buyers + 5 * usual) / (self._neighbours[self._home[customer]] + 5),
            "store sold": self._store_sold.of(code),
        }


def _levels(history: History) -> dict[str, Ints]:
    """The levels that group anything: where types are what is ranked, they are no level."""
    levels = history.catalogue.levels()
    wide = history.shape[1]
    return {name: group for name, group in levels.items() if int(group.max(initial=-1)) + 1 < wide}


def _counted(code: Ints, worth: Floats | None = None) -> Counts:
    found, number = np.unique(code, return_inverse=True)
    return Counts(found, np.bincount(number, worth, minlength=len(found)).astype(np.float32))
