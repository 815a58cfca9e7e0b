"""Questions whose wording alone says which tool answers: what no planner was taught. They need no model, unless they ask
for something else as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent import beside, budget, comparing, cues
from agent.prompts import pattern, patterns
from agent.subject import MAX_EACH, PSEUDO, Subject

Item = dict[str, Any]

_CUES = patterns("worded")
_NOT = pattern("buys_not")
_CLAUSES = pattern("clauses")
_ELSEWHERE = frozenset({"measure", "audience", "segments", "campaign"})


def items(
    subject: Subject, last: Sequence[Mapping[str, Any]] = (), attributes: Sequence[str] = ()
) -> list[Item]:
    """Return the calls that a question's wording asks for, without their bound arguments; [] where it leaves that to
    the plan. last: the calls of the turn before. attributes: those of the shop's customers."""
    return (
        _newcomer(subject, last)
        or beside.items(subject, last, attributes)
        or _stopped_buying(subject)
        or comparing.items(subject, last)
        or _visit_days(subject)
        or _campaign(subject)
        or _vips(subject)
        or _who_is(subject)
        or _at_risk(subject)
        or _of_the_list(subject)
        or _to_the_list(subject)
        or _family(subject)
        or _responds(subject)
        or _coupons(subject)
        or _on_a_day(subject, last)
        or _visit_before(subject, last)
        or _last_purchase(subject, last)
        or _still_there(subject)
    )


def is_newcomer(found: Sequence[Item]) -> bool:
    """Whether the calls are about somebody without a history, whom no pronoun takes for a known customer."""
    return any(item["tool"] == "newcomer" for item in found)


def plan(
    found: list[Item], subject: Subject, planned: Callable[[], dict[str, Any]], sure: bool
) -> dict[str, Any]:
    """Return the plan of a question that the wording decides: `found` alone, or in place of what the planner made of it
    where more is asked for. sure: no policy may have a say."""
    if is_newcomer(found) or (sure and not cues.asks_several(subject.links.text)):
        return {"calls": found}
    calls = planned()["calls"]
    if not sure and any(c["tool"] in ("handoff", "refuse") for c in calls):
        return {"calls": calls}
    kept = [c for c in calls if not any(_stands_for(item, c, subject) for item in found)]
    return {"calls": [*found, *kept]}


def _stands_for(item: Item, call: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a planned call is only what the planner took the worded question for."""
    tool, about = call["tool"], call.get("about")
    if tool in PSEUDO or tool in ("notes", "search_products"):
        return True
    match item["tool"]:
        case "measure" | "said":
            return not beside.asks_besides(subject.links.text, call)
        case "last_purchase":
            return tool == "profile" and about in ("visits", "tastes", "next", "everything")
        case "family":
            about_brands = tool == "measure" and call.get("by") == "brand"
            return about_brands or tool in ("recommend", "similar_customers", "profile")
        case "changes" | "bought_not" | "absent" | "top_share":
            return comparing.stands_for(item, call)
        case "coupons":
            return tool in ("campaign", "measure", "profile")
        case "visit_days" | "at_risk" | "stopped_buying":
            return tool in ("measure", "audience", "segments", "segment")
        case "measure" | "audience":
            return tool in ("measure", "audience", "segments", "profile", "campaign")
        case _:
            return tool == "profile" and about != "tastes"


def _says(name: str, subject: Subject) -> bool:
    return bool(_CUES[name].search(subject.links.text))


def _last_purchase(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "What did she buy last?", and after it "what did she pay for it?"; a period ("last month") asks for a figure."""
    again = bool(last) and last[-1]["tool"] == "last_purchase" and not subject.links.customers
    paid = again and set(cues.quantities(subject.links.text)) <= {"spend"} and _says("paid_for_it", subject)
    if not subject.has("customer") or subject.links.periods or not (paid or _says("last_purchase", subject)):
        return []
    return [{"tool": "last_purchase"}]


def _visit_before(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "When was she here before that?" after the last visit was told, and "the visit before last" at any time."""
    if not subject.has("customer") or subject.links.periods:
        return []
    told = next((call for call in reversed(last) if _is_of_last_visit(call, subject)), None)
    if _says("visit_before_last", subject):
        before = subject.links.text.count("上上上") + 1
    elif told is not None and _says("visit_before", subject):
        before = int(told["args"].get("before") or 0) + 1
    else:
        return []
    found: Item = {"tool": "last_purchase", "before": before}
    args = told["args"] if told is not None else {}
    kept = args.get("category") or (args.get("of") or [None])[0]
    return [found | ({"category": kept} if kept and not subject.has("category") else {})]


def _is_of_last_visit(call: Mapping[str, Any], subject: Subject) -> bool:
    of = call["tool"] == "last_purchase" or (
        call["tool"] == "profile" and call["args"].get("about") == "visits"
    )
    return of and call["args"].get("customer") in subject.customers


def _still_there(subject: Subject) -> list[Item]:
    """ "Is she worth a call, or lost?": not what she spent."""
    goods = any(subject.keys(kind) for kind in ("category", "type", "product", "brand", "department"))
    one = subject.has("customer") and not goods and not cues.asks_why(subject.links.text)
    return (
        [{"tool": "profile", "about": "visits"}] if one and cues.asks_still_there(subject.links.text) else []
    )


def _visit_days(subject: Subject) -> list[Item]:
    """ "Which customers only come on weekends?" """
    if subject.has("customer") and not (subject.at_hand or subject.group):
        return []
    for name, days in (("only_weekends", "weekend"), ("only_workdays", "workdays")):
        if _says(name, subject) and _asks_of_customers(subject):
            return [{"tool": "visit_days", "days": days}]
    return []


def _campaign(subject: Subject) -> list[Item]:
    """ "Plan a coupon for coffee with a budget of $200": of goods, to nobody by name."""
    goods = subject.keys("category") or subject.keys("product")
    if not goods or (subject.has("customer") and not subject.at_hand) or subject.links.keys("campaign"):
        return []
    text = subject.links.text
    return [{"tool": "audience"}] if budget.plans(text) or "budget" in budget.terms(text) else []


def _vips(subject: Subject) -> list[Item]:
    """ "Who are our VIP customers?": who spends most."""
    plain = not cues.tools(subject.links.text) & {"recommend", "audience", "similar_customers"}
    one = subject.has("customer") and not subject.at_hand
    asked = _asks_of_customers(subject) and _says("vips", subject) and plain and not one
    return [{"tool": "measure", "quantity": "spend", "by": "customer"}] if asked else []


_WHO_IS = re.compile(
    r"^\W*(?:and\s+)?(?:who(?:\s+is|\s+was|[’']s)|tell\s+me\s+about)\s+(?:the\s+)?customer\W*$|^\W*(?:介绍一下)?顾客(?:是谁)\W*$",
    re.IGNORECASE,
)


def _who_is(subject: Subject) -> list[Item]:
    """ "Who is the first customer?" of a list: its place is taken out of the text by then."""
    one = len(subject.customers) == 1 and not subject.at_hand
    return [{"tool": "profile", "about": "everything"}] if one and _WHO_IS.search(subject.links.text) else []


def _asks_of_customers(subject: Subject) -> bool:
    text = subject.links.text
    goods = any(
        subject.links.things.get(kind) for kind in ("category", "type", "product", "brand", "department")
    )
    return not goods and bool(_CUES["whom"].search(text))


def _at_risk(subject: Subject) -> list[Item]:
    """ "Who is about to leave us?", and of a list at hand "which of them are about to leave?" """
    links = subject.links
    one = subject.has("customer") and not (subject.at_hand or subject.group)
    past = any(not p.future for p in links.periods)
    groups = cues.names_groups(links.text) and not links.keys("segment")
    if one or past or groups or links.keys("campaign") or cues.names_month(links.text):
        return []
    buyers = bool(subject.categories) and _says("buyers", subject) and bool(_CUES["whom"].search(links.text))
    return (
        [{"tool": "at_risk"}] if _says("leaving", subject) and (buyers or _asks_of_customers(subject)) else []
    )


_COUPONS, _CAMPAIGN = (
    re.compile(r"coupon|voucher|券", re.IGNORECASE),
    re.compile(r"campaign|活动", re.IGNORECASE),
)


def _stopped_buying(subject: Subject) -> list[Item]:
    """ "Who bought diapers in November but not in December?" """
    links = subject.links
    goods = bool(subject.categories or links.keys("product"))
    if len(links.periods) != 2 or not goods or subject.customers or not _says("but_not", subject):
        return []
    then, later = ([p.start.isoformat(), p.end.isoformat()] for p in links.periods)
    return [{"tool": "stopped_buying", "bought": then, "missed": later}]


def _responds(subject: Subject) -> list[Item]:
    """ "Which segment reacted best to campaign 18?" """
    links = subject.links
    asked = cues.names_groups(links.text) and not links.keys("segment") and len(links.keys("campaign")) == 1
    plain = not (cues.quantities(links.text) or subject.has("customer") or subject.categories)
    redeems = [{"tool": "measure", "quantity": "redemptions", "by": "segment"}]
    return redeems if asked and plain and _says("responds", subject) else []


def _coupons(subject: Subject) -> list[Item]:
    """ "Did she ever use a coupon?" """
    links = subject.links
    by_campaign = {"redemptions"} == set(cues.quantities(links.text)) or (
        bool(_CAMPAIGN.search(links.text)) and bool(_COUPONS.search(links.text))
    )
    plain = not (links.keys("campaign") or links.periods or by_campaign or cues.counts_things(links.text))
    one = subject.has("customer") and not subject.group
    return [{"tool": "coupons"}] if one and plain and _says("coupons_of_one", subject) else []


def _on_a_day(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "What did she buy on December 24?", and after it "was there more than one receipt that day?" """
    links = subject.links
    if len(links.periods) == 1 and links.periods[0].start == links.periods[0].end and subject.has("customer"):
        other = set(cues.quantities(links.text)) - {"spend"} or "recommend" in cues.tools(links.text)
        plain = not other and not links.periods[0].future
        day = links.periods[0].start.isoformat()
        return [{"tool": "last_purchase", "day": day}] if plain and _says("on_a_day", subject) else []
    before = last[-1] if last else {"tool": "", "args": {}}
    again = before["tool"] == "last_purchase" and not links.customers
    if again and len(links.periods) == 1 and not cues.quantities(links.text) and cues.is_short(links.text):
        day = links.periods[0]
        other = [
            {"tool": "last_purchase", "customer": before["args"]["customer"], "day": day.start.isoformat()}
        ]
        return other if day.start == day.end and not any(links.things.values()) else []
    again = again and not links.periods
    if again and _says("that_day", subject) and _says("on_a_day", subject):
        told = {k: v for k, v in before["args"].items() if k in ("customer", "day", "before")}
        return [{"tool": "last_purchase", **told}]
    return []


_RANKS = ("baskets", "units", "mean_basket", "spend")
_BUYS = re.compile(r"\b(?:buys?|bought|best|top|valuable)\b|买|购|最好|价值", re.IGNORECASE)


def _of_the_list(subject: Subject) -> list[Item]:
    """ "The three of them who come most": a ranking of the list at hand, by what the wording says; and what the customers
    of a long list buy most, of all of them together."""
    text = subject.links.text
    if len(subject.group) > MAX_EACH and cues.points_to_several(text) and _says("what_they_buy", subject):
        by = "product" if cues.names_product(text) else "category"
        return [{"tool": "measure", "quantity": "spend", "by": by}]
    if not subject.group or not cues.of_the_list(text) or not cues.ranks(text):
        return []
    if cues.tools(text) & {"recommend", "explain_preference", "similar_customers", "notes", "bought_with"}:
        return []
    said = [q for q in cues.quantities(text) if q in _RANKS]
    said = said or (["spend"] if _BUYS.search(text) else [])
    said = ["baskets"] if cues.ranks_by_visits(text) else said
    return [{"tool": "measure", "quantity": said[0], "by": "customer"}] if said else []


def _to_the_list(subject: Subject) -> list[Item]:
    """ "Send them a coupon for yogurt": who of the list at hand would take it; of what, where that is not said, is
    asked back."""
    text = subject.links.text
    if not subject.group or cues.asks_which(text) or not _CUES["reaches_them"].search(text):
        return []
    if not _says("offer_sent", subject):
        return []
    named = subject.has("category") or subject.keys("product")
    return [{"tool": "audience"}] if named else [{"tool": "clarify"}]


def asks_for_what(found: Sequence[Item]) -> bool:
    """Whether the calls wait for the goods that an offer is for."""
    return [item["tool"] for item in found] == ["clarify"]


def _family(subject: Subject) -> list[Item]:
    """ "What else of the brands that she buys could she like?" """
    of = subject.has("customer") or subject.keys("product")
    plain = not cues.quantities(subject.links.text) and not subject.links.periods
    return [{"tool": "family"}] if of and plain and _says("family", subject) else []


def _newcomer(subject: Subject, last: Sequence[Mapping[str, Any]]) -> list[Item]:
    """ "A new customer came in, what do we offer her?", and what goes on from the answer to it ("she buys milk")."""
    links, text = subject.links, subject.links.text
    before = next((call for call in last if call["tool"] == "newcomer"), None)
    named = _says("newcomer", subject)
    past = any(p.end > p.start for p in links.periods)  # "came in today" asks for no figure of today
    if links.customers or past or cues.quantities(text) or cues.tools(text) & _ELSEWHERE:
        return []
    asks, offers = _says("newcomer_questions", subject), _says("newcomer_offers", subject)
    goes_on = (
        before is not None and not named and (links.pronoun or links.keys("category") or links.attributes)
    )
    if not (named and (asks or offers)) and not (goes_on and (asks or offers or _tells(subject))):
        return []
    told = _told(subject, before["args"] if before is not None and not named else {})
    parts = (
        ["questions"]
        if asks and not offers
        else ["offers"]
        if asks is False and told
        else ["offers", "questions"]
    )
    return [{"tool": "newcomer", "part": part, **told} for part in parts]


def _tells(subject: Subject) -> bool:
    """Whether an answer of the newcomer is passed on."""
    return bool(subject.links.keys("category") or subject.links.attributes)


def _told(subject: Subject, before: Mapping[str, Any]) -> Item:
    """What the newcomer said that they buy and do not buy, and of themselves, as arguments; with what they said before."""
    links = subject.links
    said = dict.fromkeys(before.get("buys", ()), True) | dict.fromkeys(before.get("buys_not", ()), False)
    said |= {key: not _denied(subject, key) for key in links.keys("category")}
    attributes = dict(before.get("attributes", {})) | {
        name: values[0] for name, values in links.attributes.items() if len(values) == 1
    }
    found = {
        "buys": [key for key, yes in said.items() if yes],
        "buys_not": [key for key, yes in said.items() if not yes],
        "attributes": attributes,
    }
    return {name: value for name, value in found.items() if value}


def _denied(subject: Subject, category: str) -> bool:
    """Whether the clause that a category stands in says that it is not bought."""
    text, span = subject.links.text, subject.links.spans.get(("category", category))
    if span is None:
        return False
    clause = _CLAUSES.split(text[: span[0]])[-1]
    return bool(_NOT.search(clause))
