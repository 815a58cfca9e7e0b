"""What one turn leaves to the next, in plain JSON."""

from __future__ import annotations

from typing import Any, TypedDict


class Memory(TypedDict, total=False):
    """What was talked about; every value is plain JSON."""

    question: str
    language: str
    customers: list[str]
    things: dict[str, list[str]]
    found: dict[str, list[str]]
    group: list[str]  # all customers that the last list of them came from
    calls: list[dict[str, Any]]
    offered: dict[str, list[str]]  # customer -> products offered in this session
    pending: dict[str, Any] | None
