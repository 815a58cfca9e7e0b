"""Request bodies: read within bounds of size and time, and understood as JSON or NDJSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import HTTPException
from starlette.requests import ClientDisconnect

JSON_TYPES = ("application/json",)
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class Unreadable(ValueError):
    """A text is no JSON that can be used."""


async def read_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """Return the body; 413 where it is larger than allowed, 408 where it does not come in time."""
    too_large = HTTPException(413, f"a request may hold {most_bytes:,} bytes; send several")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {seconds:g} seconds") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended before the body did") from error
    return bytes(body)


def content_type(request: Request) -> str:
    """Return "json" or "ndjson"; 415 for any other type, charset or encoding."""
    kind, *parameters = [part.strip() for part in request.headers.get("content-type", "").lower().split(";")]
    charsets = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset=")]
    encoded = request.headers.get("content-encoding", "identity").lower()
    if encoded not in ("", "identity") or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise HTTPException(415, "send UTF-8, not compressed")
    if kind in JSON_TYPES:
        return "json"
    if kind in NDJSON_TYPES:
        return "ndjson"
    raise HTTPException(415, "send Content-Type: application/json or application/x-ndjson")


def as_text(body: bytes) -> str:
    """Return the body as text; 400 where it is not UTF-8."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"the body is not UTF-8 (byte {error.start:,})") from error


def parse(text: str) -> Any:
    """Return what a JSON text says. Raises Unreadable where it is none, or too deep or too large a number."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise Unreadable("not JSON that can be used: nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
