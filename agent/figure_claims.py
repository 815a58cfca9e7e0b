"""Whether the figures of a statement are the cited fact's: value, unit, what qualifies them, what they are of."""

from __future__ import annotations

import re

from agent.claims import Reading
from agent.events import Language
from agent.evidence import Evidence, Known, base, base_span, is_among, qualifiers, within
from agent.figures import Figure, zones

_MEAN = ("average", "per_trip", "per_unit", "per_customer")


def figures_wrong(reading: Reading, proof: Evidence) -> str | None:
    told = qualifiers(reading)
    counted = {"customer", "coupon", "trip", "basket", "product", "unit", "segment", "category"}
    matched: list[Known | None] = []
    for f, (sure, maybe) in zip(reading.figures, told, strict=True):
        fits = [k for k in proof.known if unit_fits(f, k, reading.language) and f.agrees(k.figure)]
        shown = reading.text[f.start : f.end].strip()
        if f.unit == "%" and any(
            m.keys & counted and not reading.text[f.end : m.start].strip()
            for m in reading.meanings
            if m.start >= f.end
        ):
            return f"counts with “{shown}”"
        if not fits:
            return f"says “{shown}”, which is no figure of the fact"
        best = next((k for k in fits if _qualified(reading, f, k, sure, maybe)), None)
        if best is None:
            return f"says “{shown}” of something else than the fact does"
        if proof.fact.predicate.startswith("share_of_") and f.unit != "%" and not _whole(reading, f, proof):
            return f"says “{shown}” of a part, where it is the whole"
        if wrong := _base_wrong(reading, f, best, proof):
            return wrong
        matched.append(best)
    for i, (_, maybe) in enumerate(told):
        near = [k for k in matched[max(0, i - 1) : i + 2] if k is not None]
        if any(not any(q in k.may for k in near) for q in maybe - {"total"}):
            return "qualifies a figure as the fact does not"
    mean = proof.fact.predicate.startswith("mean_") and bool(reading.figures) and not reading.has(*_MEAN)
    told_so = proof.readings[reading.language].has(*_MEAN)
    if mean and (told_so or reading.has("spend", "buy", "trip", "price", "customer")):
        return "leaves out that the figure is an average"
    return None


def _whole(reading: Reading, f: Figure, proof: Evidence) -> bool:
    """Whether the whole that a share is of is told as such: "(of $20)", "in total", not of the part."""
    before = reading.text[: f.start]
    if re.search(r"[(（]\s*$|占[^%]*$", before) or is_among(reading, f):
        return True
    part = proof.held - proof.readings[reading.language].keys - proof.subject
    return reading.has("total", "all") and not reading.keys & part


def unit_fits(f: Figure, k: Known, language: Language) -> bool:
    if not f.unit:
        return language in k.bare
    return f.unit in k.units or (f.unit == "money" and "money$" in k.units)


def _qualified(reading: Reading, f: Figure, k: Known, sure: set[str], maybe: set[str]) -> bool:
    if sure - k.may - {"among", "total"} or ("total" in sure and "average" in k.may):
        return False
    must = k.must - {"share", "often", "total"}
    if must - sure - maybe or ("every" in must and "every" not in sure):  # "10 trips every 24 days" is a rate
        return False
    if "ratio" in k.units and k.must & {"share", "often"}:
        return _ratio_of(reading, f, k.must & {"share", "often"})
    return True


def _ratio_of(reading: Reading, f: Figure, kinds: set[str]) -> bool:
    """A ratio tells of what: the share, or how often; a share told in percent just before will do."""
    i = reading.figures.index(f)
    sure, maybe = zones(reading.open, reading.figures)[i]
    near = {k for m in reading.meanings if within(m, [*sure, *maybe]) for k in m.keys}
    if near & kinds:
        return True
    other = {"spend", "trip", "buy", "unit", "price", "often", "basket"}
    return "share" in kinds and i > 0 and reading.figures[i - 1].unit == "%" and not (
        {k for m in reading.meanings if within(m, [(f.end, len(reading.text))] if reading.language == "en" else sure)
         for k in m.keys} & other
    )  # fmt: skip


def _base_wrong(reading: Reading, f: Figure, k: Known, proof: Evidence) -> str | None:
    said, span = base(reading, f), base_span(reading, f)
    if f.unit == "%" and span and not said and any(span[0] <= n.start < span[1] for n in reading.names):
        return "takes a part of somebody or something"
    if f.unit != "%" and said - k.bases:
        return "makes a part of something of what is none"
    allowed, whole = set(k.bases), not k.bases or bool(k.bases & {"all", "total"})
    if whole:
        allowed |= {"all", "total", *list(proof.rules.get("has", ()))[:1]}
    if proof.fact.population.startswith("customers") and allowed & said - {"customer"}:
        allowed.add("customer")  # what is measured is of all customers
    if said & allowed - {"customer"}:
        allowed.add("total")  # "of their total spending"
    wrong = said - allowed - {"share"}
    return f"takes a percentage of {', '.join(sorted(wrong))}, not of what the fact does" if wrong else None
