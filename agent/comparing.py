"""Questions whose wording alone asks what changed against the time before, who bought one thing and not another, who stayed
away, and what part of the sales the best customers make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent import cues
from agent.durations import days_in
from agent.follow_up import leads_on
from agent.left_out import KINDS
from agent.periods import Period
from agent.prompts import pattern, patterns
from agent.subject import Subject
from tools.changes import BY

Item = dict[str, Any]
Thing = dict[str, str]

_CHANGES, _SPLIT, _NOT = patterns("changes"), pattern("clauses"), pattern("buys_not")
_BUYING, _WORDED = pattern("buying"), patterns("worded")
_WHOM = _WORDED["whom"]
LONG = 60
"""How many days "a long time" is."""
_ABSENT, _TOP = patterns("absent"), pattern("top_share")
_DAYS = frozenset({"start", "end", "before_start", "before_end"})
_SINCE = re.compile(r"since\b|自从?", re.IGNORECASE)
_AFTER = re.compile(r"\s*(?:之后|以后|以来|后|起)")
_AFTER_BEFORE = re.compile(r"\bafter\s+(?:the\s+)?$", re.IGNORECASE)
_FROM_TO = re.compile(r"\bto\b|到|至", re.IGNORECASE)
_BUT = re.compile(r"却|\bwhile\b|\bwhereas\b", re.IGNORECASE)


def items(subject: Subject, last: Sequence[Mapping[str, Any]] = ()) -> list[Item]:
    """Return the call that a question's wording asks for, without what is bound; [] for any other question. last: the
    calls of the turn before."""
    if again := _again(subject, last):
        return again
    if subject.has("customer") and not (subject.at_hand or subject.group):
        return []
    if subject.group:  # the rest is of all customers
        return _absent(subject)
    return _bought_not(subject) or _top_share(subject) or _absent(subject) or _changed(subject, last)


def _again(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "And in October?", "and by brand?" after what changed."""
    text, links = subject.links.text, subject.links
    before = last[-1] if last else {"tool": "", "args": {}}
    if before["tool"] != "changes" or not (leads_on(text) and cues.is_short(text)) or cues.quantities(text):
        return []
    groups = [kind for kind in BY if _CHANGES[kind].search(text)]
    if not (links.periods or groups) or links.customers or any(links.things.values()):
        return []
    kept = {k: v for k, v in before["args"].items() if not (links.periods and k in _DAYS)}
    return [{"tool": "changes", **kept, **({"by": groups[0]} if groups else {}), **_between(subject)}]


# what changed -----------------------------------------------------------------------------------
def _changed(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "Which categories grew most last month?", "Why did sales drop in March?" """
    text, links = subject.links.text, subject.links
    why = cues.asks_why(text) and bool(_CHANGES["moved"].search(text))
    # of a category that is named, its own changes are told by what is beside it
    groups = [kind for kind in BY if _CHANGES[kind].search(text) and not links.keys(kind)]
    ranked = bool(groups) and bool(_CHANGES["moved"].search(text)) and bool(_CHANGES["which"].search(text))
    asks = why or ranked or bool(_CHANGES["changed"].search(text))
    if not asks or links.keys("campaign") or links.amounts or any(p.future for p in links.periods):
        return []
    up, down = (bool(_CHANGES[way].search(text)) for way in ("up", "down"))
    item: Item = {
        "tool": "changes",
        "by": groups[0] if groups else "category",
        "direction": "both" if why or up == down else "up" if up else "down",
        "rank": "rate" if _CHANGES["rate"].search(text) else "money",
        "why": why,
    }
    told = last[-1]["args"] if last and last[-1]["tool"] == "changes" else {}
    return [item | (_between(subject) or {k: v for k, v in told.items() if k in _DAYS})]


def _between(subject: Subject) -> Item:
    """The period that is asked about, and the one it is held against where two are named."""
    periods = sorted(subject.links.periods, key=lambda p: p.start)
    if not periods:
        return {}
    now = periods[-1]
    if len(periods) == 1 and (ends := _ends(now)):
        before, now = ends
        periods = [before, now]
    told = {"start": now.start.isoformat(), "end": now.end.isoformat()}
    if len(periods) > 1:
        before = periods[-2]
        told |= {"before_start": before.start.isoformat(), "before_end": before.end.isoformat()}
    return told


def _ends(period: Period) -> tuple[Period, Period] | None:
    """The first and the last month of "from October to December": what is asked is from the one to the other."""
    start, end = period.start, period.end
    whole = start.day == 1 and (end + timedelta(days=1)).day == 1
    if not whole or (start.year, start.month) == (end.year, end.month) or not _FROM_TO.search(period.text):
        return None
    first = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return replace(period, end=first), replace(period, start=end.replace(day=1))


# the one and not the other ----------------------------------------------------------------------
def _bought_not(subject: Subject) -> list[Item]:
    """ "Which customers bought diapers but no wipes?" """
    text, links = subject.links.text, subject.links
    if not (_WHOM.search(text) and _BUYING.search(text)) or {*cues.quantities(text)} - {"customers"}:
        return []
    placed: dict[tuple[int, int], list[Thing]] = {}
    for (kind, key), span in links.spans.items():
        if kind in KINDS:
            placed.setdefault(span, []).append({"kind": kind, "key": key})
    denied = [span for span in placed if _denied(text, span[0])]
    bought = [placed[span] for span in sorted(placed) if span not in denied]
    lacking = [thing for span in sorted(denied) for thing in placed[span]]
    return [{"tool": "bought_not", "bought": bought, "bought_not": lacking}] if bought and lacking else []


def _denied(text: str, at: int) -> bool:
    """Whether the clause in front of a thing says that it is not bought."""
    clause = _BUT.split(_SPLIT.split(text[:at])[-1])[-1]
    return bool(_NOT.search(clause))


# who stayed away --------------------------------------------------------------------------------
def _absent(subject: Subject) -> list[Item]:
    """ "Who hasn't been here since October?", "customers who spend over $5,000 but never use coupons"."""
    text, links = subject.links.text, subject.links
    if not _WHOM.search(text) or links.keys("campaign") or any(p.future for p in links.periods):
        return []
    if _ABSENT["coupons"].search(text):
        spans = [(p.start.isoformat(), p.end.isoformat()) for p in links.periods[:1]]
        return [
            {"tool": "absent", "of": "coupons"}
            | ({"start": spans[0][0], "end": spans[0][1]} if spans else {})
        ]
    goods = bool(links.keys("category") or links.keys("product"))
    if not (_ABSENT["bought"] if goods else _WORDED["away"]).search(text):
        return []
    if links.periods:
        return [{"tool": "absent", "of": "visits"} | _away(text, links.periods[-1])]
    days = days_in(text) or (LONG if not goods and _WORDED["long_time"].search(text) else None)
    return [{"tool": "absent", "of": "visits", "days": days}] if days else []


def _away(text: str, period: Period) -> Item:
    """The days on which they did not come: "since October" and "after October" begin when October is over, for in it
    they were seen last."""
    since = bool(_SINCE.match(period.text))
    after = bool(_AFTER.match(text, period.span[1]) or _AFTER_BEFORE.search(text[: period.span[0]]))
    if not (since or after):
        return {"start": period.start.isoformat(), "end": period.end.isoformat()}
    seen = period.start if since else period.end
    if since and seen.day == 1 and not re.search(r"\d", period.text):  # a month, not its first day
        seen = (seen.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return {"since": period.start.isoformat(), "start": (seen + timedelta(days=1)).isoformat()}


# the best customers' part -----------------------------------------------------------------------
def _top_share(subject: Subject) -> list[Item]:
    """ "How much do our top 10% of customers bring in?" """
    text = subject.links.text
    found = _TOP.search(text)
    if not found or not _CHANGES["customer"].search(text) or subject.links.keys("campaign"):
        return []
    number = next((g for g in found.groups() if g), None)
    return [{"tool": "top_share"} | ({"percent": float(number)} if number else {})]


def stands_for(item: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    """Whether a planned call is only what the planner took such a question for."""
    return call["tool"] in (
        "measure",
        "audience",
        "segments",
        "segment",
        "campaign",
        "similar_customers",
        "bought_with",
    )
