"""A plan as short lines: `["profile visits","recommend"]`.

A planner that was tuned for it answers with a list of such lines instead of objects with named options: some six
tokens a plan where the object takes twenty. The lines of a turn are the calls that its subject allows, so the
server's grammar is an enumeration, and what the model wrote is looked up, never parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from agent.subject import MAX_CALLS

Call = Mapping[str, Any]


FOUND = "found"
"""Ends the line of a call that takes what an earlier call of the plan finds ("recommend found")."""


def line(call: Call) -> str:
    """Return a call as its line: the tool and its options in the order of the tool's parameters."""
    return " ".join(str(value) for value in call.values() if value)


def table(forms: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every line that the forms of a turn's grammar allow, with the call that it stands for."""
    found: dict[str, dict[str, Any]] = {}
    for form in forms:
        options = {
            name: schema.get("enum") or [schema["const"]] for name, schema in form["properties"].items()
        }
        for values in product(*options.values()):
            call = dict(zip(options, values, strict=True))
            found[line(call)] = call
    return found


def schema(allowed: Iterable[str], most: int = MAX_CALLS) -> dict[str, Any]:
    """Return the JSON schema of a plan of these lines."""
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(allowed)},
        "minItems": 1,
        "maxItems": most,
    }


def written(calls: Sequence[Call]) -> str:
    """Return a plan as the model is taught to write it."""
    return json.dumps([line(call) for call in calls], ensure_ascii=False, separators=(",", ":"))


def read(text: str, allowed: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the calls of a plan that a model wrote, each once; None where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or not found or any(x not in allowed for x in found):
        return None
    return [allowed[x] for x in dict.fromkeys(found)][:MAX_CALLS]
