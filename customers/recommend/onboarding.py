"""A customer of whom nothing is known: what to offer, and the questions that learn most.

A question is "do you buy <category> regularly?". Every customer that the shop knows has answered it by what they
bought. Those who agree with all answers so far stand for the new one: the offers are what they bought of late, drawn
to what everybody did where they are few. The next question is the one whose answers make the best lists over those
who are still alike, as a decision tree does (Golbandi, Koren & Lempel, WSDM 2011); the quality of a list is NDCG@10,
and the lists of one half of the customers are judged by the other half, so that a question that fits by chance does
not win.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import duckdb
import numpy as np
from numpy.typing import NDArray

from customers.errors import Unknown
from customers.measure_tables import Tables
from customers.recommend.history import Floats, Ints
from customers.recommend.knowledge import Knowledge, Taste
from customers.values import Recommendation

Mask = NDArray[np.bool_]

RECENT = 30
"""Days whose purchases are what is offered."""
REGULAR = 3.0
"""Trips with a category, each worth half after 120 days, from which on a customer buys it regularly: "do you buy it
regularly?" is then answered yes."""
_TOP = 10
_DRAWN = 60.0  # as many customers of the group before stand beside those who agree
_TRAIT = 200.0  # as many of everybody beside those who share a store or an age, which say less
_LEAST = 40  # a question is not asked where fewer would answer it one way
_RARE = 0.04  # nor where nearly everybody answers alike
_MOST_CUSTOMERS, _MOST_ITEMS = 5_000, 2_000
_NOW, _LEAST_LINES, _LEAST_OFF = 14, 5, 0.1
_OF_STORE = """
    SELECT customer_id FROM (
        SELECT customer_id, store_id, count(*) AS lines FROM {events}
        WHERE kind = 'purchase' AND store_id IS NOT NULL AND customer_id IS NOT NULL GROUP BY customer_id, store_id
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY lines DESC, store_id) = 1)
    WHERE store_id = ?"""
_REDUCED = """
    SELECT product_id, sum(discount) / nullif(sum(amount + discount), 0) AS off, count(*) AS lines FROM {events}
    WHERE kind = 'purchase' AND ts >= ? AND amount >= 0 AND discount IS NOT NULL GROUP BY product_id
    HAVING lines >= ? AND off >= ? AND avg((discount > 0)::INT) >= 0.5"""
_GAINS = 1 / np.log2(np.arange(2, _TOP + 2))


@dataclass(frozen=True)
class Crowd:
    """The customers who stand for a new one. `buys`: who buys which category, shape (customers, categories);
    `bought`: who bought which item of late, 0 or 1, shape (customers, items); `worth`: `bought` as it counts for
    NDCG@10, that is divided by the gain of the customer's perfect list."""

    buys: Mask
    bought: Floats
    worth: Floats

    @classmethod
    def of(cls, buys: Mask, bought: Floats) -> Crowd:
        """Make it of what everybody buys and bought."""
        ideal = np.r_[1.0, np.cumsum(_GAINS)]
        wanted = np.minimum(bought.sum(axis=1).astype(int), _TOP)
        return cls(buys, bought, (bought / ideal[wanted][:, None]).astype(np.float32))

    def some(self, rows: Ints) -> Crowd:
        """These customers only."""
        return Crowd(self.buys[rows], self.bought[rows], self.worth[rows])


def crowd(
    customers: int, category: tuple[Ints, Ints, Floats], categories: int, item: tuple[Ints, Ints], items: int
) -> Crowd:
    """Make the crowd of pairs: `category` holds customer, category and decayed trips with it, `item` who bought which item
    of late."""
    buys = np.zeros((customers, categories), bool)
    owner, thing, trips = category
    buys[owner, thing] = trips >= REGULAR
    bought = np.zeros((customers, items), np.float32)
    bought[item] = 1
    return Crowd.of(buys, bought)


Answers = Sequence[tuple[int, bool]]


def agreeing(known: Crowd, answers: Answers) -> Ints:
    """The customers who agree with every answer (category, whether they buy it)."""
    fits = np.ones(len(known.buys), bool)
    for category, said in answers:
        fits &= known.buys[:, category] == said
    return np.flatnonzero(fits)


def wanted(known: Crowd, answers: Answers, traits: Iterable[Mask] = ()) -> Floats:
    """How much each item is worth to somebody who answers so: of those who agree, each answer drawn to the ones
    before it. `traits`: masks of the customers who share something else that is known (a store, an age)."""
    every = known.worth.mean(axis=0)
    share, told = every, list(answers)
    for count in range(1, len(told) + 1):
        alike = known.worth[agreeing(known, told[:count])]
        share = (alike.sum(axis=0) + _DRAWN * share) / (len(alike) + _DRAWN)
    for trait in traits:
        same = (known.worth[trait].sum(axis=0) + _TRAIT * every) / (int(trait.sum()) + _TRAIT)
        share = share * same / np.maximum(every, 1e-12)
    return share


def questions(known: Crowd, n: int, answers: Answers = (), without: Mask | None = None) -> list[int]:
    """Up to `n` categories to ask about in this order, whatever the answers to one another will be. `without`: a
    mask of categories that are not asked about."""
    groups = [agreeing(known, answers)]
    asked = np.zeros(known.buys.shape[1], bool) if without is None else without.copy()
    asked[[category for category, _ in answers]] = True
    chosen: list[int] = []
    while len(chosen) < n:
        gain = np.sum([_gain(known.some(group)) for group in groups], axis=0)
        gain[asked] = 0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        asked[best] = True
        groups = [
            part for group in groups for said in (True, False)
            if len(part := group[known.buys[group, best] == said])
        ]  # fmt: skip
    return chosen


def _gain(group: Crowd) -> Floats:
    """What each question adds to the summed NDCG@10 of a group; 0 where too few would answer it one way."""
    many = group.buys.sum(axis=0)
    few = np.maximum(_LEAST, _RARE * len(group.buys))
    open_ = np.flatnonzero((many >= few) & (len(group.buys) - many >= few))
    gain = np.zeros(group.buys.shape[1])
    if not len(open_) or not group.bought.shape[1]:
        return gain
    mixed = np.random.default_rng(0).permutation(len(group.buys))
    halves = [group.some(np.sort(mixed[half::2])) for half in (0, 1)]
    whole = [half.worth.sum(axis=0)[None] for half in halves]
    yes = [half.buys[:, open_].T.astype(np.float32) @ half.worth for half in halves]
    no = [w - y for w, y in zip(whole, yes, strict=True)]
    before = _judged(*whole) + _judged(*whole[::-1])
    gain[open_] = sum(_judged(*side) + _judged(*side[::-1]) for side in (yes, no)) - before
    return gain


def _judged(chosen_by: Floats, judged_by: Floats) -> Floats:
    """Summed gain, among those of `judged_by`, of the lists that are best for `chosen_by`; both (lists, items)."""
    size = min(_TOP, chosen_by.shape[1])
    top = np.argpartition(-chosen_by, size - 1, axis=1)[:, :size]
    order = np.argsort(-np.take_along_axis(chosen_by, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return np.take_along_axis(judged_by, top, axis=1) @ _GAINS[:size]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What to offer to somebody without a history, and the categories to ask about next. `agreeing` of the shop's
    `customers` would have answered alike. Reasons: of `popular` "crowd" {customers, of, days, answers}, that is, so many
    of those who answer alike (of everybody, where `answers` is 0) bought it in the last days; of `reduced` "reduced"
    {share, lines, days}: what part of the list price was taken off, over so many purchases."""

    popular: tuple[Recommendation, ...]
    reduced: tuple[Recommendation, ...]
    questions: tuple[str, ...]
    agreeing: int
    customers: int


class Onboarding:
    """Ranks products for answers, from a build's knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._k = knowledge
        people = len(knowledge.customers)
        draw = np.random.default_rng(0)
        self.rows = np.sort(draw.choice(people, min(people, _MOST_CUSTOMERS), replace=False))
        self.items, self.crowd = self._gather()
        shy = np.zeros(len(knowledge.catalogue.category_keys), bool)
        shy[knowledge.catalogue.categories[knowledge.catalogue.restricted]] = True
        self.never_asked = shy | (knowledge.catalogue.category_keys == "")

    def _gather(self) -> tuple[Ints, Crowd]:
        k = self._k
        place = np.full(len(k.customers), -1)
        place[self.rows] = np.arange(len(self.rows))
        owner, goods = _owners(k.product_taste), k.product_taste
        late = (goods.last >= k.cut - RECENT) & ~k.catalogue.restricted[goods.thing] & (place[owner] >= 0)
        buyers = np.bincount(goods.thing[late], minlength=len(k.catalogue.products))
        items = np.argsort(-buyers, kind="stable")[: min(_MOST_ITEMS, int((buyers > 0).sum()))]
        item = np.full(len(buyers), -1)
        item[items] = np.arange(len(items))
        late &= item[goods.thing] >= 0
        kinds, who = k.category_taste, _owners(k.category_taste)
        there = place[who] >= 0
        return items, crowd(
            len(self.rows),
            (place[who[there]], kinds.thing[there], kinds.decayed[there]),
            len(k.catalogue.category_keys),
            (place[owner[late]], item[goods.thing[late]]),
            len(items),
        )

    @cached_property
    def first(self) -> list[int]:
        """The three categories to ask about where nothing is known."""
        return questions(self.crowd, 3, (), self.never_asked)

    def next(self, answers: Answers, n: int) -> list[int]:
        """Up to `n` categories to ask about after these answers."""
        if not answers and n <= len(self.first):
            return self.first[:n]
        return questions(self.crowd, n, answers, self.never_asked)

    def ranked(self, answers: Answers, traits: Iterable[Mask]) -> tuple[Ints, Floats]:
        """Products, best first, with their scores; traits are masks over all customers."""
        worth = wanted(self.crowd, answers, [trait[self.rows] for trait in traits])
        order = np.argsort(-worth, kind="stable")
        return self.items[order], worth[order]

    def agreeing(self, answers: Answers) -> int:
        """How many customers agree with all answers."""
        return len(agreeing(self.crowd, answers))

    def support(self, answers: Answers, product: int) -> dict[str, float | str]:
        """How many of those who agree bought a product of late; of everybody where none of them did."""
        item = int(np.flatnonzero(self.items == product)[0])
        alike = agreeing(self.crowd, answers)
        count = float(self.crowd.bought[alike, item].sum())
        if not count:
            answers, alike, count = (), self.rows, float(self.crowd.bought[:, item].sum())
        told = {"customers": count, "of": len(alike), "days": RECENT, "answers": len(answers)}
        return {name: float(value) for name, value in told.items()}


def sharing(
    con: duckdb.DuckDBPyConnection,
    tables: Tables,
    number: Mapping[str, int],
    store: str | None,
    attributes: Mapping[str, str],
) -> list[Mask]:
    """Masks over customers (`number`: of each id): whose usual store it is; who told each attribute. Raises Unknown."""
    found = []
    if store is not None:
        rows = con.execute(_OF_STORE.format(events=tables["events"]), [store]).fetchall()
        found.append(_mask(rows, number, f"no customer shops at a store {store!r}"))
    for name, value in attributes.items():
        query = f"SELECT customer_id FROM {tables['attributes']} WHERE attribute = ? AND value = ?"
        rows = con.execute(query, [name, value]).fetchall()
        found.append(_mask(rows, number, f"no customer has {name} {value!r}"))
    return found


def _mask(rows: Iterable[tuple[str]], number: Mapping[str, int], otherwise: str) -> Mask:
    mask = np.zeros(len(number), bool)
    mask[[number[key] for (key,) in rows if key in number]] = True
    if not mask.any():
        raise Unknown(otherwise)
    return mask


def reductions(con: duckdb.DuckDBPyConnection, tables: Tables, cut: int) -> dict[str, dict[str, float | str]]:
    """Of each product that most buyers got cheaper in the last days: the part taken off, and the purchases."""
    day = date(1970, 1, 1) + timedelta(days=cut - _NOW)
    rows = con.execute(_REDUCED.format(events=tables["events"]), [day, _LEAST_LINES, _LEAST_OFF]).fetchall()
    return {key: {"share": float(off), "lines": float(n), "days": float(_NOW)} for key, off, n in rows}


def _owners(taste: Taste) -> Ints:
    """The customer of each row."""
    return np.repeat(np.arange(len(taste.start) - 1), np.diff(taste.start))
