"""The MCP server through the `mcp` client: over streamable HTTP with keys, and over stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.api_server import Served, copied, error, headers_of, served
from tests.fakes import ScriptedServer
from tools import TOOLS, WRITE_TOOLS

PLATFORM = {
    "find_customer", "get_customer_details", "get_customer_segments", "get_customer_measures",
    "get_customer_predictions",
}  # fmt: skip


@pytest.fixture(scope="module")
def api() -> Iterator[Served]:
    with served() as running:
        yield running


def call(api: Served, role: str, *calls: tuple[str, Mapping[str, Any]], mode: Any = "auto") -> list[Any]:
    """Call tools one after the other on one connection, as a role."""

    async def run() -> list[Any]:
        async with httpx2.AsyncClient(
            headers=headers_of(api.keys[role]), trust_env=False, timeout=60
        ) as http:
            transport = streamable_http_client(f"{api.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                return [await client.call_tool(name, dict(args)) for name, args in calls]

    return asyncio.run(run())


def one(api: Served, role: str, name: str, **args: Any) -> Any:
    (result,) = call(api, role, (name, args))
    assert not result.is_error, result
    return result.structured_content


def denied(api: Served, role: str, name: str, **args: Any) -> Mapping[str, Any]:
    (result,) = call(api, role, (name, args))
    assert result.is_error, result
    assert result.content[0].text.startswith(result.structured_content["error"]["message"])
    return result.structured_content["error"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_tools_are_those_of_platforms_and_of_the_registry_with_their_hints(api: Served, mode: str):
    async def run() -> Any:
        async with httpx2.AsyncClient(headers=headers_of(api.keys["service"]), trust_env=False) as http:
            transport = streamable_http_client(f"{api.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(run())}
    assert set(tools) == PLATFORM | {"ask"} | set(TOOLS)
    for name, tool in tools.items():
        assert tool.annotations.read_only_hint == (name not in WRITE_TOOLS and name != "ask"), name
        assert "x-" not in str(tool.input_schema)
        assert tool.input_schema["additionalProperties"] is False
    assert tools["erase_note"].annotations.destructive_hint


def test_what_platforms_offer_of_a_customer(api: Served):
    assert one(api, "admin", "find_customer", query="19")["customers"][:3] == ["19", "190", "191"]
    details = one(api, "service", "get_customer_details", customer="0")["details"]
    assert details["customer"]["id"] == "0" if "customer" in details else details
    (segment,) = one(api, "service", "get_customer_segments", customer="0")["segments"]
    assert segment["name"]["en"]
    measures = one(api, "service", "get_customer_measures", customer="0")["measures"]
    assert measures["spend"] == pytest.approx(api.agent.shop.profile("0").spend)
    likely = one(api, "service", "get_customer_predictions", customer="0")["predictions"][
        "buys_within_30_days"
    ]
    assert all(0 <= chance["probability"] <= 1 for chance in likely)


def test_our_tools_take_names_and_give_facts_in_both_languages(api: Served):
    found = one(api, "service", "recommend", customer="0", category="尿布", n=2)
    assert len(found["facts"]) == 2
    assert all(fact["text"]["en"] and fact["text"]["zh"] for fact in found["facts"])
    spent = one(
        api, "admin", "measure", quantity="spend", by="none", start="2024-02-01", end="2024-02-29",
        filters={"customer": ["0"], "category": ["milk"]},
    )  # fmt: skip
    assert spent["facts"][0]["value"] == pytest.approx(8.0)
    answer = one(api, "service", "ask", question="How much did they spend on milk?", customer="0")
    assert "$" in answer["answer"]
    assert answer["citations"]


@pytest.mark.parametrize(
    ("role", "tool", "args"),
    [
        ("service", "similar_customers", {"customer": "0"}),
        ("service", "segments", {}),
        ("service", "audience", {"category": "DIAPERS"}),
        ("service", "measure", {"quantity": "spend", "by": "customer", "filters": {"customer": ["0"]}}),
        ("service", "measure", {"quantity": "spend", "by": "none", "filters": {"customer": ["0", "1"]}}),
        ("service", "measure", {"quantity": "spend", "by": "none"}),
        ("service", "ask", {"question": "hello"}),
        ("merchandiser", "profile", {"customer": "0", "about": "everything"}),
        ("merchandiser", "get_customer_details", {"customer": "0"}),
        ("merchandiser", "find_customer", {"query": "0"}),
        ("merchandiser", "measure", {"quantity": "spend", "by": "none", "filters": {"customer": ["0"]}}),
        ("merchandiser", "add_note", {"customer": "0", "text": "x"}),
    ],
)
def test_a_role_is_refused_and_told_what_it_may_do(api: Served, role: str, tool: str, args: dict):
    told = denied(api, role, tool, **args)
    assert told["type"] == "permission_error"
    assert told["allowed"]


def test_a_service_key_finds_only_the_customer_that_it_names(api: Served):
    assert one(api, "service", "find_customer", query="19") == {"customers": ["19"], "found": 1}
    assert one(api, "service", "find_customer", query="1999")["customers"] == []
    one(api, "service", "search_products", text="milk")
    one(api, "service", "measure", quantity="spend", by="none", filters={"customer": ["0"]})


@pytest.mark.parametrize(
    ("tool", "args", "kind"),
    [
        ("no_such_tool", {}, "not_found_error"),
        ("profile", {}, "invalid_request_error"),
        ("profile", {"customer": 7, "about": "everything"}, "invalid_request_error"),
        ("profile", {"customer": "nobody", "about": "everything"}, "not_found_error"),
        ("recommend", {"customer": "0", "category": "SPACESHIPS"}, "not_found_error"),
        ("recommend", {"customer": "0", "exclude": ["p0"]}, "invalid_request_error"),
        ("measure", {"quantity": "spend", "by": "colour"}, "invalid_request_error"),
        ("measure", {"quantity": "spend", "by": "none", "start": "soon"}, "invalid_request_error"),
        ("audience", {}, "invalid_request_error"),
        ("search_products", {"text": ""}, "invalid_request_error"),
    ],
)
def test_calls_that_cannot_be_served_say_why(api: Served, tool: str, args: dict, kind: str):
    assert denied(api, "admin", tool, **args)["type"] == kind


def test_a_change_is_made_only_with_the_confirmation_of_its_own_question(api: Served):
    given = {"customer": "5", "text": "likes tea"}
    asked = one(api, "service", "add_note", **given)
    assert "likes tea" in asked["question"]["en"]
    assert "likes tea" in asked["question"]["zh"]
    assert api.agent.shop.notes.count("5") == 0
    token = asked["confirmation"]
    one(api, "service", "add_note", **given | {"text": "likes coffee"}, confirmation=token)
    one(api, "admin", "add_note", **given, confirmation=token)
    assert api.agent.shop.notes.count("5") == 0
    one(api, "service", "add_note", **given, confirmation=token)
    assert [note.text for note in api.agent.shop.notes.of("5")] == ["likes tea"]


@pytest.mark.parametrize("role", [None, "push"])
def test_without_a_key_for_it_nothing_is_served(api: Served, role: str | None):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"Accept": "application/json, text/event-stream"}
    answer = api.call("POST", "/mcp", role, json=body, headers=accepts)
    assert error(answer, 401 if role is None else 403)
    wrong = api.call(
        "POST", "/mcp", "admin", content=b"\xff{", headers=accepts | {"Content-Type": "application/json"}
    )
    assert wrong.status_code == 400
    big = api.call("POST", "/mcp", "admin", content=b" " * 1_000_001, headers=accepts)
    assert big.status_code == 413


@pytest.mark.slow
def test_the_command_serves_over_stdio(tmp_path: Path):
    shop, root = copied(), Path(__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "SHOPKEEPER_VAR": str(tmp_path),
        "SHOPKEEPER_LLM_KEY": "secret",
    }
    with ScriptedServer([]).running() as model:
        words = ["-m", "cli", "mcp", "--shop", str(shop), "--url", model.url, "--role", "service"]
        server = StdioServerParameters(command=sys.executable, args=words, env=environment, cwd=root)

        async def run() -> Any:
            async with Client(server) as client:
                tools = (await client.list_tools()).tools
                asked = {"question": "顾客0在牛奶上花了多少钱？", "customer": "0"}
                return tools, await client.call_tool("ask", asked), await client.call_tool("segments", {})

        tools, found, refused = asyncio.run(run())
    assert {tool.name for tool in tools} > PLATFORM
    assert "牛奶" in found.structured_content["answer"]
    assert refused.is_error
