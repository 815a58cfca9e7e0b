"""The way of a message through a desk: one suite for every adapter, over real HTTP against stand-in desks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.errors import LLMUnavailable
from api.desk.base import Ready
from api.desk.contacts import email_hash
from api.desk.delivery import AGENT_TRIES
from api.desk.queue import FILE
from tests.desk_slack import SlackStandIn
from tests.desk_stand_in import TOKEN, Trouble
from tests.desk_world import STAND_INS, Brief, Reply, World, world
from tests.desk_zendesk import ZendeskStandIn


@pytest.fixture(params=sorted(STAND_INS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def one(name: str, tmp_path: Path) -> Iterator[World]:
    with world(name, tmp_path / "shop") as found:
        yield found


@pytest.fixture
def chatwoot(tmp_path: Path) -> Iterator[World]:
    with world("chatwoot", tmp_path / "shop") as found:
        yield found


# The way there and back ------------------------------------------------------------------------------------
def test_a_message_is_acknowledged_at_once_and_answered_in_its_conversation(one: World):
    held = threading.Event()
    one.answers.think = lambda _: held.wait(5) and None
    talk, other = one.desk.begin("1842"), one.desk.begin("900")
    one.desk.say(talk, "Where is my order?")
    assert one.desk.webhook_answers[-1][0] == 200
    assert one.desk.replies(talk) == []
    held.set()
    one.idle()
    assert one.desk.replies(talk) == ["re: Where is my order?"]
    assert one.desk.notes(talk) == one.desk.replies(other) == []
    ((text, customer, session, assist),) = one.answers.asked
    assert (text, customer, assist) == ("Where is my order?", "1842", False)
    assert session.startswith(f"{one.desk.name}:{talk}")


def test_a_handover_tells_the_customer_briefs_the_team_and_keeps_silent_until_given_back(one: World):
    talk = one.desk.begin("1842")
    assert one.converse(talk, "hello", "a human please", "are you there?") == [
        "re: hello",
        "A colleague takes over.",
    ]
    assert one.desk.notes(talk) == ["Brief (en): 1842 wants: a human please"]
    assert one.desk.with_colleagues(talk)
    assert one.queue.health().with_colleagues == 1
    one.desk.give_back(talk)
    one.idle()
    assert one.converse(talk, "and now?")[-1] == "re: and now?"
    assert [text for text, *_ in one.answers.asked] == ["hello", "a human please", "and now?"]
    assert one.queue.health().with_colleagues == 0


def test_conversations_go_side_by_side_and_each_in_order(one: World):
    talks = [one.desk.begin("1842") for _ in range(6)]
    threads = [
        threading.Thread(target=lambda t=talk: [one.desk.say(t, f"{t} {i}") for i in range(4)])
        for talk in talks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.idle()
    for talk in talks:
        assert one.desk.replies(talk) == [f"re: {talk} {i}" for i in range(4)]


def test_one_delivery_many_times_is_answered_once(one: World):
    talk = one.desk.begin("1842")
    document = one.desk.say(talk, "hello", deliver=False)
    threads = [threading.Thread(target=one.desk.deliver, args=(document,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.idle()
    one.desk.deliver(document)
    one.idle()
    assert one.desk.replies(talk) == ["re: hello"]
    assert {status for status, _ in one.desk.webhook_answers} == {200}


def test_deliveries_in_the_wrong_order_are_answered_in_the_right_one(one: World):
    talk = one.desk.begin("1842")
    documents = [one.desk.say(talk, f"line {i}", deliver=False) for i in range(3)]
    for document in reversed(documents):
        one.desk.deliver(document)
    one.idle()
    assert one.desk.replies(talk) == ["re: line 0", "re: line 1", "re: line 2"]


def test_a_message_that_never_came_in_is_found_in_the_conversation(one: World):
    talk = one.desk.begin("1842")
    one.converse(talk, "first")
    one.desk.say(talk, "lost on its way", deliver=False)
    one.converse(talk, "third")
    assert one.desk.replies(talk) == ["re: first", "re: lost on its way", "re: third"]


# Who it is -------------------------------------------------------------------------------------------------
def test_an_unknown_contact_is_answered_as_nobody(one: World):
    talk = one.desk.begin("not-a-customer")
    one.converse(talk, "hello")
    assert one.answers.asked[0][1] is None


@pytest.mark.parametrize(
    ("more", "contact", "customer"),
    [
        ({}, {"identifier": "900", "verified": False}, None),
        ({"trust": "all"}, {"identifier": "900", "verified": False}, "900"),
        ({}, {"custom_attributes": {"customer_id": 900}}, "900"),
        ({"attribute": "shop_no"}, {"custom_attributes": {"shop_no": "900", "customer_id": "1842"}}, "900"),
        ({"table": "contact,customer\nacct-7,900\n"}, {"identifier": "acct-7"}, "900"),
        ({"table": f"contact,customer\n{email_hash('Jane@Example.com')},900\n"}, {"email": "jane@example.com "}, "900"),
        ({"table": "contact,customer\nacct-7,gone\n"}, {"identifier": "acct-7"}, None),
        ({}, {"id": 900}, None),
    ],
)  # fmt: skip
def test_chatwoot_contacts_are_customers_only_where_it_is_certain(
    tmp_path: Path, more: dict[str, Any], contact: dict[str, Any], customer: str | None
):
    if table := more.pop("table", None):
        more["contacts"] = tmp_path / "contacts.csv"
        more["contacts"].write_text(table)
    with world("chatwoot", tmp_path / "shop", **more) as found:
        found.converse(found.desk.begin(**contact), "hello")
        assert found.answers.asked[0][1] == customer


# What the desk does to us ----------------------------------------------------------------------------------
POSTS = {
    "chatwoot": r"POST .*/messages$",
    "zendesk": r"PUT .*/tickets/\d+\.json$",
    "slack": r"POST .*postMessage$",
}


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("", 500, times=2),
        Trouble("", 500, times=2, effect=True),
        Trouble("", 503, effect=True),
        Trouble("", 429, headers={"Retry-After": "0.1"}),
    ],
    ids=["500", "500 after it was posted", "503 after it was posted", "429"],
)
def test_a_failing_api_is_tried_again_and_posts_nothing_twice(one: World, trouble: Trouble):
    trouble.calls = POSTS[one.desk.name]
    one.desk.troubles = [trouble]
    talk = one.desk.begin("1842")
    one.converse(talk, "hello", "a human please")
    assert trouble.times == 0
    assert one.desk.replies(talk) == ["re: hello", "A colleague takes over."]
    assert len(one.desk.notes(talk)) == 1
    assert len(one.answers.asked) == 2, "the agent is asked once a message"


def test_an_api_that_fails_at_every_call_in_turn_is_got_through(one: World):
    for calls in ("GET", POSTS[one.desk.name], "toggle_status|tags"):
        one.desk.troubles.append(Trouble(calls, 500))
    talk = one.desk.begin("1842")
    one.converse(talk, "a human please")
    assert one.desk.replies(talk) == ["A colleague takes over."]
    assert len(one.desk.notes(talk)) == 1
    assert one.desk.with_colleagues(talk)


def test_what_the_desk_refuses_for_good_is_put_aside_told_and_can_be_taken_up_again(one: World):
    refusal = Trouble(POSTS[one.desk.name], 403, times=1)
    one.desk.troubles = [refusal]
    talk = one.desk.begin("1842")
    one.converse(talk, "hello")
    health = one.queue.health(one.desk.name)
    assert (health.dead, health.waiting) == (1, 0)
    assert "answered 403" in health.trouble
    assert TOKEN not in health.trouble
    assert httpx.get(f"{one.url}/desks").json()[one.desk.name]["dead"] == 1
    assert one.queue.retry() == 1
    one.idle()
    assert one.desk.replies(talk) == ["re: hello"]
    assert one.queue.health().dead == 0


def test_an_api_that_never_recovers_ends_in_a_dead_letter_not_in_silence(one: World):
    one.desk.troubles = [Trouble(POSTS[one.desk.name], 500, times=10**6)]
    talk = one.desk.begin("1842")
    one.converse(talk, "hello")
    ((desk, conversation, _, reason),) = one.queue.dead_letters()
    assert (desk, conversation.partition(":")[0]) == (one.desk.name, talk)
    assert "500" in reason
    assert len(one.answers.asked) == 1


def test_a_slow_conversation_does_not_hold_up_the_others(one: World):
    slow, quick = one.desk.begin("1842"), one.desk.begin("900")
    held = threading.Event()
    one.answers.think = lambda text: held.wait(5) and None if text == "slow" else None
    one.desk.say(slow, "slow")
    one.desk.say(quick, "quick")
    one.desk.wait(lambda: one.desk.replies(quick) == ["re: quick"])
    assert one.desk.replies(slow) == []
    held.set()
    one.idle()
    assert one.desk.replies(slow) == ["re: slow"]


# What the agent does ---------------------------------------------------------------------------------------
def test_an_agent_that_fails_is_asked_again_and_then_a_colleague_is(one: World):
    talk = one.desk.begin("1842")
    one.answers.failures = [LLMUnavailable("down")]
    assert one.converse(talk, "hello") == ["re: hello"]
    one.answers.failures = [LLMUnavailable("down")] * AGENT_TRIES
    one.converse(talk, "help me")
    assert one.desk.with_colleagues(talk)
    (note,) = one.desk.notes(talk)
    assert "help me" in note
    assert len(one.answers.asked) == 2 + AGENT_TRIES


def test_a_message_without_words_goes_to_a_colleague(one: World):
    talk = one.desk.begin("900")
    one.converse(talk, "")
    assert one.desk.with_colleagues(talk)
    assert "picture" in one.desk.notes(talk)[0]
    assert one.answers.asked == []


# Assist mode and feedback ----------------------------------------------------------------------------------
def test_assisting_writes_drafts_for_colleagues_only(name: str, tmp_path: Path):
    with world(name, tmp_path / "shop", mode="assist") as found:
        talk = found.desk.begin("1842")
        assert found.converse(talk, "hello", "and again") == []
        first, second = found.desk.notes(talk)
        assert "re: hello" in first
        assert "Draft" in first
        assert "re: and again" in second
        assert found.desk.with_colleagues(talk)
        assert {assist for *_, assist in found.answers.asked} == {True}


def test_what_a_colleague_makes_of_a_draft_is_fed_back(tmp_path: Path):
    with world("chatwoot", tmp_path / "shop", mode="assist") as found:
        talk = found.desk.begin("1842")
        found.converse(talk, "hello")
        found.desk.colleague_says(talk, "re:  hello\n")
        found.idle()
        found.converse(talk, "and again")
        found.desk.colleague_says(talk, "something else")
        found.idle()
        found.desk.colleague_says(talk, "and more")
        found.idle()
        assert found.answers.outcomes == [
            (f"chatwoot:{talk}", "sent"),
            (f"chatwoot:{talk}", "changed: something else"),
        ]


def test_ratings_and_endings_are_fed_back(one: World):
    talk = one.desk.begin("1842")
    one.converse(talk, "hello")
    for stars in (5, 1):
        one.desk.rate(talk, stars)
    one.desk.resolve(talk)
    one.idle()
    told = {"chatwoot": ["good", "bad", "resolved"], "zendesk": ["resolved"], "slack": ["good", "bad"]}
    assert sorted(outcome for _, outcome in one.answers.outcomes) == sorted(told[one.desk.name])


# Colleagues ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["chatwoot", "zendesk"])
def test_a_colleague_who_takes_over_while_the_agent_thinks_is_not_talked_over(one: World):
    talk = one.desk.begin("1842")
    one.answers.think = lambda _: one.desk.take(talk)
    one.converse(talk, "hello")
    assert one.desk.replies(talk) == []


@pytest.mark.parametrize("name", ["chatwoot", "zendesk"])
def test_what_a_colleague_answered_already_is_not_answered_again(one: World):
    talk = one.desk.begin("1842")
    document = one.desk.say(talk, "hello", deliver=False)
    one.desk.colleague_says(talk, "I have it")
    one.desk.deliver(document)
    one.idle()
    assert one.desk.replies(talk) == []


def test_a_new_ticket_is_answered_from_its_first_comment(tmp_path: Path):
    with world("zendesk", tmp_path / "shop") as found:
        assert isinstance(found.desk, ZendeskStandIn)
        talk = found.desk.begin("1842")
        found.desk.open_ticket(talk, "my first words")
        found.idle()
        assert found.desk.replies(talk) == ["re: my first words"]
        assert found.answers.asked[0][1] == "1842"


def test_a_thread_in_a_slack_channel_is_answered_in_the_thread(tmp_path: Path):
    with world("slack", tmp_path / "shop") as found:
        assert isinstance(found.desk, SlackStandIn)
        talk = found.desk.begin("900", thread=True)
        assert found.converse(talk, "hello", "a human please", "hm?") == [
            "re: hello",
            "A colleague takes over.",
        ]
        found.desk.give_back(talk)
        found.idle()
        assert found.converse(talk, "back <again> & on")[-1] == "re: back &lt;again&gt; &amp; on"


def test_words_are_gone_from_the_file_once_they_are_answered(chatwoot: World):
    talk = chatwoot.desk.begin("1842")
    chatwoot.converse(talk, "my secret is plum")
    chatwoot.desk.troubles = [Trouble(r"POST .*/messages", 403)]
    chatwoot.converse(talk, "another secret is fig")
    assert chatwoot.queue.erase("1842") > 0
    kept = b"".join(p.read_bytes() for p in chatwoot.shop.glob(FILE + "*"))
    assert b"plum" not in kept
    assert b"fig" not in kept


def test_an_answer_reads_back_as_it_was_kept():
    ready = Ready.of(Reply("好的", "zh", "handoff", Brief("x")))
    kept: dict[str, Any] = ready.to_dict()
    assert Ready(**kept) == ready == Ready("好的", "zh", "handoff", "Brief (zh): x")
