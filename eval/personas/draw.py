"""Draws from the raw data what a persona speaks of: always something that its goal can be reached with."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import median, quantiles
from typing import TypeVar

from eval.personas.facts import Facts

T = TypeVar("T")

# Categories that people call by the name that the shop gives them.
CATEGORIES = (
    "COFFEE", "YOGURT", "SOUP", "FROZEN PIZZA", "COLD CEREAL", "PASTA SAUCE", "LUNCHMEAT", "FRZN POTATOES",
    "DELI MEATS", "CRACKERS/MISC BKD FD", "LAUNDRY DETERGENTS", "PAPER TOWELS", "BATH TISSUES", "SALAD MIX",
)  # fmt: skip
_VAGUE = {
    "COLD CEREAL": ("something for breakfast", "早餐吃的东西"),
    "YOGURT": ("something from the dairy shelf", "乳制品之类的"),
    "FROZEN PIZZA": ("something from the freezer", "冷冻的东西"),
    "SOUP": ("something warm for dinner", "晚饭喝的热的"),
}
_COUNTS = [2, 3, 4]
_AUDIENCES = [10, 12, 15, 20]
_RANKED = 3
_APART = 1.02
"""A rank must be so far ahead of the next that no rounding or cleaning turns them round."""
_FEWEST_PRODUCTS = 20


class Drawer:
    """Draws by `chance` from what `facts` know. Each method raises ValueError where nothing fits."""

    def __init__(self, facts: Facts, chance: random.Random) -> None:
        self._facts, self._chance = facts, chance

    def one(self, among: list[T], what: str) -> T:
        """Return one of a list."""
        if not among:
            raise ValueError(f"the raw data holds no {what} to make personas of; name the whole sample")
        return self._chance.choice(among)

    def count(self) -> int:
        """Return how many products to offer."""
        return self._chance.choice(_COUNTS)

    def audience_size(self) -> int:
        """Return how many customers to address."""
        return self._chance.choice(_AUDIENCES)

    def customer(self) -> str:
        """Return a customer of the busier half."""
        found = self._facts.rows(
            "select customer, count(distinct basket_id) from lines group by customer order by customer"
        )
        middle = median(row[1] for row in found) if found else 0
        return self.one([customer for customer, trips in found if trips >= middle], "customer")

    def category(self) -> str:
        """Return a category with products enough to choose among."""
        found = self._facts.rows(
            "select category from lines group by category having count(distinct product) >= ? order by category",
            [_FEWEST_PRODUCTS],
        )
        return self.one([key for (key,) in found if key in CATEGORIES], "category")

    def vague(self) -> tuple[str, tuple[str, str]]:
        """Return a category, and vague words for it in English and Chinese."""
        found = self._facts.rows("select distinct category from lines order by category")
        category = self.one([key for (key,) in found if key in _VAGUE], "category")
        return category, _VAGUE[category]

    def liked(self, customer: str) -> str:
        """Return one of the three categories that a customer spends most on."""
        found = self._facts.rows(
            "select category from lines where customer = ? and category is not null group by category"
            " order by sum(amount) desc, category limit 3",
            [customer],
        )
        return self.one([key for (key,) in found], "purchase")

    def budget(self, category: str) -> float:
        """Return the price that half of a category's products are within."""
        found = self._facts.rows("select distinct product from lines where category = ?", [category])
        return round(median(self._facts.usual_price(product) for (product,) in found), 2)

    def regular_trips(self, category: str) -> int:
        """Return the trips that three quarters of a category's buyers have made at least."""
        trips = [self._facts.trips(customer) for customer in self._facts.buyers(category)]
        return int(quantiles(trips, n=4)[0]) if len(trips) > 1 else 1

    def month_spend(self) -> tuple[str, str, str, float]:
        """Return a customer, a category, a month and what was spent, which is not the year's figure."""
        found = self._facts.rows(
            "with spent as (select customer, category, month, sum(amount) as m from lines"
            " where list_contains(?, category) group by all)"
            " select customer, category, month, m from spent"
            " qualify m >= 5 and m <= 0.8 * sum(m) over (partition by customer, category)"
            " order by customer, category, month",
            [list(CATEGORIES)],
        )
        customer, category, month, spent = self.one(found, "month's spending")
        return customer, category, month, float(spent)

    def age_spend(self) -> tuple[str, str, float]:
        """Return a category, an age ("age=45-54"), and what it spent on it."""
        category = self.category()
        found = self._facts.rows(
            "select age, sum(amount) from lines join people using (customer) where category = ? and age is not null"
            " group by age having sum(amount) >= 5 order by age",
            [category],
        )
        age, spent = self.one(found, "age")
        return category, f"age={age}", float(spent)

    def private_share(self) -> tuple[str, float]:
        """Return a category that the private label has a part of, and the part of its money."""
        found = self._facts.rows(
            "select category, coalesce(sum(amount) filter (where brand = 'Private'), 0) / sum(amount) as share"
            " from lines where list_contains(?, category) group by category having share between 0.02 and 0.98"
            " order by category",
            [list(CATEGORIES)],
        )
        category, share = self.one(found, "private label")
        return category, float(share)

    def campaign(self) -> tuple[str, float, float]:
        """Return a campaign, how many received it and how many redeemed: one of the half that reached most."""
        found = self._facts.rows(
            "select campaign, count(distinct customer),"
            " (select count(distinct r.customer) from redeemed r where r.campaign = received.campaign)"
            " from received group by campaign order by campaign"
        )
        middle = median(row[1] for row in found) if found else 0
        fit = [row for row in found if row[1] >= middle and row[2]]
        campaign, received, redeemers = self.one(fit, "campaign")
        return campaign, float(received), float(redeemers)

    def ranking(self) -> tuple[str, tuple[str, ...]]:
        """Return a month, and its best categories in order, which are not the year's in the year's order."""
        found = self._facts.rows(
            "select month, category, sum(amount) from lines where category is not null group by all"
            " order by 1, 3 desc, 2"
        )
        year: dict[str, float] = {}
        months: dict[str, list[tuple[str, float]]] = {}
        for month, category, spent in found:
            months.setdefault(month, []).append((category, spent))
            year[category] = year.get(category, 0.0) + spent
        usual = tuple(sorted(year, key=lambda key: (-year[key], key))[:_RANKED])
        ranked = [
            (month, tuple(key for key, _ in rows[:_RANKED])) for month, rows in months.items() if _clear(rows)
        ]
        return self.one(
            [(month, keys) for month, keys in ranked if keys != usual], "month with its own ranking"
        )


def _clear(rows: list[tuple[str, float]]) -> bool:
    first = [spent for _, spent in rows[: _RANKED + 1]]
    return len(first) > _RANKED and all(a >= _APART * b for a, b in pairwise(first))
