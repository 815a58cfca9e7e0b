"""Recommendations, audiences and basket partners of a finished build."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

import duckdb
import numpy as np
from numpy.typing import NDArray

from customers import values as v
from customers.errors import BadInput, Unknown
from customers.measure_tables import Tables, locate
from customers.recommend.audience import exposure, fit_rate
from customers.recommend.family import Bought, Family, makers
from customers.recommend.history import Floats, Ints
from customers.recommend.knowledge import Knowledge
from customers.recommend.onboarding import Answers, Onboarding, reductions, sharing
from customers.recommend.reasons import Reasons
from customers.recommend.together import Pairings

STALE_DAYS = 56
ONE_A_KIND = 5
HORIZON = 30
Why = Callable[[int], tuple[str, dict[str, float | str]]]


class Recommenders:
    """Answers from a build's knowledge; safe to use from several threads.

    Never recommended: products without a sale in the last `STALE_DAYS` days, and products for
    adults only (tobacco, alcohol) that the customer never bought. The one exception to the last is
    a category that was asked for by name and from which the customer already buys.
    """

    def __init__(self, knowledge: Knowledge, con: duckdb.DuckDBPyConnection) -> None:
        self._k = knowledge
        self._con = con
        self._reasons = Reasons(knowledge)
        self._customers = {key: number for number, key in enumerate(knowledge.customers.tolist())}

    # recommendations -----------------------------------------------------------------------
    def recommend(
        self,
        customer_id: str,
        n: int = 5,
        category: str | None = None,
        new_only: bool = False,
        exclude: Sequence[str] = (),
    ) -> list[v.Recommendation]:
        """Return up to `n` products, best first, none of `exclude`. Among the first five no two are of
        one product type, of what was never bought of one category (who buys eggs is shown one other size of them, not
        three), unless a category is given or nothing else is left."""
        customer = self._customer(customer_id)
        within = None if category is None else self._category(category)
        _positive(n)
        product, score = self._ranked(customer, within, new_only)
        if exclude:
            kept = ~np.isin(self._k.catalogue.products[product], list(exclude))
            product, score = product[kept], score[kept]
        if category is None:
            kinds = self._k.catalogue.categories if new_only else self._k.catalogue.types
            chosen = _spread(product, kinds, n)
            product, score = product[chosen], score[chosen]
        product, score = product[:n], score[:n]
        return self._offers(product, score, lambda item: self._reasons.of(customer, item))

    def _offers(self, product: Ints, score: Floats, why: Why) -> list[v.Recommendation]:
        """The products with their names, and why each is offered."""
        catalogue = self._k.catalogue
        keys = [str(key) for key in catalogue.products[product]]
        names = self._product_names(keys)
        return [
            v.Recommendation(
                key, names[key], str(catalogue.category_keys[catalogue.categories[item]]), worth, *why(item)
            )
            for key, item, worth in zip(keys, product.tolist(), score.tolist(), strict=True)
        ]

    def _ranked(self, customer: int, category: int | None, new_only: bool) -> tuple[Ints, Floats]:
        """Every allowed product with its probability, best first: the blend's candidates, then
        what is popular, scaled to stay below them."""
        k = self._k
        rows = slice(k.start[customer], k.start[customer + 1])
        allowed = self._allowed(customer, category, new_only)
        product = k.candidate[rows].astype(np.int64)
        score = k.fresh[rows] if new_only else k.score[rows]
        order = np.lexsort((product, -score))
        order = order[allowed[product[order]]]
        product, score = product[order], score[order]
        allowed[product] = False
        rest = np.flatnonzero(allowed & (k.recent_buyers > 0))
        rest = rest[np.argsort(-k.recent_buyers[rest], kind="stable")][:500]
        if not len(rest):
            return product, score
        least = float(score[-1]) if len(score) else 1.0
        share = k.recent_buyers[rest] / len(k.customers)
        fill = np.minimum(share, least * share / share.max()) * np.float32(0.99)
        return np.r_[product, rest], np.r_[score, fill.astype(np.float32)]

    def _allowed(self, customer: int, category: int | None, new_only: bool) -> NDArray[np.bool_]:
        k, catalogue = self._k, self._k.catalogue
        own = np.zeros(len(catalogue.products), bool)
        own[k.product_taste.thing[k.product_taste.rows(customer)]] = True
        allowed = k.last_sold >= k.cut - STALE_DAYS
        buys_there = category is not None and bool((own & (catalogue.categories == category)).any())
        if not buys_there:
            allowed = allowed & (own | ~catalogue.restricted)
        if new_only:
            allowed = allowed & ~own
        if category is not None:
            allowed = allowed & (catalogue.categories == category)
        return allowed

    # without a history ---------------------------------------------------------------------
    @cached_property
    def _onboarding(self) -> Onboarding:
        return Onboarding(self._k)

    def answers(self, said: Mapping[str, bool]) -> list[tuple[int, bool]]:
        """Answers by category key as the numbers that the methods below take. Raises Unknown."""
        return [(self._category(key), bool(yes)) for key, yes in said.items()]

    def traits(self, store: str | None, attributes: Mapping[str, str]) -> list[NDArray[np.bool_]]:
        """Masks of the customers of a store, and of those with each attribute. Raises Unknown for what nobody has."""
        return sharing(self._con.cursor(), self._tables, self._customers, store, attributes)

    def for_newcomer(
        self,
        n: int,
        answers: Answers,
        traits: Sequence[NDArray[np.bool_]] = (),
        exclude: Sequence[str] = (),
        reduced: bool = False,
    ) -> list[v.Recommendation]:
        """Products for somebody who answers so; `reduced`: only those whose price is reduced now. No two of the first
        five are of one type."""
        _positive(n)
        product, score = self._onboarding.ranked(answers, traits)
        keys = self._k.catalogue.products[product]
        kept = ~np.isin(keys, list(exclude))
        if reduced:
            kept &= np.isin(keys, list(self._reductions))
        product, score = product[kept], score[kept]
        chosen = _spread(product, self._k.catalogue.types, n)

        def why(item: int) -> tuple[str, dict[str, float | str]]:
            if reduced:
                return "reduced", self._reductions[str(self._k.catalogue.products[item])]
            return "crowd", self._onboarding.support(answers, item)

        return self._offers(product[chosen], score[chosen], why)

    def to_ask(self, answers: Answers, n: int) -> tuple[list[str], int, int]:
        """Up to `n` categories to ask about next; how many customers agree with the answers, and of how many."""
        keys = self._k.catalogue.category_keys
        asked = [str(keys[number]) for number in self._onboarding.next(answers, n)]
        return asked, self._onboarding.agreeing(answers), len(self._onboarding.rows)

    @cached_property
    def _reductions(self) -> dict[str, dict[str, float | str]]:
        return reductions(self._con.cursor(), self._tables, self._k.cut)

    # within a brand's family ---------------------------------------------------------------
    @cached_property
    def _family(self) -> Family:
        k, goods = self._k, self._k.product_taste
        maker = makers(self._con.cursor(), self._tables, k.catalogue.products)
        offered = (k.last_sold >= k.cut - STALE_DAYS) & ~k.catalogue.restricted
        return Family(
            Bought(
                goods.start, goods.thing, goods.decayed, k.catalogue.types, maker, k.recent_buyers, offered
            )
        )

    def family(
        self, customer_id: str | None, product_id: str | None, n: int = 5, exclude: Sequence[str] = ()
    ) -> list[v.Recommendation]:
        """Products of the maker of a product, of all makers that a customer buys from, or, with both, of the product's
        maker for the customer, best first; of no type that they buy from it already. Raises Unknown, and BadInput
        where neither is named."""
        _positive(n)
        if customer_id is None and product_id is None:
            raise BadInput("Name a customer, a product, or both.")
        customer = None if customer_id is None else self._customer(customer_id)
        start = None if product_id is None else self._one_of(None, product_id)[0]
        product, score = self._family.ranked(customer, start)
        kept = ~np.isin(self._k.catalogue.products[product], list(exclude))
        product, score = product[kept], score[kept]
        chosen = _spread(product, self._k.catalogue.types, n)
        return self._offers(
            product[chosen], score[chosen], lambda item: ("family", self._of_family(customer, start, item))
        )

    def _of_family(self, customer: int | None, start: int | None, item: int) -> dict[str, float | str]:
        """The product of the same maker that leads to it: the one that was named, or their own most bought one."""
        found: dict[str, float | str] = {"customers": float(self._k.buyers[item])}
        goods = self._k.product_taste
        if customer is not None:
            rows = goods.rows(customer)
            same = np.flatnonzero(self._family.maker[goods.thing[rows]] == self._family.maker[item])
            if start is None:
                start = int(goods.thing[rows][same[goods.baskets[rows][same].argmax()]])
            trips = goods.baskets[rows][goods.thing[rows] == start]
            found["baskets"] = float(trips.sum())
        assert start is not None
        return {"because": str(self._k.catalogue.products[start]), **found}

    # audiences -----------------------------------------------------------------------------
    def audience(
        self,
        category: str | None = None,
        product_id: str | None = None,
        n: int = 20,
        segment_id: str | None = None,
        among: Collection[str] | None = None,
    ) -> v.Audience:
        """Return the `n` customers (of `among`, where given) most likely to buy from the category, or the product, within
        30 days: by the category's preference model where there is one, else by the rate model of
        `recommend.audience`. `base_rate` is the share of all customers who bought it in the last 30
        days of the data."""
        _positive(n)
        thing, by_category = self._one_of(category, product_id)
        baskets, last, decayed = self._bought(thing, by_category)
        probability = self._preference(category) if category is not None else None
        if probability is None:
            exposed = exposure(self._k.tenure.astype(np.float64))
            probability = fit_rate(decayed, exposed).probability(decayed, exposed, HORIZON)
        eligible = self._members(segment_id)
        if among is not None:
            eligible = np.intersect1d(
                eligible, [self._customers[c] for c in among if c in self._customers]
            ).astype(np.int64)
        order = eligible[np.lexsort((eligible, -probability[eligible]))][:n]
        members = tuple(
            v.AudienceMember(
                str(self._k.customers[c]),
                float(probability[c]),
                int(baskets[c]),
                int(self._k.cut - 1 - last[c]) if baskets[c] else None,
            )
            for c in order.tolist()
        )
        base = float((last >= self._k.cut - HORIZON).mean()) if len(last) else 0.0
        expected = sum(member.probability for member in members)
        return v.Audience(self._name(thing, by_category), members, len(eligible), expected, base)

    def _bought(self, thing: int, by_category: bool) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Baskets, last day (0: never) and decayed baskets with the thing, of every customer."""
        taste = self._k.category_taste if by_category else self._k.product_taste
        rows = np.flatnonzero(taste.thing == thing)
        owner = np.searchsorted(taste.start, rows, side="right") - 1
        baskets = np.zeros(len(self._k.customers), np.int64)
        last, decayed = baskets.copy(), baskets.astype(np.float64)
        baskets[owner], last[owner], decayed[owner] = (
            taste.baskets[rows],
            taste.last[rows],
            taste.decayed[rows],
        )
        return baskets, last, decayed

    def _preference(self, category: str) -> NDArray[np.float64] | None:
        """Probabilities of the category's own model, or None where it has none."""
        if "preferences" not in self._tables:
            return None
        query = f"SELECT customer_id, probability FROM {self._tables['preferences']} WHERE category = ?"
        rows = self._con.cursor().execute(query, [category]).fetchall()
        if not rows:
            return None
        probability = np.zeros(len(self._k.customers))
        for customer, value in rows:
            if customer in self._customers:
                probability[self._customers[customer]] = value
        return probability

    def _members(self, segment_id: str | None) -> Ints:
        if segment_id is None:
            return np.arange(len(self._k.customers))
        query = f"SELECT customer_id FROM {self._tables['customer_segments']} WHERE segment_id = ?"
        rows = self._con.cursor().execute(query, [segment_id]).fetchall()
        if not rows:
            raise Unknown(f"The shop has no segment '{segment_id}'.")
        return np.array(sorted(self._customers[c] for (c,) in rows if c in self._customers), np.int64)

    # baskets -------------------------------------------------------------------------------
    def bought_with(
        self, category: str | None = None, product_id: str | None = None, n: int = 5
    ) -> list[v.Together]:
        """Return what shares baskets with a category (categories) or a product (products), by lift;
        at least 5 baskets with both and 2 % of the baskets with the first."""
        _positive(n)
        thing, by_category = self._one_of(category, product_id)
        pairings: Pairings = self._k.categories if by_category else self._k.products
        other, both, confidence, lift = pairings.rules(thing)
        other = other[:n]
        catalogue = self._k.catalogue
        keys = (catalogue.category_keys if by_category else catalogue.products)[other].tolist()
        names = {} if by_category else self._product_names(keys)
        return [
            v.Together(key, self._category_name(key) if by_category else v.Name(names[key], names[key]), *row)
            for key, *row in zip(keys, both.tolist(), confidence.tolist(), lift.tolist(), strict=False)
        ]

    # names and numbers ---------------------------------------------------------------------
    @cached_property
    def _tables(self) -> Tables:
        return locate(self._con.cursor())

    def _customer(self, customer_id: str) -> int:
        if customer_id not in self._customers:
            raise Unknown(f"The shop has no purchases of a customer '{customer_id}'.")
        return self._customers[customer_id]

    def _category(self, category: str) -> int:
        if not category or category not in self._k.catalogue.category_index:
            raise Unknown(f"Nothing was bought from a category '{category}'.")
        return self._k.catalogue.category_index[category]

    def _one_of(self, category: str | None, product_id: str | None) -> tuple[int, bool]:
        """The index of the category or product that was named, and whether it is a category."""
        if (category is None) == (product_id is None):
            raise BadInput("Name either a category or a product.")
        if category is not None:
            return self._category(category), True
        assert product_id is not None
        if product_id not in self._k.catalogue.index:
            raise Unknown(f"No product '{product_id}' was ever bought.")
        return self._k.catalogue.index[product_id], False

    def _name(self, thing: int, by_category: bool) -> v.Name:
        if by_category:
            return self._category_name(str(self._k.catalogue.category_keys[thing]))
        key = str(self._k.catalogue.products[thing])
        name = self._product_names([key])[key]
        return v.Name(name, name)

    def _category_name(self, key: str) -> v.Name:
        query = f"SELECT name_en, name_zh FROM {self._tables['names']} WHERE kind = 'category' AND key = ?"
        rows = self._con.cursor().execute(query, [key]).fetchall()
        en, zh = rows[0] if rows else (key, key)
        return v.Name(en or key, zh or en or key)

    def _product_names(self, keys: list[str]) -> dict[str, str]:
        marks = ", ".join("?" for _ in keys) or "NULL"
        query = f"SELECT product_id, name FROM {self._tables['products']} WHERE product_id IN ({marks})"
        named = dict(self._con.cursor().execute(query, keys).fetchall())
        return {key: named.get(key) or key for key in keys}


def _positive(n: int) -> None:
    if n < 1:
        raise BadInput(f"n must be 1 or more, not {n}.")


def _spread(product: Ints, kinds: Ints, n: int) -> Ints:
    """Positions of the first `n`, where the first `ONE_A_KIND` are of different kinds if possible;
    what was passed over comes right after them."""
    seen: set[int] = set()
    first: list[int] = []
    for place, kind in enumerate(kinds[product].tolist()):
        if kind not in seen:
            seen.add(kind)
            first.append(place)
        if len(first) == min(n, ONE_A_KIND):
            break
    rest = np.setdiff1d(np.arange(len(product)), np.array(first, np.int64))
    return np.r_[np.array(first, np.int64), rest][:n]
