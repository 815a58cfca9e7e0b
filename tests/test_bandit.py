"""A ranking that learns from clicks, and what logs tell of other rankings, against known truth."""

from __future__ import annotations

import numpy as np
import pytest

from customers.errors import BadInput
from customers.recommend.bandit import FEATURES, Bandit, Slate
from customers.recommend.policy_value import policy_value


def slate(customer: int = 0, score: tuple[float, ...] = (0.5, 0.3, 0.1)) -> Slate:
    n = len(score)
    return Slate(customer, np.arange(n), np.arange(n) % 2, np.array(score), np.zeros(n, bool))


def test_before_anything_is_learnt_the_blends_order_stands() -> None:
    shown = Bandit(0.0).rank(slate(score=(0.1, 0.5, 0.3)), 2)
    assert shown.chosen.tolist() == [1, 2]
    assert shown.chance == 1.0
    assert not shown.explored


def test_without_exploration_the_same_list_comes_again() -> None:
    bandit = Bandit(0.0)
    assert all(bandit.rank(slate(), 3).chosen.tolist() == [0, 1, 2] for _ in range(20))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_exploration_share_is_that_of_the_lists_that_explore(share: float) -> None:
    bandit = Bandit(share, random_state=1)
    explored = np.mean([bandit.rank(slate(), 1).explored for _ in range(400)])
    assert abs(explored - share) < 0.08


def test_the_kept_chance_is_how_often_the_first_stands_first() -> None:
    bandit = Bandit(0.8, width=2.0, random_state=2)
    shown = [bandit.rank(slate(), 1) for _ in range(1500)]
    for place in range(3):
        told = np.mean([s.chance for s in shown if s.chosen[0] == place])
        assert abs(told - np.mean([s.chosen[0] == place for s in shown])) < 0.05


def test_a_product_that_is_clicked_climbs_and_one_that_is_passed_over_falls() -> None:
    bandit = Bandit(0.1, random_state=0)
    chances = np.array([0.02, 0.05, 0.6])
    rng = np.random.default_rng(3)
    for turn in range(300):
        one = slate(turn % 30)
        shown = bandit.rank(one, 2)
        bandit.learn(one, shown, (rng.random(2) < chances[shown.chosen]).astype(float))
    assert Bandit.rank(bandit, slate(99), 1).chosen[0] == 2
    assert set(bandit.weights) == set(FEATURES)


def test_an_exploration_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        Bandit(1.5)


# off-policy -----------------------------------------------------------------------------------
def log(n: int, seed: int):
    """Three actions, taken with chances .6 .3 .1, rewarded with chances .1 .3 .6."""
    rng = np.random.default_rng(seed)
    chances, worth = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.3, 0.6])
    action = rng.choice(3, size=n, p=chances)
    return action, (rng.random(n) < worth[action]).astype(float), chances[action], worth


def test_all_estimates_find_the_value_of_a_policy_that_took_none_of_it() -> None:
    action, reward, logged, worth = log(8000, 0)
    wanted = (action == 2).astype(float)
    found = policy_value(reward, logged, wanted, np.full(8000, 0.2), np.full(8000, 0.2))
    assert [v.method for v in found] == ["ips", "snips", "dr"]
    for value in found:
        assert value.low <= worth[2] <= value.high
        assert abs(value.value - worth[2]) < 0.06
    assert 600 < found[0].effective < 1000


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = {"ips": 0, "snips": 0, "dr": 0}
    for seed in range(60):
        action, reward, logged, worth = log(400, seed)
        model = worth[action] * 0.8  # a model that is wrong by a fifth
        for v in policy_value(
            reward, logged, (action == 1) * 1.0, model, np.full(400, 0.24), rounds=150, seed=seed
        ):
            held[v.method] += v.low <= worth[1] <= v.high
    assert min(held.values()) >= 50


def test_doubly_robust_is_right_where_the_model_is_and_sharper_for_it() -> None:
    action, reward, logged, worth = log(3000, 4)
    wanted = (action == 2).astype(float)
    ips, _, dr = policy_value(reward, logged, wanted, worth[action], np.full(3000, worth[2]))
    assert dr.high - dr.low < ips.high - ips.low


def test_the_policy_that_logged_is_worth_what_it_earned() -> None:
    _, reward, logged, _ = log(500, 5)
    ips, snips = policy_value(reward, logged, logged)
    assert ips.value == pytest.approx(reward.mean())
    assert snips.value == pytest.approx(reward.mean())


@pytest.mark.parametrize(
    ("reward", "logged", "wanted"),
    [([], [], []), ([1.0], [0.0], [1.0]), ([1.0, 0.0], [0.5], [1.0]), ([1.0], [0.5], [1.5])],
)
def test_what_is_no_log_is_refused(reward, logged, wanted) -> None:
    with pytest.raises(BadInput):
        policy_value(np.array(reward), np.array(logged), np.array(wanted))
