"""Our agent as the agent under test of somebody else's benchmark: an OpenAI-compatible chat endpoint on loopback.

The benchmark (tau2-bench, say) sends its conversation and its own tools; the agent answers with its model and its
discipline: one constrained call a turn (eval/harness_turn.py), identifiers only from the conversation
(eval/harness_schema.py), no figure that nobody gave (eval/harness_said.py).
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
import selectors
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai

from agent.circuit import REST_S
from agent.errors import Cancelled, LLMError, LLMRejected, LLMUnavailable
from agent.events import Usage
from agent.llm import LLM
from agent.sentences import stream as sentences
from agent.serving import connect
from agent.subject import MAX_CALLS
from eval.harness_request import BadRequest, Request, read
from eval.harness_turn import Answer, Model, answer
from settings import Settings

NAME = "shopkeeper"
"""What the agent is called as a model."""
MAX_BODY = 8 << 20
_PATHS = {"/v1/chat/completions": "POST", "/v1/models": "GET"}
_WATCH_S = 0.05


def serve(settings: Settings, *, port: int, key: str | None = None) -> int:
    """Serve the agent on 127.0.0.1 until Ctrl-C, and return 0. port: 0 takes a free one. key: what callers must send
    as their Bearer key; made at random where none is given. The address and the key are printed once.

    Raises ValueError where the port or the key cannot be used, and what `agent.serving.connect` raises.
    """
    if key is not None and not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError(
            "the key must be of printable ASCII characters without spaces; leave it out for a random one."
        )
    server = HarnessServer(None, key=key or secrets.token_urlsafe(24), port=port)
    try:
        endpoint = connect(settings, lambda text: print(text, file=sys.stderr, flush=True))
        llm = LLM(endpoint)
        try:
            server.model = llm
            print(f"{NAME} ({endpoint.model}) answers at {server.url} with the key {server.key}", flush=True)
            print("Ctrl-C ends it.", file=sys.stderr, flush=True)
            server.serve_forever()
        finally:
            llm.close()
            endpoint.close()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        server.server_close()
    return 0


class HarnessServer(ThreadingHTTPServer):
    """The endpoint; `serve_forever` answers, each connection in a thread of its own.

    model: what is asked for each turn. Raises ValueError where the port cannot be had.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, model: Model | None, *, key: str, port: int = 0) -> None:
        self.model, self.key, self.started = model, key, int(time.time())
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise ValueError(
                f"port {port} cannot be had ({error}); give another, or 0 for a free one."
            ) from error

    @property
    def url(self) -> str:
        """The base URL for clients; ends in /v1."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over callers that hung up; anything else is a fault of ours, and shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Refused(Exception):
    """An HTTP error in OpenAI's form."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, after: int = 0
    ) -> None:
        super().__init__(message)
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.status, self.after = status, after
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Handler(BaseHTTPRequestHandler):
    server: HarnessServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    """Seconds that a caller may keep a connection without sending anything."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            body = self._body()
            path = self._allowed()
            if path == "/v1/models":
                self._json(200, {"object": "list", "data": [self._listed()]})
            else:
                self._complete(_parsed(body))
        except _Refused as refused:
            self._refuse(refused)
        except Cancelled:
            self.close_connection = True
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            traceback.print_exc()
            self._refuse(_Refused(500, "a fault of ours; see the traceback where the harness runs."))

    def _body(self) -> bytes:
        """Read the body before anything is refused, so that the connection can go on."""
        length = self.headers.get("content-length")
        if length is None and self.command == "POST":
            self.close_connection = True
            raise _Refused(411, "send the body with a Content-Length.")
        if not (length or "0").isdecimal() or int(length or 0) > MAX_BODY:
            self.close_connection = True
            raise _Refused(413, f"the body may have {MAX_BODY} bytes at most.")
        return self.rfile.read(int(length or 0))

    def _allowed(self) -> str:
        given = self.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.key}".encode()):
            raise _Refused(401, "wrong key; send the one that the harness printed.", code="invalid_api_key")
        path = self.path.partition("?")[0].rstrip("/")
        if path not in _PATHS:
            raise _Refused(404, f"there is no {path or '/'}; there are: {', '.join(_PATHS)}.")
        if _PATHS[path] != self.command:
            raise _Refused(405, f"{path} takes {_PATHS[path]}.")
        return path

    def _listed(self) -> dict[str, Any]:
        return {"id": NAME, "object": "model", "created": self.server.started, "owned_by": NAME}

    def _complete(self, body: Any) -> None:
        request = _checked(body)
        with _watching(self.connection) as cancel:
            found = _asked(self.server.model, request, cancel)
        completion = _completion(request, found)
        if request.stream:
            self._events(_chunks(completion, request.stream_usage))
        else:
            self._json(200, completion)

    def _refuse(self, refused: _Refused) -> None:
        self._json(refused.status, refused.body, after=refused.after)

    def _json(self, status: int, value: Mapping[str, Any], *, after: int = 0) -> None:
        data = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if after:
            self.send_header("Retry-After", str(after))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _events(self, frames: Iterator[Mapping[str, Any]]) -> None:
        self.close_connection = True  # the end of the stream is the end of the connection
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for frame in frames:
            self.wfile.write(b"data: " + json.dumps(frame).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses, in OpenAI's form."""
        self.close_connection = True
        self._refuse(_Refused(int(code), f"{message or HTTPStatus(code).phrase}."))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a benchmark makes thousands of requests."""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the body is not JSON ({error}).") from error


def _checked(body: Any) -> Request:
    try:
        request = read(body, most=MAX_CALLS)
    except BadRequest as error:
        raise _bad(error) from error
    if request.model != NAME:
        why = f"there is no model {request.model!r}; ask for {NAME!r}."
        raise _Refused(404, why, param="model", code="model_not_found")
    return request


def _bad(error: BadRequest) -> _Refused:
    return _Refused(400, str(error), param=error.param, code=error.code)


def _asked(model: Model | None, request: Request, cancel: threading.Event) -> Answer:
    """Return the agent's answer; what goes wrong on the way becomes an HTTP error. Raises Cancelled."""
    assert model is not None
    try:
        return answer(model, request, cancel)
    except BadRequest as error:
        raise _bad(error) from error
    except Cancelled:
        raise
    except LLMUnavailable as error:
        raise _Refused(503, str(error), code="model_unavailable", after=math.ceil(REST_S)) from error
    except LLMRejected as error:
        # What the model server finds wrong with the prompt (most often its length) is the caller's to mend.
        status = getattr(error.__cause__, "status_code", None)
        own = isinstance(
            error.__cause__, openai.AuthenticationError | openai.PermissionDeniedError | openai.NotFoundError
        )
        raise _Refused(502 if own or status is None else 400, str(error), code="model_rejected") from error
    except LLMError as error:
        raise _Refused(502, str(error), code="model_failed") from error


@contextmanager
def _watching(connection: socket.socket) -> Iterator[threading.Event]:
    """Within, the event is set when the caller hangs up, so that no model works for nobody."""
    cancel, done = threading.Event(), threading.Event()

    def watch() -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not done.is_set():
                if selector.select(_WATCH_S):
                    if not connection.recv(1, socket.MSG_PEEK):
                        cancel.set()
                    return  # it hung up, or has sent its next request

    def watch_quietly() -> None:
        try:
            watch()
        except OSError:
            cancel.set()

    watcher = threading.Thread(target=watch_quietly, daemon=True)
    watcher.start()
    try:
        yield cancel
    finally:
        done.set()
        watcher.join()


# what is sent back ---------------------------------------------------------------------------
def _completion(request: Request, found: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": found.text or None}
    if found.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{secrets.token_hex(12)}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args, ensure_ascii=False)},
            }
            for name, args in found.calls
        ]
    finish = "length" if found.cut_off else "tool_calls" if found.calls else "stop"
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(found.usage),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _chunks(completion: Mapping[str, Any], with_usage: bool) -> Iterator[dict[str, Any]]:
    """Yield a finished completion as the chunks of a stream: its text is only known to be sayable once it is whole."""
    shared = {key: completion[key] for key in ("id", "created", "model")} | {
        "object": "chat.completion.chunk"
    }
    if with_usage:
        shared["usage"] = None

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return shared | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    (choice,) = completion["choices"]
    message = choice["message"]
    yield chunk({"role": "assistant", "content": "" if message["content"] else None})
    for piece in sentences([message["content"] or ""]):
        yield chunk({"content": piece})
    for i, call in enumerate(message.get("tool_calls") or ()):
        yield chunk({"tool_calls": [{"index": i, **call}]})
    yield chunk({}, choice["finish_reason"])
    if with_usage:
        yield shared | {"choices": [], "usage": completion["usage"]}
