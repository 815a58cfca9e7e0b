"""Segments: found where they are planted, named by what sets them apart, and told how they moved."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from agent.events import Usage
from agent.prompts import default_prompts
from agent.segment_names import TRIES, propose, save
from customers.profiles.clustering import InterestSegments, KRow, choose
from customers.profiles.naming import carry, marks, refusal
from customers.profiles.segment_facts import match, over_represented
from customers.stores import segment_names
from customers.values import CategoryTaste, Name, Segment


def planted(groups: int = 4, each: int = 60, seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray]:
    """Customers who mostly buy their group's three of the categories, some much more than others."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), each)
    usual = np.full((groups, 3 * groups), 0.3)
    for group in range(groups):
        usual[group, 3 * group : 3 * group + 3] = 4.0
    much = random.gamma(2.0, 1.0, len(truth))[:, None] + 0.5
    return sp.csr_matrix(random.poisson(usual[truth] * much).astype(float)), truth


def test_planted_groups_and_their_number_are_found_whatever_is_spent():
    counts, truth = planted()
    found = InterestSegments(candidates=range(3, 7), resamples=3).fit(counts)
    assert found.n_clusters_ == 4
    assert adjusted_rand_score(truth, found.labels_) >= 0.95
    assert [row.k for row in found.table_] == [3, 4, 5, 6]
    chosen = found.table_[1]
    assert min(chosen.stability, chosen.halves) > 0.9
    assert chosen.gap == max(row.gap for row in found.table_)


def test_new_customers_go_where_their_like_are():
    counts, _ = planted()
    fitted = InterestSegments(4).fit(counts)
    newcomers, of_newcomers = planted(seed=1)
    assert adjusted_rand_score(of_newcomers, fitted.predict(newcomers)) >= 0.95
    np.testing.assert_array_equal(fitted.predict(counts), fitted.labels_)
    np.testing.assert_array_equal(fitted.distances(counts).argmin(axis=1), fitted.labels_)
    assert (np.diff(np.bincount(fitted.labels_)) <= 0).all()


def test_random_purchases_are_less_stable_than_planted_ones():
    noise = sp.csr_matrix(np.random.default_rng(0).poisson(1.0, (240, 12)).astype(float))
    by_k = [InterestSegments(candidates=(4,), resamples=3).fit(x).table_[0] for x in (noise, planted()[0])]
    assert by_k[0].halves < 0.5 < 0.9 < by_k[1].halves


@pytest.mark.parametrize("counts", [np.zeros((4, 2)), np.ones((30, 5))])
def test_customers_without_differences_make_one_segment(counts):
    found = InterestSegments().fit(counts)
    assert found.n_clusters_ == 1
    assert set(found.labels_) == {0}


def test_the_largest_gap_among_stable_numbers_without_tiny_segments_is_chosen():
    rows = (
        KRow(3, 0.5, 0.95, 0.2, gap=0.1),
        KRow(4, 0.4, 0.9, 0.1, gap=0.3),
        KRow(5, 0.4, 0.9, 0.01, gap=0.9),
        KRow(6, 0.3, 0.5, 0.05, gap=0.8),
    )
    assert choose(rows, smallest=0.03, stable=0.85) == 4
    assert choose(rows, smallest=0.15, stable=0.85) == 3
    assert choose(rows, smallest=0.03, stable=0.99) == 3


@parametrize_with_checks(
    [InterestSegments(candidates=(3,), resamples=1)],
    expected_failed_checks=lambda estimator: {
        "check_clustering": "blobs differ in place, and this clusters on direction",
    },
)
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_segments_are_matched_to_those_that_most_of_their_customers_were_in():
    before = {str(i): "ab"[i // 50] for i in range(100)}
    now = {str(i): "2" if i < 45 else "1" for i in range(95)} | {str(i): "3" for i in range(100, 140)}
    assert match(now, before) == {"2": "a", "1": "b"}
    assert match(now, {}) == {}


def test_traits_are_told_where_they_are_no_chance_and_at_least_ten_have_them():
    segment_of = {str(i): "a" if i < 100 else "b" for i in range(400)}
    kids = [(str(i), "kids", "3+" if i < 40 or 100 <= i < 130 else "none") for i in range(400)]
    few = [(str(i), "pets", "newt" if i < 9 else "none") for i in range(400)]
    even = [(str(i), "age", "old" if i % 2 else "young") for i in range(400)]
    found = over_represented(segment_of, kids + few + even)
    assert ("a", "kids", "3+", 40, 0.4, 70 / 400) in found
    assert {(s, a, v) for s, a, v, *_ in found} == {
        ("a", "kids", "3+"),
        ("b", "kids", "none"),
        ("b", "pets", "none"),
    }


def _segment(segment_id: str, *tops: tuple[str, str, float]) -> Segment:
    tastes = tuple(CategoryTaste(en.upper(), Name(en, zh), 1.0, 1, 0.1, lift) for en, zh, lift in tops)
    return Segment(
        segment_id, Name(f"Rule {segment_id}", f"规则{segment_id}"), 10, 0.5, 1.0, 1.0, 1.0, tastes
    )


CATS = _segment(
    "1",
    ("Cat food", "猫粮", 3.0),
    ("Cat litter", "猫砂", 2.0),
    ("Berries", "浆果", 1.6),
    ("Milk", "牛奶", 1.1),
)
WINE = _segment("2", ("Wine", "葡萄酒", 4.0), ("Cheese", "奶酪", 2.0))


@pytest.mark.parametrize(
    ("en", "zh", "why"),
    [
        ("Cat lovers", "猫粮爱好者", None),
        ("Berry fans", "浆果爱好者", None),
        ("Feline devotees", "猫粮爱好者", "en name must mention"),
        ("Cat lovers", "宠物爱好者", "zh name must mention"),
        ("Milk lovers", "牛奶爱好者", "en name must mention"),  # a lift of 1.1 sets nobody apart
        ("Food lovers", "猫粮爱好者", "en name must mention"),
        ("Young cat lovers", "猫粮爱好者", "not who they are"),
        ("Cat lovers", "年轻猫粮爱好者", "not who they are"),
        ("Top 10 cat lovers", "猫粮爱好者", "digits"),
        ("Cat lovers", "Cat 爱好者", "Chinese"),
        ("<b>Cat</b>", "猫粮爱好者", "words only"),
        ("Cat lovers of the very widest variety ever seen", "猫粮爱好者", "characters"),
        ("Cat owners", "猫粮爱好者", "another segment's"),
    ],
)
def test_a_name_must_say_what_sets_the_segment_apart(en, zh, why):
    said = refusal(Name(en, zh), marks(CATS), [Name("cat OWNERS", "养猫客群")])
    assert said is None if why is None else why in str(said)


def test_everyday_words_for_a_category_count_as_its_name():
    words = [("category", "CAT FOOD", "en", "kibble"), ("category", "CAT FOOD", "zh", "宠物食粮")]
    assert refusal(Name("Kibble buyers", "宠物食粮爱好者"), marks(CATS, words)) is None


class Scripted:
    """Gives the answers one by one; keeps what it was asked."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self.answers, self.asked = list(answers), []

    def plan(self, messages, schema, *, max_tokens, slot="plan"):
        self.asked.append(messages[-1]["content"])
        en, zh = self.answers.pop(0)
        return {"en": en, "zh": zh}, Usage()


def test_a_refused_name_is_asked_for_again_with_the_reason_and_at_last_left(tmp_path):
    model = Scripted(
        ("Rich people", "富人"), ("Cat lovers", "猫粮爱好者"), *[("Cat lovers", "猫粮爱好者")] * TRIES
    )
    first, second = propose([CATS, WINE], [], model, default_prompts())
    assert first.name == Name("Cat lovers", "猫粮爱好者")
    assert "Rich people" in model.asked[1]
    assert second.name is None
    assert len(second.refused) == TRIES
    save(tmp_path, [first, second], "a-model", default_prompts())
    kept = segment_names.read(tmp_path)
    assert list(kept) == ["1"]
    assert (kept["1"].zh, kept["1"].model) == ("猫粮爱好者", "a-model")


def test_given_names_go_on_with_the_customers_but_not_where_they_stopped_being_true(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    given = segment_names.GivenName("Cat lovers", "猫粮爱好者", "m", "p", "2026-01-01")
    segment_names.write(old, {"9": given, "8": given})
    before = {str(i): "9" if i < 50 else "8" for i in range(100)}
    now = {str(i): "1" if i < 50 else "2" for i in range(100)}
    carry(old, new, now, before, [CATS, WINE], [])
    assert segment_names.read(new) == {"1": given}


def test_a_damaged_file_of_names_names_nothing(tmp_path):
    (tmp_path / segment_names.FILE).write_text(json.dumps({"1": ["x"]}), encoding="utf-8")
    assert segment_names.read(tmp_path) == {}
