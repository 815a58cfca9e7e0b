"""The application: a factory that puts the routers together, and the server around it."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import Route

from agent import Agent
from api import errors
from api.access import AccessTrace, Traced
from api.ask_routes import ask_router
from api.bounds import Bounds, Limits
from api.callers import Callers
from api.customer_routes import customer_router
from api.docs_page import docs_router
from api.erased import Erased
from api.events import BODY_SECONDS, events_router
from api.feedback_routes import feedback_router
from api.group_routes import group_router
from api.health import health_router
from api.key_store import KEYS_FILE, KeyStore
from api.mcp_server import McpOverHttp
from api.offer_routes import offer_router
from api.openai_routes import openai_router
from api.opened import OpenedAgent
from api.responses_routes import responses_router
from api.services import Services
from api.turns import Turns
from api.worker import Worker
from customers.errors import BadInput
from customers.ingest.inbox import Inbox
from customers.pipeline import STORE
from customers.stores.feedback import FEEDBACK_FILE, FeedbackStore

CONNECTIONS = 1000
ABOUT = (
    "Knows a shop's customers. Every call shows a key (Authorization: Bearer KEY); its role decides what it may see."
    " Every error is one JSON object that says how to mend it."
)


def open_services(
    shop: Path, key: str, opener: Callable[[], Agent] | None = None, *,
    user_secret: str | None = None, turns: Turns | None = None,
) -> Services:  # fmt: skip
    """Return what the routers of one shop work with. Nothing is opened yet but files as they are needed."""
    opened = OpenedAgent(opener)
    return Services(
        shop_dir=shop,
        callers=Callers(key, KeyStore(shop / KEYS_FILE), user_secret),
        opened=opened,
        turns=turns or Turns(),
        feedback=FeedbackStore(shop / FEEDBACK_FILE),
        erased=Erased(shop, opened.version),
        secret=hashlib.sha256(b"tokens:" + key.encode()).digest(),
    )


def create_app(
    shop: Path,
    key: str,
    *,
    opener: Callable[[], Agent] | None = None,
    zone: ZoneInfo | None = None,
    apply_seconds: float | None = 1.0,
    body_seconds: float = BODY_SECONDS,
    user_secret: str | None = None,
    turns: Turns | None = None,
    limits: Limits | None = None,
    routers: Callable[[Services], list[APIRouter]] = lambda _: [],
) -> FastAPI:
    """Return the application of one shop.

    `key` is the shop's own; further keys stand in the shop's folder. `opener` opens the agent, in the background;
    without one only events are taken. `zone` is the shop's; see `event_shape.event_fields`. `apply_seconds` None
    leaves accepted events in the inbox, for another process to store. `user_secret` is Open WebUI's; see
    `callers`. `routers` gives further routes.
    """
    inbox = Inbox(shop, shop / STORE)
    worker = Worker(inbox, apply_seconds) if apply_seconds is not None else None
    s = open_services(shop, key, opener, user_secret=user_secret, turns=turns)
    mcp = McpOverHttp(s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shop.mkdir(parents=True, exist_ok=True)
        s.opened.start()
        if worker is not None:
            worker.start()
        async with mcp.run():
            yield
        s.turns.close()
        s.opened.close()
        if worker is not None:
            worker.stop()

    app = FastAPI(
        title="Shopkeeper", version=version("shopkeeper"), description=ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.services = s
    errors.add_handlers(app)
    pushing = Depends(s.callers.require("push"))
    app.include_router(health_router(inbox, worker, s.opened))
    app.include_router(docs_router())
    app.include_router(events_router(inbox, zone, body_seconds), dependencies=[pushing])
    for router in (
        ask_router,
        customer_router,
        offer_router,
        group_router,
        feedback_router,
        openai_router,
        responses_router,
    ):
        app.include_router(router(s))
    for further in routers(s):
        app.include_router(further)
    app.router.routes.append(Route("/mcp", endpoint=mcp, methods=["GET", "POST", "DELETE"]))
    app.add_middleware(
        Bounds, limits=limits or Limits(body_seconds=body_seconds), own=("/v1/events",)
    )  # fmt: skip
    app.add_middleware(Traced, trace=AccessTrace(shop))
    return app


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
