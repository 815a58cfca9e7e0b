"""One shape for every error, which is the one that clients of the OpenAI API read:

{"error": {"message": one line, "type": kind, "code": null, "param": null, "allowed": what would be, or null}}
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException as FastHTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from agent.errors import AgentError, BadQuestion, Cancelled, LLMError
from customers.errors import BadInput, NotBuilt, Unknown

log = logging.getLogger("shopkeeper.api")
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_MENDED = 5


class ErrorDetail(BaseModel):
    """What is wrong, in one line that says how to mend it."""

    message: str
    type: str
    code: str | None = None
    param: str | None = None
    allowed: str | None = None


class ErrorAnswer(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class Problem(FastHTTPException):
    """An error with what clients may want to tell apart. `allowed`: what the caller may do instead."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        allowed: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.code, self.param, self.allowed = code, param, allowed


def of(error: Exception) -> Problem | None:
    """Return the problem that an error of a lower room is to a caller; None for a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotBuilt):
        return Problem(503, str(error), code="not_built", headers={"Retry-After": "60"})
    if isinstance(error, Unknown):
        return Problem(404, str(error), code="unknown")
    if isinstance(error, BadQuestion | BadInput):
        return Problem(422, str(error), code="bad_request")
    if isinstance(error, Cancelled):
        return Problem(499, "the caller has left", code="cancelled")
    if isinstance(error, LLMError | AgentError):
        return Problem(503, str(error), code="model_unavailable", headers={"Retry-After": "10"})
    return None


def body(problem: HTTPException) -> dict[str, Any]:
    """Return a problem as the JSON that every error has."""
    kind = _TYPES.get(
        problem.status_code, "server_error" if problem.status_code >= 500 else "invalid_request_error"
    )
    told = {name: getattr(problem, name, None) for name in ("code", "param", "allowed")}
    return {"error": {"message": " ".join(str(problem.detail).split()), "type": kind, **told}}


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the application in the one shape."""
    for kind in (HTTPException, RequestValidationError, BadInput, Unknown, AgentError, Exception):
        app.add_exception_handler(kind, _answer)


def answer(problem: HTTPException) -> JSONResponse:
    """Return a problem as a response."""
    return JSONResponse(body(problem), problem.status_code, headers=dict(problem.headers or {}))


async def _answer(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, HTTPException):
        return answer(_other_methods(request) if error.status_code == 405 else error)
    if isinstance(error, RequestValidationError):
        return answer(_invalid(error))
    found = of(error)
    if found is None:
        log.error("a fault of ours: %s", type(error).__name__)
        found = Problem(500, "a fault of ours; the server's log has it")
    return answer(found)


def _other_methods(request: Request) -> Problem:
    """Return the refusal of a method, with all that the address takes: several routes may share it."""
    here = [r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE]
    methods = ", ".join(sorted({m for route in here for m in getattr(route, "methods", None) or ()}))
    allowed = {"Allow": methods}
    return Problem(
        405, "this address does not take that method", code="method", allowed=methods, headers=allowed
    )


def _invalid(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem(400, f"the body is not JSON: {faults[0].get('ctx', {}).get('error', 'unreadable')}")
    told = []
    for fault in faults[:_MENDED]:
        where = ".".join(str(part) for part in fault["loc"] if part != "body")
        told.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}" if where else fault["msg"])
    first = ".".join(str(part) for part in faults[0]["loc"][1:]) if faults else ""
    return Problem(422, "; ".join(dict.fromkeys(told)), param=first or None)


def documented(*statuses: int, streamed: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of these errors, which are JSON where the answer is `streamed`, too."""
    words = {
        400: "The body cannot be read",
        401: "No key, or one that is not known",
        403: "The key's role does not allow this; `allowed` says what it does",
        404: "There is no such thing in this shop",
        409: "Something else has come under this name already",
        408: "The body came too slowly",
        413: "The body is too large",
        415: "The body is of a type that is not taken",
        422: "The request is not of the right shape, or cannot be served as it is",
        429: "Too many calls; come back after Retry-After seconds",
        503: "Cannot be served now; come back after Retry-After seconds",
    }
    shape: dict[str, Any] = {"model": ErrorAnswer}
    if streamed:
        shape = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}}
    return {status: {**shape, "description": words[status]} for status in statuses}
