"""The simulated shop's shelves: types of product, and products with a quality nobody is told of."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent

# A pandas table. Its methods have no static types that a checker can follow.
Frame = Any

PER_TYPE = 10
WEEK = 7
# A weekly promotion takes one product in twelve, by one of these depths.
PROMOTED, DEPTHS = 1 / 12, (0.1, 0.2, 0.3, 0.4)

BRANDS = (
    ("Harvest", "禾味"), ("Bluebird", "蓝雀"), ("Northwind", "北风"), ("Lumen", "流明"), ("Daily", "每日"),
    ("Pinecone", "松果"), ("Riverside", "临河"), ("Goodhome", "好家"), ("Orchard", "果园"), ("Swift", "疾行"),
    ("Panda", "团团"), ("Meadow", "青甸"), ("Copper", "铜匠"), ("Starling", "星羽"), ("Oak", "橡木"),
    ("Tide", "潮汐"),
)  # fmt: skip
SIZES = (("small", "小装"), ("regular", "标准装"), ("large", "大装"), ("family", "家庭装"))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is on the shelves.

    `types` one row a type (see catalogue.csv), with `number` of its category; `products` one row a
    product, PER_TYPE of each type in the order of `types`; `choice` the cumulated shares of the
    products of each type, shape (types, PER_TYPE).
    """

    types: Frame
    categories: list[str]
    products: Frame
    choice: np.ndarray

    @property
    def category_of_type(self) -> np.ndarray:
        """Number of each type's category, shape (types,)."""
        return self.types["category_number"].to_numpy()

    def type_numbers(self, names: str) -> np.ndarray:
        """Numbers of the types that a bar-separated list names."""
        known = {name: number for number, name in enumerate(self.types["type"])}
        return np.array([known[name] for name in names.split("|")])

    def category_of(self, product: np.ndarray) -> np.ndarray:
        """Number of each product's category."""
        return self.category_of_type[product // PER_TYPE]


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of one of this package's word lists."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_types() -> tuple[pd.DataFrame, list[str]]:
    """Return catalogue.csv with numbers as numbers, and its categories in order."""
    types = pd.DataFrame(rows("catalogue.csv"))
    categories = list(dict.fromkeys(types["category"]))
    types["category_number"] = [categories.index(category) for category in types["category"]]
    for column in ("price", "cycle", "peak_month", "amplitude"):
        types[column] = pd.to_numeric(types[column])
    return types, categories


def catalogue(rng: np.random.Generator) -> Catalogue:
    """Draw the products of every type: brand, size, price, hidden quality and popularity."""
    types, categories = read_types()
    kinds = len(types)
    quality = rng.normal(size=(kinds, PER_TYPE))
    popular = np.exp(0.8 * rng.normal(size=(kinds, PER_TYPE)) + 0.3 * quality)
    spread = np.exp(0.35 * rng.normal(size=(kinds, PER_TYPE)) + 0.1 * quality)
    price = np.maximum(np.round(types["price"].to_numpy()[:, None] * spread) - 0.01, 0.49)
    brand = np.argsort(rng.random((kinds, len(BRANDS))), axis=1)[:, :PER_TYPE].ravel()
    size = rng.integers(len(SIZES), size=kinds * PER_TYPE)
    kind = np.repeat(np.arange(kinds), PER_TYPE)
    chosen = types.iloc[kind].reset_index(drop=True)
    numbers = 100_000 + rng.permutation(9 * len(kind))[: len(kind)]
    names = [
        f"{BRANDS[b][0]} {en}, {SIZES[s][0]} · {BRANDS[b][1]}{zh}({SIZES[s][1]})"
        for b, s, en, zh in zip(brand, size, chosen["type"], chosen["type_zh"], strict=True)
    ]
    products = pd.DataFrame(
        {
            "product_id": [f"P{number}" for number in numbers],
            "name": names,
            "department": chosen["department"],
            "category": chosen["category"],
            "type": chosen["type"],
            "brand": [BRANDS[b][0] for b in brand],
            "size": [SIZES[s][0] for s in size],
            "price": np.round(price.ravel(), 2),
            "quality": quality.ravel(),
            "brand_zh": [BRANDS[b][1] for b in brand],
        }
    )
    choice = np.cumsum(popular / popular.sum(axis=1, keepdims=True), axis=1)
    return Catalogue(types, categories, products, choice)


def promotions(products: int, days: int, rng: np.random.Generator) -> np.ndarray:
    """Share of the price taken off, shape (weeks, products); 0 where there is no promotion."""
    shape = (days // WEEK + 1, products)
    return np.where(rng.random(shape) < PROMOTED, rng.choice(DEPTHS, size=shape), 0.0)


def season(types: Frame, categories: list[str], days: pd.DatetimeIndex) -> np.ndarray:
    """How much more than on average a category is wanted on a day, shape (days, categories).

    One wave a year, highest in the middle of the category's peak month.
    """
    first = types.drop_duplicates("category")
    peak = (first["peak_month"].to_numpy() - 0.5) * 365 / 12
    angle = 2 * np.pi * (days.day_of_year.to_numpy()[:, None] - peak[None, :]) / 365
    assert list(first["category"]) == categories
    return 1 + first["amplitude"].to_numpy()[None, :] * np.cos(angle)
