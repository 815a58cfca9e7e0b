"""A campaign's plan: whom it takes under a budget, whom rules leave out, and the file it is written to."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from customers.errors import BadInput, Unknown
from customers.recommend import plan_file
from customers.recommend.campaigning import lookalikes
from customers.recommend.plan import Contact, Plan, Terms, make_plan
from customers.recommend.returns import Evidence, Expected
from customers.values import Name
from tools.plan_words import summary

IDS = [f"c{n}" for n in range(6)]
GAIN = np.array([0.30, 0.10, 0.0, -0.10, 0.20, 0.05])
EXPECTED = Expected(
    redeems=np.array([0.4, 0.4, 0.4, 0.4, 0.2, 0.1]), gain=GAIN, gains=np.tile(GAIN, (20, 1)),
    buys=np.full(6, 0.1), money=np.full(6, 10.0),
)  # fmt: skip
GROUNDS = Evidence(12, 900, 3000, 80, 0.05, 0.01, 0.01, 0.01)
NOBODY = {name: np.zeros(6, bool) for name in ("consent", "contacts", "never")}
TEA = Name("Tea", "茶")


def plan(terms: Terms, barred=NOBODY, expected: Expected = EXPECTED, among=None) -> Plan:
    return make_plan(
        "Tea", terms, IDS, expected, GROUNDS, barred, np.arange(6), np.array([-1, 3, 4, 5, 6, 7]), among
    )


def chosen(found: Plan) -> list[str]:
    return [c.customer_id for c in found.contacts]


def test_the_most_extra_margin_for_each_unit_of_cost_comes_first() -> None:
    # cost 0.1 + redeems: .5 .5 .5 .5 .3 .2; gain / cost: .6 .2 0 - .67 .25
    found = plan(Terms())
    assert chosen(found) == ["c4", "c0", "c5", "c1"]
    assert found.stopped == "worth"
    assert found.cost == pytest.approx(0.3 + 0.5 + 0.2 + 0.5)
    assert found.most_cost == pytest.approx(4 * 1.1)
    assert found.redeemers == pytest.approx(0.2 + 0.4 + 0.1 + 0.4)
    assert found.buyers.value == pytest.approx(0.65)
    assert found.profit.value == pytest.approx(0.65 * 10 * 0.25 - 1.5)
    assert found.profit.low <= found.profit.value <= found.profit.high


def test_the_budget_is_never_overspent_and_the_capacity_bounds_the_list() -> None:
    by_budget = plan(Terms(budget=0.85))
    assert (chosen(by_budget), by_budget.stopped) == (["c4", "c0"], "budget")
    by_capacity = plan(Terms(capacity=1))
    assert (chosen(by_capacity), by_capacity.stopped) == (["c4"], "capacity")
    assert chosen(plan(Terms(budget=0.0))) == []


def test_for_profit_only_contacts_that_pay_are_made() -> None:
    # margin .25 of money 10: worth 2.5 a buyer; c4 .5 against .3, c0 .75 against .5, c5 .125 against .2
    assert chosen(plan(Terms(goal="profit"))) == ["c4", "c0"]


def test_rules_leave_customers_out_and_are_counted_once_each() -> None:
    barred = {"consent": np.array([1, 0, 0, 0, 0, 0], bool), "contacts": np.array([1, 0, 0, 0, 1, 0], bool)}
    found = plan(Terms(), barred)
    assert chosen(found) == ["c5", "c1"]
    assert found.left_out == {"consent": 1, "contacts": 1}
    assert found.eligible == 4


def test_only_those_it_is_for() -> None:
    assert chosen(plan(Terms(), among=np.array([1, 1, 0, 0, 0, 0], bool))) == ["c0", "c1"]


def test_without_campaigns_to_learn_from_nothing_is_said_of_a_return() -> None:
    dumb = Expected(
        np.zeros(6), np.zeros(6), np.zeros((0, 6)), np.array([0.1, 0.5, 0.2, 0.0, 0.4, 0.3]), np.full(6, 10.0)
    )
    found = plan(Terms(capacity=2), expected=dumb)
    assert chosen(found) == ["c1", "c4"]
    assert found.profit.value == 0.0
    english = " ".join(line["en"] for line in summary(found, TEA, "$"))
    assert "too few" in english
    assert "return" not in english


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": -1.0},
        {"margin": 1.5},
        {"capacity": 0},
        {"most_contacts": 0},
        {"goal": "fame"},
        {"budget": float("nan")},
    ],
)
def test_terms_that_cannot_be_are_refused_in_one_line(wrong: dict) -> None:
    with pytest.raises(BadInput) as caught:
        plan(Terms(**wrong))
    assert "\n" not in str(caught.value)


def test_everybody_gets_the_same_coupon_in_the_file() -> None:
    found = plan(Terms(coupon=2.0))
    rows = list(csv.DictReader(io.StringIO(plan_file.render(found, TEA, {"c0": "Fans"}))))
    assert [row["customer_id"] for row in rows] == chosen(found)
    assert {row["coupon"] for row in rows} == {"2.00"}
    first = next(row for row in rows if row["customer_id"] == "c0")
    assert first["segment"] == "Fans"
    assert (
        first["reason_en"]
        == "never bought Tea; 40.0% likely to redeem; 10.0% likely to buy anyway, +30.0 points with the coupon"
    )
    assert first["reason_zh"] == "从未买过茶；兑换概率40.0%；不发券的购买概率10.0%，发券后变化+30.0个百分点"


def test_no_cell_of_the_file_is_a_formula() -> None:
    evil = Contact("=cmd()", 0.1, 0.1, 0.1, 0.1, 0.1, 1, 2)
    found = plan(Terms())
    found = Plan(**{**{f: getattr(found, f) for f in Plan.__dataclass_fields__}, "contacts": (evil,)})
    text = plan_file.render(found, Name("@Tea", "茶"), {"=cmd()": "+1"})
    cells = next(csv.reader(io.StringIO(text.splitlines()[1])))
    assert not [
        cell for cell in cells if cell.startswith(("=", "@")) or (cell[:1] == "+" and not cell[1:2].isdigit())
    ]


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    plan_file.write(path, "a,茶\n")
    assert path.read_text(encoding="utf-8-sig") == "a,茶\n"
    with pytest.raises(BadInput, match="cannot be written"):
        plan_file.write(tmp_path / "missing" / "plan.csv", "a\n")
    assert [p.name for p in tmp_path.iterdir()] == ["plan.csv"]


def test_lookalikes_are_those_who_behave_like_the_list() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 4))
    vectors[:40, 0] += 5  # forty of a kind
    keys = [f"k{n:03}" for n in range(200)]
    habits = np.zeros((200, 2))
    found = lookalikes(keys[:10], 30, keys, vectors, habits)
    assert {one.customer_id for one in found} <= set(keys[10:40])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    with pytest.raises(Unknown, match="nobody"):
        lookalikes(["nobody"], 5, keys, vectors, habits)
    with pytest.raises(BadInput, match="five"):
        lookalikes(keys[:4], 5, keys, vectors, habits)
    habits[20:60, 0] += 5  # of the kind, the second twenty shop as the list does
    habits[:10, 0] += 5
    assert {one.customer_id for one in lookalikes(keys[:10], 20, keys, vectors, habits)} <= set(keys[20:40])
