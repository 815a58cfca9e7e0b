"""Features of every kind of event, and their encoding: known answers, nothing later, kept to the last digit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from customers.errors import NotBuilt
from customers.features import kinds
from customers.features.encoding import Encoding, LaterData, fit_encoding
from customers.profiles.encoded import HELD_OUT, SERVED
from customers.schema import EVENTS, EventKind
from customers.stores import versions
from tests import shops

DAY = date(2024, 3, 1)


# features of every kind ----------------------------------------------------------------------
def _event(kind: str, days_ago: int, product: str | None = None, **rest: Any) -> dict[str, Any]:
    ts = datetime(2024, 3, 1, 12) - timedelta(days=days_ago)
    return {"customer_id": "anna", "kind": kind, "ts": ts, "product_id": product} | rest


EVENTS_OF_ANNA = [
    _event("browse", 0, "tea"),
    _event("browse", 10, "tea"),
    _event("browse", 60, "jam"),
    _event("browse", 70, "jam"),
    _event("click", 10, "tea"),
    _event("search", 5),
    _event("cart", 10, "tea"),
    _event("cart", 60, "jam"),
    _event("purchase", 10, "tea", amount=6.0, discount=2.0, basket_id="b1"),
    _event("purchase", 10, "jam", amount=2.0, discount=0.0, basket_id="b1"),
    _event("purchase", 40, "jam", amount=4.0, discount=None, basket_id="b2"),
    _event("purchase", 70, "rope", amount=8.0, discount=0.0),
    _event("return", 8, "tea", amount=-3.0),
    _event("review", 4, "tea", rating=5.0),
    _event("review", 3, "jam", rating=2.0),
    _event("inquiry", 2),
    _event("exposure", 20),
    _event("exposure", 30),
    _event("redemption", 10),
    _event("purchase", -1, "jam", amount=100.0),  # the day after
    _event("browse", 1, "tea") | {"customer_id": "bo"},
]


@pytest.fixture(scope="module")
def activities() -> Any:
    products = ibis.memtable(
        pa.table(
            {
                "product_id": ["tea", "jam", "rope"],
                "category": ["TEA", "SPREADS", None],
                "brand": ["North", "North", "South"],
            }
        )
    )
    types = {"string": pa.string(), "float64": pa.float64(), "timestamp": pa.timestamp("us")}
    schema = pa.schema([(name, types[kind]) for name, kind in EVENTS.items()])
    rows = [dict.fromkeys(EVENTS) | event for event in EVENTS_OF_ANNA]
    return kinds.activity(ibis.memtable(pa.Table.from_pylist(rows, schema)), products)


def _row(table: Any, **where: str) -> dict[str, Any]:
    for name, value in where.items():
        table = table.filter(table[name] == value)
    (row,) = table.to_pyarrow().to_pylist()
    return row


def test_rhythm_of_a_kind(activities: Any) -> None:
    row = _row(kinds.kind_rhythm(activities, DAY), customer_id="anna", kind="purchase")
    assert (row["events"], row["days"], row["days_since"], row["tenure"]) == (4, 3, 10, 70)
    assert (row["events_30"], row["events_90"], row["amount"], row["usual_gap"]) == (2, 4, 20.0, 30.0)

    def weight(age: int, half: int) -> float:
        return 0.5 ** (age / half)

    assert row["decayed_14"] == pytest.approx(2 * weight(10, 14) + weight(40, 14) + weight(70, 14))
    assert row["decayed_amount"] == pytest.approx(
        8 * weight(10, 60) + 4 * weight(40, 60) + 8 * weight(70, 60)
    )
    back = _row(kinds.kind_rhythm(activities, DAY), customer_id="anna", kind="return")
    assert (back["amount"], back["usual_gap"]) == (3.0, None)  # without the sign; one day has no gap


def test_every_kind_has_a_rhythm(activities: Any) -> None:
    table = kinds.kind_rhythm(activities, DAY)
    found = table.filter(table.customer_id == "anna").kind.to_pyarrow().to_pylist()
    assert sorted(found) == sorted(kind.value for kind in EventKind)


def test_rhythm_by_category_and_brand(activities: Any) -> None:
    table = kinds.kind_rhythm(activities, DAY, "category")
    assert _row(table, customer_id="anna", kind="purchase", category="SPREADS")["events"] == 2
    assert set(table.category.to_pyarrow().to_pylist()) == {"TEA", "SPREADS"}  # the rope has no category
    north = _row(
        kinds.kind_rhythm(activities, DAY, "brand"), customer_id="anna", kind="browse", brand="North"
    )
    assert (north["events"], north["events_30"], north["days_since"]) == (4, 2, 0)


def test_ratios_of_a_customer(activities: Any) -> None:
    row = _row(kinds.kind_ratios(activities, DAY), customer_id="anna")
    expected = {
        "discount_share": 2 / 22, "return_rate": 1 / 4, "returned_share": 3 / 20, "clicks_per_browse": 1 / 4,
        "carts_per_browse": 2 / 4, "purchases_per_browse": 4 / 4, "purchases_per_cart": 4 / 2,
        "redemptions_per_exposure": 1 / 2, "reviews_per_purchase": 2 / 4, "inquiries_per_purchase": 1 / 4,
        "mean_rating": 3.5,
    }  # fmt: skip
    assert {name: row[name] for name in kinds.RATIOS} == pytest.approx(expected)
    bo = _row(kinds.kind_ratios(activities, DAY), customer_id="bo")
    assert (bo["purchases_per_browse"], bo["return_rate"], bo["mean_rating"]) == (0.0, None, None)


def test_shares_of_a_category_and_a_brand(activities: Any) -> None:
    jam = _row(kinds.kind_ratios(activities, DAY, "category"), customer_id="anna", category="SPREADS")
    shares = [jam[name] for name in kinds.SHARES]
    assert shares == pytest.approx([6 / 20, 2 / 3, 6 / 19])  # of money, of trips, of events
    assert (jam["purchases_per_cart"], jam["mean_rating"]) == (2.0, 2.0)
    tea = _row(kinds.kind_ratios(activities, DAY, "category"), customer_id="anna", category="TEA")
    assert (tea["return_rate"], tea["discount_share"]) == (1.0, 0.25)
    north = _row(kinds.kind_ratios(activities, DAY, "brand"), customer_id="anna", brand="North")
    assert [north["share_of_spend"], north["share_of_trips"]] == pytest.approx([12 / 20, 2 / 3])


def test_a_customer_in_one_row(activities: Any) -> None:
    row = _row(kinds.customer_features(activities, DAY), customer_id="anna")
    assert (row["purchase_events"], row["purchase_amount"], row["browse_days_since"]) == (4, 20.0, 0)
    # 6 went to tea and to spreads alike: the first in text order. The rope's brand got 8, the others' 12.
    assert (row["main_category"], row["main_brand"], row["as_of"]) == ("SPREADS", "North", DAY)
    bo = _row(kinds.customer_features(activities, DAY), customer_id="bo")
    assert (bo["purchase_events"], bo["purchase_days_since"], bo["main_category"]) == (0, None, None)


def test_nothing_after_the_day_is_seen(activities: Any) -> None:
    late = _row(kinds.kind_rhythm(activities, DAY + timedelta(days=1)), customer_id="anna", kind="purchase")
    assert late["amount"] == 120.0
    assert _row(kinds.customer_features(activities, DAY), customer_id="anna")["purchase_amount"] == 20.0


# encoding ------------------------------------------------------------------------------------
def _table(**columns: list[Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame(columns | {"as_of": [DAY] * rows})


def _small() -> pd.DataFrame:
    return _table(
        spend=[1.0, 3.0, 5.0, None],
        same=[7, 7, 7, 7],
        none=[None] * 4,
        age=["25-34", "65+", None, "25-34"],
        brand=["North", "South", None, "North"],
    )


def _fitted() -> Encoding:
    return fit_encoding(_small(), DAY, ["spend", "same", "none"], ["age"], ["brand"], hash_size=8)


def test_z_and_min_max_are_the_formulas() -> None:
    encoding = _fitted()
    assert (encoding.numbers, encoding.empty) == (("spend", "same"), ("none",))
    std = math.sqrt(8 / 3)
    np.testing.assert_allclose(encoding.z(_small())[:, 0], [-2 / std, 0, 2 / std, np.nan], rtol=1e-15)
    np.testing.assert_array_equal(encoding.minmax(_small())[:, 0], [0, 0.5, 1, np.nan])
    assert not encoding.z(_small())[:, 1].any()  # a constant column
    assert not encoding.minmax(_small())[:, 1].any()


def test_values_outside_what_was_seen_stay_in_bounds() -> None:
    later = _table(spend=[-10.0, 100.0], same=[9, 7], age=["25-34", "0-3"], brand=["West", "North"])
    np.testing.assert_array_equal(_fitted().minmax(later), [[0, 0], [1, 0]])
    assert _fitted().z(later)[1, 0] == pytest.approx((100 - 3) / math.sqrt(8 / 3))


def test_one_hot_and_hashed() -> None:
    encoding = _fitted()
    assert encoding.categories == {"age": ("25-34", "65+")}
    np.testing.assert_array_equal(encoding.one_hot(_small()), [[1, 0], [0, 1], [0, 0], [1, 0]])
    unseen = _table(age=["0-3", None], brand=["West", None])
    assert not encoding.one_hot(unseen).any()
    hashed = encoding.hash(_small())
    assert hashed.shape == (4, 8)
    assert np.abs(hashed).sum(axis=1).tolist() == [1, 1, 0, 1]
    np.testing.assert_array_equal(hashed[0], hashed[3])
    assert np.abs(encoding.hash(unseen)).sum(axis=1).tolist() == [1, 0]  # an unseen value has a place too


def test_the_whole_matrix_has_no_gaps() -> None:
    encoding, table = _fitted(), _small()
    whole = pd.DataFrame(encoding.transform(table), columns=encoding.names)
    assert whole.shape == (4, 2 + 2 + 2 + 8)
    assert not whole.isna().any(axis=None)
    missing = whole.loc[3]
    assert (missing["z:spend"], missing["minmax:spend"], missing["age=25-34"]) == (0, 0.5, 1)


def test_later_rows_are_refused() -> None:
    table = _small()
    with pytest.raises(LaterData, match="until 2024-02-29 was given 4 rows known only by 2024-03-01"):
        fit_encoding(table, DAY - timedelta(days=1), ["spend"])
    with pytest.raises(LaterData, match="do not say when"):
        fit_encoding(table.drop(columns="as_of"), DAY, ["spend"])
    table.loc[0, "as_of"] = None
    with pytest.raises(LaterData, match="1 rows do not say"):
        fit_encoding(table, DAY, ["spend"])


def test_what_cannot_be_fitted_is_said() -> None:
    with pytest.raises(ValueError, match="lacks height"):
        fit_encoding(_small(), DAY, ["height"])
    with pytest.raises(ValueError, match="infinite"):
        fit_encoding(_table(spend=[math.inf]), DAY, ["spend"])
    with pytest.raises(ValueError, match="a row at least"):
        fit_encoding(_small().head(0), DAY, ["spend"])


_numbers = st.lists(st.floats(-1e9, 1e9) | st.none(), min_size=2, max_size=30)


@given(_numbers)
def test_scaling_is_scikit_learns(values: list[float | None]) -> None:
    table = _table(x=values)
    encoding = fit_encoding(table, DAY, ["x"])
    if not encoding.numbers:
        assert all(value is None for value in values)
        return
    column = table[["x"]].to_numpy(dtype=float)
    known = column[~np.isnan(column)]
    if known.min() < known.max() and known.std() > 1e-6 * np.abs(known).max():
        expected = StandardScaler().fit_transform(column)
        np.testing.assert_allclose(encoding.z(table), expected, rtol=1e-9, atol=1e-9)
        bounds = MinMaxScaler().fit_transform(column)
        np.testing.assert_allclose(encoding.minmax(table), bounds, rtol=1e-9, atol=1e-9)
    placed = encoding.minmax(table)
    assert ((placed >= 0) & (placed <= 1) | np.isnan(placed)).all()


@given(_numbers, st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5))
def test_what_is_read_back_is_what_was_kept(tmp_path_factory, values, words) -> None:
    table = _table(x=values, word=[words[i % len(words)] for i in range(len(values))])
    encoding = fit_encoding(table, DAY, ["x"], ["word"], ["word"])
    path = tmp_path_factory.mktemp("kept") / "encoding.json"
    encoding.save(path)
    back = Encoding.load(path)
    assert back == encoding
    np.testing.assert_array_equal(back.transform(table), encoding.transform(table))


def test_a_file_that_is_no_encoding_is_told(tmp_path: Path) -> None:
    _fitted().save(tmp_path / "good.json")
    body = json.loads((tmp_path / "good.json").read_text(encoding="utf-8"))
    for text in ("{", json.dumps(body | {"format": 0}), json.dumps({"format": 1}), "[]"):
        (tmp_path / "bad.json").write_text(text, encoding="utf-8")
        with pytest.raises(NotBuilt, match="build --force"):
            Encoding.load(tmp_path / "bad.json")
    with pytest.raises(NotBuilt):
        Encoding.load(tmp_path / "absent.json")


# in a build ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def version() -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    found = versions.current(shops.built())
    with duckdb.connect(str(found / "shop.duckdb"), read_only=True) as con:
        yield found, con


def test_a_build_keeps_both_encodings(version: tuple[Path, duckdb.DuckDBPyConnection]) -> None:
    served, held_out = (Encoding.load(version[0] / name) for name in (SERVED, HELD_OUT))
    assert served.until == shops.LAST
    assert held_out.until == shops.LAST - timedelta(days=30)
    scored = json.loads((version[0] / "preference.json").read_text(encoding="utf-8"))
    assert str(held_out.until) == scored["cut"]
    assert served.categories["attribute:age"] == ("25-34",)
    # Everybody bought more in the 30 days that the held-out one did not see.
    place = served.numbers.index("purchase_events")
    assert served.mean[place] > held_out.mean[held_out.numbers.index("purchase_events")]


def test_a_build_scales_every_customer(version: tuple[Path, duckdb.DuckDBPyConnection]) -> None:
    rows = version[1].execute(
        "SELECT feature, count(*), avg(z), stddev_pop(z), min(minmax), max(minmax) FROM customer_features "
        "GROUP BY feature HAVING stddev_pop(raw) > 0"
    )
    scaled = {name: rest for name, *rest in rows.fetchall()}
    assert scaled["purchase_events"] == pytest.approx([shops.CUSTOMERS, 0, 1, 0, 1], abs=1e-9)
    for name, (_, mean, std, low, high) in scaled.items():
        assert (mean, std, low, high) == pytest.approx((0, 1, 0, 1), abs=1e-9), name
    assert "review_events" not in scaled  # the shop records none


def test_a_build_keeps_features_by_category_and_brand(
    version: tuple[Path, duckdb.DuckDBPyConnection],
) -> None:
    con = version[1]
    shares = con.execute("SELECT customer_id, sum(share_of_spend) FROM kind_ratios_category GROUP BY 1")
    assert all(share == pytest.approx(1) for _, share in shares.fetchall())
    bought = con.execute("SELECT sum(events) FROM kind_rhythm_brand WHERE kind = 'purchase'").fetchall()
    assert bought == con.execute("SELECT count(*) FROM events WHERE kind = 'purchase'").fetchall()
