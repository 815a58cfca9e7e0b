"""Recommendations, audiences and basket partners of the planted shop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from customers import recommend
from customers.errors import BadInput, NotBuilt, Unknown
from customers.recommend import Recommenders
from tests.shops import LAST, TASTES, taste_of, write_store

N = 8


@dataclass(frozen=True)
class Served:
    con: duckdb.DuckDBPyConnection
    out: Path
    recommenders: Recommenders

    def bought(self, customer: str) -> Counter[str]:
        query = """SELECT product_id FROM events WHERE kind = 'purchase' AND customer_id = ?"""
        return Counter(product for (product,) in self.con.execute(query, [customer]).fetchall())

    def column(self, query: str, *values: object) -> list:
        return [row[0] for row in self.con.execute(query, list(values)).fetchall()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("recommend")
    write_store(root / "shop.duckdb")
    with duckdb.connect(str(root / "shop.duckdb")) as con:
        con.execute("""CREATE TABLE customer_segments AS SELECT DISTINCT customer_id,
            CASE WHEN customer_id::INT < 80 THEN 's1' ELSE 's2' END AS segment_id FROM events""")
        con.execute("CREATE TABLE preferences AS SELECT '3' AS customer_id, 'MILK' AS category, 0.9 AS probability"
                    " UNION ALL SELECT '5', 'MILK', 0.25")  # fmt: skip
        recommend.fit(con, root / "out", None)
        yield Served(con, root / "out", recommend.open(root / "out", con))


@pytest.mark.parametrize("customer", ["3", "90", "150"])
def test_recommendations_are_of_the_planted_taste(served: Served, customer: str) -> None:
    found = served.recommenders.recommend(customer, n=5)
    assert len(found) == 5
    wanted = {*TASTES[taste_of(int(customer))], "MILK", "BREAD", "EGGS"}
    assert sum(rec.category in wanted for rec in found) >= 4
    assert [rec.score for rec in found] == sorted((rec.score for rec in found), reverse=True)
    types = served.column(
        f"SELECT type FROM products WHERE product_id IN ({','.join('?' * 5)})", *[r.product_id for r in found]
    )
    assert len(set(types)) == 5


def test_new_only_gives_nothing_bought_before(served: Served) -> None:
    for customer in ("3", "90", "150"):
        own = served.bought(customer)
        found = served.recommenders.recommend(customer, n=N, new_only=True)
        assert found
        assert not {rec.product_id for rec in found} & set(own)
        kinds = [rec.category for rec in found]
        assert len(set(kinds[:5])) == min(
            5, len(set(kinds))
        )  # no second of a category while there is another


def test_a_category_gives_only_itself(served: Served) -> None:
    found = served.recommenders.recommend("90", n=4, category="CAT FOOD")
    assert [rec.category for rec in found] == ["CAT FOOD"] * 4


def test_what_is_for_adults_is_not_pushed(served: Served) -> None:
    stranger = next(str(c) for c in range(80) if not any(p in served.bought(str(c)) for p in wines(served)))
    found = served.recommenders.recommend(stranger, n=60)
    assert not {rec.product_id for rec in found} & set(wines(served))
    assert served.recommenders.recommend(stranger, category="WINE") == []
    buyer = "150"
    new = served.recommenders.recommend(buyer, n=60, new_only=True)
    assert not {rec.product_id for rec in new} & set(wines(served))
    assert served.recommenders.recommend(buyer, category="WINE")


def wines(served: Served) -> list[str]:
    return served.column("SELECT product_id FROM products WHERE category = 'WINE'")


def test_every_reason_is_true(served: Served) -> None:
    kinds = set()
    for customer in map(str, range(0, 200, 10)):
        own = served.bought(customer)
        for new in (False, True):
            for rec in served.recommenders.recommend(customer, n=N, new_only=new):
                kinds.add(rec.reason)
                _check(served, customer, own, rec)
    assert "repeat" in kinds
    assert len(kinds) >= 2


def _check(served: Served, customer: str, own: Counter[str], rec) -> None:
    bought = "SELECT count(DISTINCT customer_id) FROM events WHERE kind = 'purchase' AND product_id = ?"
    if rec.reason == "repeat":
        days = served.column(
            "SELECT ts::DATE FROM events WHERE kind = 'purchase' AND customer_id = ? AND product_id = ? ORDER BY 1",
            customer,
            rec.product_id,
        )
        assert rec.evidence["baskets"] == own[rec.product_id]
        assert rec.evidence["days_since"] == (LAST - days[-1]).days
        gap = (days[-1] - days[0]).days / (len(days) - 1) if len(days) > 1 else None
        assert rec.evidence.get("every_days") == gap
    elif rec.reason == "together":
        because = str(rec.evidence["because"])
        both = served.column(
            """SELECT count(*) FROM (SELECT basket_id FROM events WHERE kind = 'purchase'
            AND product_id IN (?, ?) GROUP BY basket_id HAVING count(DISTINCT product_id) = 2)""",
            because,
            rec.product_id,
        )[0]
        assert because in own
        assert rec.evidence["baskets"] == both
    elif rec.reason == "alike":
        assert rec.evidence["category"] == rec.category
        assert 0.1 <= float(rec.evidence["share_of_similar"]) <= 1
    else:
        assert rec.evidence == {"customers": served.column(bought, rec.product_id)[0]}


def test_a_stale_product_is_not_recommended(tmp_path: Path) -> None:
    write_store(tmp_path / "shop.duckdb")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("DELETE FROM events WHERE product_id = 'p45' AND ts > ?::DATE - 57", [LAST])
        recommend.fit(con, tmp_path / "out", None)
        served = recommend.open(tmp_path / "out", con)
        for customer in map(str, range(0, 200, 20)):
            assert "p45" not in {rec.product_id for rec in served.recommend(customer, n=60)}


def test_a_short_history_is_served_without_a_learned_order(tmp_path: Path) -> None:
    write_store(tmp_path / "shop.duckdb")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("DELETE FROM events WHERE ts < ?::DATE - 20", [LAST])
        recommend.fit(con, tmp_path / "out", None)
        found = recommend.open(tmp_path / "out", con).recommend("3", n=3)
        assert found[0].reason == "repeat"
        assert json.loads((tmp_path / "out" / "recommend.json").read_text())["rows"] == []


def test_the_audience_of_a_category_is_that_of_its_model(served: Served) -> None:
    found = served.recommenders.audience(category="MILK", n=2)
    assert [(m.customer_id, m.probability) for m in found.members] == [("3", 0.9), ("5", 0.25)]
    assert found.expected_buyers == pytest.approx(1.15)
    assert found.eligible == 200
    recent = served.column(
        """SELECT count(DISTINCT customer_id) FROM events JOIN products USING (product_id)
        WHERE kind = 'purchase' AND category = 'MILK' AND ts::DATE > ?::DATE - 30""",
        LAST,
    )[0]
    assert found.base_rate == pytest.approx(recent / 200)
    assert found.target.zh == "牛奶"


def test_the_audience_without_a_model_is_of_the_planted_taste(served: Served) -> None:
    found = served.recommenders.audience(category="CAT FOOD", n=20)
    assert {taste_of(int(m.customer_id)) for m in found.members} == {"cat"}
    assert [m.probability for m in found.members] == sorted(
        (m.probability for m in found.members), reverse=True
    )
    member = found.members[0]
    rows = served.con.execute(
        """SELECT count(DISTINCT basket_id), ?::DATE - max(ts)::DATE FROM events JOIN products USING (product_id)
        WHERE events.kind = 'purchase' AND category = 'CAT FOOD' AND customer_id = ?""",
        [LAST, member.customer_id],
    ).fetchall()
    assert (member.baskets, member.days_since) == rows[0]


def test_a_segment_limits_the_audience(served: Served) -> None:
    found = served.recommenders.audience(product_id="p45", n=300, segment_id="s1")
    assert found.eligible == len(found.members) == 80
    assert all(int(member.customer_id) < 80 for member in found.members)


def test_one_who_stopped_is_less_likely_than_one_who_did_not(served: Served) -> None:
    members = served.recommenders.audience(category="DIAPERS", n=200).members
    probability = {member.customer_id: member.probability for member in members}
    assert probability["7"] < probability["16"] / 2


def test_categories_and_products_in_one_basket(served: Served) -> None:
    found = served.recommenders.bought_with(category="DIAPERS", n=2)
    assert {together.key for together in found} == {"BABY FOOD", "INFANT FORMULA"}
    assert all(together.lift > 1.5 for together in found)
    products = served.recommenders.bought_with(product_id="p0", n=3)
    assert products[0].key.startswith("p")
    assert products[0].name.en


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.recommend("nobody"),
        lambda r: r.recommend("3", category="NOTHING"),
        lambda r: r.audience(category="NOTHING"),
        lambda r: r.audience(product_id="nothing"),
        lambda r: r.audience(category="MILK", segment_id="nothing"),
        lambda r: r.bought_with(category="NOTHING"),
    ],
)
def test_what_the_shop_lacks_is_unknown(served: Served, ask) -> None:
    with pytest.raises(Unknown):
        ask(served.recommenders)


@pytest.mark.parametrize(
    "ask", [lambda r: r.recommend("3", n=0), lambda r: r.audience(), lambda r: r.bought_with("MILK", "p0")]
)
def test_what_cannot_be_meant_is_refused(served: Served, ask) -> None:
    with pytest.raises(BadInput):
        ask(served.recommenders)


def test_held_out_quality_is_written(served: Served) -> None:
    report = json.loads((served.out / "recommend.json").read_text())
    rows = {(row["model"], row["task"]): row["ndcg"] for row in report["rows"]}
    assert rows["blend", "repeats"] > rows["popularity", "repeats"]
    assert {task for _, task in rows} == {"repeats", "new"}


def test_a_damaged_file_says_what_to_do(served: Served, tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="shopkeeper build"):
        recommend.open(tmp_path, served.con)
    (tmp_path / "recommenders.npz").write_bytes(b"no archive")
    with pytest.raises(NotBuilt, match="shopkeeper build"):
        recommend.open(tmp_path, served.con)
