"""Customers' order days as of a day, and what came after it: the rows that predictions learn from.

An order is a day with a purchase. Features use what was known at the day's close and look back at most
`WINDOW` days, so that days early and late in the data are alike; outcomes lie after it.
"""
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
# (Ibis types every column as plain `Column`, and a query's result as any of several.)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customers.features.lines import day_number

Floats = NDArray[np.float64]
WINDOW = 120
HISTORY = 60
STEP = 30
CUTS = 4
_COUNTED = (7, 14, 30, 60, 90, WINDOW)
_SPENT = (14, 30, 60, 90, WINDOW)
_GAPS = ("mean", "median", "std", "max", "last")
FEATURES = (
    "days_since", "tenure", "per_day",
    *(f"orders_{days}" for days in _COUNTED), *(f"spend_{days}" for days in _SPENT),
    "orders_decayed", "spend_decayed", "mean_order", "last_order",
    *(f"gap_{name}" for name in _GAPS), "overdue", *(f"weekday_{n}" for n in range(1, 8)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Orders:
    """One row an order day, by customer and day. `customers` are all, in text order; `who` is the row's
    place among them, `day` whole days since 1970-01-01, `amount` the day's money."""

    customers: list[str]
    who: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: Floats

    @classmethod
    def of(cls, baskets: ir.Table) -> Orders:
        """From the behaviour table of baskets (customer_id, day_n, amount)."""
        days = baskets.group_by("customer_id", "day_n").agg(amount=baskets["amount"].sum())
        frame = days.execute().sort_values(["customer_id", "day_n"])
        codes, customers = pd.factorize(frame["customer_id"], sort=True)
        numbers = (frame["day_n"].to_numpy(np.int64), frame["amount"].to_numpy(np.float64))
        return cls([str(key) for key in customers], codes.astype(np.int64), *numbers)

    def until(self, as_of: date) -> Orders:
        """What was known at the close of a day; the customers' places stay."""
        seen = self.day <= day_number(as_of)
        return Orders(self.customers, self.who[seen], self.day[seen], self.amount[seen])

    def known(self, as_of: date) -> NDArray[np.int64]:
        """The places of customers with an order by `as_of`: the rows of everything below."""
        return np.unique(self.who[self.day <= day_number(as_of)])

    def repeats(self, as_of: date) -> Floats:
        """Repeat orders, days from the first to the last, days from the first to `as_of`, and the mean
        amount of repeat orders (0 without any), shape (rows, 4)."""
        past = self.until(as_of)
        rows, first, count = np.unique(past.who, return_index=True, return_counts=True)
        begin, end = past.day[first], past.day[first + count - 1]
        later = np.ones(len(past.who), dtype=bool)
        later[first] = False
        money = np.bincount(past.who[later], past.amount[later], len(self.customers))[rows]
        repeats = count - 1.0
        mean = np.divide(money, repeats, out=np.zeros(len(rows)), where=repeats > 0)
        now = day_number(as_of)
        return np.column_stack([repeats, end - begin, now - begin, np.maximum(mean, 0.0)]).astype(np.float64)

    def features(self, as_of: date) -> Floats:
        """The columns of `FEATURES`, shape (rows, F); what is not known is NaN."""
        past, rows, today = self.until(as_of), self.known(as_of), day_number(as_of)
        age = (today - past.day).astype(np.float64)

        def totals(weight: Floats) -> NDArray[Any]:
            return np.bincount(past.who, weight, len(self.customers))[rows]

        newest = np.r_[past.who[1:] != past.who[:-1], True] if len(past.who) else np.zeros(0, dtype=bool)
        oldest = np.r_[True, past.who[1:] != past.who[:-1]] if len(past.who) else newest
        since, tenure = age[newest], age[oldest]
        seen = np.minimum(tenure, WINDOW - 1) + 1
        orders = {days: totals((age < days).astype(float)) for days in _COUNTED}
        spend = {days: totals(past.amount * (age < days)) for days in _SPENT}
        gaps = self._gaps(past, rows, today)
        usual = np.where(np.isnan(gaps[:, 1]), np.nan, np.maximum(gaps[:, 1], 1.0))
        weight = 0.5 ** (age / 30.0)
        n = np.maximum(orders[WINDOW], 1.0)
        weekdays = [totals(((past.day - today - step) % 7 == 0) * (age < WINDOW)) / n for step in range(1, 8)]
        return np.column_stack([
            since, np.minimum(tenure, WINDOW), orders[WINDOW] / seen,
            *orders.values(), *spend.values(),
            totals(weight), totals(past.amount * weight), spend[WINDOW] / n, past.amount[newest],
            gaps, since / usual, *weekdays,
        ]).astype(np.float64)  # fmt: skip

    def _gaps(self, past: Orders, rows: NDArray[np.int64], today: int) -> Floats:
        """Of the gaps that ended within the window: mean, median, deviation, longest and last, in days."""
        same = past.who[1:] == past.who[:-1]
        recent = same & (today - past.day[1:] < WINDOW)
        frame = pd.DataFrame({"who": past.who[1:][recent], "gap": np.diff(past.day)[recent].astype(float)})
        found = frame.groupby("who")["gap"].agg(list(_GAPS)) if len(frame) else pd.DataFrame(columns=_GAPS)
        return found.reindex(rows).to_numpy(np.float64)

    def next_gap(self, as_of: date, horizon: int) -> Floats:
        """Days until the next order after `as_of`, held at `horizon` + 1 where none came by then."""
        rows, start = self.known(as_of), day_number(as_of)
        first = np.full(len(self.customers), start + horizon + 1, dtype=np.int64)
        after = (self.day > start) & (self.day <= start + horizon)
        np.minimum.at(first, self.who[after], self.day[after])
        return (first[rows] - start).astype(np.float64)

    def spend_after(self, as_of: date, days: int) -> Floats:
        """Money spent in the `days` days after `as_of`."""
        start = day_number(as_of)
        after = (self.day > start) & (self.day <= start + days)
        money = np.bincount(self.who[after], self.amount[after], len(self.customers))
        return money[self.known(as_of)].astype(np.float64)


def learning_days(first_day: date, until: date, horizon: int) -> Sequence[date]:
    """The days, latest first, whose outcomes over `horizon` days are known by `until` and which have
    `HISTORY` days before them."""
    days = [until - timedelta(days=horizon + STEP * i) for i in range(CUTS)]
    return [day for day in days if (day - first_day).days >= HISTORY]
