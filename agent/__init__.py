"""The agent: link → plan → act → answer → verify, over one shop and one model server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.events import Event, FactEvent, FinalEvent, Reply, StepEvent, TokenEvent

if TYPE_CHECKING:
    from agent.core import Agent

__all__ = ["Agent", "Event", "FactEvent", "FinalEvent", "Reply", "StepEvent", "TokenEvent"]


def __getattr__(name: str) -> Any:
    """Load Agent, and with it LangGraph and the model's client, only where it is used."""
    if name == "Agent":
        from agent.core import Agent

        return Agent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
