"""Robots among the customers: accounts that read page after page and never buy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customers.simulate.catalogue import Frame
from customers.simulate.people import Accounts

ONE_IN = 250  # people to a robot
FEWEST = 2
BURSTS, PAGES, SECONDS, CLICKS = (1, 4), (300, 900), (1.0, 4.0), 0.1


def robots_for(people: int) -> int:
    """How many robots a shop of so many people has."""
    return max(FEWEST, people // ONE_IN)


def crawls(held: Accounts, products: np.ndarray, days: int, rng: np.random.Generator) -> dict[str, Frame]:
    """Browse and click events of the robots: bursts of hundreds of pages, seconds apart."""
    parts = []
    for account in held.robots:
        for _ in range(rng.integers(*BURSTS)):
            pages = int(rng.integers(*PAGES))
            start = rng.integers(0, days - 1) * 86400 + rng.integers(0, 80_000)
            gaps = rng.uniform(*SECONDS, size=pages)
            parts.append(
                pd.DataFrame(
                    {
                        "account": account,
                        "time": start + np.cumsum(gaps),
                        "product_id": products[rng.permutation(np.arange(pages) % len(products))],
                        "store_id": "web",
                    }
                )
            )
    pages = pd.concat(parts, ignore_index=True)
    clicks = pages[rng.random(len(pages)) < CLICKS].assign(time=lambda t: t["time"] + 0.5)
    return {"browse": pages, "click": clicks}
