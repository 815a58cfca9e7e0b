"""What an asker takes back in the same breath: "ice ... no wait, crackers", "冰块……不对，买咸饼干"."""

from __future__ import annotations

from agent.links import Links
from agent.prompts import pattern

_CORRECTION = pattern("correction")
_GOODS = frozenset({"category", "type", "product", "department"})
_NEAR = 12
"""How many characters may stand between the correction and what it corrects, or puts in its place."""


def corrected(links: Links) -> str:
    """Return the text without what is taken back, "" where nothing is: of the things of one kind that stand on
    both sides of a correction and near it, the one before."""
    text, placed = links.text, sorted((span, key[0]) for key, span in links.spans.items())
    placed += [(period.span, "period") for period in links.periods]
    for m in _CORRECTION.finditer(text):
        before = [p for p in placed if p[0][1] <= m.start() and m.start() - p[0][1] <= _NEAR]
        after = [p for p in placed if m.end() <= p[0][0] <= m.end() + _NEAR]
        for new in sorted(after):
            old = [p for p in sorted(before) if _alike(p[1], new[1])]
            if old:
                return text[: old[-1][0][0]] + text[new[0][0] :]
    return ""


def _alike(one: str, other: str) -> bool:
    return one == other or {one, other} <= _GOODS
