"""Intervals and tests of scores, against known answers and slow ways to the same ones."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from eval import stats
from eval.stats import Estimate


def _values(right: int, wrong: int) -> dict[str, float]:
    return {f"case-{i}": float(i < right) for i in range(right + wrong)}


def _trials(right: int, wrong: int) -> dict[str, list[float]]:
    return {case: [value] for case, value in _values(right, wrong).items()}


# wilson and score ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilsons_interval_is_the_published_one(right: int, n: int, low: float, high: float) -> None:
    assert stats.wilson(right, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_refuses_what_is_no_share() -> None:
    with pytest.raises(ValueError, match="from 0 to n"):
        stats.wilson(11, 10)


def test_a_score_averages_the_trials_of_a_case_first() -> None:
    found = stats.score({"often asked": [0.0] * 9, "asked once": [1.0], "never scored": []})
    assert (found.value, found.n) == (0.5, 2)


def test_a_pair_of_languages_counts_as_one_case_in_the_interval() -> None:
    pairs = {case: case[:-1] for case in ("1e", "1z", "2e", "2z")}
    found = stats.score({case: [float(case < "2")] for case in pairs}, pairs)
    assert (found.low, found.high) == pytest.approx(stats.wilson(1, 2))
    assert found.n == 4


# bootstrap -----------------------------------------------------------------------------------
def test_the_bootstrap_agrees_with_the_normal_theory() -> None:
    found = stats.bootstrap(_values(200, 200))
    half = 1.96 * 0.5 / sqrt(400)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=0.004)


def test_the_same_seed_draws_the_same_interval_and_another_seed_another() -> None:
    values = {i: float(v) for i, v in enumerate(np.random.default_rng(1).random(30))}
    assert stats.bootstrap(values, seed=3) == stats.bootstrap(values, seed=3)
    assert stats.bootstrap(values, seed=3) != stats.bootstrap(values, seed=4)


def test_copies_in_another_language_do_not_narrow_the_interval() -> None:
    values = _values(15, 15)
    twice = {(case, language): v for case, v in values.items() for language in ("en", "zh")}
    clusters = {key: key[0] for key in twice}
    once, apart = stats.bootstrap(values), stats.bootstrap(twice)
    together = stats.bootstrap(twice, clusters)
    assert (together.low, together.high, together.n) == (once.low, once.high, 60)
    assert apart.high - apart.low < 0.8 * (together.high - together.low)


def test_95_intervals_in_100_hold_the_true_difference() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        a, b = (rng.random(80) < 0.7), (rng.random(80) < 0.6)
        found = stats.paired_difference(
            dict(enumerate(a[:, None].astype(float))),
            dict(enumerate(b[:, None].astype(float))),
            resamples=400,
        )
        held += found.low <= -0.1 <= found.high
    assert 180 <= held <= 198


def test_a_paired_difference_takes_the_cases_that_both_have() -> None:
    a = {"x": [1.0, 1.0], "y": [0.0, 1.0], "only a": [0.0]}
    b = {"x": [0.0], "y": [1.0, 1.0], "only b": [1.0], "broke off": []}
    assert stats.differences(a, b) == {"x": -1.0, "y": 0.5}
    found = stats.paired_difference(a, b)
    assert (found.value, found.n) == (-0.25, 2)


def test_with_one_case_or_none_everything_stays_possible() -> None:
    assert stats.paired_difference({}, {}) == Estimate(0.0, -1.0, 1.0, 0)
    assert stats.paired_difference({"x": [1.0]}, {"x": [0.0]}) == Estimate(-1.0, -1.0, 1.0, 1)
    assert stats.score({}) == stats.bootstrap({}) == stats.pass_power({}, 2) == Estimate(0.0, 0.0, 1.0, 0)
    assert stats.sign_flip({}) == (1.0, 1.0)
    assert stats.holm([]) == []


# pass^k --------------------------------------------------------------------------------------
@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_power_is_the_share_of_choices_of_k_trials_that_are_all_right(
    trials: list[bool], k: int
) -> None:
    found = stats.pass_power({"case": [float(t) for t in trials]}, k, resamples=10)
    if k > len(trials):
        assert found.n == 0
    else:
        chosen = list(combinations(trials, k))
        assert found.value == pytest.approx(sum(map(all, chosen)) / len(chosen))


def test_pass_power_over_cases_and_its_interval() -> None:
    trials = {i: [1.0, 1.0, 1.0, float(i % 2)] for i in range(40)}
    assert [stats.pass_power(trials, k).value for k in (1, 2, 3, 4)] == [0.875, 0.75, 0.625, 0.5]
    found = stats.pass_power(trials, 4)
    assert found.low == pytest.approx(0.35, abs=0.03)
    assert found.high == pytest.approx(0.65, abs=0.03)
    with pytest.raises(ValueError, match="k is 1 or more"):
        stats.pass_power(trials, 0)


def test_a_graded_trial_is_right_only_when_wholly_so() -> None:
    assert stats.pass_power({"x": [0.9, 1.0]}, 1).value == 0.5


# tests ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("lost", "won"), [(5, 0), (9, 3), (2, 2), (30, 14)])
def test_a_sign_flip_of_right_and_wrong_is_mcnemars_exact_test(lost: int, won: int) -> None:
    differences = {i: -1.0 if i < lost else 1.0 for i in range(lost + won)} | {"alike": 0.0}
    low, high = stats.sign_flip(differences)
    assert low == pytest.approx(binomtest(won, lost + won, alternative="less").pvalue, abs=0.005)
    assert high == pytest.approx(binomtest(won, lost + won, alternative="greater").pvalue, abs=0.005)


def test_a_sign_flip_turns_a_pair_of_languages_together() -> None:
    pairs = {i: i // 2 for i in range(10)}
    assert stats.sign_flip(dict.fromkeys(range(10), -1.0), pairs)[0] == 1 / 32


def test_nothing_that_differs_is_no_sign_of_anything() -> None:
    assert stats.sign_flip(dict.fromkeys(range(9), 0.0)) == (1.0, 1.0)


def test_holms_correction() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]
