"""The purchases that recommenders learn from, cut at a day so that nothing after it is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

_LINES = """
    SELECT DISTINCT customer_id, product_id, ts::DATE - DATE '1970-01-01' AS day,
        coalesce('b' || basket_id, 'd' || customer_id || ' ' || ts::DATE) AS basket
    FROM events WHERE kind = 'purchase' AND customer_id IS NOT NULL AND product_id IS NOT NULL"""


@dataclass(frozen=True)
class Catalogue:
    """The products that were ever bought, by index: ids, and the index of each one's type and
    category (a product without one stands alone in its own)."""

    products: NDArray[np.str_]
    types: Ints
    categories: Ints
    category_keys: NDArray[np.str_]
    restricted: NDArray[np.bool_]

    @cached_property
    def index(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.products.tolist())}

    @cached_property
    def category_index(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.category_keys.tolist())}


@dataclass(frozen=True)
class History:
    """One row for each (customer, product, basket), all days before `cut` (days since 1970).

    `customers` are the ids by index; `basket` numbers are unique in the shop.
    """

    customers: NDArray[np.str_]
    catalogue: Catalogue
    customer: Ints
    product: Ints
    day: Ints
    basket: Ints
    cut: int
    _weights: dict[float, sparse.csr_matrix] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.customers), len(self.catalogue.products)

    def before(self, cut: int) -> History:
        """What was known on the morning of day `cut`."""
        keep = self.day < cut
        rows = (self.customer[keep], self.product[keep], self.day[keep], self.basket[keep])
        return History(self.customers, self.catalogue, *rows, cut)

    def bought(self, first: int, last: int) -> sparse.csr_matrix:
        """Who bought what from day `first` to `last`: 0/1, shape (customers, products)."""
        keep = (self.day >= first) & (self.day <= last)
        return _binary(self.customer[keep], self.product[keep], self.shape)

    def weights(self, half_life: float | None) -> sparse.csr_matrix:
        """Baskets with the product, each worth half after `half_life` days (None: all worth 1)."""
        key = half_life or 0.0
        if key not in self._weights:
            age = (self.cut - self.day).astype(np.float32)
            worth = np.ones_like(age) if half_life is None else np.exp2(-age / np.float32(half_life))
            self._weights[key] = sparse.csr_matrix((worth, (self.customer, self.product)), shape=self.shape)
        return self._weights[key]

    @cached_property
    def pairs(self) -> Pairs:
        """Each (customer, product) once, with its baskets and its first and last day."""
        code = self.customer * self.shape[1] + self.product
        order = np.lexsort((self.day, code))
        code, day = code[order], self.day[order]
        start = np.flatnonzero(np.r_[True, code[1:] != code[:-1]]) if len(code) else np.array([], np.int64)
        end = np.r_[start[1:], len(code)] if len(start) else start
        return Pairs(code[start], end - start, day[start], day[end - 1])


@dataclass(frozen=True)
class Pairs:
    """`code` = customer * products + product, ascending; beside it baskets, first and last day."""

    code: Ints
    baskets: Ints
    first: Ints
    last: Ints

    def find(self, code: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Row of each code, and whether there is one (row 0 where there is none)."""
        if not len(self.code):
            return np.zeros_like(code), np.zeros(len(code), bool)
        row = np.minimum(np.searchsorted(self.code, code), len(self.code) - 1)
        found = self.code[row] == code
        return np.where(found, row, 0), found


def read_history(con: duckdb.DuckDBPyConnection, restricted: str) -> History:
    """Read every purchase. `restricted`: regular expression of the categories, departments and
    types that are sold to adults only."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE held_bought AS {_LINES}")
    rows = con.execute(
        """WITH c AS (SELECT customer_id, row_number() OVER (ORDER BY customer_id) - 1 AS n
                FROM (SELECT DISTINCT customer_id FROM held_bought)),
            p AS (SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS n
                FROM (SELECT DISTINCT product_id FROM held_bought)),
            b AS (SELECT basket, row_number() OVER (ORDER BY basket) - 1 AS n
                FROM (SELECT DISTINCT basket FROM held_bought))
        SELECT c.n AS customer, p.n AS product, day, b.n AS basket
        FROM held_bought JOIN c USING (customer_id) JOIN p USING (product_id) JOIN b USING (basket)
        ORDER BY b.n, p.n, day"""
    ).fetchnumpy()
    customers = con.execute("SELECT DISTINCT customer_id FROM held_bought ORDER BY 1").fetchnumpy()
    catalogue = _catalogue(con, restricted)
    con.execute("DROP TABLE held_bought")
    day = np.asarray(rows["day"], np.int64)
    return History(
        np.asarray(customers["customer_id"], str),
        catalogue,
        np.asarray(rows["customer"], np.int64),
        np.asarray(rows["product"], np.int64),
        day,
        np.asarray(rows["basket"], np.int64),
        int(day.max()) + 1 if len(day) else 0,
    )


def _catalogue(con: duckdb.DuckDBPyConnection, restricted: str) -> Catalogue:
    found = con.execute(
        """SELECT b.product_id, coalesce(p."type", 'product ' || b.product_id) AS "type",
            coalesce(p.category, '') AS category,
            regexp_matches(upper(concat_ws(' ', p.department, p.category, p."type")), ?) AS restricted
        FROM (SELECT DISTINCT product_id FROM held_bought) b LEFT JOIN products p USING (product_id)
        ORDER BY b.product_id""",
        [restricted],
    ).fetchnumpy()
    categories, category = np.unique(np.asarray(found["category"], str), return_inverse=True)
    _, types = np.unique(np.asarray(found["type"], str), return_inverse=True)
    adult = np.asarray(found["restricted"], bool)
    return Catalogue(np.asarray(found["product_id"], str), types, category, categories, adult)


def _binary(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
