"""Within a brand's family: further products of a maker, of types that the customer does not buy from it yet.

A product's worth is the geometric mean of how many buy it of late and how much the customers buy it who are most like
this one in the types that they buy, a little more where the customer buys the type already, from others. Across
makers, the customer's own leaning to a maker is weighed in. Without a customer, types that go with the product's own
come first, by the cosine over customers.
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
_NEIGHBOURS = 400
_FLOOR = 0.01  # of what neighbours buy, for what none of them does
_ELSEWHERE = 0.3  # what it adds that the customer buys the type from others
_USUAL = 20.0  # baskets of everybody's share of a maker that stand beside the customer's own
_LIKED = 0.75  # power of a product's buyers beside how well its type goes with the one that was named


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

    @cached_property
    def _tastes(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """What each customer buys by type, rare types weighing more, as rows of length 1; and the same transposed."""
        tastes = self._bought.types.copy()
        people, many = tastes.shape[0], np.bincount(tastes.indices, minlength=tastes.shape[1])
        tastes.data = np.log1p(tastes.data) * np.maximum(np.log(people / (1 + many)), 0.01)[tastes.indices]
        length = np.sqrt(np.asarray(tastes.multiply(tastes).sum(axis=1)).ravel())
        tastes = (sparse.diags(1 / np.maximum(length, 1e-9)) @ tastes).tocsr()
        return tastes, tastes.T.tocsr()

    @cached_property
    def _goods(self) -> sparse.csr_matrix:
        """Decayed baskets with each product, at most 1, shape (customers, products)."""
        b = self._bought
        shape = (len(b.start) - 1, len(b.type))
        return sparse.csr_matrix((np.minimum(b.decayed, 1.0), b.product, b.start), shape=shape)

    def worth(self, customer: int) -> Floats:
        """The worth of every product to a customer, before their leaning to its maker."""
        b, (tastes, across) = self._bought, self._tastes
        like = np.asarray((tastes[customer] @ across).todense()).ravel()
        like[customer] = 0
        near = np.argpartition(-like, min(_NEIGHBOURS, len(like) - 1))[:_NEIGHBOURS]
        weights = np.zeros(len(like))
        weights[near] = like[near] ** 2
        buy = np.asarray(self._goods.T @ weights).ravel()
        own = np.minimum(np.asarray(b.types[customer].todense()).ravel(), 1.0)[b.type]
        return np.sqrt((buy + _FLOOR) * b.buyers) * (1 + _ELSEWHERE * own)

    def for_customer(self, customer: int, maker: int | None = None) -> tuple[Ints, Floats]:
        """Products of the makers that the customer buys from (of one `maker`, whether they do or not), never bought,
        and of no type that they buy from the same maker; with their scores, best first."""
        b, own = self._bought, self._bought.of(customer)
        mine = np.unique(b.maker[b.product[own]])
        product = self._of_makers(mine[mine >= 0].tolist() if maker is None else [maker])
        width = int(b.type.max(initial=-1)) + 1
        has = np.unique(b.maker[b.product[own]] * width + b.type[b.product[own]])
        product = product[~np.isin(b.maker[product] * width + b.type[product], has)]
        score = self.worth(customer)[product]
        if maker is None:
            score = score * self._leaning(own)[b.maker[product]]
        return _best(product, score)

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        """What may be offered, by maker, and where each maker's products begin."""
        b = self._bought
        there = np.flatnonzero(b.offered & (b.buyers > 0) & (b.maker >= 0))
        there = there[np.argsort(b.maker[there], kind="stable")]
        return there, np.searchsorted(b.maker[there], np.arange(int(b.maker.max(initial=-1)) + 2))

    def _of_makers(self, wanted: list[int]) -> Ints:
        product, start = self._sorted
        return np.concatenate([np.array([], np.int64), *(product[start[m] : start[m + 1]] for m in wanted)])

    def of_product(self, product: int) -> tuple[Ints, Floats]:
        """Products of the same maker and of other types, by how often customers who buy the one type buy the other."""
        b = self._bought
        found = self._of_makers([int(b.maker[product])] if b.maker[product] >= 0 else [])
        found = found[b.type[found] != b.type[product]]
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
