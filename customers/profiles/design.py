"""The columns of the preference models, and what each is called.

Every column belongs to one shown behaviour, so that the exact additive contributions of a model with
many correlated columns can be told as a handful of behaviours, each with a value a person knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customers.features import looks
from customers.features.behaviour import HALF_LIVES
from customers.features.looks import KINDS
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
    "looks": (
        "looked at, clicked or put in the cart {value:.0f} times in the last 30 days (all customers: {usual:.1f})",
        "最近30天浏览、点击或加购{value:.0f}次（全部顾客平均{usual:.1f}次）",
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
# Behind those of `COLUMNS`, and only in a shop that has looks.
LOOKED = {f"log_{kind.value}_{half}": "looks" for kind in KINDS for half in looks.HALF_LIVES}
ALL_COLUMNS = COLUMNS | LOOKED
BEHAVIOURS = tuple(dict.fromkeys(ALL_COLUMNS.values()))

_FIELDS = ["days_since", "tenure", "baskets", "decayed_spend", "baskets_30", "baskets_90", "usual_gap"]
_FIELDS += [f"decayed_{h}" for h in HALF_LIVES]
_LOOK_FIELDS = [name.removeprefix("log_") for name in LOOKED] + ["looks_30"]
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
    `profiles.alike` -> (customers, categories), `looked` name -> (customers, categories), empty in a shop
    without looks. A category that a customer never bought has zeros in `own`."""

    customers: list[str]
    categories: list[str]
    own: dict[str, NDArray[np.float64]]
    shop: dict[str, NDArray[np.float64]]
    others: Mapping[str, NDArray[np.float64]]
    looked: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        by_category: pd.DataFrame,
        by_customer: pd.DataFrame,
        categories: list[str],
        others: Mapping[str, NDArray[np.float64]],
        looked: pd.DataFrame | None = None,
    ) -> Rhythm:
        """From the tables of `features.behaviour`; customers are those of `by_customer`, in order. looked: that
        of `features.looks`, where the shop has looks."""
        customers = by_customer["customer_id"].tolist()
        own = _placed(by_category, _FIELDS, customers, categories)
        seen = {} if looked is None else _placed(looked, _LOOK_FIELDS, customers, categories)
        shop = {n: by_customer[n].to_numpy(dtype=float, na_value=0.0)[:, None] for n in _SHOP_FIELDS}
        return cls(customers, categories, own, shop, others, seen)

    def behaviours(self) -> dict[str, NDArray[np.float64]]:
        """Behaviour -> its shown value, shape (customers, categories)."""
        shape = self.own["baskets"].shape
        looked = {"looks": self.looked["looks_30"]} if self.looked else {}
        return looked | {
            "baskets_90": self.own["baskets_90"],
            "baskets": self.own["baskets"],
            "others": np.clip(self.others["together_90"], 0, 1),
            "visits": np.broadcast_to(self.shop["baskets_30"], shape),
            "basket_size": np.broadcast_to(self.shop["mean_basket"], shape),
        }


def _placed(
    rows: pd.DataFrame, names: Sequence[str], customers: list[str], categories: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Columns of rows with customer_id and category, each of shape (customers, categories); 0 where no row is."""
    row = pd.Index(customers).get_indexer(pd.Index(rows["customer_id"]))
    column = pd.Index(categories).get_indexer(pd.Index(rows["category"]))
    known = (row >= 0) & (column >= 0)
    found = {}
    for name in names:
        found[name] = np.zeros((len(customers), len(categories)))
        found[name][row[known], column[known]] = rows[name].to_numpy(dtype=float, na_value=0.0)[known]
    return found


def design(rhythm: Rhythm) -> NDArray[np.float32]:
    """The models' columns, unscaled, shape (customers, categories, F): those of COLUMNS, and behind them those of
    LOOKED in a shop that has looks.

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
    if rhythm.looked:
        values |= {name: np.log1p(rhythm.looked[name.removeprefix("log_")]) for name in LOOKED}
    columns = ALL_COLUMNS if rhythm.looked else COLUMNS
    made = np.empty((*shape, len(columns)), dtype=np.float32)
    for i, name in enumerate(columns):
        made[..., i] = values[name]
    return made


def _next(with_it: NDArray[np.float64], trips: NDArray[np.float64], expected: NDArray[np.float64]):
    share = np.minimum((with_it + 0.02) / (trips + 1), 0.999)
    return _log_odds(1 - (1 - share) ** np.maximum(expected, 0.3))


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))
