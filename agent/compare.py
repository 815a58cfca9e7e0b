"""What several facts together support: a comparison of two, and a count of what is listed."""

from __future__ import annotations

import re

from agent.claims import Reading
from agent.evidence import Evidence
from agent.figures import Figure

_KINDS = {"#": "product", "category": "category", "segment": "segment", "customer": "customer", "brand": "brand",
          "department": "department", "type": "type"}  # fmt: skip
_FIRST_IS_OTHER = re.compile(
    r"(?:than|compared (?:with|to)|against|unlike|比|与|相比|相较于?)\s*[“\"]?$", re.I
)

_EXCEEDS = re.compile(
    r"exceed|outsell|ahead of|behind|above|below|高于|多于|大于|超过|低于|少于|小于|不及", re.I
)


def compared(reading: Reading, a: Evidence, b: Evidence) -> bool:
    """Whether a text that names two facts' subjects compares their values truly.

    The facts must be of one kind (predicate, unit, period, population), the text must name both and
    say nothing that either fact does not.
    """
    one = (a.fact.predicate, a.fact.unit, a.fact.period, a.fact.population)
    if one != (b.fact.predicate, b.fact.unit, b.fact.period, b.fact.population):
        return False
    if not all(isinstance(p.fact.value, int | float) for p in (a, b)) or reading.has(
        "negation", "cause", "high", "low"
    ):
        return False
    if (
        a.known
        and b.known
        and (a.known[0].figure.value, a.known[0].figure.bound)
        == (
            b.known[0].figure.value,
            b.known[0].figure.bound,
        )
    ):
        return False  # they read the same: ">99%" and ">99%"
    if reading.has("more") == reading.has("less") or not (
        reading.has("than") or _EXCEEDS.search(reading.text)
    ):
        return False
    order = [p for n in reading.names for p in (a, b) if n.keys & _own(p, a, b)]
    if len(order) != 2 or order[0] is order[1] or not _only(reading, a, b):
        return False
    first = next(n for n in reading.names if n.keys & _own(order[0], a, b))
    if _FIRST_IS_OTHER.search(reading.text[: first.start]):
        order.reverse()
    gap = order[0].fact.value - order[1].fact.value
    return _figures_fit(reading, order) and (gap > 0 if reading.has("more") else gap < 0)


def _own(proof: Evidence, a: Evidence, b: Evidence) -> frozenset[str]:
    """What tells one of two facts from the other."""
    return proof.held - (b if proof is a else a).held


def _only(reading: Reading, a: Evidence, b: Evidence) -> bool:
    meant = reading.meant - {"more", "less", "than", "against"}
    return meant <= a.meanings & b.meanings and reading.keys <= a.held | b.held and not (
        reading.unexplained or reading.literals or reading.days or reading.ranks
    )  # fmt: skip


def _figures_fit(reading: Reading, order: list[Evidence]) -> bool:
    """Figures in a comparison: none, or one for each fact beside its own name, in the order of the names."""
    if not reading.figures:
        return True
    if len(reading.figures) != 2:
        return False
    named = sorted(order, key=lambda p: _first_place(reading, p, order))
    return all(_is_value(f, p) for f, p in zip(reading.figures, named, strict=True))


def _first_place(reading: Reading, proof: Evidence, order: list[Evidence]) -> int:
    own = _own(proof, *order) if proof is order[0] else _own(proof, order[1], order[0])
    return min((n.start for n in reading.names if n.keys & own), default=len(reading.text))


def _is_value(figure: Figure, proof: Evidence) -> bool:
    return any(figure.unit in k.units and figure.agrees(k.figure) and not k.must for k in proof.known[:1])


def counted(reading: Reading, proofs: list[Evidence]) -> str:
    """Return the text without a count of the listed things that is right ("these three segments")."""
    kinds = {_KINDS.get(k.split(":")[0] if ":" in k else k[0], "") for p in proofs for k in p.subject}
    one = len({p.fact.predicate for p in proofs}) == 1
    text = reading.text
    for f in reversed(reading.figures):
        if one and f.unit in kinds and f.value == len(proofs) and not f.bound and not f.about:
            if any(f.agrees(k.figure) and f.unit in k.units for p in proofs for k in p.known):
                continue
            text = text[: f.start] + text[f.end :]
    return text
