"""Kind: whether the agent answered, asked back, refused or handed over as it should, and handed over with a brief."""

from __future__ import annotations

from typing import Any

from eval.scorers.ground import Ground, Reply, Turn, Wrong


def allowed(turn: Turn) -> list[str]:
    """Return the acceptable kinds; none where any will do."""
    kind: Any = turn.get("kind") or []
    return [kind] if isinstance(kind, str) else list(kind)


def check(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspects "kind", and "brief" of a turn that was handed over."""
    kinds = allowed(turn)
    if not kinds:
        return {}
    right = reply["kind"] in kinds
    found: Wrong = {
        "kind": [] if right else [f"kind is {reply['kind']}, should be {' or '.join(kinds)}"],
    }
    if reply["kind"] == "handoff":
        handoff = reply.get("handoff") or {}
        empty = [name for name in ("reason", "brief") if not str(handoff.get(name) or "").strip()]
        brief = str(handoff.get("brief") or "")
        missing = [str(word) for word in turn.get("brief") or () if str(word) not in brief]
        found["brief"] = [f"the handoff has no {name}" for name in empty]
        found["brief"] += [f"the brief does not tell of {word}" for word in missing]
    return found
