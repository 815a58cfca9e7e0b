"""Bounds on every request, before the application sees it: how large a body may be, how slowly it may come, and
how slowly an answer may be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, answer

MOST_BYTES, BODY_SECONDS, SEND_SECONDS = 1_000_000, 30.0, 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """most_bytes: of a body. body_seconds: for it to come. send_seconds: for a piece of an answer to be taken."""

    most_bytes: int = MOST_BYTES
    body_seconds: float = BODY_SECONDS
    send_seconds: float = SEND_SECONDS


class Bounds:
    """An ASGI layer that reads a body whole before the application runs, and gives up on who is too slow.

    own: paths whose routes read their bodies themselves, within bounds of their own.
    """

    def __init__(self, app: ASGIApp, limits: Limits, own: Sequence[str] = ()) -> None:
        self._app, self._limits, self._own = app, limits, tuple(own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bounded = self._patient(send)
        if scope["path"] in self._own:
            await self._app(scope, receive, bounded)
            return
        try:
            body = await self._body(scope, receive)
        except Problem as problem:
            # What is left of the body is not read: the connection ends with the answer.
            refusal = answer(problem)
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, bounded)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), bounded)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, None where the caller left. Raises Problem."""
        most, seconds = self._limits.most_bytes, self._limits.body_seconds
        too_large = Problem(413, f"a request may hold {most:,} bytes", code="too_large")
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise Problem(
                408, f"the body did not come within {seconds:g} seconds", code="too_slow"
            ) from error

    def _patient(self, send: Send) -> Send:
        """Send, but not for ever to who does not read: the server then closes the connection."""

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(self._limits.send_seconds):
                await send(message)

        return bounded


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body once, and after it what the connection says: that the caller has left."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
