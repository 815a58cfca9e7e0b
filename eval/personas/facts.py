"""What the raw data says of products and customers: the ground that a persona accepts or declines on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from eval.personas.needs import ADULT
from eval.raw import RawData, load_names


class Facts:
    """Answers about single products and customers from `raw`; safe to use from several threads."""

    def __init__(self, raw: RawData) -> None:
        self._raw = raw
        self._lock = threading.RLock()
        self._kept: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        self.names = load_names()

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query; the same query is run once."""
        key = (sql, repr(params))
        with self._lock:  # one DuckDB connection serves one thread at a time
            if key not in self._kept:
                self._kept[key] = self._raw.rows(sql, params)
            return self._kept[key]

    @cached_property
    def _products(self) -> dict[str, tuple[str, float, bool]]:
        """Product -> its category, its usual price, whether it is for adults."""
        found = self.rows(
            "select product, any_value(category), coalesce(median(amount / quantity) filter (where quantity > 0), 0),"
            " bool_or(regexp_matches(upper(concat_ws(' ', department, category)), ?)) from lines group by product",
            [ADULT],
        )
        return {
            product: (category or "", float(price), bool(adult)) for product, category, price, adult in found
        }

    def sold(self, product: str) -> bool:
        """Whether the shop ever sold a product."""
        with self._lock:
            return product in self._products

    def category(self, product: str) -> str:
        """Return the catalogue's category of a product that was sold, "" for others."""
        return self._products[product][0] if self.sold(product) else ""

    def usual_price(self, product: str) -> float:
        """Return what the till usually took for one piece: the median over all purchases, infinite for a
        product that was never sold."""
        return self._products[product][1] if self.sold(product) else float("inf")

    def is_adult(self, product: str) -> bool:
        """Whether a product is tobacco or alcohol."""
        return self.sold(product) and self._products[product][2]

    def bought(self, customer: str) -> frozenset[str]:
        """Return the products that a customer ever bought."""
        return frozenset(
            row[0] for row in self.rows("select distinct product from lines where customer = ?", [customer])
        )

    def bought_adult(self, customer: str) -> bool:
        """Whether a customer ever bought tobacco or alcohol."""
        return any(self.is_adult(product) for product in self.bought(customer))

    def buyers(self, category: str) -> frozenset[str]:
        """Return the customers who ever bought from a category."""
        return frozenset(
            row[0] for row in self.rows("select distinct customer from lines where category = ?", [category])
        )

    def trips(self, customer: str) -> int:
        """Return on how many trips a customer bought anything, 0 for one who does not exist."""
        with self._lock:
            return self._trips.get(customer, 0)

    @cached_property
    def _trips(self) -> dict[str, int]:
        found = self.rows("select customer, count(distinct basket_id) from lines group by customer")
        return {customer: int(count) for customer, count in found}
