"""Campaigns with a known effect: who was written to by lot, and what that changed for whom.

Four kinds of customer, as in the literature on uplift (Kane, Lo & Zheng 2014): persuadables buy
because of the campaign, sure things buy anyway, lost causes do not buy, sleeping dogs buy less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customers.simulate.catalogue import Catalogue
from customers.simulate.looks import CAMPAIGN, Looks, pick_products
from customers.simulate.people import People

KINDS = ("persuadable", "sure thing", "lost cause", "sleeping dog")
# Chance to buy in the campaign's category while it runs, not written to and written to, by KINDS.
UNTREATED = np.array([0.05, 0.40, 0.02, 0.30])
TREATED = np.array([0.35, 0.40, 0.02, 0.08])
RUNS, EVERY = 21, 55  # days that a campaign runs, and from one to the next
REACHED, DISCOUNT, REDEEMS = 0.4, 0.15, 0.7
# Categories that nothing is bought in on a cycle.
CATEGORIES = ("Kitchenware", "Makeup", "Outdoor", "Audio", "Bedding", "Toys", "Running", "Computing")


@dataclass(frozen=True, slots=True)
class Campaigns:
    """`category` and `start` (day) of each campaign; then one entry for each person in each
    campaign: `number` of the campaign, `person`, `treated`, `bought` and the `day` of the purchase."""

    category: np.ndarray
    start: np.ndarray
    number: np.ndarray
    person: np.ndarray
    treated: np.ndarray
    bought: np.ndarray
    day: np.ndarray


def customer_kinds(crowd: People, rng: np.random.Generator) -> np.ndarray:
    """Number in KINDS of each person; it leans on what can be seen of them (thrift, visits, age)."""
    often = np.log(crowd.rate) - np.log(crowd.rate).mean()
    older = (crowd.age >= 4).astype(float)
    thrift = (crowd.thrift - crowd.thrift.mean()) / crowd.thrift.std()
    leaning = np.stack(
        [1.3 * thrift, 1.5 * often, 0.5 - 1.2 * often - 0.5 * thrift, -1.3 + 1.8 * older - 0.5 * thrift],
        axis=1,
    )
    return np.argmax(leaning + rng.gumbel(size=leaning.shape), axis=1)


def campaigns(
    crowd: People, kinds: np.ndarray, days: int, shelves: Catalogue, rng: np.random.Generator
) -> Campaigns:
    """Draw campaigns over the days, who is in them, who of these is written to, and who buys.

    People with a second account are in none: their two accounts could be treated differently.
    """
    starts = np.arange(min(30, days // 4), days - RUNS, EVERY)[: len(CATEGORIES)]
    parts = []
    for number, start in enumerate(starts):
        there = (crowd.joined <= start) & (crowd.left >= start + RUNS) & ~crowd.double
        person = np.flatnonzero(there & (rng.random(len(crowd)) < REACHED))
        treated = rng.random(len(person)) < 0.5
        chance = np.where(treated, TREATED[kinds[person]], UNTREATED[kinds[person]])
        bought = rng.random(len(person)) < chance
        day = start + rng.integers(1, RUNS, len(person))
        parts.append((np.full(len(person), number), person, treated, bought, day))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    category = np.array([shelves.categories.index(name) for name in CATEGORIES[: len(starts)]])
    return Campaigns(category, starts, *columns)


def purchases(run: Campaigns, shelves: Catalogue, rng: np.random.Generator) -> Looks:
    """The purchases that people in a campaign make in its category while it runs."""
    hit = np.flatnonzero(run.bought)
    choices = [np.flatnonzero(shelves.category_of_type == c) for c in range(len(shelves.categories))]
    category = run.category[run.number[hit]]
    draws = rng.random(len(hit))
    kind = np.array(
        [choices[c][int(u * len(choices[c]))] for c, u in zip(category, draws, strict=True)], dtype=np.int64
    )
    visit = np.full(len(hit), 4)
    product = pick_products(kind, shelves, rng)
    moved = np.where(run.treated[hit], run.number[hit], -1)
    return Looks(run.person[hit], run.day[hit], visit, product, np.full(len(hit), CAMPAIGN), moved)


def in_window(run: Campaigns, made: Looks, category: np.ndarray) -> np.ndarray:
    """Whether a look falls, for its person, into a campaign in the look's category."""
    found = np.zeros(len(made.person), dtype=bool)
    for number, start in enumerate(run.start):
        taking = np.zeros(int(made.person.max(initial=0)) + 1, dtype=bool)
        inside = run.person[run.number == number]
        taking[inside[inside < len(taking)]] = True
        found |= (
            taking[made.person]
            & (made.day >= start)
            & (made.day < start + RUNS)
            & (category == run.category[number])
        )
    return found
