"""What changed against the time before, and who bought the one and not the other."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from agent.worded import items
from tests import corner
from tests.test_plan import about
from tools import TOOLS
from tools.base import CannotDo, ToolResult

MONTHS = {"start": "2024-02-01", "end": "2024-02-29"}


def run(tool: str, **args: Any) -> ToolResult:
    return TOOLS[tool].run(corner.shop(), args)


def spent(start: str, end: str, category: str = "%") -> float:
    rows = corner.shop().query(
        "SELECT sum(amount) FROM events JOIN products USING (product_id) WHERE kind = 'purchase'"
        " AND ts::DATE BETWEEN ?::DATE AND ?::DATE AND category LIKE ?",
        [start, end, category],
    )
    return float(rows[0][0] or 0)


def test_a_month_is_held_against_the_month_before():
    found = run("changes", by="category", direction="both", rank="money", **MONTHS)
    whole = spent("2024-02-01", "2024-02-29") - spent("2024-01-01", "2024-01-31")
    assert found.facts[0].value == pytest.approx(whole, abs=0.01)
    assert "29 days against 31" in found.facts[0].text["en"]
    key = found.found["category"][0]
    change = spent("2024-02-01", "2024-02-29", key) - spent("2024-01-01", "2024-01-31", key)
    assert found.facts[2].value == pytest.approx(change, abs=0.01)
    sizes = [abs(f.value) for f in found.facts[2:]]
    assert sizes == sorted(sizes, reverse=True)


def test_only_what_fell_and_by_rate():
    fell = run("changes", by="category", direction="down", rank="money", **MONTHS)
    assert all(f.value < 0 for f in fell.facts[2:])
    rates = run("changes", by="category", direction="up", rank="rate", n=3, **MONTHS).full
    grown = [one.difference / one.before for one in rates]
    assert grown == sorted(grown, reverse=True)
    assert all(rate > 0 for rate in grown)


def test_two_named_periods_are_held_against_each_other():
    found = run("changes", by="category", before_start="2024-01-01", before_end="2024-01-31", **MONTHS)
    assert found.facts == run("changes", by="category", **MONTHS).facts


def test_nothing_stands_before_the_first_day():
    first: date = corner.shop().info.first_day
    with pytest.raises(CannotDo, match="to compare with"):
        run("changes", by="category", start=first.isoformat(), end=first.isoformat())


def test_who_bought_the_one_and_not_the_other():
    rows = corner.shop().query(
        "SELECT customer_id FROM events JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY 1"
        " HAVING bool_or(category = 'MILK') AND NOT bool_or(category = 'CHEESE' OR category = 'WINE')"
    )
    milk, cheese, wine = ({"kind": "category", "key": key} for key in ("MILK", "CHEESE", "WINE"))
    found = run("bought_not", bought=[[milk]], bought_not=[cheese, wine])
    assert set(found.found["customer"]) == {str(key) for (key,) in rows}
    assert found.facts[0].value == len(rows)
    both = run("bought_not", bought=[[milk], [cheese]], bought_not=[wine])
    assert not set(both.found["customer"]) & set(found.found["customer"])


def test_who_came_before_and_not_since():
    rows = corner.shop().query(
        "SELECT customer_id, sum(amount) FROM events WHERE kind = 'purchase' GROUP BY 1 HAVING max(ts) < '2024-08-01' ORDER BY 2 DESC"
    )
    found = run("absent", of="visits", start="2024-08-01")
    assert set(found.found["customer"]) == {str(key) for key, _ in rows}
    assert found.facts[0].value == len(rows)
    assert found.facts[1].value == pytest.approx(float(rows[0][1]), abs=0.01)
    assert found.found == run("absent", of="visits", days=27).found  # the data ends on August 27
    rich = run(
        "absent", of="visits", start="2024-08-01", amount={"low": float(rows[0][1]) - 0.01, "unit": "money"}
    )
    assert rich.found["customer"] == (str(rows[0][0]),)


def test_who_bought_it_before_and_not_since():
    rows = corner.shop().query(
        "SELECT customer_id FROM events JOIN products USING (product_id) WHERE kind = 'purchase' AND category = 'MILK'"
        " GROUP BY 1 HAVING max(ts) < '2024-08-01'"
    )
    found = run("absent", of="visits", category="MILK", start="2024-08-01")
    assert set(found.found["customer"]) == {str(key) for (key,) in rows}


def test_who_redeemed_no_coupon():
    rows = corner.shop().query(
        "SELECT customer_id FROM events GROUP BY 1 HAVING bool_or(kind = 'purchase') AND NOT bool_or(kind = 'redemption')"
    )
    assert set(run("absent", of="coupons").found["customer"]) == {str(key) for (key,) in rows}


def test_the_part_of_the_best_customers():
    spent = [float(s) for (s,) in corner.shop().query(
        "SELECT sum(amount) FROM events WHERE kind = 'purchase' GROUP BY customer_id ORDER BY 1 DESC"
    )]  # fmt: skip
    best, half = run("top_share", percent=10).facts
    assert best.value == pytest.approx(sum(spent[:20]) / sum(spent))  # 20 of 200
    assert sum(spent[: half.value]) >= sum(spent) / 2 > sum(spent[: half.value - 1])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who hasn't been here since June?", {"of": "visits", "start": "2024-07-01"}),
        ("哪些顾客六月之后就没来过？", {"of": "visits", "start": "2024-07-01"}),
        ("Which customers haven't visited for two months?", {"of": "visits", "days": 60}),
        ("最近30天没来过的顾客有哪些", {"of": "visits", "start": "2024-07-29", "end": "2024-08-27"}),
        ("who hasn't bought milk since June 15?", {"of": "visits", "start": "2024-06-16"}),
        ("Which customers never use coupons?", {"of": "coupons"}),
        ("哪些顾客从没用过优惠券？", {"of": "coupons"}),
    ],
)
def test_the_wording_asks_who_stayed_away(question: str, expected: dict[str, Any]):
    (item,) = items(about(question))
    assert item["tool"] == "absent"
    assert {name: item.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("question", "percent"),
    [
        ("How much do our top 10% of customers bring in?", 10), ("花钱最多的5%顾客贡献了多少销售额", 5),
        ("Does the 80/20 rule hold for our customers?", None),
    ],
)  # fmt: skip
def test_the_wording_asks_for_the_best_customers_part(question: str, percent: float | None):
    (item,) = items(about(question))
    assert (item["tool"], item.get("percent")) == ("top_share", percent)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which categories fell most in February?", {"by": "category", "direction": "down", "rank": "money"}),
        ("Which brands grew fastest in February?", {"by": "brand", "direction": "up", "rank": "rate"}),
        ("Why did sales drop in February?", {"by": "category", "direction": "both", "why": True}),
        ("2月哪些品类增长最快？", {"by": "category", "direction": "up", "rank": "rate"}),
        ("哪些顾客比以前买得少了？", {"by": "customer", "direction": "down"}),
        ("What changed in February?", {"by": "category", "direction": "both"}),
    ],
)
def test_the_wording_asks_what_changed(question: str, expected: dict[str, Any]):
    (item,) = items(about(question))
    assert item["tool"] == "changes"
    assert {name: item[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("And in March?", {"by": "category", "start": "2024-03-01", "end": "2024-03-31"}),
        ("那按品牌呢？", {"by": "brand", "start": "2024-02-01", "end": "2024-02-29"}),
    ],
)
def test_what_changed_is_gone_on_from(question: str, expected: dict[str, Any]):
    before = {"tool": "changes", "args": {"by": "category", "direction": "down", "rank": "money", **MONTHS}}
    (item,) = items(about(question), [before])
    assert {name: item[name] for name in expected} == expected
    assert (item["tool"], item["direction"]) == ("changes", "down")


def test_from_one_month_to_another_compares_the_two():
    (item,) = items(about("Which categories grew from January to February 2024?"))
    told = (item["before_start"], item["before_end"], item["start"], item["end"])
    assert told == ("2024-01-01", "2024-01-31", "2024-02-01", "2024-02-29")


@pytest.mark.parametrize(
    "question",
    ["Which customers bought milk but no cheese?", "How many customers buy milk without cheese?", "哪些顾客买了牛奶却没买芝士？"],
)  # fmt: skip
def test_the_wording_asks_for_the_one_without_the_other(question: str):
    (item,) = items(about(question))
    assert item["tool"] == "bought_not"
    assert [[t["key"] for t in things] for things in item["bought"]] == [["MILK"]]
    assert [t["key"] for t in item["bought_not"]] == ["CHEESE"]


@pytest.mark.parametrize(
    "question",
    [
        "How much did we sell of everything but milk?", "Which customers bought milk and cheese?", "哪些顾客没买过牛奶？",
        "How did milk sales grow from January to March?", "Which customers spent more than $500?", "What sold best in February?",
        "Why would customer 88 buy milk?", "Which customers might we lose?", "Who should not get our coupon for milk?",
    ],
)  # fmt: skip
def test_other_questions_are_left_alone(question: str):
    assert not [
        item
        for item in items(about(question))
        if item["tool"] in ("changes", "bought_not", "absent", "top_share")
    ]
