"""A fact, read: everything that a statement which cites it may say, and how its figures are qualified.

A figure is told apart from the others of its fact by its unit and by what stands at it ("on average", "over
all customers"). The fact's two sentences are read together: a qualifier that both have must be kept, one
that either has may be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.claim_words import vocabulary
from agent.claims import Mark, Names, Reading
from agent.events import Language
from agent.figures import Figure, zones
from tools.base import Fact

_RANK = re.compile(r"^(\d+)[.、] ?")
_CLAUSE_END = re.compile(r"[;；.。,，:：()（）](?!\d)")
_HEAD_ONLY = frozenset({"product"})
"""Predicates whose figures are of the first name; the others in the sentence only describe it."""
_QUALIFIED = {meaning: q for q, meanings in vocabulary()["qualifiers"].items() for meaning in meanings}
_BASES = frozenset(vocabulary()["bases"])


@dataclass(slots=True)
class Known:
    """A figure of a fact: its units in both languages, the languages in which it stands without one, what
    must and what may qualify it, and the names without which it is not told of what it is."""

    figure: Figure
    units: set[str]
    bare: set[Language]
    must: set[str]
    may: set[str]
    bases: set[str]
    needs: dict[str, frozenset[str]]


@dataclass(slots=True)
class Evidence:
    """A fact, read: everything that a statement which cites it may say."""

    fact: Fact
    subject: frozenset[str]
    held: frozenset[str]
    readings: dict[Language, Reading]
    known: list[Known]
    meanings: frozenset[str]
    ranks: set[int]
    best: bool
    based: frozenset[str]
    rules: dict[str, Any]
    rivals: list[Fact] = field(default_factory=list)

    @property
    def own(self) -> frozenset[str]:
        """What the fact's sentence is first of all about: the head of a row, the product of an offer."""
        heads = [r.names[0].keys for r in self.readings.values() if r.names]
        return frozenset(k for keys in heads for k in keys)


def evidence(fact: Fact, names: Names, others: Sequence[Fact]) -> Evidence:
    """Read a fact. `others` are the facts given beside it: rivals make an omitted name ambiguous."""
    rules: dict[str, Any] = vocabulary()["predicates"].get(fact.predicate.split(":")[0], {})
    readings: dict[Language, Reading] = {}
    ranks: set[int] = set()
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        if language in fact.text:
            text = fact.text[language]
            if m := _RANK.match(text):
                ranks.add(int(m[1]))
            readings[language] = names.read(_RANK.sub("", text), language)
            ranks |= set(readings[language].ranks)
    meanings = {m for r in readings.values() for m in r.meant} | set(rules.get("has", ()))
    meanings |= {f.unit for r in readings.values() for f in r.figures if f.unit}
    if "baseline" in meanings:
        meanings |= {"customer", "all", "average"}
    subject = names.subject(fact)
    if any(k.startswith("customer:") for k in subject):
        meanings.add("customer")
    peers = [o for o in others if o.predicate == fact.predicate and o is not fact]
    tied = any(o.value == fact.value and o.unit == fact.unit for o in peers)
    best = 1 in ranks and "best" in rules and not tied
    return Evidence(
        fact, subject, names.held(fact), readings, _known(readings, fact), frozenset(meanings), ranks,
        best or "high" in meanings, _only_based(readings) - set(rules.get("has", ())), rules, peers,
    )  # fmt: skip


def _only_based(readings: dict[Language, Reading]) -> frozenset[str]:
    """Meanings that stand nowhere but in what a percentage is of: "10% of those who received it"."""
    inside: set[str] = set()
    outside: set[str] = set()
    for reading in readings.values():
        spans = [s for f in reading.figures if f.unit == "%" and (s := base_span(reading, f))]
        for m in reading.meanings:
            (inside if within(m, spans) else outside).update(m.keys)
    return frozenset(inside - outside)


def _known(readings: dict[Language, Reading], fact: Fact) -> list[Known]:
    found: list[Known] = []
    for language, reading in readings.items():
        told = qualifiers(reading)
        taken: set[int] = set()
        for f, (sure, maybe) in zip(reading.figures, told, strict=True):
            needs = {language: _needed(reading, f)}
            bases = base(reading, f)
            i = _twin(found, taken, f)
            if i is None or language == next(iter(readings)):
                bare: set[Language] = {language} if f.weak or not f.unit else set()
                must = (sure | maybe) & (_near(reading, f) | {"among"})
                found.append(Known(f, {f.unit} - {""}, bare, must, sure | maybe, bases, needs))
                continue
            taken.add(i)
            k = found[i]
            k.units |= {f.unit} - {""}
            k.bare |= {language} if f.weak or not f.unit else set()
            k.must, k.may = k.must & (sure | maybe), k.may | sure | maybe
            k.bases |= bases
            k.needs |= needs
    for k in found:
        rivals = [o for o in found if o is not k and o.units & k.units]
        if "baseline" in k.must and not any("baseline" not in o.must for o in rivals):
            k.must.discard("baseline")
        if fact.predicate.startswith("mean_") and "%" not in k.units:
            k.may.add("average")
        if fact.predicate in _HEAD_ONLY:
            k.needs = {}
        if "ratio" in k.units:
            said = {m for r in readings.values() for m in r.meant}
            k.must |= {"share"} & said or {"often"} & said
            k.may |= {"share", "often"}
    return found


def _near(reading: Reading, f: Figure) -> set[str]:
    """What qualifies a figure of a fact within its own clause."""
    cuts = [m.span() for m in _CLAUSE_END.finditer(reading.open)]
    start = max((end for _, end in cuts if end <= f.start), default=0)
    end = min((begin for begin, _ in cuts if begin >= f.end), default=len(reading.open))
    inside = [m for m in reading.meanings if within(m, [(start, end)])]
    return {_QUALIFIED[k] for m in inside for k in m.keys if k in _QUALIFIED}


def _twin(found: Sequence[Known], taken: set[int], f: Figure) -> int | None:
    """The same figure in the fact's other sentence, by value; of equal ones, that of the same unit."""
    same = [
        i for i, k in enumerate(found)
        if i not in taken and abs(k.figure.value - f.value) < 1e-9 and k.figure.bound == f.bound
    ]  # fmt: skip
    return min(same, key=lambda i: (f.unit not in found[i].units, bool(found[i].units)), default=None)


def _needed(reading: Reading, f: Figure) -> frozenset[str]:
    """The names up to the end of the clause of a figure: without them it is a figure of nothing."""
    end = _CLAUSE_END.search(reading.open, f.end)
    limit = end.start() if end else len(reading.text)
    return frozenset(k for n in reading.names if n.start < limit for k in n.keys if len(n.keys) == 1)


def within(mark: Mark, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= mark.start and mark.end <= end for start, end in spans)


def qualifiers(reading: Reading) -> list[tuple[set[str], set[str]]]:
    """What qualifies each figure: surely, and perhaps (it may be the neighbour's)."""
    found, based = [], [s for f in reading.figures if (s := base_span(reading, f))]
    for f, (sure, maybe) in zip(reading.figures, zones(reading.open, reading.figures), strict=True):
        own: list[set[str]] = [set(), set()]
        for kind, spans in enumerate((sure, maybe)):
            for m in reading.meanings:
                if within(m, spans) and not within(m, based):
                    own[kind] |= {_QUALIFIED[k] for k in m.keys if k in _QUALIFIED}
        if is_among(reading, f):
            own[0].add("among")
        found.append((own[0], own[1]))
    return found


def is_among(reading: Reading, f: Figure) -> bool:
    language = reading.language
    before = reading.text[: f.start] if language == "en" else ""
    after = reading.text[f.end :]
    if language == "zh":
        return any(re.search(p, after) for p in vocabulary()["among"]["zh"])
    return any(re.search(p, before, re.I) for p in vocabulary()["among"]["en"])


def base_span(reading: Reading, f: Figure) -> tuple[int, int] | None:
    """Where a text tells what a figure is a part of, if it does."""
    if reading.language == "en":
        cut = re.search(r"[,;:.()]", reading.open[f.end :])
        end = f.end + cut.start() if cut else len(reading.open)
        return (
            (f.end, end)
            if re.match(vocabulary()["base"]["en"], reading.open[f.end : end], re.I | re.S)
            else None
        )
    begin = max([0, *(o.end for o in reading.figures if o.end <= f.start)])
    m = re.search(vocabulary()["base"]["zh"], reading.open[begin : f.start], re.S)
    return (begin + m.start(1), f.start) if m else None


def base(reading: Reading, f: Figure) -> set[str]:
    """What a figure is a part of, as far as the text tells: of several words the first in English, the
    last in Chinese, besides those for the whole."""
    span = base_span(reading, f)
    if span is None:
        return set()
    marks = [m for m in reading.meanings if within(m, [span]) and m.keys & _BASES]
    found = [k if k != "baseline" else "customer" for m in marks for k in m.keys]
    whole = [k for k in found if k in ("all", "total", "customer")]
    parts = [k for k in found if k not in ("all", "total")]
    return {*whole, *(parts[:1] if reading.language == "en" else parts[-1:])}
