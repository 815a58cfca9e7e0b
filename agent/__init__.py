"""The agent: link → plan → act → answer → verify, over one shop and one model server."""

from agent.core import Agent
from agent.events import Event, FactEvent, FinalEvent, Reply, StepEvent, TokenEvent

__all__ = ["Agent", "Event", "FactEvent", "FinalEvent", "Reply", "StepEvent", "TokenEvent"]
