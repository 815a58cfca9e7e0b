"""Which products the shop promotes, week by week: on display or in the mailer, in how many stores.

A shop knows its promotions before its customers do. What is promoted on a morning, and was before, is known to
everybody; what is planned for the weeks after it is only used where the shop has told it (`planned`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]

# Weeks before a morning that count as of late, and weeks after it that a plan must reach.
PAST, AHEAD = 8, 4
PLANNED = "planned"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Promoted:
    """`stores[way]`, shape (products, weeks): in how many stores a product was promoted that way; column 0 is
    week 1, which starts on day `first` (since 1970). `planned`: also the weeks after a morning are told."""

    stores: dict[str, Floats]
    first: int
    planned: bool = False

    @property
    def weeks(self) -> int:
        return next(iter(self.stores.values())).shape[1]

    def week(self, day: int) -> int:
        """Column of the week of a day."""
        return (day - self.first) // 7

    def reaches(self, cut: int) -> bool:
        """Whether promotions are known for `AHEAD` weeks after the week of day `cut`."""
        return self.week(cut) + AHEAD < self.weeks

    def grouped(self, group: Ints) -> Promoted:
        """Promotions of groups of products (`group`: of each product), added up."""
        size = int(group.max(initial=-1)) + 1
        added: dict[str, Floats] = {}
        for way, stores in self.stores.items():
            added[way] = np.zeros((size, self.weeks), np.float32)
            np.add.at(added[way], group, stores)
        return Promoted(added, self.first, self.planned)

    def columns(self, cut: int, types: Ints) -> dict[str, Floats]:
        """Of each product on the morning of day `cut`: logarithms of stores now and of late, the share of weeks
        promoted so far; and where `planned`, the same of the weeks to come, beside what others of its type get.
        Unknown weeks are nan."""
        now, columns = self.week(cut), dict[str, Floats]()
        for way, stores in self.stores.items():
            amount = np.log1p(stores)
            past = _mean(amount[:, max(0, now - PAST) : max(0, now)])
            columns[f"{way} now"] = _mean(amount[:, now : now + 1])
            columns[f"{way} of late"] = past
            columns[f"{way} ever"] = _mean((stores[:, : max(0, now)] > 0).astype(np.float32))
            if not self.planned:
                continue
            ahead = amount[:, now + 1 : now + 1 + AHEAD]
            mean = _mean(ahead)
            alike = np.bincount(types, np.nan_to_num(mean)).astype(np.float32)[types]
            columns[f"{PLANNED} {way} next week"] = _mean(ahead[:, :1])
            columns[f"{PLANNED} {way}"] = mean
            columns[f"{PLANNED} {way} most"] = ahead.max(axis=1) if ahead.shape[1] else mean
            columns[f"{PLANNED} {way} more"] = mean - past
            columns[f"{PLANNED} {way} of type"] = alike
            share = mean / np.maximum(alike, 1e-6)
            columns[f"{PLANNED} {way} share of type"] = np.asarray(share, np.float32)
        return columns


def read_promoted(
    con: duckdb.DuckDBPyConnection, products: NDArray[np.str_], first_day: int
) -> Promoted | None:
    """The promotions of `products` (ascending); None where the shop tells none. Weeks are of the year of
    `first_day` and from Monday; week 1 holds 1 January."""
    if not con.execute("FROM information_schema.tables WHERE table_name = 'promotions'").fetchall():
        return None
    found = con.execute(
        "SELECT product_id, week, stores_display, stores_mailer FROM promotions WHERE week >= 1"
    ).fetchnumpy()
    ids, week = np.asarray(found["product_id"], str), np.asarray(found["week"], np.int64)
    if not len(ids) or not len(products):
        return None
    row = np.minimum(np.searchsorted(products, ids), len(products) - 1)
    known = np.flatnonzero(products[row] == ids)
    if not len(known):
        return None
    january = date((_EPOCH + timedelta(days=first_day)).year, 1, 1)
    monday = (january - _EPOCH).days - january.weekday()
    stores: dict[str, Floats] = {}
    for way, column in (("display", "stores_display"), ("mailer", "stores_mailer")):
        stores[way] = np.zeros((len(products), int(week.max())), np.float32)
        told = np.asarray(found[column], np.float32)[known]
        stores[way][row[known], week[known] - 1] = np.where(np.isnan(told), np.float32(0), told)
    return Promoted(stores, monday)


def _mean(columns: Floats) -> Floats:
    """Mean of each row; nan without columns."""
    if not columns.shape[1]:
        return np.full(len(columns), np.nan, np.float32)
    return np.asarray(columns.mean(axis=1), np.float32)
