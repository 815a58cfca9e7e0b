"""Questions: POST /v1/ask answers whole, POST /v1/ask/stream as server-sent events while it works."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from agent.errors import AgentError
from agent.events import Event, FactEvent, FinalEvent, Reply, StepEvent, TokenEvent
from api.callers import Caller
from api.errors import Problem, body, documented, of
from api.services import Services
from api.shapes import Asked
from api.sse import EVENT, ServerSentEvents, sse
from api.turns import Turn, unless_gone

_EVENTS = {
    200: {
        "description": "Events `step`, `fact`, `token`, at last `final` with the whole reply, or `error`",
        "content": {"text/event-stream": {"schema": EVENT}},
    }
}
_ERRORS = (400, 401, 403, 404, 408, 413, 422, 429, 503)


def ask_router(s: Services) -> APIRouter:
    """Return the two routes."""
    router = APIRouter(prefix="/v1", tags=["questions"], responses=documented(*_ERRORS))
    asker = s.callers.require("service", "merchandiser")

    @router.post("/ask", summary="Answer a question", response_model=Reply)
    async def ask(request: Request, asked: Asked, caller: Annotated[Caller, Depends(asker)]) -> Response:
        async with s.begin(caller, asked.question, asked.customer, asked.session, asked.role) as turn:
            reply = await unless_gone(request, final(turn))
        return JSONResponse(reply.to_dict())

    @router.post(
        "/ask/stream", summary="Answer a question, event by event", response_class=ServerSentEvents,
        response_model=None, responses=_EVENTS | documented(*_ERRORS, streamed=True),
    )  # fmt: skip
    async def stream(request: Request, asked: Asked, caller: Annotated[Caller, Depends(asker)]) -> Response:
        turn = s.begin(caller, asked.question, asked.customer, asked.session, asked.role)
        first = await opening(request, turn)
        return ServerSentEvents(_told(turn, first))

    return router


def _problem(error: Exception) -> Problem | None:
    """What is the caller's or the model server's; anything else that a turn raises is a fault of ours."""
    return of(error) if isinstance(error, AgentError | Problem) else None


async def final(turn: Turn) -> Reply:
    """Return the reply that a turn ends with. Raises Problem."""
    try:
        async for event in turn.all():
            if isinstance(event, FinalEvent):
                return event.reply
    except Exception as error:
        raise _problem(error) or error from error
    raise RuntimeError("a turn ended without a reply")


async def opening(request: Request, turn: Turn) -> Event:
    """Return a turn's first event, before an answer is begun: what is refused has a status of its own."""
    try:
        return await unless_gone(request, turn.next())
    except Exception as error:
        turn.withdraw()
        raise _problem(error) or error from error


async def events(turn: Turn, first: Event) -> AsyncIterator[Event | Problem]:
    """Yield a turn's events from the first on, at last a Problem where it broke off; a caller who leaves
    withdraws it."""
    async with turn:
        yield first
        try:
            async for event in turn.all():
                yield event
        except Exception as error:
            found = _problem(error)
            yield found or Problem(500, "a fault of ours; the server's log has it")
            if found is None:
                raise


async def _told(turn: Turn, first: Event) -> AsyncGenerator[bytes]:
    async for event in events(turn, first):
        name, data = _shown(event)
        yield sse(json.dumps(data, ensure_ascii=False), name)


def _shown(event: Event | Problem) -> tuple[str, dict[str, Any]]:
    match event:
        case StepEvent():
            return "step", asdict(event)
        case FactEvent():
            return "fact", asdict(event.citation)
        case TokenEvent():
            return "token", {"text": event.text}
        case FinalEvent():
            return "final", event.reply.to_dict()
        case Problem():
            return "error", body(event)
    raise TypeError(f"no event of a turn: {event!r}")
