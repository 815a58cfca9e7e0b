"""Whether a fact supports a statement: every figure with its unit and what it qualifies, every name,
date and meaning, who is spoken of, and the relation that ties them.

The design is closed and strict. What a statement says must be found in the fact (its sentence in either
language, its predicate's own meanings); where a fact has several figures of one unit or several names,
each must keep its place. A true statement in words that are not known is refused; a false one must be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agent.claims import Reading
from agent.evidence import Evidence, base_span, within
from agent.figure_claims import figures_wrong, unit_fits
from agent.relations import (
    agent_wrong,
    cause_wrong,
    comparison_wrong,
    habit_wrong,
    negation_wrong,
    order_wrong,
    roles_wrong,
    superlative_wrong,
)

_PERSON = re.compile(r"\b(?:they|their|them|he|she|his|her|him)\b|其|他们?|她们?", re.I)
_FREE = frozenset({"against", "about", "linking", "than", "more", "less", "high", "low", "negation", "cause"})
"""Meanings that have rules of their own."""
_TWO_SIDED = frozenset({"bought_with"})
"""Predicates whose figures mean nothing without both names, even where the question has one of them."""
ANYONE = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Said:
    """What has been said so far: whom the last statement was about, what it named, its period, its kind."""

    asked: frozenset[str] = frozenset()
    subject: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    period: str = ""
    predicate: str = ""


def unsupported(reading: Reading, proof: Evidence, said: Said) -> str | None:
    """Return why a fact does not support a statement, or None when it does."""
    return (
        _names_wrong(reading, proof)
        or _short_wrong(reading)
        or _words_wrong(reading, proof)
        or _meanings_wrong(reading, proof, said)
        or figures_wrong(reading, proof)
        or _days_wrong(reading, proof, said)
        or order_wrong(reading, proof)
        or negation_wrong(reading, proof)
        or superlative_wrong(reading, proof)
        or comparison_wrong(reading, proof)
        or cause_wrong(reading, proof)
        or _unsaid(reading, proof, said)
        or roles_wrong(reading, proof)
        or habit_wrong(reading, proof)
        or agent_wrong(reading, proof)
    )


def after(reading: Reading, proof: Evidence, said: Said) -> Said:
    """Return what has been said once a supported statement is made."""
    about = proof.subject or ANYONE
    subject = (
        about
        if not said.subject or about != ANYONE or reading.has("baseline", "all", "customer")
        else said.subject
    )
    carried = {k for k in said.keys if k in proof.held} | reading.keys | (proof.subject & proof.held)
    period = proof.fact.period if reading.days and proof.fact.period else said.period
    return replace(
        said, subject=subject, keys=frozenset(carried), period=period, predicate=proof.fact.predicate
    )


def _names_wrong(reading: Reading, proof: Evidence) -> str | None:
    for name in reading.names:
        wrong = (
            name.keys - proof.held if name.keys and next(iter(name.keys)).startswith("customer:") else None
        )
        if wrong or not name.keys & proof.held:
            return f"names “{reading.text[name.start : name.end].strip()}”, which the fact does not name"
    return None


def _short_wrong(reading: Reading) -> str | None:
    loose = reading.short and bool(reading.figures or reading.days)
    return "gives a figure of a product without its whole name" if loose else None


def _words_wrong(reading: Reading, proof: Evidence) -> str | None:
    own = proof.readings.get(reading.language)
    if own is None:
        return "the fact has no sentence in this language"
    known = {w.lower() for w in own.unexplained}
    for word in reading.unexplained:
        inside = word.lower() in known or (reading.language == "zh" and any(word in k for k in known))
        if not inside and _stem(word) not in {_stem(k) for k in known}:
            return f"says “{word}”, which the fact does not say"
    for literal in reading.literals:
        if literal not in own.literals:
            return f"says “{literal}”, which the fact does not say"
    return None


def _stem(word: str) -> str:
    return re.sub(r"(?:es|s|ed|ing)$", "", word.lower()) if word.isascii() else word


def _meanings_wrong(reading: Reading, proof: Evidence, said: Said) -> str | None:
    for mark in reading.meanings:
        for meaning in mark.keys - _FREE:
            if meaning not in proof.meanings:
                return f"says “{reading.text[mark.start : mark.end]}”, which the fact does not say"
    spans = [s for f in reading.figures if f.unit == "%" and (s := base_span(reading, f))]
    if any(
        m.keys & proof.based & {"receive", "redeem", "buy"} and not within(m, spans) for m in reading.meanings
    ):
        return "says of the part what the fact says of the whole"
    need = proof.rules.get("need")
    content = reading.meant - {"against", "customer", "linking", "about"}
    goes_on = said.predicate == proof.fact.predicate and not content
    counts = proof.rules.get("counts")  # "8 searches" says by its unit what is meant
    told = need and (reading.has(*need) or any(f.unit == counts for f in reading.figures))
    if need and (content or reading.figures) and not goes_on and not told:
        return "does not say what the fact says"
    return None


def _days_wrong(reading: Reading, proof: Evidence, said: Said) -> str | None:
    own = [d for r in proof.readings.values() if r.language == reading.language for d in r.days]
    at = 0
    for day in reading.days:
        i = next((i for i in range(at, len(own)) if day.agrees(own[i])), None)
        if i is None:
            return f"says “{reading.text[day.start : day.end]}”, which is no date of the fact"
        at = i + 1
    if len(reading.days) == 1 and len(own) == 2:
        return "gives one day of a period"
    if not reading.days and said.period and proof.fact.period and proof.fact.period != said.period:
        return "leaves out the period, which differs from the one before"
    return None


def _unsaid(reading: Reading, proof: Evidence, said: Said) -> str | None:
    """A figure or a relation must tell of whom and of what it is, here or just before."""
    if not (reading.figures or reading.days or reading.meant - {"against"} or reading.keys):
        return None
    if wrong := _crowd_wrong(reading, proof, said):
        return wrong
    own = proof.readings[reading.language]
    needed = set(proof.subject)
    if own.names and (reading.keys or reading.meant):
        needed |= own.names[0].keys if len(own.names[0].keys) == 1 else set()
    for f in reading.figures:
        fits = [k for k in proof.known if unit_fits(f, k, reading.language) and f.agrees(k.figure)]
        needed |= fits[0].needs.get(reading.language, frozenset()) if fits else set()
    for key in needed - reading.keys:
        if not _carried(key, proof, said):
            return f"does not say that it is about {_shown(key)}"
    return None


def _shown(key: str) -> str:
    return key.split(":", 1)[-1] if not key.startswith("customer:") else key.replace(":", " ")


def _carried(key: str, proof: Evidence, said: Said) -> bool:
    if key in proof.subject and said.subject:
        return key in said.subject
    if key in said.keys:
        return True
    return key in said.asked and proof.fact.predicate not in _TWO_SIDED


def _crowd_wrong(reading: Reading, proof: Evidence, said: Said) -> str | None:
    """A figure of all customers must not read as one of the customer spoken of before."""
    one = {k for k in said.subject if k.startswith("customer:")}
    if not one or one & proof.held or reading.has("baseline", "all", "customer", "total"):
        return None
    acts = reading.has("spend", "buy", "trip", "redeem", "receive", "average", "chance")
    if acts or _PERSON.search(reading.text):
        return "reads as if it were about the customer before"
    return None
