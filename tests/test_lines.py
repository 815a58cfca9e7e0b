"""Plans as lines, and calls that take what earlier ones find."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import lines
from agent.chains import bind_plan
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.plan import Planner
from agent.prompts import default_prompts
from agent.reading import read_question
from agent.subject import MAX_CALLS, Found, Subject
from customers.encoder import MultilingualEncoder
from tests import corner


@cache
def _linker() -> Linker:
    return Linker(corner.shop(), Lexicon(corner.shop(), MultilingualEncoder()))


@cache
def _planner() -> Planner:
    return Planner(corner.shop(), MultilingualEncoder(), default_prompts())


def about(text: str) -> Subject:
    return read_question(text, _linker(), {}, "merchandiser", None, "en")[1]


def plan(text: str, *written: str) -> list[tuple[str, dict[str, Any]]]:
    subject = about(text)
    choices = _planner().open_calls(subject)
    found = lines.read(str(list(written)).replace("'", '"'), choices)
    assert found is not None, [line for line in written if line not in choices]
    return [(call.tool, call.args) for call in bind_plan({"calls": found}, subject)]


def test_a_tool_without_what_it_needs_is_no_choice():
    choices = _planner().open_calls(about("What should we do?"))
    assert "recommend" not in choices
    assert "recommend found" in choices  # an earlier call of the plan may find the customer
    assert {"clarify", "chat", "refuse", "handoff", "segments", "measure spend month"} <= choices.keys()


def test_every_line_stands_for_its_own_call():
    choices = _planner().open_calls(about("What should we offer customer 3?"))
    assert all(lines.line(call) == line for line, call in choices.items())
    assert choices["measure spend month"] == {
        "tool": "measure",
        "quantity": "spend",
        "by": "month",
        "from": "",
    }


def test_several_categories_are_told_apart():
    subject = about("Which milk or cheese can I offer customer 3?")
    keys = subject.keys("category")
    assert len(keys) == 2
    choices = _planner().open_calls(subject)
    assert {f"recommend {key}" for key in keys} <= choices.keys()
    assert "; ".join(keys) in _planner().tuned_messages(subject)[1]["content"]


@given(st.text(max_size=40) | st.lists(st.sampled_from(["recommend", "chat", "nonsense", ""])).map(str))
def test_what_is_no_plan_of_allowed_lines_is_none(text: str):
    allowed = {"recommend": {"tool": "recommend"}, "chat": {"tool": "chat"}}
    found = lines.read(text.replace("'", '"'), allowed)
    assert found is None or (0 < len(found) <= MAX_CALLS and all(call in allowed.values() for call in found))


def test_a_call_takes_what_an_earlier_one_finds():
    first, second = plan(
        "what goes well in the basket of whoever buys most milk", "measure spend customer", "recommend found"
    )
    assert first[0] == "measure"
    assert second == ("recommend", {"customer": Found(0, "customer", 1)} | _rest(second))


def test_two_are_found_where_two_are_asked_for():
    calls = plan(
        "Take the 2 customers most like 3 and see their tastes", "similar_customers", "profile tastes found"
    )
    assert calls[1][1]["customer"] == Found(0, "customer", 2)
    assert calls[0][1]["customer"] == "3"


def test_a_figure_is_narrowed_by_what_was_found():
    calls = plan(
        "The category customer 3 is mad about: by month?", "profile tastes", "measure spend month found"
    )
    assert calls[1][1]["filters"]["category"] == Found(0, "category", 1)


def test_a_call_that_would_take_from_nowhere_is_not_made():
    assert plan("What should we do?", "recommend found") == [("clarify", {})]


@pytest.mark.parametrize("text", ["And that, note it: he moved house. Customer 3.", "记一下，3号顾客搬家了"])
def test_a_note_can_be_planned_where_its_words_are_not_told_apart(text: str):
    (call,) = plan(text, "add_note")
    assert call[0] == "add_note"
    assert call[1]["customer"] == "3"
    assert call[1]["text"]


def _rest(call: tuple[str, dict[str, object]]) -> dict[str, object]:
    return {k: v for k, v in call[1].items() if k != "customer"}


def test_a_call_that_lacks_what_it_requires_is_left_out():
    calls = plan("What would you offer our best customer, and why?", "recommend", "explain_preference found")
    assert "explain_preference" not in [tool for tool, _ in calls]
    assert calls[-1][0] == "recommend"


def test_a_threshold_and_a_later_period_belong_to_their_own_clause():
    first, second = plan(
        "How many customers spent over $50, and how much did we take in June?",
        "measure spend customer",
        "measure spend none",
    )
    assert first[1]["amount"]["low"] == 50
    assert "start" not in first[1]
    assert "amount" not in second[1]
    assert str(second[1]["start"]).endswith("-06-01")


def test_an_earlier_period_holds_for_what_follows():
    calls = plan(
        "In June, how much did we take, and how many customers came?",
        "measure spend none",
        "measure customers none",
    )
    assert [str(args["start"])[-5:] for _, args in calls] == ["06-01", "06-01"]
