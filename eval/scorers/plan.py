"""Plan: whether the tools that ran, and what they were given, are those of an acceptable plan."""

from __future__ import annotations

from typing import Any

from eval.plans import Fault, judge
from eval.scorers.ground import Ground, Reply, Turn, Wrong


def tools(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspect "tools": the tools are those of an acceptable plan, or one of `tools` ran where there is no plan."""
    if turn.get("plans"):
        fault = _fault(turn, reply, ground)
        return {"tools": [fault.detail] if fault is not None and fault.step == "tool" else []}
    accepted = turn.get("tools") or ()
    if not accepted:
        return {}
    used = [step["tool"] for step in reply.get("steps", ())]
    if any(tool in accepted for tool in used):
        return {"tools": []}
    return {"tools": [f"{', '.join(used) or 'no tool'} ran; should be {' or '.join(accepted)}"]}


def whole(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspects "tools" and, where they are right and there are plans, "arguments"."""
    found = tools(turn, reply, ground)
    if not turn.get("plans") or found["tools"]:
        return found
    fault = _fault(turn, reply, ground)
    if fault is None:
        return found | {"arguments": []}
    return found | {"arguments": [f"{', '.join(dict.fromkeys(fault.args))}: {fault.detail}"]}


def _fault(turn: Turn, reply: Reply, ground: Ground) -> Fault | None:
    """What is wrong with the calls; the kind is another scorer's."""
    plans: Any = turn["plans"]
    case = {"kind": reply["kind"], "plans": plans, "ordered": turn.get("ordered", False)}
    return judge(case, reply["kind"], reply.get("steps", ()), ground.days)
