"""What a question names only to leave it out: "instead of coffee", "other than milk and bread", "除了咖啡"."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.links import Links
from agent.prompts import pattern
from agent.subject import Subject

KINDS = frozenset({"department", "category", "type", "brand", "product"})
_BEFORE = re.compile(f"(?:{pattern('excluded_before').pattern})$", re.IGNORECASE)
_AFTER = re.compile(f"^(?:{pattern('excluded_after').pattern})", re.IGNORECASE)
_JOINT = re.compile(
    r"\s*(?:,|and|or|nor|&|和|与|或|、|以及|还有)\s*(?:(?:the|any|his|her|their|more)\s+)?", re.IGNORECASE
)
_REPLACED = pattern("replaced")


def left_out(links: Links) -> dict[str, list[str]]:
    """Return what a text names to leave it out, by kind. Where a product cannot be had, what is to stand in for it is
    of its own kind, so nothing is."""
    text = links.text
    if _REPLACED.search(text):
        return {}
    named = [(span, kind, key) for (kind, key), span in links.spans.items() if kind in KINDS]
    alike = [
        (links.alike[term], *thing)
        for term, things in links.ambiguous
        if term in links.alike
        for thing in things
    ]
    placed = sorted([*named, *alike])
    out = [bool(_BEFORE.search(text[:s]) or _AFTER.search(text[e:])) for (s, e), _, _ in placed]
    for a, b in [*zip(range(len(placed)), range(1, len(placed)), strict=False)]:
        out[b] = out[b] or (out[a] and _joined(text, placed[a][0], placed[b][0]))
    for b in range(len(placed) - 1, 0, -1):
        out[b - 1] = out[b - 1] or (out[b] and _joined(text, placed[b - 1][0], placed[b][0]))
    found: dict[str, list[str]] = {}
    for gone, (_, kind, key) in zip(out, placed, strict=True):
        if gone:
            found.setdefault(kind, []).append(key)
    return found


def _joined(text: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or bool(_JOINT.fullmatch(text[one[1] : other[0]]))


def without(subject: Subject) -> Subject:
    """Return a subject as if what it leaves out had not been named."""
    links, gone = subject.links, subject.links.left_out
    things = {k: [key for key in keys if key not in gone.get(k, ())] for k, keys in links.things.items()}
    parents = {t: c for t, c in links.parents.items() if t not in gone.get("type", ())}
    kept = replace(links, things=things, parents=parents)
    categories = [c for c in subject.categories if c not in gone.get("category", ())]
    derived = [c for c in subject.derived if c in parents.values()]
    return replace(subject, links=kept, categories=categories, derived=derived)
