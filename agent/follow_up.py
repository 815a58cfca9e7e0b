"""A short follow-up question read with the calls of the turn before: the same with other words in their place, other offers
instead of those that were turned down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent import cues
from agent.binding import filters
from agent.memory import Memory
from agent.prompts import pattern
from agent.subject import Call, Subject
from tools import TOOLS

GOODS = ("category", "department", "type", "product", "brand")
_ELLIPSIS = re.compile(
    r"^\W*(?:(?:and|what about|how about|same|also|now|ok(?:ay)?,?\s+(?:and|what))\b|那么|那|还有|再|换)",
    re.IGNORECASE,
)
_ELLIPSIS_END = re.compile(r"呢\W*$|\b(?:instead|too|as well)\W*$", re.IGNORECASE)
_VERB = pattern("own_question")
# "And January, how much?" asks the figure of the question before: the words say no more than that.
_HOW_MUCH = re.compile(
    r"\bhow\s+much(?:\s+(?:was|is)\s+(?:it|that))?\b|(?:[是又有]|卖了)?多少(?:钱)?", re.IGNORECASE
)
_TURNED_DOWN, _OTHER_OFFERS = pattern("turned_down"), pattern("other_offers")
_OF_THE_SAME = pattern("of_the_same")


def leads_on(text: str) -> bool:
    """Whether a text goes on from the one before ("and 1228?")."""
    return bool(_ELLIPSIS.search(text) or _ELLIPSIS_END.search(text))


def offered_last(text: str, memory: Memory) -> str | None:
    """Return whom the last offers were for, where a text asks for others in their place."""
    last = (memory.get("calls") or [{}])[-1]
    if last.get("tool") != "recommend" or not (_TURNED_DOWN.search(text) or _OTHER_OFFERS.search(text)):
        return None
    return str(last["args"].get("customer"))


def follow_up(asked: Subject, memory: Memory) -> list[Call]:
    """Return the last calls with what a short follow-up names put in their place ("and 1228?").
    [] when the question is one of its own."""
    links, last = asked.links, memory.get("calls") or []
    if again := _others_instead(asked, memory):
        return [again]
    if other := _of_the_same(asked, last):
        return [other]
    text = _HOW_MUCH.sub(" ", links.text) if links.periods and not links.customers else links.text
    leads = leads_on(text)
    bare = links.any() and not _VERB.search(text) and cues.is_short(text)
    if not last or not cues.is_short(text) or not (leads or bare) or _VERB.search(text):
        return []
    if _asks_of_visits(text) and not any(c["tool"] in _OF_VISITS for c in last):
        return []
    if (
        links.ambiguous
        or links.unknown
        or links.left_out
        or not (links.any() or links.counts or links.modifiers)
    ):
        return []
    changed = [_changed(Call(c["tool"], dict(c["args"])), asked) for c in last]
    calls = [c for c in changed if c is not None]
    return calls if len(calls) == len(changed) else []


_OF_VISITS = frozenset({"profile", "last_purchase"})


def _asks_of_visits(text: str) -> bool:
    """Whether a text asks by itself when somebody was here ("再看一次1577号：最近一次到店日期？")."""
    return "visits" in cues.about(text) and "profile" in cues.tools(text)


def _of_the_same(asked: Subject, last: Sequence[Mapping[str, Any]]) -> Call | None:
    """Return the last figure in another unit ("how many customers was that?"): of all that it was of."""
    quantities = cues.quantities(asked.links.text)
    if len(last) != 1 or last[0]["tool"] != "measure" or len(quantities) != 1 or asked.links.any():
        return None
    if not _OF_THE_SAME.search(asked.links.text):
        return None
    kept = {k: v for k, v in last[0]["args"].items() if k not in ("n", "ascending", "amount")}
    return Call("measure", {**kept, "quantity": quantities[0], "by": "none"})


def _changed(call: Call, asked: Subject) -> Call | None:
    links, args = asked.links, dict(call.args)
    parameters, changed = TOOLS[call.tool].parameters, False
    for name, schema in parameters.items():
        kind = schema.get("x-entity")
        if kind == "all":
            new = filters(replace(asked, customers=links.customers))
            if new:
                args[name] = _merged(dict(args.get(name) or {}), new)
                changed = True
        elif kind and (keys := links.keys(kind)):
            args[name], changed = keys[0], True
        elif schema.get("x-count") and links.counts:
            args[name], changed = links.counts[0], True
        elif (modifier := schema.get("x-modifier")) and modifier in links.modifiers:
            args[name], changed = True, True
        elif schema.get("x-period") and links.periods:
            day = getattr(links.periods[0], schema["x-period"])
            args[name], changed = day.isoformat(), True
    return Call(call.tool, args) if changed else None


def _others_instead(asked: Subject, memory: Memory) -> Call | None:
    """Return the offer of others where those before were turned down and no figure or other thing is asked for."""
    text = asked.links.text
    whom = offered_last(text, memory)
    if whom is None or not _TURNED_DOWN.search(text) or asked.customers[-1:] != [whom]:
        return None
    if _names_more(asked, memory) or asked.links.unknown or cues.quantities(text) or cues.asks_why(text):
        return None
    return _instead(Call("recommend", {"customer": whom, **_modified(asked)}), asked, memory, True)


def _names_more(asked: Subject, memory: Memory) -> bool:
    """Whether a text names anything but what was offered before ("the first one won't do")."""
    offered = {key for keys in memory.get("offered", {}).values() for key in keys}
    return any(
        set(keys) - (offered if kind == "product" else set()) for kind, keys in asked.links.things.items()
    )


def _modified(asked: Subject) -> dict[str, Any]:
    links = asked.links
    return ({"n": links.counts[0]} if links.counts else {}) | (
        {"new_only": True} if "new_only" in links.modifiers else {}
    )


def without_offered(calls: Sequence[Call], asked: Subject, memory: Memory) -> list[Call]:
    """Return the calls, with what was offered to a customer before left out where other offers are asked for.

    Where those before were turned down and nothing else is named, the others are of the same kind.
    """
    text = asked.links.text
    down = bool(_TURNED_DOWN.search(text))
    if not (down or _OTHER_OFFERS.search(text)):
        return list(calls)
    return [_instead(call, asked, memory, down) if call.tool == "recommend" else call for call in calls]


def _instead(call: Call, asked: Subject, memory: Memory, down: bool) -> Call:
    customer = str(call.args.get("customer"))
    before = memory.get("offered", {}).get(customer)
    if not before:
        return call
    args = {**call.args, "exclude": before}
    last = [c["args"] for c in memory.get("calls") or [] if c["tool"] == "recommend"]
    if down and last and last[-1].get("customer") == customer and not _names_more(asked, memory):
        kept = {key: last[-1][key] for key in ("category", "n", "new_only") if last[-1].get(key)}
        if asked.links.counts:
            kept.pop("n", None)
        args = args | kept
    return Call(call.tool, args)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Replace filters by new ones of the same side: another category takes the first one's place."""
    if any(kind in new for kind in GOODS):
        old = {k: v for k, v in old.items() if k not in GOODS}
    return old | new
