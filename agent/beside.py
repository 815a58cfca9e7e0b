"""Questions about what customers do beside buying: searches, views, carts, reviews, ratings, inquiries, returns. No planner
was taught these figures, so the wording alone asks for them, and for what one customer wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent import cues
from agent.binding import filters, without_periods
from agent.links import Links
from agent.plan import breakdowns
from agent.prompts import pattern, patterns
from agent.subject import Subject
from customers.measure import EVENTS

Item = dict[str, Any]

_QUANTITIES, _ASKED, _WORDED = patterns("beside_buying"), patterns("beside_asked"), patterns("worded")
_COUNTED, _STRICT, _CONDITION = (
    pattern("beside_counted"),
    pattern("beside_strict"),
    pattern("beside_condition"),
)
_BUYING, _CLAUSES, _JOINED = pattern("buying"), pattern("clauses"), pattern("joined")
_GOODS = ("department", "category", "type", "product", "brand")
_WHAT = re.compile(r"\bwhat\b|什么|啥", re.IGNORECASE)
_EITHER = re.compile(r"\b(?:or|than)\b|还是|比", re.IGNORECASE)
_MOST = re.compile(r"\b(?:most|least)\b|最[多少]", re.IGNORECASE)
_COMPLAINS = re.compile(r"\b(?:complain|return)\w*|投诉|退货|退换|退回", re.IGNORECASE)
_OF_COMPLAINT = frozenset({"inquiries", "returns"})
_ELSEWHERE = frozenset(
    {"recommend", "explain_preference", "audience", "similar_customers", "bought_with", "notes"}
)  # fmt: skip
_REVIEWS = re.compile(r"\breview\w*|\brat(?:ed?|ings?)\b|\bthink\b|评[价论分]|点评|打分", re.IGNORECASE)
_INQUIRIES = re.compile(
    r"\bcomplain\w*|\b(?:inquir|enquir)\w+|\bask\w*|\btickets?\b|投诉|抱怨|咨询|问|工单|吐槽", re.IGNORECASE
)
_COMES_IN = re.compile(
    r"收到|接到|(?:刚刚?|又)(?:来|有)|\b(?:received|lodged|filed|(?:just|have)\s+(?:got|had))\b",
    re.IGNORECASE,
)
"""A complaint that comes in now is for staff: nobody asks what was said before."""
_BAD = pattern("beside_complaints")
_SOUGHT = re.compile(
    r"\bsearch\w*\s+for\s+(.+?)(?=\s+(?:in|on|during|over|last|this|from|by|per|and|or|than|compared|more|most|least|since|between|at)\b"
    r"|\s*[?.!,;]|$)|(?:搜索?|检索)[过了]?([\u3400-\u9fffA-Za-z ]+?)(?=的?(?:次数|人|顾客|客户|有|多少|几|最)|[，。？?]|$)", re.IGNORECASE,
)  # fmt: skip
_BEFORE_WORDS = re.compile(r"^(?:搜索?|检索)?[过了的得]+|^(?:the|an?|some|any)\s+", re.IGNORECASE)
_AGAIN = re.compile(
    r"^\W*(?:(?:and|what\s+about|how\s+about|now|ok(?:ay)?)\b|那么?|再|还有|换成|按)|呢\W*$", re.IGNORECASE
)


def items(subject: Subject, last: Sequence[Mapping[str, Any]], attributes: Sequence[str]) -> list[Item]:
    """Return the calls that a question's wording asks for, without their bound arguments; [] for any other question.
    last: the calls of the turn before. attributes: those of the shop's customers."""
    return _said(subject) or _figures(subject, attributes) or _by_something_else(subject, last, attributes)


def quantities(text: str) -> list[str]:
    """Return the quantities beside purchases that a text names, in its order; words are used up by the first that fits."""
    found: dict[str, int] = {}
    for name, cue in _QUANTITIES.items():
        if match := cue.search(text):
            found[name] = match.start()
            text = cue.sub(lambda used: " " * len(used.group()), text)
    return sorted(found, key=found.__getitem__)


def asks_besides(text: str, call: Mapping[str, Any]) -> bool:
    """Whether the clauses of a text that name nothing of the kind ask for a planned call as well."""
    rest = ", ".join(part for part in _CLAUSES.split(text) if not quantities(part))
    if call["tool"] == "measure":
        return call.get("quantity") in cues.quantities(rest)
    return call["tool"] in cues.tools(rest)


# figures ----------------------------------------------------------------------------------------
def _figures(subject: Subject, attributes: Sequence[str]) -> list[Item]:
    text = subject.links.text
    named = [q for q in quantities(text) if _is_asked(q, text)]
    if not named or _is_about_buyers(subject):
        return []
    if not (cues.asks_several(text) or _JOINED.search(text) or _EITHER.search(text)):
        named = named[:1]
    return [_figure(q, subject, attributes) for q in named]


def _is_asked(quantity: str, text: str) -> bool:
    """Whether a figure of it is asked for, rather than that it is only spoken of."""
    if quantity in _OF_COMPLAINT and _COMPLAINS.search(text):
        return bool(_STRICT.search(text))
    return bool(_COUNTED.search(text) or (quantity in _ASKED and _ASKED[quantity].search(text)))


def _is_about_buyers(subject: Subject) -> bool:
    """Whether something else is asked of those who searched or reviewed: what they bought, what to offer them."""
    text = subject.links.text
    if cues.tools(text) & _ELSEWHERE:
        return True
    bought = _BUYING.search(text)
    return bool(bought and (_CONDITION.search(text) or not cues.asks_several(text)))


def _figure(quantity: str, subject: Subject, attributes: Sequence[str]) -> Item:
    text = without_periods(subject.links)
    by = _asked_by(subject, attributes)
    if quantity == "searches":
        return _searches(by, subject)
    if by == "none" and _WHAT.search(text) and _MOST.search(text) and not any(map(subject.keys, _GOODS)):
        by = "category"  # "what do they complain about most?"
    return {"tool": "measure", "quantity": quantity, "by": by} | _of_all(quantity, by, subject)


def _asked_by(subject: Subject, attributes: Sequence[str]) -> str:
    """What the figure is broken down by; of several kinds that are spoken of ("which segment rates products worst") the one
    that is asked for."""
    found = [by for by in breakdowns(subject, attributes) if by != "none"]
    return cues.asked_first(subject.links.text, found) if found else "none"


def _of_all(quantity: str, by: str, subject: Subject) -> Item:
    """ "Which products are rated worst?" is no question about the customer at hand."""
    if not subject.at_hand or (by == "none" and quantity != "mean_rating"):
        return {}
    return {"filters": filters(replace(subject, customers=[]))}


def _searches(by: str, subject: Subject) -> Item:
    """A search is of no product: the goods that are named are the words to look for, as the asker wrote them."""
    words = _sought(subject.links)
    asks_what = _ASKED["searches"].search(subject.links.text) and not words
    by = (
        "query"
        if (by in _GOODS and not words) or (asks_what and by == "none")
        else "none"
        if by in _GOODS
        else by
    )
    item = {"tool": "measure", "quantity": "searches", "by": by} | _of_all("searches", by, subject)
    return item | ({"query": words} if words else {})


def _sought(links: Links) -> list[str]:
    """The words that searches are asked for, as the asker wrote them: what stands behind "searched for" where it names
    goods or is unknown, else the goods."""
    text = links.text
    goods = [span for (kind, _), span in links.spans.items() if kind in _GOODS] + list(links.alike.values())
    goods += [_place(text, term) for term, _ in links.ambiguous if term not in links.alike]
    terms = [_place(text, term) for term in links.terms]
    phrase = _SOUGHT.search(text)
    place = phrase.span(phrase.lastindex or 0) if phrase else (0, 0)
    inside = [span for span in (*goods, *terms) if span[0] < place[1] and place[0] < span[1]]
    spans = [place] if inside else []
    spans += [span for span in goods if span not in inside]
    spans += [span for span in terms if span not in inside and cues.is_thing(text, text[slice(*span)])]
    words = (_BEFORE_WORDS.sub("", text[slice(*span)]).strip() for span in sorted(spans))
    return [word for word in dict.fromkeys(words) if word]


def _place(text: str, part: str) -> tuple[int, int]:
    at = max(text.find(part), 0)
    return at, at + len(part)


def _by_something_else(
    subject: Subject, last: Sequence[Mapping[str, Any]], attributes: Sequence[str]
) -> list[Item]:
    """ "And by month?" after such a figure."""
    text, before = subject.links.text, last[-1]["args"] if last and last[-1]["tool"] == "measure" else {}
    if before.get("quantity") not in EVENTS or not _AGAIN.search(text) or len(text) > 40:
        return []
    if cues.quantities(text) or quantities(text) or cues.tools(text) - {"measure", "segment", "segments"}:
        return []
    by = _asked_by(subject, attributes)
    kept = {"query": before["query"]} if before.get("query") else {}
    return [{"tool": "measure", "quantity": before["quantity"], "by": by} | kept] if by != "none" else []


# words ------------------------------------------------------------------------------------------
def _said(subject: Subject) -> list[Item]:
    """ "What did customer 12 complain about?", "her reviews"."""
    text = subject.links.text
    if _COMES_IN.search(text):
        return []
    past, of = _WORDED["said"].search(text), _WORDED["said_of"].search(text) and not subject.at_hand
    if not subject.has("customer") or not (past or of) or _asks_for_figure(text):
        return []
    if cues.tools(text) & (_ELSEWHERE - {"notes", "explain_preference"}):
        return []
    told = "reviews" if _REVIEWS.search(text) else "inquiries" if _INQUIRIES.search(text) else "all"
    return [{"tool": "said", "about": "complaints" if _BAD.search(text) and told != "reviews" else told}]


def _asks_for_figure(text: str) -> bool:
    return bool(
        _STRICT.search(text)
        or re.search(
            r"\bhow\s+(?:many|often)\b|多少|几[次条个件笔单回]|最[多少高低]|\bmost\b|\bleast\b",
            text,
            re.IGNORECASE,
        )
    )
