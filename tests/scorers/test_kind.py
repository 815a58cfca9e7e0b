from __future__ import annotations

import pytest

from eval.scorers.kind import check
from tests.scorers.ground import reply, turn, untouched


@pytest.mark.parametrize("wanted", ["refuse", ["clarify", "refuse"]])
def test_the_kind_is_one_of_those_accepted(wanted: str | list[str]):
    assert check(turn(kind=wanted), reply(kind="refuse"), untouched()) == {"kind": []}
    (wrong,) = check(turn(kind=wanted), reply(kind="answer"), untouched())["kind"]
    assert "kind is answer, should be" in wrong


def test_a_turn_without_a_kind_is_not_judged():
    assert check(turn(), reply(), untouched()) == {}


def test_a_handoff_has_a_reason_and_a_brief():
    told = {"reason": "a complaint", "brief": "The customer was charged twice."}
    assert check(turn(kind="handoff"), reply(kind="handoff", handoff=told), untouched())["brief"] == []
    for name in told:
        empty = reply(kind="handoff", handoff=told | {name: " "})
        assert check(turn(kind="handoff"), empty, untouched())["brief"] == [f"the handoff has no {name}"]
    assert len(check(turn(kind="handoff"), reply(kind="handoff"), untouched())["brief"]) == 2
