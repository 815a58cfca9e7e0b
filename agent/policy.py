"""What is decided before any model sees the question: handoff, and what is always refused."""

from __future__ import annotations

import re
from typing import Literal

from agent import cues
from agent.prompts import pattern

# Tools that may still help where something went wrong; without one of them a complaint is staff's.
_ANSWERS = frozenset({"recommend", "measure"})

Policy = Literal["handoff", "refuse_instructions", "refuse_price", "refuse_action", "refuse_private"]

_HANDOFF, _THANKS = pattern("handoff"), pattern("thanks")
_INSTRUCTIONS, _PRICE = pattern("refuse_instructions"), pattern("refuse_price")
_ASKS = re.compile(r"\b(?:what|which|who|whom|how)\b|[哪谁几]|什么|多少", re.IGNORECASE)
_QUOTED = pattern("quoted_speech")
_ACTION, _PRIVATE = pattern("refuse_action"), pattern("refuse_private")


HARD: frozenset[Policy] = frozenset({"refuse_instructions", "refuse_price"})
"""What no planner may overrule. The others only guess at what is asked for, and no tool could do it anyway."""


def own_words(text: str) -> str:
    """Return a question without what it quotes of others: quoted speech is nobody's instruction."""

    def emptied(match: re.Match[str]) -> str:
        quoted = next(g for g in match.groups() if g)
        return match.group().replace(quoted, "“…”")

    return _QUOTED.sub(emptied, text)


def decide(text: str) -> Policy | None:
    """Return the policy that a question falls under, or None."""
    if _INSTRUCTIONS.search(text):
        return "refuse_instructions"
    if _PRICE.search(text):
        return "refuse_price"
    if _HANDOFF.search(text):
        return "handoff"
    if _PRIVATE.search(text):
        return "refuse_private"
    if _ACTION.search(text) and not _ASKS.search(text):
        return "refuse_action"
    if cues.is_complaint(text) and not cues.tools(text) & _ANSWERS and not cues.asks_of_records(text):
        return "handoff"
    return None


def asks_for_person(text: str) -> bool:
    """Whether a text asks for a human in so many words: nobody is made to argue for that."""
    return bool(_HANDOFF.search(text))


def is_thanks(text: str) -> bool:
    """Whether a text only says thanks."""
    return bool(_THANKS.match(text))
