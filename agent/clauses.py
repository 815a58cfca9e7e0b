"""Two questions in one: a threshold belongs to the clause that it stands in, and so does a period that only a later
clause names ("how many customers spent over $5,000, and how much did we take in June")."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.subject import Subject

_BOUNDARY = re.compile(
    r"[;；。？?]\s*(?=\S)|[,，]\s*(?:and\s+|plus\s+)?(?=(?:how|what|which|who|when|where|why|tell|give|show)\b)"
    r"|\s(?:and|plus)\s+(?=(?:how|what|which|who|when|where|why|tell|give|show)\b)|[，,]?(?:另外|顺便|以及|还有)[，,]?",
    re.IGNORECASE,
)


def scoped(subject: Subject, calls: int) -> list[Subject]:
    """Return the subject of each of a plan's calls, in order: the whole of it, unless the question has just as many
    clauses as the plan has calls."""
    links = subject.links
    ends = [m.end() for m in _BOUNDARY.finditer(links.text)]
    if calls < 2 or len(ends) != calls - 1 or not (links.periods or links.amounts):
        return [subject] * calls
    starts = [0, *ends]
    found = []
    for start, end in zip(starts, [*ends, len(links.text)], strict=True):
        amounts = [a for a in links.amounts if start <= a.span[0] < end]
        own = [p for p in links.periods if start <= p.span[0] < end]
        earlier = [p for p in links.periods if p.span[0] < start]
        found.append(replace(subject, links=replace(links, amounts=amounts, periods=own or earlier)))
    return found
