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
        "Why would customer 88 buy milk?", "Which customers might we lose?",
    ],
)  # fmt: skip
def test_other_questions_are_left_alone(question: str):
    assert not [item for item in items(about(question)) if item["tool"] in ("changes", "bought_not")]
