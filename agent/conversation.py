"""What one turn leaves to the next, and how a follow-up question is read with it.

The memory holds what was talked about (customers, categories ...), the last calls, and a question
that waits for the asker's choice. It is plain JSON, kept by the checkpointer per session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from agent import cues, lines
from agent.events import Language, Role
from agent.follow_up import GOODS, leads_on, offered_last
from agent.link import Linker, Links
from agent.memory import Memory
from agent.prompts import pattern
from agent.subject import MAX_EACH, Call, Described, Subject
from tools import TOOLS
from tools.base import Access, Trace

_VERB = pattern("own_question")
_ORDINAL = ((1, r"\b(?:first|1st|former)\b|第一|前者"), (2, r"\b(?:second|2nd)\b|第二"), (3, r"\b(?:third|3rd)\b|第三"),
            (4, r"\b(?:fourth|4th)\b|第四"), (0, r"\b(?:last|latter)\b|最后|后者"))  # fmt: skip
_LISTED_EN, _LISTED_ZH = pattern("listed_place_en"), pattern("listed_place_zh")
_ELIDED = pattern("elided_goods")
_EACH, _AGREES, _DECLINES = pattern("each_of_them"), pattern("agrees"), pattern("declines")
_PLACES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": 0,
           "一": 1, "二": 2, "三": 3, "四": 4, "五": 5}  # fmt: skip
_KINDS = {"person": "customer", "item": "product", "顾客": "customer", "客户": "customer", "人": "customer",
          "商品": "product", "产品": "product", "品类": "category", "活动": "campaign"}  # fmt: skip
STANDS_FOR = {"customer": ("customer", "顾客"), "category": ("the category", "该品类"), "product": ("the product", "该商品"),
              "campaign": ("the campaign", "该活动"), "segment": ("the segment", "该分群"),
              "department": ("the department", "该部门"), "brand": ("the brand", "该品牌")}  # fmt: skip
"""What a question says in place of a thing that is known without its name, in English and in Chinese."""
KEPT_FOUND = 10
KEPT_OFFERED, KEPT_OFFERED_TO = 40, 5
"""How many of the things that an answer listed can be pointed to later."""
KEPT_GROUP = 5000
"""Of how many customers a later question can be asked ("which of them …"); nothing is said of a part of more."""


def language(question: str, memory: Memory, guessed: Language) -> Language:
    """Return the language to answer in: the question's own, or the session's where it has no words."""
    if not re.search(r"[A-Za-z\u3400-\u9fff]", question) and memory.get("language") in ("en", "zh"):
        return "zh" if memory.get("language") == "zh" else "en"
    return guessed


def resume(question: str, memory: Memory, linker: Linker) -> Links:
    """Return the links of a question, or of the one that waited for what this one gives."""
    links, pending = linker.link(question), memory.get("pending")
    if not pending or not cues.is_short(question) or _VERB.search(question):
        return links
    waiting = linker.link(pending["question"])
    if pending["need"] == "customer" and links.customers:
        waiting.customers[:] = links.customers
        waiting.unknown = [u for u in waiting.unknown if u[0] != "customer"]
        return waiting
    if pending["need"] == "choice":
        chosen = _chosen(question, links, [tuple(t) for t in pending["things"]])
        if chosen:
            waiting.ambiguous, waiting.terms = waiting.ambiguous[1:], []
            waiting.add(*chosen)
            return waiting
    return links


def waits_on(links: Links, memory: Memory) -> str:
    """Return the question that still waits for a customer, together with the goods that a reply tells instead of one
    ("yogurt"); "" for any other text."""
    pending = memory.get("pending")
    if (
        not pending
        or pending["need"] != "customer"
        or not cues.is_short(links.text)
        or _VERB.search(links.text)
    ):
        return ""
    goods = any(links.things.get(kind) for kind in GOODS)
    other = links.customers or links.unknown or links.periods or links.attributes or links.ambiguous
    asked = str(pending["question"])
    return f"{asked} {links.text}" if goods and not other and "recommend" in cues.tools(asked) else ""


def _chosen(question: str, links: Links, things: list[tuple[Any, ...]]) -> tuple[str, str] | None:
    for kind, key in things:
        if key in links.keys(kind):
            return kind, key
    for _, among in links.ambiguous:
        common = [t for t in things if t in [tuple(a) for a in among]]
        if len(common) == 1:
            return common[0][0], common[0][1]
    for place, word in _ORDINAL:
        if re.search(word, question, re.IGNORECASE) and place <= len(things):
            return things[place - 1][0], things[place - 1][1]
    if re.fullmatch(r"\W*(?:yes|yeah|yep|sure|right|是|是的|对|对的)\W*", question, re.IGNORECASE) and things:
        return things[0][0], things[0][1]
    if links.keys("category"):
        return "category", links.keys("category")[0]
    return None


def confirmed(question: str, memory: Memory) -> bool | None:
    """Return whether the asker agrees to the change that waits; None where none waits, or the question is
    another one."""
    pending = memory.get("pending")
    if not pending or pending["need"] != "confirm":
        return None
    return True if _AGREES.match(question) else False if _DECLINES.match(question) else None


def point_to_listed(links: Links, memory: Memory, linker: Linker) -> Links:
    """Return the links with what the question points to among the things that the last answer listed
    ("the second one") as if it had been named."""
    found = memory.get("found", {})
    match = _LISTED_EN.search(links.text) or _LISTED_ZH.search(links.text)
    if not found or match is None:
        return links
    word, noun = match.group(1) or "last", (match.group(2) or "").lower()
    place = int(word) if word.isdigit() else _PLACES[word.lower()]
    found = _of_their_list(memory) | (found if noun not in ("", "one") else {}) or found
    kind = _KINDS.get(noun, noun) if noun not in ("", "one") else next(iter(found))
    keys = found.get(kind, [])
    if kind not in STANDS_FOR or not keys or place > len(keys):
        return links
    stands_for = STANDS_FOR[kind][match.re is _LISTED_ZH]
    links = linker.link(f"{links.text[: match.start()]} {stands_for} {links.text[match.end() :]}".strip())
    links.pronoun = links.same_thing = False
    links.add(kind, keys[place - 1])
    return links


def _of_their_list(memory: Memory) -> dict[str, list[str]]:
    """The list that somebody stood in who was then looked at: "and the second one?" goes on in it."""
    group, calls = memory.get("group", []), memory.get("calls") or []
    looked_at = [c["tool"] for c in calls] == ["profile"] and calls[0]["args"].get("customer") in group
    return {"customer": group[:KEPT_FOUND]} if looked_at else {}


def subject(
    links: Links,
    memory: Memory,
    role: Role,
    picked: str | None,
    described: Mapping[str, Described] = MappingProxyType({}),
) -> Subject:
    """Return what the turn is about: what is named or described, else who is at hand.

    A service agent's picked customer is meant wherever nobody else is named; a merchandiser's only
    where the question points to somebody ("this customer", "她").
    """
    customers, at_hand = list(links.customers), False
    group = _group(links, memory, picked, described)
    grouped = links.things.get("segment") or links.attributes or "customer" in described
    listed = list(memory.get("found", {}).get("customer", []))
    if not customers and len(listed) > 1 and not picked and _EACH.search(links.text):
        customers = listed[:MAX_EACH]
    elif not customers and links.pronoun:
        customers = [picked] if picked else (list(memory.get("customers", []))[-1:] or listed[:1])
    elif not customers and not picked and not grouped and (offered_to := offered_last(links.text, memory)):
        customers = [offered_to]
    elif not customers and picked and role == "service" and not grouped:
        customers, at_hand = [picked], True
    elif not customers and not picked and not grouped and (before := _spoken_of(links, memory)):
        customers = [before]
    categories = list(links.keys("category"))
    if not categories and links.same_thing:
        for kind, keys in memory.get("things", {}).items():
            for key in keys:
                links.add(kind, key)
        categories = list(links.keys("category"))
    elif _ELIDED.search(links.text) and not links.customers and not any(links.things.values()):
        for kind, key in _goods_before(memory):
            links.add(kind, key)
        categories = list(links.keys("category"))
    derived = [] if categories else list(dict.fromkeys(links.parents.values()))
    asked = _asked_about(links, categories)
    return Subject(links, customers, categories, derived, at_hand, described, asked, group)


def _group(links: Links, memory: Memory, picked: str | None, described: Mapping[str, Described]) -> list[str]:
    """Return the customers that a question goes on from; [] where it names others that "they" may be."""
    group = list(memory.get("group", []))
    others = links.customers or links.attributes or "customer" in described
    others = others or any(links.things.get(kind) for kind in ("segment", "campaign"))
    points = cues.of_the_list(links.text) or (not picked and cues.points_to_several(links.text))
    return group if len(group) > 1 and points and not others else []


def _goods_before(memory: Memory) -> list[tuple[str, str]]:
    """The goods that the last answer was of, by kind and key."""
    args = [call["args"] for call in memory.get("calls") or []]
    told = [(kind, given) for one in args for kind, given in {**one, **(one.get("filters") or {})}.items()]
    return [
        (kind, key) for kind, given in told if kind in GOODS
        for key in ([given] if isinstance(given, str) else given or ())
    ]  # fmt: skip


_SENTENCE = re.compile(r"[.!?。！？]\s*(?=[^\s.!?。！？])")
_CLAUSE = re.compile(r"[.!?。！？，,;；]\s*(?=[^\s.!?。！？，,;；])")


def _asked_about(links: Links, categories: Sequence[str]) -> list[str]:
    """The categories of the sentence that asks, of the clause that asks why, where more are named before it."""
    if len(categories) < 2:
        return []
    ends = _CLAUSE if cues.asks_why(links.text) else _SENTENCE
    parts = [0, *(m.end() for m in ends.finditer(links.text))]
    if len(parts) < 2 or (ends is _CLAUSE and not cues.asks_why(links.text[parts[-1] :])):
        return []
    asked = [c for c in categories if (span := links.spans.get(("category", c))) and span[0] >= parts[-1]]
    return asked if len(asked) < len(categories) else []


_OF_ONE = frozenset(
    {"profile", "recommend", "explain_preference", "similar_customers", "notes", "last_purchase", "said"}
)


def _spoken_of(links: Links, memory: Memory) -> str | None:
    """Return whom the last answer was about, where a question only goes on from it ("and the last visit?")."""
    text, calls = links.text, memory.get("calls") or []
    goes_on = leads_on(text) or cues.asks_before(text)
    goes_on = goes_on and cues.is_short(text)
    if (
        not goes_on
        or cues.is_shop_wide(text)
        or not (cues.tools(text) | cues.worded(text)) & _OF_ONE
        or links.things.get("campaign")
    ):
        return None
    named = {
        str(c["args"].get("customer") or (c["args"].get("filters") or {}).get("customer")) for c in calls
    }
    whom = memory.get("customers") or []
    return whom[-1] if len(whom) == 1 and named <= {whom[0], str(whom)} else None


def before(asked: Subject, memory: Memory, *, in_lines: bool = False) -> str:
    """Return the line of the planner's prompt that tells the turn before, where the question leans on it.
    in_lines: for a planner that was tuned to plan in lines."""
    calls, links = memory.get("calls"), asked.links
    if not calls or not (links.pronoun or links.same_thing or cues.is_short(links.text)):
        return ""
    shown = [
        {"tool": c["tool"]} | {k: v for k, v in c["args"].items() if k in ("quantity", "by", "about")}
        for c in calls
    ]
    if in_lines:
        return f"Before: {memory.get('question', '')} {lines.written(shown)}\n"
    return f"Before: {memory.get('question', '')} {json.dumps({'calls': shown}, ensure_ascii=False)}\n"


def for_planning(asked: Subject) -> Subject:
    """Return the subject with each ambiguous name standing in as its first meaning, so that the plan
    can show what the name is needed for; the turn then asks back instead of running it."""
    links = asked.links
    categories = list(asked.categories)
    for _, things in links.ambiguous:
        categories += [t.key for t in things[:1] if t.kind == "category" and t.key not in categories]
    return replace(asked, categories=categories)


def remembered(question: str, language: Language, asked: Subject, traces: Sequence[Trace], memory: Memory,
               pending: dict[str, Any] | None) -> Memory:  # fmt: skip
    """Return the memory after a turn; what the turn did not touch stays."""
    things = {k: list(v) for k, v in asked.links.things.items() if v}
    calls = [Call(t.tool, t.args) for t in traces if TOOLS[t.tool].access is Access.READ]
    found = {k: list(v[:KEPT_FOUND]) for t in traces[-1:] if t.result for k, v in t.result.found.items()}
    for call in calls:
        for kind in ("category", "segment", "campaign", "product"):
            if isinstance(call.args.get(kind), str):
                things.setdefault(kind, [call.args[kind]])
    offered = {k: list(v) for k, v in memory.get("offered", {}).items()}
    for trace in traces:
        if trace.tool == "recommend" and trace.result:
            told = offered.setdefault(str(trace.args["customer"]), [])
            told += [p for p in trace.result.found.get("product", ()) if p not in told]
    named = [str(c.args["customer"]) for c in calls if isinstance(c.args.get("customer"), str)]
    group = _listed_now(traces, memory)
    new = any(c.tool == "newcomer" for c in calls)  # who is spoken of now was never here before
    return Memory(
        question=question,
        language=language,
        customers=[] if new else (asked.customers or named or list(memory.get("customers", [])))[-3:],
        things=things or memory.get("things", {}),
        found=found or memory.get("found", {}),
        group=group,
        calls=[{"tool": c.tool, "args": c.args} for c in calls] or memory.get("calls", []),
        offered={k: v[-KEPT_OFFERED:] for k, v in list(offered.items())[-KEPT_OFFERED_TO:]},
        pending=pending,
    )


def _listed_now(traces: Sequence[Trace], memory: Memory) -> list[str]:
    """Return the customers that the last answer found; those before where it was only about them."""
    group = list(memory.get("group", []))
    for trace in reversed(traces):
        found = trace.result.found.get("customer", ()) if trace.result else ()
        if len(found) > 1:
            return list(found) if len(found) <= KEPT_GROUP else []
    about = [str(t.args.get("customer")) for t in traces if not t.args.get("among")]
    return group if set(about) <= set(group) else []
