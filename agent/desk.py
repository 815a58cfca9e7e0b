"""The customer-service desk: what a customer writes is answered from the shop's knowledge, or goes to a colleague.

No model writes to customers: the reply is a template of the shop whose slots code fills from tools' facts about this
very customer, or an answer that the shop gave before, cited. What is not recognised with confidence, what a person
must decide, and what did not help goes to a person, with a brief; and whoever asks for a person gets one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from agent import brief as briefs
from agent import briefing, policy
from agent.brief import Brief, Tried
from agent.core import Agent
from agent.desk_facts import Known, gather
from agent.events import Citation, Language
from customers.errors import BadInput
from customers.knowledge import KnowledgeBase, Recognised, Template
from customers.knowledge.base import IN_SCOPE, Similar
from customers.knowledge.store import FAILED, Outcome, Said
from customers.knowledge.templates import fill
from customers.knowledge.values import language_of
from customers.shop import Shop
from tools.words import label

Action = Literal["reply", "handoff", "draft"]
MOST_CHARS = 4000
_LETTERS = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class DeskReply:
    """What the desk does with a message. action: "reply", the text is for the customer; "handoff", it tells the customer
    that a colleague takes over, who reads the brief; "draft", nothing is sent: text is a draft for the colleague.
    intent: None where it was not recognised. confidence: 0..1. citations: what the text rests on."""

    text: str
    language: Language
    action: Action
    brief: Brief | None
    intent: str | None
    confidence: float
    citations: tuple[Citation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; the brief as the text of its note."""
        brief = self.brief.text(self.language) if self.brief is not None else None
        return {
            "text": self.text, "language": self.language, "action": self.action, "brief": brief, "intent": self.intent,
            "confidence": self.confidence, "citations": [asdict(c) for c in self.citations],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Answer:
    """A text for the customer, and where it is from. key: "" for a fixed text. human: a person takes over."""

    text: str
    key: str = ""
    label: str = ""
    human: bool = False
    citations: tuple[Citation, ...] = ()


class DeskAgent:
    """Answers the customers of one shop. Safe to use from several threads.

    agent: whose shop and knowledge it answers from. knowledge: another one than the agent's.
    """

    def __init__(self, agent: Agent, *, knowledge: KnowledgeBase | None = None) -> None:
        self._shop = agent.shop
        self.knowledge = knowledge or agent.knowledge

    def warm(self) -> None:
        """Make or read what the first message would wait for."""
        self.knowledge.recognise("-")

    def answer(
        self, text: str, *, customer: str | None, session: str, assist: bool = False, again: bool = False
    ) -> DeskReply:
        """Answer a customer's message. customer: the shop's customer who writes, None (or one that the shop does not
        know) where that is not certain: then nothing personal is said. session: the conversation. assist: draft only.
        again: the latest message is asked once more, since its answer was lost; the lost one counts as never given.

        Raises BadInput for an empty message.
        """
        question = " ".join(text.split())[:MOST_CHARS]
        if not question:
            raise BadInput("the message is empty; there is nothing to answer")
        known = customer if customer is not None and self._shop.has_customer(customer) else None
        before = self.knowledge.store.of(session)
        if again and before and before[-1].question == question:
            self.knowledge.store.unsay(before.pop())
        asked = self.knowledge.recognise(question, _language(question, before))
        reply, answer = decide(self._shop, self.knowledge, asked, known, before, assist=assist)
        self.knowledge.store.say(
            session=session, customer=known or "", language=reply.language, question=question,
            intent=reply.intent or "", label=answer.label or (asked.label if asked.sure else ""), key=answer.key,
            action=reply.action, text=reply.text,
        )  # fmt: skip
        return reply

    def feedback(self, session: str, outcome: Outcome | str, text: str = "") -> None:
        """Tell what came of the latest answer of a conversation: "good" or "bad" (a rating), "sent" (a colleague sent
        the draft as it was), "changed" (they sent other words, `text`), "resolved" (it was closed). Raises BadInput
        for any other."""
        self.knowledge.settle(session, cast("Outcome", outcome), text)

    def forget(self, session: str) -> None:
        """Erase what was said in a conversation, and what was learnt from it."""
        self.knowledge.erase_session(session)


def decide(
    shop: Shop, knowledge: KnowledgeBase, asked: Recognised, customer: str | None, before: Sequence[Said] = (),
    *, assist: bool = False,
) -> tuple[DeskReply, _Answer]:  # fmt: skip
    """Return what the desk says to a question, and where that is from; nothing is noted. customer: one of the shop's,
    or None. before: what was said in the conversation."""
    about = briefing.matter(knowledge, asked, [s.question for s in before])
    known = gather(shop, knowledge, about, customer)
    answer = _choose(knowledge, asked, known, before)
    angry = briefing.mood(asked.text) == "angry" and asked.intent not in briefing.POLITE
    action: Action = "draft" if assist else "handoff" if answer.human or angry else "reply"
    told = None
    if action != "reply":
        said, tried = answer.text if answer.key else "", [_tried(s) for s in before]
        told = briefing.of_inquiry(
            shop, knowledge, about, known, customer, wrote=asked.text, tried=tried, said=said
        )
    intent, confidence = asked.intent if asked.sure else None, round(asked.confidence, 4)
    return DeskReply(answer.text, asked.language, action, told, intent, confidence, answer.citations), answer


def preview(shop: Shop, text: str, customer: str | None = None) -> DeskReply:
    """Return what the desk would say to a first message; nothing is noted. Raises Unknown for a customer that the shop
    does not have."""
    if customer is not None:
        shop.profile(customer)
    knowledge = KnowledgeBase(shop.folder)
    try:
        return decide(shop, knowledge, knowledge.recognise(text), customer)[0]
    finally:
        knowledge.close()


def _choose(knowledge: KnowledgeBase, asked: Recognised, known: Known, before: Sequence[Said]) -> _Answer:
    language, own = asked.language, policy.own_words(asked.text)
    if policy.decide(own) == "refuse_instructions":
        return _Answer(briefs.say("instructions", language))
    if policy.asks_for_person(own):
        return _Answer(briefs.say("person", language), human=True)
    if asked.sure:
        found = _reply(knowledge, asked, known, before)
        return found or _Answer(briefs.say("again" if before else "human", language), human=True)
    if past := knowledge.answered(asked, for_all=True):
        return _past(past[0])
    told_so = any(s.text == briefs.say("out_of_scope", language) for s in before)
    if asked.in_scope < IN_SCOPE and not told_so:
        return _Answer(briefs.say("out_of_scope", language))
    return _Answer(briefs.say("human", language), human=True)


def _reply(
    knowledge: KnowledgeBase, asked: Recognised, known: Known, before: Sequence[Said]
) -> _Answer | None:
    """The best reply that can be filled and was not tried; None where none is left. What the shop wrote as the answer
    to this very question comes before its templates."""
    polite = asked.intent in briefing.POLITE
    tried = set() if polite else {s.key for s in before} | {s.label for s in before if s.key}
    past = [s for s in knowledge.answered(asked, for_all=True) if s.entry.id not in tried]
    if past and past[0].entry.inquiry.faq:
        return _past(past[0])
    for template in knowledge.replies(asked):
        if template.label in tried:  # its plainer wordings would help no more
            continue
        if (text := fill(template, known.slots)) is not None:
            human = template.human or knowledge.intent(asked.intent).human
            return _Answer(text, template.key, template.label, human, _cited(template, known))
    return _past(past[0]) if past else None


def _language(text: str, before: Sequence[Said]) -> Language:
    """The language of a message; that of the one before where it holds no words."""
    if before and not _LETTERS.search(text):
        return cast("Language", before[-1].language)
    return language_of(text)


def _past(similar: Similar) -> _Answer:
    entry = similar.entry
    cited = Citation(1, "knowledge", label(entry.inquiry.text, 200), f"{entry.source}#{entry.id}")
    return _Answer(entry.inquiry.answer, entry.id, entry.inquiry.label, False, (cited,))


def _cited(template: Template, known: Known) -> tuple[Citation, ...]:
    used = {(c.tool, c.fact): c for name in sorted(template.slots) if (c := known.cited.get(name))}
    return tuple(Citation(n, c.tool, c.fact, c.value) for n, c in enumerate(used.values(), 1))


def _tried(said: Said) -> Tried:
    how = "failed" if said.outcome in FAILED else "drafted" if said.action == "draft" else "sent"
    return Tried(how, said.text)
