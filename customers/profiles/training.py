"""Training, held-out scoring and serving of the preference models, from the behaviour tables."""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from customers.features.behaviour import buyers_after, category_rhythm, customer_rhythm
from customers.features.looks import look_rhythm
from customers.profiles.alike import alike_scores
from customers.profiles.design import HORIZON, Rhythm, design
from customers.profiles.preference import PreferenceModel, fit_preference
from customers.profiles.quality import Quality, quality, reliability

CATEGORIES = 80
_CUTS = 4
_HISTORY = 30
_TRAINING_CUSTOMERS = 5000
_MIN_BUYERS = 20


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Materialised tables (Ibis) and the period they cover: see `features.lines`; `looks` (`features.looks`) is
    None where the shop has none."""

    baskets: ir.Table
    categories: ir.Table
    first_day: date
    last_day: date
    looks: ir.Table | None = None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The score of models trained before `cut` on the 30 days after it, beside the ranking by days
    since the last purchase; `curve` is the reliability curve (mean probability, share true, count)."""

    cut: date
    model: Quality
    days_since: Quality
    curve: list[tuple[float, float, int]]


def served_categories(categories: ir.Table, as_of: date, n: int = CATEGORIES) -> list[str]:
    """The `n` categories with the largest sales up to `as_of`, bought by 20 customers at least."""
    from customers.features.lines import known_by

    seen = known_by(categories, as_of)
    totals = seen.group_by("category").agg(spend=seen.amount.sum(), customers=seen.customer_id.nunique())
    ranked = totals.filter(totals.customers >= _MIN_BUYERS).order_by(totals.spend.desc(), totals.category)
    return ranked.limit(n).category.execute().tolist()


def rhythm_at(data: Behaviour, as_of: date, categories: list[str]) -> Rhythm:
    """Raw features of every customer seen by `as_of`, customers in text order."""
    own = category_rhythm(data.categories, as_of).to_pandas()
    shop = customer_rhythm(data.baskets, as_of).order_by("customer_id").to_pandas()
    others = alike_scores(own, shop["customer_id"].tolist(), categories)
    looked = None if data.looks is None else look_rhythm(data.looks, as_of).to_pandas()
    return Rhythm.of(own, shop, categories, others, looked)


def truth_after(data: Behaviour, as_of: date, rhythm: Rhythm) -> NDArray[np.float64]:
    """1 where the customer buys from the category within 30 days after `as_of`, shape as the rhythm."""
    bought = buyers_after(data.categories, as_of, HORIZON).to_pandas()
    row_of = {key: i for i, key in enumerate(rhythm.customers)}
    column_of = {key: i for i, key in enumerate(rhythm.categories)}
    truth = np.zeros((len(row_of), len(column_of)))
    for customer, category in bought.itertuples(index=False):
        if customer in row_of and category in column_of:
            truth[row_of[customer], column_of[category]] = 1.0
    return truth


def training_cuts(data: Behaviour, until: date) -> list[date]:
    """Up to four cut days, 30 days apart, whose 30-day outcome is known by `until` and which have 30
    days of history before them; latest first."""
    days = (until - timedelta(days=HORIZON * (i + 1)) for i in range(_CUTS))
    return [day for day in days if (day - data.first_day).days >= _HISTORY]


def train(
    data: Behaviour, until: date, categories: list[str], step: Callable[[], None] = lambda: None
) -> PreferenceModel | None:
    """Models of what is known by `until`; None where the data is too short to have outcomes."""
    columns, truths = [], []
    for cut in training_cuts(data, until):
        rhythm = rhythm_at(data, cut, categories)
        rows = _sample(len(rhythm.customers))
        columns.append(design(rhythm)[rows])
        truths.append(truth_after(data, cut, rhythm)[rows])
        step()
    if not columns or not any(truth.any() for truth in truths):
        return None
    return fit_preference(categories, np.concatenate(columns), np.concatenate(truths))


def hold_out_cut(data: Behaviour) -> date:
    """The last day that what is scored on the held-out 30 days may have seen."""
    return data.last_day - timedelta(days=HORIZON)


def hold_out(data: Behaviour, step: Callable[[], None] = lambda: None) -> HeldOut | None:
    """Train before the last 30 days, score on them."""
    cut = hold_out_cut(data)
    categories = served_categories(data.categories, cut)
    model = train(data, cut, categories, step)
    if model is None:
        return None
    rhythm = rhythm_at(data, cut, categories)
    truth = truth_after(data, cut, rhythm)
    probability = model.probability(design(rhythm))
    days = np.where(rhythm.own["baskets"] > 0, rhythm.own["days_since"], np.inf)
    return HeldOut(
        cut, quality(truth, probability), quality(truth, 1 / (1 + days)), reliability(truth, probability)
    )


def _sample(rows: int) -> NDArray[np.int64]:
    """All rows, or a fixed random sample where there are more than training needs."""
    if rows <= _TRAINING_CUSTOMERS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, _TRAINING_CUSTOMERS, replace=False))
