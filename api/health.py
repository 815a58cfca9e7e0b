"""GET /health (the process runs) and GET /ready (it can take events and store them)."""

from __future__ import annotations

import os

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.worker import Worker
from customers.ingest.inbox import Inbox


def health_router(inbox: Inbox, worker: Worker | None) -> APIRouter:
    """Return the two routes; neither asks for a key, neither tells of the shop's data."""
    router = APIRouter()

    @router.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready")
    def ready() -> JSONResponse:
        writable = os.access(inbox.folder if inbox.folder.exists() else inbox.shop, os.W_OK)
        stored = worker is None or (worker.is_alive() and worker.trouble is None)
        state = {"ready": writable and stored, "pending": len(inbox.pending())}
        return JSONResponse(state, 200 if state["ready"] else 503)

    return router
