"""How interests and chances are spread over the customers of a version, for its plots."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from customers.stores.reader import Reader
from customers.values import Name


@dataclass(frozen=True, slots=True)
class InterestSpread:
    """`customers` with an interest label of the category; `share` of all customers (0..1)."""

    name: Name
    customers: int
    share: float


@dataclass(frozen=True, slots=True)
class ChanceSpread:
    """Chances (0..1) of a category being bought within 30 days, over all customers: the 10, 25, 50, 75 and
    90 % quantiles."""

    name: Name
    quantiles: tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Held out after `cut`: (mean stated chance, share that bought, pairs) of equally many pairs each, and the
    expected calibration error (0..1)."""

    cut: date
    curve: tuple[tuple[float, float, int], ...]
    error: float


def interests(reader: Reader, most: int = 15) -> list[InterestSpread]:
    """The most common interests, most customers first; none where the version has no labels."""
    if not reader.has_table("customer_labels"):
        return []
    rows = reader.rows(
        "SELECT any_value(label_en), any_value(label_zh), count(DISTINCT customer_id) AS n,"
        " n / (SELECT count(*) FROM customer_summary) FROM customer_labels"
        " WHERE kind = 'interest' AND starts_with(key, 'category:') GROUP BY key ORDER BY n DESC, key LIMIT ?",
        [most],
    )
    return [InterestSpread(Name(en, zh), n, share) for en, zh, n, share in rows]


def chances(reader: Reader, most: int = 15) -> list[ChanceSpread]:
    """The categories with the highest mean chance, best first."""
    rows = reader.rows(
        "SELECT coalesce(any_value(name_en), category), coalesce(any_value(name_zh), any_value(name_en), category),"
        " quantile_cont(probability, [0.1, 0.25, 0.5, 0.75, 0.9]) FROM preferences"
        " LEFT JOIN names ON kind = 'category' AND key = category"
        " GROUP BY category ORDER BY avg(probability) DESC, category LIMIT ?",
        [most],
    )
    return [ChanceSpread(Name(en, zh), tuple(cuts)) for en, zh, cuts in rows]


def reliability(version: Path) -> Reliability | None:
    """What the build measured; None where its data was too short for it."""
    try:
        told = json.loads((version / "preference.json").read_text(encoding="utf-8"))
        if told is None:
            return None
        curve = tuple((float(p), float(y), int(n)) for p, y, n in told["curve"])
        return Reliability(date.fromisoformat(told["cut"]), curve, float(told["model"]["ece"]))
    except (OSError, ValueError, KeyError, TypeError):  # a version of an earlier release
        return None
