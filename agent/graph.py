"""The turn as a LangGraph graph: link → plan → act → answer → verify → reply, with early ends.

The state that the checkpointer keeps per session is the conversation's messages (the latest ones)
and the Memory; the Turn itself travels as runtime context and is never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent import conversation
from agent.events import FinalEvent
from agent.steps import Steps
from agent.turn import Turn

KEPT_MESSAGES = 40


def _latest(old: list[AnyMessage], new: list[AnyMessage]) -> list[AnyMessage]:
    return [*old, *new][-KEPT_MESSAGES:]


class SessionState(TypedDict, total=False):
    """What a session remembers."""

    messages: Annotated[list[AnyMessage], _latest]
    memory: conversation.Memory


def build_graph(steps: Steps, checkpointer: Any = None) -> Any:
    """Compile the turn's graph; without a checkpointer every turn stands alone."""
    graph = StateGraph(SessionState, context_schema=Turn)
    for name in ("link", "plan", "act", "answer", "verify"):
        graph.add_node(name, _node(getattr(steps, name)))
    graph.add_node("reply", _finish(steps))
    graph.add_edge(START, "link")
    graph.add_conditional_edges("link", _unless_ended("plan"), ["plan", "reply"])
    graph.add_conditional_edges("plan", _unless_ended("act"), ["act", "reply"])
    graph.add_edge("act", "answer")
    graph.add_edge("answer", "verify")
    graph.add_edge("verify", "reply")
    graph.add_edge("reply", END)
    return graph.compile(checkpointer=checkpointer)


def _node(step: Callable[[Turn], None]) -> Callable[..., SessionState]:
    def run(state: SessionState, runtime: Runtime[Turn]) -> SessionState:
        turn = runtime.context
        turn.emit = runtime.stream_writer
        turn.memory = state.get("memory", {})
        step(turn)
        return {}

    return run


def _unless_ended(following: str) -> Callable[..., str]:
    def choose(state: SessionState, runtime: Runtime[Turn]) -> str:
        return "reply" if runtime.context.fixed else following

    return choose


def _finish(steps: Steps) -> Callable[..., SessionState]:
    def run(state: SessionState, runtime: Runtime[Turn]) -> SessionState:
        turn = runtime.context
        turn.emit = runtime.stream_writer
        reply = steps.reply(turn)
        turn.emit(FinalEvent(reply))
        memory = conversation.remembered(
            turn.question if turn.subject.described else turn.links.text or turn.question,
            turn.language,
            turn.subject,
            turn.traces,
            state.get("memory", {}),
            turn.pending,
        )
        return {"messages": [HumanMessage(turn.question), AIMessage(reply.answer)], "memory": memory}

    return run
