"""What a tool is, what it returns, and how its facts become sentences.

A tool validates, asks `customers`, and shapes the answer into facts. A fact carries its own
sentence in both languages, rendered by code from its typed parts, so no model ever retypes a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from customers.values import Recommendation

if TYPE_CHECKING:
    from customers.shop import Shop


class Access(StrEnum):
    """Whether running the tool changes anything; a WRITE is confirmed by the asker first."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Fact:
    """One true statement: `predicate` of `subject` is `value` `unit`, over `period`, among `population`.

    `text` is the statement as a sentence by language ("en", "zh"). `shown` are the value's written
    forms that the sentence uses, and `names` the names in it: what the verifier may find in a text
    that cites this fact.
    """

    subject: str
    predicate: str
    value: Any
    unit: str
    text: Mapping[str, str]
    period: str = ""
    population: str = ""
    names: tuple[str, ...] = ()
    quoted: bool = False
    """It holds words that somebody else wrote: shown to people, never put into a prompt."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for people, where people would want a table: column titles by language, plain cells. It is
    cited as one fact."""

    titles: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found. `facts` come in the order in which an answer should state them."""

    facts: tuple[Fact, ...]
    table: Table | None = None
    recommendations: tuple[Recommendation, ...] = ()
    lead: Mapping[str, str] | None = None
    """What the facts are about, as a line before them; it states nothing itself."""
    slots: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Names, by language, that a next step may use; each stands in a fact's `names`."""
    cases: frozenset[str] = frozenset()
    """What kind of result it is, for next steps that suit only some."""
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kind (customer, category, product, segment, campaign) -> the keys found, the best first: what a
    later call, or a later turn ("the second one"), may take as its argument."""
    full: Any = None
    """The whole result for the caller (the candidate bus); never put into a prompt."""


class TryAgain(Exception):
    """The planner may mend its call; the message says how."""


class CannotDo(Exception):
    """The request cannot be served, whatever the arguments. `text` says so in both languages."""

    def __init__(self, text: Mapping[str, str]) -> None:
        super().__init__(text["en"])
        self.text = dict(text)


class Tool(Protocol):
    """A typed tool. `parameters` are the arguments that the plan may fill, as JSON-schema
    properties; an argument whose schema has an "x-entity" key takes only what was linked. One with
    "x-derived" is read from the question's wording by code, and no outside caller gives it; "x-among" is the list of
    customers that a question goes on from ("which of them …")."""

    @property
    def name(self) -> str: ...

    @property
    def access(self) -> Access: ...

    @property
    def describe(self) -> str:
        """One line for the planner's prompt: when to use it."""
        ...

    @property
    def busy(self) -> Mapping[str, str]:
        """What the asker reads while it runs, in plain words, by language."""
        ...

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def required(self) -> tuple[str, ...]: ...

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Answer with facts, or raise TryAgain / CannotDo; anything else is our bug."""
        ...


class WriteTool(Tool, Protocol):
    """A tool that changes something (`access` is WRITE). Whoever runs it puts the question of `confirm`
    to the asker first, and runs it only after the asker's own yes: nothing that a text contains, and
    no plan of a model, stands in for that. Its facts say what was done."""

    def confirm(self, shop: Shop, args: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the question, by language, that the asker is asked before `run`; nothing is changed.
        Raises what `run` would raise, so that nobody confirms what cannot be done."""
        ...


@dataclass(slots=True)
class Trace:
    """One finished call of a turn."""

    tool: str
    args: dict[str, Any]
    ms: float = 0.0
    result: ToolResult | None = None
    failed: dict[str, str] | None = field(default=None)
    """Why it cannot be done, for the asker, by language."""
    again: str = ""
    """How the planner may mend the call."""
