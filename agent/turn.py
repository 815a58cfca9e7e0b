"""One question while it is answered, and what the steps that answer it work with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent import answer, policy
from agent.events import Event, Handoff, Kind, Language, Role, Usage
from agent.lexicon import Lexicon
from agent.link import Linker, Links
from agent.llm import LLM
from agent.memory import Memory
from agent.plan import Planner
from agent.prompts import Prompts
from agent.prose import Written
from agent.subject import Call, Subject
from customers.knowledge import KnowledgeBase
from customers.shop import Shop
from customers.values import Name
from tools.base import Trace
from tools.scope import Scope

Emit = Callable[[Event], None]


@dataclass(slots=True)
class Turn:
    """Everything about one question while it is answered; never stored."""

    question: str
    role: Role
    customer: str | None
    emit: Emit
    cancel: threading.Event
    memory: Memory
    session: str = ""
    """The session that the next question can follow in, "" where there is none."""
    scope: Scope | None = None
    """What the asker may see, where that is limited."""
    language: Language = "en"
    links: Links = field(default_factory=lambda: Links(""))
    subject: Subject = field(default_factory=lambda: Subject(Links(""), [], []))
    worded: list[dict[str, Any]] = field(default_factory=list)
    """The calls that the wording alone asks for (see `agent.worded`)."""
    calls: list[Call] = field(default_factory=list)
    confirmed: bool = False
    """The asker has agreed to the calls' changes."""
    traces: list[Trace] = field(default_factory=list)
    draft: answer.Draft = field(default_factory=answer.Draft)
    written: Written | None = None
    """The answer in the model's own words, verified."""
    advice: str = ""
    kind: Kind = "answer"
    fixed: str = ""
    """A fixed reply that ends the turn early."""
    pending: dict[str, Any] | None = None
    handoff: Handoff | None = None
    dropped: int = 0
    leaning: policy.Policy | None = None
    """The policy that the wording speaks for, where a tuned planner has the say."""
    unserved: bool = False
    """The model server gave nothing that could be used, so the plan is what the examples speak for."""
    usage: Usage = field(default_factory=Usage)
    timings: dict[str, float] = field(default_factory=dict)

    def end(self, kind: Kind, text: str, pending: dict[str, Any] | None = None) -> None:
        """Answer with a fixed reply and skip what is left of the turn."""
        self.kind, self.fixed, self.pending = kind, text, pending

    def spend(self, usage: Usage) -> None:
        """Add what a call to the model cost."""
        self.usage = Usage(
            self.usage.llm_calls + usage.llm_calls,
            self.usage.prompt_tokens + usage.prompt_tokens,
            self.usage.cached_tokens + usage.cached_tokens,
            self.usage.completion_tokens + usage.completion_tokens,
        )

    def words(self, text: Mapping[str, str] | Name) -> str:
        """Return a text in the turn's language."""
        return text[self.language]


@dataclass(frozen=True, slots=True)
class Services:
    """What the steps work with: one shop's data and names, the planner and the model."""

    shop: Shop
    lexicon: Lexicon
    linker: Linker
    planner: Planner
    prompts: Prompts
    llm: LLM | None
    knowledge: Callable[[], KnowledgeBase | None] = lambda: None
    """What the shop knows of its customers' questions, where that is at hand."""
    prose: bool = False
    """Whether the model answers in its own words over the facts."""

    def say(self, turn: Turn, name: str, **variables: str) -> str:
        """Return a fixed reply of prompts/replies.yaml in the turn's language."""
        return self.prompts.reply(name, turn.language, **variables)
