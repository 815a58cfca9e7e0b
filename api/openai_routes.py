"""The OpenAI-compatible routes: /v1/models and /v1/chat/completions."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.events import Event, FinalEvent, Reply, TokenEvent, Usage
from api.ask_routes import events, final, opening
from api.callers import Caller
from api.errors import Problem, body, documented
from api.histories import Histories
from api.openai_shapes import (
    MODEL,
    Common,
    CustomerHeader,
    Messages,
    beside,
    known_model,
    models,
    now,
    said_in,
)
from api.services import Services, session_name
from api.sse import EVENT, ServerSentEvents, sse
from api.turns import Turn, unless_gone

_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}


class StreamOptions(BaseModel):
    """include_usage: a last piece tells the tokens."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = None


class ChatAsked(Common):
    """A conversation; the last thing that the user said is the question."""

    messages: Messages
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None


def openai_router(s: Services) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1", tags=["OpenAI"], responses=documented(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)
    )
    asker = s.callers.require("service", "merchandiser")
    histories = Histories()

    @router.get("/models", summary="The models that can be named")
    def listing(caller: Annotated[Caller, Depends(asker)]) -> dict[str, Any]:
        return {"object": "list", "data": [_model(name) for name in models(caller)]}

    @router.get("/models/{model}", summary="One model")
    def one(
        model: Annotated[str, Path(max_length=200)], caller: Annotated[Caller, Depends(asker)]
    ) -> dict[str, Any]:
        known_model(model, caller)
        return _model(model)

    @router.post(
        "/chat/completions", summary="Answer the last message of a conversation",
        response_model=dict[str, Any], responses=_STREAM,
    )  # fmt: skip
    async def chat(
        request: Request, asked: ChatAsked, caller: Annotated[Caller, Depends(asker)],
        header: CustomerHeader = None,
    ) -> Response:  # fmt: skip
        said, customer, role = said_in(asked.messages), asked.about(header), asked.role(caller)
        session = asked.session or histories.session(caller, customer, said[:-1])
        turn = s.begin(caller, said[-1][1], customer, session, role)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": now(), "model": asked.model}

        async def remember(answer: str) -> None:
            ended = histories.keep(caller, customer, [*said, ("assistant", answer)], session)
            for name in ended:
                await asyncio.to_thread(s.opened.get().forget, session_name(caller, customer, name))

        if asked.stream:
            first = await opening(request, turn)
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return ServerSentEvents(_chunks(turn, first, head, usage, remember))
        async with turn:
            reply = await unless_gone(request, final(turn))
        await remember(reply.answer)
        return JSONResponse(_completion(reply, head))

    return router


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": MODEL}


def _completion(reply: Reply, head: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.answer, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        **head, "object": "chat.completion", "choices": [choice], "usage": chat_usage(reply.usage), **beside(reply),
    }  # fmt: skip


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Return the tokens of all calls to the model that the answer took."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


async def pieces(turn: Turn, first: Event) -> AsyncIterator[str | Reply | Problem]:
    """Yield the answer's text piece by piece, at last the reply, or the Problem where it broke off."""
    sent = ""
    async for event in events(turn, first):
        if isinstance(event, TokenEvent):
            sent += event.text
            yield event.text
        elif isinstance(event, FinalEvent):
            if event.reply.answer.startswith(sent) and event.reply.answer != sent:
                yield event.reply.answer[len(sent) :]
            yield event.reply
        elif isinstance(event, Problem):
            yield event


async def _chunks(
    turn: Turn, first: Event, head: dict[str, Any], with_usage: bool, remember: Any
) -> AsyncGenerator[bytes]:
    def chunk(choices: Sequence[dict[str, Any]], **more: Any) -> bytes:
        told = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
        return sse(json.dumps(told, ensure_ascii=False))

    def choice(delta: dict[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]

    yield chunk(choice({"role": "assistant", "content": ""}))
    sent = ""
    async for piece in pieces(turn, first):
        if isinstance(piece, str):
            sent += piece
            yield chunk(choice({"content": piece}))
        elif isinstance(piece, Reply):
            await remember(sent)
            yield chunk(choice({}, "stop"), **beside(piece))
            if with_usage:
                yield chunk([], usage=chat_usage(piece.usage))
        else:
            yield sse(json.dumps(body(piece), ensure_ascii=False))
    yield sse("[DONE]")
