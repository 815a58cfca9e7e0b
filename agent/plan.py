"""Step 2, plan: one LLM call whose output grammar is built for this turn.

A tool whose required entity was not linked is not in the grammar, and arguments that have only one
possible value are bound by code, so the model chooses just the tool and its options.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from agent import cues, lines
from agent.binding import without_periods
from agent.examples import Examples, Kin
from agent.links import Links
from agent.prompts import Prompts
from agent.route import SURE, Router
from agent.subject import ENTITIES, MAX_CALLS, PSEUDO, Subject
from customers.ports import TextEncoder
from customers.shop import Shop
from tools import PLANNED, TOOLS
from tools.base import Access, Tool

KIN = 5
"""How many examples most like a question are open to its plan."""
_CLOSE = 0.8
"""An example this like a question (cosine) shows how many calls it needs."""


def allowed(subject: Subject) -> list[Tool]:
    """Return the tools that can be called with what is linked."""
    found = [tool for tool in PLANNED.values() if _possible(tool, subject)]
    # Who names one segment does not ask for the list of them.
    return [tool for tool in found if not (tool.name == "segments" and subject.keys("segment"))]


def _possible(tool: Tool, subject: Subject) -> bool:
    for name in tool.required:
        kind = tool.parameters[name].get("x-entity")
        if kind and kind != "all" and not subject.has(kind):
            return False
        if (literal := tool.parameters[name].get("x-literal")) and not getattr(subject.links, literal):
            return False
    either: Sequence[str] = getattr(tool, "one_of", ())
    return not either or any(subject.has(kind) for kind in either)


def spoken_for(subject: Subject, kin: Sequence[Kin] = ()) -> list[Tool]:
    """Return the allowed tools that the question's wording speaks for, and those of kin that are more like
    it than any that agrees with the wording; all allowed tools where none is spoken for."""
    possible, cued = allowed(subject), cues.tools(subject.links.text)
    if "profile" in cued and subject.links.keys("segment") and not subject.has("customer"):
        cued.add("segment")  # "describe the … shoppers"
    cued &= {tool.name for tool in possible}
    if subject.links.periods and not subject.keys("campaign") and len(cued) > 1:
        cued -= {"campaign"}  # all campaigns are told of the whole time
    alike = {
        tool for k in _until(kin, lambda call: call["tool"] in cued) for tool in (c["tool"] for c in k.calls)
    }
    return [
        t for t in possible if t.name in cued or (t.name in alike and t.access is Access.READ)
    ] or possible


def _until(kin: Sequence[Kin], agrees: Callable[[Mapping[str, Any]], bool]) -> list[Kin]:
    """Return the kin before the first that agrees."""
    return list(takewhile(lambda k: not any(agrees(call) for call in k.calls), kin))


def grammar(subject: Subject, shop: Shop, kin: Sequence[Kin] = ()) -> dict[str, Any]:
    """Return the JSON schema of this turn's plan. kin: the examples whose plans are open to it beside
    what the wording speaks for."""
    text = subject.links.text
    forms = [_form(tool, subject, shop, kin) for tool in spoken_for(subject, kin)]
    forms += [_object({"tool": {"const": name}}) for name in PSEUDO]
    several = cues.asks_several(text) or any(len(k.calls) > 1 and k.likeness > _CLOSE for k in kin[:1])
    most = min(MAX_CALLS, _asked(subject)) if several else 1
    return _object({"calls": {"type": "array", "items": {"anyOf": forms}, "minItems": 1, "maxItems": most}})


def _options(tool: Tool, name: str, subject: Subject, shop: Shop, kin: Sequence[Kin]) -> list[str]:
    """Return the values of an option that the question's wording, or its kin, leave open."""
    values, text = list(tool.parameters[name]["enum"]), subject.links.text
    if tool.parameters[name].get("x-add"):
        values += shop.keys(tool.parameters[name]["x-add"])
    if name == "quantity":
        found = cues.quantities(text)
        # Who is named is not counted: "how many times did customer 88 come".
        found = ([q for q in found if q != "customers"] if subject.customers else found) or found
    elif name == "about":
        found = cues.about(text)
        found += ["everything"] if len(found) > 1 else []
    elif name == "by":
        found = breakdowns(subject, shop.keys("attribute"))
        if found != ["none"] or cues.asks_one(text):
            return found
    else:
        return values
    before = _until(kin, lambda call: call["tool"] == tool.name and call.get(name) in found)
    alike = [c[name] for k in before for c in k.calls if c["tool"] == tool.name and c.get(name) in values]
    return list(dict.fromkeys([*found, *alike])) or values


def _asked(subject: Subject) -> int:
    """Return how many calls a question that asks for several things may need: one for each tool that it
    speaks for, and for each quantity beyond the first; two where it speaks for none."""
    text = subject.links.text
    tools = cues.tools(text) & {tool.name for tool in allowed(subject)}
    quantities = set(cues.quantities(text)) - ({"units"} if "spend" in cues.quantities(text) else set())
    return max(len(tools) + max(len(quantities) - 1, 0), 2 if not subject.described else 1)


def open_calls(subject: Subject, shop: Shop, failed: str = "") -> dict[str, dict[str, Any]]:
    """Return every call that a subject allows, by its line, for a planner that was tuned to choose among them;
    what the wording speaks for is left to it. failed: a tool that is out of the question."""
    forms = []
    for tool in PLANNED.values():
        named, findable = _callable(tool, subject), _takes_found(tool) and _worded(tool, subject)
        if tool.name == failed or not (named or findable):
            continue
        form: dict[str, Any] = {"tool": {"const": tool.name}}
        for name, schema in tool.parameters.items():
            keys = subject.keys(schema["x-entity"]) if schema.get("x-entity") == "category" else ()
            if "enum" in schema:
                added = shop.keys(schema["x-add"]) if schema.get("x-add") else ()
                form[name] = {"enum": [*schema["enum"], *added]}
            elif len(keys) > 1:
                form[name] = {"enum": ["", *keys]}
        if findable:
            form["from"] = {"enum": ["", lines.FOUND] if named else [lines.FOUND]}
        forms.append(_object(form))
    return lines.table([*forms, *(_object({"tool": {"const": name}}) for name in PSEUDO)])


def _callable(tool: Tool, subject: Subject) -> bool:
    """Whether a tool can be called with what is linked."""
    kinds = (tool.parameters[name].get("x-entity") for name in tool.required)
    if not _worded(tool, subject) or any(kind and kind != "all" and not subject.has(kind) for kind in kinds):
        return False
    either: Sequence[str] = getattr(tool, "one_of", ())
    return not either or any(subject.has(kind) for kind in either)


def _worded(tool: Tool, subject: Subject) -> bool:
    """Whether the asker's own words that a tool requires are there; a note may be the whole of what was said."""
    literals = (tool.parameters[name].get("x-literal") for name in tool.required)
    return all(getattr(subject.links, literal) for literal in literals if literal and literal != "note")


def _takes_found(tool: Tool) -> bool:
    """Whether a call of the tool may take what an earlier one finds."""
    kinds = {schema.get("x-entity") for schema in tool.parameters.values()}
    return tool.access is Access.READ and bool(kinds & {*ENTITIES, "all"})


def without(schema: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """Return a turn's grammar without one tool, whose call has failed."""
    listed = schema["properties"]["calls"]
    forms = [f for f in listed["items"]["anyOf"] if f["properties"]["tool"]["const"] != tool]
    return _object({"calls": {**listed, "items": {"anyOf": forms}}})


# A count of things is not broken down by those very things.
_COUNTED = {"customers": "customer", "products": "product", "mean_spend": "customer"}


def breakdowns(subject: Subject, attributes: Sequence[str]) -> list[str]:
    """Return what `measure` may break its figure down by: what the question says and does not fix. attributes: those of
    the shop's customers."""
    text, links = subject.links.text, subject.links
    named = {"customer": subject.customers, "category": subject.categories} | {
        k: v for k, v in links.things.items() if k != "category"
    }
    several = [k for k, v in named.items() if len(v) > 1]
    several += [a for a, v in links.attributes.items() if len(v) > 1 and a not in links.joined]
    fixed = {k for k, v in named.items() if len(v) == 1} | (links.attributes.keys() - set(several))
    if cues.asks_share(text) and not several and set(cues.quantities(text)) & {"customers", "baskets"}:
        return ["none"]  # customers of several categories overlap: their share is told of the one figure
    counted = {_COUNTED.get(q, "") for q in cues.quantities(text)} - set(several)
    found = cues.breakdowns(
        without_periods(links), [k for k, v in named.items() if v], several, list(attributes)
    )
    found = [d for d in found if d not in counted] or ["none"]
    # A thing that is named alone narrows the figure; what is not named is what to break it down by.
    kept = [d for d in found if d not in fixed] if set(found) - fixed - {"none"} else found
    if cues.asks_share(text) and links.keys("brand") and set(kept) - {"none"}:
        return [_part(links, [d for d in kept if d != "none"])]
    if not (cues.asks_share(text) or set(kept) - fixed):
        return ["none"]
    return list(dict.fromkeys([*kept, "none"])) if cues.asks_one(text) and not several else kept


def _part(links: Links, kinds: Sequence[str]) -> str:
    """Return the kind of what a share is asked of: "the share of A that goes to B" names it last, "B占A" first."""
    places = {k: [span for (kind, _), span in links.spans.items() if kind == k] for k in kinds}
    placed = sorted((min(spans), kind) for kind, spans in places.items() if spans)
    return (placed[0 if "占" in links.text else -1][1]) if placed else kinds[0]


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _form(tool: Tool, subject: Subject, shop: Shop, kin: Sequence[Kin]) -> dict[str, Any]:
    properties: dict[str, Any] = {"tool": {"const": tool.name}}
    for name, schema in tool.parameters.items():
        kind = schema.get("x-entity")
        if "enum" in schema:
            properties[name] = {"type": "string", "enum": _options(tool, name, subject, shop, kin)}
        elif kind in ENTITIES and len(subject.keys(kind)) > 1 and _one_of(kind, subject):
            properties[name] = {"type": "string", "enum": list(subject.keys(kind))}
    return _object(properties)


def _one_of(kind: str, subject: Subject) -> bool:
    """Whether the plan says which of several things a call is about; else it runs for each of them.
    Categories are too often named in passing to be meant each."""
    return kind == "category" or cues.asks_several(subject.links.text)


def follows(raw: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether a plan keeps to its turn's grammar: a server may not have been able to hold the model to it."""
    listed, calls = schema["properties"]["calls"], raw.get("calls")
    if not isinstance(calls, list) or not listed["minItems"] <= len(calls) <= listed["maxItems"]:
        return False
    forms = {form["properties"]["tool"]["const"]: form["properties"] for form in listed["items"]["anyOf"]}
    return all(isinstance(call, dict) and _fits(call, forms.get(call.get("tool"))) for call in calls)


def _fits(call: Mapping[str, Any], form: Mapping[str, Any] | None) -> bool:
    if form is None or call.keys() != form.keys():
        return False
    return all(call[name] in schema["enum"] for name, schema in form.items() if "enum" in schema)


def named(subject: Subject, *, told_apart: bool = False) -> str:
    """Return the kinds of what was linked, as the planner's prompt shows them. told_apart: several categories
    by their keys, for a planner that chooses among them."""
    links, parts = subject.links, []
    kinds = {"customer": subject.customers, "category": subject.categories}
    kinds |= {k: v for k, v in links.things.items() if k != "category"}
    kinds |= {k: [] for k in subject.described if k not in kinds}
    for kind, keys in kinds.items():
        if len(keys) > 1 and told_apart and kind == "category":
            parts.append(f"categories {'; '.join(keys)}")
        elif keys:
            parts.append(kind if len(keys) == 1 else f"{len(keys)} {_plural(kind)}")
        elif kind in subject.described:
            parts.append(kind)
    parts += [f"customers' {attribute}" for attribute in links.attributes]
    for present, word in ((links.periods, "period"), (links.counts, "count"), (links.amounts and told_apart, "threshold"),
                          ("new_only" in links.modifiers, "never bought"), (links.terms, "words")):  # fmt: skip
        if present:
            parts.append(word)
    return ", ".join(parts) or "nothing"


def _plural(kind: str) -> str:
    return {"category": "categories"}.get(kind, f"{kind}s")


_LEARNT: dict[tuple[Prompts, type], tuple[Examples, Router]] = {}


def _learnt(prompts: Prompts, encoder: TextEncoder) -> tuple[Examples, Router]:
    """Return what is learnt from a set of prompts; the agents of a process share it."""
    key = (prompts, type(encoder))
    if key not in _LEARNT:
        examples = Examples([*prompts.examples("plan_examples"), *prompts.bank()], encoder)
        _LEARNT[key] = (examples, Router(examples))
    return _LEARNT[key]


class Planner:
    """The planner's prompt of one shop, and its examples by similarity as the fallback."""

    def __init__(self, shop: Shop, encoder: TextEncoder, prompts: Prompts) -> None:
        self._shop, self._prompts = shop, prompts
        shown = prompts.examples("plan_examples")
        self._examples, self._router = _learnt(prompts, encoder)
        self.tuned_system = prompts.fill("plan_tuned_system").strip()
        dimensions = [d for d in TOOLS["measure"].parameters["by"]["enum"] if d != "none"]
        self.system = prompts.fill(
            "plan_system",
            tools="\n".join(f"- {tool.name}: {tool.describe}" for tool in PLANNED.values()),
            dimensions=", ".join([*dimensions, *shop.keys("attribute")]),
            examples="\n".join(self._example(e) for e in shown),
        )

    def _example(self, e: Mapping[str, Any]) -> str:
        return f"Q: {e['q']}\nNames: {e['names']}\n{json.dumps({'calls': e['calls']}, ensure_ascii=False)}"

    def messages(self, subject: Subject, before: str = "") -> list[dict[str, str]]:
        """Return the chat messages of one plan; the first is the same bytes in every turn.

        The examples most like the question are not shown: over 46 fresh questions the 1.5B then chose wrongly
        13 times instead of 9, for it copies them, and every turn paid for their tokens.
        """
        question = self._prompts.fill(
            "plan_question", question=subject.links.text, names=named(subject), before=before
        )
        return [{"role": "system", "content": self.system}, {"role": "user", "content": question}]

    def tuned_messages(self, subject: Subject, before: str = "") -> list[dict[str, str]]:
        """Return the chat messages of one plan for a model that was tuned to plan."""
        names = named(subject, told_apart=True)
        question = self._prompts.fill(
            "plan_question", question=subject.links.text, names=names, before=before
        ).strip()
        return [{"role": "system", "content": self.tuned_system}, {"role": "user", "content": question}]

    def open_calls(self, subject: Subject, failed: str = "") -> dict[str, dict[str, Any]]:
        """Return every call that a tuned model may choose, by its line."""
        return open_calls(subject, self._shop, failed)

    def grammar(self, subject: Subject) -> dict[str, Any]:
        """Return the JSON schema of this turn's plan."""
        return grammar(subject, self._shop, self._examples.kin(subject.links, KIN))

    def certain(self, schema: Mapping[str, Any], subject: Subject) -> dict[str, Any] | None:
        """Return the plan where nothing is left for a model to choose: a turn's grammar leaves one only and the
        example most like the question has its tool, or the examples leave little doubt."""
        listed, top = schema["properties"]["calls"], self._examples.kin(subject.links, 1)[0]
        if listed["maxItems"] > 1:
            return None
        plan, share = self._router.plan(subject.links, schema)
        forms = {f["properties"]["tool"]["const"]: f["properties"] for f in listed["items"]["anyOf"]}
        tools = [name for name in forms if name not in PSEUDO]
        single = len(tools) == 1 and all(len(v.get("enum", "1")) == 1 for v in forms[tools[0]].values())
        if single and [c["tool"] for c in top.calls] == tools:
            values = {name: v["enum"][0] for name, v in forms[tools[0]].items() if "enum" in v}
            return {"calls": [{"tool": tools[0]} | values]}
        return plan if share >= SURE else None

    def likeliest(self, subject: Subject, failed: str = "") -> dict[str, Any]:
        """Return the plan that the examples speak for (no LLM). failed: a tool that is out of the question."""
        return self._router.plan(subject.links, without(self.grammar(subject), failed))[0]

    def fit(self) -> None:
        """Learn from the examples now, so that no question waits for it."""
        self._router.fit()
