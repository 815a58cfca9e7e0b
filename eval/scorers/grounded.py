"""Grounded: whether everything that the answer states stands in the sample's own files (eval/audit.py)."""

from __future__ import annotations

from eval.scorers.ground import Ground, Reply, Turn, Wrong


def check(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspect "grounded", of any reply."""
    return {"grounded": ground.audit(reply)}
