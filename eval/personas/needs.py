"""What a persona is: whom it plays, what it needs, how each need comes out, and what a dialogue leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from eval.figures import Unit

if TYPE_CHECKING:
    from eval.personas.facts import Facts

Reply = Mapping[str, Any]
"""A `Reply.to_dict()` of the agent."""
GoalKind = Literal["offers", "figure", "ranking", "audience", "refusal", "unchanged"]
ADULT = r"TOBACCO|CIGAR|\bBEERS?\b|\bWINES?\b|LIQUOR|SPIRITS"
"""Categories and departments for adults: not to be offered to a customer who never bought from any."""


class Reveal(StrEnum):
    """How a need comes out."""

    VOLUNTEERED = "volunteered"
    """Said at once."""
    ON_ASKING = "on asking"
    """Said when the assistant asks for it, or when its answer misses the point."""
    HIDDEN = "hidden"
    """Never said; shown only by what is accepted and declined."""


class About(StrEnum):
    """What a need is about, and what its value is."""

    CUSTOMER = "customer"  # an id
    CATEGORY = "category"  # a key of the raw data
    VAGUE = "vague"  # (English, Chinese) words that may mean several categories
    COUNT = "count"  # how many products, customers or ranks
    NEW = "new"  # True: never bought before by the customer
    AVOID = "avoid"  # the key of a category that is not wanted
    BUDGET = "budget"  # the highest usual price of one product
    PERIOD = "period"  # "2017-03"
    GROUP = "group"  # "age=45-54"
    CAMPAIGN = "campaign"  # an id
    BUYERS = "buyers"  # the key of a category that every member has bought
    REGULAR = "regular"  # the fewest trips that a member has made
    NOTE = "note"  # (English, Chinese) words to be noted


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that the persona needs."""

    about: About
    value: Any
    reveal: Reveal = Reveal.VOLUNTEERED


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that the answer has to state, computed from the raw data."""

    name: str
    value: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to be done in the dialogue. task: the name of its wording. figures: what a "figure" goal
    has to be told. keys: categories in the order that a "ranking" goal has to be told."""

    kind: GoalKind
    task: str
    needs: tuple[Need, ...]
    figures: tuple[Figure, ...] = ()
    keys: tuple[str, ...] = ()

    def need(self, about: About) -> Need | None:
        """Return the need about something, None where there is none."""
        return next((need for need in self.needs if need.about is about), None)

    def value(self, about: About, default: Any = None) -> Any:
        """Return the value of the need about something."""
        need = self.need(about)
        return default if need is None else need.value


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated user. at_hand: the customer picked on the page, to be given to the agent beside the
    question; None where nobody is picked. customer: whom the persona means, None for the whole shop."""

    id: str
    pair: str
    name: str
    language: Literal["en", "zh"]
    role: Literal["service", "merchandiser"]
    at_hand: str | None
    customer: str | None
    goals: tuple[Goal, ...]
    seed: int
    facts: Facts = field(repr=False, compare=False)

    def needs(self, reveal: Reveal) -> tuple[Need, ...]:
        """Return the needs of all goals that come out in this way."""
        return tuple(need for goal in self.goals for need in goal.needs if need.reveal is reveal)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the persona said, what came back, which needs the persona has put in words so far, and seconds."""

    said: str
    reply: Reply
    revealed: tuple[About, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A finished dialogue. why: what was wrong, in words; empty where it succeeded. aspects: what was checked.
    final: the products accepted at the end, or the customers of the audience. tokens: of prompt and completion."""

    persona: str
    trial: int
    turns: tuple[Turn, ...]
    success: bool
    why: tuple[str, ...]
    aspects: Mapping[str, bool]
    final: tuple[str, ...]
    seconds: float
    tokens: int
