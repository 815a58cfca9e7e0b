"""The application: a factory that puts the routers together, and the server around it."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.events import BODY_SECONDS, events_router
from api.health import health_router
from api.keys import require_key
from api.worker import Worker
from customers.errors import BadInput
from customers.ingest.inbox import Inbox
from customers.pipeline import STORE

CONNECTIONS = 200


def create_app(
    shop: Path,
    key: str,
    *,
    zone: ZoneInfo | None = None,
    apply_seconds: float | None = 1.0,
    body_seconds: float = BODY_SECONDS,
) -> FastAPI:
    """Return the application of one shop.

    `key` is what callers show. `zone` is the shop's; see `event_shape.event_fields`. `apply_seconds`
    None leaves accepted events in the inbox, for another process to store.
    """
    inbox = Inbox(shop, shop / STORE)
    worker = Worker(inbox, apply_seconds) if apply_seconds is not None else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shop.mkdir(parents=True, exist_ok=True)
        if worker is not None:
            worker.start()
        yield
        if worker is not None:
            worker.stop()

    app = FastAPI(title="Shopkeeper", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(HTTPException, _refuse)
    app.include_router(health_router(inbox, worker))
    app.include_router(events_router(inbox, zone, body_seconds), dependencies=[Depends(require_key(key))])
    return app


def _refuse(_: Request, error: Exception) -> JSONResponse:
    """An error as {"error": one line}."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=dict(error.headers or {}))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that holds the address. Raises BadInput where it is taken or is none of ours."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=CONNECTIONS
        )
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else str(error).partition(" (while")[0]
        raise BadInput(f"{host}:{port} cannot be listened at ({reason}); choose --port or --host") from error


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until the process is told to end; requests and the batch at hand are finished first."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])
