"""Rules of interests: against counting by hand, planted ones found, and told of the segments they belong to."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.utils.estimator_checks import parametrize_with_checks

from customers.profiles.rules import InterestRules, Rule, frequent, of_segments, rules_of
from customers.shop import Shop
from eval.profiles.rules import held_lift
from tests import shops


@settings(max_examples=40, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 5))), st.sampled_from([0.1, 0.3, 0.6]))
def test_frequent_sets_are_those_that_counting_finds(marks: np.ndarray, support: float):
    counted = {
        frozenset(held): n
        for size in (1, 2, 3)
        for held in combinations(range(marks.shape[1]), size)
        if (n := int(marks[:, list(held)].all(axis=1).sum())) / len(marks) >= support
    }
    assert frequent(marks, support, 3) == counted


def _marks(*groups: tuple[int, list[int]]) -> np.ndarray:
    """So many customers with these interests each, of four categories."""
    return np.array([[j in held for j in range(4)] for n, held in groups for _ in range(n)])


def test_a_rule_has_the_figures_that_follow_from_counts():
    marks = _marks((30, [0, 1]), (10, [0]), (10, [1]), (50, [2]))
    (one, other) = sorted(rules_of(frequent(marks, 0.1, 3), 100, 1.5, 1.2), key=lambda rule: rule.when)
    assert (one.when, one.then) == ((0,), 1)
    assert (other.when, other.then) == ((1,), 0)
    assert one.support == pytest.approx(0.3)
    assert one.confidence == pytest.approx(30 / 40)
    assert one.lift == pytest.approx(0.75 / 0.4)


def test_a_longer_rule_stays_only_where_it_says_more():
    same = _marks((30, [0, 1, 3]), (30, [0, 3]), (40, [2]))  # 0 tells 3 already: 1 adds nothing
    more = _marks((30, [0, 1, 3]), (30, [0]), (30, [1]), (30, [2]))  # only both together tell 3

    def longer(marks: np.ndarray) -> list[Rule]:
        return [r for r in rules_of(frequent(marks, 0.1, 3), len(marks), 1.2, 1.2) if len(r.when) == 2]

    assert not any(rule.then == 3 for rule in longer(same))
    assert [rule.when for rule in longer(more) if rule.then == 3] == [(0, 1)]


def _counts(seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray]:
    """400 customers in four groups of a hundred; each buys much of its own two categories of twelve."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), 100)
    usual = np.full((400, 12), 2.0)
    for group in range(4):
        usual[labels == group, 2 * group : 2 * group + 2] = 14.0
    return sp.csr_matrix(random.poisson(usual).astype(float)), labels


def test_planted_interests_that_go_together_are_found_and_no_others():
    counts, _ = _counts()
    found = InterestRules(support=0.1).fit(counts)
    pairs = {((2 * g + a,), 2 * g + 1 - a) for g in range(4) for a in (0, 1)}
    assert {rule.key for rule in found.rules_} == pairs
    assert [rule.lift for rule in found.rules_] == sorted((r.lift for r in found.rules_), reverse=True)


def test_what_is_told_of_a_customer_is_the_confidence_and_nothing_known_already():
    counts, _ = _counts()
    found = InterestRules(support=0.1).fit(counts)
    lonely = sp.csr_matrix(np.array([[20.0, *[2.0] * 11], [20.0, 20.0, *[2.0] * 10]]))
    told = found.transform(lonely)
    assert told[0, 1] == next(rule.confidence for rule in found.rules_ if rule.key == ((0,), 1))
    assert told[1, :2].tolist() == [0.0, 0.0]


def test_a_segment_gets_the_rules_that_are_its_own_once_each():
    counts, labels = _counts()
    found = InterestRules(support=0.1).fit(counts)
    marks = found.interests(counts)
    own = of_segments(found.rules_, marks, labels)
    assert [{*one.rule.when, one.rule.then} for part in own for one in part] == [
        {2 * g, 2 * g + 1} for g in range(4)
    ]
    (first,) = own[0]
    inside = marks[labels == 0]
    assert first.customers == inside[:, [0, 1]].all(axis=1).sum()
    assert first.confidence == pytest.approx(first.customers / inside[:, list(first.rule.when)].sum())


def test_held_out_lift_compares_with_everybody_and_with_those_who_had_no_such_interest():
    rule = Rule((0,), 1, 0.5, 1.0, 2.0)
    before = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], bool)
    after = np.array([[0, 1], [0, 1], [0, 0], [0, 0]], bool)
    assert held_lift([rule], before, after, np.ones_like(before)) == pytest.approx(2 / (2 * 0.5))
    assert held_lift([rule], before, after, ~before) == pytest.approx(1 / (1 * 1 / 3))
    assert np.isnan(held_lift([], before, after, ~before))


def test_nobody_and_nothing_make_no_rule():
    assert InterestRules().fit(np.zeros((3, 4))).rules_ == ()
    assert frequent(np.zeros((0, 4), bool), 0.1, 3) == {}
    with pytest.raises(ValueError, match="Negative"):
        InterestRules().fit(np.array([[-1.0, 2.0]]))


def test_a_build_keeps_its_rules_and_a_segment_tells_them():
    shop = Shop.open(shops.built())
    rules = shop.query("SELECT when_key, then_key, support, confidence, lift FROM interest_rules")
    assert all(0 < support <= confidence <= 1 and lift >= 1.5 for *_, support, confidence, lift in rules)
    told = {(s.segment_id, r.then.en, r.customers) for s in shop.segments() for r in s.together}
    kept = shop.query("SELECT segment_id, then_key, customers FROM segment_rules")
    assert told == {(s, shop.name("category", then).en, n) for s, then, n in kept}
    shop.close()


@parametrize_with_checks([InterestRules()])
def test_rules_keep_to_scikit_learn_s_contract(estimator, check):
    check(estimator)


def test_nothing_that_a_build_imports_turns_warnings_on() -> None:
    code = (
        "import warnings; import customers.pipeline, customers.profiles.build;"
        "print([f for f in warnings.filters if f[0] == 'always' and f[2] is DeprecationWarning])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
