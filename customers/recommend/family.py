"""Within a brand's family: further products of a maker, of types that the customer does not buy from it yet.

A product's worth is the chance that the customer takes up its type, times the product's share of what everybody buys
of the type, or nearly so. For the chance of a type two things speak: that the customer buys it already, from others;
and that customers who buy the same types do (cosine between types). Across makers, the customer's own leaning to a
maker is weighed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.measure_tables import Tables
from customers.recommend.history import Floats, Ints

Mask = NDArray[np.bool_]

NO_MAKER = -1
_NO_BRAND = "('', 'national', 'other', 'none', 'unknown', 'generic')"  # says that it has none of its own
_ALIKE = 1.0  # what a type that goes with the customer's own weighs beside one that they buy elsewhere
_USUAL = 20.0  # baskets of everybody's share of a maker that stand beside the customer's own
_LIKED = 0.75  # power of a product's buyers: below 1, a type's best seller is not everything


@dataclass(frozen=True)
class Bought:
    """Who bought what: one entry for each customer and product, customer `c`'s at `start[c]:start[c + 1]`, with
    `decayed` baskets. Of each product: its `type`, its `maker` (NO_MAKER where unknown), how many bought it of late
    (`buyers`), and whether it may be `offered`."""

    start: Ints
    product: Ints
    decayed: Floats
    type: Ints
    maker: Ints
    buyers: Floats
    offered: Mask

    @cached_property
    def types(self) -> sparse.csr_matrix:
        """Decayed baskets with each type, shape (customers, types)."""
        shape = (len(self.start) - 1, int(self.type.max(initial=-1)) + 1)
        found = sparse.csr_matrix((self.decayed, self.type[self.product], self.start), shape=shape)
        found.sum_duplicates()
        return found

    def of(self, customer: int) -> slice:
        """The customer's entries."""
        return slice(int(self.start[customer]), int(self.start[customer + 1]))


class Family:
    """Ranks the products of a maker, or of all makers that a customer buys from."""

    def __init__(self, bought: Bought) -> None:
        self._bought = bought

    @property
    def maker(self) -> Ints:
        """The maker of each product."""
        return self._bought.maker

    def ranked(self, customer: int | None, product: int | None) -> tuple[Ints, Floats]:
        """Products and scores, best first: for a customer, within a product's family, or both."""
        if customer is None:
            assert product is not None
            return self.of_product(product)
        if product is None:
            return self.for_customer(customer)
        if (maker := int(self.maker[product])) == NO_MAKER:
            return np.array([], np.int64), np.array([])
        return self.for_customer(customer, maker)

    @cached_property
    def _alike(self) -> sparse.csr_matrix:
        """Cosine between types over customers, the diagonal empty."""
        there = self._bought.types.copy()
        there.data[:] = 1
        count = np.maximum(np.asarray(there.sum(axis=0)).ravel(), 1)
        scaled = (there @ sparse.diags(1 / np.sqrt(count))).astype(np.float32)
        alike = (scaled.T @ scaled).tolil()
        alike.setdiag(0)
        return alike.tocsr()

    @cached_property
    def _makers(self) -> Floats:
        """Share of each maker in everybody's baskets."""
        b = self._bought
        known = b.maker[b.product] >= 0
        size = int(b.maker.max(initial=-1)) + 1
        total = np.bincount(b.maker[b.product[known]], b.decayed[known], size)
        return total / max(float(total.sum()), 1e-9)

    def takes_up(self, customer: int) -> Floats:
        """How much speaks for each type, for this customer."""
        own = np.asarray(self._bought.types[customer].todense()).ravel()
        known = np.minimum(own, 1.0)
        led = np.asarray(self._alike.T @ known).ravel() / max(float(known.sum()), 1e-9)
        return known + _ALIKE * led

    def for_customer(self, customer: int, maker: int | None = None) -> tuple[Ints, Floats]:
        """Products of the makers that the customer buys from (of one `maker`, whether they do or not), never bought,
        and of no type that they buy from the same maker; with their scores, best first."""
        b, own = self._bought, self._bought.of(customer)
        mine = np.unique(b.maker[b.product[own]])
        wanted = mine[mine >= 0] if maker is None else np.array([maker])
        fits = b.offered & np.isin(b.maker, wanted) & (b.buyers > 0)
        fits[b.product[own]] = False
        product = np.flatnonzero(fits)
        width = int(b.type.max(initial=-1)) + 1
        has = np.unique(b.maker[b.product[own]] * width + b.type[b.product[own]])
        product = product[~np.isin(b.maker[product] * width + b.type[product], has)]
        score = self.takes_up(customer)[b.type[product]] * b.buyers[product] ** _LIKED
        if maker is None:
            score = score * self._leaning(own)[b.maker[product]]
        return _best(product, score)

    def of_product(self, product: int) -> tuple[Ints, Floats]:
        """Products of the same maker and of other types, by how often customers who buy the one type buy the other."""
        b = self._bought
        fits = b.offered & (b.maker == b.maker[product]) & (b.type != b.type[product]) & (b.buyers > 0)
        found = np.flatnonzero(fits) if b.maker[product] >= 0 else np.array([], np.int64)
        near = np.asarray(self._alike[int(b.type[product])].todense()).ravel()
        return _best(found, near[b.type[found]] * b.buyers[found] ** _LIKED)

    def _leaning(self, own: slice) -> Floats:
        """Of each maker, how much more of the customer's baskets it has than of everybody's."""
        b = self._bought
        maker, decayed = b.maker[b.product[own]], b.decayed[own]
        mine = np.bincount(maker[maker >= 0], decayed[maker >= 0], len(self._makers))
        share = (mine + _USUAL * self._makers) / (mine.sum() + _USUAL)
        return share / np.maximum(self._makers, 1e-9)


def _best(product: Ints, score: Floats) -> tuple[Ints, Floats]:
    order = np.lexsort((product, -score))
    order = order[score[order] > 0]
    return product[order], score[order]


def makers(con: duckdb.DuckDBPyConnection, tables: Tables, products: NDArray[np.str_]) -> Ints:
    """The maker of each product as a number: its manufacturer, or its brand where none is told and the brand is one."""
    rows = con.execute(
        f"SELECT product_id, coalesce(nullif(trim(manufacturer), ''), CASE WHEN lower(trim(brand)) NOT IN {_NO_BRAND}"
        f" THEN trim(brand) END) AS maker FROM {tables['products']}"
    ).fetchall()
    named = {str(key): maker for key, maker in rows if maker}
    number = {maker: n for n, maker in enumerate(sorted(set(named.values())))}
    return np.array([number.get(named.get(key, ""), NO_MAKER) for key in products.tolist()], np.int64)
