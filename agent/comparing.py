"""Questions whose wording alone asks what changed against the time before, or who bought one thing and not another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent import cues
from agent.left_out import KINDS
from agent.periods import Period
from agent.prompts import pattern, patterns
from agent.subject import Subject
from tools.changes import BY

Item = dict[str, Any]
Thing = dict[str, str]

_CHANGES, _SPLIT, _NOT = patterns("changes"), pattern("clauses"), pattern("buys_not")
_BUYING, _WHOM = pattern("buying"), patterns("worded")["whom"]
_FROM_TO = re.compile(r"\bto\b|到|至", re.IGNORECASE)
_BUT = re.compile(r"却|\bwhile\b|\bwhereas\b", re.IGNORECASE)


def items(subject: Subject) -> list[Item]:
    """Return the call that a question's wording asks for, without what is bound; [] for any other question."""
    if subject.has("customer") and not subject.at_hand:
        return []
    return _bought_not(subject) or _changed(subject)


# what changed -----------------------------------------------------------------------------------
def _changed(subject: Subject) -> list[Item]:
    """ "Which categories grew most last month?", "Why did sales drop in March?" """
    text, links = subject.links.text, subject.links
    why = cues.asks_why(text) and bool(_CHANGES["moved"].search(text))
    groups = [kind for kind in BY if _CHANGES[kind].search(text)]
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
    return [item | _between(subject)]


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
