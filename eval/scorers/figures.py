"""Figures: what the case expects of the answer's words, by eval/truth.py: figures, names, mentions, silence."""

from __future__ import annotations

from eval.scorers import rules
from eval.scorers.ground import Ground, Reply, Turn, Wrong

_ASPECTS = {
    "figure": "figures",
    "members": "figures",
    "no_figures": "figures",
    "top": "names",
    "mentions": "mentions",
    "silent": "silent",
}


def check(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspects "figures", "names", "mentions" and "silent", each where something is expected of it. Raises ValueError
    for a check that eval/truth.py does not know."""
    checks = [c for c in turn.get("expect") or () if not rules.of_rules(c)]
    if turn.get("silent"):
        checks.append({"silent": turn["silent"]})
    found: Wrong = {}
    for expected in checks:
        aspect = next((name for key, name in _ASPECTS.items() if key in expected), "figures")
        found.setdefault(aspect, []).extend(ground.check(turn, reply, [expected]))
    return found
