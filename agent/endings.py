"""Turns that end with a fixed reply: policy, asking back, handing over, a change to be confirmed."""

from __future__ import annotations

import re
from typing import cast

from agent import answer, briefing, conversation, cues, policy, vocabulary, worded
from agent.events import Handoff, Language
from agent.subject import PSEUDO, Call
from agent.turn import Services, Turn
from tools import TOOLS
from tools.base import Access, CannotDo, WriteTool
from tools.words import day, label

_FOREIGN = 0.45
"""A term whose nearest name is further than this (cosine) has nothing to do with the shop."""
_OF_ONE = frozenset(
    {"recommend", "explain_preference", "similar_customers", "notes", "add_note", "erase_note"}
)
_THINGS = ("category", "department", "type", "product", "brand", "segment", "campaign")
_NEEDS_THING = frozenset({"measure", "audience", "bought_with", "explain_preference"})


def decide(s: Services, turn: Turn, decided: policy.Policy) -> None:
    """End a turn that a policy settles before any model sees the question."""
    if decided != "handoff":
        turn.end("refuse", s.say(turn, decided))
        return
    turn.links = s.linker.link(turn.question)
    turn.links.pronoun = True  # whoever asks for a human speaks of the customer at hand
    turn.subject = conversation.subject(turn.links, turn.memory, turn.role, turn.customer)
    hand_over(s, turn)


def names_others(s: Services, turn: Turn) -> bool:
    """End a turn whose question names a customer that the asker may not see, be there such a one or not:
    before anything is looked up, so that nothing tells whether there is."""
    if turn.scope is None:
        return False
    links = s.linker.link(turn.question)
    named = [*links.customers, *(written for kind, written in links.unknown if kind == "customer")]
    if (why := turn.scope.denies_naming(named)) is not None:
        turn.end("refuse", turn.words(why))
    return why is not None


def exceeds_scope(turn: Turn) -> bool:
    """End a turn whose plan looks up what the asker may not see."""
    if turn.scope is None:
        return False
    found = (turn.scope.denies(TOOLS[c.tool], c.args) for c in turn.calls if c.tool in TOOLS)
    why = next((w for w in found if w is not None), None)
    if why is not None:
        turn.calls = []
        turn.end("refuse", turn.words(why))
    return why is not None


def within_scope(turn: Turn) -> list[Call]:
    """Return the calls of a turn that look up only what the asker may see."""
    scope = turn.scope
    return [c for c in turn.calls if scope is None or scope.denies(TOOLS[c.tool], c.args) is None]


def settle(s: Services, turn: Turn, *, of_whom: bool = True) -> None:
    """End a turn whose question names what does not exist, or nobody where somebody is needed; the latter not
    where `of_whom` is left to the plan."""
    links, shop = turn.links, s.shop
    for kind, written in links.unknown:
        known = {
            "campaign": ", ".join(shop.keys("campaign")) if kind == "campaign" else "",
            "segment": _segments(s, turn.language),
        }.get(kind, "")
        pending = {"need": "customer", "question": links.text} if kind == "customer" else None
        turn.end("clarify", s.say(turn, f"unknown_{kind}", id=label(written), known=known), pending)
        return
    outside = [p for p in links.periods if p.end < shop.info.first_day or (p.start > shop.info.last_day)]
    stated = [p for p in outside if not p.future or any(c.isdigit() for c in p.text)]
    if stated:
        _outside(s, turn, stated[0].text)
    elif of_whom and _of_nobody(turn):
        turn.end("clarify", s.say(turn, "which_customer"), {"need": "customer", "question": links.text})
    elif of_whom and links.same_thing and not any(turn.subject.has(kind) for kind in _THINGS):
        _which_thing(s, turn)


def _which_thing(s: Services, turn: Turn) -> None:
    pending = {"need": "choice", "question": turn.links.text, "things": []}
    turn.end("clarify", s.say(turn, "which_category"), pending)


def _of_nobody(turn: Turn) -> bool:
    """Whether a question points to a customer, and none is known."""
    return turn.links.pronoun and not turn.subject.has("customer") and not _of_others(turn)


def _of_others(turn: Turn) -> bool:
    """Whether "they" may mean other than customers that should have been named: "campaign 8 … of them"."""
    links = turn.links
    groups = links.things.get("segment") or links.things.get("campaign") or links.attributes
    others = any(links.things.values()) or links.attributes or turn.subject.described
    asked = cues.tools(links.text) & _OF_ONE
    return bool(groups and not asked) or bool(others and cues.points_to_several(links.text))


def review(s: Services, turn: Turn) -> None:
    """End a turn whose plan needs what was not, or not clearly, named, or changes something."""
    links, names = turn.links, {c.tool for c in turn.calls}
    first = turn.calls[0].tool if turn.calls else "clarify"
    several = cues.points_to_several(links.text)
    single = any(
        c.tool == "measure" and (c.args.get("by") == "none" or (c.args.get("by") == "query" and not several))
        for c in turn.calls
    )
    if worded.asks_for_what(turn.worded):
        _which_thing(s, turn)
        return
    if first == "clarify" and links.same_thing and not any(turn.subject.has(kind) for kind in _THINGS):
        _which_thing(s, turn)
        return
    refused = first == "refuse" and turn.leaning is None
    if _of_nobody(turn) and (
        first == "clarify" or single or refused
    ):  # "how much did she spend" is not asked of everybody
        turn.end("clarify", s.say(turn, "which_customer"), {"need": "customer", "question": links.text})
        return
    searched = any(c.args.get("query") for c in turn.calls)  # what was searched for need not be of the shop
    if not searched and (names & _NEEDS_THING or (names & {"recommend"} and links.ambiguous)):
        if links.ambiguous:
            _which(s, turn)
            return
        named = any(links.keys(k) for k in _THINGS if k != "campaign")
        if not named and (
            unknown := [
                t for t in links.terms if cues.is_thing(links.text, t) and not vocabulary.is_misspelt(t)
            ]
        ):
            _unknown_term(s, turn, unknown[0])
            return
    if first == "search_products" and links.terms and _foreign(s, turn, links.terms[0]):
        turn.end("refuse", s.say(turn, "refuse_other"))
        return
    if cues.asks_growth(links.text) and any(
        c.tool == "measure" and c.args.get("by") not in ("none", "month") for c in turn.calls
    ):
        turn.end("clarify", s.say(turn, "growth"))
        return
    if (
        turn.leaning == "refuse_action"
        and "erase_note" in names
        and "erase_note" not in cues.tools(links.text)
    ):
        turn.end("refuse", s.say(turn, "refuse_action"))  # "delete the customer" is not "delete their notes"
        return
    ahead = [p for p in links.periods if p.future]
    changes = [c for c in turn.calls if c.tool in TOOLS and TOOLS[c.tool].access is Access.WRITE]
    if ahead and names & {"measure", "campaign"}:
        _outside(s, turn, ahead[0].text)
    elif first in PSEUDO:
        _pseudo(s, turn, first)
    elif changes and not turn.confirmed:
        confirm(s, turn, changes)


def confirm(s: Services, turn: Turn, changes: list[Call]) -> None:
    """Ask before anything is changed; only the asker's next message can agree."""
    if not turn.session:
        turn.end("clarify", s.say(turn, "needs_session"))
        return
    try:
        asked = [turn.words(cast("WriteTool", TOOLS[c.tool]).confirm(s.shop, c.args)) for c in changes]
    except CannotDo as error:
        turn.end("clarify", turn.words(error.text))
        return
    calls = [{"tool": c.tool, "args": c.args} for c in changes]
    turn.end("clarify", "\n".join(asked), {"need": "confirm", "question": turn.question, "calls": calls})


def hand_over(s: Services, turn: Turn) -> None:
    """End the turn with a brief for the colleague who takes over."""
    customer = turn.subject.customers[0] if turn.subject.customers else None
    before = str(turn.memory.get("question") or "")
    told = briefing.brief(s.shop, s.knowledge(), turn.question, turn.language, customer, before)
    turn.handoff = Handoff(reason=label(turn.question, 200), brief=told.text(turn.language))
    turn.end("handoff", s.say(turn, "handoff"))


def _outside(s: Services, turn: Turn, asked: str) -> None:
    info = s.shop.info
    first, last = day(info.first_day, turn.language), day(info.last_day, turn.language)
    turn.end("clarify", s.say(turn, "outside_period", first=first, last=last, asked=label(asked)))


def _which(s: Services, turn: Turn) -> None:
    term, things = turn.links.ambiguous[0]
    term = re.sub(r"^(?:the|an?)\s+", "", term, flags=re.IGNORECASE)
    shown = [label(s.shop.name(t.kind, t.key)[turn.language]) for t in things]
    turn.end("clarify", s.say(turn, "which_thing", term=label(term), choices=answer.choices(shown, turn.language)),
             {"need": "choice", "question": turn.links.text, "things": [list(t) for t in things]})  # fmt: skip


def _foreign(s: Services, turn: Turn, term: str) -> bool:
    """Whether the question names nothing of the shop, nor anything near it."""
    links, ranked = turn.links, s.lexicon.ranked(term, 1)
    named = links.customers or any(links.things.values()) or links.attributes or links.unknown
    return not named and (not ranked or ranked[0][1] < _FOREIGN)


def _unknown_term(s: Services, turn: Turn, term: str) -> None:
    if _foreign(s, turn, term):
        turn.end("refuse", s.say(turn, "refuse_other"))
        return
    near = [thing for thing, _ in s.lexicon.ranked(term, 3)]
    shown = [label(s.shop.name(t.kind, t.key)[turn.language]) for t in near]
    turn.end("clarify", s.say(turn, "unknown_term", term=label(term), choices=answer.choices(shown, turn.language)),
             {"need": "choice", "question": turn.links.text, "things": [list(t) for t in near]})  # fmt: skip


def _pseudo(s: Services, turn: Turn, name: str) -> None:
    if name == "handoff" or (name == "refuse" and turn.leaning == "handoff"):
        hand_over(s, turn)
    elif suggested := _suggested(s, turn):
        turn.end("answer", suggested)
    elif name == "refuse":
        refused = turn.leaning if turn.leaning and turn.leaning != "handoff" else "refuse_other"
        turn.end("refuse", s.say(turn, refused))
    elif name == "chat":
        turn.end("answer", s.say(turn, "chat"))
    elif turn.links.terms:
        _unknown_term(s, turn, turn.links.terms[0])
    elif cues.tools(turn.links.text) & _OF_ONE and not turn.subject.has("customer"):
        pending = {"need": "customer", "question": turn.links.text}
        turn.end("clarify", s.say(turn, "which_customer"), pending)
    else:
        example = turn.customer or str(s.shop.keys("customer")[0])
        text = s.say(turn, "cannot_understand", example=example)
        turn.end("clarify", text, {"need": "customer", "question": turn.links.text})


def _suggested(s: Services, turn: Turn) -> str:
    """What the shop says to such a question of a customer, where no tool answers it and there is no doubt; "" else."""
    if turn.role != "service" or turn.leaning is not None or (knowledge := s.knowledge()) is None:
        return ""
    customer = turn.subject.customers[0] if turn.subject.customers else None
    return briefing.suggested(s.shop, knowledge, turn.question, turn.language, customer)


def _segments(s: Services, language: Language) -> str:
    return ", ".join(
        f"{i}. {label(s.shop.name('segment', k)[language])}" for i, k in enumerate(s.shop.keys("segment"), 1)
    )
