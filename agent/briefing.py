"""Briefs, and what the shop's knowledge suggests, of one question: what the desk and the agent's own handoff share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent import brief as briefs
from agent import policy, sentences
from agent.brief import Brief, Mood, Tried
from agent.desk_facts import Known, gather
from agent.events import Language
from customers.knowledge import KnowledgeBase, Recognised
from customers.knowledge.base import is_plain
from customers.knowledge.templates import fill
from customers.shop import Shop

_SHOUTED = 3
_CLAUSE = re.compile(r"[,;，；]|\b(?:and|but)\b|但是|而且")
PERSON = "talk_to_human"
"""The intent of whoever wants a person."""
POLITE = frozenset({"greeting", "thanks"})
"""Intents whose replies may be said again."""
NO_DOUBT = 0.85
"""The confidence from which staff is told what the shop says, where nothing else answers."""


def brief(
    shop: Shop,
    knowledge: KnowledgeBase | None,
    question: str,
    language: Language,
    customer: str | None,
    before: str = "",
) -> Brief:
    """Return the brief on a question of the agent's own handoff; without knowledge, what the customer wants is theirs
    to read."""
    if knowledge is None:
        card = briefs.card(shop, customer) if customer is not None else ()
        return Brief(question, card, mood=mood(question), before=before)
    asked = matter(knowledge, knowledge.recognise(question, language), [before])
    known = gather(shop, knowledge, asked, customer)
    return of_inquiry(shop, knowledge, asked, known, customer, wrote=question, before=before)


def matter(knowledge: KnowledgeBase, asked: Recognised, before: Sequence[str]) -> Recognised:
    """Return what a message is about, for a colleague: where the whole is not recognised, its surest part; where it
    only asks for a person, what was asked before.

    before: the customer's earlier questions, the oldest first.
    """
    for_person = policy.asks_for_person(policy.own_words(asked.text))
    if asked.sure and not for_person:
        return asked
    rest = " ".join(s for s in sentences.split(asked.text) if not policy.asks_for_person(s))
    if rest.strip():
        parts = [_wanted(knowledge, [part], asked.language) for part in (rest, *_CLAUSE.split(rest))]
        surest = max((p for p in parts if p), key=lambda p: p.confidence, default=None)
        return replace(parts[0] or surest, text=rest) if surest else asked
    return _wanted(knowledge, list(reversed(before)), asked.language) or asked


def _wanted(knowledge: KnowledgeBase, texts: Sequence[str], language: Language) -> Recognised | None:
    """The first of some texts that surely tells what somebody wants of the shop."""
    found = (knowledge.recognise(text, language) for text in texts if text.strip())
    return next((f for f in found if f.sure and f.intent not in {PERSON, *POLITE}), None)


def of_inquiry(
    shop: Shop, knowledge: KnowledgeBase, asked: Recognised, known: Known, customer: str | None,
    *, wrote: str = "", tried: Sequence[Tried] = (), said: str = "", before: str = "",
) -> Brief:  # fmt: skip
    """Return the brief on an inquiry. wrote: the message, where `asked` is only a part of it. said: the reply that
    suits, where one was found."""
    intent = knowledge.intent(asked.intent) if asked.sure else None
    return Brief(
        wrote=wrote or asked.text,
        customer=briefs.card(shop, customer) if customer is not None else (),
        wants=intent.title if intent else None,
        tried=tuple(tried),
        mood=mood(wrote or asked.text),
        step=intent.step if intent else None,
        facts=tuple(fact.text for fact in known.facts),
        offer=briefs.offer(shop, customer) if customer is not None and intent and intent.offer else None,
        draft=_draft(knowledge, asked, known, said),
        before=before,
    )


def suggested(
    shop: Shop, knowledge: KnowledgeBase, question: str, language: Language, customer: str | None
) -> str:
    """Return the reply that the shop has for a question, filled; "" where there is doubt, or none can be filled."""
    asked = knowledge.recognise(question, language)
    if asked.confidence < NO_DOUBT:
        return ""
    known = gather(shop, knowledge, asked, customer)
    filled = (fill(t, known.slots) for t in knowledge.replies(asked) if not t.human)
    return next((text for text in filled if text), "")


def _draft(knowledge: KnowledgeBase, asked: Recognised, known: Known, said: str) -> str:
    """Words that the colleague may send: what a person answered to such a question, or the reply that suits."""
    past = [s for s in knowledge.answered(asked, for_all=False) if is_plain(s.entry.inquiry.answer)]
    if past:
        return past[0].entry.inquiry.answer
    if said:
        return said
    if asked.intent == PERSON:  # that one comes has been said; what to answer, only they know
        return ""
    filled = (fill(t, known.slots) for t in knowledge.replies(asked)) if asked.sure else ()
    return next((text for text in filled if text), "")


def mood(text: str) -> Mood:
    """Return the mood that a message shows, by its wording in prompts/service.yaml.

    The model that scores reviews is not asked: it reads plain questions as bad reviews (of 2,666 calm wordings of the
    starter set 86%; AUROC against complaints 0.73).
    """
    meant = _without(text, "not_meant")
    certain = _without(meant, "conditions")
    loud = _shows("loud", text) or (text.isupper() and len(text.split()) >= _SHOUTED)
    upset, thanks = _shows("upset", certain), _shows("thanks", certain)
    pleased = _shows("pleased", certain) or (thanks and not _shows("asks", certain))
    if _shows("angry", meant) or (loud and (upset or not (pleased or thanks))):
        return "angry"
    return "upset" if upset else "pleased" if pleased else "calm"


def _shows(sign: str, text: str) -> bool:
    return any(re.search(p, text, re.IGNORECASE) for p in briefs.service()[sign])


def _without(text: str, sign: str) -> str:
    """A text without what a sign's patterns find."""
    for pattern in briefs.service()[sign]:
        text = re.sub(pattern, " ", text, flags=re.IGNORECASE)
    return text
