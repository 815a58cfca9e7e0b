"""Reading foreign JSON: what is missing or of another type is empty, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST = 20_000


def at(document: Any, *path: str) -> Any:
    """Return what stands at a path of keys; None where there is nothing."""
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def text(document: Any, *path: str) -> str:
    """Return a text or a number at a path as text without signs that no text may hold; "" for all else."""
    value = at(document, *path)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    said = str(value).replace("\x00", "")[:_MOST]
    return said.encode("utf-8", "ignore").decode()  # halves of surrogate pairs go


def whole(document: Any, *path: str) -> int:
    """Return a whole number at a path, also where it is written as text; 0 for all else."""
    value = text(document, *path)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def items(document: Any, *path: str) -> list[Any]:
    """Return the list at a path; [] where there is none."""
    value = at(document, *path)
    return value if isinstance(value, list) else []
