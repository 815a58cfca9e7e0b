"""The agent as the agent under test: OpenAI's own client against the endpoint, a scripted model behind it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.errors import Cancelled
from agent.llm import LLM
from agent.serving import Endpoint, LocalServer
from eval.harness import NAME, HarnessServer, serve
from eval.harness_request import BadRequest, Turn, read
from eval.harness_said import figures, grounds, kept
from eval.harness_schema import is_identifier, named_values, turn_schema
from settings import Settings
from tests.fakes import Fails, Says, ScriptedServer

POLICY = "Refunds take 7 days. Cancel only what is pending, after the user says yes."
USER = "I want to cancel order #W1001, my user id is mia_li_3668."


def tool(
    name: str, description: str = "", /, required: list[str] | None = None, **properties: Any
) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


STRING = {"type": "string"}
GET_ORDER = tool(
    "get_order", "Looks an order up.", order_id={"type": "string", "description": "such as #W0000"}
)
CANCEL = tool(
    "cancel_order",
    "Cancels an order.",
    order_id=STRING,
    reason={"enum": ["ordered by mistake", "not needed"]},
)
FIND = tool("find_user", "Finds a user by name.", name=STRING)
SHOP: list[Any] = [GET_ORDER, CANCEL, FIND]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> Says:
    return Says(json.dumps({"say": text}))


def calls(*made: tuple[str, dict[str, Any]]) -> Says:
    return Says(json.dumps({"calls": [{"tool": name, "args": args} for name, args in made]}))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def client_of(url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0)


class Desk:
    """An endpoint with a scripted model behind it, and OpenAI's client before it."""

    def __init__(self, server: HarnessServer, model: ScriptedServer) -> None:
        self.server, self.model = server, model
        self.client = client_of(server.url, server.key)

    def ask(self, *messages: Any, **more: Any) -> Any:
        return self.client.chat.completions.create(model=NAME, messages=list(messages), **more)

    def schema(self, request: int = -1) -> dict[str, Any]:
        return self.model.requests[request]["response_format"]["json_schema"]["schema"]

    def forms(self, request: int = -1) -> dict[str, dict[str, Any]]:
        """The arguments' schema of each tool that the model could call."""
        schema = self.schema(request)
        for kind in schema.get("anyOf", [schema]):
            if "calls" in kind["properties"]:
                listed = kind["properties"]["calls"]["items"]["anyOf"]
                return {form["properties"]["tool"]["const"]: form["properties"]["args"] for form in listed}
        return {}

    def seen(self, request: int = -1) -> list[dict[str, str]]:
        return self.model.requests[request]["messages"]


@contextmanager
def desk(*script: Says | Fails) -> Iterator[Desk]:
    with ScriptedServer(list(script)).running() as model:
        llm = LLM(Endpoint(model.url, model.key, "scripted"), retries=0)
        with serving(llm) as server:
            at = Desk(server, model)
            yield at
            at.client.close()
        llm.close()


@contextmanager
def serving(model: Any, key: str = "the-key") -> Iterator[HarnessServer]:
    server = HarnessServer(model, key=key)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


# a conversation ------------------------------------------------------------------------------
def test_a_tool_is_called_over_several_turns_and_the_result_is_told():
    script = (
        calls(("get_order", {"order_id": "#W1001"})),
        said("Order #W1001 is pending and costs $54.50. Shall I cancel it?"),
        calls(("cancel_order", {"order_id": "#W1001", "reason": "not needed"})),
        said("Done. You get $54.50 back within seven days."),
    )
    talk: list[Any] = [{"role": "system", "content": POLICY}, user(USER)]
    with desk(*script) as at:
        first = at.ask(*talk, tools=SHOP)
        (call,) = first.choices[0].message.tool_calls
        assert (call.type, call.function.name) == ("function", "get_order")
        assert json.loads(call.function.arguments) == {"order_id": "#W1001"}
        assert first.choices[0].finish_reason == "tool_calls"
        assert first.choices[0].message.content is None
        talk += [
            first.choices[0].message,
            {"role": "tool", "tool_call_id": call.id, "content": '{"status": "pending", "total": 54.5}'},
        ]
        second = at.ask(*talk, tools=SHOP).choices[0]
        assert (second.finish_reason, second.message.tool_calls) == ("stop", None)
        assert second.message.content == "Order #W1001 is pending and costs $54.50. Shall I cancel it?"
        talk += [second.message, user("Yes, I don't need it.")]
        third = at.ask(*talk, tools=SHOP).choices[0].message
        assert json.loads(third.tool_calls[0].function.arguments)["reason"] == "not needed"
        assert third.tool_calls[0].id != call.id
        talk += [third, {"role": "tool", "tool_call_id": third.tool_calls[0].id, "content": "cancelled"}]
        assert (
            at.ask(*talk, tools=SHOP).choices[0].message.content
            == "Done. You get $54.50 back within seven days."
        )

        start = at.seen(0)[0]["content"]
        assert POLICY in start
        assert "get_order(order_id: string): Looks an order up." in start
        assert 'reason: "ordered by mistake"|"not needed"' in start
        for n in range(1, 4):  # each prompt begins with the one before it, so a cache can serve it
            assert at.seen(n)[: len(at.seen(n - 1))] == at.seen(n - 1)
        assert [m["role"] for m in at.seen(3)] == ["system", *["user", "assistant"] * 3, "user"]
        assert at.seen(3)[2]["content"] == '{"calls":[{"tool":"get_order","args":{"order_id":"#W1001"}}]}'
        assert at.seen(3)[-1]["content"] == "Result of cancel_order:\ncancelled"


def test_usage_is_that_of_the_model():
    with desk(said("Hello there, how can I help?")) as at:
        usage = at.ask(user("Hi")).usage
    words = len(json.dumps({"say": "Hello there, how can I help?"}).split(" "))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, words, 10 + words)
    assert usage.prompt_tokens_details.cached_tokens == 4


def test_parallel_calls_each_once_and_one_alone_where_the_caller_wants():
    a, b = ("get_order", {"order_id": "W1"}), ("get_order", {"order_id": "W2"})
    with desk(calls(a, b, a), calls(a)) as at:
        made = at.ask(user("Compare W1 and W2"), tools=SHOP).choices[0].message.tool_calls
        assert [json.loads(c.function.arguments)["order_id"] for c in made] == ["W1", "W2"]
        assert len({c.id for c in made}) == 2
        at.ask(user("Compare W1 and W2"), tools=SHOP, parallel_tool_calls=False)
        most = [s["anyOf"][0]["properties"]["calls"]["maxItems"] for s in (at.schema(0), at.schema(1))]
    assert most == [4, 1]


def test_the_caller_says_whether_there_is_to_be_a_call():
    with desk(
        said("Hello."), calls(("find_user", {"name": "Mia"})), calls(("find_user", {"name": "Mia"}))
    ) as at:
        at.ask(user("I am Mia"), tools=SHOP, tool_choice="none")
        assert list(at.schema()["properties"]) == ["say"]
        at.ask(user("I am Mia"), tools=SHOP, tool_choice="required")
        assert list(at.schema()["properties"]) == ["calls"]
        named = {"type": "function", "function": {"name": "find_user"}}
        answer = at.ask(user("I am Mia, order W1"), tools=SHOP, tool_choice=named)
        assert list(at.forms()) == ["find_user"]
        assert at.schema()["properties"]["calls"]["maxItems"] == 1
        assert answer.choices[0].message.tool_calls[0].function.name == "find_user"


# identifiers ---------------------------------------------------------------------------------
def test_an_identifier_can_only_be_one_that_was_given():
    talk = [
        {"role": "system", "content": "Never touch order W9999."},
        user(USER),
        {"role": "assistant", "content": "Do you mean order W5555?"},
        user("No."),
    ]
    with desk(said("Which order?"), calls(("get_order", {"order_id": "W5555"}))) as at:
        at.ask(*talk, tools=SHOP)
        bound = at.forms()["get_order"]["properties"]["order_id"]["enum"]
        assert {"#W1001", "W1001", "mia_li_3668"} <= set(bound)
        assert not {"W9999", "W5555", "order"} & set(bound)
        assert at.forms()["cancel_order"]["properties"]["reason"]["enum"] == [
            "ordered by mistake",
            "not needed",
        ]
        assert at.forms()["find_user"]["properties"]["name"] == {"type": "string"}
        # A server that does not hold its model to the schema: the invented call is not passed on.
        message = at.ask(*talk, tools=SHOP).choices[0].message
    assert message.tool_calls is None
    assert message.content == "I do not know that: nothing that I was given says it."


def test_a_tool_whose_identifier_nobody_gave_cannot_be_called():
    with desk(said("Which order?")) as at:
        at.ask(user("Cancel my order, please"), tools=SHOP)
        assert list(at.forms()) == ["find_user"]
        assert "get_order (wants order_id)" in at.seen()[-1]["content"]
        forced = at.ask(user("Cancel my order, please"), tools=[GET_ORDER], tool_choice="required").choices[0]
        assert forced.message.content == "I cannot do that yet: nobody has given me order_id."
        assert len(at.model.requests) == 1  # there was nothing to ask the model


def test_identifiers_deep_inside_the_arguments_are_bound_too():
    flight = {
        "type": "object",
        "properties": {"flight_number": STRING, "date": STRING},
        "required": ["flight_number", "date"],
    }
    book = tool(
        "book",
        required=["flights", "userId"],
        flights={"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/Flight"}, {"type": "object", "additionalProperties": True}]}},
        userId=STRING,
        bag_ids={"type": "array", "items": STRING},
        voucher_code={"anyOf": [{"pattern": "^V", "type": "string"}, {"type": "null"}]},
        seats={"type": "integer", "minimum": 1},
    )  # fmt: skip
    book["function"]["parameters"]["$defs"] = {"Flight": flight}
    rows = json.dumps([{"flight_number": "HAT 001", "paid": "no", "user_id": "alice"}])
    talk = [
        user("Find me a flight"),
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "search", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": rows},
    ]  # fmt: skip
    with desk(said("Shall I book it?")) as at:
        at.ask(*talk, tools=[book])
        args = at.forms()["book"]["properties"]
    assert args["flights"]["items"]["properties"]["flight_number"]["enum"] == [
        "HAT 001",
        "HAT",
        "001",
        "alice",
    ]
    assert args["flights"]["items"]["additionalProperties"] is False
    assert args["userId"]["enum"] == args["bag_ids"]["items"]["enum"] == ["HAT 001", "HAT", "001", "alice"]
    assert args["voucher_code"] == {"type": "null"}
    assert args["seats"] == {"type": "integer", "minimum": 1}


def test_an_identifier_in_an_object_of_any_members_is_checked_afterwards():
    update = tool("update", changes={"type": "object", "additionalProperties": True})
    made = (
        calls(("update", {"changes": {"order_id": "W1", "note": "W777"}})),
        calls(("update", {"changes": {"order_id": "W777"}})),
    )
    with desk(*made) as at:
        assert at.ask(user("Change W1"), tools=[update]).choices[0].message.tool_calls
        assert not at.ask(user("Change W1"), tools=[update]).choices[0].message.tool_calls


def test_a_ticket_without_a_user_names_its_identifiers():
    with desk(calls(("get_order", {"order_id": "W77"}))) as at:
        at.ask(
            {"role": "system", "content": "Ticket: look into order W77"},
            tools=[GET_ORDER],
            tool_choice="required",
        )
        assert at.forms()["get_order"]["properties"]["order_id"]["enum"] == ["W77"]
        assert [m["role"] for m in at.seen()] == ["system", "user"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("order_id", True), ("orderId", True), ("item_ids", True), ("zipcode", True), ("flight_number", True), ("orderID", True),
     ("paid", False), ("grid", False), ("identity", False), ("numbers_of", False), ("reason", False), ("", False)],
)  # fmt: skip
def test_identifiers_by_their_names(name: str, is_one: bool):
    assert is_identifier(name) is is_one


def test_identifiers_as_people_write_them():
    text = 'Order #W12, flight to JFK, "spring sale", call (555) 123-4567, my code is welcome; see W1/W2. 订单A7谢谢'
    found = named_values([Turn("user", text)])
    assert {"#W12", "W12", "JFK", "spring sale", "(555) 123-4567", "welcome", "W1", "W2", "A7"} <= set(found)
    assert not {"Order", "flight", "to", "call"} & set(found)


LEAF = st.one_of(st.none(), st.booleans(), st.integers(-99, 99999), st.text(max_size=12))
TREE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["order_id", "W12", "name", "items"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.text(max_size=60), TREE)
def test_no_identifier_is_made_up(text: str, result: Any):
    turns = [Turn("user", text), Turn("tool", json.dumps(result), tool="t")]
    whole = " ".join((text + " " + json.dumps(result, ensure_ascii=False) + " " + _leaves(result)).split())
    assert all(" ".join(value.split()) in whole for value in named_values(turns))


def _leaves(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join([*value, *map(_leaves, value.values())])
    return " ".join(map(_leaves, value)) if isinstance(value, list) else str(value)


JSON_SCHEMA = st.recursive(
    st.sampled_from([STRING, {"type": "integer"}, {"enum": ["a", 1]}, {"type": ["string", "null"]}, {}, True, {"const": "x"}]),
    lambda inner: st.one_of(
        inner.map(lambda s: {"type": "array", "items": s}),
        st.lists(inner, min_size=1, max_size=3).map(lambda s: {"anyOf": s}),
        st.dictionaries(st.sampled_from(["order_id", "code", "note", "list"]), inner, max_size=3).map(
            lambda p: {"type": "object", "properties": p, "required": sorted(p)[:1]}
        ),
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["order_id", "note", "things"]), JSON_SCHEMA, max_size=3))
def test_the_schema_of_a_turn_is_one_and_asks_for_nothing_that_it_does_not_have(properties: dict[str, Any]):
    asked = {"model": NAME, "messages": [user("About W1")], "tools": [tool("t", **properties)]}
    found = turn_schema(read(asked, most=4)).schema
    assert found is not None
    Draft202012Validator.check_schema(found)
    assert "$ref" not in json.dumps(found)
    strings = Draft202012Validator(found)
    made_up = {"calls": [{"tool": "t", "args": dict.fromkeys(properties, "W2")}]}
    if "order_id" in properties and properties["order_id"] == STRING:
        assert not strings.is_valid(made_up)


# what is said --------------------------------------------------------------------------------
def test_a_sentence_with_a_figure_that_nobody_gave_is_dropped():
    text = "Your refund is $60.00. Refunds take 7 days. Order #W1002 is next! Order #W1001 is pending."
    with desk(said(text)) as at:
        answer = at.ask({"role": "system", "content": POLICY}, user(USER))
    assert answer.choices[0].message.content == "Refunds take 7 days. Order #W1001 is pending."


@pytest.mark.parametrize(
    ("asked", "honest"),
    [("What does it cost?", "I do not know that: nothing that I was given says it."),
     ("这个多少钱？", "这一点我不知道：我得到的信息中没有相关内容。")],
)  # fmt: skip
def test_where_nothing_is_left_the_agent_says_that_it_does_not_know(asked: str, honest: str):
    with desk(said("It costs $12.")) as at:
        assert at.ask(user(asked)).choices[0].message.content == honest


@pytest.mark.parametrize(
    "sentence",
    [
        "It costs $1,299.00.", "It costs 1299 dollars.", "You save 15%.", "That is 0.15 of it.", "Come at 3:05 PM.",
        "It is due on May 15, 2024.", "It has 16GB.", "It has 16 GB.", "The fee is 54.04.", "Two bags are free.",
        "It takes twenty-four hours.", "You were refunded 30.", "1. Order w2378156 is it.", "No figure here.", "€5 fee.", "Track 123456789012345678901234567890123.45.",
        "It takes one hundred and ten days.", "One moment, please.", "可以免费带两件行李。", "共1.2万元。",
    ],
)  # fmt: skip
def test_what_was_given_may_be_said_in_other_words(sentence: str):
    given = [
        Turn("system", "2 bags are free. Wait 24 hours or 110 days."),
        Turn("user", "My order is #W2378156, 1.2万, 123456789012345678901234567890123.45"),
        Turn("tool", '{"price": 1299, "off": 0.15, "at": "2024-05-15T15:05:00", "ram": "16GB", "fee": 54.0433, "refund": -30, "extra": "\\u20ac5"}'),
    ]  # fmt: skip
    assert kept(sentence, grounds(given)) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "It costs $1,298.00.", "You save 17%.", "Come at 3:05 AM.", "It has 32GB.", "The fee is 54.05.", "Three bags are free.",
        "It takes twenty-five hours.", "Order W2378157 is it.", "Order 2378156 is it.", "It costs 1299k.", "A hundred dollars.",
        "It is due on May 17.", "可以免费带三件行李。", "The fee is 9.", "Nineteen days.",
    ],
)  # fmt: skip
def test_what_was_not_given_may_not_be_said(sentence: str):
    given = [
        Turn("system", "2 bags are free. Wait 24 hours."),
        Turn("user", "My order is #W2378156"),
        Turn("assistant", "The fee is 9."),
        Turn(
            "tool", '{"price": 1299, "off": 0.15, "at": "2024-05-15T15:05:00", "ram": "16GB", "fee": 54.0433}'
        ),
    ]
    assert kept(sentence, grounds(given)) == ""


@given(st.text(alphabet="0123456789.,%$kKmM -aboneT:/#_万两个百\n", max_size=40))
def test_every_text_vouches_for_itself_and_reading_it_never_fails(text: str):
    assert grounds([Turn("user", text)]).cover(figures(text))


@given(st.decimals(0, 10**6, places=2), st.decimals(0, 10**6, places=2))
def test_amounts_are_compared_as_numbers(given_amount: Any, told: Any):
    known = grounds([Turn("tool", json.dumps({"amount": float(given_amount)}))])
    assert bool(kept(f"It is ${told:,.2f}.", known)) == (given_amount == told)


# streaming -----------------------------------------------------------------------------------
def test_a_text_is_streamed_sentence_by_sentence_with_its_usage():
    with desk(said("Hello. How can I help?")) as at:
        chunks = list(at.ask(user("Hi"), stream=True, stream_options={"include_usage": True}))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert pieces == ["Hello. ", "How can I help?"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.prompt_tokens == 10
    assert len({c.id for c in chunks}) == 1


def test_calls_are_streamed():
    made = calls(("get_order", {"order_id": "W1"}), ("get_order", {"order_id": "W2"}))
    with (
        desk(made) as at,
        at.client.chat.completions.stream(model=NAME, messages=[{"role": "user", "content": "W1, W2"}], tools=SHOP) as stream,
    ):  # fmt: skip
        final = stream.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert [json.loads(c.function.arguments)["order_id"] for c in final.message.tool_calls or []] == [
        "W1",
        "W2",
    ]
    assert final.message.content is None


# errors --------------------------------------------------------------------------------------
def test_the_models_are_listed():
    with desk() as at:
        assert [m.id for m in at.client.models.list()] == [NAME]


def test_a_wrong_key_is_refused_everywhere():
    with desk() as at:
        stranger = at.client.with_options(api_key="other")
        with pytest.raises(openai.AuthenticationError, match="wrong key"):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "Hi"}])
        assert refused.value.code == "invalid_api_key"
        assert at.model.requests == []


def broken(**changes: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [user("Hi")]} | changes


LOOP = tool("t", a={"$ref": "#/properties/a"})
BAD = {
    "messages": broken(messages=[]),
    "messages[0].role": broken(messages=[{"role": "function", "content": "x"}]),
    "messages[0].content": broken(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
    "messages[1].tool_call_id": broken(messages=[user("Hi"), {"role": "tool", "tool_call_id": "x", "content": "y"}]),
    "messages[1].tool_calls[0]": broken(
        messages=[user("Hi"), {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "b", "arguments": "{"}}]}, user("")]
    ),
    "model": broken(model=None),
    "tools": broken(tools=[GET_ORDER, GET_ORDER]),
    "tools[0].function.name": broken(tools=[tool("a b")]),
    "tools[0].function.parameters": broken(tools=[tool("a", b={"type": "text"})]),
    "tool_choice": broken(tool_choice="required"),
    "max_tokens": broken(max_tokens=0),
    "stream": broken(stream="yes"),
    "n": broken(n=2),
    "functions": broken(functions=[]),
    "response_format": broken(response_format={"type": "json_object"}),
    "parallel_tool_calls": broken(parallel_tool_calls="no"),
}  # fmt: skip


@pytest.mark.parametrize("param", BAD)
def test_a_bad_request_says_in_one_line_what_is_wrong(param: str):
    with pytest.raises(BadRequest) as refused:
        read(BAD[param], most=4)
    assert (refused.value.param or "").startswith(param)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [broken(messages=[]), broken(tools=[LOOP]), broken(tools=[tool("t", a={"$ref": "#/$defs/None"})]), broken(messages="x"), [], 7, None],
)  # fmt: skip
def test_a_bad_request_is_answered_400_in_openais_form(body: Any):
    with desk() as at:
        answered = httpx.post(
            f"{at.server.url}/chat/completions",
            json=body,
            headers={"Authorization": "Bearer the-key"},
            trust_env=False,
        )
        assert answered.status_code == 400
        error = answered.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        assert at.model.requests == []


def test_what_is_no_request_at_all_is_refused_and_the_next_is_answered():
    headers = {"Authorization": "Bearer the-key"}
    with desk(said("Hello.")) as at:
        line = http.client.HTTPConnection("127.0.0.1", at.server.server_address[1], timeout=10)
        for method, path, body, status in [
            ("POST", "/v1/chat/completions", "{", 400),
            ("POST", "/v1/embeddings", "{}", 404),
            ("GET", "/v1/chat/completions", None, 405),
            ("DELETE", "/v1/models", None, 501),
        ]:
            line.request(method, path, body, headers)
            answered = line.getresponse()
            assert (answered.status, "error" in json.loads(answered.read())) == (status, True)
        line.putrequest("POST", "/v1/chat/completions")
        line.putheader("Content-Length", "999999999999")
        line.endheaders()
        answered = line.getresponse()
        assert (answered.status, answered.read() != b"") == (413, True)
        assert at.ask(user("Hi")).choices[0].message.content == "Hello."
        with pytest.raises(openai.NotFoundError, match="ask for 'shopkeeper'"):
            at.client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize(
    ("fails", "status"), [(Fails(400, "the prompt is too long"), 400), (Fails(401), 502), (Fails(404), 502)]
)
def test_what_the_model_server_refuses_is_told_apart(fails: Fails, status: int):
    with desk(fails) as at, pytest.raises(openai.APIStatusError) as refused:
        at.ask(user("Hi"))
    assert refused.value.status_code == status
    assert (status != 400) or "the prompt is too long" in refused.value.message


def test_a_dead_model_server_is_503_with_a_time_to_come_back():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with desk() as at:
        at.server.model = LLM(Endpoint(url, "k", "m"), retries=0)
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError, match="no model server answers") as refused:
                at.ask(user("Hi"), stream=stream)
            assert refused.value.status_code == 503
            assert int(refused.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "output",
    [
        "no JSON",
        "[]",
        '{"calls":[]}',
        '{"say":""}',
        '{"say":"a","calls":[]}',
        '{"calls":[{"tool":"x","args":{}}]}',
    ],
)
def test_output_of_no_use_is_a_failed_turn_and_not_a_failed_request(output: str):
    with desk(Says(output)) as at:
        choice = at.ask(user("Hi"), tools=SHOP).choices[0]
    assert choice.message.content == "I do not know that: nothing that I was given says it."
    assert choice.finish_reason == "stop"


def test_an_answer_that_was_cut_off_is_marked():
    with desk(Says('{"say":"Let me', finish="length")) as at:
        choice = at.ask(user("Hi"), max_tokens=3).choices[0]
        assert at.model.requests[0].get("max_tokens", at.model.requests[0].get("max_completion_tokens")) == 3
    assert choice.finish_reason == "length"


def test_a_fault_of_ours_is_500_and_the_server_goes_on(capsys: pytest.CaptureFixture[str]):
    class Faulty:
        def plan(self, *_: Any, **__: Any) -> Any:
            raise KeyError("oops")

    with desk() as at:
        at.server.model = Faulty()
        with pytest.raises(openai.InternalServerError, match="a fault of ours"):
            at.ask(user("Hi"))
        assert [m.id for m in at.client.models.list()] == [NAME]
    assert "KeyError: 'oops'" in capsys.readouterr().err


def test_the_model_stops_when_the_caller_hangs_up():
    asked, stopped = threading.Event(), threading.Event()

    class Slow:
        def plan(self, *_: Any, cancel: threading.Event | None = None, **__: Any) -> Any:
            asked.set()
            if cancel is not None and cancel.wait(20):
                stopped.set()
            raise Cancelled("the question was withdrawn.")

    with desk() as at:
        at.server.model = Slow()
        line = http.client.HTTPConnection("127.0.0.1", at.server.server_address[1], timeout=10)
        line.request(
            "POST", "/v1/chat/completions", json.dumps(broken()), {"Authorization": "Bearer the-key"}
        )
        assert asked.wait(10)
        line.close()
        assert stopped.wait(10)


def test_many_callers_at_once_get_their_own_answers():
    class Echo:
        def plan(self, messages: Any, schema: Any, **_: Any) -> Any:
            from agent.events import Usage

            return {"say": messages[-1]["content"]}, Usage(1, 1, 0, 1)

    with serving(Echo()) as server, ThreadPoolExecutor(8) as pool:
        client = client_of(server.url, server.key)

        def ask(i: int) -> str | None:
            talk: Any = [user(f"I am number {i}.")]
            return client.chat.completions.create(model=NAME, messages=talk).choices[0].message.content

        assert list(pool.map(ask, range(24))) == [f"I am number {i}." for i in range(24)]


# the command ---------------------------------------------------------------------------------
def test_serve_prints_its_address_and_key_once_and_ends_on_ctrl_c():
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from eval.harness import serve; from settings import Settings; sys.exit(serve(Settings(), port=0))"
    with ScriptedServer([said("Hello.")]).running() as model:
        env = os.environ | {
            "SHOPKEEPER_LLM_URL": model.url,
            "SHOPKEEPER_LLM_KEY": model.key,
            "SHOPKEEPER_LLM_MODEL": "scripted",
        }
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=Path(__file__).parent.parent
        ) as command:  # fmt: skip
            assert command.stdout is not None
            words = command.stdout.readline().split()
            url, key = next(w for w in words if w.startswith("http")), words[-1]
            client = client_of(url, key)
            talk: Any = [user("Hi")]
            assert (
                client.chat.completions.create(model=NAME, messages=talk).choices[0].message.content
                == "Hello."
            )
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (0, "")
    assert key not in err
    assert "Traceback" not in err


def test_serve_refuses_a_port_that_is_taken_and_a_key_that_cannot_be_sent():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ValueError, match="give another"):
            serve(Settings(), port=taken.getsockname()[1])
    with pytest.raises(ValueError, match="printable ASCII"):
        serve(Settings(), port=0, key="钥匙")


# a real model --------------------------------------------------------------------------------
@pytest.mark.model
@pytest.mark.slow
def test_a_real_small_model_serves_a_mock_airline(model_file: Path, tmp_path: Path):
    airline = [
        tool("get_reservation", "Looks a reservation up.", reservation_id=STRING),
        tool("cancel_reservation", "Cancels a reservation, after the user agreed.", reservation_id=STRING),
        tool(
            "search_flights",
            "Lists flights.",
            origin=STRING,
            destination=STRING,
            cabin={"enum": ["economy", "business"]},
        ),
    ]
    talk: list[Any] = [
        {
            "role": "system",
            "content": "You serve the passengers of Mock Air. Look a reservation up before you speak of it.",
        },
        user("When does my flight leave? My reservation is EHGLP3."),
    ]
    real = LocalServer(model_file, name="real", var=tmp_path, threads=2).start()
    try:
        with serving(LLM(real.endpoint())) as server:
            client = client_of(server.url, server.key)
            offered: Any = {"tools": airline, "max_tokens": 60}
            first = client.chat.completions.create(
                model=NAME, messages=talk, tool_choice="required", **offered
            )
            message = first.choices[0].message
            assert message.tool_calls
            for call in message.tool_calls:
                assert json.loads(call.function.arguments).get("reservation_id", "EHGLP3") == "EHGLP3"
            talk.append(message)
            found = '{"reservation_id": "EHGLP3", "flight_number": "HAT017", "departs": "2024-05-21 09:40", "status": "confirmed"}'
            talk += [
                {"role": "tool", "tool_call_id": call.id, "content": found} for call in message.tool_calls
            ]
            second = client.chat.completions.create(model=NAME, messages=talk, **offered)
            told = second.choices[0].message
            assert told.content or told.tool_calls
            for call in told.tool_calls or []:
                assert json.loads(call.function.arguments).get("reservation_id", "EHGLP3") == "EHGLP3"
            known = [
                Turn("system", talk[0]["content"]),
                Turn("user", talk[1]["content"]),
                Turn("tool", found),
            ]
            assert kept(told.content or "", grounds(known)) == (told.content or "")
            assert first.usage
            assert first.usage.prompt_tokens > 100
    finally:
        real.stop()
