"""Plans in which a call takes what an earlier one finds, as a tuned planner writes them: `["measure spend customer",
"recommend found"]`. The found thing takes the place of what the call would have been given by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent import cues
from agent.binding import FILTERED, bind, bound
from agent.subject import ENTITIES, MAX_CALLS, PSEUDO, Call, Found, Subject
from tools import TOOLS

MONTH = "month"
"""What a figure by month finds; it takes the place of a period."""
FEW = 3
"""How many customers "our best customers" are."""
_FINDS = {"audience": "customer", "similar_customers": "customer", "bought_with": "category", "segments": "segment",
          "campaign": "campaign", "search_products": "product", "recommend": "product"}  # fmt: skip
_OF_PROFILE = {"tastes": "category", "next": "category", "everything": "segment"}
SEVERAL = re.compile(
    r"(?:customers|people|shoppers|households|buyers|clients|visitors|spenders|fans)\b|[几些]|(?<![我你咱])们",
    re.IGNORECASE,
)
_ONE = re.compile(
    r"\b(?:customer|shopper|household|buyer|client|visitor|spender|person|fan|one|whoever)\b|[那这哪][位个]|谁|第一(?:名|位)|头号",
    re.IGNORECASE,
)


def bind_plan(raw: Mapping[str, Any], subject: Subject) -> list[Call]:
    """Return the calls of a plan, each argument that code decides filled in; `binding.bind` where none takes what
    another finds."""
    items = list(raw.get("calls", []))
    if subject.described or not any(item.get("from") for item in items):
        if subject.described:  # what the wording describes has its finder already
            items = [
                i for i in items if i.get("from") or found_by(i["tool"], i) not in subject.described
            ] or items
        plain = [{k: v for k, v in item.items() if k != "from"} for item in items]
        # a call that was to take what another finds may lack it now
        bound_ = [c for c in bind({"calls": plain}, subject) if c.tool in PSEUDO or _whole(c)]
        return _pointing_back(bound_, subject) or [Call("clarify")]
    calls: list[Call] = []
    finders: list[tuple[int, str]] = []
    for item in items[:MAX_CALLS]:
        name = item["tool"]
        if name in PSEUDO:
            continue
        chosen = {k: v for k, v in item.items() if k not in ("tool", "from") and v}
        place = _source(name, finders) if item.get("from") else None
        made = bound(TOOLS[name], chosen, _without_counts(subject, finders) if place else subject)
        if place:
            used = (calls[place[0]].args.get("filters") or {}).keys()
            made = [_taking(_without(call, used), *place, subject) for call in made[:1]]
        made = [call for call in made if _whole(call) and call not in calls]
        if (kind := found_by(name, chosen)) and made:
            finders.append((len(calls), kind))
        calls += made
    return calls[:MAX_CALLS] or [Call("clarify")]


def _pointing_back(calls: list[Call], subject: Subject) -> list[Call]:
    """Let a call take the category that an earlier one finds, where the question names none and points back to it:
    "what does he like most, and what should we offer him there?"."""
    if subject.has("category") or not cues.points_back(subject.links.text):
        return calls
    found, finder = [], None
    for number, call in enumerate(calls):
        takes = call.tool in TOOLS and TOOLS[call.tool].parameters.get("category", {}).get("x-entity")
        if finder is not None and takes and not call.args.get("category"):
            call = Call(call.tool, call.args | {"category": Found(finder, "category", 1)})
        elif found_by(call.tool, call.args) == "category":
            finder = number
        found.append(call)
    return found


def _without(call: Call, used: Collection[str]) -> Call:
    """The call without what only the finder was narrowed by: "who buys most dog food, and what else for him"."""
    tool = TOOLS[call.tool]
    return Call(call.tool, {k: v for k, v in call.args.items() if k not in used or k in tool.required})


def found_by(tool: str, options: Mapping[str, Any]) -> str:
    """Return the kind of thing that a call with these options finds, "" where it finds none to go on with."""
    if tool == "measure":
        return options["by"] if options.get("by") in (*ENTITIES, MONTH) else ""
    return _OF_PROFILE.get(options.get("about", ""), "") if tool == "profile" else _FINDS.get(tool, "")


def _source(tool: str, finders: Sequence[tuple[int, str]]) -> tuple[int, str] | None:
    """The latest earlier call that finds something the tool takes, and its kind."""
    kinds = {schema.get("x-entity") for schema in TOOLS[tool].parameters.values()}
    takes = kinds | FILTERED | {MONTH} if "all" in kinds else kinds
    return next(((n, kind) for n, kind in reversed(finders) if kind in takes), None)


def _taking(call: Call, number: int, kind: str, subject: Subject) -> Call:
    found = Found(number, kind, _how_many(kind, subject))
    if kind == MONTH:
        return Call(call.tool, {k: v for k, v in call.args.items() if k != "end"} | {"start": found})
    name = next((n for n, s in TOOLS[call.tool].parameters.items() if s.get("x-entity") == kind), None)
    if name is None:
        return Call(call.tool, call.args | {"filters": {**call.args["filters"], kind: found}})
    return Call(call.tool, call.args | {name: found})


def _how_many(kind: str, subject: Subject) -> int:
    links = subject.links
    counted = [n for n, what in zip(links.counts, links.counted, strict=False) if what == kind]
    several = kind == "customer" and SEVERAL.search(links.text) and not _ONE.search(links.text)
    return counted[0] if counted else FEW if several else 1


def _without_counts(subject: Subject, finders: Sequence[tuple[int, str]]) -> Subject:
    """The subject without the counts of what is found: "three best customers" asks for no three products each."""
    links, kinds = subject.links, {kind for _, kind in finders}
    kept = [(n, what) for n, what in zip(links.counts, links.counted, strict=False) if what not in kinds]
    return replace(subject, links=replace(links, counts=[n for n, _ in kept], counted=[w for _, w in kept]))


def _whole(call: Call) -> bool:
    """Whether a call has all that its tool requires."""
    tool = TOOLS[call.tool]
    either: Sequence[str] = getattr(tool, "one_of", ())
    return all(call.args.get(name) is not None for name in tool.required) and (
        not either or any(call.args.get(name) for name in either)
    )
