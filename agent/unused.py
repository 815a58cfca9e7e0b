"""What a question names and no call of its plan took into account: said with the answer, so that nobody takes a figure
for narrower than it is ("leave out who redeemed campaign 18")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from agent import cues
from agent.periods import Period
from agent.prompts import pattern, patterns
from agent.subject import Subject
from tools.base import Trace
from tools.words import both

_GOODS = ("department", "category", "type", "brand", "product")
_KINDS = (*_GOODS, "segment", "campaign")
_PERSONAL = frozenset({"profile", "recommend", "explain_preference", "similar_customers"})
_WORDS = frozenset({"search_products", "notes", "add_note", "erase_note", "newcomer"})
"""Tools that go by the asker's words rather than by what was linked."""
_BESIDE, _COMPLAINTS = patterns("beside_purchases"), pattern("beside_complaints")
_BESIDE_NAMES = {
    "searches": both(en="searches", zh="搜索"), "reviews": both(en="reviews and ratings", zh="评价和评分"),
    "looks": both(en="what was looked at", zh="浏览和点击"), "inquiries": both(en="inquiries", zh="咨询"),
    "carts": both(en="what was put into carts", zh="加购"), "returns": both(en="returns", zh="退货"),
}  # fmt: skip
_TOLD_BY = {
    "searches": {"searches"}, "looks": {"views"}, "inquiries": {"inquiries"},
    "carts": {"cart_adds"}, "returns": {"returns"},
    "reviews": {"reviews", "good_reviews", "bad_reviews", "mean_rating"},
}  # fmt: skip


def things(subject: Subject, traces: Sequence[Trace]) -> list[tuple[str, str]]:
    """Return (kind, key) of what was named and is in no call's arguments; attribute values as "age=45-54". Goods only
    where no other goods were gone by: those are often named in passing."""
    links = subject.links
    if not _found_anything(traces):
        return []
    used = {str(value) for trace in traces for value in _leaves(trace.args)}
    by = {trace.args.get("by") for trace in traces}
    named = [(kind, key) for kind in _KINDS for key in links.things.get(kind, ())]
    named += [("attribute_value", f"{a}={v}") for a, values in links.attributes.items() for v in values]
    passing = any(key in used for kind, key in named if kind in (*_GOODS, "segment")) or by & {*_GOODS}
    personal = all(trace.tool in _PERSONAL for trace in traces)
    return [
        (kind, key)
        for kind, key in named
        if not {key, key.partition("=")[2], links.parents.get(key)} & used
        and not {kind, key.partition("=")[0]} & by
        and not (kind in _GOODS and (passing or not _meant(subject, kind, key)))
        and not (kind == "attribute_value" and personal)
    ]


def _meant(subject: Subject, kind: str, key: str) -> bool:
    """Whether goods stand in the question where a thing to buy stands."""
    span = subject.links.spans.get((kind, key))
    return span is not None and cues.is_thing(subject.links.text, subject.links.text[slice(*span)])


def _found_anything(traces: Sequence[Trace]) -> bool:
    return any(t.result for t in traces) and not any(t.tool in _WORDS for t in traces)


def periods(subject: Subject, traces: Sequence[Trace], first: date, last: date) -> list[Period]:
    """Return the periods that no call was limited to, those that cover all days aside."""
    if not _found_anything(traces):
        return []
    starts = {value for trace in traces for value in _leaves(trace.args) if isinstance(value, str)}
    return [
        p
        for p in subject.links.periods
        if not (p.start <= first and p.end >= last) and p.start <= last and p.start.isoformat() not in starts
    ]


def weekends(traces: Sequence[Trace]) -> bool:
    """Whether figures were told that do not tell weekends from other days."""
    return any(t.tool == "measure" for t in traces) and not any(t.args.get("weekend") for t in traces)


def beside_purchases(text: str, traces: Sequence[Trace]) -> list[Mapping[str, str]]:
    """Return, in both languages, what a question asks to count though no figure told is of it."""
    if not any(t.tool == "measure" and t.result for t in traces) or any(t.tool == "profile" for t in traces):
        return []
    told = {trace.args.get("quantity") for trace in traces}
    if any(trace.tool == "said" for trace in traces):
        return []
    return [
        _BESIDE_NAMES[kind]
        for kind, found in _BESIDE.items()
        if found.search(text) and not told & _TOLD_BY[kind]
    ]


def complaints(text: str, traces: Sequence[Trace]) -> bool:
    """Whether complaints were asked for, and inquiries of every kind counted."""
    return bool(_COMPLAINTS.search(text)) and any(
        t.result and t.args.get("quantity") == "inquiries" for t in traces
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
