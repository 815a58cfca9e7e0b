"""Why a product is recommended: the strongest evidence that is true of it, with its own figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from customers.recommend.history import Ints

if TYPE_CHECKING:
    from customers.recommend.knowledge import Knowledge

SIMILAR = 50
_LEAST_LIFT = 2.0
_LEAST_SHARE = 0.1

Evidence = dict[str, float | str]


class Reasons:
    """Finds reasons in what the build knows."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._k = knowledge
        norms = np.linalg.norm(knowledge.factors, axis=1, keepdims=True)
        self._directions = knowledge.factors / np.where(norms > 0, norms, 1)

    def of(self, customer: int, product: int) -> tuple[str, Evidence]:
        """Return the kind of reason and its evidence, as `values.Recommendation` lists them.

        Own purchases speak first; then a product of the customer's that shares baskets with this
        one more than twice as often as chance; then at least a tenth of the 50 most similar
        customers; then how many customers bought it.
        """
        return (
            self._repeat(customer, product)
            or self._together(customer, product)
            or self._alike(customer, product)
            or ("popular", {"customers": float(self._k.buyers[product])})
        )

    def _repeat(self, customer: int, product: int) -> tuple[str, Evidence] | None:
        """`every_days`, the mean gap between the baskets, is left out where they were one day's."""
        taste = self._k.product_taste
        rows = taste.rows(customer)
        place = rows.start + int(np.searchsorted(taste.thing[rows], product))
        if place >= rows.stop or taste.thing[place] != product:
            return None
        baskets = int(taste.baskets[place])
        evidence: Evidence = {
            "baskets": float(baskets),
            "days_since": float(self._k.cut - 1 - int(taste.last[place])),
        }
        span = int(taste.last[place]) - int(taste.first[place])
        if span:
            evidence["every_days"] = span / (baskets - 1)
        return "repeat", evidence

    def _together(self, customer: int, product: int) -> tuple[str, Evidence] | None:
        """The own product of another type that explains this one best: goes with it surely (normalised pointwise mutual
        information, Bouma 2009, of two standard deviations fewer baskets than were counted, so that neither what lands in
        every basket nor a handful of them wins), and is bought often."""
        k, pairings, types = self._k, self._k.products, self._k.catalogue.types
        row = slice(pairings.both.indptr[product], pairings.both.indptr[product + 1])
        other, both = pairings.both.indices[row].astype(np.int64), pairings.both.data[row].astype(float)
        rows = k.product_taste.rows(customer)
        place = np.searchsorted(k.product_taste.thing[rows], other).clip(
            max=max(rows.stop - rows.start - 1, 0)
        )
        keep = (
            k.product_taste.thing[rows][place] == other
            if rows.stop > rows.start
            else np.zeros(len(other), bool)
        )
        keep &= types[other] != types[product]
        chance = pairings.single[other].astype(float) * float(pairings.single[product])
        keep &= both * pairings.baskets >= _LEAST_LIFT * chance
        if not keep.any():
            return None
        sure = np.maximum(both - 2 * np.sqrt(both), 0.5)
        lift = sure * pairings.baskets / np.maximum(chance, 1)
        together = np.log(np.maximum(lift, 1e-9)) / -np.log(sure / pairings.baskets)
        often = np.log1p(k.product_taste.baskets[rows][place])
        worth = np.where(together > 0, together * often, together / often)
        strongest = int(np.argmax(np.where(keep, worth, -np.inf)))
        because = str(k.catalogue.products[other[strongest]])
        return "together", {"because": because, "baskets": float(both[strongest])}

    def _alike(self, customer: int, product: int) -> tuple[str, Evidence] | None:
        near = self._similar(customer)
        if not len(near):
            return None
        taste = self._k.product_taste
        bought = sum(bool((taste.thing[taste.rows(other)] == product).any()) for other in near.tolist())
        share = bought / len(near)
        if share < _LEAST_SHARE:
            return None
        catalogue = self._k.catalogue
        category = str(catalogue.category_keys[catalogue.categories[product]])
        return "alike", {"category": category, "share_of_similar": share}

    def _similar(self, customer: int) -> Ints:
        """The customers whose latent factors point the same way most (cosine above 0)."""
        cosine = self._directions @ self._directions[customer]
        cosine[customer] = -1
        near = np.argsort(-cosine, kind="stable")[:SIMILAR]
        return near[cosine[near] > 0]
