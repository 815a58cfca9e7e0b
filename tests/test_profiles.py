"""Features, clustering, preference models and their quality, on data whose answers are known."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from customers.features.behaviour import buyers_after, category_rhythm, customer_rhythm
from customers.features.lines import baskets, purchase_lines, trips
from customers.profiles.design import ALL_COLUMNS, COLUMNS, FEATURE_WORDS
from customers.profiles.embedding import behaviour_embedding, weighted_taste
from customers.profiles.preference import fit_preference
from customers.profiles.quality import expected_calibration_error, quality, reliability
from customers.profiles.segments import name_segments
from customers.values import CategoryTaste, Name
from tests import shops


@pytest.fixture(scope="module")
def lines():
    backend = ibis.duckdb.connect(shops.built() / "store" / "shop.duckdb", read_only=True)
    yield purchase_lines(backend.table("events"), backend.table("products"))
    backend.disconnect()


def test_rhythm_counts_what_was_planted(lines):
    as_of = shops.FIRST + timedelta(days=99)
    table = customer_rhythm(baskets(lines, ["Private"]), as_of)
    row = table.filter(table.customer_id == "0").execute().iloc[0]
    # Customer 0 comes every 4th day: 25 trips on days 0, 4, ... 96.
    assert (row.baskets, row.days_since, row.tenure, row.usual_gap) == (25, 3, 99, 4.0)
    assert row.baskets_30 == 7  # days 72, 76, ... 96 are less than 30 days old
    assert row.decayed_14 == pytest.approx(sum(0.5 ** ((99 - day) / 14) for day in range(0, 100, 4)))
    assert (row.stores, row.main_store_share) == (1, 1.0)
    assert 0 < row.private_share < 1
    assert 0 < row.discount_share < 0.2


def test_nothing_after_the_cut_is_seen(lines):
    """Features as of a day are those of a shop that has no later events."""
    as_of = shops.FIRST + timedelta(days=99)
    early = lines.filter(lines.day <= ibis.literal(as_of))
    for whole, cut in (
        (category_rhythm(trips(lines, "category"), as_of), category_rhythm(trips(early, "category"), as_of)),
        (customer_rhythm(baskets(lines, []), as_of), customer_rhythm(baskets(early, []), as_of)),
    ):
        keys = [name for name in ("customer_id", "category") if name in whole.columns]
        one, other = (t.to_pandas().sort_values(by=keys).reset_index(drop=True) for t in (whole, cut))
        assert len(one) > 100
        for column in one.columns:
            if column in keys:
                assert one[column].tolist() == other[column].tolist()
            else:
                values = (frame[column].to_numpy(dtype=float, na_value=np.nan) for frame in (one, other))
                np.testing.assert_allclose(*values, rtol=1e-9)


def test_outcome_window_starts_the_day_after_the_cut(lines):
    table = trips(lines, "category")
    on_day = buyers_after(table, shops.FIRST + timedelta(days=4), 4).to_pandas()
    came = set(on_day.loc[on_day["customer_id"] == "0", "category"])
    bought = lines.filter((lines.customer_id == "0") & (lines.day == ibis.literal(date(2024, 1, 9))))
    assert came == set(bought.category.execute())  # days 5..8: customer 0 came on day 8 only


def _taste(en: str, zh: str, lift: float, share: float = 0.1) -> CategoryTaste:
    return CategoryTaste(en.upper(), Name(en, zh), 1.0, 1, share, lift)


def test_segment_names_are_unique_and_say_what_sets_apart():
    cats = [_taste("Cat food", "猫粮", 3.0), _taste("Cat litter", "猫砂", 2.0), _taste("Beer", "啤酒", 1.5)]
    first, second, third = name_segments(
        [cats, cats, [_taste("Other things", "其他", 4.0)]], [10, 10, 30], 10
    )
    assert first == Name("Shoppers of cat food and cat litter", "猫粮、猫砂偏好客群")
    assert second == Name("Shoppers of cat food, cat litter and beer", "猫粮、猫砂、啤酒偏好客群")
    assert third == Name("High-spend shoppers of everything", "综合购物客群（高消费）")


def test_alike_customers_are_near_in_embedding():
    counts = sp.csr_matrix(np.array([[5, 4, 0, 0], [4, 6, 0, 0], [0, 0, 5, 5], [0, 0, 4, 6.0]]))
    vectors = behaviour_embedding(counts, np.eye(4, dtype=np.float32))
    near = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(near), 1, atol=1e-5)
    assert near[0, 1] > 0.8
    assert near[2, 3] > 0.8
    assert near[0, 2] < 0


def test_taste_weighs_rare_items_more():
    taste = weighted_taste(sp.csr_matrix(np.array([[1, 1], [1, 0], [1, 0.0]]))).toarray()
    assert taste[0, 1] > taste[0, 0] > 0
    np.testing.assert_allclose(np.linalg.norm(taste, axis=1), 1)


@pytest.fixture(scope="module")
def fitted():
    """Truth drawn from known coefficients; categories differ in level and in one slope."""
    random = np.random.default_rng(1)
    columns = random.normal(size=(4000, 3, len(COLUMNS))).astype(np.float32)
    weights = np.zeros((3, len(COLUMNS)))
    weights[:, 0], weights[:, 5], weights[2, 5] = 1.0, -0.5, 0.8
    odds = np.einsum("ucf,cf->uc", columns, weights) + np.array([-1.0, 0.0, 1.0])
    truth = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    return fit_preference(["a", "b", "c"], columns, truth), columns, truth, weights


def test_preference_recovers_planted_coefficients(fitted):
    model, _, _, weights = fitted
    np.testing.assert_allclose(model.coefficients / model.scale, weights, atol=0.2)


def test_preference_is_calibrated_and_better_than_chance(fitted):
    model, columns, truth, _ = fitted
    scored = quality(truth, model.probability(columns))
    assert scored.roc_auc > 0.75
    assert scored.ece < 0.02
    assert scored.brier < truth.mean() * (1 - truth.mean())


def test_contributions_add_up_to_the_log_odds(fitted):
    model, columns, _, _ = fitted
    usual = columns.mean(axis=0, dtype=np.float64)
    for category in range(3):
        parts = model.contributions(columns[0, category], usual[category], category)
        odds = model.log_odds(np.stack([columns[0], usual.astype(np.float32)]))[:, category]
        assert sum(parts.values()) == pytest.approx(odds[0] - odds[1], abs=1e-4)


def test_preference_survives_saving(fitted, tmp_path):
    model, columns, _, _ = fitted
    model.save(tmp_path / "m.npz")
    again = type(model).load(tmp_path / "m.npz")
    assert again.categories == model.categories
    np.testing.assert_array_equal(again.probability(columns[:5]), model.probability(columns[:5]))


def test_every_behaviour_has_words_in_both_languages():
    assert set(ALL_COLUMNS.values()) == set(FEATURE_WORDS)
    for words in FEATURE_WORDS.values():
        assert all("3" in template.format(value=3.0, usual=1.0) for template in words)


def test_quality_of_nothing_is_not_a_number():
    empty = np.empty((0, 2))
    assert np.isnan(quality(empty, empty).roc_auc)
    assert np.isnan(expected_calibration_error(empty, empty))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=80))
def test_reliability_keeps_every_row(pairs):
    truth, probability = np.array([[float(y), p] for y, p in pairs]).T
    found = reliability(truth, probability)
    assert sum(count for *_, count in found) == len(pairs)
    assert sum(y * count for _, y, count in found) == pytest.approx(truth.sum())
    assert [p for p, *_ in found] == sorted(p for p, *_ in found)
