"""Response, propensity and uplift on rows whose truth is planted, and the shop's features on a hand-made history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from customers.recommend import uplift
from customers.recommend import uplift_curves as curves
from customers.recommend.offers import NAMES, Offer, Sales
from customers.recommend.returns import Returns


def planted(n: int = 6000, seed: int = 0, hidden: float = 0.0) -> tuple[uplift.Panel, np.ndarray, np.ndarray]:
    """Rows whose sending leans on x0 and whose effect is 0.3 where x1 > 0; hidden: of an unseen cause of both."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    unseen = rng.normal(size=n)
    chance = 1 / (1 + np.exp(-(x[:, 0] + hidden * unseen)))
    sent = rng.random(n) < chance
    effect = np.where(x[:, 1] > 0, 0.3, 0.0)
    base = np.clip(0.2 + 0.1 * x[:, 0] + 0.1 * hidden * unseen, 0.02, 0.6)
    bought = rng.random(n) < np.clip(base + effect * sent, 0, 1)
    redeemed = sent & bought & (rng.random(n) < 0.7)
    panel = uplift.Panel(x, sent, redeemed, bought, bought * 5.0, np.arange(n) // 2, np.zeros(n, np.int64))
    return panel, effect, chance


def test_the_propensity_is_found_and_weighting_balances_what_it_leans_on() -> None:
    seen, _, chance = planted()
    found = uplift.propensity(seen, uplift.LINEAR)
    assert np.corrcoef(found, chance)[0, 1] > 0.98
    before, after = uplift.balance(seen, found)
    assert abs(before[0]) > 0.5
    assert np.abs(after).max() < 0.05


def test_the_adjusted_effect_is_the_planted_one_where_the_plain_difference_is_not() -> None:
    seen, effect, _ = planted()
    plain = seen.bought[seen.sent].mean() - seen.bought[~seen.sent].mean()
    found = uplift.pseudo_outcomes(seen, seen.bought.astype(float), uplift.propensity(seen, uplift.LINEAR))
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - effect.mean()) < 3 * error
    assert plain - effect.mean() > 3 * error


@pytest.mark.slow
@pytest.mark.parametrize("learner", uplift.LEARNERS)
@pytest.mark.parametrize("base", [uplift.LINEAR, uplift.TREES], ids=lambda base: base.name)
def test_every_learner_finds_whom_it_moves(learner: str, base: uplift.Base) -> None:
    seen, _, _ = planted()
    model = uplift.fit_uplift(learner, seen, uplift.propensity(seen, uplift.LINEAR), base)
    new, effect, _ = planted(2000, seed=9)
    found = model(new.features)
    assert found[effect > 0].mean() - found[effect == 0].mean() > 0.12
    assert abs(found.mean() - effect.mean()) < 0.08


def test_an_unknown_learner_is_our_bug() -> None:
    seen, _, chance = planted(200)
    with pytest.raises(ValueError, match="magic"):
        uplift.fit_uplift("magic", seen, chance, uplift.LINEAR)


def test_folds_keep_a_customers_rows_together() -> None:
    seen, _, _ = planted(100)
    for fit, held in uplift.folds(seen):
        assert not set(seen.customer[fit]) & set(seen.customer[held])


# curves ---------------------------------------------------------------------------------------
def test_a_perfect_ranking_by_hand() -> None:
    effect, customer = np.array([1.0, 1.0, 0.0, 0.0]), np.arange(4)
    found = curves.curve(np.array([4.0, 3.0, 2.0, 1.0]), effect, customer, share=0.5, rounds=0)
    # gained after each quarter: .25 .5 .5 .5, mean .4375; by lot: .5 times the mean share .625
    assert found.auuc == pytest.approx(0.4375)
    assert found.qini == pytest.approx(0.4375 - 0.5 * 0.625)
    assert found.top == pytest.approx(1.0)
    worst = curves.curve(np.array([1.0, 2.0, 3.0, 4.0]), effect, customer, share=0.5, rounds=0)
    assert worst.qini < 0 < found.qini
    assert worst.top == pytest.approx(0.0)


def test_a_constant_effect_has_no_qini_whatever_the_order() -> None:
    score = np.random.default_rng(0).random(500)
    assert curves.curve(score, np.full(500, 0.2), np.arange(500), rounds=0).qini == pytest.approx(
        0.0, abs=1e-12
    )


def test_intervals_hold_the_estimate_and_a_ranking_differs_not_from_itself() -> None:
    rng = np.random.default_rng(1)
    score, effect, customer = rng.random(400), rng.normal(size=400), np.arange(400) // 2
    found = curves.curve(score, effect, customer, rounds=100)
    assert found.qini_low < found.qini < found.qini_high
    assert curves.difference(score, score, effect, customer, rounds=20) == (0.0, 0.0, 0.0)


def test_ranks_within_groups_take_the_level_of_a_group_out() -> None:
    group = np.repeat([0, 1], 4)
    ranked = curves.within(np.array([1.0, 2, 3, 4, 100, 200, 300, 400]), group)
    assert ranked[:4].tolist() == ranked[4:].tolist() == [0.125, 0.375, 0.625, 0.875]


# the shop's features --------------------------------------------------------------------------
def hand_made() -> Sales:
    """Customer 0 buys product 0 on days 10, 40 and 95, customer 1 product 1 on day 50; both at 10 with 2 off."""
    day = np.array([10, 40, 50, 95])
    return Sales(
        np.array(["a", "b"]), np.array(["p0", "p1"]), np.array([0, 0, 1, 0]), np.array([0, 0, 1, 0]), day,
        np.full(4, 10.0), np.full(4, 2.0),
        {"exposure": (np.array([0]), np.array([60])), "redemption": (np.array([0]), np.array([70]))},
    )  # fmt: skip


def feature(sales: Sales, name: str, day: int) -> list[float]:
    return sales.features(sales.mask_of(["p0"]), day)[:, NAMES.index(name)].tolist()


def test_features_tell_the_past_and_nothing_of_the_day_itself() -> None:
    sales = hand_made()
    assert np.expm1(feature(sales, "trips_90", 95)) == pytest.approx([2, 1])
    assert np.expm1(feature(sales, "trips_90", 96)) == pytest.approx([3, 1])
    assert np.expm1(feature(sales, "days_since_trip", 95)) == pytest.approx([55, 45])
    assert np.expm1(feature(sales, "target_trips_90", 95)) == pytest.approx([2, 0])
    assert feature(sales, "target_never", 95) == [0, 1]
    assert feature(sales, "target_never", 5) == [1, 1]
    assert feature(sales, "discount_share", 95) == pytest.approx([2 / 12, 2 / 12])
    assert np.expm1(feature(sales, "received", 61)) == pytest.approx([1, 0])
    assert np.expm1(feature(sales, "received", 60)) == pytest.approx([0, 0])


def test_the_window_counts_whole_days_from_the_first() -> None:
    sales = hand_made()
    bought, money = sales.window(sales.mask_of(["p0"]), 40, 28)
    assert bought.tolist() == [True, False]
    assert money.tolist() == [10.0, 0.0]
    assert not sales.window(sales.mask_of(["p0"]), 41, 28)[0].any()


def shop_of_lotteries(seed: int = 0) -> tuple[Sales, list[Offer]]:
    """Twelve campaigns by lot to 300 customers; who often buys in March buys more of product 0 when written to."""
    rng = np.random.default_rng(seed)
    keen = rng.random(300) < 0.5
    rows = [(c, 2, d) for c in range(300) for d in range(0, 500, 6 if keen[c] else 18)]
    offers, exposures, redemptions = [], [], []
    for number in range(12):
        start = 40 + 34 * number
        sent = rng.random(300) < 0.5
        chance = np.where(keen & sent, 0.6, 0.15)
        bought = rng.random(300) < chance
        redeemed = sent & bought
        rows += [(c, 0, start + 3) for c in np.flatnonzero(bought)]
        exposures += [(c, start) for c in np.flatnonzero(sent)]
        redemptions += [(c, start + 3) for c in np.flatnonzero(redeemed)]
        offers.append(Offer(str(number), np.array([True, False, False]), start, start + 27, sent, redeemed))
    rows.sort(key=lambda row: row[2])
    customer, product, day = (np.array(column) for column in zip(*rows, strict=True))
    contacts = {}
    for kind, pairs in (("exposure", exposures), ("redemption", redemptions)):
        found = np.array(pairs)
        contacts[kind] = (found[:, 0], found[:, 1])
    size = len(rows)
    sales = Sales(
        np.array([f"c{n}" for n in range(300)]), np.array(["p0", "p1", "p2"]), customer, product, day,
        np.full(size, 4.0), np.zeros(size), contacts,
    )  # fmt: skip
    return sales, offers


@pytest.mark.slow
def test_returns_find_the_effect_of_lotteries_and_whom_they_move(tmp_path: Path) -> None:
    sales, offers = shop_of_lotteries()
    returns = Returns().fit(sales, offers)
    evidence = returns.evidence
    assert abs(evidence.effect - 0.225) < 3 * evidence.effect_error + 0.02
    assert abs(evidence.placebo) < 3 * evidence.placebo_error + 0.02
    expected = returns.expect(sales, offers[0].target)
    trips = np.bincount(sales.customer[sales.product == 2], minlength=300)
    keen = trips > 50
    assert expected.gain[keen].mean() > expected.gain[~keen].mean() + 0.15
    assert expected.redeems[keen].mean() > expected.redeems[~keen].mean() + 0.2
    assert (expected.gain <= expected.redeems + 1e-12).all()
    returns.save(tmp_path / "campaigns.npz")
    again = Returns.load(tmp_path / "campaigns.npz").expect(sales, offers[0].target)
    assert again.gain == pytest.approx(expected.gain)
    assert again.redeems == pytest.approx(expected.redeems)


def test_too_few_campaigns_teach_nothing(tmp_path: Path) -> None:
    sales, offers = shop_of_lotteries()
    returns = Returns().fit(sales, offers[:1])
    assert not returns.expect(sales, offers[0].target).learnt
    returns.save(tmp_path / "campaigns.npz")
    assert not Returns.load(tmp_path / "campaigns.npz").learnt
