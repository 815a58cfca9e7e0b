from __future__ import annotations

from typing import Any

import pytest

from eval.scorers.rules import check
from tests.scorers.ground import ground, offers, reply, step, turn, untouched


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        ({"count": 2}, (10, 11), (10,)),
        ({"category": "COFFEE"}, (10, 11), (10, 12)),
        ({"never_bought": "1"}, (11,), (10, 11)),
    ],
)
def test_what_the_case_expects(expected: dict[str, Any], right: tuple[int, ...], wrong: tuple[int, ...]):
    asked = turn(expect=[expected])
    assert check(asked, reply(recommendations=offers(*right)), ground()) == {"rules": []}
    assert check(asked, reply(recommendations=offers(*wrong)), ground())["rules"]
    assert check(asked, reply(), ground())["rules"], "nothing is recommended"


def test_products_are_sold_and_stand_once():
    assert check(turn(), reply(recommendations=offers(10, 12)), ground()) == {"rules": []}
    (unsold,) = check(turn(), reply(recommendations=offers(10, 99)), ground())["rules"]
    assert unsold == "products that the shop never sold: 99"
    (twice,) = check(turn(), reply(recommendations=offers(10, 10)), ground())["rules"]
    assert twice == "the same product is recommended twice"


@pytest.mark.parametrize(
    ("args", "bad", "says"),
    [
        ({"category": "COFFEE"}, (11, 12), "not of COFFEE: 12"),
        ({"n": 1}, (10, 11), "2 products recommended, at most 1"),
        ({"new_only": True}, (10, 11), "bought before: 10"),
    ],
)
def test_offers_keep_to_what_their_step_asked(args: dict[str, Any], bad: tuple[int, ...], says: str):
    steps = [step("recommend", customer="1", **args)]
    assert check(turn(), reply(recommendations=offers(11), steps=steps), ground()) == {"rules": []}
    (wrong,) = check(turn(), reply(recommendations=offers(*bad), steps=steps), ground())["rules"]
    assert says in wrong


def test_the_members_of_an_audience_are_not_recommended():
    asked = turn(expect=[{"members": 2, "category": "COFFEE"}])
    assert check(asked, reply("2 customers"), untouched()) == {}
