"""POST /desks/NAME: a desk's webhooks, acknowledged once they are on disk; GET /desks: how the queue stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse

from api.bodies import Unreadable as NoJson
from api.bodies import as_text, parse, read_body
from api.desk.base import Challenge, DeskEvent
from api.desk.courier import Courier
from api.desk.delivery import Desk
from api.desk.errors import DeskBusy, DeskRefused, Unreadable, Unsigned
from api.desk.queue import DeskQueue
from customers.errors import BadInput

MOST_BYTES = 1_000_000
BODY_SECONDS = 4.0  # a desk waits three to five seconds for the acknowledgement
MOST_WAITING = 10_000
RETRY_SECONDS = 10
_NOTE_SECONDS = 10.0


def desk_router(desks: Mapping[str, Desk], queue: DeskQueue, courier: Courier | None) -> APIRouter:
    """Return the routes; with them the courier starts and ends. courier None leaves events in the queue."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(queue.open)
        await asyncio.to_thread(queue.prune)
        if courier is not None:
            courier.start()
        yield
        if courier is not None:
            await asyncio.to_thread(courier.stop)
        for desk in desks.values():
            desk.adapter.close()
        queue.close()

    router = APIRouter(lifespan=lifespan, tags=["desks"])
    reception = _Reception(desks, queue, courier)

    @router.get("/desks", summary="How each desk's queue stands")
    def health() -> dict[str, dict[str, Any]]:
        return {name: asdict(queue.health(name)) for name in desks}

    @router.post("/desks/{name}", summary="A desk's webhook, signed by the desk")
    async def webhook(name: str, request: Request) -> JSONResponse:
        return await reception.receive(name, request)

    return router


class _Reception:
    """Takes webhooks in: signed, understood, and on disk before they are acknowledged."""

    def __init__(self, desks: Mapping[str, Desk], queue: DeskQueue, courier: Courier | None) -> None:
        self._desks, self._queue, self._courier = desks, queue, courier
        self._noted: dict[str, float] = {}

    async def receive(self, name: str, request: Request) -> JSONResponse:
        desk = self._desks.get(name)
        if desk is None:
            raise HTTPException(404, f"there is no desk {name[:40]!r} here: see the desks' file")
        body = await read_body(request, MOST_BYTES, BODY_SECONDS)
        try:
            desk.adapter.verify(request.headers, body, time.time())
        except Unsigned as error:
            await self._note(name, str(error))
            raise HTTPException(401, str(error)) from error
        try:
            document = parse(as_text(body))
            if not isinstance(document, dict):
                raise Unreadable("the body is no JSON object")
            # An adapter may have to ask its desk who it is, so this leaves the event loop.
            found = await asyncio.to_thread(desk.adapter.read, request.headers, document)
            return await asyncio.to_thread(self._keep, name, found)
        except (NoJson, Unreadable) as error:
            raise HTTPException(400, str(error)) from error
        except DeskRefused as error:
            raise HTTPException(502, str(error)) from error
        except (DeskBusy, BadInput) as error:
            raise HTTPException(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)}) from error

    def _keep(self, name: str, found: DeskEvent | Challenge | None) -> JSONResponse:
        if isinstance(found, Challenge):
            return JSONResponse(found.answer)
        if found is None:
            return JSONResponse({"status": "ignored"})
        if self._queue.health().waiting >= MOST_WAITING:
            raise HTTPException(
                429,
                "more messages wait than can be answered now",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        wait = self._courier.settle if self._courier is not None else 0.0
        new = self._queue.accept(name, [found], wait)
        if new and self._courier is not None:
            self._courier.wake()
        return JSONResponse({"status": "queued" if new else "duplicate"})

    async def _note(self, name: str, reason: str) -> None:
        """Keep that a webhook was refused; not each, since anybody can send one."""
        now = time.monotonic()
        if now - self._noted.get(name, -_NOTE_SECONDS) >= _NOTE_SECONDS:
            self._noted[name] = now
            await asyncio.to_thread(self._queue.refused, name, reason)
