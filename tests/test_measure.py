"""`measure` against an independent pandas computation, and against its own sums."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from customers import measure_tables
from customers.errors import BadInput, Unknown
from customers.measure import PURCHASES, Measure, run
from customers.measure import Dimension as D
from customers.measure import Quantity as Q
from customers.measure_sql import ADDS_UP

SEGMENTS = ("few", "many")


def _lines() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    n = 2_000
    customer = draw.integers(0, 23, n)
    trip = draw.integers(0, 9, n)
    item = draw.integers(0, 31, n)
    return pd.DataFrame(
        {
            "customer": [f"c{i}" for i in customer],
            "ts": pd.Timestamp("2024-01-05 10:00") + pd.to_timedelta((customer + trip * 17) % 150, "D"),
            "basket": [f"b{c}-{t}" for c, t in zip(customer, trip, strict=True)],
            "product": [f"p{i}" for i in item],
            "category": [f"k{i % 7}" for i in item],
            "department": [f"d{i % 7 % 3}" for i in item],
            "type": [f"t{i % 11}" for i in item],
            "brand": [f"r{i % 2}" for i in item],
            "quantity": draw.integers(1, 4, n).astype(float),
            "amount": (draw.integers(50, 900, n) / 100).round(2),
        }
    ).assign(
        segment=[SEGMENTS[int(i % 3 > 0)] for i in customer],
        age=[("young", "old")[i % 2] if i % 5 else None for i in customer],
        month=lambda f: f.ts.dt.strftime("%Y-%m"),
        weekday=lambda f: f.ts.dt.day_name(),
    )


LINES: Any = _lines()
COLUMN = {d: str(d) for d in D} | {D.ATTRIBUTE: "age"}
QUERIES = ("Oat milk", "oat-milk!", "MILK", "milks", "milkshake", "牛奶", "脱脂牛奶", None)


def _beside() -> pd.DataFrame:
    """What the customers did beside buying: of each kind as many as there are lines of its turn."""
    kinds = ("search", "browse", "click", "cart", "review", "inquiry", "return")
    turn: Any = np.arange(len(LINES))
    kind = [kinds[i % 7] for i in turn]
    return LINES.assign(
        kind=kind,
        text=[QUERIES[i % 8] if k == "search" else "words" for i, k in zip(turn, kind, strict=True)],
        rating=[float(i % 6) if k == "review" and i % 3 else np.nan for i, k in zip(turn, kind, strict=True)],
    )


BESIDE: Any = _beside()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """The lines as a shop, with segments in another attached database as a build has them."""
    lines = LINES
    exposures = pd.DataFrame(
        [("x1", "c1", "1"), ("x2", "c2", "1"), ("x3", "c2", "2")],
        columns=["event_id", "customer", "campaign"],
    )
    redeemed = pd.DataFrame(
        [("c2", "1", "u1"), ("c2", "1", "u1"), ("c1", "1", "u2")], columns=["c", "k", "u"]
    )
    people = lines[["customer", "segment", "age"]].drop_duplicates("customer")
    tables = {"lines": lines, "exposures": exposures, "redeemed": redeemed, "people": people}
    with duckdb.connect(config={"threads": 1}) as con:
        for name, frame in tables.items():
            con.register(name, frame)
        con.execute("""CREATE TABLE events AS SELECT 'e' || row_number() OVER () AS event_id, 'purchase' AS kind,
            customer AS customer_id, ts, product AS product_id, quantity, amount, 0.0 AS discount,
            basket AS basket_id, NULL::VARCHAR AS campaign_id, NULL::VARCHAR AS text, NULL::DOUBLE AS rating FROM lines""")
        con.execute("""INSERT INTO events SELECT event_id, 'exposure', customer, TIMESTAMP '2024-02-01', NULL,
            NULL, NULL, NULL, NULL, campaign, NULL, NULL FROM exposures""")
        con.execute("""INSERT INTO events SELECT 'r' || row_number() OVER (), 'redemption', c,
            TIMESTAMP '2024-02-09', NULL, NULL, NULL, NULL, NULL, k, u, NULL FROM redeemed""")
        con.register("beside", BESIDE)
        con.execute("""INSERT INTO events SELECT 'b' || row_number() OVER (), kind, customer, ts,
            CASE WHEN kind <> 'search' THEN product END, NULL, NULL, NULL, NULL, NULL, text, rating FROM beside""")
        con.execute("""CREATE TABLE products AS SELECT DISTINCT product AS product_id, product AS name,
            department, category, "type", brand FROM lines""")
        con.execute("""CREATE TABLE attributes AS SELECT customer AS customer_id, 'age' AS attribute,
            age AS "value" FROM people WHERE age IS NOT NULL""")
        con.execute("CREATE TABLE campaigns AS SELECT unnest(['1', '2', '3']) AS campaign_id")
        con.execute("""CREATE TABLE campaign_products AS SELECT * FROM (VALUES ('1', 'u1', 'p0'),
            ('1', 'u1', 'p7'), ('1', 'u2', 'p1'), ('2', 'u3', 'p1')) AS t(campaign_id, coupon_id, product_id)""")
        con.execute("ATTACH ':memory:' AS built")
        con.execute(
            "CREATE TABLE built.customer_segments AS SELECT customer AS customer_id, segment AS segment_id FROM people"
        )
        measure_tables.prepare(con)
        yield con


def _expected(frame: Any, quantity: Q) -> float:
    match quantity:
        case Q.SPEND:
            return frame.amount.sum()
        case Q.UNITS:
            return frame.quantity.sum()
        case Q.BASKETS:
            return frame.basket.nunique()
        case Q.CUSTOMERS:
            return frame.customer.nunique()
        case Q.PRODUCTS:
            return frame["product"].nunique()
        case Q.MEAN_BASKET:
            return frame.amount.sum() / frame.basket.nunique()
        case Q.MEAN_SPEND:
            return frame.amount.sum() / frame.customer.nunique()
    return frame.amount.sum() / frame.quantity.sum()


DIMENSIONS = [d for d in D if d not in (D.CAMPAIGN, D.QUERY)]
NAMED = [d for d in D if d not in (D.ATTRIBUTE, D.QUERY)]
COUNTED = {
    Q.VIEWS: lambda f: f[f.kind.isin(["browse", "click"])], Q.CART_ADDS: lambda f: f[f.kind == "cart"],
    Q.REVIEWS: lambda f: f[f.kind == "review"], Q.INQUIRIES: lambda f: f[f.kind == "inquiry"],
    Q.RETURNS: lambda f: f[f.kind == "return"], Q.SEARCHES: lambda f: f[f.kind == "search"],
    Q.GOOD_REVIEWS: lambda f: f[f.rating >= 4], Q.BAD_REVIEWS: lambda f: f[f.rating <= 2],
}  # fmt: skip
FILTERS: list[tuple[dict[D, tuple[str, ...]], dict[str, tuple[str, ...]], date | None]] = [
    ({}, {}, None),
    ({D.CATEGORY: ("k1",)}, {}, None),
    ({D.CATEGORY: ("k1", "k2", "k1")}, {}, None),
    ({D.BRAND: ("r1",), D.SEGMENT: ("many",)}, {}, None),
    ({D.MONTH: ("2024-02", "2024-03")}, {}, None),
    ({D.CUSTOMER: ("c1", "c2", "c3")}, {}, None),
    ({D.DEPARTMENT: ("d1",), D.WEEKDAY: ("Monday", "Sunday")}, {}, None),
    ({}, {"age": ("old",)}, date(2024, 2, 11)),
]


@pytest.mark.parametrize("quantity", PURCHASES)
@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_group_equals_pandas(con: duckdb.DuckDBPyConnection, quantity: Q, by: D) -> None:
    turn = PURCHASES.index(quantity) + DIMENSIONS.index(by)
    for where, attributes, start in (FILTERS[0], FILTERS[1 + turn % (len(FILTERS) - 1)]):
        frame: Any = LINES
        for dimension, keys in where.items():
            frame = frame[frame[COLUMN[dimension]].isin(keys)]
        for name, values in attributes.items():
            frame = frame[frame[name].isin(values)]
        if start:
            frame = frame[frame.ts >= pd.Timestamp(start)]
        named = "age" if by is D.ATTRIBUTE else None
        found = run(con, Measure(quantity, by, named, where, attributes, start))
        assert found.total == pytest.approx(_expected(frame, quantity))
        groups = {str(key): _expected(group, quantity) for key, group in frame.groupby(COLUMN[by])}
        prefix = "age=" if by is D.ATTRIBUTE else ""
        assert {row.key: pytest.approx(row.value) for row in found.rows} == {
            prefix + key: value for key, value in groups.items()
        }
        assert found.groups == len(groups)


@pytest.mark.parametrize(
    ("quantity", "by"), [(q, d) for q, d in product(PURCHASES, DIMENSIONS) if d in ADDS_UP.get(q, ())]
)
def test_what_adds_up_sums_to_the_total(con: duckdb.DuckDBPyConnection, quantity: Q, by: D) -> None:
    if by is D.ATTRIBUTE:
        found = run(con, Measure(quantity, by, "age"))
        assert 0 < sum(row.value for row in found.rows) < found.total
        return
    found = run(con, Measure(quantity, by))
    assert sum(row.value for row in found.rows) == pytest.approx(found.total)
    assert sum(row.share or 0 for row in found.rows) == pytest.approx(1)


def test_shares_only_where_they_add_up(con: duckdb.DuckDBPyConnection) -> None:
    assert all(row.share is None for row in run(con, Measure(Q.CUSTOMERS, D.CATEGORY)).rows)
    assert all(row.share is None for row in run(con, Measure(Q.MEAN_PRICE, D.BRAND)).rows)
    assert all(row.share is None for row in run(con, Measure(Q.SPEND, D.CAMPAIGN)).rows)


def test_months_stand_in_time_order_even_when_cut_to_the_top(con: duckdb.DuckDBPyConnection) -> None:
    by_month = LINES.groupby("month").amount.sum()
    rows = run(con, Measure(Q.SPEND, D.MONTH, top=3)).rows
    assert [row.key for row in rows] == sorted(by_month.nlargest(3).index)


def test_top_keeps_the_largest_or_smallest_with_ties_by_key(con: duckdb.DuckDBPyConnection) -> None:
    trips = LINES.groupby("customer").basket.nunique().reset_index()
    least = trips.sort_values(["basket", "customer"]).customer.head(4).tolist()
    most = trips.sort_values(["basket", "customer"], ascending=[False, True]).customer.head(4).tolist()
    found = run(con, Measure(Q.BASKETS, D.CUSTOMER, top=4, ascending=True))
    assert [row.key for row in found.rows] == least
    assert found.groups == len(trips)
    assert [row.key for row in run(con, Measure(Q.BASKETS, D.CUSTOMER, top=4)).rows] == most


@pytest.mark.parametrize(
    ("bounds", "passes"),
    [
        ({"more_than": 170}, lambda v: v > 170),
        ({"at_least": 170}, lambda v: v >= 170),
        ({"less_than": 170}, lambda v: v < 170),
        ({"at_most": 170}, lambda v: v <= 170),
        ({"more_than": 150, "at_most": 200}, lambda v: 150 < v <= 200),
        ({"at_least": 10_000}, lambda v: v >= 10_000),
    ],
)
def test_thresholds_keep_the_groups_that_pandas_keeps(
    con: duckdb.DuckDBPyConnection, bounds: dict[str, float], passes: Any
) -> None:
    units = LINES[LINES.category == "k1"].groupby("customer").quantity.sum()
    middle = float(units.median())  # a value that groups really have, so that > and >= differ
    shift: dict[str, Any] = {name: value - 170 + middle for name, value in bounds.items()}
    kept = {key: value for key, value in units.items() if passes(value - middle + 170)}
    found = run(con, Measure(Q.UNITS, D.CUSTOMER, where={D.CATEGORY: ("k1",)}, top=3, **shift))
    assert (found.groups if found.rows else 0, found.of) == (len(kept), len(units))
    assert found.total == units.sum()
    assert [row.value for row in found.rows] == sorted(kept.values(), reverse=True)[:3]
    assert all(kept[row.key] == row.value for row in found.rows)


def test_a_threshold_ignores_the_dust_of_sums(con: duckdb.DuckDBPyConnection) -> None:
    spend = LINES.groupby("customer").amount.sum()
    (one, exact) = spend.idxmax(), round(float(spend.max()), 2)
    assert [r.key for r in run(con, Measure(Q.SPEND, D.CUSTOMER, at_least=exact)).rows] == [one]
    assert run(con, Measure(Q.SPEND, D.CUSTOMER, more_than=exact)).rows == ()


def test_campaigns_count_who_was_sent_and_what_was_redeemed(con: duckdb.DuckDBPyConnection) -> None:
    received = run(con, Measure(Q.RECEIVED, D.CAMPAIGN))
    assert [(row.key, row.value, row.share) for row in received.rows] == [("1", 2, None), ("2", 1, None)]
    assert received.total == 2
    redeemed = run(con, Measure(Q.REDEMPTIONS, D.CATEGORY))
    assert [(row.key, row.value) for row in redeemed.rows] == [("k0", 2), ("k1", 1)]
    assert run(con, Measure(Q.REDEMPTIONS, where={D.CATEGORY: ("k1",)})).total == 1
    assert run(con, Measure(Q.RECEIVED, where={D.CATEGORY: ("k0",)})).total == 2
    spend = run(con, Measure(Q.SPEND, where={D.CAMPAIGN: ("2",)}))
    assert spend.total == pytest.approx(LINES[LINES.customer == "c2"].amount.sum())


@pytest.mark.parametrize("by", [D.CUSTOMER, D.CATEGORY, D.PRODUCT, D.SEGMENT, D.MONTH, D.WEEKDAY])
def test_what_is_done_beside_buying_equals_pandas(con: duckdb.DuckDBPyConnection, by: D) -> None:
    for quantity, counted in COUNTED.items():
        if quantity is Q.SEARCHES and by in (D.CATEGORY, D.PRODUCT):
            continue
        frame = counted(BESIDE[BESIDE.ts >= pd.Timestamp(2024, 2, 11)])
        found = run(con, Measure(quantity, by, start=date(2024, 2, 11)))
        assert found.total == len(frame) > 0
        assert {row.key: row.value for row in found.rows} == frame[COLUMN[by]].value_counts().to_dict()
        assert sum(row.share or 0 for row in found.rows) == pytest.approx(1)
    rated = BESIDE[BESIDE.rating.notna()]
    found = run(con, Measure(Q.MEAN_RATING, by))
    assert found.total == pytest.approx(rated.rating.mean())
    means = rated.groupby(COLUMN[by]).rating.mean()
    assert {row.key: pytest.approx(row.value) for row in found.rows} == means.to_dict()
    assert all(row.share is None for row in found.rows)


def test_search_texts_are_one_however_written_and_found_by_their_words(
    con: duckdb.DuckDBPyConnection,
) -> None:
    searches = BESIDE[BESIDE.kind == "search"].text.value_counts(dropna=False)
    found = run(con, Measure(Q.SEARCHES, D.QUERY))
    assert found.total == searches.sum()
    spelt = {row.key: row.value for row in found.rows}
    assert spelt["oat milk"] == searches["Oat milk"] + searches["oat-milk!"]
    assert spelt["milk"] == searches["MILK"]
    held = {word: run(con, Measure(Q.SEARCHES, D.QUERY, where={D.QUERY: (word,)})).rows
            for word in ("milk", "Oat Milk", "牛奶", "milk.*")}  # fmt: skip
    assert {word: {row.key for row in rows} for word, rows in held.items()} == {
        "milk": {"oat milk", "milk", "milks"}, "Oat Milk": {"oat milk"}, "牛奶": {"牛奶", "脱脂牛奶"},
        "milk.*": {"oat milk", "milk", "milks"},
    }  # fmt: skip
    few = (
        BESIDE[BESIDE.kind == "search"]
        .assign(spelt=lambda f: f.text.str.lower())
        .groupby("spelt")
        .customer.nunique()
    )
    least = int(few["milkshake"]) + 1
    kept = run(con, Measure(Q.SEARCHES, D.QUERY, least_customers=least)).rows
    assert "milkshake" not in {row.key for row in kept}


def test_attribute_filters_may_also_stand_in_where(con: duckdb.DuckDBPyConnection) -> None:
    one = run(con, Measure(Q.SPEND, where={D.ATTRIBUTE: ("age=old",)}))
    assert one.total == pytest.approx(run(con, Measure(Q.SPEND, attributes={"age": ("old",)})).total)


def test_nothing_bought_is_zero(con: duckdb.DuckDBPyConnection) -> None:
    found = run(con, Measure(Q.MEAN_BASKET, D.CATEGORY, start=date(2031, 1, 1)))
    assert (found.total, found.rows, found.groups) == (0, (), 0)


INJECTION = "'; DROP TABLE events; --"


@pytest.mark.parametrize(
    "spec",
    [
        *[Measure(q, where={d: (INJECTION,)}) for q in (Q.SPEND, Q.REDEMPTIONS, Q.REVIEWS) for d in NAMED],
        Measure(Q.SPEND, D.ATTRIBUTE, INJECTION),
        Measure(Q.SPEND, attributes={INJECTION: ("x",)}),
        Measure(Q.SPEND, attributes={"age": (INJECTION,)}),
        Measure(Q.SPEND, where={D.MONTH: ("2024-13",)}),
    ],
)
def test_what_the_shop_lacks_is_unknown(con: duckdb.DuckDBPyConnection, spec: Measure) -> None:
    with pytest.raises(Unknown):
        run(con, spec)
    assert run(con, Measure(Q.SPEND)).total > 0


@pytest.mark.parametrize(
    "spec",
    [
        Measure(Q.SPEND, D.CATEGORY, top=0),
        Measure(Q.SPEND, D.ATTRIBUTE),
        Measure(Q.SPEND, where={D.CATEGORY: ()}),
        Measure(Q.SPEND, at_least=5),
        Measure(Q.SPEND, D.CUSTOMER, more_than=5, at_most=4),
        Measure(Q.SPEND, start=date(2024, 2, 2), end=date(2024, 2, 1)),
        Measure(Q.SPEND, D.QUERY),
        Measure(Q.SEARCHES, D.CATEGORY),
        Measure(Q.SEARCHES, where={D.PRODUCT: ("p1",)}),
        Measure(Q.SEARCHES, where={D.QUERY: ("?!",)}),
    ],
)
def test_what_cannot_be_meant_is_refused(con: duckdb.DuckDBPyConnection, spec: Measure) -> None:
    with pytest.raises(BadInput):
        run(con, spec)


def test_a_shop_without_a_build_is_measured_too() -> None:
    with duckdb.connect() as con:
        con.execute("""CREATE TABLE events AS SELECT 'purchase' AS kind, 'a' AS customer_id,
            TIMESTAMP '2024-01-01' AS ts, 'p' AS product_id, 1.0 AS quantity, 2.5 AS amount,
            NULL::VARCHAR AS basket_id, NULL::VARCHAR AS campaign_id, NULL::VARCHAR AS text""")
        con.execute("""CREATE TABLE products AS SELECT 'p' AS product_id, 'd' AS department,
            NULL::VARCHAR AS category, NULL::VARCHAR AS "type", NULL::VARCHAR AS brand""")
        assert run(con, Measure(Q.MEAN_BASKET)).total == 2.5
        assert run(con, Measure(Q.SPEND, D.CATEGORY)).rows == ()
        con.execute("ALTER TABLE events ADD COLUMN rating DOUBLE")
        con.execute("ALTER TABLE events ADD COLUMN event_id VARCHAR")
        con.execute("INSERT INTO events (kind, customer_id, ts, product_id) VALUES ('cart', 'a', now(), 'p')")
        assert run(con, Measure(Q.CART_ADDS)).total == 1
