"""Chances to buy: what other categories say, what would change a chance, and the other models."""

from __future__ import annotations

from datetime import timedelta

import ibis
import numpy as np
import pandas as pd
import pytest

from customers.errors import BadInput
from customers.features.behaviour import category_rhythm, customer_rhythm
from customers.features.lines import baskets, purchase_lines, trips
from customers.profiles import peers
from customers.profiles.alike import SCORES, alike_scores, item_weights, neighbour_shares
from customers.profiles.change import Trips, smallest_change, without_or_with
from customers.profiles.design import COLUMNS, Rhythm, design
from customers.profiles.preference import log_odds_of
from customers.profiles.quality import quality
from customers.profiles.training import Behaviour, rhythm_at
from customers.shop import Shop
from customers.values import Change
from tests import shops

CHANGED = "DIAPERS"
NOTHING = Change(0, 0, 0.0, False)


@pytest.fixture(scope="module")
def lines():
    backend = ibis.duckdb.connect()
    backend.raw_sql(f"ATTACH '{shops.built() / 'store' / 'shop.duckdb'}' AS store (READ_ONLY)")
    tables = [backend.table(name, database=("store", "main")) for name in ("events", "products")]
    yield backend.create_table("lines", purchase_lines(*tables), temp=True)
    backend.disconnect()


@pytest.fixture(scope="module")
def shop():
    opened = Shop.open(shops.built())
    yield opened
    opened.close()


# other categories ------------------------------------------------------------------------------
def test_no_category_speaks_for_itself():
    counts = np.random.default_rng(0).poisson(1.0, (60, 5)).astype(float)
    weights = item_weights(counts, 5.0)
    np.testing.assert_array_equal(np.diag(weights), 0)
    changed = counts.copy()
    changed[3, 2] += 7
    assert (changed @ weights)[3, 2] == pytest.approx((counts @ weights)[3, 2])


def test_weights_are_those_of_a_ridge_regression_on_the_other_columns():
    counts = np.random.default_rng(1).normal(size=(80, 4))
    others = np.delete(counts, 2, axis=1)
    ridge = np.linalg.solve(others.T @ others + 3.0 * np.eye(3), others.T @ counts[:, 2])
    np.testing.assert_allclose(np.delete(item_weights(counts, 3.0)[:, 2], 2), ridge, atol=1e-10)


def _bought(rows: list[tuple[str, str]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["customer_id", "category"])
    return made.assign(decayed_60=2.0, decayed_180=3.0, baskets_30=1, baskets_90=3)


def test_categories_bought_together_speak_for_each_other():
    rows = [(str(n), c) for n in range(300) for c in (("pen", "ink") if n % 2 else ("tea", "cup"))]
    rows = [row for row in rows if row != ("1", "ink")]
    customers = [str(n) for n in range(300)]
    for scores in alike_scores(_bought(rows), customers, ["ink", "cup"], ridge=1.0).values():
        assert scores.shape == (300, 2)
        assert scores[1, 0] > 0.9 > 0.1 > abs(scores[1, 1])  # has a pen, no ink yet


def test_neighbours_are_those_with_such_baskets_and_never_oneself():
    rows = [(str(n), c) for n in range(20) for c in (("pen", "ink") if n % 2 else ("tea", "cup"))]
    rows = [row for row in rows if row != ("1", "ink")] + [("0", "milk")]
    shares = neighbour_shares(
        _bought(rows), [str(n) for n in range(20)], ["ink", "milk", "cup"], neighbours=19
    )
    assert shares[1].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert shares[0, 1] == 0  # the only one with milk
    assert 0 < shares[2, 1] < 1


def test_columns_know_nothing_of_later_days(lines):
    as_of = shops.FIRST + timedelta(days=99)
    early = lines.filter(lines.day <= ibis.literal(as_of))
    later = lines.filter(lines.day > ibis.literal(as_of)).mutate(category=ibis.literal(CHANGED), amount=99.0)
    found = []
    for known in (lines, ibis.union(early, later)):
        data = Behaviour(baskets(known, []), trips(known, "category"), shops.FIRST, shops.LAST)
        found.append(design(rhythm_at(data, as_of, [CHANGED, "CAT FOOD"])))
    assert found[0].shape == (len(found[0]), 2, len(COLUMNS))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


# what would change it --------------------------------------------------------------------------
def _trips(lines, customer: str) -> tuple[Trips, list[str]]:
    """Trips of a customer up to the last day, computed from the lines in Python; and their basket ids."""
    rows = lines.filter(lines.customer_id == customer).execute()
    found = []
    for basket, part in rows.groupby("basket_id"):
        inside = part[part["category"] == CHANGED]
        age = (pd.Timestamp(shops.LAST) - pd.Timestamp(part["day"].min())).days
        found.append((age, len(inside) > 0, inside["amount"].sum(), basket))
    found.sort()
    ages, held, spent, ids = zip(*found, strict=True)
    return Trips(np.array(ages), np.array(held), np.array(spent, dtype=float)), list(ids)


@pytest.mark.parametrize("customer", ["0", "16", shops.STOPPED])
def test_features_of_trips_are_those_of_the_build(lines, customer):
    table = category_rhythm(trips(lines, "category"), shops.LAST)
    row = table.filter((table.customer_id == customer) & (table.category == CHANGED)).execute().iloc[0]
    for name, value in _trips(lines, customer)[0].own().items():
        assert value[0, 0] == pytest.approx(row[name]), name


@pytest.mark.parametrize(("customer", "more"), [("0", False), ("100", True)])
def test_a_changed_history_has_the_columns_as_if_it_had_happened(lines, customer, more):
    """The change is put into the purchase lines, and everything is computed from them anew."""
    price = 5.0
    known, ids = _trips(lines, customer)
    places = np.flatnonzero(known.held != more)[:2]
    there = lines.basket_id.isin([ids[i] for i in places])
    changed = lines.filter(~(there & (lines.category == CHANGED)))
    if more:
        added = lines.filter(there).distinct(on="basket_id", keep="first")
        changed = ibis.union(lines, added.mutate(category=ibis.literal(CHANGED), amount=ibis.literal(price)))
    rhythms = []
    for some in (lines, changed):
        own = category_rhythm(trips(some, "category"), shops.LAST).to_pandas()
        of = customer_rhythm(baskets(some, []), shops.LAST)
        others = {name: np.full((1, 1), 0.3) for name in SCORES}
        rhythms.append(Rhythm.of(own, of.filter(of.customer_id == customer).to_pandas(), [CHANGED], others))
    told = design(without_or_with(rhythms[0], known, places, price))
    assert not np.allclose(told, design(rhythms[0]))
    np.testing.assert_allclose(told, design(rhythms[1]), rtol=1e-4)


def test_smallest_change_is_the_fewest_trips_that_cross():
    rhythm = Rhythm(
        ["1"], ["a"], {}, {"mean_categories": np.ones((1, 1)), "mean_basket": np.ones((1, 1))}, {}
    )

    def score(one: Rhythm) -> float:
        return 0.1 * float(one.own["baskets_90"][0, 0])

    ages = np.arange(12) * 7

    def found(held: list[int], history: np.ndarray = ages, base=score):
        own = Trips(history, np.isin(np.arange(len(history)), held), np.zeros(len(history)))
        start = Rhythm(["1"], ["a"], own.own(), rhythm.shop, {})
        return smallest_change(base, start, own, 2.0) or NOTHING

    up, down = found([0, 1]), found([0, 1, 2, 3, 4, 5, 6])
    assert (up.trips, up.days, up.crosses) == (3, 30, True)
    assert up.probability == pytest.approx(0.5)
    assert (down.trips, down.crosses) == (-3, True)
    assert down.probability == pytest.approx(0.4)
    never = found([], base=lambda one: 0.01 * float(one.own["baskets_90"][0, 0]))
    assert (never.trips, never.crosses, never.days) == (6, False, 90)
    assert found([], history=ages + 100) is NOTHING  # no trip in 90 days


def test_explanation_tells_a_change_on_the_other_side(shop):
    told = shop.explain_preference("0", CHANGED)
    assert told.probability > 0.5
    assert told.change.trips < 0
    assert told.change.probability < told.probability


# the other models ------------------------------------------------------------------------------
MODELS = {
    "logistic": peers.Logistic(),
    "svm": peers.LinearSvm(most_rows=6000),
    "forest": peers.Forest(trees=20),
    "adaboost": peers.AdaBoost(trees=15, most_rows=6000),
    "boosting": peers.Boosting(rounds=120, rate=0.15),
    "blend": peers.Blend(peers.Logistic(), peers.Boosting(rounds=40, rate=0.15)),
}


def _planted(rows: int, seed: int):
    random = np.random.default_rng(seed)
    columns = random.normal(size=(rows, 3, 10)).astype(np.float32)
    odds = 1.5 * columns[..., 0] - columns[..., 3] + np.array([-1.0, 0.0, 1.0])
    return columns, (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_ranks_and_states_chances(name):
    model = MODELS[name].fit(*_planted(2000, 0))
    columns, truth = _planted(1500, 1)
    probability = model.probability(columns)
    assert probability.shape == truth.shape
    assert ((probability >= 0) & (probability <= 1)).all()
    found = quality(truth, probability)
    assert found.roc_auc > 0.8
    assert found.ece < 0.06


@pytest.mark.parametrize("name", MODELS)
def test_no_model_learns_where_nobody_bought(name):
    columns, truth = _planted(50, 0)
    with pytest.raises(BadInput, match="nothing can be learned"):
        MODELS[name].fit(columns, np.zeros_like(truth))
    with pytest.raises(BadInput, match="not of the same"):
        MODELS[name].fit(columns, truth[:-1])


def test_contributions_of_trees_add_up():
    columns, truth = _planted(1000, 2)
    model = peers.Boosting(rounds=20, rate=0.2).fit(columns, truth)
    parts = model.contributions(columns[:50])
    np.testing.assert_allclose(parts.sum(-1), log_odds_of(model.probability(columns[:50])), atol=1e-4)
    assert np.abs(parts[..., 0]).mean() > 10 * np.abs(parts[..., 5]).mean()  # column 0 matters, 5 does not
