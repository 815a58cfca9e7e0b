"""What a desk's door lets in: signatures, replays, broken bodies, foreign JSON, and the desks' file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.desk.base import Challenge, DeskEvent
from api.desk.contacts import email_hash, read_table
from api.desk.errors import DeskBusy, Unreadable, Unsigned
from api.desk.http import retry_after
from api.desk.queue import KEPT_DAYS, DeskQueue
from api.desk.registry import adapters
from api.desk.routes import BODY_SECONDS, MOST_BYTES, MOST_WAITING
from api.desk.settings import DeskSettings, read_settings, readable_by_others
from api.desk.signatures import unix_seconds
from customers.errors import BadInput
from tests.desk_slack import SlackStandIn
from tests.desk_stand_in import SECRET, TOKEN
from tests.desk_world import STAND_INS, World, settings_of, world

JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=sorted(STAND_INS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def door(name: str, tmp_path: Path) -> Iterator[World]:
    """A server that takes webhooks in and leaves them in the queue."""
    with world(name, tmp_path / "shop", works=False) as found:
        yield found


def send(door: World, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(door.desk.webhooks, content=body, headers=JSON | headers)


def message(door: World) -> bytes:
    return json.dumps(door.desk.say(door.desk.begin("1842"), "hello", deliver=False)).encode()


# Signatures ------------------------------------------------------------------------------------------------
def test_a_signed_webhook_is_queued_and_a_second_one_is_known(door: World):
    body = message(door)
    assert send(door, body, door.desk.signed(body)).json() == {"status": "queued"}
    assert send(door, body, door.desk.signed(body)).json() == {"status": "duplicate"}
    assert door.queue.health().waiting == 1
    assert door.queue.door(door.desk.name).accepted == pytest.approx(time.time(), abs=60)


def test_a_webhook_that_is_not_the_desks_is_refused_with_the_reason(door: World):
    body = message(door)
    signed = door.desk.signed(body)
    (signature,) = [k for k in signed if k.endswith("Signature")]
    (stamp,) = [k for k in signed if k.endswith("Timestamp")]
    cases = [
        (body, {}, "is missing"),
        (body, {k: v for k, v in signed.items() if k != stamp}, "is missing"),
        (body, {k: v for k, v in signed.items() if k != signature}, "is missing"),
        (body + b" ", signed, "is wrong"),
        (body, signed | {signature: signed[signature][:-2] + "xx"}, "is wrong"),
        (body, signed | {signature: "ä".encode("latin-1")}, "is wrong"),
        (body, signed | {stamp: str(int(time.time()) + 1)}, "is wrong"),
        (body, signed | {signature: f"{signed[signature]}, {signed[signature]}"}, "sent once"),
        (body, door.desk.signed(body, time.time() - 301), "last 5 minutes"),
        (body, door.desk.signed(body, time.time() + 3600), "last 5 minutes"),
    ]
    for sent, headers, reason in cases:
        answer = send(door, sent, headers)
        assert answer.status_code == 401, (headers, answer.text)
        assert reason in answer.text, (headers, answer.text)
    assert door.queue.health().waiting == 0
    told = door.queue.door(door.desk.name)
    assert told.accepted is None
    assert "missing" in told.reason


def test_slacks_own_example_verifies():
    """The example of https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    secret, sent = "8f742231b10e8888abcd99yyyzzz85a5", 1531420618
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    slack = adapters({"slack": DeskSettings("slack", url="https://slack.com/api", secret=secret)})["slack"]
    headers = {"x-slack-request-timestamp": str(sent), "x-slack-signature": signature}
    slack.verify(headers, body, sent + 299)
    with pytest.raises(Unsigned, match="5 minutes"):
        slack.verify(headers, body, sent + 301)


@pytest.mark.parametrize("said", ["", "yesterday", "2026-11-27T03:00:00", "-1", "١٢٣", "9" * 400, "1e9"])
def test_a_timestamp_that_is_no_time_is_refused(said: str):
    with pytest.raises(Unsigned):
        unix_seconds(said)


# Bodies ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b"nul", 400), (b"\xff\xfe", 400), (b'{"a": NaN}', 400),
        (b"[" * 100_000, 400), (b"{}", 200), (b"x" * (MOST_BYTES + 1), 413),
    ],
    ids=["empty", "cut off", "a list", "no JSON", "no UTF-8", "NaN", "deep", "nothing of ours", "giant"],
)  # fmt: skip
def test_broken_bodies_are_answered_properly(door: World, body: bytes, status: int):
    assert send(door, body, door.desk.signed(body)).status_code == status
    assert door.queue.health().waiting == 0


def test_a_desk_that_is_not_configured_is_not_there(door: World):
    assert httpx.post(f"{door.url}/desks/nobody", content=b"{}").status_code == 404


def test_too_many_waiting_messages_are_refused_until_some_are_answered(
    door: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.desk.routes.MOST_WAITING", 1)
    first, second = message(door), message(door)
    assert send(door, first, door.desk.signed(first)).status_code == 200
    refusal = send(door, second, door.desk.signed(second))
    assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "10")
    assert MOST_WAITING > 1000
    assert door.desk.waits > BODY_SECONDS or door.desk.name == "slack"


def test_slacks_question_whether_this_address_is_ours_is_answered(tmp_path: Path):
    with world("slack", tmp_path / "shop", works=False) as door:
        body = json.dumps({"token": "x", "challenge": "3eZbrw1aBm", "type": "url_verification"}).encode()
        assert send(door, body, door.desk.signed(body)).json() == {"challenge": "3eZbrw1aBm"}
        assert send(door, body, {}).status_code == 401


# What is no concern of ours --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "more",
    [
        {"private": True}, {"message_type": "outgoing", "sender": {"id": 3, "type": "agent_bot"}},
        {"message_type": "activity"}, {"event": "conversation_typing_on"}, {"event": "webwidget_triggered"},
    ],
)  # fmt: skip
def test_chatwoot_messages_that_no_customer_wrote_are_ignored(tmp_path: Path, more: dict[str, Any]):
    with world("chatwoot", tmp_path / "shop", works=False) as door:
        document = door.desk.say(door.desk.begin("1842"), "hello", deliver=False) | more
        body = json.dumps(document).encode()
        assert send(door, body, door.desk.signed(body)).json() == {"status": "ignored"}


def test_a_webhook_of_another_account_is_refused(tmp_path: Path):
    with world("chatwoot", tmp_path / "shop", works=False) as door:
        document = door.desk.say(door.desk.begin("1842"), "hello", deliver=False) | {"account": {"id": 2}}
        body = json.dumps(document).encode()
        assert send(door, body, door.desk.signed(body)).status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B1"},
        {"subtype": "message_changed"},
        {"channel_type": "channel"},
        {"channel": SlackStandIn.staff},
    ],
)
def test_slack_messages_that_are_not_for_the_bot_are_ignored(tmp_path: Path, more: dict[str, Any]):
    with world("slack", tmp_path / "shop", works=False) as door:
        desk = door.desk
        assert isinstance(desk, SlackStandIn)
        body = json.dumps(desk.say(desk.begin("900"), "hello", deliver=False, **more)).encode()
        assert send(door, body, desk.signed(body)).json() == {"status": "ignored"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A real webhook of a desk with pieces of it replaced by anything."""
    name = draw(st.sampled_from(sorted(STAND_INS)))
    desk = STAND_INS[name]()
    document = json.loads(json.dumps(desk.say(desk.begin("1842"), draw(st.text(max_size=20)), deliver=False)))
    places = _places(document)
    for place in draw(st.lists(st.sampled_from(places), max_size=3)):
        inner: Any = document
        for key in place[:-1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[place[-1]] = draw(json_values)
    return name, document


def _places(document: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(document, dict):
        return []
    return [p for key, inner in document.items() for p in ((*path, key), *_places(inner, (*path, key)))]


READERS = adapters({n: settings_of(STAND_INS[n](), "http://127.0.0.1:9") for n in STAND_INS})


@settings(deadline=None)
@given(documents())
def test_any_document_is_read_ignored_or_called_unreadable(given: tuple[str, dict[str, Any]]):
    name, document = given
    try:
        found = READERS[name].read({}, document)
    except (Unreadable, DeskBusy):  # whose comment it is has to be asked for, and nobody is there to ask
        return
    if isinstance(found, DeskEvent):
        assert DeskEvent.from_dict(json.loads(json.dumps(found.to_dict()))) == found
        assert found.conversation.isdigit() or name == "slack", "it becomes part of an address"
        found.text.encode()
    else:
        assert found is None or isinstance(found, Challenge)


# The queue's own memory ------------------------------------------------------------------------------------
def test_a_finished_event_is_known_for_a_month(tmp_path: Path):
    now = [1e9]
    queue = DeskQueue(tmp_path, lambda: now[0])
    event = DeskEvent("message:1", "7", "message", 1, "hello")
    assert queue.accept("chatwoot", [event]) == 1
    (entry,) = queue.heads(5)
    queue.done(entry)
    now[0] += (KEPT_DAYS - 1) * 86_400
    queue.prune()
    assert queue.accept("chatwoot", [event]) == 0
    now[0] += 2 * 86_400
    queue.prune()
    assert queue.accept("chatwoot", [event]) == 1


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=12))
def test_heads_are_the_oldest_of_each_conversation(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[int, int]]
):
    queue = DeskQueue(tmp_path_factory.mktemp("queue"), lambda: 1e9)
    for talk, order in given:
        queue.accept("slack", [DeskEvent(f"message:{talk}.{order}", str(talk), "message", order)])
    left = {(talk, order) for talk, order in given}
    while heads := queue.heads(99):
        found = {(int(e.event.conversation), e.event.order) for e in heads}
        assert found == {(talk, min(o for t, o in left if t == talk)) for talk, _ in left}
        queue.done(heads[0])
        left.discard((int(heads[0].event.conversation), heads[0].event.order))
    assert not left


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("30", 30), ("0.5", 0.5), ("", 0), ("soon", 0), ("99999999", 900), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_read(said: str, seconds: float):
    assert retry_after(said) == seconds


# The desks' file -------------------------------------------------------------------------------------------
GOOD = """
[chatwoot]
url = "https://desk.example.com"
account = 1
token = "env:CHATWOOT_TOKEN"
secret = "file:{secret}"
contacts = "contacts.csv"
"""


def test_secrets_come_from_the_environment_and_files_and_are_not_shown(tmp_path: Path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    path = tmp_path / "desks.toml"
    path.write_text(GOOD.format(secret=tmp_path / "secret"))
    (settings,) = read_settings(path, {"CHATWOOT_TOKEN": TOKEN}).values()
    assert (settings.token, settings.secret, settings.account) == (TOKEN, SECRET, "1")
    assert settings.contacts == tmp_path / "contacts.csv"
    assert TOKEN not in repr(settings)
    assert SECRET not in repr(settings)
    path.chmod(0o644)
    assert readable_by_others(path)
    path.chmod(0o600)
    assert not readable_by_others(path)
    assert read_settings(tmp_path / "none.toml") == {}


SLACK = '[slack]\ntoken="t"\nsecret="s"\nstaff_channel="C1"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[chatwoot", "no TOML"),
        ("[intercom]\nurl='x'", "there are [chatwoot], [zendesk], [slack]"),
        ("chatwoot = 1", "is no desk"),
        ("[slack]\ntoken='t'", "lacks secret, staff_channel"),
        (SLACK + "colour='red'", "has no setting 'colour'"),
        (SLACK + "mode='chatty'", "mode is one of reply, assist"),
        (SLACK + "trust='some'", "trust is one of verified, all"),
        (SLACK + "attribute=true", "attribute must be text"),
        (SLACK + "url='http://slack.com/api'", "must begin with https://"),
        (SLACK.replace('"t"', '"env:NOT_THERE"'), "the environment has no NOT_THERE"),
        (SLACK.replace('"t"', '"file:/not/there"'), "/not/there cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, says: str):
    path = tmp_path / "desks.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_settings(path, {})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "needs the columns contact and customer"),
        ("contact,customer\na,1\na,2\n", "line 3 gives a to a second customer"),
    ],
)
def test_a_wrong_table_of_contacts_is_refused(tmp_path: Path, text: str, says: str):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(BadInput, match=says):
        read_table(tmp_path / "c.csv")
    with pytest.raises(BadInput, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_an_email_is_known_by_its_hash_whatever_its_case():
    assert email_hash(" Jane@Example.COM") == email_hash("jane@example.com")
    assert email_hash("jane@example.com").startswith("sha256:8c87b489")
