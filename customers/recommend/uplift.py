"""Who redeems a coupon, and whom it makes buy: response and uplift models over past campaigns.

A campaign was sent to some of the customers and not to others. The response model learns who redeems
among those who received it; the uplift model how much more likely the receipt makes a purchase of what
the campaign is for, within `DAYS` days. Receipt was no lottery, so each row has the chance that it was
sent (the propensity, from what was known that morning); rows that were never, or always, sent are left
out of the uplift (Crump et al. 2009).

Learners, all on the same two base models:
    two         P(buys | sent) - P(buys | not sent), each its own model (T-learner)
    cross       X-learner (Künzel et al. 2019): each side's effects imputed by the other's model
    transform   class transformation (Jaskowski & Jaroszewicz 2012), with propensity weights (Athey & Imbens 2016)
    robust      DR-learner (Kennedy 2023): doubly robust pseudo-outcomes, regressed on the features
    response    P(redeems | sent): what is commonly mailed by; no uplift
    buys        P(buys | sent): the likeliest buyers; no uplift
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from customers.recommend.offers import Floats, Ints, Mask, Offer, Past, Sales

DAYS = 28
"""How long after its first day a campaign's purchases are counted: four whole weeks."""
TRIM = 0.02
"""Rows whose propensity is below this or above 1 minus this say nothing of an effect."""
FOLDS = 5
LEARNERS = ("two", "cross", "transform", "robust")


@dataclass(frozen=True)
class Panel:
    """One row a campaign and customer that the shop knew before it: features, whether it was sent, redeemed and
    bought within DAYS days, the money spent on it, and the numbers of the customer and of the campaign."""

    features: Floats
    sent: Mask
    redeemed: Mask
    bought: Mask
    money: Floats
    customer: Ints
    campaign: Ints

    def __len__(self) -> int:
        return len(self.sent)

    def at(self, rows: Any) -> Panel:
        """The rows of a mask or of indices."""
        return Panel(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def panel(
    sales: Sales, offers: Sequence[Offer], *, shift: int = 0, members: Sequence[Mask] | None = None
) -> Panel:
    """Return the rows of the campaigns, in order. shift: look so many days earlier, at a time when nothing had been
    sent (a placebo). members: the customers to keep of each campaign, where a lottery chose among them only."""
    parts, past = [], outcomes(sales, offers, members)
    for number, offer in enumerate(offers):
        start = offer.start - shift
        who = np.flatnonzero(past[number].there if not shift else sales.known(start) & past[number].there)
        bought, money = sales.window(offer.target, start, DAYS)
        x = np.column_stack([sales.features(offer.target, start), before(sales, past, start)])[who]
        parts.append(
            Panel(
                x,
                offer.received[who],
                offer.redeemed[who],
                bought[who],
                money[who],
                who,
                np.full(len(who), number),
            )
        )
    return Panel(*(np.concatenate([getattr(p, n) for p in parts]) for n in Panel.__dataclass_fields__))


@dataclass(frozen=True)
class Outcome:
    """What came of a campaign: its first day, who might have been sent it, who was, and who bought."""

    start: int
    there: Mask
    sent: Mask
    bought: Mask


def outcomes(sales: Sales, offers: Sequence[Offer], members: Sequence[Mask] | None = None) -> list[Outcome]:
    """Return the outcomes of campaigns, in their order."""
    found = []
    for number, offer in enumerate(offers):
        there = sales.known(offer.start) & (members[number] if members is not None else True)
        found.append(
            Outcome(offer.start, there, offer.received, sales.window(offer.target, offer.start, DAYS)[0])
        )
    return found


def before(sales: Sales, past: Sequence[Outcome], day: int) -> Floats:
    """Return the features of what came of campaigns whose outcome was known on a day, of every customer."""
    known = Past(len(sales.customers))
    for one in past:
        if one.start + DAYS <= day:
            known.add(one.sent, one.bought, one.there)
    return known.features()


def usable(sales: Sales, offers: Sequence[Offer], history: int = 28) -> list[Offer]:
    """The campaigns that began after `history` days of data, whose DAYS days the data covers, and that were sent
    to ten customers or more: the ones that can teach."""
    first = int(sales.day[0]) if len(sales.day) else 0
    return [
        o
        for o in offers
        if o.start >= first + history
        and o.start + DAYS <= sales.last_day + 1
        and o.received.sum() >= 10
        and o.target.any()
    ]


# base models ----------------------------------------------------------------------------------
def linear_chance() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))


def linear_value() -> Any:
    return make_pipeline(StandardScaler(), Ridge(alpha=100.0))


def tree_chance(seed: int = 0) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=5.0,
        early_stopping=cast(Any, False), random_state=seed,
    )  # fmt: skip


def tree_value(seed: int = 0) -> Any:
    return HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=5.0,
        early_stopping=cast(Any, False), random_state=seed,
    )  # fmt: skip


Maker = Callable[[], Any]


@dataclass(frozen=True)
class Base:
    """The two kinds of model that a learner is made of: of a yes or no, and of a number."""

    name: str
    chance: Maker
    value: Maker


LINEAR = Base("linear", linear_chance, linear_value)
TREES = Base("trees", tree_chance, tree_value)


def chance_of(make: Maker, x: Floats, y: Mask, weight: Floats | None = None) -> Callable[[Floats], Floats]:
    """Fit P(y | x) and return it as a function; a constant where y never differs."""
    if len(y) == 0 or y.all() or not y.any():
        constant = float(y.mean()) if len(y) else 0.0
        return lambda new: np.full(len(new), constant)
    model = _fitted(make(), x, y, weight)
    return lambda new: model.predict_proba(new)[:, 1]


def value_of(make: Maker, x: Floats, y: Floats, weight: Floats | None = None) -> Callable[[Floats], Floats]:
    """Fit E(y | x) and return it as a function."""
    if len(y) == 0:
        return lambda new: np.zeros(len(new))
    model = _fitted(make(), x, y, weight)
    return lambda new: np.asarray(model.predict(new), float)


def _fitted(model: Any, x: Floats, y: Any, weight: Floats | None) -> Any:
    with threadpool_limits(1):
        if weight is None:
            return model.fit(x, y)
        last = model.steps[-1][0] if hasattr(model, "steps") else None
        return model.fit(x, y, **{f"{last}__sample_weight" if last else "sample_weight": weight})


# propensity -----------------------------------------------------------------------------------
def propensity(seen: Panel, base: Base = TREES) -> Floats:
    """P(sent | what was known) of each row, by a model that did not see the row's customer."""
    found = np.zeros(len(seen))
    with_campaign = _with_reach(seen)
    for fit, held in folds(seen):
        model = chance_of(base.chance, with_campaign[fit], seen.sent[fit])
        found[held] = model(with_campaign[held])
    return found


def _with_reach(seen: Panel) -> Floats:
    """Features, and the log odds of the campaign's reach: a campaign to ten people reaches nobody likely."""
    size = int(seen.campaign.max(initial=0)) + 1
    reach = np.bincount(seen.campaign, seen.sent, size) / np.maximum(
        np.bincount(seen.campaign, minlength=size), 1
    )
    reach = np.clip(reach, 1e-4, 1 - 1e-4)
    return np.column_stack([seen.features, np.log(reach / (1 - reach))[seen.campaign]])


def folds(seen: Panel, n: int = FOLDS) -> list[tuple[Ints, Ints]]:
    """Splits by customer: nobody is on both sides."""
    n = min(n, len(np.unique(seen.customer)))
    return list(GroupKFold(n).split(seen.features, groups=seen.customer)) if n > 1 else []


def overlapping(chance: Floats, trim: float = TRIM) -> Mask:
    """Rows that might have been sent and might not."""
    return (chance > trim) & (chance < 1 - trim)


def balance(seen: Panel, chance: Floats) -> tuple[Floats, Floats]:
    """Standardised mean differences of each feature between sent and not sent: as they are, and weighted by
    overlap weights (Li, Morgan & Zaslavsky 2018: each row by the chance of the other side)."""
    spread = np.maximum(seen.features.std(axis=0), 1e-9)
    weight = np.where(seen.sent, 1 - chance, chance)

    def gap(w: Floats) -> Floats:
        sides = [np.average(seen.features[m], axis=0, weights=w[m] + 1e-12) for m in (seen.sent, ~seen.sent)]
        return (sides[0] - sides[1]) / spread

    return gap(np.ones(len(seen))), gap(weight)


# effects --------------------------------------------------------------------------------------
def pseudo_outcomes(seen: Panel, outcome: Floats, chance: Floats, base: Base = LINEAR) -> Floats:
    """Doubly robust score of each row's effect; its mean over any group estimates the group's effect, where nothing
    but the features decided both sending and buying. Nuisance models never saw the row's customer."""
    sides = np.zeros((2, len(seen)))
    for fit, held in folds(seen):
        for side in (0, 1):
            rows = fit[seen.sent[fit] == bool(side)]
            model = value_of(base.value, seen.features[rows], outcome[rows])
            sides[side, held] = model(seen.features[held])
    e, t = np.clip(chance, TRIM, 1 - TRIM), seen.sent.astype(float)
    return sides[1] - sides[0] + t * (outcome - sides[1]) / e - (1 - t) * (outcome - sides[0]) / (1 - e)


def fit_uplift(
    name: str, seen: Panel, chance: Floats, base: Base, outcome: Floats | None = None
) -> Callable[[Floats], Floats]:
    """Fit one of LEARNERS on rows that overlap; return the effect of sending as a function of features. `outcome`:
    what is to be moved (default: whether they bought)."""
    y = seen.bought.astype(float) if outcome is None else outcome
    x, t = seen.features, seen.sent
    e = np.clip(chance, TRIM, 1 - TRIM)
    if name == "transform":
        z = y * (t / e - (1 - t) / (1 - e))
        return value_of(base.value, x, z)
    if name == "robust":
        return value_of(base.value, x, pseudo_outcomes(seen, y, chance, base))
    on, off = (_side(base, seen.at(side), y[side]) for side in (t, ~t))
    if name == "two":
        return lambda new: on(new) - off(new)
    if name == "cross":
        gained = value_of(base.value, x[t], y[t] - off(x[t]))
        missed = value_of(base.value, x[~t], on(x[~t]) - y[~t])
        reach = float(t.mean())
        return lambda new: reach * missed(new) + (1 - reach) * gained(new)
    raise ValueError(f"no learner {name!r}")


def _side(base: Base, seen: Panel, y: Floats) -> Callable[[Floats], Floats]:
    if set(np.unique(y)) <= {0.0, 1.0}:
        return chance_of(base.chance, seen.features, y > 0)
    return value_of(base.value, seen.features, y)


def resampled(seen: Panel, rng: np.random.Generator) -> Panel:
    """A bootstrap sample of customers, each with all their rows."""
    people, place = np.unique(seen.customer, return_inverse=True)
    drawn = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[place]
    rows = np.repeat(np.arange(len(seen)), drawn)
    return seen.at(rows)
