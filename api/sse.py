"""Server-sent events: how they are written, and kept alive while the agent thinks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from fastapi.responses import StreamingResponse

ALIVE_SECONDS = 15.0
EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string", "description": "JSON, or [DONE]"}},
    "required": ["data"],
}
"""What the OpenAPI document says of one event."""


def sse(data: str, event: str | None = None) -> bytes:
    """Return one event; `data` is on one line, as JSON is."""
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {data}\n\n".encode("utf-8", "replace")


class ServerSentEvents(StreamingResponse):
    """A stream of events; a comment goes out while nothing is said, so that proxies do not hang up."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncGenerator[bytes], status_code: int = 200) -> None:
        super().__init__(
            _alive(content), status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )


async def _alive(content: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    following: asyncio.Future[bytes] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(content))
            done, _ = await asyncio.wait([following], timeout=ALIVE_SECONDS)
            if not done:
                yield b": still working\n\n"
                continue
            try:
                piece = following.result()
            except StopAsyncIteration:
                return
            following = None
            yield piece
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await content.aclose()
