from __future__ import annotations

from typing import Any

import pytest

from eval.scorers.figures import check
from tests.scorers.ground import ground, reply, turn, untouched

SPEND = {"figure": "spend", "sql": "select sum(amount) from lines where customer = '2'", "unit": "money"}
TOP = {
    "top": "category",
    "sql": "select category from lines where customer = '1' group by 1 order by sum(amount) desc",
}


def test_a_figure_is_that_of_the_sample():
    assert check(turn(expect=[SPEND]), reply("They spent $1,234.50."), ground()) == {"figures": []}


@pytest.mark.parametrize(
    "answer", ["They spent $1,243.50.", "They spent 1,234.50%.", "They spent a lot.", "$12.35"]
)
def test_another_figure_or_unit_is_wrong(answer: str):
    (wrong,) = check(turn(expect=[SPEND]), reply(answer), ground())["figures"]
    assert "the data says 1,234.5000" in wrong


@pytest.mark.parametrize(
    ("answer", "right"), [("Coffee, then cheese.", True), ("Cheese, then coffee.", False), ("Coffee.", False)]
)
def test_names_come_in_their_order(answer: str, right: bool):
    assert (check(turn(expect=[TOP]), reply(answer), ground()) == {"names": []}) is right


@pytest.mark.parametrize(
    ("asked", "aspect"),
    [
        ({"expect": [{"mentions": ["Monday"]}]}, "mentions"),
        ({"silent": ["Tuesday"]}, "silent"),
        ({"expect": [{"no_figures": "percent"}]}, "figures"),
    ],
)
def test_words_that_must_and_must_not_stand(asked: dict[str, Any], aspect: str):
    assert check(turn(**asked), reply("On Monday."), ground()) == {aspect: []}
    assert check(turn(**asked), reply("On Tuesday, 12% more."), ground())[aspect]


def test_kind_and_language_are_other_scorers():
    chinese = reply("They spent $1,234.50.", kind="refuse", language="zh")
    assert check(turn(expect=[SPEND], kind="answer"), chinese, ground()) == {"figures": []}


def test_nothing_expected_is_nothing_judged():
    assert check(turn(), reply("$5"), untouched()) == {}
    assert check(turn(expect=[{"count": 2}]), reply("$5"), untouched()) == {}


def test_an_unknown_check_is_an_error():
    with pytest.raises(ValueError, match="unknown check"):
        check(turn(expect=[{"colour": "red"}]), reply(), ground())
