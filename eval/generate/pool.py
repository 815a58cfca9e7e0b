"""What a question can be about: customers, goods, groups and campaigns that the data knows enough of."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from eval.generate.measures import Scope, quoted, ranked
from eval.generate.wording import Both, data
from eval.raw import RawData, load_names

_NUMBERS_EN = "one two three four five six seven eight nine ten eleven twelve".split()
_NUMBERS_ZH = "一 两 三 四 五 六 七 八 九 十".split()
_SMALLEST_ID = 100
"""Shorter ids read as counts."""
_YEARS = range(1990, 2031)
_SOLD_LATELY = 56
"""Days after which an unsold product is no longer recommended (docs/methods.md)."""
RESTRICTED = ("BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR", "CIGARETTES", "CIGARS",
              "TOBACCO OTHER")  # fmt: skip
"""Alcohol and tobacco: never suggested to somebody who never bought any."""


@dataclass(frozen=True, slots=True)
class Goods:
    """A category: its key and a name that people use for it."""

    key: str
    said: Both


@dataclass(frozen=True, slots=True)
class Group:
    """Customers of one attribute value, named so that "customers …" and "…的顾客" read well."""

    attribute: tuple[str, str]
    said: Both


_GROUPS = (
    *(Group(("age", a), Both(f"aged {a}", f"{a}岁")) for a in ("19-24", "25-34", "35-44", "45-54", "55-64")),
    Group(("age", "65+"), Both("aged 65 and over", "65岁及以上")),
    *(Group(("household_size", n), Both(f"from {n}-person households", f"{n}人家庭")) for n in "234"),
    Group(("household_size", "5+"), Both("from households of 5 or more", "5人及以上家庭")),
    Group(("kids_count", "2"), Both("with 2 children", "有2个孩子")),
    Group(("home_ownership", "Renter"), Both("who are renters", "租房")),
)


class Pool:
    """Draws what the raw files can answer about. Every draw depends on the random numbers alone."""

    def __init__(self, raw: RawData) -> None:
        self.raw, self.names = raw, load_names()
        self._goods = data("goods")
        self._buyers: dict[tuple[str, int], list[str]] = {}

    @cached_property
    def customers(self) -> list[str]:
        """Customers of 30 trips and more whose id reads as nothing else, by id."""
        rows = self.raw.rows(
            "select customer from lines group by 1 having count(distinct basket_id) >= 30 order by cast(customer as int)"
        )
        return [c for (c,) in rows if int(c) >= _SMALLEST_ID and int(c) not in _YEARS]

    def customer(self, rng: random.Random) -> str:
        """Return a regular customer."""
        return rng.choice(self.customers)

    def customers_apart(self, rng: random.Random, n: int) -> list[str]:
        """Return n different regular customers."""
        return rng.sample(self.customers, n)

    def buyer(self, rng: random.Random, key: str, trips: int = 4) -> str | None:
        """Return a customer who bought the category on so many trips, None where there is none."""
        if (key, trips) not in self._buyers:
            rows = self.raw.rows(
                "select customer from lines where category = ? group by 1 having count(distinct basket_id) >= ?",
                [key, trips],
            )
            bought = {c for (c,) in rows}
            self._buyers[key, trips] = [c for c in self.customers if c in bought]
        found = self._buyers[key, trips]
        return rng.choice(found) if found else None

    def stranger(self, rng: random.Random) -> str:
        """Return a number that no customer has."""
        known = {c for (c,) in self.raw.rows("select distinct customer from lines")}
        while (number := str(rng.randint(3000, 99999))) in known:
            pass
        return number

    def goods(self, rng: random.Random, food: bool = False, restricted: bool = False) -> Goods:
        """Return goods under one of their everyday names. food: only what people eat or drink. restricted: only
        alcohol and tobacco, which are left out otherwise."""
        keys = [
            key for key, g in self._goods.items()
            if bool(g.get("restricted")) == restricted and (g.get("food", True) or not food)
        ]  # fmt: skip
        return self.named(rng, rng.choice(keys))

    def named(self, rng: random.Random, key: str) -> Goods:
        """Return a category under one of its everyday names. Raises KeyError for one without."""
        names = self._goods[key]
        return Goods(key, Both(rng.choice(names["en"]), rng.choice(names["zh"])))

    def words_for(self, key: str) -> list[str]:
        """Return what an answer may call a category."""
        return [*self.names["category", key], *self._goods[key]["en"], *self._goods[key]["zh"]]

    def group(self, rng: random.Random) -> Group:
        """Return customers of one attribute value."""
        return rng.choice(_GROUPS)

    def department(self, rng: random.Random) -> Goods:
        """Return a department with sales worth asking about."""
        rows = self.raw.rows(
            "select department from lines where department <> '' group by 1 having sum(amount) > 10000 order by 1"
        )
        key = rng.choice([d for (d,) in rows])
        en, zh = self.names["department", key]
        return Goods(key, Both(en, zh))

    def campaign(self, rng: random.Random) -> str:
        """Return a campaign that reached at least 100 customers and had coupons used."""
        rows = self.raw.rows(
            "select campaign from received where campaign in (select campaign from redeemed) group by 1"
            " having count(*) >= 100 order by cast(campaign as int)"
        )
        return rng.choice([c for (c,) in rows])

    def never_bought_restricted(self, rng: random.Random) -> str | None:
        """Return a customer who never bought alcohol or tobacco, of any department or name."""
        listed = ", ".join(map(quoted, RESTRICTED))
        rows = self.raw.rows(
            f"select distinct customer from lines where category in ({listed}) or department = 'SPIRITS'"
        )
        bought = {c for (c,) in rows}
        left = [c for c in self.customers if c not in bought]
        return rng.choice(left) if left else None

    def unbought(self, customer: str, key: str | None) -> int:
        """Return how many products (of a category) were sold lately that the customer never bought."""
        inside = f"and category = {quoted(key)}" if key else ""
        return int(self.raw.value(
            f"select count(distinct product) from lines where day > date '2017-12-31' - {_SOLD_LATELY} {inside}"
            " and product not in (select product from lines where customer = ?)", [customer],
        ))  # fmt: skip

    def clear_top(
        self, quantity: str, scope: Scope, by: str, n: int, ascending: bool = False
    ) -> list[str] | None:
        """Return the first n groups of a breakdown, None where there are fewer, where the order is not clear (a
        gap under 1 %), or where one's name stands in another's so that an answer's order cannot be read."""
        rows = self.raw.rows(ranked(quantity, scope, by, ascending))
        values = [float(v) for _, v in rows[: n + 1]]
        if len(rows) < n or any(abs(a - b) <= 0.01 * max(a, b) for a, b in pairwise(values)):
            return None
        keys = [str(key) for key, _ in rows[:n]]
        names = [name.casefold() for key in keys for name in self.names.get((by, key), (key,))]
        if by in ("category", "department", "type") and any(a != b and a in b for a in names for b in names):
            return None
        return keys


def count(rng: random.Random, low: int, high: int) -> tuple[int, Both]:
    """Return a count, and how it is said: in figures, or as a word where it has a short one."""
    n = rng.randint(low, high)
    english = _NUMBERS_EN[n - 1] if n <= len(_NUMBERS_EN) and rng.random() < 0.5 else str(n)
    chinese = _NUMBERS_ZH[n - 1] if n <= len(_NUMBERS_ZH) and rng.random() < 0.5 else str(n)
    return n, Both(english, chinese)
