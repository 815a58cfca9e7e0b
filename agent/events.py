"""What a turn gives back: the typed events of a stream, and the reply that ends it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Language = Literal["en", "zh"]
Kind = Literal["answer", "clarify", "refuse", "handoff"]
Role = Literal["service", "merchandiser"]


@dataclass(frozen=True, slots=True)
class Step:
    """A tool that ran: its arguments, milliseconds, and how many facts it gave."""

    tool: str
    args: dict[str, Any]
    ms: float
    facts: int


@dataclass(frozen=True, slots=True)
class Citation:
    """Fact number `n` of the answer: the tool it came from, its sentence, and its bare value."""

    n: int
    tool: str
    fact: str
    value: Any


@dataclass(frozen=True, slots=True)
class Offer:
    """A recommended product with its reason in profile terms, in the asker's language."""

    product_id: str
    name: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """A human takes over: why, and what they should know."""

    reason: str
    brief: str


@dataclass(frozen=True, slots=True)
class Grounding:
    """Claims found in the answer's text, how many a cited fact supports, how many were dropped."""

    claims: int = 0
    supported: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """LLM calls and tokens of the turn; `cached_tokens` of the prompt were served from cache."""

    llm_calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answered question; `to_dict` is the object that `ask --json` prints."""

    answer: str
    language: Language
    kind: Kind
    steps: tuple[Step, ...] = ()
    citations: tuple[Citation, ...] = ()
    recommendations: tuple[Offer, ...] = ()
    handoff: Handoff | None = None
    grounding: Grounding = field(default_factory=Grounding)
    usage: Usage = field(default_factory=Usage)
    timings_ms: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, keys as DESIGN's contract has them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StepEvent:
    """The turn has begun to do something; `text` says what, in plain words for the asker.
    `step` is None while it runs and the finished step afterwards."""

    text: str
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class FactEvent:
    """A fact was found."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """The next piece of the answer's text (Markdown, data escaped)."""

    text: str


@dataclass(frozen=True, slots=True)
class FinalEvent:
    """The turn is over; `reply.answer` is authoritative over the tokens before it."""

    reply: Reply


Event = StepEvent | FactEvent | TokenEvent | FinalEvent
