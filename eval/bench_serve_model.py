"""A scripted model server with realistic delays, which knows how long it kept each customer's questions waiting."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

MODEL = "scripted"
_CUSTOMER = re.compile(r"(?:[Cc]ustomer |顾客)([A-Za-z]*\d+)|([A-Za-z]*\d+)号")


@dataclass
class Delays:
    """Seconds: until the first token (uniform between two), and for each token after it."""

    first: tuple[float, float] = (0.3, 0.9)
    token: float = 0.025


@dataclass
class ScriptedModel:
    """Answers what its caller's schema asks for. waited: seconds that each customer's prompts have taken."""

    delays: Delays = field(default_factory=Delays)
    waited: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: int = 0

    def app(self) -> Starlette:
        """Return it as an OpenAI-compatible application."""
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
            ]
        )

    async def _models(self, _: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def _complete(self, request: Request) -> StreamingResponse:
        begun = time.perf_counter()
        asked = await request.json()
        return StreamingResponse(self._pieces(asked, begun), media_type="text/event-stream")

    async def _pieces(self, asked: Mapping[str, Any], begun: float) -> AsyncIterator[str]:
        self.calls += 1
        prompt = " ".join(str(message.get("content")) for message in asked["messages"][1:])
        text = answer(asked)
        await asyncio.sleep(random.uniform(*self.delays.first))
        for word in re.findall(r".{1,16}", text, re.DOTALL):  # about four tokens
            await asyncio.sleep(4 * self.delays.token)
            yield _frame([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
        yield _frame([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        tokens = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        # What comes after this line is our own time again.
        for customer in customers_in(prompt):
            self.waited[customer] += time.perf_counter() - begun
        yield _frame([], usage=tokens | {"total_tokens": sum(tokens.values())}) + "data: [DONE]\n\n"


def customers_in(text: str) -> set[str]:
    """Return the customer numbers that a text names."""
    return {one or other for one, other in _CUSTOMER.findall(text)}


def answer(asked: Mapping[str, Any]) -> str:
    """Return the first thing that the schema of a request allows, the profile before others; a line of advice
    where it has none."""
    schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
    return (
        json.dumps(_instance(schema))
        if schema
        else "Greet them by name and ask how they liked the last order."
    )


def _instance(schema: Mapping[str, Any]) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        forms = schema["anyOf"]
        return _instance(next((f for f in forms if _tool(f) == "profile"), forms[0]))
    if schema.get("type") == "object":
        return {name: _instance(inner) for name, inner in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_instance(schema["items"])] * max(1, schema.get("minItems", 0))
    return {"integer": 1, "number": 1.0, "boolean": False}.get(str(schema.get("type")), "")


def _tool(form: Mapping[str, Any]) -> str:
    return form.get("properties", {}).get("tool", {}).get("const", "")


def _frame(choices: list[dict[str, Any]], **more: Any) -> str:
    frame = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": choices}
    return f"data: {json.dumps(frame | more)}\n\n"
