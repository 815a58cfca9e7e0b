"""The purchases that recommenders learn from, cut at a day so that nothing after it is seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.recommend.promoted import Promoted, read_promoted

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

_LINES = """
    SELECT customer_id, product_id, ts::DATE - DATE '1970-01-01' AS day,
        coalesce('b' || basket_id, 'd' || customer_id || ' ' || ts::DATE) AS basket,
        coalesce(any_value(store_id), '') AS store, coalesce(sum(amount), 0) AS amount,
        coalesce(max(discount), 0) > 0 AS reduced
    FROM events WHERE kind = 'purchase' AND customer_id IS NOT NULL AND product_id IS NOT NULL GROUP BY ALL"""


@dataclass(frozen=True)
class Catalogue:
    """The products that were ever bought, by index: ids, and the index of each one's type and
    category (a product without one stands alone in its own). `groups`: the index of each product's
    department, maker and brand-within-type, where the shop tells them; `private` the shop's own brands."""

    products: NDArray[np.str_]
    types: Ints
    categories: Ints
    category_keys: NDArray[np.str_]
    restricted: NDArray[np.bool_]
    groups: dict[str, Ints] = field(default_factory=dict)
    private: NDArray[np.bool_] | None = None

    def levels(self) -> dict[str, Ints]:
        """Every way in which products are grouped, by name."""
        return {"type": self.types, "category": self.categories, **self.groups}

    @cached_property
    def index(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.products.tolist())}

    @cached_property
    def category_index(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.category_keys.tolist())}


@dataclass(frozen=True)
class History:
    """One row for each (customer, product, basket), all days before `cut` (days since 1970).

    `customers` are the ids by index; `basket` numbers are unique in the shop. Beside them, where
    known: the number of the `store`, the `amount` paid, whether the price was `reduced`, and what is `promoted`.
    """

    customers: NDArray[np.str_]
    catalogue: Catalogue
    customer: Ints
    product: Ints
    day: Ints
    basket: Ints
    cut: int
    store: Ints | None = None
    amount: Floats | None = None
    reduced: NDArray[np.bool_] | None = None
    promoted: Promoted | None = None
    _weights: dict[float, sparse.csr_matrix] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.customers), len(self.catalogue.products)

    def before(self, cut: int) -> History:
        """What was known on the morning of day `cut`; promotions stay, as they tell what is planned."""
        known = self._rows(np.flatnonzero(self.day < cut), self.product, self.catalogue, cut)
        return known if self.promoted is None else replace(known, promoted=self.promoted)

    def by_type(self) -> History:
        """The same purchases told by product type: each type is a product."""
        old = self.catalogue
        kinds = int(old.types.max(initial=-1)) + 1
        _, first = np.unique(old.types, return_index=True)
        groups = {name: group[first] for name, group in old.groups.items() if name == "department"}
        keys = np.array([f"type {kind}" for kind in range(kinds)], str)
        catalogue = Catalogue(
            keys, np.arange(kinds), old.categories[first], old.category_keys, old.restricted[first], groups
        )
        told = self.grouped(old.types, catalogue)
        return told if self.promoted is None else replace(told, promoted=self.promoted.grouped(old.types))

    def grouped(self, group: Ints, catalogue: Catalogue | None = None) -> History:
        """The same purchases with groups of products in place of products (`group`: of each product)."""
        if catalogue is None:
            size = int(group.max(initial=-1)) + 1
            keys, alone = np.zeros(size, "<U1"), np.zeros(size, np.int64)
            catalogue = Catalogue(keys, alone, alone, np.array([""]), alone > 0)
        code = self.basket * len(catalogue.products) + group[self.product]
        _, rows = np.unique(code, return_index=True)
        return self._rows(rows, group[self.product], catalogue, self.cut)

    def _rows(self, rows: Ints, product: Ints, catalogue: Catalogue, cut: int) -> History:
        kept = (self.customer[rows], product[rows], self.day[rows], self.basket[rows])
        return History(
            self.customers,
            catalogue,
            *kept,
            cut,
            store=None if self.store is None else self.store[rows],
            amount=None if self.amount is None else self.amount[rows],
            reduced=None if self.reduced is None else self.reduced[rows],
        )

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
        SELECT c.n AS customer, p.n AS product, day, b.n AS basket, dense_rank() OVER (ORDER BY store) - 1 AS store,
            amount, reduced
        FROM held_bought JOIN c USING (customer_id) JOIN p USING (product_id) JOIN b USING (basket)
        ORDER BY b.n, p.n, day"""
    ).fetchnumpy()
    customers = con.execute("SELECT DISTINCT customer_id FROM held_bought ORDER BY 1").fetchnumpy()
    catalogue = _catalogue(con, restricted)
    con.execute("DROP TABLE held_bought")
    day = np.asarray(rows["day"], np.int64)
    cut = int(day.max()) + 1 if len(day) else 0
    promoted = read_promoted(con, catalogue.products, int(day.min())) if len(day) else None
    if promoted is not None and promoted.reaches(cut):
        promoted = replace(promoted, planned=True)
    return History(
        np.asarray(customers["customer_id"], str),
        catalogue,
        np.asarray(rows["customer"], np.int64),
        np.asarray(rows["product"], np.int64),
        day,
        np.asarray(rows["basket"], np.int64),
        cut,
        np.asarray(rows["store"], np.int64),
        np.asarray(rows["amount"], np.float32),
        np.asarray(rows["reduced"], bool),
        promoted,
    )


def _catalogue(con: duckdb.DuckDBPyConnection, restricted: str) -> Catalogue:
    found = con.execute(
        """SELECT b.product_id, coalesce(p."type", 'product ' || b.product_id) AS "type",
            coalesce(p.category, '') AS category, coalesce(p.department, '') AS department,
            coalesce(p.manufacturer, '') AS maker, coalesce(p.brand, '') AS brand,
            regexp_matches(upper(concat_ws(' ', p.department, p.category, p."type")), ?) AS restricted
        FROM (SELECT DISTINCT product_id FROM held_bought) b LEFT JOIN products p USING (product_id)
        ORDER BY b.product_id""",
        [restricted],
    ).fetchnumpy()
    text = {
        name: np.asarray(found[name], str) for name in ("type", "category", "department", "maker", "brand")
    }
    categories, category = np.unique(text["category"], return_inverse=True)
    _, types = np.unique(text["type"], return_inverse=True)
    branded = np.char.add(np.char.add(text["brand"], "|"), text["type"])
    groups: dict[str, Ints] = {
        name: np.asarray(np.unique(column, return_inverse=True)[1])
        for name, column in (("department", text["department"]), ("maker", text["maker"]), ("brand", branded))
    }
    private = np.char.find(np.char.lower(text["brand"]), "private") >= 0
    restricted_ = np.asarray(found["restricted"], bool)
    ids = np.asarray(found["product_id"], str)
    return Catalogue(ids, types, category, categories, restricted_, groups, private)


def _binary(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
