"""The one client of every model server: the OpenAI protocol through LangChain."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import langsmith
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_messages

from agent.chat import FIRST_S, Chat, OnProgress
from agent.circuit import REST_S
from agent.endpoint import SLOTS, Endpoint
from agent.errors import BadOutput, OutputCutOff
from agent.events import Usage

Messages = Sequence[BaseMessage | Mapping[str, str]]
Schema = Mapping[str, Any]

# llguidance's own options, read from the schema's root: a model that may indent its JSON spends two fifths
# of its tokens on spaces (85 against 49 for a plan of two calls).
_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


class TextStream:
    """The pieces of one answer as they arrive; `usage` and `text` are whole once it is exhausted."""

    def __init__(self, pieces: Generator[AIMessageChunk]) -> None:
        self._pieces = pieces
        self.text = ""
        self.usage = Usage(llm_calls=1)
        self.cut_off = False

    def __iter__(self) -> Generator[str]:
        """Yield pieces of text. Raises LLMError; when `cancel` is set the request is dropped and Cancelled raised."""
        with (
            langsmith.tracing_context(enabled=False),
            closing(self._pieces),
        ):  # ends the request, where the reader leaves before its end
            for chunk in self._pieces:
                self._note(chunk)
                if isinstance(chunk.content, str) and chunk.content:
                    self.text += chunk.content
                    yield chunk.content

    def _note(self, chunk: AIMessageChunk) -> None:
        if chunk.response_metadata.get("finish_reason") == "length":
            self.cut_off = True
        if chunk.usage_metadata:
            self.usage = _usage(chunk.usage_metadata)


@dataclass(frozen=True, slots=True)
class _Constraint:
    """What shape the output must have: a JSON schema or a GBNF grammar, or none."""

    schema: Schema | None = None
    grammar: str | None = None

    def body(self, llama: bool) -> dict[str, Any]:
        if self.grammar is not None:
            return {"grammar": self.grammar}
        if self.schema is None:
            return {}
        if llama:
            compact = {"x-guidance": _COMPACT, **self.schema}
            return {"grammar": f"%llguidance {{}}\nstart: %json {json.dumps(compact, ensure_ascii=False)}"}
        form = {"name": "output", "strict": True, "schema": dict(self.schema)}
        return {"response_format": {"type": "json_schema", "json_schema": form}}


class LLM:
    """Calls to one Endpoint, at temperature 0. Safe to use from several threads.

    A refused connection is tried `retries` times more, at once; a time-out and bad output are not. A server found
    down is left alone for `rest_s` seconds, in which calls fail at once; one that this process started and that died is
    started again. Nothing is taken from `OPENAI_*` variables, proxies are not used for loopback, and no call is
    traced to an outside service.

    timeout_s: the longest wait for a first token. In every call, `cancel` ends it within a tenth of a second of being
    set, and `on_progress` is told, in both languages, when the server must be started again first.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeout_s: float = FIRST_S, retries: int = 2, rest_s: float = REST_S
    ) -> None:
        self._chat = Chat(endpoint, timeout_s=timeout_s, retries=retries, rest_s=rest_s)

    @property
    def endpoint(self) -> Endpoint:
        """Where the model answers."""
        return self._chat.endpoint

    @property
    def plans_in_lines(self) -> bool:
        """Whether the model was tuned to plan in lines."""
        return bool(self.endpoint.planner)

    def plan(
        self,
        messages: Messages,
        schema: Schema,
        *,
        max_tokens: int,
        cancel: threading.Event | None = None,
        on_progress: OnProgress | None = None,
        slot: str = "plan",
    ) -> tuple[dict[str, Any], Usage]:
        """Return an object that follows the JSON schema, and what it cost.

        Raises OutputCutOff (the limit came first), BadOutput (not JSON, or not an object), LLMUnavailable,
        LLMTimeout, LLMRejected, Cancelled.
        """
        stream = self._stream(messages, max_tokens, _Constraint(schema=schema), slot, cancel, on_progress)
        text = "".join(stream)
        if stream.cut_off:
            raise OutputCutOff(f"the plan was not whole after {max_tokens} tokens.", text)
        return parse_object(text), stream.usage

    def text(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        schema: Schema | None = None,
        grammar: str | None = None,
        cancel: threading.Event | None = None,
        on_progress: OnProgress | None = None,
        slot: str = "answer",
    ) -> tuple[str, Usage]:
        """Return the model's text, constrained where asked; a text cut at the limit is returned as it is.

        `grammar` (GBNF) is understood by llama.cpp only.
        """
        stream = self._stream(messages, max_tokens, _Constraint(schema, grammar), slot, cancel, on_progress)
        return "".join(stream), stream.usage

    def stream(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        schema: Schema | None = None,
        grammar: str | None = None,
        cancel: threading.Event | None = None,
        on_progress: OnProgress | None = None,
        slot: str = "answer",
    ) -> TextStream:
        """Return the text piece by piece; `usage` is known at the end. The request starts when iterated."""
        return self._stream(messages, max_tokens, _Constraint(schema, grammar), slot, cancel, on_progress)

    async def aplan(
        self, messages: Messages, schema: Schema, *, max_tokens: int, slot: str = "plan"
    ) -> tuple[dict[str, Any], Usage]:
        """`plan` without blocking the event loop; cancelling the task drops the request."""
        cancel = threading.Event()
        try:
            return await asyncio.to_thread(
                self.plan, messages, schema, max_tokens=max_tokens, cancel=cancel, slot=slot
            )
        except asyncio.CancelledError:
            cancel.set()
            raise

    async def atext(
        self, messages: Messages, *, max_tokens: int, schema: Schema | None = None, slot: str = "answer"
    ) -> tuple[str, Usage]:
        """`text` without blocking the event loop; cancelling the task drops the request."""
        cancel = threading.Event()
        try:
            return await asyncio.to_thread(
                self.text, messages, max_tokens=max_tokens, schema=schema, cancel=cancel, slot=slot
            )
        except asyncio.CancelledError:
            cancel.set()
            raise

    def close(self) -> None:
        """Close the connections; the server goes on."""
        self._chat.close()

    def _stream(
        self,
        messages: Messages,
        max_tokens: int,
        constraint: _Constraint,
        slot: str,
        cancel: threading.Event | None,
        on_progress: OnProgress | None,
    ) -> TextStream:
        def body(endpoint: Endpoint) -> dict[str, Any]:
            # The constraint goes in as a plain body field: LangChain's own `response_format` would have the
            # OpenAI package parse the output, and fail on a cut-off one before we see it.
            fields = constraint.body(endpoint.llama) | endpoint.adapter(slot)
            if endpoint.llama:
                # Each kind of prompt has its own slot, so its stable beginning stays in the server's cache.
                # The progress is not read: writing it is how the server finds out that the asker left.
                fields |= {"id_slot": SLOTS[slot], "cache_prompt": True, "return_progress": True}
            return fields

        read = convert_to_messages([_message(m) for m in messages])
        return TextStream(
            self._chat.chunks(read, body, max_tokens=max_tokens, cancel=cancel, on_progress=on_progress)
        )


def parse_object(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises BadOutput."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadOutput(f"the model's plan is not JSON ({error}).", text) from error
    if not isinstance(value, dict):
        raise BadOutput("the model's plan is not a JSON object.", text)
    return value


def _message(message: BaseMessage | Mapping[str, str]) -> Any:
    return message if isinstance(message, BaseMessage) else dict(message)


def _usage(metadata: Mapping[str, Any]) -> Usage:
    cached = metadata.get("input_token_details") or {}
    return Usage(
        llm_calls=1,
        prompt_tokens=metadata["input_tokens"],
        cached_tokens=cached.get("cache_read") or 0,
        completion_tokens=metadata["output_tokens"],
    )
