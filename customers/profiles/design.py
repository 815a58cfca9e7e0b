"""The columns of the preference models, and what each is called.

Every column belongs to one shown behaviour, so that the exact additive contributions of a model with
many correlated columns can be told as a handful of behaviours, each with a value a person knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customers.features.behaviour import HALF_LIVES
from customers.profiles.alike import SCORES

HORIZON = 30
_CEILING = 365.0

# Behaviour -> (English, Chinese) with {value} and {usual}, in the behaviour's own unit.
FEATURE_WORDS: dict[str, tuple[str, str]] = {
    "baskets": (
        "bought on {value:.0f} trips in all (all customers: {usual:.1f})",
        "总共在{value:.0f}次购物中买过（全部顾客平均{usual:.1f}次）",
    ),
    "baskets_90": (
        "bought on {value:.0f} trips in the last 90 days (all customers: {usual:.1f})",
        "最近90天在{value:.0f}次购物中买过（全部顾客平均{usual:.1f}次）",
    ),
    "others": (
        "going by the other things bought, {value:.0%} of such customers buy it within 90 days (all customers: {usual:.0%})",
        "从其购买的其他品类看，这样的顾客约{value:.0%}会在90天内购买（全部顾客平均{usual:.0%}）",
    ),
    "visits": (
        "{value:.0f} trips to the shop in the last 30 days (all customers: {usual:.1f})",
        "最近30天到店{value:.0f}次（全部顾客平均{usual:.1f}次）",
    ),
    "basket_size": (
        "mean basket {value:.2f} (all customers: {usual:.2f})",
        "平均每次消费{value:.2f}（全部顾客平均{usual:.2f}）",
    ),
}

# Column of the model -> the behaviour it is told as. Recency, recent counts and the share of recent
# trips are told as one: they say the same thing, and apart their coefficients offset one another, so
# that a purchase of yesterday would be told as a reason against.
COLUMNS: dict[str, str] = {
    "log_days": "baskets_90",
    "never": "baskets_90",
    "due": "baskets_90",
    "repeats": "baskets_90",
    "overdue": "baskets_90",
    "log_baskets_90": "baskets_90",
    "log_decayed_60": "baskets_90",
    "log_baskets_30": "baskets_90",
    "log_decayed_14": "baskets_90",
    "log_spend": "baskets_90",
    "next_60": "baskets_90",
    "next_180": "baskets_90",
    "log_baskets": "baskets",
    "log_decayed_180": "baskets",
    "poisson": "baskets",
    "together_60": "others",
    "together_90": "others",
    "shop_days": "visits",
    "shop_baskets": "visits",
    "shop_baskets_30": "visits",
    "shop_baskets_90": "visits",
    "shop_decayed_14": "visits",
    "shop_decayed_60": "visits",
    "shop_tenure": "visits",
    "log_mean_basket": "basket_size",
    "mean_categories": "basket_size",
}
BEHAVIOURS = tuple(dict.fromkeys(COLUMNS.values()))

_FIELDS = ["days_since", "tenure", "baskets", "decayed_spend", "baskets_30", "baskets_90", "usual_gap"]
_FIELDS += [f"decayed_{h}" for h in HALF_LIVES]
_SHOP_FIELDS = [
    "days_since",
    "tenure",
    "baskets",
    "baskets_30",
    "baskets_90",
    "mean_basket",
    "mean_categories",
]
_SHOP_FIELDS += [f"decayed_{h}" for h in HALF_LIVES]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Raw features: `own` name -> (customers, categories), `shop` name -> (customers, 1), `others` score of
    `profiles.alike` -> (customers, categories). A category that a customer never bought has zeros in `own`."""

    customers: list[str]
    categories: list[str]
    own: dict[str, NDArray[np.float64]]
    shop: dict[str, NDArray[np.float64]]
    others: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        by_category: pd.DataFrame,
        by_customer: pd.DataFrame,
        categories: list[str],
        others: Mapping[str, NDArray[np.float64]],
    ) -> Rhythm:
        """From the tables of `features.behaviour`; customers are those of `by_customer`, in order."""
        customers = by_customer["customer_id"].tolist()
        row = pd.Index(customers).get_indexer(pd.Index(by_category["customer_id"]))
        column = pd.Index(categories).get_indexer(pd.Index(by_category["category"]))
        known = (row >= 0) & (column >= 0)
        own = {}
        for name in _FIELDS:
            own[name] = np.zeros((len(customers), len(categories)))
            values = by_category[name].to_numpy(dtype=float, na_value=0.0)
            own[name][row[known], column[known]] = values[known]
        shop = {n: by_customer[n].to_numpy(dtype=float, na_value=0.0)[:, None] for n in _SHOP_FIELDS}
        return cls(customers, categories, own, shop, others)

    def behaviours(self) -> dict[str, NDArray[np.float64]]:
        """Behaviour -> its shown value, shape (customers, categories)."""
        shape = self.own["baskets"].shape
        return {
            "baskets_90": self.own["baskets_90"],
            "baskets": self.own["baskets"],
            "others": np.clip(self.others["together_90"], 0, 1),
            "visits": np.broadcast_to(self.shop["baskets_30"], shape),
            "basket_size": np.broadcast_to(self.shop["mean_basket"], shape),
        }


def design(rhythm: Rhythm) -> NDArray[np.float32]:
    """The models' columns, shape (customers, categories, len(COLUMNS)), unscaled.

    "next_60" and "next_180" are log-odds that at least one of the expected trips of the coming 30
    days holds the category, were each trip like the recent ones; "poisson" the same from the bare
    rate of purchases."""
    own, shop = rhythm.own, rhythm.shop
    shape = own["baskets"].shape
    never = own["baskets"] == 0
    tenure = np.minimum(shop["tenure"] + 1, _CEILING)
    days = np.minimum(np.where(never, shop["tenure"] + 60, own["days_since"]), _CEILING)
    regular = own["usual_gap"] > 0
    due = np.where(regular, own["days_since"] / np.maximum(own["usual_gap"], 1), 0)
    recent_trips = shop["decayed_60"] * HORIZON * np.log(2) / 60
    quarter_trips = np.maximum(shop["baskets_90"], 0.5) * HORIZON / np.minimum(tenure, 90)
    rate = (own["baskets"] + 0.1) / (tenure + 30)
    values = {
        "log_days": np.log1p(days),
        "never": never,
        "due": np.log1p(np.minimum(due, 8)),
        "repeats": regular,
        "overdue": due > 2,
        "log_baskets": np.log1p(own["baskets"]),
        "log_baskets_30": np.log1p(own["baskets_30"]),
        "log_baskets_90": np.log1p(own["baskets_90"]),
        "log_spend": np.log1p(np.maximum(own["decayed_spend"], 0)),
        "next_60": _next(own["decayed_60"], shop["decayed_60"], recent_trips),
        "next_180": _next(own["decayed_180"], shop["decayed_180"], quarter_trips),
        "poisson": _log_odds(1 - np.exp(-HORIZON * rate)),
        "shop_days": np.log1p(shop["days_since"]),
        "shop_baskets": np.log1p(shop["baskets"]),
        "shop_baskets_30": np.log1p(shop["baskets_30"]),
        "shop_baskets_90": np.log1p(shop["baskets_90"]),
        "shop_decayed_14": np.log1p(shop["decayed_14"]),
        "shop_decayed_60": np.log1p(shop["decayed_60"]),
        "shop_tenure": np.log1p(shop["tenure"]),
        "log_mean_basket": np.log1p(np.maximum(shop["mean_basket"], 0)),
        "mean_categories": np.log1p(shop["mean_categories"]),
        **{f"log_decayed_{h}": np.log1p(own[f"decayed_{h}"]) for h in HALF_LIVES},
        **{name: rhythm.others[name] for name in SCORES},
    }
    made = np.empty((*shape, len(COLUMNS)), dtype=np.float32)
    for i, name in enumerate(COLUMNS):
        made[..., i] = values[name]
    return made


def _next(with_it: NDArray[np.float64], trips: NDArray[np.float64], expected: NDArray[np.float64]):
    share = np.minimum((with_it + 0.02) / (trips + 1), 0.999)
    return _log_odds(1 - (1 - share) ** np.maximum(expected, 0.3))


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))
