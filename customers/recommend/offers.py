"""What an offer means to each customer on the morning it starts: who they are, what they have bought of
what it is for, and what came of earlier offers. Nothing after that morning is looked at.

A shop's purchases and contacts are read once into arrays; days count from 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

NAMES = (
    "trips_30", "trips_90", "spend_30", "spend_90", "days_since_trip", "tenure", "discount_share", "discounted_lines",
    "received", "redeemed", "redeemed_share", "days_since_contact",
    "target_trips_30", "target_trips_90", "target_trips_decayed", "target_never", "target_days_since",
    "target_spend_90", "target_share", "target_products", "target_usual",
)  # fmt: skip
"""The columns of `Sales.features` before the customers' traits, counts and money as log(1 + x)."""
HABITS = NAMES[:8]
"""The columns of `Sales.habits`: what `_own` tells."""
PAST = ("sent_before", "bought_when_sent", "not_sent_before", "bought_when_not_sent")
"""What `Past.features` adds: earlier campaigns that were sent to the customer and that were not, and the share
of each in which the customer bought what it was for."""
_HALF_LIFE = 120.0
_LONG = 365
_TOLD, _MOST_TRAITS = 30, 40


@dataclass(frozen=True)
class Offer:
    """A campaign of the past: its products (a mask over `Sales.products`), its first and last day, who
    was sent it and who redeemed (masks over `Sales.customers`)."""

    campaign_id: str
    target: Mask
    start: int
    end: int
    received: Mask
    redeemed: Mask


@dataclass(frozen=True)
class Sales:
    """Purchases, one row a customer, product and day, sorted by day; `customers` and `products` are the
    ids by number. `last_day` is the last with a purchase."""

    customers: NDArray[np.str_]
    products: NDArray[np.str_]
    customer: Ints
    product: Ints
    day: Ints
    amount: Floats
    discount: Floats
    contacts: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)
    """"exposure" and "redemption": customers and days, one row a campaign and customer."""
    traits: Floats | None = None
    """What customers told of themselves, 0 or 1, shape (customers, values)."""

    @cached_property
    def last_day(self) -> int:
        return int(self.day[-1]) if len(self.day) else 0

    @cached_property
    def number(self) -> dict[str, int]:
        return {key: n for n, key in enumerate(self.customers.tolist())}

    @cached_property
    def product_number(self) -> dict[str, int]:
        return {key: n for n, key in enumerate(self.products.tolist())}

    def mask_of(self, products: Collection[str]) -> Mask:
        """The products of these ids that were ever bought."""
        mask = np.zeros(len(self.products), bool)
        mask[[self.product_number[p] for p in products if p in self.product_number]] = True
        return mask

    def known(self, day: int) -> Mask:
        """Who bought anything before the day."""
        return self._count(slice(0, self._row(day))) > 0

    def window(self, target: Mask, start: int, days: int) -> tuple[Mask, Floats]:
        """Who bought of the target in `days` days from `start`, and the money they spent on it."""
        rows = slice(self._row(start), self._row(start + days))
        inside = target[self.product[rows]]
        money = np.bincount(self.customer[rows][inside], self.amount[rows][inside], len(self.customers))
        return self._count(rows, inside) > 0, np.asarray(money, float)

    def features(self, target: Mask, day: int) -> Floats:
        """Return every customer's features for an offer on `target` that starts on `day`, shape
        (customers, len(NAMES) + traits)."""
        own, history = self._own(day), self._past_contacts(day)
        told = [self.traits] if self.traits is not None else []
        return np.column_stack([*own, *history, *self._towards(target, day), *told])

    def habits(self, day: int) -> Floats:
        """How much, how often and how lately each customer had bought by a day, shape (customers, len(HABITS)): each
        column with mean 0 and deviation 1 over the customers known by then."""
        own, known = np.column_stack(self._own(day)), self.known(day)
        if not known.any():
            return np.zeros_like(own)
        spread = own[known].std(axis=0)
        return (own - own[known].mean(axis=0)) / np.where(spread > 0, spread, 1.0)

    def _own(self, day: int) -> list[Floats]:
        """Trips, money, recency, tenure and the share of list prices that was taken off."""
        found: list[Floats] = []
        for days in (30, 90):
            found.append(np.log1p(self._trips(slice(self._row(day - days), self._row(day)))))
        for days in (30, 90):
            rows = slice(self._row(day - days), self._row(day))
            found.append(np.log1p(self._sum(rows, self.amount).clip(0)))
        rows = slice(0, self._row(day))
        last, first = self._last(rows, None, day - _LONG), self._first(rows, day)
        paid, off = self._sum(rows, self.amount), self._sum(rows, self.discount)
        return [
            *found,
            np.log1p((day - last).clip(0, _LONG)),
            np.log1p((day - first).clip(0)),
            off / np.maximum(paid + off, 1.0),
            self._count(rows, self.discount[rows] > 0) / np.maximum(self._count(rows), 1),
        ]

    def _past_contacts(self, day: int) -> list[Floats]:
        size = len(self.customers)
        counted, last = [], np.full(size, day - _LONG)
        for kind in ("exposure", "redemption"):
            customer, when = self.contacts.get(kind, (np.zeros(0, np.int64),) * 2)
            before = when < day
            counted.append(np.bincount(customer[before], minlength=size).astype(float))
            if kind == "exposure":
                np.maximum.at(last, customer[before], when[before])
        received, redeemed = counted
        share = (redeemed + 0.1) / (
            received + 1.0
        )  # drawn to a tenth, as if one earlier contact had been seen
        return [np.log1p(received), np.log1p(redeemed), share, np.log1p((day - last).clip(0, _LONG))]

    def _towards(self, target: Mask, day: int) -> list[Floats]:
        size = len(self.customers)
        whole = slice(0, self._row(day))
        inside = target[self.product[whole]]
        customer, when = self.customer[whole][inside], self.day[whole][inside]
        recent, quarter = when >= day - 30, when >= day - 90
        worth = np.exp2(-(day - when) / _HALF_LIFE)
        # Rows of one day are one trip or nearly so: their decayed sum counts goods, which is what the offer is for.
        last = np.full(size, day - _LONG)
        np.maximum.at(last, customer, when)
        spend = np.bincount(customer[quarter], self.amount[whole][inside][quarter], size)
        everything = self._sum(slice(self._row(day - 90), self._row(day)), self.amount)
        bought = np.bincount(customer, minlength=size) > 0
        usual = float((np.bincount(customer[recent], minlength=size) > 0).sum()) / max(
            1, int(self.known(day).sum())
        )
        return [
            np.log1p(np.bincount(customer[recent], minlength=size)),
            np.log1p(np.bincount(customer[quarter], minlength=size)),
            np.log1p(np.bincount(customer, worth, size)),
            (~bought).astype(float),
            np.log1p((day - last).clip(0, _LONG)),
            np.log1p(spend.clip(0)),
            (spend / np.maximum(everything, 1.0)).clip(0, 1),
            np.full(size, np.log1p(float(target.sum()))),
            np.full(size, usual),
        ]

    # sums over rows ------------------------------------------------------------------------
    def _row(self, day: int) -> int:
        return int(np.searchsorted(self.day, day))

    def _sum(self, rows: slice, values: Floats) -> Floats:
        return np.bincount(self.customer[rows], values[rows], len(self.customers)).astype(float)

    def _count(self, rows: slice, keep: Mask | None = None) -> Ints:
        customer = self.customer[rows] if keep is None else self.customer[rows][keep]
        return np.bincount(customer, minlength=len(self.customers))

    def _trips(self, rows: slice) -> Floats:
        pairs = np.unique(self.customer[rows] * 100_000 + self.day[rows])
        return np.bincount(pairs // 100_000, minlength=len(self.customers)).astype(float)

    def _last(self, rows: slice, keep: Mask | None, never: int) -> Ints:
        found = np.full(len(self.customers), never)
        found[self.customer[rows]] = self.day[rows]  # sorted by day: the last one stays
        return found

    def _first(self, rows: slice, never: int) -> Ints:
        found = np.full(len(self.customers), never)
        found[self.customer[rows][::-1]] = self.day[rows][::-1]
        return found


class Past:
    """What came of the campaigns before, by customer; campaigns are added in order of time."""

    def __init__(self, customers: int) -> None:
        self._counts = np.zeros((4, customers))  # sent, bought when sent, not sent, bought when not sent

    def add(self, sent: Mask, bought: Mask, there: Mask) -> None:
        """`there`: who might have been sent it."""
        for row, mask in enumerate(
            (sent & there, sent & there & bought, ~sent & there, ~sent & there & bought)
        ):
            self._counts[row] += mask

    def features(self) -> Floats:
        """Return PAST of every customer; shares are drawn to everybody's as if one campaign more had been seen."""
        columns = []
        for n, hit in (self._counts[:2], self._counts[2:]):
            usual = hit.sum() / max(n.sum(), 1.0)
            columns += [np.log1p(n), (hit + usual) / (n + 1.0)]
        return np.column_stack(columns)


def read_sales(con: duckdb.DuckDBPyConnection) -> Sales:
    """Read a shop's purchases, contacts and traits."""
    rows = con.execute(
        """SELECT customer_id, product_id, day, sum(amount)::DOUBLE AS amount, sum(discount)::DOUBLE AS discount
        FROM (SELECT customer_id, product_id, ts::DATE - DATE '1970-01-01' AS day, coalesce(amount, 0) AS amount,
                coalesce(discount, 0) AS discount FROM events
            WHERE kind = 'purchase' AND customer_id IS NOT NULL AND product_id IS NOT NULL)
        GROUP BY ALL ORDER BY day, customer_id, product_id"""
    ).fetchnumpy()
    customers, customer = _numbered(rows["customer_id"])
    products, product = _numbered(rows["product_id"])
    sales = Sales(
        customers, products, customer, product, np.asarray(rows["day"], np.int64),
        np.asarray(rows["amount"], float), np.asarray(rows["discount"], float),
    )  # fmt: skip
    for kind in ("exposure", "redemption"):
        sales.contacts[kind] = _contacts(con, kind, sales)
    return replace(sales, traits=_traits(con, sales))


def _traits(con: duckdb.DuckDBPyConnection, sales: Sales) -> Floats:
    """Values that at least `_TOLD` customers told, one column each, the most told `_MOST_TRAITS` of them."""
    rows = con.execute("SELECT customer_id, attribute || '=' || value AS told FROM attributes").fetchall()
    told = [(sales.number[c], value) for c, value in rows if c in sales.number]
    counts = Counter(value for _, value in told)
    common = [v for v, n in counts.most_common(_MOST_TRAITS) if _TOLD <= n < len(sales.customers)]
    place = {value: n for n, value in enumerate(sorted(common))}
    found = np.zeros((len(sales.customers), len(place)))
    for customer, value in told:
        if value in place:
            found[customer, place[value]] = 1.0
    return found


def _numbered(values: Any) -> tuple[NDArray[np.str_], Ints]:
    import pandas as pd

    codes, keys = pd.factorize(np.asarray(values, object), sort=True)
    return np.asarray(keys, str), np.asarray(codes, np.int64)


def _contacts(con: duckdb.DuckDBPyConnection, kind: str, sales: Sales) -> tuple[Ints, Ints]:
    rows = con.execute(
        """SELECT customer_id, min(ts)::DATE - DATE '1970-01-01' AS day FROM events
        WHERE kind = ? AND customer_id IS NOT NULL GROUP BY campaign_id, customer_id ORDER BY ALL""",
        [kind],
    ).fetchall()
    known = [(sales.number[c], day) for c, day in rows if c in sales.number]
    pairs = np.array(known, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def read_offers(con: duckdb.DuckDBPyConnection, sales: Sales) -> list[Offer]:
    """Read every campaign that was sent to somebody, in order of its first day. Where the shop does not list a
    campaign's products, they are those of the categories in which its coupons were redeemed."""
    spans = con.execute(
        """SELECT e.campaign_id, coalesce(min(c.start_day), min(e.ts)::DATE) - DATE '1970-01-01',
            coalesce(max(c.end_day), max(e.ts)::DATE) - DATE '1970-01-01'
        FROM events e LEFT JOIN campaigns c USING (campaign_id)
        WHERE e.kind IN ('exposure', 'redemption') AND e.campaign_id IS NOT NULL
        GROUP BY e.campaign_id ORDER BY 2, 1"""
    ).fetchall()
    return [
        Offer(
            str(key), sales.mask_of(_products(con, str(key))), int(start), int(end),
            _who(con, "exposure", str(key), sales), _who(con, "redemption", str(key), sales),
        )
        for key, start, end in spans
    ]  # fmt: skip


def _products(con: duckdb.DuckDBPyConnection, key: str) -> list[str]:
    listed = con.execute(
        "SELECT DISTINCT product_id FROM campaign_products WHERE campaign_id = ?", [key]
    ).fetchall()
    if not listed:
        listed = con.execute(
            """SELECT product_id FROM products WHERE category IN (
                SELECT p.category FROM events e JOIN products p USING (product_id)
                WHERE e.kind = 'redemption' AND e.campaign_id = ?)""",
            [key],
        ).fetchall()
    return [str(p) for (p,) in listed]


def _who(con: duckdb.DuckDBPyConnection, kind: str, key: str, sales: Sales) -> Mask:
    rows = con.execute(
        "SELECT DISTINCT customer_id FROM events WHERE kind = ? AND campaign_id = ?", [kind, key]
    ).fetchall()
    mask = np.zeros(len(sales.customers), bool)
    mask[[sales.number[c] for (c,) in rows if c in sales.number]] = True
    return mask
