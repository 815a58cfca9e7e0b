"""What becomes of one event: look at the conversation, ask the agent, post what is not there yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from agent.errors import AgentError
from agent.language import language_of
from api.desk.base import Adapter, Answers, DeskEvent, Look, Part, Ready
from api.desk.contacts import Contacts
from api.desk.errors import NotYet
from api.desk.queue import DeskQueue, Entry, Talk, fingerprint
from api.desk.settings import DeskSettings
from api.desk.words import WORDS
from customers.errors import CustomersError

AGENT_TRIES = 3
"""How often the agent is asked before a colleague is."""

log = logging.getLogger("shopkeeper.desk")


@dataclass(frozen=True, slots=True)
class Desk:
    """One desk with its settings, and who its contacts are."""

    adapter: Adapter
    settings: DeskSettings
    contacts: Contacts

    @property
    def assists(self) -> bool:
        return self.settings.mode == "assist"


class AgentFailed(Exception):
    """The agent gave no answer; it is asked again."""


class EarlierFirst(Exception):
    """An earlier message of the conversation had not come in; it is answered first."""


class Delivery:
    """Carries events through. Raises what the adapters raise, NotYet, AgentFailed and EarlierFirst; an event that
    was broken off anywhere can be carried through again, and posts nothing twice."""

    def __init__(self, queue: DeskQueue, desks: Mapping[str, Desk], answers: Answers) -> None:
        self._queue, self._desks, self._answers = queue, desks, answers

    def deliver(self, entry: Entry) -> None:
        desk, event = self._desks[entry.desk], entry.event
        if event.kind == "message":
            self._message(desk, entry)
        elif event.kind == "nudge":
            self._nudge(desk, entry)
        elif event.kind == "returned":
            self._queue.done(entry, with_colleagues=False)
        else:
            if outcome := self._outcome(entry):
                text = event.text if outcome == "changed" else ""
                self._answers.feedback(session(entry), outcome, text)
            self._queue.done(entry, draft="" if event.kind == "staff" else None)

    def _outcome(self, entry: Entry) -> str:
        """What a colleague's message, a rating or the end of a conversation says of our answers; "" nothing."""
        event = entry.event
        if event.kind == "staff":
            draft = self._queue.talk(entry.desk, event.conversation).draft
            return "" if not draft else "sent" if draft == fingerprint(event.text) else "changed"
        if event.kind == "rated" and event.score is not None:
            return "good" if event.score > 0.5 else "bad" if event.score < 0.5 else ""
        return "resolved"

    def _nudge(self, desk: Desk, entry: Entry) -> None:
        """Take in the customer's messages that the desk tells of without their words."""
        conversation = entry.event.conversation
        talk = self._queue.talk(entry.desk, conversation)
        look = desk.adapter.look(conversation)
        newest = 1 + max((m.order for m in look.messages), default=0)
        self._queue.accept(entry.desk, _events(conversation, look, newest, talk), knocked=False)
        self._queue.done(entry)

    def _message(self, desk: Desk, entry: Entry) -> None:
        event = entry.event
        talk = self._queue.talk(entry.desk, event.conversation)
        look = desk.adapter.look(event.conversation)
        posted = look.parts(event.key)
        if not posted and not self._ours(desk, event, look, talk):
            self._queue.done(entry, with_colleagues=True)
            return
        if not (entry.ready or posted):
            earlier = _events(event.conversation, look, event.order, talk)
            self._queue.accept(entry.desk, earlier, knocked=False)
            if self._queue.overtaken(entry):  # it may also have come in by itself since this one was begun
                raise EarlierFirst
        ready = entry.ready or self._ask(desk, entry)
        if not (entry.ready or posted or desk.assists or desk.adapter.bots_turn(event.conversation)):
            self._queue.done(
                entry, with_colleagues=True
            )  # a colleague took over while the agent was thinking
            return
        for part in _parts(ready, event.key):
            if part.kind not in posted:
                desk.adapter.send(event.conversation, part)
        away = ready.action == "handoff" or desk.assists
        if away:
            desk.adapter.hand_over(event.conversation)
        self._queue.done(
            entry, with_colleagues=away, draft=fingerprint(ready.text) if ready.action == "draft" else None
        )

    def _ours(self, desk: Desk, event: DeskEvent, look: Look, talk: Talk) -> bool:
        """Whether the agent should answer: never after a colleague did, nor while they have the conversation."""
        if look.colleague_after(event.order):
            return False
        if desk.assists:
            return True
        return look.bots_turn if desk.adapter.keeps_turn else not talk.with_colleagues

    def _ask(self, desk: Desk, entry: Entry) -> Ready:
        """Return the agent's answer, once it is on disk."""
        event = entry.event
        customer = desk.contacts.customer(desk.adapter.who(event))
        if not entry.asked:
            self._queue.asking(entry)
        ready = self._ready(desk, entry, customer)
        self._queue.answered(entry, ready, customer)
        return ready

    def _ready(self, desk: Desk, entry: Entry, customer: str | None) -> Ready:
        said = entry.event.text.strip()
        if not said:
            return unanswerable(said, "no_words")
        try:
            reply = self._answers.answer(
                said, customer=customer, session=session(entry), assist=desk.assists, again=entry.asked
            )
            return Ready.of(reply)
        except NotYet:
            raise
        except Exception as error:
            if not isinstance(error, (AgentError, CustomersError)):
                log.exception("the agent failed at %s %s", entry.desk, entry.event.key)
            if entry.tries + 1 < AGENT_TRIES:
                raise AgentFailed(f"the agent gave no answer ({type(error).__name__})") from error
            return unanswerable(said, "failed")


def session(entry: Entry) -> str:
    """Return the name under which the agent remembers a conversation."""
    return f"{entry.desk}:{entry.event.conversation}"


def unanswerable(said: str, why: str) -> Ready:
    """Return the handover of a message that the agent cannot answer."""
    language = language_of(said)
    words = WORDS[language]
    return Ready(
        words["handed_over"], language, "handoff", f"{words[why]}\n\n{words['wrote']}\n> {said[:1500]}"
    )


def _parts(ready: Ready, key: str) -> list[Part]:
    words = WORDS[ready.language]
    if ready.action == "draft":
        facts = f"\n\n{ready.note}" if ready.note else ""
        return [Part("note", f"{words['draft']}\n\n{ready.text}{facts}", key)]
    parts = [Part("reply", ready.text, key)]
    if ready.action == "handoff":
        parts.append(Part("note", ready.note or words["no_brief"], key))
    return parts


def _events(conversation: str, look: Look, before: int, talk: Talk) -> list[DeskEvent]:
    """The customer's messages that should have come in before, as events."""
    return [
        DeskEvent(m.key, conversation, "message", m.order, m.text)
        for m in look.unanswered(before, talk.answered)
    ]
