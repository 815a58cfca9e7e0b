"""The examples of prompts/tuning as the prompts that a planner sees: each question is linked as a turn would link it,
so that the model is taught on the very names, and the very mistakes, that it will be given."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent import conversation, lines
from agent.language import language_of
from agent.link import Linker
from agent.memory import Memory
from agent.plan import Planner, named
from agent.reading import read_question
from agent.subject import Subject
from customers.shop import Shop
from tools import TOOLS

Row = Mapping[str, Any]
DISTRACTED = 0.25
"""The share of questions about one category that are told a second time with another that only seems to be named."""


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt (the user's message) and the plan that it should be answered with."""

    user: str
    target: str


def examples(
    rows: Iterable[Row], shop: Shop, planner: Planner, linker: Linker, seed: int = 1
) -> list[Example]:
    """Return the prompts of labelled questions, each once; those whose plan the linked question does not allow are
    left out."""
    chance, found = random.Random(seed), {}
    for row in rows:
        for example in _examples(row, shop, planner, linker, chance):
            found.setdefault(example.user, example)
    return list(found.values())


def _examples(
    row: Row, shop: Shop, planner: Planner, linker: Linker, chance: random.Random
) -> Iterator[Example]:
    memory = _memory(row, linker)
    asked = conversation.for_planning(_subject(row["q"], row, memory, linker))
    calls = _calls(row["calls"], asked)
    allowed = planner.open_calls(asked)
    if calls is None or any(lines.line(call) not in allowed for call in calls):
        return
    before = conversation.before(asked, memory, in_lines=True)
    user = planner.tuned_messages(asked, before)[1]["content"]
    yield Example(user, lines.written(calls))
    keys = asked.keys("category")
    if len(keys) == 1 and len(calls) == 1 and _takes_category(calls[0]) and chance.random() < DISTRACTED:
        other = chance.choice([k for k in shop.keys("category") if k != keys[0]])
        pair = sorted([keys[0], other], key=lambda _: chance.random())
        names = named(asked, told_apart=True).replace("category", f"categories {'; '.join(pair)}", 1)
        told = user.rpartition("Names: ")[0] + f"Names: {names}"
        yield Example(told, lines.written([{**calls[0], "category": keys[0]}]))


def _takes_category(call: Row) -> bool:
    tool = TOOLS.get(call["tool"])
    return tool is not None and "category" in tool.parameters


def _subject(question: str, row: Row, memory: Memory, linker: Linker) -> Subject:
    role = "merchandiser" if row.get("role") == "merchandiser" else "service"
    _, asked = read_question(question, linker, memory, role, row.get("customer"), language_of(question))
    return asked


def _memory(row: Row, linker: Linker) -> Memory:
    """What the turn before left."""
    if "before" not in row:
        return {}
    before = row["before"]
    asked = _subject(before["q"], row, {}, linker)
    calls = [
        {"tool": c["tool"], "args": {k: v for k, v in c.items() if k != "tool"}} for c in before["calls"]
    ]
    things = {kind: list(keys) for kind, keys in asked.links.things.items() if keys}
    return {"question": before["q"], "customers": list(asked.customers), "things": things, "calls": calls}


def _calls(labelled: Iterable[Row], asked: Subject) -> list[dict[str, Any]] | None:
    """Return the calls as the planner has to write them for what was linked; None where that cannot be said."""
    calls, keys = [dict(call) for call in labelled], asked.keys("category")
    if asked.described and len(calls) > 1 and any(call.get("from") for call in calls):
        calls = [{k: v for k, v in call.items() if k != "from"} for call in calls[1:]]
    for call in calls:
        wanted = call.pop("category", None)
        if len(keys) > 1 and _takes_category(call) and not call.get("from"):
            if wanted not in keys:
                return None
            call["category"] = wanted
        if call.get("from"):
            call["from"] = call.pop("from")  # last in its line
    return list({json.dumps(c): c for c in calls}.values())
