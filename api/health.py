"""GET /health (the process runs) and GET /ready (it can take events, store them, and answer)."""

from __future__ import annotations

import os

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.opened import OpenedAgent, State
from api.worker import Worker
from customers.ingest.inbox import Inbox


class Health(BaseModel):
    """The process runs."""

    status: str


class Ready(BaseModel):
    """Whether calls can be served: `pending` batches of events wait to be stored; `agent` is how far the agent
    is, `none` where this process answers no questions."""

    ready: bool
    pending: int
    agent: State


def health_router(inbox: Inbox, worker: Worker | None, opened: OpenedAgent) -> APIRouter:
    """Return the two routes; neither asks for a key, neither tells of the shop's data."""
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="The process runs", response_model=Health)
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/ready", summary="Calls can be served", response_model=Ready,
        responses={503: {"model": Ready, "description": "Not yet, or not now"}},
    )  # fmt: skip
    def ready() -> JSONResponse:
        writable = os.access(inbox.folder if inbox.folder.exists() else inbox.shop, os.W_OK)
        stored = worker is None or (worker.is_alive() and worker.trouble is None)
        answers = opened.state in ("none", "open")
        if opened.state == "failed":
            opened.retry()
        state = {
            "ready": writable and stored and answers,
            "pending": len(inbox.pending()),
            "agent": opened.state,
        }
        return JSONResponse(state, 200 if state["ready"] else 503)

    return router
