"""Every trip as the set of things (categories, or products) bought in it, as numbers, in order of customer
and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int64]

# Baskets as the recommenders count them: without a basket's id, a customer's day is a basket. Keys become
# numbers before anything is counted: a basket by its 64-bit hash, beside its customer's number.
_KEYED = """
    CREATE OR REPLACE TEMP TABLE graph_{name} AS
    SELECT key, row_number() OVER (ORDER BY key) - 1 AS n FROM (
        SELECT {key} AS key FROM events e JOIN products p USING (product_id)
        WHERE e.kind = 'purchase' AND {thing} IS NOT NULL AND e.ts < ? {chosen} GROUP BY 1)"""
_LINES = """
    SELECT hash(coalesce(e.basket_id, e.ts::DATE::VARCHAR)) AS basket, c.n AS customer, t.n AS thing, min(e.ts) AS ts
    FROM events e JOIN products p USING (product_id)
    JOIN graph_customers c ON c.key = e.customer_id JOIN graph_things t ON t.key = {thing}
    WHERE e.kind = 'purchase' AND e.ts < ? GROUP BY 1, 2, 3"""
_THINGS = {"category": "p.category", "product": "e.product_id"}


@dataclass(frozen=True)
class Trips:
    """One row for each thing of each trip: `trip`, `customer` and `thing` numbers, `day` since 1970.

    `customers` and `things` are the keys by number, in text order. Trips are numbered by customer and
    then by time, so that a customer's next trip is the next number.
    """

    customers: list[str]
    things: list[str]
    trip: Ints
    customer: Ints
    thing: Ints
    day: Ints

    @property
    def count(self) -> int:
        return int(self.trip.max(initial=-1)) + 1

    @cached_property
    def held(self) -> sparse.csr_matrix:
        """0/1, shape (trips, things)."""
        ones = np.ones(len(self.trip), np.int64)
        shape = (self.count, len(self.things))
        return sparse.csr_matrix((ones, (self.trip, self.thing)), shape=shape)

    @cached_property
    def owner(self) -> Ints:
        """The customer of each trip."""
        found = np.zeros(self.count, np.int64)
        found[self.trip] = self.customer
        return found

    @cached_property
    def bought(self) -> sparse.csr_matrix:
        """Trips with the thing, shape (customers, things)."""
        ones = np.ones(len(self.trip), np.int64)
        shape = (len(self.customers), len(self.things))
        return sparse.csr_matrix((ones, (self.customer, self.thing)), shape=shape)

    @cached_property
    def ever(self) -> sparse.csr_matrix:
        """Whether the customer bought the thing, 0/1, shape (customers, things)."""
        found = self.bought.copy()
        found.data[:] = 1
        return found


def read_trips(
    con: duckdb.DuckDBPyConnection,
    before: date | None = None,
    kind: str = "category",
    most: int | None = None,
) -> Trips:
    """Read the purchases of known things of a kind ("category" or "product"), all of them or those before
    a day; of the `most` things with the most buyers only, where that is given."""
    thing, day = _THINGS[kind], before or date(9999, 1, 1)
    chosen = ""
    if most is not None:
        chosen = (
            f"AND {thing} IN (SELECT {thing} FROM events e JOIN products p USING (product_id)"
            f" WHERE e.kind = 'purchase' GROUP BY 1 ORDER BY count(DISTINCT e.customer_id) DESC, 1 LIMIT {most:d})"
        )
    keys = []
    for name, key in (("customers", "e.customer_id"), ("things", thing)):
        con.execute(_KEYED.format(name=name, key=key, thing=thing, chosen=chosen), [day])
        keys.append([str(k) for (k,) in con.execute(f"SELECT key FROM graph_{name} ORDER BY n").fetchall()])
    rows = con.execute(_LINES.format(thing=thing), [day]).fetchnumpy()
    con.execute("DROP TABLE graph_customers; DROP TABLE graph_things")
    return _numbered(keys[0], keys[1], rows)


def _numbered(customers: list[str], things: list[str], rows: dict[str, Any]) -> Trips:
    """Number trips by customer, then time; a trip's time is that of its first line."""
    customer, thing = np.asarray(rows["customer"], np.int64), np.asarray(rows["thing"], np.int64)
    time = np.asarray(rows["ts"]).astype("datetime64[s]")
    order = np.lexsort((time, rows["basket"], customer))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(customer[order]) != 0) | (rows["basket"][order][1:] != rows["basket"][order][:-1])
    starts = order[new]
    rank = np.empty(len(starts), np.int64)
    rank[np.lexsort((rows["basket"][starts], time[starts], customer[starts]))] = np.arange(len(starts))
    trip = np.empty(len(order), np.int64)
    trip[order] = rank[np.cumsum(new) - 1]
    by_trip = np.lexsort((thing, trip))
    day = time.astype("datetime64[D]").astype(np.int64)
    return Trips(customers, things, *(column[by_trip] for column in (trip, customer, thing, day)))
