"""Tone: polite, calm, plain words, in the asker's language, no blame; a complaint is met with an apology or staff."""

from __future__ import annotations

import re
from typing import ClassVar

from agent import cues
from eval.judges.base import Item, Judge

UNHEARD = "complaint unheard"
UNHEARD_CAP = 2

_HEARD = re.compile(
    r"\b(?:sorry|apolog\w+|regret|hand(?:ing|ed)?\b.{0,20}\bover|pass(?:ing|ed)?\b.{0,30}\bto|colleague|manager"
    r"|forward(?:ing|ed)?|transfer(?:ring|red)?)\b"
    r"|抱歉|对不起|致歉|道歉|歉意|不好意思|转交|转给|转接|移交|同事|人工|专人|经理",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"\b(?:how\s+(?:many|much|often)|what|which|who|share|list|rate)\b|哪|多少|几[个次位]|统计|占比|列出",
    re.IGNORECASE,
)


class Tone(Judge):
    """Grades how an answer speaks, whatever it says."""

    name: ClassVar[str] = "tone"
    rubrics: ClassVar[tuple[str, ...]] = ("tone", "tone_swapped", "tone_paraphrased")

    def caps(self, item: Item) -> dict[str, int]:
        """As `Judge.caps`; an answer to a complaint that neither apologises nor hands over gets 2 at most."""
        broken = super().caps(item)
        if is_complaint(item.question) and not _HEARD.search(item.answer):
            broken[UNHEARD] = UNHEARD_CAP
        return broken


def is_complaint(question: str) -> bool:
    """Whether a question is a complaint itself, rather than one about how many there were."""
    return cues.is_complaint(question) and not _COUNTS.search(question)
