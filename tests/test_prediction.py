"""What comes next of a customer: known answers of BG/NBD, no look ahead, honest intervals, and guesses
that stay off until they are asked for and never become facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import ibis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st
from scipy.integrate import quad

from customers.encoder import MultilingualEncoder
from customers.features.lines import day_number
from customers.profiles.churn import Churn
from customers.profiles.forecast import Forecast
from customers.profiles.gaps import AttributeGuess, bands, write_guesses
from customers.profiles.lifetime import BgNbd, GammaGamma
from customers.profiles.next_order import NextOrder
from customers.profiles.orders import FEATURES, Orders, learning_days
from customers.profiles.spend_ahead import SpendAhead
from customers.profiles.workspace import Workspace, behaviours
from customers.shop import Shop
from customers.values import Guess, Outlook
from settings import Settings
from tests import corner, shops
from tools import TOOLS, outlook

DAY = date(2024, 6, 1)


def _bought(params: tuple[float, float, float, float], n: int, days: float, seed: int = 1) -> np.ndarray:
    """Customers who behave as BG/NBD says, seen for `days`."""
    rng, (r, alpha, a, b), rows = np.random.default_rng(seed), params, []
    for rate, stop in zip(rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n), strict=True):
        now, orders, last = 0.0, 0, 0.0
        while True:
            now += rng.exponential(1 / rate)
            if now > days:
                break
            orders, last = orders + 1, now
            if rng.random() < stop:
                break
        rows.append((orders, last, days))
    return np.array(rows)


@pytest.fixture(scope="module")
def cdnow() -> BgNbd:
    """With the parameters published for the CDNOW data (Fader, Hardie & Lee 2005; weeks)."""
    model = BgNbd()
    model.params_ = np.array([0.243, 4.414, 0.793, 2.426])
    return model


def test_expected_orders_are_those_published(cdnow):
    assert cdnow.expected([[2, 30.43, 38.86]], 39)[0] == pytest.approx(1.226, abs=0.001)


def test_amounts_expected_are_those_published():
    model = GammaGamma()
    model.params_ = np.array([6.25, 3.74, 15.44])
    assert model.predict([[2, 22.35], [0, 0]]) == pytest.approx([24.66, 35.22], abs=0.01)


@pytest.mark.parametrize(
    ("orders", "last", "now"), [(0, 0, 50), (5, 100, 300), (150, 355, 360), (400, 358, 360)]
)
def test_expected_orders_are_the_integral_over_who_the_customer_may_be(orders, last, now):
    model = BgNbd()
    model.params_ = np.array([1.4, 10.0, 2.0, 20.0])
    r, alpha, a, b = model.params_
    x = [[orders, last, now]]

    def given_stop(p: float) -> float:
        log = (a - 1) * np.log(p) + (b + orders - 1) * np.log1p(-p)
        return np.exp(log - top) * (1 - (1 + p * 90 / (alpha + now)) ** -(r + orders)) / p

    mode = (a - 1) / (a + b + orders - 2)
    top = (a - 1) * np.log(mode) + (b + orders - 1) * np.log1p(-mode)
    whole = quad(
        lambda p: np.exp((a - 1) * np.log(p) + (b + orders - 1) * np.log1p(-p) - top), 0, 1, points=[mode]
    )[0]
    want = quad(given_stop, 0, 1, points=[mode])[0] / whole * model.alive(x)[0]
    assert model.expected(x, 90)[0] == pytest.approx(want, rel=1e-5)


def test_fit_finds_the_parameters_that_customers_were_made_with():
    truth = (1.2, 12.0, 1.0, 6.0)
    seen = _bought(truth, 4000, 300)
    fitted = BgNbd().fit(seen)
    assert fitted.params_[0] / fitted.params_[1] == pytest.approx(truth[0] / truth[1], rel=0.1)
    a, b = fitted.params_[2:]
    assert a / (a + b) == pytest.approx(1 / 7, rel=0.1)
    at_truth = BgNbd._log_likelihood(np.array(truth), *seen.T).sum()
    assert at_truth <= fitted.log_likelihood_ < at_truth + 10


def test_fit_finds_the_mean_amount_of_an_order():
    rng = np.random.default_rng(2)
    p, q, v = 6.0, 4.0, 15.0
    x = rng.integers(1, 9, 4000)
    m = rng.gamma(p * x, 1 / (rng.gamma(q, 1 / v, 4000) * x))
    p, q, v = GammaGamma().fit(np.column_stack([x, m])).params_
    assert p * v / (q - 1) == pytest.approx(30.0, rel=0.05)


@given(st.integers(0, 200), st.floats(0, 300), st.floats(1, 60), st.floats(0.02, 0.98))
def test_days_to_the_next_order_are_those_after_which_silence_has_the_chance_left(orders, last, more, q):
    model = BgNbd()
    model.params_ = np.array([1.4, 10.0, 0.2, 20.0])
    x = [[orders, last if orders else 0.0, last + more]]
    days = model.quantile(x, q)[0]
    if np.isfinite(days) and days < 1e6:
        assert model.silent(x, days)[0] == pytest.approx(1 - q, abs=1e-6)
    else:
        assert model.silent(x, 1e6)[0] > 1 - q - 1e-6
    assert 0 <= model.alive(x)[0] <= 1


@pytest.mark.parametrize("x", [[[1, 5, 3]], [[0, 2, 3]], [[-1, 0, 3]], [[1, 2]]])
def test_bg_nbd_refuses_what_cannot_be(x):
    with pytest.raises(ValueError, match=r"last order|three columns"):
        BgNbd().fit(x)


# order days --------------------------------------------------------------------------------
def _orders(rows: list[tuple[str, int, float]]) -> Orders:
    """(customer, days after DAY, money)."""
    rows = sorted(rows)
    names = sorted({name for name, *_ in rows})
    return Orders(
        names,
        np.array([names.index(name) for name, *_ in rows], dtype=np.int64),
        np.array([day_number(DAY) + day for _, day, _ in rows], dtype=np.int64),
        np.array([money for *_, money in rows], dtype=np.float64),
    )


def _feature(orders: Orders, as_of: date, name: str) -> list[float]:
    return orders.features(as_of)[:, FEATURES.index(name)].tolist()


def test_order_features_of_a_hand_made_history():
    orders = _orders([("a", 0, 10), ("a", 4, 20), ("a", 10, 30), ("a", 15, 99), ("b", 9, 5), ("c", 12, 1)])
    as_of = DAY + timedelta(days=10)
    assert orders.known(as_of).tolist() == [0, 1]
    assert orders.repeats(as_of).tolist() == [[2, 10, 10, 25], [0, 0, 1, 0]]
    assert _feature(orders, as_of, "days_since") == [0, 1]
    assert _feature(orders, as_of, "orders_7") == [2, 1]
    assert _feature(orders, as_of, "spend_30") == [60, 5]
    assert _feature(orders, as_of, "gap_mean")[0] == 5
    assert np.isnan(_feature(orders, as_of, "gap_mean")[1])
    assert orders.next_gap(as_of, 30).tolist() == [5, 31]
    assert orders.next_gap(as_of, 4).tolist() == [5, 5]
    assert orders.spend_after(as_of, 30).tolist() == [99, 0]
    assert orders.spend_after(as_of, 4).tolist() == [0, 0]


histories = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 60), st.floats(0, 99)),
    min_size=1,
    unique_by=lambda r: r[:2],
)


@few(deadline=None, max_examples=60)
@given(histories, st.integers(0, 60))
def test_nothing_later_than_the_day_is_known_on_it(rows, when):
    as_of = DAY + timedelta(days=when)
    past = [row for row in rows if row[1] <= when]
    whole = _orders(rows)
    names = [whole.customers[i] for i in whole.known(as_of)]
    assert names == sorted({name for name, *_ in past})
    if past:
        np.testing.assert_allclose(whole.features(as_of), _orders(past).features(as_of))
        np.testing.assert_allclose(whole.repeats(as_of), _orders(past).repeats(as_of))


def test_learning_days_have_their_outcomes_behind_them_and_history_before():
    first = date(2024, 1, 1)
    for until, horizon in ((date(2024, 12, 31), 90), (date(2024, 5, 1), 30), (date(2024, 2, 1), 30)):
        for day in learning_days(first, until, horizon):
            assert day + timedelta(days=horizon) <= until
            assert (day - first).days >= 60
    assert learning_days(first, date(2024, 2, 1), 30) == []


@pytest.mark.slow
def test_predictions_of_a_day_do_not_change_with_what_came_later():
    rng = np.random.default_rng(3)
    rows = {
        (f"c{c:03}", int(day), 10.0)
        for c in range(120)
        for day in np.cumsum(rng.exponential(3 + c % 20, 40)).astype(int)
        if day < 300 and not (c % 10 == 0 and day > 120)
    }
    rows = [(name, day, money) for name, day, money in rows]
    cut = DAY + timedelta(days=220)
    whole = Forecast(_orders(rows), DAY).ahead(cut)
    seen = Forecast(_orders([row for row in rows if row[1] <= 220]), DAY).ahead(cut)
    for name in ("order_days", "churn", "value", "value_ends", "alive"):
        np.testing.assert_allclose(getattr(whole, name), getattr(seen, name))


# estimators --------------------------------------------------------------------------------
def test_next_order_quantiles_hold_what_they_promise_though_outcomes_are_cut_off():
    rng = np.random.default_rng(4)
    x = rng.uniform(2, 60, (4000, 1))
    days = np.ceil(rng.exponential(x[:, 0]))
    model = NextOrder(horizon=40, trees=40).fit(x[:2000], np.minimum(days[:2000], 41))
    low, median, high = model.predict(x[2000:]).T
    assert (low <= median).all()
    assert (median <= high).all()
    assert (low >= 1).all()
    assert high.max() <= 41
    assert (days[2000:] <= median)[x[2000:, 0] < 40].mean() == pytest.approx(0.5, abs=0.06)
    assert (days[2000:] < low).mean() < 0.13


def test_churn_chances_are_calibrated_and_order_customers():
    rng = np.random.default_rng(5)
    x = rng.exponential(30, (6000, 2))
    x[::7, 1] = np.nan
    chance = 1 / (1 + np.exp(6 - 2 * np.log1p(x[:, 0])))
    gone = (rng.random(6000) < chance).astype(int)
    told = Churn().fit(x[:3000], gone[:3000]).predict_proba(x[3000:])[:, 1]
    assert told.mean() == pytest.approx(gone[3000:].mean(), abs=0.02)
    assert np.abs(told - chance[3000:]).mean() < 0.03
    with pytest.raises(ValueError, match="class"):
        Churn().fit(x, np.zeros(6000))


def test_spend_interval_holds_eight_in_ten_and_the_total_is_met():
    rng = np.random.default_rng(6)
    usual = rng.gamma(2, 60, 4000)
    x = np.column_stack([usual * rng.uniform(0.8, 1.2, 4000), rng.uniform(0, 9, 4000)])
    money = np.where(rng.random(4000) < 0.1, 0, usual * rng.gamma(6, 1 / 6, 4000))
    model = SpendAhead().fit(x[:2000], money[:2000])
    low, high = model.interval(x[2000:]).T
    assert ((money[2000:] >= low) & (money[2000:] <= high)).mean() == pytest.approx(0.8, abs=0.04)
    assert model.predict(x[2000:]).sum() == pytest.approx(money[2000:].sum(), rel=0.05)
    assert (low >= 0).all()


# the built shop ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def shop():
    opened = Shop.open(shops.built())
    yield opened
    opened.close()


def test_the_one_who_stopped_is_the_likeliest_to_stay_away(shop):
    outlooks = {key: shop.profile(key).outlook for key in shop.customer_ids()}
    assert max(outlooks, key=lambda key: outlooks[key].churn) == shops.STOPPED
    assert outlooks[shops.STOPPED].value == min(o.value for o in outlooks.values())


def test_those_who_keep_a_rhythm_are_expected_within_it(shop):
    for key in ("0", "13", "20", "100"):  # every 4 + customer % 9 days
        told = shop.profile(key).outlook
        assert shops.LAST < told.next_low <= told.next_order <= told.next_high
        assert (told.next_order - shops.LAST).days <= 4 + int(key) % 9 + 1
        assert told.value_low < told.value < told.value_high


@pytest.mark.parametrize(("about", "predicates"), [
    ("visits", {"expected_next_order", "no_purchase_within_60_days"}),
    ("next", {"expected_next_order", "no_purchase_within_60_days"}),
    ("spending", {"expected_spend_within_90_days"}),
    ("attributes", set()),
])  # fmt: skip
def test_estimates_are_told_where_the_question_leads(shop, about, predicates):
    facts = {f.predicate: f for f in TOOLS["profile"].run(shop, {"customer": "1", "about": about}).facts}
    estimates = {name for name in facts if name.startswith(("expected", "no_purchase", "probable"))}
    assert estimates == predicates
    for name in estimates - {"no_purchase_within_60_days"}:
        assert "8 times in 10" in facts[name].text["en"]
        assert "10次中有8次" in facts[name].text["zh"]
        assert "expected" in facts[name].text["en"]
        assert "预计" in facts[name].text["zh"]


def test_an_order_beyond_the_horizon_is_said_to_be_unlikely_never_dated(shop):
    profile = shop.profile("1")
    never = Outlook(DAY, None, None, None, 0.1, 0.9, 1.0, 0.0, 2.0)
    late = replace(never, next_low=date(2024, 6, 5), next_order=date(2024, 7, 1))
    told = outlook.next_order(replace(profile, outlook=never))[0]
    assert told.value is None
    assert "less likely than not" in told.text["en"]
    assert "多半不会" in told.text["zh"]
    told = outlook.next_order(replace(profile, outlook=late))[0]
    assert "July 1, 2024 (9 times in 10 not before June 5, 2024)" in told.text["en"]
    assert outlook.next_order(replace(profile, outlook=None)) == []


# gaps --------------------------------------------------------------------------------------
def test_nothing_is_guessed_unless_it_is_asked_for(shop, monkeypatch):
    monkeypatch.delenv("SHOPKEEPER_FILL_GAPS", raising=False)
    assert not Settings().fill_gaps
    monkeypatch.setenv("SHOPKEEPER_FILL_GAPS", "1")
    assert Settings().fill_gaps
    assert shop.query("SELECT count(*) FROM attribute_guesses") == [(0,)]
    assert all(not shop.profile(key).guesses for key in ("0", "1", "2"))


@pytest.fixture
def work(tmp_path: Path):
    """The planted shop in which 150 customers told whether they have a baby; 10 told their age, and
    nearly all the same of their home."""
    shops.write_store(tmp_path / "shop.duckdb")
    backend = ibis.duckdb.connect(tmp_path / "shop.duckdb")
    opened = Workspace(tmp_path, MultilingualEncoder(), backend, backend.con)
    opened.con.execute("DELETE FROM attributes")
    told = [(str(c), "baby", "yes" if shops.taste_of(c) == "baby" else "no") for c in range(200) if c % 4]
    told += [(str(c), "home", "Renter" if c % 10 == 0 else "Homeowner") for c in range(150)]
    told += [(str(c), "age", ("25-34", "45-54")[c % 2]) for c in range(10)]
    opened.con.executemany("INSERT INTO attributes VALUES (?, ?, ?)", told)
    behaviours(opened)
    yield opened
    opened.close()


def test_guesses_are_chances_for_those_who_did_not_tell_and_stay_apart(work):
    before = work.con.execute("SELECT * FROM attributes ORDER BY ALL").fetchall()
    write_guesses(work, fill=True)
    guessed = work.con.execute("SELECT * FROM attribute_guesses").fetchall()
    assert {int(c) for c, *_ in guessed} == {c for c in range(200) if c % 4 == 0}
    assert {attribute for _, attribute, *_ in guessed} == {
        "baby"
    }  # age is known of too few, home says nothing
    assert all(0.5 <= chance < 1 for *_, chance in guessed)
    right = [value == ("yes" if shops.taste_of(int(c)) == "baby" else "no") for c, _, value, _ in guessed]
    assert np.mean(right) > 0.75  # "no" to all would be right for 0.6
    assert work.con.execute("SELECT * FROM attributes ORDER BY ALL").fetchall() == before


def test_without_being_asked_the_table_of_guesses_is_empty(work):
    write_guesses(work, fill=False)
    assert work.con.execute("SELECT count(*) FROM attribute_guesses").fetchall() == [(0,)]


def test_a_guess_is_worded_as_one_never_as_what_is_known():
    shop = corner.shop()
    profile = replace(shop.profile("1"), guesses={"age": Guess("25-34 / 65+", 0.62)})
    told = outlook.guesses(shop, profile)
    assert "probably aged 25-34 or aged 65 and over (62%)" in told[0].text["en"]
    assert "很可能是25-34岁或65岁及以上（62%）" in told[0].text["zh"]
    less = outlook.guesses(shop, replace(profile, guesses={"age": Guess("65+", 0.4)}))[0]
    assert "perhaps aged 65 and over (40%)" in less.text["en"]
    assert "也许是65岁及以上（40%）" in less.text["zh"]
    assert (told[0].value, told[0].unit) == (0.62, "probability")
    assert "age" not in profile.attributes


def test_chances_of_values_are_calibrated_though_rare_ones_are_chosen_too():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(4000, 3))
    y = np.where(x[:, 0] + rng.normal(size=4000) > 2, "rare", "usual")
    model = AttributeGuess(1.0).fit(x[:2000], y[:2000])
    chance = model.predict_proba(x[2000:])
    assert chance[:, 0].mean() == pytest.approx((y[2000:] == "rare").mean(), abs=0.02)
    assert (model.predict(x[2000:]) == "rare").mean() > (chance[:, 0] > 0.5).mean()


@pytest.mark.parametrize(("values", "joined"), [
    (["19-24"] * 5 + ["25-34"] * 15 + ["35-44"] * 40 + ["65+"] * 40, {"19-24": ("19-24", "25-34")}),
    (["Under 15K"] * 5 + ["15-24K"] * 45 + ["100-124K"] * 40 + ["250K+"] * 10,
     {"Under 15K": ("Under 15K", "15-24K"), "250K+": ("100-124K", "250K+")}),
    (["Renter"] * 2 + ["Homeowner"] * 98, {"Renter": ("Renter",)}),
])  # fmt: skip
def test_small_neighbouring_bands_are_taken_together(values, joined):
    found = bands(values)
    assert set(found) == set(values)
    for value, group in joined.items():
        assert found[value] == group
