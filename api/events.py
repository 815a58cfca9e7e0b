"""POST /v1/events: events pushed by tills, web shops and desks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse

from api.bodies import Unreadable, as_text, content_type, parse, read_body
from api.event_shape import Rejected, event_fields
from customers.errors import BadInput
from customers.ingest.inbox import Inbox

MOST_BYTES = 5_000_000
BODY_SECONDS = 30.0
MOST_BACKLOG = 500_000_000
RETRY_SECONDS = 30


def events_router(inbox: Inbox, zone: ZoneInfo | None, body_seconds: float = BODY_SECONDS) -> APIRouter:
    """Return the route that accepts events into `inbox`."""
    router = APIRouter()

    @router.post("/v1/events", status_code=202)
    async def push(request: Request) -> JSONResponse:
        kind = content_type(request)
        if await asyncio.to_thread(inbox.backlog) > MOST_BACKLOG:
            raise HTTPException(
                429, "more events wait than can be stored now; send again later",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )  # fmt: skip
        text = as_text(await read_body(request, MOST_BYTES, body_seconds))
        return await asyncio.to_thread(_accept, inbox, zone, kind, text)

    return router


def _accept(inbox: Inbox, zone: ZoneInfo | None, kind: str, text: str) -> JSONResponse:
    accepted: list[dict[str, str | None]] = []
    rejected: list[dict[str, Any]] = []
    for index, given in enumerate(_given(kind, text)):
        try:
            if isinstance(given, Unreadable):
                raise Rejected(str(given))
            accepted.append(event_fields(given, zone))
        except Rejected as error:
            rejected.append({"index": index, "reason": str(error)})
    if accepted:
        try:
            inbox.accept(accepted)
        except BadInput as error:
            raise HTTPException(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)}) from error
    status = 422 if rejected and not accepted else 202
    return JSONResponse({"accepted": len(accepted), "rejected": rejected}, status)


def _given(kind: str, text: str) -> Iterator[Any]:
    """Yield what stands for each event: a value, or why it cannot be read."""
    if kind == "json":
        try:
            document = parse(text)
        except Unreadable as error:
            raise HTTPException(400, str(error)) from error
        events = document.get("events") if isinstance(document, dict) else None
        if not isinstance(events, list):
            raise HTTPException(400, 'send {"events": [...]}, or one event a line as application/x-ndjson')
        yield from events
        return
    for line in text.split("\n"):
        if line.strip():
            try:
                yield parse(line)
            except Unreadable as error:
                yield error
