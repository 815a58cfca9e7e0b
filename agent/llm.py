"""The one client of every model server: the OpenAI protocol through LangChain."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import langsmith
import openai
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_messages
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.errors import (
    BadOutput,
    Cancelled,
    LLMError,
    LLMRejected,
    LLMTimeout,
    LLMUnavailable,
    OutputCutOff,
)
from agent.events import Usage
from agent.serving import SLOTS, Endpoint, is_loopback

Messages = Sequence[BaseMessage | Mapping[str, str]]
Schema = Mapping[str, Any]

# llguidance's own options, read from the schema's root: a model that may indent its JSON spends two fifths
# of its tokens on spaces (85 against 49 for a plan of two calls).
_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
_ACCOUNT_HEADERS = ("openai-organization", "openai-project")


class TextStream:
    """The pieces of one answer as they arrive; `usage` and `text` are whole once it is exhausted."""

    def __init__(self, pieces: Iterator[AIMessageChunk], cancel: threading.Event | None, where: str) -> None:
        self._pieces, self._cancel, self._where = pieces, cancel, where
        self.text = ""
        self.usage = Usage(llm_calls=1)
        self.cut_off = False

    def __iter__(self) -> Iterator[str]:
        """Yield pieces of text. Raises LLMError; on `cancel` the request is dropped and Cancelled raised."""
        with langsmith.tracing_context(enabled=False):
            try:
                for chunk in self._pieces:
                    if self._cancel is not None and self._cancel.is_set():
                        raise Cancelled("the question was withdrawn.")
                    self._note(chunk)
                    if isinstance(chunk.content, str) and chunk.content:
                        self.text += chunk.content
                        yield chunk.content
            except (openai.APIError, httpx.HTTPError) as error:
                raise translated(error, self._where) from error
            finally:
                close = getattr(self._pieces, "close", None)
                if close is not None:
                    close()  # ends the HTTP response, so the server stops computing

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
    """Calls to one Endpoint, at temperature 0.

    Connection errors are tried twice more; bad output is not. Nothing is taken from `OPENAI_*` variables,
    proxies are not used for loopback, and no call is traced to an outside service.
    """

    def __init__(self, endpoint: Endpoint, *, timeout_s: float = 300.0, retries: int = 2) -> None:
        self.endpoint = endpoint
        self._http = httpx.Client(
            trust_env=not is_loopback(endpoint.base_url),
            timeout=httpx.Timeout(timeout_s, connect=10),
            event_hooks={"request": [_without_account]},
        )
        self._chat = ChatOpenAI(
            base_url=endpoint.base_url,
            api_key=SecretStr(endpoint.key),
            model=endpoint.model,
            temperature=0,
            max_retries=retries,
            timeout=timeout_s,
            http_client=self._http,
            http_socket_options=(),
            openai_proxy="",
            stream_usage=True,
            use_responses_api=False,
            cache=False,
        )

    def plan(
        self,
        messages: Messages,
        schema: Schema,
        *,
        max_tokens: int,
        cancel: threading.Event | None = None,
        slot: str = "plan",
    ) -> tuple[dict[str, Any], Usage]:
        """Return an object that follows the JSON schema, and what it cost.

        Raises OutputCutOff (the limit came first), BadOutput (not JSON, or not an object), LLMUnavailable,
        LLMTimeout, LLMRejected, Cancelled.
        """
        stream = self._stream(messages, max_tokens, _Constraint(schema=schema), slot, cancel)
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
        slot: str = "answer",
    ) -> tuple[str, Usage]:
        """Return the model's text, constrained where asked; a text cut at the limit is returned as it is.

        `grammar` (GBNF) is understood by llama.cpp only.
        """
        stream = self._stream(messages, max_tokens, _Constraint(schema, grammar), slot, cancel)
        return "".join(stream), stream.usage

    def stream(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        schema: Schema | None = None,
        grammar: str | None = None,
        cancel: threading.Event | None = None,
        slot: str = "answer",
    ) -> TextStream:
        """Return the text piece by piece; `usage` is known at the end. The request starts when iterated."""
        return self._stream(messages, max_tokens, _Constraint(schema, grammar), slot, cancel)

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
        self._http.close()

    def _stream(
        self,
        messages: Messages,
        max_tokens: int,
        constraint: _Constraint,
        slot: str,
        cancel: threading.Event | None,
    ) -> TextStream:
        body = constraint.body(self.endpoint.llama)
        if self.endpoint.llama:
            # Each kind of prompt has its own slot, so its stable beginning stays in the server's cache.
            body |= {"id_slot": SLOTS[slot], "cache_prompt": True}
        # The constraint goes in as a plain body field: LangChain's own `response_format` would have the
        # OpenAI package parse the output, and fail on a cut-off one before we see it.
        limits: dict[str, Any] = {"max_tokens": max_tokens, "extra_body": body}
        pieces = self._chat.stream(convert_to_messages([_message(m) for m in messages]), **limits)
        return TextStream(pieces, cancel, self.endpoint.base_url)  # type: ignore[arg-type]


def parse_object(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises BadOutput."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadOutput(f"the model's plan is not JSON ({error}).", text) from error
    if not isinstance(value, dict):
        raise BadOutput("the model's plan is not a JSON object.", text)
    return value


def translated(error: Exception, where: str) -> LLMError:
    """The error of ours for what the OpenAI client or HTTP raised."""
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return LLMTimeout(
            f"the model server at {where} answered too slowly; ask again, or use a smaller model."
        )
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return LLMRejected(f"the model server at {where} refuses the key; set SHOPKEEPER_LLM_KEY.")
    if isinstance(error, openai.NotFoundError):
        return LLMRejected(f"the model server at {where} does not have this model; set SHOPKEEPER_LLM_MODEL.")
    if isinstance(error, openai.APIStatusError) and error.status_code < 500:
        return LLMRejected(f"the model server at {where} refused the request: {_reason(error)}")
    if isinstance(error, openai.APIStatusError):
        return LLMUnavailable(f"the model server at {where} failed ({error.status_code}); see its log.")
    return LLMUnavailable(
        f"no model server answers at {where}; start it with `shopkeeper llm`, or check SHOPKEEPER_LLM_URL."
    )


def _reason(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message).splitlines()[0][:300]


def _message(message: BaseMessage | Mapping[str, str]) -> Any:
    return message if isinstance(message, BaseMessage) else dict(message)


def _without_account(request: httpx.Request) -> None:
    """The OpenAI package adds account headers from the environment; they are nobody else's business."""
    for header in _ACCOUNT_HEADERS:
        request.headers.pop(header, None)


def _usage(metadata: Mapping[str, Any]) -> Usage:
    cached = metadata.get("input_token_details") or {}
    return Usage(
        llm_calls=1,
        prompt_tokens=metadata["input_tokens"],
        cached_tokens=cached.get("cache_read") or 0,
        completion_tokens=metadata["output_tokens"],
    )
