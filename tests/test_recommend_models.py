"""One contract for every recommender, on a shop of two tastes whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pytest
from scipy import sparse

from customers.recommend.audience import Rate, exposure, fit_rate
from customers.recommend.base import Recommender, best
from customers.recommend.blend import Blend, Components
from customers.recommend.evaluate import quality, ranked, without
from customers.recommend.history import Catalogue, History
from customers.recommend.models import (
    DueRepeat,
    ItemItem,
    MatrixFactors,
    PersonalRepeat,
    Popularity,
    TypeTaste,
)
from customers.recommend.neighbours import ItemNeighbours, TifuKnn, UpCf, UserNeighbours
from customers.recommend.promoted import read_promoted
from customers.recommend.together import count

# Products 0-3 are tea things, 4-7 coffee things, 8 nobody has bought for long.
TEA, COFFEE = {0, 1, 2, 3}, {4, 5, 6, 7}
PEOPLE, DAYS = 24, 100


def shop() -> History:
    """Even customers buy tea things, odd ones coffee things; customers 0 and 1 lack one of theirs
    (3 and 7)."""
    rows = []
    for customer in range(PEOPLE):
        own = sorted(TEA if customer % 2 == 0 else COFFEE)
        own = own[:3] if customer < 2 else own
        for trip in range(8):
            day = trip * 12 + customer % 5
            rows += [(customer, item, day, customer * 100 + trip) for item in own if (trip + item) % 3]
    rows.append((2, 8, 0, 5000))
    customer, product, day, basket = (np.array(column) for column in zip(*rows, strict=True))
    _, basket = np.unique(basket, return_inverse=True)
    kinds = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    catalogue = Catalogue(
        np.array([f"p{i}" for i in range(9)]),
        kinds,
        kinds // 2,
        np.array(["tea", "coffee", "old"]),
        kinds > 9,
    )
    return History(
        np.array([f"c{i:02}" for i in range(PEOPLE)]), catalogue, customer, product, day, basket, DAYS
    )


MODELS = [
    Popularity(),
    Popularity(30),
    PersonalRepeat(),
    PersonalRepeat(30, fill=False),
    DueRepeat(),
    ItemItem(ridge=5),
    UserNeighbours(k=8),
    TifuKnn(k=8),
    UpCf(k=8),
    ItemNeighbours(k=3),
    MatrixFactors(factors=4),
    TypeTaste(),
]


@pytest.fixture(params=MODELS, ids=lambda model: f"{model.name} {vars(model)}")
def model(request: pytest.FixtureRequest) -> Recommender:
    return request.param.fit(shop())


def test_scores_have_a_row_a_customer_and_a_column_a_product(model: Recommender) -> None:
    scores = model.score(np.array([3, 1, 3]))
    assert scores.shape == (3, 9)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores[0], scores[2])


def test_scoring_alone_or_together_is_the_same(model: Recommender) -> None:
    everybody = np.arange(PEOPLE)
    one_by_one = np.vstack([model.score(np.array([c])) for c in everybody])
    np.testing.assert_allclose(model.score(everybody), one_by_one, rtol=1e-4, atol=1e-6)


def test_top_is_by_falling_score_and_leaves_out_what_is_masked(model: Recommender) -> None:
    customers = np.array([0, 1])
    mask = sparse.csr_matrix((np.ones(2), ([0, 1], [0, 4])), shape=(PEOPLE, 9))
    scores = model.score(customers)
    for row, found, barred in zip(scores, model.top(customers, 4, mask), (0, 4), strict=True):
        assert barred not in found
        assert (np.diff(row[found]) <= 0).all()
        rest = np.setdiff1d(np.flatnonzero(row > 0), [*found, barred])
        assert not len(rest) or row[rest].max() <= row[found].min()


def test_fitting_again_gives_the_same(model: Recommender) -> None:
    before = model.score(np.arange(PEOPLE))
    np.testing.assert_allclose(model.fit(shop()).score(np.arange(PEOPLE)), before, rtol=1e-4, atol=1e-6)


def test_asking_for_more_than_there_is_gives_what_there_is(model: Recommender) -> None:
    for found in model.top(np.arange(PEOPLE), 50):
        assert len(found) == len(set(found.tolist())) <= 9


@pytest.mark.parametrize(
    "model",
    [
        ItemItem(ridge=5),
        MatrixFactors(factors=4),
        TypeTaste(),
        UserNeighbours(k=8),
        TifuKnn(k=8),
        UpCf(k=8),
        ItemNeighbours(k=3),
    ],
    ids=lambda m: m.name,
)
def test_the_missing_thing_of_the_own_taste_comes_first(model: Recommender) -> None:
    history = shop()
    owned = history.bought(0, DAYS)
    tea, coffee = model.fit(history).top(np.array([0, 1]), 1, owned)
    assert (tea.tolist(), coffee.tolist()) == ([3], [7])


def test_repeats_are_decayed_baskets() -> None:
    history = shop()
    rows = (history.customer == 4) & (history.product == 1)
    worth = (0.5 ** ((DAYS - history.day[rows]) / 50)).sum()
    score = PersonalRepeat(50, fill=False).fit(history).score(np.array([4]))[0]
    assert score[1] == pytest.approx(worth, rel=1e-5)
    assert set(np.flatnonzero(score)) == TEA


def test_nothing_after_the_cut_is_seen() -> None:
    cut = shop().before(40)
    assert cut.day.max() < 40
    early = PersonalRepeat(50).fit(cut).score(np.arange(PEOPLE))
    rows = shop()
    later = np.where(rows.day >= 40, (rows.product + 1) % 8, rows.product)
    changed = History(rows.customers, rows.catalogue, rows.customer, later, rows.day, rows.basket, rows.cut)
    np.testing.assert_allclose(PersonalRepeat(50).fit(changed.before(40)).score(np.arange(PEOPLE)), early)


def test_the_blend_learns_what_is_bought_next() -> None:
    history = shop()
    known = history.before(70)
    candidates = Components().fit(known).candidates()
    bought = history.bought(70, 99)
    blend = Blend(keep=1.0)
    scores = blend.fit([blend.examples(candidates, bought)]).score(candidates)
    assert ((scores > 0) & (scores < 1)).all()
    first = ranked(candidates, scores, PEOPLE)
    for customer, row in enumerate(first):
        assert set(row[:2].tolist()) <= (TEA if customer % 2 == 0 else COFFEE)


def test_a_blend_without_examples_orders_by_decayed_baskets() -> None:
    candidates = Components().fit(shop()).candidates()
    scores = Blend().fit([]).score(candidates)
    own = scores[~candidates.new]
    assert own.min() > scores[candidates.new].max()


def test_quality_of_a_known_ranking() -> None:
    targets = sparse.csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]], float))
    rows = [np.array([0, 1, 2]), np.array([0]), np.array([0, 2])]
    found = quality("m", "repeats", rows, targets, 4)
    ideal = 1 + 1 / np.log2(3)
    assert found.ndcg == pytest.approx(((1 + 1 / np.log2(4)) / ideal + 0) / 2)
    assert found.recall == pytest.approx((1 + 0) / 2)
    assert (found.coverage, found.customers) == (3 / 4, 2)
    assert quality("m", "new", [], sparse.csr_matrix((0, 4)), 4).ndcg == 0


def test_new_targets_leave_out_what_was_owned() -> None:
    targets = sparse.csr_matrix(np.array([[1, 1, 0]], float))
    owned = sparse.csr_matrix(np.array([[3, 0, 1]], float))
    assert without(targets, owned).toarray().tolist() == [[0, 1, 0]]


def test_best_breaks_ties_by_index_and_ignores_zero() -> None:
    assert best(np.array([[0.0, 2, 1, 2, 0]]), 4)[0].tolist() == [1, 3, 2]


def test_pairs_are_counted_in_baskets() -> None:
    history = shop()
    pairings = count(history, np.arange(9), 9)
    held = {b: set(history.product[history.basket == b].tolist()) for b in np.unique(history.basket)}
    for first, second in ((1, 2), (0, 1), (0, 5)):
        both = sum({first, second} <= items for items in held.values())
        assert pairings.both[first, second] == (both if both >= 5 else 0)
    other, both, confidence, lift = pairings.rules(1)
    assert set(other.tolist()) <= TEA
    single = [sum(i in items for items in held.values()) for i in range(9)]
    assert confidence[0] == pytest.approx(both[0] / single[1])
    assert lift[0] == pytest.approx(confidence[0] * len(held) / single[other[0]])
    assert (np.diff(lift) <= 1e-9).all()


def test_the_rate_model_recovers_planted_rates() -> None:
    draw = np.random.default_rng(0)
    rate = draw.gamma(0.5, 1 / 25, 20_000)
    exposed = np.full(20_000, 200.0)
    baskets = draw.poisson(rate * exposed).astype(float)
    prior = fit_rate(baskets, exposed)
    assert prior.shape == pytest.approx(0.5, rel=0.1)
    predicted = prior.probability(baskets, exposed, 30)
    assert predicted.mean() == pytest.approx((1 - np.exp(-30 * rate)).mean(), abs=0.01)
    assert predicted[baskets.argmax()] > predicted[baskets.argmin()]


def test_without_purchases_the_rate_is_nearly_zero() -> None:
    none = np.zeros(5)
    assert fit_rate(none, none + 100).probability(none, none + 100).max() < 1e-3
    assert Rate(1.0, 10.0).probability(np.array([0.0]), np.array([0.0]), 10)[0] == pytest.approx(0.5)
    assert exposure(np.array([1e6]), 100)[0] == pytest.approx(100 / np.log(2))


def test_promotions_of_the_week_and_planned_ones_only_where_they_are_told() -> None:
    with duckdb.connect() as con:
        products = np.array(["p0", "p1", "p2"])
        assert read_promoted(con, products, 17_900) is None
        con.execute(
            "CREATE TABLE promotions (product_id TEXT, week INT, stores_display INT, stores_mailer INT)"
        )
        assert read_promoted(con, products, 17_900) is None
        con.execute(
            "INSERT INTO promotions VALUES ('p1', 2, 4, 0), ('p2', 3, 0, 6), ('p2', 7, 1, 0), ('gone', 1, 9, 9)"
        )
        # Day 17,900 is Friday 4 January 2019; week 1 is from Monday 31 December, week 2 from 7 January.
        found = read_promoted(con, products, 17_900)
    assert found is not None
    assert not found.planned
    monday = 17_903
    assert found.week(monday) == 1
    assert found.week(monday - 1) == 0
    assert found.reaches(monday)
    assert not found.reaches(monday + 14)
    kinds = np.array([0, 1, 1])
    known = found.columns(monday, kinds)
    assert known["display now"] == pytest.approx(np.log1p([0, 4, 0]))
    assert known["display ever"].tolist() == [0, 0, 0]
    later = found.columns(monday + 7, kinds)
    assert later["display of late"] == pytest.approx(np.log1p([0, 4, 0]) / 2)
    assert later["display ever"] == pytest.approx([0, 0.5, 0])
    assert not [name for name in known if name.startswith("planned")]
    planned = replace(found, planned=True).columns(monday, kinds)
    assert planned["planned mailer next week"] == pytest.approx(np.log1p([0, 0, 6]))
    assert planned["planned mailer"] == pytest.approx(np.log1p([0, 0, 6]) / 4)
    assert planned["planned mailer of type"] == pytest.approx(np.log1p([0, 6, 6]) / 4)
    told = replace(found, planned=True).grouped(kinds).columns(monday, np.array([0, 1]))
    assert told["display now"] == pytest.approx(np.log1p([0, 4]))
