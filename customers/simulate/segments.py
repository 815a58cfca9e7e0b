"""The six kinds of customer that are planted, and what each is like on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Segment:
    """One kind of customer.

    `core` category -> share of what they look at before everyday things are mixed in; `visits` a
    week; `looks` products looked at in a visit beyond the first; `hour` of the day they usually
    come; `weekend` how many times as often they come on Saturday and Sunday; `pieces` bought beyond
    the first; `thrift` how much a promotion moves them (mean of a normal of deviation 1); `ages`
    chances of `AGES`; `household` mean size.
    """

    name: str
    share: float
    core: dict[str, float]
    visits: float
    looks: float
    hour: float
    weekend: float
    pieces: float
    thrift: float
    ages: tuple[float, ...]
    household: float


AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")

SEGMENTS = (
    Segment(
        "young families", 0.2,
        {"Diapers and wipes": 0.27, "Baby food": 0.25, "Toys": 0.2, "Dairy": 0.16, "Cleaning": 0.12},
        1.3, 3.2, 20.5, 1.2, 0.5, 0.2, (0.05, 0.5, 0.38, 0.05, 0.01, 0.01), 3.6,
    ),
    Segment(
        "active people", 0.17,
        {"Fitness": 0.28, "Running": 0.22, "Outdoor": 0.18, "Fresh produce": 0.25, "Dairy": 0.07},
        1.2, 3.0, 7.5, 0.8, 0.2, -0.3, (0.25, 0.35, 0.2, 0.12, 0.05, 0.03), 2.0,
    ),
    Segment(
        "bargain stockers", 0.2,
        {"Pantry": 0.28, "Cleaning": 0.22, "Frozen food": 0.22, "Snacks": 0.2, "Stationery": 0.08},
        0.8, 4.5, 11.0, 2.2, 1.6, 1.2, (0.03, 0.12, 0.3, 0.3, 0.17, 0.08), 3.2,
    ),
    Segment(
        "style seekers", 0.16,
        {"Skin care": 0.32, "Makeup": 0.28, "Hair care": 0.22, "Bedding": 0.1, "Lighting and decor": 0.08},
        1.1, 4.0, 22.0, 1.3, 0.1, 0.1, (0.3, 0.38, 0.2, 0.08, 0.03, 0.01), 1.9,
    ),
    Segment(
        "desk workers", 0.14,
        {"Computing": 0.26, "Audio": 0.22, "Phone accessories": 0.22, "Coffee and tea": 0.2, "Books": 0.1},
        1.0, 3.0, 13.0, 0.5, 0.1, -0.2, (0.18, 0.37, 0.25, 0.14, 0.05, 0.01), 1.7,
    ),
    Segment(
        "home and pets", 0.13,
        {"Cat supplies": 0.26, "Dog supplies": 0.26, "Garden": 0.24, "Kitchenware": 0.16, "Coffee and tea": 0.08},
        1.0, 2.6, 9.5, 1.0, 0.4, -0.1, (0.02, 0.08, 0.14, 0.22, 0.28, 0.26), 2.1,
    ),
)  # fmt: skip

# Everyday things that everybody buys: their share of a taste that is not the segment's own.
EVERYDAY = {
    "Fresh produce": 3.0,
    "Dairy": 3.0,
    "Pantry": 2.0,
    "Cleaning": 2.0,
    "Snacks": 2.0,
    "Frozen food": 1.5,
}
# Share of every taste that is everyday things, and how alike customers of a segment are (the
# concentration of a Dirichlet): together the overlap between segments.
NOISE, ALIKE = 0.38, 28.0


def core_tastes(categories: list[str]) -> np.ndarray:
    """Mean taste of each segment, shape (segments, categories), rows summing to 1."""
    everyday = np.array([EVERYDAY.get(category, 0.6) for category in categories])
    core = np.array([[segment.core.get(c, 0.0) for c in categories] for segment in SEGMENTS])
    core = core / core.sum(axis=1, keepdims=True)
    return (1 - NOISE) * core + NOISE * everyday / everyday.sum()


def column(name: str) -> np.ndarray:
    """One number of every segment, shape (segments,)."""
    return np.array([getattr(segment, name) for segment in SEGMENTS])
