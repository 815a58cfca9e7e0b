"""From a plan to calls: the program fills in every argument that the model does not choose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent import cues, left_out
from agent.clauses import scoped
from agent.links import Links
from agent.subject import ENTITIES, MAX_CALLS, MAX_EACH, PSEUDO, Call, Found, Subject
from tools import TOOLS
from tools.base import Tool


def bind(raw: Mapping[str, Any], subject: Subject) -> list[Call]:
    """Return the calls of a plan, each argument that code decides filled in, repeated calls once, and
    before each call those that find what it takes."""
    calls: list[Call] = []
    items = raw.get("calls", [])
    for item, part in zip(items, scoped(subject, len(items)), strict=True):
        name = item["tool"]
        if name in PSEUDO:
            calls.append(Call(name))
            continue
        item = _as_worded(item, subject)
        name = item["tool"]
        if _asks_redeemers(item, subject):
            name, item = "campaign", {"tool": name}
        if _asks_of_one_thing(item, subject):
            told = {"tool": "measure", "quantity": "baskets", "by": "none"}
            item = told if cues.asks_ever(subject.links.text) else {"tool": "explain_preference"}
            name = item["tool"]
        if item.get("about") == "tastes" and _asks_basket_size(subject):
            item = {"tool": name, "about": "spending"}
        if _asks_what_to_mention(item, subject):
            name, item = "profile", {"tool": name, "about": "tastes"}
        chosen = {k: v for k, v in item.items() if k != "tool" and (v or k == "filters")}
        for call in bound(TOOLS[name], chosen, part):
            if call not in calls:
                calls.append(call)
    calls = _without_search(_told_by_campaigns(calls), subject)
    real = [c for c in calls if c.tool not in PSEUDO]
    asked = [c for c in real if not _finds_again(c)]
    return _with_finders((asked or real or calls[:1])[:MAX_CALLS], subject)


def _told_by_campaigns(calls: list[Call]) -> list[Call]:
    """Let a campaign's own results tell whom it was sent to and who redeemed, where both are asked for: they hold the
    two figures and their ratio."""
    counts = [_counts_of_campaign(c) for c in calls]
    several = {key for key in counts if key and counts.count(key) > 1}
    several |= {str(c.args["campaign"]) for c in calls if c.tool == "campaign" and c.args.get("campaign")}
    told = [
        Call("campaign", {"campaign": key}) if key in several else c
        for c, key in zip(calls, counts, strict=True)
    ]
    return [c for n, c in enumerate(told) if c not in told[:n]]


def _without_search(calls: list[Call], subject: Subject) -> list[Call]:
    """Leave out the search for goods beside another call about the very same, where no word asks what there is."""
    if "search_products" in cues.tools(subject.links.text) or cues.asks_stock(subject.links.text):
        return calls
    told = {c.args.get("category") for c in calls if c.tool != "search_products"} - {None}
    return [c for c in calls if c.tool != "search_products" or c.args.get("category") not in told]


def _counts_of_campaign(call: Call) -> str:
    """The one campaign whose reach or redemptions a call counts, and nothing else; "" for any other call."""
    args = call.args
    plain = call.tool == "measure" and args.keys() == {"quantity", "by", "filters"} and args["by"] == "none"
    if not plain or args["quantity"] not in ("received", "redemptions"):
        return ""
    campaigns = args["filters"].get("campaign", [])
    return campaigns[0] if args["filters"].keys() == {"campaign"} and len(campaigns) == 1 else ""


def _asks_of_one_thing(item: Mapping[str, Any], subject: Subject) -> bool:
    """Whether the plan speaks of chances in general, or of a reason, where it was asked whether somebody ever bought one
    thing ("has she ever bought baby food?") or will buy it ("is she due for cat litter?")."""
    text, about = subject.links.text, item.get("about")
    of_goods = subject.has("customer") and any(subject.keys(k) for k in ("category", "type", "product"))
    if not of_goods or cues.asks_why(text):
        return False
    if cues.asks_ever(text):
        return item["tool"] == "explain_preference" or about in ("next", "tastes")
    one = len(subject.keys("category")) == 1 and not cues.asks_which(text)
    return item["tool"] == "profile" and about == "next" and one


def _asks_basket_size(subject: Subject) -> bool:
    """Whether a usual trip is asked about, and no tastes."""
    text = subject.links.text
    return "mean_basket" in cues.quantities(text) and "tastes" not in cues.about(text)


def _asks_what_to_mention(item: Mapping[str, Any], subject: Subject) -> bool:
    """Whether offers are planned where only something to say or write is asked for: that is what they like."""
    text, talks = subject.links.text, "talk" in subject.links.modifiers and subject.has("customer")
    if item["tool"] == "profile":  # not what they spend and earn
        return talks and item.get("about") == "everything" and cues.asks_which(text)
    return talks and item["tool"] == "recommend" and "recommend" not in cues.tools(text)


def _finds_again(call: Call) -> bool:
    """Whether a call ranks the very thing that the question describes, among what is found for it."""
    return isinstance((call.args.get("filters") or {}).get(call.args.get("by")), Found)


def _with_finders(calls: list[Call], subject: Subject) -> list[Call]:
    """Put the calls that find what is described in front, each once."""
    wanted: list[str] = []
    for call in calls:
        wanted += [v.kind for v in leaves(call.args) if isinstance(v, Found)]
    order: list[str] = []

    def place(kind: str) -> None:
        for needed in subject.described[kind].needs:
            place(needed)
        if kind not in order:
            order.append(kind)

    for kind in wanted:
        place(kind)
    numbers = {kind: i for i, kind in enumerate(order)}
    return [_numbered(c, numbers) for c in [*(subject.described[k].call for k in order), *calls]]


def _numbered(call: Call, numbers: Mapping[str, int]) -> Call:
    def number(value: Any) -> Any:
        if isinstance(value, Found):
            return Found(numbers[value.kind], value.kind, value.n)
        return {k: number(v) for k, v in value.items()} if isinstance(value, dict) else value

    return Call(call.tool, {k: number(v) for k, v in call.args.items()})


def leaves(args: Mapping[str, Any]) -> list[Any]:
    """Return the values of a call's arguments, those inside its filters as well."""
    inner = args.get("filters")
    return [*args.values(), *(inner.values() if isinstance(inner, Mapping) else ())]


_UNPLACED = -1
"""The number of a call before the finders are put in front."""


def bound(tool: Tool, chosen: dict[str, Any], subject: Subject) -> list[Call]:
    """Return the calls of a tool with every argument that the plan does not choose filled in from what is linked."""
    gone: Mapping[str, Any] = {}
    if any(schema.get("x-excluded") for schema in tool.parameters.values()):
        gone = subject.links.left_out if chosen.get("quantity") not in _TOUCHES else {}
    if gone:
        subject = left_out.without(subject)
        chosen = {k: v for k, v in chosen.items() if v not in gone.get(k, ())}
    links, args = subject.links, _sensible(chosen, subject) if tool.name == "measure" else dict(chosen)
    each: dict[str, list[str]] = {}
    for name, schema in tool.parameters.items():
        kind = schema.get("x-entity")
        if kind in ENTITIES and name not in args:
            if keys := subject.keys(kind):
                args[name] = keys[0]
                each |= {name: keys[:MAX_EACH]} if len(keys) > 1 else {}
            elif kind in subject.described:
                args[name] = Found(_UNPLACED, kind, subject.described[kind].n)
        elif kind == "all" and name not in args:
            args[name] = _undivided(filters(subject), args.get("by"), links)
        elif schema.get("x-count") and not _only_lasts(args, links) and (n := count_for(tool, args, links)):
            args[name] = n
        elif literal := schema.get("x-literal"):
            args[name] = getattr(links, literal) or (links.text if literal == "note" else "")
        elif schema.get("x-note") and links.note_number is not None:
            args[name] = links.note_number
        elif schema.get("x-amount") and links.amounts:
            args[name] = links.amounts[0].as_argument()
        elif (kind := schema.get("x-named")) and args.get("about") == "visits" and subject.categories:
            args[name] = list(subject.keys(kind)[:MAX_EACH])
        elif schema.get("x-among") and _of_group(args, subject):
            args[name] = list(subject.group)
            if args.get("by") == "customer" and _TOGETHER.search(links.text) and not cues.ranks(links.text):
                args["by"] = "none"
            if "filters" in args:  # the first of them stand there, as if they alone had been named
                args["filters"] = {k: v for k, v in args["filters"].items() if k != "customer"}
        elif schema.get("x-excluded") and gone:
            args[name] = {k: list(keys) for k, keys in gone.items()}
        elif (
            (modifier := schema.get("x-modifier"))
            and modifier in links.modifiers
            and _applies(modifier, args)
        ):
            args[name] = True
        elif schema.get("x-partner") and (pair := _partner(tool, args, subject)):
            args[name] = pair[1]
            each.pop(pair[0], None)
    calls = [Call(tool.name, args)]
    for name, keys in each.items():
        calls = [Call(c.tool, c.args | {name: key}) for c in calls for key in keys]
    calls = calls[:MAX_EACH]
    if not any(s.get("x-period") for s in tool.parameters.values()) or not links.periods:
        return calls
    return [
        Call(c.tool, c.args | {"start": p.start.isoformat(), "end": p.end.isoformat()})
        for c in calls
        for p in links.periods
    ]


_TOGETHER = re.compile(r"\b(?:together|altogether|in\s+(?:total|all))\b|一共|总共|合计|加起来", re.IGNORECASE)


def _of_group(args: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a call is of the whole list at hand: a figure of a few is told of each of them."""
    return len(subject.group) > MAX_EACH or (bool(subject.group) and args.get("by") in (None, "customer"))


def _only_lasts(args: Mapping[str, Any], links: Links) -> bool:
    """Whether the one number of a question says how long ("for two months"), and counts nothing."""
    return bool(args.get("days")) and len(links.counts) <= 1


def _applies(modifier: str, args: Mapping[str, Any]) -> bool:
    """Whether a modifier says anything about a call with these arguments."""
    if modifier == "weekend":
        return args.get("by") == "weekday"
    return modifier != "of_all_days" or args.get("by") == "none"


def _partner(tool: Tool, args: Mapping[str, Any], subject: Subject) -> tuple[str, str] | None:
    """The argument that two things were named for, where the question asks why they go together, and the
    other one of the two."""
    given = [name for name in getattr(tool, "one_of", ()) if args.get(name)]
    if len(given) != 1 or not cues.asks_why(subject.links.text):
        return None
    kind = tool.parameters[given[0]]["x-entity"]
    others = [key for key in subject.keys(kind) if key != args[given[0]]]
    return (given[0], others[0]) if others else None


_COUNTS = {"recommend": "product", "audience": "customer", "similar_customers": "customer",
           "search_products": "product", "bought_with": "category", "campaign": "campaign"}  # fmt: skip
"""What the number of each tool's results counts; `measure` counts what it is broken down by."""


def count_for(tool: Tool, args: Mapping[str, Any], links: Links) -> int | None:
    """Return the number in the question that counts this tool's results."""
    wanted = _COUNTS.get(tool.name) or args.get("by")
    same = [n for n, what in zip(links.counts, links.counted, strict=False) if what == wanted]
    open_ = [n for n, what in zip(links.counts, links.counted, strict=False) if not what]
    return next(iter([*same, *open_, *links.counts]), None)


FILTERED = frozenset({"customer", "category", "product", "segment"})


def _asks_redeemers(item: Mapping[str, Any], subject: Subject) -> bool:
    """Whether people are asked for where a plan counts coupons: a campaign's own results tell how many customers."""
    coupons = item.get("quantity") == "redemptions" and item.get("by") == "none"
    return coupons and bool(subject.keys("campaign")) and cues.counts_people(subject.links.text)


def _as_worded(item: Mapping[str, Any], subject: Subject) -> Mapping[str, Any]:
    """The call that the wording leaves no doubt about: who asks whether something is sold asks for no figure, and
    "ice cream for her, how so?" asks for the reason of an offer."""
    text, tool = subject.links.text, item["tool"]
    stock = cues.asks_stock(text) and bool(subject.links.topic) and not subject.customers
    if tool == "measure" and item.get("by") == "none" and stock:
        return {"tool": "search_products"}
    told = set(cues.quantities(text)) & {"redemptions", "received"}
    if item.get("quantity") == "received" and told == {"redemptions"} and subject.keys("campaign"):
        return {"tool": "campaign"}  # who redeemed is not who was sent it
    reason = tool == "recommend" and cues.asks_why(text) and "recommend" not in cues.tools(text)
    if reason and subject.has("customer") and (item.get("category") or len(subject.keys("category")) == 1):
        return {"tool": "explain_preference", **{k: v for k, v in item.items() if k == "category"}}
    return item


_BOUNDED = {"baskets": "baskets", "money": "spend", "units": "units"}
"""The figure of each customer that a threshold of this unit bounds."""
_OVERLAPPING = frozenset({"customers", "baskets"})
_TOUCHES = frozenset({"redemptions", "received"})


def _sensible(chosen: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """Return the options of a figure without a breakdown that nobody asked for: several periods are compared as they
    are ("the first half against the second"), and a share of customers or trips is one figure, for a customer buys
    from several categories."""
    links, by = subject.links, chosen.get("by")
    if by == "none" and "weekend" in links.modifiers:
        chosen, by = {**chosen, "by": "weekday"}, "weekday"  # "how much do we take at weekends"
    if by == "weekday" and chosen.get("quantity") == "customers":
        return {**chosen, "quantity": "baskets"}  # nearly everybody comes on each weekday in time
    if (
        "of_all_days" in links.modifiers
        and by in ("segment", "customer", "month")
        and not _worded(str(by), links)
    ):
        return {**chosen, "by": "none"}
    months = all(p.start.replace(day=1) == p.end.replace(day=1) for p in links.periods)
    compared = (
        by == "month"
        and len(links.periods) > 1
        and (months or not cues.names_month(without_periods(links)))  # each is a month or less of one anyway
    )
    share = (
        chosen.get("quantity") in _OVERLAPPING
        and by in ("brand", "category", "department", "type", "product")
        and cues.asks_share(links.text)
        and not subject.keys(str(by))
    )
    if compared or share:
        return {**chosen, "by": "none"}
    if by == "product" and subject.customers and not cues.names_product(links.text):
        return {**chosen, "by": "category"}  # what somebody "spends most on" is a kind of goods
    bounded = _BOUNDED.get(links.amounts[0].unit) if links.amounts else None
    if chosen.get("quantity") == "spend" and cues.counts_goods(links.text):
        return {**chosen, "quantity": "units"}
    if chosen.get("quantity") == "customers" and by == "none" and bounded:
        return {**chosen, "quantity": bounded, "by": "customer"}  # "how many people came more than 50 times"
    return dict(chosen)


def without_periods(links: Links) -> str:
    """A question without its periods: "the month before" asks for no breakdown by month."""
    text = links.text
    for start, end in (period.span for period in links.periods):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _worded(by: str, links: Links) -> bool:
    """Whether the question says that it is to be broken down so."""
    return by in cues.breakdowns(links.text, (), (), ())


def _undivided(found: dict[str, Any], by: Any, links: Links) -> dict[str, Any]:
    """Drop the filter on what the figure is broken down by where it would leave the other side of a comparison out:
    where one word named several of its values ("do families with children buy more"), or one is held against the
    rest ("our own label against the others")."""
    values = found.get("attributes", {})
    if by == "brand" and len(found.get("brand", ())) == 1 and cues.compares(links.text):
        return {k: v for k, v in found.items() if k != "brand"}
    if by in links.joined and by in values:
        return found | {"attributes": {k: v for k, v in values.items() if k != by}}
    return found


def filters(subject: Subject) -> dict[str, Any]:
    """Return everything linked as `measure` filters."""
    found: dict[str, Any] = {kind: list(keys) for kind, keys in subject.links.things.items() if keys}
    if subject.categories:
        found["category"] = list(subject.categories)
    if subject.customers and not (subject.at_hand and cues.is_shop_wide(subject.links.text)):
        found["customer"] = list(subject.customers)
    for kind in FILTERED & subject.described.keys() - found.keys():
        found[kind] = Found(_UNPLACED, kind, subject.described[kind].n)
    if subject.links.attributes:
        found["attributes"] = {k: list(v) for k, v in subject.links.attributes.items()}
    return found
