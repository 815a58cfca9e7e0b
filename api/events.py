"""POST /v1/events: events pushed by tills, web shops and desks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.bodies import Unreadable, as_text, content_type, parse, read_body
from api.errors import ErrorDetail, Problem, body, documented
from api.event_shape import Event, Rejected, event_fields
from customers.errors import BadInput
from customers.ingest.inbox import Inbox

MOST_BYTES = 5_000_000
BODY_SECONDS = 30.0
MOST_BACKLOG = 500_000_000
RETRY_SECONDS = 30


def _event_schema() -> dict[str, Any]:
    """An event as the OpenAPI document has it, on its own."""
    schema = Event.model_json_schema()
    kinds = schema.pop("$defs")["EventKind"]
    schema["properties"]["kind"] = kinds
    return schema


_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"events": {"type": "array", "items": _event_schema()}},
                "required": ["events"],
            }
        },
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


class Refusal(BaseModel):
    """An event that was not taken: its place in what was sent, and why."""

    index: int
    reason: str


class Pushed(BaseModel):
    """How many events are on disk now, and which were not taken."""

    accepted: int
    rejected: list[Refusal]


class NonePushed(Pushed):
    """Nothing that was sent could be used."""

    error: ErrorDetail


def events_router(inbox: Inbox, zone: ZoneInfo | None, body_seconds: float = BODY_SECONDS) -> APIRouter:
    """Return the route that accepts events into `inbox`."""
    router = APIRouter(tags=["events"], responses=documented(400, 401, 403, 408, 413, 415, 429, 503))

    @router.post(
        "/v1/events", status_code=202, summary="Take events", response_model=Pushed,
        responses={422: {"model": NonePushed, "description": "None of the events could be used"}},
        openapi_extra={"requestBody": _BODY},
    )  # fmt: skip
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
    told: dict[str, Any] = {"accepted": len(accepted), "rejected": rejected}
    if rejected and not accepted:
        refusal = Problem(422, f"none of the events could be used; the first: {rejected[0]['reason']}")
        return JSONResponse(told | body(refusal), 422)
    return JSONResponse(told, 202)


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
