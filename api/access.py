"""The access trace: which key called what, for what purpose, when, and how it ended. A line of JSON a call.

    shop/access.jsonl      the latest calls; shop/access.1.jsonl those before; readable by their owner only

No customer, no question and no key stands in it, so nothing has to be erased from it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.callers import Caller

ACCESS_FILE = "access.jsonl"
MOST_BYTES = 10_000_000
"""From this size on, the file becomes access.1.jsonl, and the one before it goes."""
log = logging.getLogger("shopkeeper.api")


class AccessTrace:
    """Appends to the trace of one shop. Processes may share the file: a line is written at once."""

    def __init__(self, shop: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path, self._most, self._troubled = shop / ACCESS_FILE, most_bytes, False

    def note(self, caller: Caller, call: str, status: int, ms: float) -> None:
        """Keep a call. A trace that cannot be written is told once in the log, and stops no call."""
        told = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"), "key": caller.name, "id": caller.id,
            "role": caller.role, "purpose": caller.purpose, "user": caller.user, "call": call, "status": status,
            "ms": round(ms, 1),
        }  # fmt: skip
        try:
            self._append(json.dumps(told, ensure_ascii=False).encode() + b"\n")
            self._troubled = False
        except OSError as error:
            if not self._troubled:
                log.warning("calls are not traced: %s", error)
            self._troubled = True

    def _append(self, line: bytes) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            full = os.fstat(handle).st_size >= self._most
        finally:
            os.close(handle)
        if full:
            os.replace(self._path, self._path.with_suffix(".1.jsonl"))


class Traced:
    """An ASGI layer that notes each call of a known key when it has ended."""

    def __init__(self, app: ASGIApp, trace: AccessTrace) -> None:
        self._app, self._trace = app, trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            caller = scope.get("state", {}).get("caller")
            if caller is not None:
                ended = scope["state"].get("ended", status)  # MCP tells of a refused tool with status 200
                self._trace.note(caller, _call(scope), ended, 1000 * (time.perf_counter() - begun))


def _call(scope: Scope) -> str:
    """What was called: the route, without the numbers in its path, or the tool over MCP."""
    path = getattr(scope.get("route"), "path", scope["path"])
    return " ".join(filter(None, (scope["method"], path, scope["state"].get("tool"))))
