"""A word that names several kinds of goods alike ("wine": domestic and imported): the plan is made as if the first had
been named, and the calls are then made for all of them. It is asked back about only where one must be chosen, as for
whom to send a coupon for it."""

from __future__ import annotations

from agent.links import Links
from agent.subject import Call
from tools import TOOLS

MOST = 3
"""Of how many of them at most anything but a figure is told."""
_CHOSEN = frozenset({"audience"})
"""Tools whose answer is acted on for one kind of goods."""


def over_all(calls: list[Call], links: Links) -> list[Call]:
    """Return the calls with everything that such a word names in place of the first; what is settled so is no longer
    ambiguous in `links`."""
    for term, things in list(links.ambiguous):
        kind, keys = things[0].kind, [thing.key for thing in things]
        if term not in links.alike or any(c.tool in _CHOSEN or c.tool not in TOOLS for c in calls):
            continue
        gone = set(keys) <= set(links.left_out.get(kind, ()))
        if not gone and kind != "category" and any(c.tool != "measure" for c in calls):
            continue
        if not gone:
            calls = [made for call in calls for made in _for_each(call, kind, keys)]
        links.ambiguous.remove((term, things))
    return calls


def _for_each(call: Call, kind: str, keys: list[str]) -> list[Call]:
    """A figure of all of them together; any other call once for each of the first few."""
    if "filters" in call.args:
        filters = call.args["filters"]
        others = [key for key in filters.get(kind, ()) if key not in keys]
        return [Call(call.tool, call.args | {"filters": {**filters, kind: [*keys, *others]}})]
    if call.args.get(kind) in keys:
        return [Call(call.tool, call.args | {kind: key}) for key in keys[:MOST]]
    return [call]
