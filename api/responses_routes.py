"""POST /v1/responses: the OpenAI API's newer way to ask. `previous_response_id` goes on in the same conversation."""

import json
import re
import uuid
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from agent.events import Event, Reply, Usage
from api.ask_routes import final, opening
from api.callers import Caller
from api.errors import Problem, body, documented
from api.openai_routes import pieces
from api.openai_shapes import Common, CustomerHeader, Messages, Text, beside, now, said_in
from api.services import Services, plain_name
from api.shapes import Question
from api.sse import EVENT, ServerSentEvents, sse
from api.turns import Turn, unless_gone

_ID = re.compile(r"resp_([0-9a-f]{32})[0-9a-f]{32}")
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}


class ResponseAsked(Common):
    """A question, alone or as the last of some messages."""

    input: Question | Messages
    previous_response_id: Text | None = None

    def question(self) -> str:
        """Return the question. Raises Problem where there is none."""
        return self.input if isinstance(self.input, str) else said_in(self.input)[-1][1]

    def conversation(self) -> str:
        """Return the session that it goes on in: the previous response's id begins with it, so it needs no memory
        here, and another key's or another customer's session of that name is another one."""
        if self.previous_response_id is None:
            return plain_name(self.session) if self.session else uuid.uuid4().hex
        found = _ID.fullmatch(self.previous_response_id)
        if found is None:
            raise Problem(404, "there is no such previous response", param="previous_response_id")
        return found.group(1)


def responses_router(s: Services) -> APIRouter:
    """Return the route."""
    router = APIRouter(
        prefix="/v1", tags=["OpenAI"], responses=documented(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)
    )
    asker = s.callers.require("service", "merchandiser")

    @router.post(
        "/responses", summary="Answer a question", response_model=dict[str, Any],
        responses=_STREAM,
    )  # fmt: skip
    async def respond(
        request: Request, asked: ResponseAsked, caller: Annotated[Caller, Depends(asker)],
        header: CustomerHeader = None,
    ) -> Response:  # fmt: skip
        role, session = asked.role(caller), asked.conversation()
        turn = s.begin(caller, asked.question(), asked.about(header), session, role)
        response = _Response(asked, session)
        if asked.stream:
            return ServerSentEvents(_events(turn, await opening(request, turn), response))
        async with turn:
            reply = await unless_gone(request, final(turn))
        return JSONResponse(response.done(reply))

    return router


class _Response:
    """A response under way: its parts as the API names them."""

    def __init__(self, asked: ResponseAsked, session: str) -> None:
        self.message_id = f"msg_{uuid.uuid4().hex}"
        self.head: dict[str, Any] = {
            "id": f"resp_{session}{uuid.uuid4().hex}", "object": "response", "created_at": now(), "model": asked.model,
            "previous_response_id": asked.previous_response_id, "metadata": asked.metadata or {},
            "parallel_tool_calls": False, "tool_choice": "none", "tools": [], "error": None,
            "incomplete_details": None, "instructions": None, "temperature": None, "top_p": None,
        }  # fmt: skip

    def part(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def message(self, text: str | None) -> dict[str, Any]:
        content = [self.part(text)] if text is not None else []
        status = "completed" if text is not None else "in_progress"
        return {
            "type": "message",
            "id": self.message_id,
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def begun(self) -> dict[str, Any]:
        return {**self.head, "status": "in_progress", "output": [], "usage": None}

    def done(self, reply: Reply, text: str | None = None) -> dict[str, Any]:
        output = [self.message(reply.answer if text is None else text)]
        return {
            **self.head, "status": "completed", "completed_at": now(), "output": output,
            "usage": _usage(reply.usage), **beside(reply),
        }  # fmt: skip

    def failed(self, problem: Problem) -> dict[str, Any]:
        told = {"code": "server_error", "message": body(problem)["error"]["message"]}
        return {**self.head, "status": "failed", "output": [], "usage": None, "error": told}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


async def _events(turn: Turn, first: Event, response: _Response) -> AsyncGenerator[bytes]:
    number = -1

    def event(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        told = {"type": f"response.{kind}", "sequence_number": number, **more}
        return sse(json.dumps(told, ensure_ascii=False), told["type"])

    inside = {"item_id": response.message_id, "output_index": 0, "content_index": 0}
    yield event("created", response=response.begun())
    yield event("in_progress", response=response.begun())
    yield event("output_item.added", output_index=0, item=response.message(None))
    yield event("content_part.added", **inside, part=response.part(""))
    sent = ""
    async for piece in pieces(turn, first):
        if isinstance(piece, str):
            sent += piece
            yield event("output_text.delta", **inside, delta=piece, logprobs=[])
        elif isinstance(piece, Reply):
            yield event("output_text.done", **inside, text=sent, logprobs=[])
            yield event("content_part.done", **inside, part=response.part(sent))
            yield event("output_item.done", output_index=0, item=response.message(sent))
            yield event("completed", response=response.done(piece, sent))
        else:
            yield event("failed", response=response.failed(piece))
