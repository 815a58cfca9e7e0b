"""Things that a question describes instead of naming them: "our three best customers", "her favourite
category", "卖得最好的品类".

A description is read as a small question of its own, whose call finds the thing; what is left of the
question is then planned as if the thing had been named. It counts as a description only where the
rest of the question asks for something about the thing: "who are our best customers" describes nobody,
it asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from agent import conversation, cues
from agent.binding import count_for, filters
from agent.chains import FEW, SEVERAL
from agent.counts import counts_what_follows
from agent.events import Language, Role
from agent.link import Linker, Links
from agent.prompts import pattern, patterns
from agent.subject import Call, Described, Found, Subject
from tools import TOOLS

_FORMS = {tuple(name.split("/")): form for name, form in patterns("described").items()}
_ASKS_WHOM, _PRONOUN = pattern("asks_whom"), pattern("pronoun")
_WHICH = re.compile(r"(?:which|what|who)\b|哪|谁", re.IGNORECASE)
_BY_VISITS, _BY_REDEMPTIONS = pattern("by_visits"), pattern("by_redemptions")
_PER_TRIP = re.compile(r"\b(?:per|each|a)\s+(?:trip|visit|basket)\b|每次|每趟|客单价", re.IGNORECASE)
_SENTENCES = re.compile(r"[.?!](?:\s|$)|[。？！；]")
_RANKED_BY = re.compile(
    r"\s*(?:(?<=\bby)|(?<=\bby\s)|\bby\b)\s*(?:total\s+)?(?:spend(?:ing)?|sales|revenue|money|units|quantity|volume|visits|trips)\b",
    re.IGNORECASE,
)
_IN = re.compile(r"\s*(?:(?:in|from|during|between|since|over|for|of)\s+)?(?:the\s+)?", re.IGNORECASE)
_RANKS = ("baskets", "units", "mean_basket", "mean_spend", "mean_price")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is left of a question once its descriptions are taken out, linked, and what they describe."""

    links: Links
    described: dict[str, Described]


def read(
    text: str, linker: Linker, memory: conversation.Memory, role: Role, picked: str | None, language: Language
) -> Reading | None:
    """Return the reading of a question that describes something; None for one that only names things."""
    rest, found = text, {}
    for kind, tool, phrase in _phrases(text, linker):
        if kind in found or phrase not in rest:
            continue
        stands_for = conversation.STANDS_FOR[kind][language == "zh"]
        left = " ".join(rest.replace(phrase, f" {stands_for} ", 1).split())
        alone = not re.search(r"\w", left.replace(stands_for, ""))
        if not alone and _asks_about(kind, tool, left, stands_for, phrase):
            found[kind] = (tool, phrase)
            rest = left
    if not found:
        return None
    links = linker.link(rest)
    links.pronoun = links.pronoun and "customer" not in found
    links.same_thing = links.same_thing and not found.keys() & {"category", "product", "segment", "campaign"}
    if "customer" not in found and not links.customers and _of_somebody(links):
        # "900's favourite category, and what should we offer him there?"
        for _, phrase in found.values():
            inside = linker.link(phrase)
            for key in inside.customers:
                links.add("customer", key)
    described: dict[str, Described] = {}
    for kind in ("customer", "category", "product", "segment", "campaign"):
        if kind in found:
            tool, phrase = found[kind]
            inside = linker.link(phrase)
            asked = conversation.subject(inside, memory, role, picked)
            made = _described(kind, tool, asked, links, described, phrase)
            if made is None:
                return None
            described[kind] = made
    return Reading(links, described)


def _of_somebody(links: Links) -> bool:
    """Whether what is left of a question speaks of one customer, or asks for what only one can be given."""
    return links.pronoun or bool(cues.tools(links.text) & {"recommend", "explain_preference"})


def _phrases(text: str, linker: Linker) -> Iterator[tuple[str, str, str]]:
    for (kind, tool), form in _FORMS.items():
        for match in form.finditer(text):
            phrase = text[match.start() : _end(text, match.end(), linker)].strip()
            if phrase and not (phrase[-1].isdigit() and counts_what_follows(text, match.end())):
                yield kind, tool, phrase  # not the "group of 12" of "a group of 12 customers"


def _end(text: str, end: int, linker: Linker) -> int:
    """Where a description ends: what it is ranked by ("by spend") and a period right behind it belong to it."""
    if by := _RANKED_BY.match(text, end):
        end = by.end()
    for period in linker.periods(text):
        start, stop = period.span
        if start < end < stop or (end <= start and _IN.fullmatch(text, end, start)):
            end = stop
    return end


def _asks_about(kind: str, finder: str, rest: str, stands_for: str, phrase: str) -> bool:
    """Whether the rest of a question speaks for a tool that takes a thing of this kind. Where it asks who
    the described ones are, it must ask for more than the finder itself tells; what another sentence asks for is
    not asked about them."""
    asks, they = _ASKS_WHOM.pattern, f"{stands_for}(?![’']s)"
    whom = re.compile(f"(?:{asks})\\s*{they}|{they}\\s*(?:{asks})", re.IGNORECASE)
    own = next((part for part in _SENTENCES.split(rest) if stands_for in part), rest)
    open_ = whom.sub(" ", own)
    speaks = cues.tools(open_) | cues.worded(open_)
    whose = open_ != own or _WHICH.match(phrase)
    if whose and "bought_with" in speaks and not _PRONOUN.search(open_):
        speaks.discard(
            "recommend"
        )  # "which customers buy most of it, and what else is in the basket": not for them
    for name in speaks:
        kinds = {schema.get("x-entity") for schema in TOOLS[name].parameters.values()}
        asked = open_ == own or name != finder
        if asked and (kind in kinds or ("all" in kinds and cues.quantities(open_))):
            return True
    return False


def _described(
    kind: str, tool: str, inside: Subject, outside: Links, known: dict[str, Described], phrase: str
) -> Described | None:
    """Return the call that finds what a phrase describes; None where the phrase leaves its target open."""
    several = bool(SEVERAL.search(phrase))
    n = count_for(TOOLS["similar_customers" if kind == "customer" else "search_products"], {}, inside.links)
    n = n or _handed_over(kind, outside) or (FEW if several and kind == "customer" else 1)
    args: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    if tool == "measure":
        _take_over(inside, outside, kind)
        quantity = _ranked_by(phrase)
        args = {"quantity": quantity, "by": kind, "filters": filters(replace(inside, described={}, at_hand=True)
                if inside.at_hand else inside), "n": n}  # fmt: skip
        if inside.at_hand:
            args["filters"].pop("customer", None)
        if "ascending" in inside.links.modifiers:
            args["ascending"] = True
        if inside.links.periods:
            first = inside.links.periods[0]
            args |= {"start": first.start.isoformat(), "end": first.end.isoformat()}
    elif tool == "audience":
        target = next(((k, inside.keys(k)[0]) for k in ("product", "category") if inside.keys(k)), None)
        if target is None:
            return None
        args = {target[0]: target[1], "n": n}
        if segments := inside.links.keys("segment") or outside.keys("segment"):
            args["segment"] = segments[0]
    elif tool == "bought_with":
        if not inside.keys("category"):
            return None
        args = {"category": inside.keys("category")[0]}
    elif tool in ("similar_customers", "profile"):
        customers = inside.customers or outside.customers
        if not customers and "customer" not in known:
            return None
        args = {"customer": customers[0]} if customers else {"customer": Found(-1, "customer", 1)}
        needs = () if customers else ("customer",)
        args |= {"n": n} if tool == "similar_customers" else {"about": "tastes"}
    return Described(kind, Call(tool, args), n, needs)


def _ranked_by(phrase: str) -> str:
    """The quantity by which the best ones are the best."""
    if _BY_REDEMPTIONS.search(phrase):
        return "redemptions"
    if _PER_TRIP.search(phrase):
        return "mean_basket"
    if _BY_VISITS.search(phrase):
        return "baskets"
    return next((q for q in cues.quantities(phrase) if q in _RANKS), "spend")


def _handed_over(kind: str, outside: Links) -> int | None:
    """A count of this kind that stands just outside the phrase belongs to it."""
    for i, what in enumerate(outside.counted):
        if what == kind:
            outside.counted.pop(i)
            return outside.counts.pop(i)
    return None


def _take_over(inside: Subject, outside: Links, kind: str) -> None:
    """Filters outside the phrase say whose best ones are meant ("of segment B"), or of what."""
    for side in ("segment",) if kind == "customer" else ("segment", "department", "brand"):
        for key in outside.things.pop(side, []):
            inside.links.add(side, key)
    for attribute, values in outside.attributes.items():
        inside.links.attributes.setdefault(attribute, []).extend(values)
    outside.attributes.clear()
