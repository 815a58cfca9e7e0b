"""What a turn is about, and the calls that a plan is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.links import Links

PSEUDO = ("clarify", "chat", "refuse", "handoff")
"""What a plan may hold that is no tool."""
ENTITIES = ("customer", "category", "product", "segment", "campaign")
MAX_CALLS = 4
MAX_EACH = 5
"""How many keys at most a call is run for, each."""


@dataclass(frozen=True, slots=True)
class Call:
    """One planned tool call with all its arguments bound."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """An argument that an earlier call of the plan gives: the first `n` keys of a kind that call number
    `call` finds."""

    call: int
    kind: str
    n: int


@dataclass(frozen=True, slots=True)
class Described:
    """A thing that the question describes instead of naming it ("our three best customers"): the call
    that finds it, and how many are meant. An argument of the call may in turn be a described kind."""

    kind: str
    call: Call
    n: int
    needs: tuple[str, ...] = ()
    """Kinds whose described thing the call takes as an argument."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the turn is about after memory was merged into the links."""

    links: Links
    customers: list[str]
    categories: list[str]
    derived: list[str] = field(default_factory=list)
    """Categories that only stand in for a named product type, for tools that take no type."""
    at_hand: bool = False
    """The customer was neither named nor pointed to, but is the one that the asker has picked."""
    described: Mapping[str, Described] = field(default_factory=dict)
    """By kind, what another call is to find."""
    asked: list[str] = field(default_factory=list)
    """The categories that the question itself is about, where others only stand in what leads to it ("she loves
    baking. Any flour for her?"); [] where it is about all of them."""
    group: list[str] = field(default_factory=list)
    """All customers that the last answer found, where the question goes on from them ("which of them …")."""

    def has(self, kind: str) -> bool:
        """Whether a thing of this kind was named or described."""
        return bool(self.keys(kind)) or kind in self.described

    def keys(self, kind: str) -> list[str]:
        """Return the keys that an argument of this kind may take."""
        if kind == "customer":
            return self.customers
        return (
            (self.asked or self.categories or self.derived) if kind == "category" else self.links.keys(kind)
        )
