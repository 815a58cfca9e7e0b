"""Step 5, verify: no statement leaves that a cited fact does not support.

Rendered clauses carry their fact's own sentence, so their figures are compared with the fact they
cite. Free text of a model (advice) may say what to do but state nothing: figures, quantities in
words, comparisons, superlatives, reasons, links and names that no cited fact holds each make it
unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.events import Language
from agent.language import language_of
from agent.lexicon import PART, Lexicon
from agent.prompts import pattern
from tools.base import Fact

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CITATION = re.compile(r"\s?\[(\d+)\]")
_STATES_EN = pattern("states_en")
_STATES_ZH = pattern("states_zh")
_URGES_EN = pattern("urges_en")
_URGES_ZH = pattern("urges_zh")


@dataclass(frozen=True, slots=True)
class Checked:
    """Claims found in a text and how many are supported."""

    claims: int
    supported: int


def numbers(text: str) -> list[str]:
    """Return the figures of a text, thousands separators removed, citations left out."""
    return [m.replace(",", "").rstrip(".") for m in _NUMBER.findall(_CITATION.sub("", text))]


def check_clause(line: str, fact: Fact, language: Language) -> Checked:
    """Compare a rendered clause with the fact that it cites: its figures and its names."""
    text = fact.text[language]
    known = numbers(text)
    found = numbers(line)
    names = [n for n in fact.names if n in text]
    supported = sum(f in known for f in found) + sum(n in line for n in names)
    return Checked(len(found) + len(names), supported)


def check_advice(advice: str, facts: Sequence[Fact], lexicon: Lexicon, language: Language) -> str | None:
    """Return why a piece of advice may not leave, or None when it may."""
    text = advice.strip()
    if language_of(text) != language:
        return "language"
    if not (_URGES_ZH if language == "zh" else _URGES_EN).match(text):
        return "not advice"
    rest = _without_names(text, facts)
    if (_STATES_ZH if language == "zh" else _STATES_EN).search(rest):
        return "states something"
    for match in lexicon.find(rest, [True] * len(rest)):
        if match.level >= PART and match.things[0].kind in ("category", "segment", "brand", "type"):
            return f"names {match.text}"
    if re.search(r"#|No\.", rest):
        return "names an id"
    return None


def _without_names(text: str, facts: Iterable[Fact]) -> str:
    """Blank out what the facts name: whole names first, then the same names without their ids."""
    whole = {n for f in facts for n in f.names}
    bare = {re.sub(r"\s*[（(]#\w+[)）]$", "", name) for name in whole}
    for names in (whole, bare):
        for name in sorted(names, key=len, reverse=True):
            text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
    return text
