"""The MCP server: the same tools over stdio (`shopkeeper mcp`) and over streamable HTTP at /mcp.

Over HTTP every request stands alone and shows its key; nothing is kept between two of them, so that any process
behind a balancer can answer the next one.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mcp_types as types
from jsonschema import Draft202012Validator
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from agent.errors import AgentError
from agent.events import FinalEvent
from api.callers import Caller
from api.errors import Problem, answer, body, of
from api.mcp_tools import Offered, offered
from api.services import Services

log = logging.getLogger("shopkeeper.api")
MOST_BYTES = 1_000_000
_ASK = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "In English or Chinese"},
        "customer": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Whom it is about"},
        "session": {"type": "string", "minLength": 1, "maxLength": 200, "description": "A name; questions under it follow each other"},
    },
    "required": ["question"],
    "additionalProperties": False,
}  # fmt: skip
INSTRUCTIONS = (
    "Knows a shop's customers from what they did. Figures come from the data; state them as they are. Customers are"
    " known by their numbers; categories, brands and segments by keys or names, in English or Chinese. A tool that"
    " changes something asks first: put its question to the person, and call again with its confirmation after a yes."
)
CallerOf = Callable[[ServerRequestContext[Any, Any]], Caller]


def build_server(s: Services, caller_of: CallerOf) -> Server[Any]:
    """Return the server. `caller_of` tells who makes a request."""
    tools = offered(s)
    valid = {name: Draft202012Validator(tool.schema) for name, tool in tools.items()}
    valid["ask"] = Draft202012Validator(_ASK)

    async def listing(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_ask_tool(), *map(_listed, tools.values())])

    async def call(
        ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        caller, args = caller_of(ctx), params.arguments or {}
        try:
            if params.name in valid and isinstance(ctx.request, Request):
                ctx.request.state.tool = params.name
            if params.name not in valid:
                raise Problem(404, f"there is no tool {params.name[:60]!r}", allowed=", ".join(valid))
            fault = next(iter(valid[params.name].iter_errors(args)), None)
            if fault is not None:
                where = ".".join(map(str, fault.absolute_path))
                raise Problem(422, f"{where or 'arguments'}: {fault.message[:300]}", code="bad_request")
            if params.name == "ask":
                return _result(await _ask(s, caller, args))
            return _result(await asyncio.to_thread(tools[params.name].run, caller, args))
        except Exception as error:
            found = of(error)
            if found is None:
                log.exception("the tool %s failed", params.name)
                found = Problem(500, "a fault of ours; the server's log has it")
            if isinstance(ctx.request, Request):
                ctx.request.state.ended = found.status_code
            return _refused(found)

    return Server("shopkeeper", instructions=INSTRUCTIONS, on_list_tools=listing, on_call_tool=call)


def _listed(tool: Offered) -> types.Tool:
    hints = types.ToolAnnotations(
        title=tool.title, read_only_hint=not tool.writes, destructive_hint=tool.erases, idempotent_hint=not tool.writes,
        open_world_hint=False,
    )  # fmt: skip
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema,
        annotations=hints,
    )


def _ask_tool() -> types.Tool:
    words = "Ask in plain words; the answer's figures are checked against the data and cited"
    hints = types.ToolAnnotations(
        title="Ask Shopkeeper",
        read_only_hint=False,
        destructive_hint=False,
        idempotent_hint=False,
        open_world_hint=False,
    )  # in a session it can note something, after a yes
    return types.Tool(
        name="ask", title="Ask Shopkeeper", description=words, input_schema=_ASK, annotations=hints
    )


async def _ask(s: Services, caller: Caller, args: Mapping[str, Any]) -> dict[str, Any]:
    async with s.begin(caller, args["question"], args.get("customer"), args.get("session")) as turn:
        async for event in turn.all():
            if isinstance(event, FinalEvent):
                return event.reply.to_dict()
    raise AgentError("the question was withdrawn")


def _result(found: dict[str, Any]) -> types.CallToolResult:
    """A result twice: as text for models that read text, and as JSON."""
    text = (
        str(found["answer"])
        if "answer" in found
        else "\n".join(f["text"]["en"] for f in found.get("facts", []))
    )
    told = text or json.dumps(found, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(type="text", text=told)], structured_content=found)


def _refused(problem: Problem) -> types.CallToolResult:
    told = body(problem)["error"]
    text = told["message"] + (f". Allowed: {told['allowed']}" if told["allowed"] else "")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content={"error": told}, is_error=True
    )


class McpOverHttp:
    """The server as an ASGI application that asks for a key on each request. `run` surrounds its life."""

    def __init__(self, s: Services) -> None:
        self._services = s
        server = build_server(s, _caller_of_request)
        self._sessions = partial(
            StreamableHTTPSessionManager,
            server,
            json_response=True,
            stateless=True,
            max_request_body_size=MOST_BYTES,
        )
        self._manager: StreamableHTTPSessionManager | None = None

    def run(self) -> Any:
        """Return the context in which requests can be handled."""
        self._manager = self._sessions()
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            caller = request.state.caller = await self._services.callers.identify(request.headers)
            if caller.role == "push":
                raise Problem(
                    403, "a push key may not use tools", code="role", allowed="send events and feedback"
                )
        except Problem as problem:
            await answer(problem)(scope, receive, send)
            return
        assert self._manager is not None, "used outside `run`"
        await self._manager.handle_request(scope, receive, send)


def _caller_of_request(ctx: ServerRequestContext[Any, Any]) -> Caller:
    request = ctx.request
    assert isinstance(request, Request)
    return request.state.caller


async def serve_stdio(s: Services, caller: Caller) -> None:
    """Serve over stdin and stdout until the client goes; `caller` is whoever started the process."""
    from mcp.server.stdio import stdio_server

    server = build_server(s, lambda _: caller)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
