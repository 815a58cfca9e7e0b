"""Turns run in threads of their own, one at a time in a conversation, and stop when asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from ui_fakes import FakeAgent

from agent.events import Event, FinalEvent, Reply, TokenEvent
from ui.turns import Conversations, TurnView


def _all(batches: Iterator[list[Event]]) -> list[Event]:
    return [event for batch in batches for event in batch]


def test_a_turn_hands_on_every_event_in_order() -> None:
    conversation = Conversations().open()
    said: list[Event] = [TokenEvent(str(i)) for i in range(500)]
    said.append(FinalEvent(Reply("x", "en", "answer")))
    assert _all(conversation.begin(TurnView("q", "en"), lambda _: iter(said)).batches()) == said


def test_what_a_stream_gave_is_read_to_the_end_though_it_withdraws_its_own_event_then() -> None:
    through = threading.Event()
    said: list[Event] = [TokenEvent("x"), FinalEvent(Reply("x", "en", "answer"))]

    def as_the_agent(cancel: threading.Event) -> Iterator[Event]:
        yield from said
        cancel.set()
        through.set()

    batches = Conversations().open().begin(TurnView("q", "en"), as_the_agent).batches()
    assert through.wait(5)
    assert _all(batches) == said


def test_a_failure_is_raised_after_what_came_before_it() -> None:
    agent = FakeAgent(pause_s=0)
    turn = Conversations().open().begin(TurnView("q", "en"), lambda _: agent.stream("fail"))
    seen: list[Event] = []
    batches = turn.batches()
    with pytest.raises(RuntimeError, match="secret"):
        seen.extend(event for batch in batches for event in batch)
    assert len(seen) == 1
    assert agent.asked[0].closed


def test_a_stopped_turn_ends_and_closes_the_agent_s_stream() -> None:
    closed, begun = threading.Event(), threading.Event()

    def waiting(cancel: threading.Event) -> Iterator[Event]:
        begun.set()
        assert cancel.wait(5)  # as a model server is waited for: no event comes meanwhile
        closed.set()
        yield TokenEvent("x")

    conversation = Conversations().open()
    turn = conversation.begin(TurnView("q", "en"), waiting)
    assert begun.wait(5)
    conversation.stop()
    assert len(_all(turn.batches())) == 0
    assert closed.wait(5)


def test_a_conversation_answers_one_question_at_a_time() -> None:
    agent = FakeAgent(pause_s=0.01)
    conversation = Conversations().open()
    turns = [
        conversation.begin(TurnView(q, "en"), lambda _, q=q: agent.stream(q)) for q in ("one", "two", "three")
    ]
    assert isinstance(_all(turns[-1].batches())[-1], FinalEvent)
    assert agent.most_running == 1


def test_conversations_are_forgotten_oldest_first_and_reopened_when_unknown() -> None:
    known = Conversations(capacity=2)
    first, second = known.open(), known.open()
    assert known.get(first.session) is first  # used again, so the second is now the oldest
    known.open()
    assert known.get(first.session) is first
    again = known.get(second.session)
    assert again is not second
    assert again.session != second.session
    assert known.get(None).session not in (first.session, second.session)
