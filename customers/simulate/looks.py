"""What people look at: visits drawn from their tastes, things that run out, and campaigns' purchases.

A look is one product in one visit. Looks are arrays with one entry a look; whether it went on to
a purchase is decided in `customers.simulate.funnel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customers.simulate.catalogue import PER_TYPE, Catalogue, rows
from customers.simulate.people import People
from customers.simulate.segments import column

IMPULSE, STAPLE, NEED, CAMPAIGN = 0, 1, 2, 3
NEED_SHARE = 0.4  # of the looks while a need lasts
# Types a person buys again and again: the fewest, and how many more where all they like runs out.
STAPLES = (1, 8)
GAP_SPREAD, PERSONAL = 0.12, 0.18  # of a cycle: from one purchase to the next, and between people


@dataclass(frozen=True, slots=True)
class Looks:
    """`person`, `day`, `visit` of the day, `product`, `origin` (IMPULSE, STAPLE, NEED or CAMPAIGN)
    and `campaign` (the number of the one that the person was written to for, or -1), each of shape
    (looks,)."""

    person: np.ndarray
    day: np.ndarray
    visit: np.ndarray
    product: np.ndarray
    origin: np.ndarray
    campaign: np.ndarray

    @classmethod
    def joined(cls, parts: list[Looks]) -> Looks:
        """All looks of several sources, one after the other."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__))

    def at(self, picked: np.ndarray) -> Looks:
        """The picked looks, in the order of `picked`."""
        return Looks(*(getattr(self, name)[picked] for name in self.__dataclass_fields__))


def pick_products(kind: np.ndarray, shelves: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """Draw a product of each given type by its popularity."""
    place = (rng.random(len(kind))[:, None] > shelves.choice[kind]).sum(axis=1).clip(0, PER_TYPE - 1)
    return kind * PER_TYPE + place


def present(crowd: People, days: int) -> np.ndarray:
    """Whether a person is a customer on a day, shape (people, days)."""
    day = np.arange(days)[None, :]
    return (day >= crowd.joined[:, None]) & (day < crowd.left[:, None])


def impulses(
    crowd: People, dates: pd.DatetimeIndex, season: np.ndarray, shelves: Catalogue, rng: np.random.Generator
) -> Looks:
    """Looks in visits of people's own making: their taste, times the season, times their need."""
    weekend = np.isin(dates.day_of_week, (5, 6))
    often = np.where(weekend[None, :], column("weekend")[crowd.segment][:, None], 1.0)
    often /= (5 + 2 * column("weekend")[crowd.segment][:, None]) / 7
    counts = rng.poisson(crowd.rate[:, None] * often * present(crowd, len(dates)))
    person, day = np.nonzero(counts)
    times = counts[person, day].clip(0, 4)
    person, day = np.repeat(person, times), np.repeat(day, times)
    visit = _running(times)
    # More looks than are kept: a look at something out of season is mostly not made.
    highest = season.max()
    looks = 1 + rng.poisson(column("looks")[crowd.segment[person]] * highest)
    person, day, visit = (np.repeat(a, looks) for a in (person, day, visit))
    cumulated = np.cumsum(crowd.taste, axis=2)
    late = (day >= crowd.drift_day[person]).astype(int)
    draws = rng.random(len(person))
    category = np.empty(len(person), dtype=np.int64)
    for block in np.array_split(np.arange(len(person)), max(1, len(person) // 200_000)):
        chances = cumulated[person[block], late[block]]
        category[block] = (draws[block, None] > chances).sum(axis=1).clip(0, chances.shape[1] - 1)
    kept = rng.random(len(person)) < season[day, category] / highest
    person, day, visit, category = person[kept], day[kept], visit[kept], category[kept]
    kind = _types(category, shelves, rng)
    needed = (crowd.need[person] >= 0) & (day >= crowd.need_from[person]) & (day < crowd.need_to[person])
    needed &= rng.random(len(person)) < NEED_SHARE
    kind[needed] = _needed(crowd.need[person[needed]], shelves, rng)
    product = pick_products(kind, shelves, rng)
    origin = np.where(needed, NEED, IMPULSE)
    return Looks(person, day, visit, product, origin, np.full(len(person), -1))


def _running(times: np.ndarray) -> np.ndarray:
    """0 .. n-1 for each n of `times`, one after the other."""
    starts = np.repeat(np.cumsum(times) - times, times)
    return np.arange(int(times.sum())) - starts


def _types(category: np.ndarray, shelves: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """A type of each category, all of a category's alike."""
    of = shelves.category_of_type
    first = np.array([np.flatnonzero(of == c)[0] for c in range(len(shelves.categories))])
    many = np.bincount(of)
    return first[category] + (rng.random(len(category)) * many[category]).astype(np.int64)


def _needed(need: np.ndarray, shelves: Catalogue, rng: np.random.Generator) -> np.ndarray:
    choices = [shelves.type_numbers(row["types"]) for row in rows("needs.csv")]
    draws = rng.random(len(need))
    return np.array(
        [choices[n][int(u * len(choices[n]))] for n, u in zip(need, draws, strict=True)], dtype=np.int64
    )


@dataclass(frozen=True, slots=True)
class Staples:
    """What people buy again and again: `person`, `kind` (type), favourite `product` and `cycle`
    (mean days between two purchases), each of shape (staples,)."""

    person: np.ndarray
    kind: np.ndarray
    product: np.ndarray
    cycle: np.ndarray


def staples(crowd: People, shelves: Catalogue, rng: np.random.Generator) -> Staples:
    """Give each person a few types to run out of, by taste, each with a cycle of their own."""
    cycle = shelves.types["cycle"].to_numpy(dtype=float)
    lasting = np.flatnonzero(~np.isnan(cycle))
    taste = crowd.taste[:, 0][:, shelves.category_of_type[lasting]]
    order = np.argsort(-(np.log(taste + 1e-9) + rng.gumbel(size=taste.shape)), axis=1)
    runs_out = (taste / np.bincount(shelves.category_of_type)[shelves.category_of_type[lasting]]).sum(axis=1)
    many = STAPLES[0] + rng.binomial(STAPLES[1], np.clip(runs_out, 0, 1))
    person = np.repeat(np.arange(len(crowd)), many)
    kind = lasting[order[person, _running(many)]]
    personal = np.exp(PERSONAL * rng.normal(size=len(person)))
    return Staples(person, kind, pick_products(kind, shelves, rng), cycle[kind] * personal)


def replenishments(held: Staples, crowd: People, days: int, rng: np.random.Generator) -> Looks:
    """Purchases on the days when staples run out, while their person is a customer."""
    most = int(np.ceil(days / held.cycle.min() * 1.5)) + 2
    gaps = held.cycle[:, None] * (1 + GAP_SPREAD * rng.normal(size=(len(held.cycle), most)))
    gaps[:, 0] *= rng.random(len(held.cycle))
    due = (
        np.floor(np.cumsum(np.maximum(gaps, 1.0), axis=1)).astype(np.int64)
        + crowd.joined[held.person][:, None]
    )
    staple, turn = np.nonzero(due < crowd.left[held.person][:, None])
    person, day = held.person[staple], due[staple, turn]
    still = np.full(len(person), -1)
    return Looks(
        person,
        day,
        np.zeros(len(person), dtype=np.int64),
        held.product[staple],
        np.full(len(person), STAPLE),
        still,
    )


def without_staples(made: Looks, held: Staples, types: int) -> Looks:
    """Leave out looks at types that the person buys on a cycle anyway."""
    kept = ~np.isin(made.person * types + made.product // PER_TYPE, held.person * types + held.kind)
    return made.at(np.flatnonzero(kept))
