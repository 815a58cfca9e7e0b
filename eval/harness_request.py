"""What a benchmark harness asks for: an OpenAI chat-completions body, read and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

MAX_TOKENS = 512
"""The longest answer, in tokens, where the caller names no limit."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Role = Literal["system", "user", "assistant", "tool"]
_ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
}  # fmt: skip


class BadRequest(ValueError):
    """The request cannot be answered as it is; `param` names the part that is wrong."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.code = param, code


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: its id, the tool's name, and its arguments."""

    id: str
    tool: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. calls: an assistant's. tool: the name of the tool that a result came from."""

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A tool of the caller's; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request. may_say: whether a text may be the answer; may_call: whether calls may.

    tools: all that the caller has; open: those that `tool_choice` leaves. most: calls at once.
    """

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Function, ...]
    open: tuple[Function, ...]
    may_say: bool
    most: int
    max_tokens: int
    stream: bool
    stream_usage: bool


def read(body: Any, *, most: int) -> Request:
    """Check a body and return the request. most: the calls that one answer may hold.

    Raises BadRequest with one line that says what to mend.
    """
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object.")
    _refuse_unsupported(body)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("name a model; GET /v1/models lists them.", "model")
    turns = _turns(body.get("messages"))
    tools = _tools(body.get("tools"))
    chosen, may_say, named = _choice(body.get("tool_choice"), tools)
    parallel = body.get("parallel_tool_calls")
    _require(parallel is None or isinstance(parallel, bool), "parallel_tool_calls", "must be true or false")
    options = body.get("stream_options") or {}
    _require(isinstance(options, dict), "stream_options", "must be an object")
    return Request(
        model=model,
        turns=turns,
        tools=tools,
        open=chosen,
        may_say=may_say,
        most=1 if named or parallel is False else most,
        max_tokens=_limit(body),
        stream=_flag(body, "stream"),
        stream_usage=bool(options.get("include_usage")),
    )


def _require(right: bool, param: str, wrong: str) -> None:
    if not right:
        raise BadRequest(f"{param} {wrong}.", param)


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    _require(value is None or isinstance(value, bool), name, "must be true or false")
    return bool(value)


def _limit(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            right = isinstance(value, int) and not isinstance(value, bool) and value > 0
            _require(right, name, "must be a whole number above 0")
            return value
    return MAX_TOKENS


def _refuse_unsupported(body: Mapping[str, Any]) -> None:
    """What would change the answer's form is refused rather than passed over; sampling options are passed over,
    since the agent always answers at temperature 0."""
    for name in ("functions", "function_call"):
        _require(name not in body, name, "is the old form; give tools and tool_choice instead")
    _require(body.get("n") in (None, 1), "n", "must be 1: the agent gives one answer")
    form = body.get("response_format")
    plain = form is None or (isinstance(form, dict) and form.get("type") == "text")
    _require(plain, "response_format", "must be text: the agent answers with text or tool calls")


# messages ------------------------------------------------------------------------------------
def _turns(messages: Any) -> tuple[Turn, ...]:
    _require(isinstance(messages, list) and bool(messages), "messages", "must be a list with a message in it")
    found: list[Turn] = []
    asked: dict[str, str] = {}
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        _require(isinstance(message, dict), where, "must be an object")
        role = _ROLES.get(str(message.get("role")))
        if role is None:
            raise BadRequest(f"{where}.role must be one of {', '.join(_ROLES)}.", f"{where}.role")
        found.append(_turn(message, role, where, asked))
    _require(found[-1].role != "assistant", "messages", "must end with the user's word or a tool's result")
    return tuple(found)


def _turn(message: Mapping[str, Any], role: Role, where: str, asked: dict[str, str]) -> Turn:
    calls = _calls(message.get("tool_calls"), where) if role == "assistant" else ()
    asked |= {call.id: call.tool for call in calls}
    text = _text(message.get("content"), where, may_lack=bool(calls))
    if role == "tool":
        of = message.get("tool_call_id")
        _require(isinstance(of, str) and of in asked, f"{where}.tool_call_id", "answers no call before it")
        return Turn("tool", text, tool=asked[str(of)])
    return Turn(role, text, calls)


def _text(content: Any, where: str, *, may_lack: bool) -> str:
    where = f"{where}.content"
    if isinstance(content, str):
        return content
    if content is None:
        _require(may_lack, where, "must be a text")
        return ""
    _require(isinstance(content, list), where, "must be a text or a list of text parts")
    parts = [
        part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        for part in content
    ]
    _require(all(isinstance(part, str) for part in parts), where, "may hold text parts only")
    return "\n".join(map(str, parts))


def _calls(calls: Any, where: str) -> tuple[Call, ...]:
    if calls is None:
        return ()
    where = f"{where}.tool_calls"
    _require(isinstance(calls, list), where, "must be a list")
    return tuple(_call(call, f"{where}[{i}]") for i, call in enumerate(calls))


def _call(call: Any, where: str) -> Call:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(call.get("id"), str):
        raise BadRequest(f"{where} must have an id and a function.", where)
    name, arguments = function.get("name"), parsed(function.get("arguments"))
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise BadRequest(f"{where}.function must have a name, and arguments that are a JSON object.", where)
    return Call(call["id"], name, arguments)


def parsed(text: Any) -> Any:
    """Return what a JSON text holds; None where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


# tools ---------------------------------------------------------------------------------------
def _tools(tools: Any) -> tuple[Function, ...]:
    if tools is None:
        return ()
    _require(isinstance(tools, list), "tools", "must be a list")
    found = tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(tools))
    names = [tool.name for tool in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    _require(twice is None, "tools", f"has two functions called {twice!r}; give each a name of its own")
    return found


def _tool(tool: Any, where: str) -> Function:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict):
        raise BadRequest(f'{where} must be {{"type": "function", "function": {{…}}}}.', where)
    name, parameters = function.get("name"), function.get("parameters")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"{where}.function.name must be 1 to 64 of a-z, A-Z, 0-9, _ and -.", f"{where}.function.name"
        )
    parameters = {"type": "object", "properties": {}} if parameters is None else parameters
    where = f"{where}.function.parameters"
    if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
        raise BadRequest(f"{where} must be a JSON schema of an object.", where)
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        raise BadRequest(f"{where} is no JSON schema: {_line(error.message)}", where) from error
    except RecursionError as error:
        raise BadRequest(f"{where} is nested too deeply.", where) from error
    return Function(name, str(function.get("description") or ""), parameters)


def _choice(choice: Any, tools: Sequence[Function]) -> tuple[tuple[Function, ...], bool, bool]:
    """Return the tools that may be called, whether a text may be the answer, and whether one tool was named."""
    if choice in (None, "auto"):
        return tuple(tools), True, False
    if choice == "none":
        return (), True, False
    _require(bool(tools), "tool_choice", "asks for a call, and there are no tools")
    if choice == "required":
        return tuple(tools), False, False
    function = (
        choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    )
    if not isinstance(function, dict):
        form = '{"type": "function", "function": {"name": …}}'
        raise BadRequest(f"tool_choice must be none, auto, required or {form}.", "tool_choice")
    named = tuple(tool for tool in tools if tool.name == function.get("name"))
    _require(bool(named), "tool_choice", f"names {function.get('name')!r}, which is not among the tools")
    return named, False, True


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
