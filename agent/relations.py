"""Whether the relation of a statement is the cited fact's: the order and roles of names, negation,
superlatives and ranks, comparisons within one fact, and reasons.
"""

from __future__ import annotations

import itertools
import re

from agent.claim_words import vocabulary
from agent.claims import Mark, Reading
from agent.evidence import Evidence, within

_BACK = re.compile(r"because|since|due to|owing to|thanks to|因为|由于", re.I)
_TOWARDS = re.compile(r"\b(?:to|like|with|resembles)\s*$|[与和跟同像]\s*$", re.I)
_ORDERLESS = re.compile(r"^\s*(?:,|、|，|and|和|与|, and|及|以及|\x00)\s*$")


def order_wrong(reading: Reading, proof: Evidence) -> str | None:
    """Names of one fact keep their order, or their roles where they are turned round."""
    own = proof.readings[reading.language]
    places, told = _places(own), []
    symmetric = _symmetric(reading, proof)
    for name in reading.names:
        keys = [k for k in name.keys if k in places and k not in symmetric]
        if keys and (not told or told[-1][1] != keys[0]):
            told.append((name, keys[0]))
    listed = _lists(own)
    for (a, key_a), (b, key_b) in itertools.pairwise(told):
        if key_a == key_b or places[key_a][0] == places[key_b][0]:
            continue
        roles = proof.fact.predicate == "bought_with"
        role_a, role_b = roles and _conditional(reading, a), roles and _conditional(reading, b)
        own_a, own_b = roles and _role(own, key_a), roles and _role(own, key_b)
        if places[key_a][0] < places[key_b][-1]:
            if (role_a and not own_a) or (role_b and not own_b):
                return "turns the relation of two names round"
        elif not (role_a == own_a and role_b == own_b and (own_a or own_b)) and not any(
            key_a in group and key_b in group for group in listed
        ):
            return "changes the order of two names"
    return None


def _places(reading: Reading) -> dict[str, list[int]]:
    """Where each key stands, in order."""
    places: dict[str, list[int]] = {}
    for name in reading.names:
        for key in name.keys:
            places.setdefault(key, []).append(name.start)
    return places


def _symmetric(reading: Reading, proof: Evidence) -> frozenset[str]:
    """The names that may change places: a likeness or a companionship holds both ways, as long as
    nothing else is said of one of the two; a customer who is the subject stands anywhere."""
    if proof.fact.predicate == "bought_with" and not reading.figures:
        return reading.keys  # bought together is bought together; only a share has a direction
    alike = proof.fact.predicate == "similar_to"
    if alike or proof.fact.predicate == "recommended":
        apart = reading.has("belong", "segment", "buy") or any(
            not k.startswith("customer:" if alike else "#") for k in reading.keys
        )
        if reading.has("high") or reading.ranks:  # the likest of A is B, though that of B may be C
            apart = apart or not any(
                n.keys & proof.subject and _TOWARDS.search(reading.text[: n.start]) for n in reading.names
            )
        return frozenset() if apart else reading.keys
    return frozenset(k for k in proof.subject if k.startswith("customer:"))


def _lists(own: Reading) -> list[set[str]]:
    groups: list[set[str]] = []
    for a, b in zip(own.names, own.names[1:], strict=False):
        if _ORDERLESS.match(own.text[a.end : b.start]):
            if groups and groups[-1] & a.keys:
                groups[-1] |= b.keys
            else:
                groups.append(set(a.keys | b.keys))
    return groups


def _role(own: Reading, key: str) -> bool:
    return any(_conditional(own, n) for n in own.names if key in n.keys)


def _conditional(reading: Reading, name: Mark) -> bool:
    patterns = vocabulary()["condition"][reading.language]
    if reading.language == "zh":
        return any(re.match(p, reading.text[name.end :]) for p in patterns)
    return any(re.search(p, reading.text[: name.start], re.I) for p in patterns)


def negation_wrong(reading: Reading, proof: Evidence) -> str | None:
    own = proof.readings[reading.language]
    denies, denied = reading.has("negation"), own.has("negation")
    if denies and (not denied or not _denied(reading) & _denied(own)):
        return "denies something that the fact does not deny"
    if denies and proof.fact.value is None and not reading.has("known", "data"):
        return "denies what is only not known"
    if denied and not denies:
        if proof.fact.value is None:
            return "leaves out a negation"
        for span in _clauses(reading):
            figures = any(span[0] <= f.start and f.end <= span[1] for f in reading.figures)
            if not figures and _content(reading, span) & _denied(own):
                return "leaves out a negation"
    return None


def _denied(reading: Reading) -> set[str]:
    """What the clauses with a negation speak of."""
    found: set[str] = set()
    for span in _clauses(reading):
        if any("negation" in m.keys and within(m, [span]) for m in reading.meanings):
            found |= _content(reading, span)
    return found


def _clauses(reading: Reading) -> list[tuple[int, int]]:
    cuts = [m.end() for m in re.finditer(r"[,;:.()，；：。（）]", reading.open)]
    edges = [0, *cuts, len(reading.open)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _content(reading: Reading, span: tuple[int, int]) -> set[str]:
    meant = {k for m in reading.meanings if within(m, [span]) for k in m.keys} - {
        "negation",
        "customer",
        "against",
    }
    words = {w.lower() for w in reading.unexplained if w in reading.text[span[0] : span[1]]}
    return meant | words


def superlative_wrong(reading: Reading, proof: Evidence) -> str | None:
    if wrong := [r for r in reading.ranks if r not in proof.ranks]:
        return f"gives rank {wrong[0]}, which the fact does not"
    if reading.has("high") and not (proof.best or (reading.ranks and "low" not in proof.meanings)):
        return "says the highest, which the fact does not"
    if reading.has("high") and not reading.ranks and "high" not in proof.meanings:
        words = [reading.text[m.start : m.end] for m in reading.meanings if "high" in m.keys]
        if reading.has("shop") or not all(re.search(proof.rules["best"], w, re.I) for w in words):
            return "says the highest of something else than the ranking's"
    if reading.has("low") and "low" not in proof.meanings:
        return "says the lowest, which the fact does not"
    return None


def comparison_wrong(reading: Reading, proof: Evidence) -> str | None:
    """Within one fact only a comparison with the usual figure can be read off."""
    if not reading.has("more", "less", "than"):
        return None
    if reading.has("more") == reading.has("less"):
        return "compares in a way that cannot be checked"
    up, sign = reading.has("more"), _against_usual(reading, proof)
    if sign is None or (sign > 0) != up:
        return "makes a comparison that the fact does not"
    return None


def _against_usual(reading: Reading, proof: Evidence) -> float | None:
    if proof.fact.predicate.startswith("contribution") and reading.has("chance") and not reading.has("than"):
        return float(proof.fact.value)
    if not reading.has("baseline"):
        return None
    mark = next(m for m in reading.meanings if m.keys & {"more", "less"})
    usual = next(m for m in reading.meanings if "baseline" in m.keys)
    turned = -1.0 if usual.start < mark.start and reading.language == "en" else 1.0
    for k in proof.known:
        if "ratio" in k.units and reading.has("share") and "share" in k.must:
            return turned * (k.figure.value - 1.0)
        for o in proof.known:
            if o is not k and k.units & o.units and "baseline" in o.must and "baseline" not in k.must:
                return turned * (k.figure.value - o.figure.value)
    return None


def cause_wrong(reading: Reading, proof: Evidence) -> str | None:
    for mark in reading.meanings:
        if "cause" not in mark.keys:
            continue
        predicate = proof.fact.predicate
        if predicate == "recommended":
            later = {k for m in reading.meanings if m.start > mark.start for k in m.keys}
            sooner = {k for m in reading.meanings if m.start < mark.start for k in m.keys}
            back = bool(_BACK.match(reading.text[mark.start : mark.end]))
            both = reading.text[mark.start : mark.end] in ("所以", "因此") and "cause" in sooner
            if "recommend" not in (later if back else sooner) or both or reading.language == "zh":
                continue
        if predicate.startswith("contribution") and float(proof.fact.value) > 0:
            continue
        return "gives a reason that the fact does not"
    return None


def habit_wrong(reading: Reading, proof: Evidence) -> str | None:
    """ "Every" belongs to a figure ("every 4 days"); alone ("every day") only where the fact says just that."""
    for mark in reading.meanings:
        if "every" in mark.keys and not any(0 <= f.start - mark.end <= 2 for f in reading.figures):
            said = re.sub(r"\W", "", reading.text[mark.start : mark.end + 5]).lower()
            own = re.sub(r"\W", "", proof.readings[reading.language].text).lower()
            if said not in own:
                return "makes a habit of what is none"
    return None


def agent_wrong(reading: Reading, proof: Evidence) -> str | None:
    """The shop recommends to the customer, not the other way round, and a purchase is no recommendation."""
    if proof.fact.predicate != "recommended":
        return None
    for name in reading.names:
        if any(k.startswith("customer:") for k in name.keys):
            before, behind = reading.text[: name.start], reading.text[name.end :]
            offers = re.match(r"\s*(?:\w+\s+)?(?:offer|recommend|suggest)s?\b", behind, re.I)
            if offers or (
                re.match(r"(?:应该|可以|应)?推荐", behind) and not re.search(r"[给向为对]\s*$", before)
            ):
                return "has the customer recommend"
    for span in _clauses(reading):
        acts = {k for m in reading.meanings if within(m, [span]) for k in m.keys}
        counted = any(f.unit == "trip" and span[0] <= f.start and f.end <= span[1] for f in reading.figures)
        if counted and "recommend" in acts and "buy" not in acts:
            return "counts recommendations"
    return None


def roles_wrong(reading: Reading, proof: Evidence) -> str | None:
    """What is recommended is not therefore bought, unless the fact says so."""
    if proof.fact.predicate != "recommended" or not reading.has("buy"):
        return None
    own = proof.readings["en"]
    target = own.names[0].keys if own.names else frozenset()
    evidence_names = {k for n in own.names[1:] for k in n.keys}
    if any(f.unit == "trip" for f in own.figures):
        return None
    for span in _clauses(reading):
        buys = any("buy" in m.keys and within(m, [span]) for m in reading.meanings)
        figures = any(span[0] <= f.start and f.end <= span[1] for f in reading.figures)
        named = {k for n in reading.names if span[0] <= n.start < span[1] for k in n.keys}
        if buys and not figures and (named & target or not evidence_names) and not named & evidence_names:
            return "says that what is recommended was bought"
    return None
