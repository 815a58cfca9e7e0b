"""The simulated customers: who they are, how often they come, what they like and when that changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customers.simulate.catalogue import Catalogue, Frame, rows
from customers.simulate.segments import AGES, ALIKE, SEGMENTS, column, core_tastes

REGIONS = ("North", "East", "South", "West", "Centre")
INCOMES = ("low", "middle", "high")
CHINESE = 0.45
LATE_JOINERS, LEAVERS, DRIFTERS, NEEDY, DOUBLES = 0.2, 0.25, 0.2, 0.3, 0.04
DRIFT = 0.25  # the share of a taste that a new interest takes

_FIRST = ("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Iris", "Jack", "Kate", "Liam")
_LAST = ("Smith", "Miller", "Brown", "Wilson", "Taylor", "Clark", "Walker", "Young", "Hall", "Wright")
_FAMILY, _GIVEN = (
    "王李张刘陈杨赵黄周吴",
    ("伟", "芳", "娜", "敏", "静", "磊", "洋", "艳", "勇", "杰", "桂英", "晓明"),
)


@dataclass(frozen=True, slots=True)
class People:
    """Arrays with one entry a person.

    `rate` visits a day; `joined` and `left` the first day and the day after the last; `taste`
    before and after `drift_day` (shape (people, 2, categories)); `need` -1 where there is none;
    `thrift`, `strict` standard normal; `double` has a second account.
    """

    segment: np.ndarray
    chinese: np.ndarray
    age: np.ndarray
    household: np.ndarray
    rate: np.ndarray
    joined: np.ndarray
    left: np.ndarray
    taste: np.ndarray
    drift_day: np.ndarray
    need: np.ndarray
    need_from: np.ndarray
    need_to: np.ndarray
    thrift: np.ndarray
    strict: np.ndarray
    double: np.ndarray

    def __len__(self) -> int:
        return len(self.segment)


def people(count: int, days: int, shelves: Catalogue, rng: np.random.Generator) -> People:
    """Draw `count` people whose lives in the shop last up to `days` days."""
    segment = rng.choice(len(SEGMENTS), size=count, p=column("share"))
    chances = np.cumsum([s.ages for s in SEGMENTS], axis=1)
    age = (rng.random(count)[:, None] > chances[segment]).sum(axis=1).clip(0, len(AGES) - 1)
    joined = np.where(rng.random(count) < LATE_JOINERS, rng.integers(0, days // 3, count), 0)
    leaves = rng.random(count) < LEAVERS
    left = np.where(leaves, rng.integers(days // 2, days, count), days)
    need = np.where(rng.random(count) < NEEDY, rng.integers(0, len(rows("needs.csv")), count), -1)
    need_from = rng.integers(0, max(days - days // 4, 1), count)
    taste, drift_day = _tastes(segment, days, shelves.categories, rng)
    return People(
        segment=segment,
        chinese=rng.random(count) < CHINESE,
        age=age,
        household=1 + rng.poisson(column("household")[segment] - 1),
        rate=column("visits")[segment] / 7 * rng.gamma(6.0, 1 / 6.0, count).clip(0.35),
        joined=joined,
        left=left,
        taste=taste,
        drift_day=drift_day,
        need=need,
        need_from=need_from,
        need_to=need_from + rng.integers(days // 8, days // 4 + 1, count),
        thrift=column("thrift")[segment] + rng.normal(size=count),
        strict=rng.normal(size=count),
        double=rng.random(count) < DOUBLES,
    )


def _tastes(
    segment: np.ndarray, days: int, categories: list[str], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    weights = rng.gamma(ALIKE * core_tastes(categories)[segment])
    before = weights / weights.sum(axis=1, keepdims=True)
    drifts = rng.random(len(segment)) < DRIFTERS
    interest = rng.integers(0, len(categories), len(segment))
    after = np.where(drifts[:, None], (1 - DRIFT) * before, before)
    after[np.flatnonzero(drifts), interest[drifts]] += DRIFT
    day = np.where(drifts, rng.integers(days // 4, days - days // 4, len(segment)), days)
    return np.stack([before, after], axis=1), day


@dataclass(frozen=True, slots=True)
class Accounts:
    """The shop's customer ids: one a person, then second accounts, then robots.

    `ids` text, shape (accounts,); `person` of each account, -1 for robots; `second` the number of a
    person's second account, -1 where there is none.
    """

    ids: np.ndarray
    person: np.ndarray
    second: np.ndarray

    @property
    def robots(self) -> np.ndarray:
        return np.flatnonzero(self.person < 0)


def accounts(crowd: People, robots: int, rng: np.random.Generator) -> Accounts:
    """Give every person an account, some a second one, and add the robots' accounts."""
    doubles = np.flatnonzero(crowd.double)
    person = np.concatenate([np.arange(len(crowd)), doubles, np.full(robots, -1)])
    second = np.full(len(crowd), -1)
    second[doubles] = len(crowd) + np.arange(len(doubles))
    numbers = 100_000 + rng.permutation(9 * max(len(person), 100_000))[: len(person)]
    return Accounts(np.array([f"U{number}" for number in numbers], dtype=object), person, second)


def customer_rows(crowd: People, held: Accounts, rng: np.random.Generator) -> Frame:
    """The shop's own list of customers, one row an account; a second account is written a bit otherwise.

    Names, addresses and numbers are made up and cannot exist (example.com, 000 numbers).
    """
    size = len(crowd)
    age = np.array(AGES)[crowd.age]
    income = np.array(INCOMES)[rng.integers(0, 3, size)]
    region = np.array(REGIONS)[rng.integers(0, len(REGIONS), size)]
    phones = [f"000{number:08d}" for number in rng.integers(0, 10**8, size)]
    written = []
    for account, person in enumerate(held.person):
        if person < 0:
            written.append((held.ids[account], "Visitor", "", "", "18-24", "Centre", "1", "low", "en"))
            continue
        name, mail = _name(int(person), bool(crowd.chinese[person]))
        row: tuple[Any, ...] = (
            name, mail, phones[person], age[person], region[person], str(crowd.household[person]),
            income[person], "zh" if crowd.chinese[person] else "en",
        )  # fmt: skip
        if account >= size:
            row = _otherwise(row, rng)
        written.append((held.ids[account], *row))
    columns = (
        "customer_id",
        "name",
        "email",
        "phone",
        "age",
        "region",
        "household_size",
        "income",
        "language",
    )
    frame = pd.DataFrame(written, columns=list(columns))
    return frame.sort_values("customer_id", kind="stable").reset_index(drop=True)


def _name(person: int, chinese: bool) -> tuple[str, str]:
    first, last = _FIRST[person % len(_FIRST)], _LAST[person // len(_FIRST) % len(_LAST)]
    mail = f"{first}.{last}{person}@example.com".lower()
    if not chinese:
        return f"{first} {last}", mail
    return _FAMILY[person % len(_FAMILY)] + _GIVEN[person // len(_FAMILY) % len(_GIVEN)], mail


def _otherwise(row: tuple[Any, ...], rng: np.random.Generator) -> tuple[Any, ...]:
    """The same person as another clerk or another day wrote them down."""
    name, mail, phone, *rest = row
    parts = name.split(" ")
    if len(parts) == 2:
        name = (f"{parts[0][0]}. {parts[1]}", f"{parts[1]}, {parts[0]}", name.upper(), name)[rng.integers(4)]
    local, host = mail.split("@")
    mail = (mail, f"{local}+shop@{host}", "", f"{local[:-1]}@{host}")[rng.integers(4)]
    phone = (phone, "", f"+{phone[:3]} {phone[3:]}", phone[:-1])[rng.integers(4)]
    if rng.random() < 0.2:
        rest[1] = REGIONS[rng.integers(len(REGIONS))]
    return (name, mail, phone, *rest)
