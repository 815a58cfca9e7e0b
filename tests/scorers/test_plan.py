from __future__ import annotations

from typing import Any

import pytest

from eval.scorers.plan import tools, whole
from tests.scorers.ground import reply, step, turn, untouched

PLANS = [
    [{"tool": "profile", "args": {"customer": "1", "about": "visits"}}],
    [{"tool": "segments", "args": {}}],
]
ASKED = turn(plans=PLANS, kind="answer")


def test_any_acceptable_plan_is_right():
    for ran in (step("profile", customer="1", about="visits"), step("segments")):
        assert whole(ASKED, reply(steps=[ran]), untouched()) == {"tools": [], "arguments": []}
        assert tools(ASKED, reply(steps=[ran]), untouched()) == {"tools": []}


def test_wrong_arguments_leave_the_tools_right():
    ran = reply(steps=[step("profile", customer="2", about="spending")])
    assert tools(ASKED, ran, untouched()) == {"tools": []}
    found = whole(ASKED, ran, untouched())
    assert found["tools"] == []
    assert found["arguments"][0].startswith("customer, about: profile(customer=2, about=spending)")


@pytest.mark.parametrize("steps", [[], [step("measure")], [step("segments"), step("segments")]])
def test_other_missing_and_further_tools_are_wrong(steps: list[dict[str, Any]]):
    found = whole(ASKED, reply(steps=steps), untouched())
    assert len(found["tools"]) == 1
    assert "arguments" not in found


def test_the_kind_is_another_scorers():
    ran = [step("segments")]
    assert tools(ASKED, reply(steps=ran, kind="refuse"), untouched()) == {"tools": []}


def test_an_order_that_was_asked_for_is_kept():
    plan = [[{"tool": "segments", "args": {}}, {"tool": "profile", "args": {}}]]
    steps = [step("profile"), step("segments")]
    assert whole(turn(plans=plan), reply(steps=steps), untouched())["arguments"] == []
    assert whole(turn(plans=plan, ordered=True), reply(steps=steps), untouched())["arguments"]


def test_the_ends_of_the_data_are_no_limit():
    plan = [[{"tool": "measure", "args": {"start": None, "end": None}}]]
    for days, right in ((("2017-01-01", "2017-12-31"), True), (("2017-01-02", "2017-12-31"), False)):
        ran = reply(steps=[step("measure", start=days[0], end=days[1])])
        assert (whole(turn(plans=plan), ran, untouched())["arguments"] == []) is right


def test_without_plans_one_of_the_tools_ran():
    asked = turn(tools=["profile", "measure"])
    assert whole(asked, reply(steps=[step("segments"), step("measure")]), untouched()) == {"tools": []}
    assert tools(asked, reply(steps=[step("segments")]), untouched())["tools"]
    assert tools(asked, reply(), untouched())["tools"] == ["no tool ran; should be profile or measure"]
    assert tools(turn(tools=[]), reply(), untouched()) == {}
