"""Stand-ins for a language model: a scripted OpenAI-compatible server on loopback, and a scripted client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.events import Usage


@dataclass(frozen=True, slots=True)
class Says:
    """One scripted completion. `wait` is set by the test to let the answer go on after its first word."""

    text: str
    prompt_tokens: int = 10
    cached_tokens: int = 4
    finish: str = "stop"
    wait: threading.Event | None = None

    @property
    def words(self) -> list[str]:
        return [word + " " for word in self.text.split(" ")[:-1]] + self.text.split(" ")[-1:]


@dataclass(frozen=True, slots=True)
class Fails:
    """One scripted HTTP error."""

    status: int
    message: str = "scripted failure"


@dataclass
class ScriptedServer:
    """Answers chat completions from `script`, in order, and keeps what it was asked.

    requests: bodies, as parsed JSON. headers: their HTTP headers, names in lower case.
    """

    script: list[Says | Fails]
    models: Sequence[str] = ("scripted",)
    key: str = "secret"
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        """Listen on a free loopback port; `url` ends in /v1."""
        httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
        try:
            yield self
        finally:
            httpd.shutdown()
            httpd.server_close()


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self._allowed():
                return
            self._json(200, {"object": "list", "data": [{"id": name} for name in server.models]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self._allowed():
                return
            server.requests.append(body)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            turn = server.script.pop(0) if server.script else Fails(500, "the script is at its end")
            if isinstance(turn, Fails):
                self._json(turn.status, {"error": {"message": turn.message}})
            elif body.get("stream"):
                self._events(turn)
            else:
                choice = {"index": 0, "message": {"role": "assistant", "content": turn.text}}
                choice["finish_reason"] = turn.finish
                self._json(200, _frame("chat.completion", [choice]) | {"usage": _usage(turn)})

        def _allowed(self) -> bool:
            if self.headers.get("authorization") == f"Bearer {server.key}":
                return True
            self._json(401, {"error": {"message": "wrong key"}})
            return False

        def _json(self, status: int, value: Mapping[str, Any]) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _events(self, turn: Says) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            try:
                for word in turn.words:
                    self._event([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
                    if turn.wait is not None:
                        turn.wait.wait(10)
                self._event([{"index": 0, "delta": {}, "finish_reason": turn.finish}])
                self._event([], usage=_usage(turn))
                self.wfile.write(b"data: [DONE]\n\n")
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client withdrew

        def _event(self, choices: list[dict[str, Any]], **more: Any) -> None:
            frame = _frame("chat.completion.chunk", choices) | more
            self.wfile.write(f"data: {json.dumps(frame)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


def _frame(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "x", "object": kind, "created": 0, "model": "scripted", "choices": choices}


def _usage(turn: Says) -> dict[str, Any]:
    completion = len(turn.words)
    return {
        "prompt_tokens": turn.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": turn.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": turn.cached_tokens},
    }


class ScriptedStream:
    """A finished text handed out word by word, as `agent.llm.TextStream` does."""

    def __init__(self, text: str) -> None:
        self._words = Says(text).words
        self.text, self.cut_off = "", False
        self.usage = Usage(llm_calls=1)

    def __iter__(self) -> Iterator[str]:
        for word in self._words:
            self.text += word
            yield word
        self.usage = Usage(1, 10, 4, len(self._words))


class ScriptedLLM:
    """Has the methods of `agent.llm.LLM` and answers from two scripts; exceptions in them are raised.

    asked: (method, messages, schema) of every call, for a test to look at.
    """

    plans_in_lines = False
    """Whether it plays a model that was tuned to plan; its plans are then `texts`."""

    def __init__(
        self, plans: Iterable[dict[str, Any] | Exception] = (), texts: Iterable[str | Exception] = ()
    ) -> None:
        self._plans, self._texts = list(plans), list(texts)
        self.asked: list[tuple[str, list[Any], Mapping[str, Any] | None]] = []

    def plan(
        self, messages: Sequence[Any], schema: Mapping[str, Any], **_: Any
    ) -> tuple[dict[str, Any], Usage]:
        self.asked.append(("plan", list(messages), schema))
        return _next(self._plans), Usage(1, 10, 4, 5)

    def text(
        self, messages: Sequence[Any], *, schema: Mapping[str, Any] | None = None, **_: Any
    ) -> tuple[str, Usage]:
        self.asked.append(("text", list(messages), schema))
        text = _next(self._texts)
        return text, Usage(1, 10, 4, len(Says(text).words))

    def stream(
        self, messages: Sequence[Any], *, schema: Mapping[str, Any] | None = None, **_: Any
    ) -> ScriptedStream:
        self.asked.append(("stream", list(messages), schema))
        return ScriptedStream(_next(self._texts))

    def close(self) -> None:
        """Nothing to close."""


def _next(script: list[Any]) -> Any:
    if not script:
        raise AssertionError("the model was asked once more than the script has answers")
    value = script.pop(0)
    if isinstance(value, Exception):
        raise value
    return value
