"""A campaign's plan: to whom a coupon goes under a budget, and what that is expected to bring.

Whoever may not be addressed (consent, too many contacts of late, "never again") is left out first. The
others are taken in the order of what they are expected to bring for each unit of money they are expected
to cost, until the budget or the capacity is used up (the greedy answer to the knapsack, off the best by
less than one customer's worth). Every customer gets the same coupon.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from customers.errors import BadInput
from customers.recommend.offers import Floats, Ints, Mask
from customers.recommend.returns import Evidence, Expected

Goal = Literal["buyers", "profit"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign may cost. Money in the shop's currency.

    budget: most that it is expected to cost (None: no bound). contact_cost: of one letter or message. coupon: what a
    redeemed coupon takes off, the same for everybody. margin: share of the sales price that is left to the shop
    before the coupon (0..1). capacity: most contacts (None: no bound). most_contacts: a customer is sent nothing who
    was in so many campaigns in the last contact_days days (None: no limit). goal: "buyers" spends the budget on the
    most extra buyers; "profit" stops where a contact is expected to cost more than it brings.
    """

    budget: float | None = None
    contact_cost: float = 0.1
    coupon: float = 1.0
    margin: float = 0.25
    capacity: int | None = None
    most_contacts: int | None = 3
    contact_days: int = 30
    goal: Goal = "buyers"

    def check(self) -> None:
        """Raise BadInput, in one line, for terms that cannot be."""
        for name, least in (
            ("budget", 0.0),
            ("contact_cost", 0.0),
            ("coupon", 0.0),
            ("capacity", 1),
            ("contact_days", 1),
        ):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value >= least):
                raise BadInput(f"the {name.replace('_', ' ')} is {value:g}; give {least:g} or more")
        if not 0 <= self.margin <= 1:
            raise BadInput(f"the margin is {self.margin:g}; give a part of the price, from 0 to 1")
        if self.most_contacts is not None and self.most_contacts < 1:
            raise BadInput("most contacts must be 1 or more; leave it out for no limit")
        if self.goal not in ("buyers", "profit"):
            raise BadInput(f"{self.goal!r} is no goal; use buyers or profit")


@dataclass(frozen=True, slots=True)
class Contact:
    """One customer of a plan: chances (0..1) to redeem and to buy anyway, how much more likely the coupon makes a
    purchase (`gain`), and money expected: `cost`, and `net` (margin of the extra sales less the cost). `trips` with
    what the coupon is for and `days_since` the last (None: never)."""

    customer_id: str
    redeems: float
    buys_anyway: float
    gain: float
    cost: float
    net: float
    trips: int
    days_since: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the bounds that hold it 9 times in 10."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Plan:
    """Whom to send the coupon to, the best first. `left_out`: customers by the rule that left them out ("consent",
    "contacts", "never"). `stopped`: why no more are in it ("budget", "capacity", "worth", "everybody"). `cost`
    is what it is expected to cost, `most_cost` if every coupon were redeemed. `learnt`: whether the shop's campaigns
    could teach a response; without, only the chance to buy speaks, and nothing is said of a return."""

    target: str
    terms: Terms
    contacts: tuple[Contact, ...]
    eligible: int
    left_out: Mapping[str, int]
    stopped: str
    cost: float
    most_cost: float
    redeemers: float
    buyers: Estimate
    sales: Estimate
    profit: Estimate
    learnt: bool
    evidence: Evidence


def make_plan(
    target: str,
    terms: Terms,
    customers: Collection[str],
    expected: Expected,
    evidence: Evidence,
    barred: Mapping[str, Mask],
    trips: Ints,
    days_since: Ints,
    among: Mask | None = None,
    seed: int = 0,
) -> Plan:
    """Make a plan. customers: ids; all arrays have one entry a customer in their order. barred: by rule, whom it leaves
    out (the first rule that does counts). trips, days_since: with what the coupon is for (-1: never). among: whom the
    campaign is for. Raises BadInput for terms that cannot be."""
    terms.check()
    ids = np.asarray(list(customers), str)
    open_ = np.ones(len(ids), bool) if among is None else among.copy()
    left_out: dict[str, int] = {}
    for rule, mask in barred.items():
        left_out[rule] = int((open_ & mask).sum())
        open_ &= ~mask
    use = expected.redeems if expected.learnt else expected.buys
    cost = terms.contact_cost + use * terms.coupon
    chosen, stopped = _choose(terms, expected, open_, cost)
    return Plan(
        target=target, terms=terms,
        contacts=tuple(_contact(ids, expected, terms, cost, trips, days_since, c) for c in chosen.tolist()),
        eligible=int(open_.sum()), left_out={k: n for k, n in left_out.items() if n}, stopped=stopped,
        cost=float(cost[chosen].sum()), most_cost=len(chosen) * (terms.contact_cost + terms.coupon),
        redeemers=float(use[chosen].sum()), learnt=expected.learnt, evidence=evidence,
        **_estimates(expected, terms, chosen, seed),
    )  # fmt: skip


def _choose(terms: Terms, expected: Expected, open_: Mask, cost: Floats) -> tuple[Ints, str]:
    """The customers to write to, the best first, and what ended the list."""
    value = expected.gain * expected.money * terms.margin
    if not expected.learnt:
        value = expected.buys
    if terms.goal == "profit" and expected.learnt:
        open_ = open_ & (value > cost)
    elif expected.learnt:
        open_ = open_ & (expected.gain > 0)
    able = np.flatnonzero(open_)
    ratio = value[able] / np.maximum(cost[able], 1e-9)
    order = able[np.lexsort((able, -expected.buys[able], -ratio))]
    ended = "worth" if expected.learnt else "everybody"
    if terms.budget is not None:
        fits = np.cumsum(cost[order]) <= terms.budget + 1e-9
        if not fits.all():
            order, ended = order[: int(fits.argmin())], "budget"
    if terms.capacity is not None and len(order) > terms.capacity:
        order, ended = order[: terms.capacity], "capacity"
    return order, ended


def _contact(
    ids: np.ndarray, e: Expected, terms: Terms, cost: Floats, trips: Ints, days_since: Ints, c: int
) -> Contact:
    return Contact(
        str(ids[c]), float(e.redeems[c]), float(e.buys[c]), float(e.gain[c]), float(cost[c]),
        float(e.gain[c] * e.money[c] * terms.margin - cost[c]), int(trips[c]),
        int(days_since[c]) if days_since[c] >= 0 else None,
    )  # fmt: skip


def _estimates(e: Expected, terms: Terms, chosen: Ints, seed: int) -> dict[str, Estimate]:
    """Extra buyers, extra sales and profit with bounds: from models of resampled customers, and the chance of each
    customer's own choice beside them."""
    if not e.learnt or not len(chosen):
        nothing = Estimate(0.0, 0.0, 0.0)
        return {"buyers": nothing, "sales": nothing, "profit": nothing}
    rng = np.random.default_rng(seed)
    money, used = e.money[chosen], e.redeems[chosen]
    after = np.clip(e.buys[chosen] + e.gain[chosen], 0, 1)
    # Whether each buys, sent and not sent, are two draws of one person; only the difference counts.
    swing = after * (1 - after) + e.buys[chosen] * (1 - e.buys[chosen])
    many = len(e.gains)
    gains = e.gains[:, chosen]
    noise = rng.standard_normal(many)
    buyers = gains.sum(axis=1) + noise * np.sqrt(swing.sum())
    sales = gains @ money + noise * np.sqrt((swing * money**2).sum())
    redeemed = used.sum() + rng.standard_normal(many) * np.sqrt((used * (1 - used)).sum())
    spent = len(chosen) * terms.contact_cost + redeemed * terms.coupon
    point = e.gain[chosen]
    cost = float(len(chosen) * terms.contact_cost + used.sum() * terms.coupon)
    return {
        "buyers": _bounds(float(point.sum()), buyers),
        "sales": _bounds(float((point * money).sum()), sales),
        "profit": _bounds(float((point * money).sum()) * terms.margin - cost, sales * terms.margin - spent),
    }


def _bounds(value: float, draws: Floats) -> Estimate:
    low, high = np.percentile(draws, [5, 95])
    return Estimate(value, float(min(low, value)), float(max(high, value)))
