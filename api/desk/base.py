"""The contract between a customer-service desk and the agent: one adapter a desk, one way through.

A desk's webhook is verified and read into a `DeskEvent` (`Adapter.read`), which the queue keeps. The courier
then looks at the conversation as the desk shows it (`Adapter.look`), asks the agent, and posts what is not
there yet (`Adapter.send`). Each posted message carries the key of the message that it answers, so that after
a crash the conversation itself says what was already posted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

MOST_AGE = 300.0
"""Seconds after which a signed webhook is refused, so that a recorded one cannot be played again."""

Kind = Literal["message", "nudge", "staff", "returned", "resolved", "rated"]
"""message: a customer wrote. nudge: something new is in the conversation; look. staff: a colleague wrote.
returned: a colleague gave the conversation back. resolved: it is closed. rated: the customer rated it."""

PartKind = Literal["reply", "note"]
Side = Literal["customer", "staff", "bot"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Who writes, in the desk's words. verified: the desk vouches that they are who they say."""

    id: str
    identifier: str = ""
    attribute: str = ""
    email: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """One thing that happened in a conversation.

    key: the same for each delivery of the same event. order: an integer that rises with time within a
    conversation. score: a rating from 0 (bad) to 1 (good).
    """

    key: str
    conversation: str
    kind: Kind
    order: int = 0
    text: str = ""
    contact: Contact | None = None
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> DeskEvent:
        contact = given.get("contact")
        return cls(**{**given, "contact": Contact(**contact) if contact else None})


@dataclass(frozen=True, slots=True)
class Challenge:
    """The desk wants to know whether this address is ours; `answer` is the body to give back."""

    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A message to post: to the customer ("reply") or for colleagues only ("note").

    answers: the key of the event that it answers.
    """

    kind: PartKind
    text: str
    answers: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that stands in the conversation. answers: the event's key, where we posted it."""

    key: str
    order: int
    side: Side
    text: str = ""
    private: bool = False
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A conversation as the desk shows it now: whose turn it is, and its latest messages, oldest first."""

    bots_turn: bool
    messages: tuple[Posted, ...] = ()

    def parts(self, key: str) -> set[PartKind]:
        """Return what was already posted in answer to an event."""
        return {
            "note" if m.private else "reply" for m in self.messages if m.side == "bot" and m.answers == key
        }

    def colleague_after(self, order: int) -> bool:
        """Return whether a colleague has written to the customer since."""
        return any(m.side == "staff" and not m.private and m.order > order for m in self.messages)

    def unanswered(self, before: int, after: int) -> list[Posted]:
        """Return the customer's messages that nobody has answered, older than `before`, newer than `after`."""
        answers = [
            m.order for m in self.messages if m.side != "customer" and not m.private and m.order < before
        ]
        since = max([after, *answers])
        return [m for m in self.messages if m.side == "customer" and since < m.order < before]


class Adapter(Protocol):
    """One desk. Methods that talk to the desk raise DeskBusy (try again) or DeskRefused (do not)."""

    name: str
    keeps_turn: bool
    """Whether the desk itself keeps whose turn it is; where not, the queue does."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raise Unsigned where the webhook is not the desk's, or is older than `MOST_AGE`."""
        ...

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        """Return the headers with which the desk would send a body, to try our own door with."""
        ...

    def read(self, headers: Mapping[str, str], document: Mapping[str, Any]) -> DeskEvent | Challenge | None:
        """Return what a webhook tells; None for what is no concern of ours. Raises Unreadable."""
        ...

    def look(self, conversation: str) -> Look:
        """Return the conversation as it is now."""
        ...

    def bots_turn(self, conversation: str) -> bool:
        """Return whether the conversation is the bot's now."""
        ...

    def who(self, event: DeskEvent) -> Contact | None:
        """Return who wrote, asking the desk where the event does not say."""
        ...

    def send(self, conversation: str, part: Part) -> None:
        """Post a message."""
        ...

    def hand_over(self, conversation: str) -> None:
        """Give the conversation to the human team; harmless when it is theirs already."""
        ...

    def check(self) -> list[str]:
        """Ask the desk who we are; return lines that tell it."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class BriefLike(Protocol):
    """What a colleague should know."""

    def text(self, language: Any) -> str: ...


class Answered(Protocol):
    """The agent's answer, as `agent.desk.DeskReply` gives it."""

    @property
    def text(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def brief(self) -> BriefLike | None: ...


class Answers(Protocol):
    """Who answers, as `agent.desk.DeskAgent` does. Several threads may call it at once. again: the same message was
    asked before and its answer was lost; it counts as one."""

    def answer(
        self, text: str, *, customer: str | None, session: str, assist: bool = False, again: bool = False
    ) -> Any: ...

    def feedback(self, session: str, outcome: str, text: str = "") -> Any: ...


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer as the queue keeps it, so that it is asked for once."""

    text: str
    language: str
    action: Literal["reply", "handoff", "draft"]
    note: str = ""

    @classmethod
    def of(cls, reply: Answered) -> Ready:
        note = reply.brief.text(reply.language) if reply.brief is not None else ""
        action: Any = reply.action
        return cls(reply.text, reply.language, action, note)

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Health:
    """How the queue stands: events that wait, seconds that the oldest has waited, events given up, the last
    trouble in one line, and conversations that are with colleagues."""

    waiting: int = 0
    oldest_s: float = 0.0
    dead: int = 0
    with_colleagues: int = 0
    trouble: str = field(default="")
