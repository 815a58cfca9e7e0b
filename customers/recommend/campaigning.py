"""A shop's campaigns ahead: plans under a budget, and customers like those of a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from sklearn.linear_model import LogisticRegression

from customers.errors import BadInput, Unknown
from customers.recommend import rules
from customers.recommend.audience import exposure, fit_rate
from customers.recommend.offers import HABITS, Floats, Ints, Mask, Sales, read_offers, read_sales
from customers.recommend.plan import Plan, Terms, make_plan
from customers.recommend.returns import FILE, Expected, Returns
from customers.recommend.uplift import DAYS
from customers.values import Alike

if TYPE_CHECKING:
    from customers.stores.feedback import FeedbackStore


class Campaigning:
    """Reads a version's purchases and campaigns once, when first asked; safe to use from several threads
    after that."""

    def __init__(self, con: duckdb.DuckDBPyConnection, version: Path, feedback: FeedbackStore) -> None:
        self._con, self._version, self._feedback = con, version, feedback

    @cached_property
    def sales(self) -> Sales:
        return read_sales(self._con.cursor())

    @cached_property
    def returns(self) -> Returns:
        """What past campaigns taught: as the build kept it, or learnt now for a version that has none."""
        path = self._version / FILE
        if path.exists():
            return Returns.load(path)
        return Returns().fit(self.sales, read_offers(self._con.cursor(), self.sales))

    def habits(self, keys: Sequence[str]) -> Floats:
        """`Sales.habits` of customers at the end of the data, shape (len(keys), columns); 0 for who never bought."""
        sales = self.sales
        told = np.vstack([sales.habits(sales.last_day + 1), np.zeros((1, len(HABITS)))])
        return told[[sales.number.get(key, -1) for key in keys]]

    def plan(
        self,
        products: Collection[str],
        target: str,
        terms: Terms,
        held: rules.Rules,
        *,
        product_id: str | None = None,
        among: Collection[str] | None = None,
    ) -> Plan:
        """Plan a coupon that is valid for `products`. held: the shop's rules. product_id: where it is for one product,
        so that "never again" counts. among: the customers it is for (None: all). Raises BadInput and Unknown."""
        mask = self.sales.mask_of(products)
        if not mask.any():
            raise Unknown(f"nothing of {target!r} was ever bought")
        expected = self.returns.expect(self.sales, mask)
        trips, since, decayed = self._bought(mask)
        if not expected.learnt:
            expected = self._by_rate(expected, decayed)
        barred = {
            "consent": self._without_consent(held),
            "contacts": self._contacted(terms),
            "never": self._never(product_id),
        }
        chosen = None if among is None else np.isin(self.sales.customers, list(among))
        return make_plan(
            target,
            terms,
            self.sales.customers.tolist(),
            expected,
            self.returns.evidence,
            barred,
            trips,
            since,
            chosen,
        )

    # who is left out -----------------------------------------------------------------------
    def _without_consent(self, held: rules.Rules) -> Mask:
        told: dict[str, dict[str, str]] = {}
        rows = self._con.cursor().execute(
            "SELECT customer_id, attribute, value FROM attributes WHERE attribute IN "
            f"({', '.join('?' * (len(rules.CONSENT) + 1))})",
            [*rules.CONSENT, held.consent or ""],
        )
        recorded = set()
        for customer, attribute, value in rows.fetchall():
            told.setdefault(customer, {})[attribute] = value
            recorded.add(attribute)
        if not recorded and held.consent is None:
            return np.zeros(len(self.sales.customers), bool)
        return np.array(
            [
                not rules.may_address(held, told.get(c, {}), sorted(recorded))
                for c in self.sales.customers.tolist()
            ],
            bool,
        )

    def _contacted(self, terms: Terms) -> Mask:
        """Who was in the most campaigns that one may be, in the last days of the data."""
        size = len(self.sales.customers)
        if terms.most_contacts is None:
            return np.zeros(size, bool)
        who, day = self.sales.contacts["exposure"]
        late = who[day > self.sales.last_day - terms.contact_days]
        return np.bincount(late, minlength=size) >= terms.most_contacts

    def _never(self, product_id: str | None) -> Mask:
        barred = np.zeros(len(self.sales.customers), bool)
        if product_id is not None:
            said = self._feedback.never(product_id)
            barred[[self.sales.number[c] for c in said if c in self.sales.number]] = True
        return barred

    # what they bought ----------------------------------------------------------------------
    def _bought(self, target: Mask) -> tuple[Ints, Ints, Floats]:
        """Days with a purchase of the target, days since the last (-1: never), and the same decayed."""
        sales, size = self.sales, len(self.sales.customers)
        inside = target[sales.product]
        pairs = np.unique(sales.customer[inside] * 100_000 + sales.day[inside])
        customer, day = pairs // 100_000, pairs % 100_000
        last = np.full(size, sales.last_day + 1)
        last[customer] = day  # sorted: the last one stays
        trips = np.bincount(customer, minlength=size)
        decayed = np.bincount(customer, np.exp2(-(sales.last_day - day) / 120.0), size)
        return trips, np.where(trips > 0, sales.last_day - last, -1), np.asarray(decayed, float)

    def _by_rate(self, expected: Expected, decayed: Floats) -> Expected:
        """Chances to buy of a shop that has no campaigns to learn from, by the rate model of `audience`."""
        sales = self.sales
        first = np.full(len(sales.customers), sales.last_day)
        first[sales.customer[::-1]] = sales.day[::-1]
        exposed = exposure((sales.last_day + 1 - first).astype(np.float64))
        counted = decayed.astype(np.float64)
        buys = fit_rate(counted, exposed).probability(counted, exposed, DAYS)
        return Expected(expected.redeems, expected.gain, expected.gains, buys, expected.money)


def learn(con: duckdb.DuckDBPyConnection, version: Path) -> None:
    """Learn from a shop's campaigns and write what `Campaigning` reads."""
    sales = read_sales(con)
    Returns().fit(sales, read_offers(con, sales)).save(version / FILE)


def likeness(seeds: Mask, described: Floats) -> Floats:
    """How alike each customer is to the seeds (0..1): by a logistic regression that tells the seeds from everybody on
    what they are described by, shape (customers, columns)."""
    # Each side weighs the same: a few seeds are not drowned by everybody else.
    model = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced").fit(described, seeds)
    return model.predict_proba(described)[:, 1]


def lookalikes(
    seeds: Collection[str], n: int, keys: Sequence[str], vectors: Floats, habits: Floats
) -> list[Alike]:
    """Return the `n` customers most like the seeds and not among them, the most alike first (`likeness`), by behaviour
    vectors (what they buy) and habits (how much, how often and how lately), a row a key each. Raises Unknown for a seed
    that is no customer and BadInput for fewer than five."""
    if n < 1:
        raise BadInput(f"n must be 1 or more, not {n}")
    place = {key: number for number, key in enumerate(keys)}
    if unknown := [s for s in seeds if s not in place]:
        raise Unknown(f"there is no customer {unknown[0]!r} in this shop")
    mine = np.zeros(len(keys), bool)
    mine[[place[s] for s in seeds]] = True
    if mine.sum() < 5:
        raise BadInput(f"a list of {int(mine.sum())} tells too little; give five customers or more")
    if mine.all():
        return []
    score = likeness(mine, np.hstack([vectors, habits]))
    others = np.flatnonzero(~mine)
    order = others[np.lexsort((others, -score[others]))][:n]
    return [Alike(str(keys[c]), float(score[c])) for c in order.tolist()]
