"""What the stand-in desks have in common; each behaves as its desk's documentation says.

A stand-in keeps conversations, sends signed webhooks with its own retries, and serves the part of its API that an
adapter uses, with its tokens, its rights and its errors. `Trouble` makes an answer fail or come late, before
or after it took effect.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

SECRET = "s3cret-of-the-desk"
TOKEN = "t0ken-of-the-bot"
READ_TOKEN = "t0ken-of-a-colleague"


@dataclass
class Trouble:
    """What goes wrong with the next `times` calls whose "METHOD path" matches: status 0 waits only."""

    calls: str
    status: int = 500
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    """The call takes effect although its answer says otherwise."""
    seconds: float = 0.0


@dataclass
class Said:
    """A message of a conversation. side: customer, staff or bot."""

    id: Any
    side: str
    text: str
    private: bool = False
    marks: dict[str, Any] = field(default_factory=dict)


@dataclass
class Talk:
    id: str
    contact: dict[str, Any]
    said: list[Said] = field(default_factory=list)
    status: str = "pending"
    tags: list[str] = field(default_factory=list)


Answer = tuple[int, Any]


class Missing(Exception):
    """Nothing is there."""


class StandIn:
    """One desk. `webhooks` is where they are sent; `webhook_answers` what came back, with its milliseconds."""

    name = ""
    retried: tuple[int, ...] = ()
    """Statuses after which a webhook is sent again; any failure where empty."""
    waits: float = 5.0
    first_id = 100

    def __init__(self) -> None:
        self.webhooks = self.base = ""
        self.pace = 0.02  # seconds where the real desk waits several
        self.talks: dict[str, Talk] = {}
        self.troubles: list[Trouble] = []
        self.calls: list[str] = []
        self.refused: list[str] = []
        self.webhook_answers: list[tuple[int, float]] = []
        self.on_call: Callable[[str, bool], bool] = lambda call, done: False
        """Called around each call of the API, before and after it took effect; True before it: no effect."""
        self._ids = itertools.count(self.first_id)
        self._lock = threading.RLock()
        self._client = httpx.Client(timeout=self.waits)

    # what people do at the desk --------------------------------------------------------------
    def begin(self, customer: str | None = None, **contact: Any) -> str:
        """Open a conversation with a contact that the desk knows as the shop's `customer`."""
        raise NotImplementedError

    def say(self, talk: str, text: str, deliver: bool = True) -> dict[str, Any]:
        """A customer writes; returns the webhook's document."""
        raise NotImplementedError

    def colleague_says(self, talk: str, text: str) -> None:
        raise NotImplementedError

    def take(self, talk: str) -> None:
        """A colleague takes the conversation over."""
        raise NotImplementedError

    def give_back(self, talk: str) -> None:
        raise NotImplementedError

    def with_colleagues(self, talk: str) -> bool:
        raise NotImplementedError

    def rate(self, talk: str, stars: int) -> None:
        """The customer rates the conversation."""
        raise NotImplementedError

    def resolve(self, talk: str) -> None:
        """A colleague closes the conversation."""
        raise NotImplementedError

    # what a test asks ------------------------------------------------------------------------
    def replies(self, talk: str) -> list[str]:
        return [s.text for s in self.talks[talk].said if s.side == "bot" and not s.private]

    def notes(self, talk: str) -> list[str]:
        return [s.text for s in self.talks[talk].said if s.side == "bot" and s.private]

    def wait(self, true: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until something is so; fail the test where it does not become so."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, (
                f"waited in vain; calls: {self.calls[-8:]}, {self.webhook_answers[-3:]}"
            )
            time.sleep(0.01)

    # webhooks --------------------------------------------------------------------------------
    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        raise NotImplementedError

    def deliver(self, document: dict[str, Any], at: float | None = None) -> int:
        """Send a webhook as the desk does, again where it does so; return the last status (0: no answer)."""
        body = json.dumps(document, ensure_ascii=False).encode()
        status = 0
        for attempt in range(3):
            begun = time.perf_counter()
            try:
                answer = self._client.post(
                    self.webhooks,
                    content=body,
                    headers={"Content-Type": "application/json"}
                    | self.signed(body, at)
                    | self.again(attempt),
                )
                status = answer.status_code
            except httpx.HTTPError:
                status = 0
            self.webhook_answers.append((status, 1000 * (time.perf_counter() - begun)))
            if 200 <= status < 300 or (self.retried and status not in self.retried):
                break
            time.sleep(self.pace)
        if not 200 <= status < 300:
            self.undelivered(document)
        return status

    def again(self, attempt: int) -> dict[str, str]:
        return {}

    def undelivered(self, document: dict[str, Any]) -> None:
        """The webhook did not get through."""

    # the API ---------------------------------------------------------------------------------
    def allowed(self, call: str, headers: Any) -> Answer | None:
        raise NotImplementedError

    def api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        raise NotImplementedError

    def answer(self, method: str, path: str, headers: Any, raw: bytes) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(path)
        call = f"{method} {parts.path}"
        with self._lock:
            self.calls.append(call)
        if (denied := self.allowed(call, headers)) is not None:
            self.refused.append(call)
            return *denied, {}
        if self.on_call(call, False):
            return 500, {"error": "nobody is there to read this"}, {}
        trouble = self._trouble(call)
        if trouble is not None and trouble.seconds:
            time.sleep(trouble.seconds)
        if trouble is not None and trouble.status and not trouble.effect:
            return trouble.status, {"error": "trouble"}, trouble.headers
        try:
            with self._lock:
                status, value = self.api(
                    method, parts.path, dict(parse_qsl(parts.query)), json.loads(raw or b"{}")
                )
        except Missing:
            return 404, {"error": "Resource could not be found"}, {}
        self.on_call(call, True)
        if trouble is not None and trouble.status:
            return trouble.status, {"error": "trouble"}, trouble.headers
        return status, value, {}

    def _trouble(self, call: str) -> Trouble | None:
        with self._lock:
            for trouble in self.troubles:
                if trouble.times > 0 and re.search(trouble.calls, call):
                    trouble.times -= 1
                    return trouble
        return None

    def talk(self, id: str) -> Talk:
        if id not in self.talks:
            raise Missing(id)
        return self.talks[id]

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the API; yields its base URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            self.base = f"http://127.0.0.1:{server.server_port}"
            yield self.base
        finally:
            server.shutdown()
            server.server_close()
            self._client.close()


def _handler(desk: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _all(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, value, headers = desk.answer(self.command, self.path, self.headers, raw)
            data = json.dumps(value).encode()
            try:
                self.send_response(status)
                for name, text in ({"content-type": "application/json"} | headers).items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # who asked has given up, or was killed

        do_GET = do_POST = do_PUT = _all

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


def hmac_sha256(signed: bytes) -> bytes:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
