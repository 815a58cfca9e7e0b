"""What a question allows a campaign: a budget, a coupon's worth, what a contact costs, how many may be written to.

"Who should get the hummus coupon with $200?" is an audience question to the planner; the amounts in it
are read here and handed to the `audience` tool, as no plan names them. No LLM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.amounts import Amount, find_amounts
from agent.prompts import pattern
from agent.subject import Call, Subject

_COUPON_AFTER = re.compile(
    r"[\s-]*(?:off\b|(?:\w+\s+){0,2}(?:coupons?|vouchers?|discounts?)\b)|\s*的?[^给谁发送寄，,。;；\s]{0,4}(?:优惠券|代金券|抵用券|券|折扣)",
    re.I,
)
_COUPON_BEFORE = re.compile(r"(?:\b(?:worth|valued at|value of|face value)|面值|立减|减免|减)\s*$", re.I)
_EACH_AFTER = re.compile(
    r"\s*(?:(?:per|for each|an?|each|every|/)\s*(?:contact|letter|mail(?:ing|er)?|message|customer|piece|sms|text|e-?mail|head|person|household)"
    r"|each\b|apiece\b|(?:一|每)(?:封|条|位|次|人|份))", re.I
)  # fmt: skip
_EACH_BEFORE = re.compile(r"(?:每人|每位|每封|每条|每次|每份|单次)[^，,。;；]{0,8}$")
_BUDGET_AFTER = re.compile(r"\s*(?:budget|to spend|in hand|的?预算|可用|可花)", re.I)
_BUDGET_BEFORE = re.compile(
    r"(?:\b(?:with|for|under|within|budget(?:\s+(?:of|is|was))?:?|spend(?:ing)?|up to|at most|no more than|only|have|got|on|costs?)\s*(?:a|just|about|only|no more than|at most|under)?"
    r"|预算(?:是|为|有|共|只有)?|只有|花|花费|用|以|不超过|给我|在|有)\s*$", re.I
)  # fmt: skip
_LETTERS_AFTER = re.compile(
    r"\s*(?:letters?|mail(?:ing|er)s?|messages?|e-?mails?|sms|flyers?)\b|\s*(?:封|条短信|条消息|份)", re.I
)  # fmt: skip
_SMALL_CHANGE = re.compile(r"(?<![\d.])(\d{1,3})\s*(?:(cents?\b|¢|分钱)|(毛钱?|角钱?))", re.I)
_PLANS = pattern("plans_campaign")
_CAMPAIGN = re.compile(
    r"\b(?:campaign|coupon|voucher|mail(?:ing)?|send|offer|budget|promo\w*|ad)\b|券|预算|活动|投放|推广|发",
    re.I,
)


def with_budget(calls: Sequence[Call], subject: Subject) -> list[Call]:
    """Return the calls, with what the question allows a campaign among the arguments of an audience."""
    if not any(call.tool == "audience" for call in calls):
        return list(calls)
    allowed = terms(subject.links.text)
    if not allowed:
        return list(calls)
    return [Call(c.tool, _limited(c.args, allowed)) if c.tool == "audience" else c for c in calls]


def _limited(args: dict[str, Any], allowed: dict[str, Any]) -> dict[str, Any]:
    """How many are asked for is how many may be written to."""
    rest = {key: value for key, value in args.items() if key != "n"}
    asked = {"capacity": args["n"]} if args.get("n") else {}
    return rest | asked | allowed


def terms(text: str) -> dict[str, Any]:
    """Return "budget", "coupon", "contact_cost" (money) and "capacity" (customers), as far as a question gives them."""
    text = _SMALL_CHANGE.sub(_in_money, text)
    found: dict[str, Any] = {}
    bare: list[float] = []
    letters: list[int] = []
    for amount in find_amounts(text, [True] * len(text)):
        if amount.high is None or (amount.low is not None and amount.low != amount.high):
            continue
        role = _role(text, amount)
        if role:
            found.setdefault(role, round(amount.high) if role == "capacity" else amount.high)
        elif amount.unit == "money":
            bare.append(amount.high)
        elif amount.unit in ("", "units") and _LETTERS_AFTER.match(text[amount.span[1] :]):
            letters.append(round(amount.high))
    if len(bare) == 1 and plans(text):  # "run a promotion on soup, $150": what else could it be
        found.setdefault("budget", bare[0])
    if letters and (found or plans(text)):  # letters alone need be of no coupon
        found.setdefault("capacity", letters[0])
    # A coupon's worth alone ("the $1 coupon") still asks whom to send it to; it plans nothing by itself.
    return found if found.keys() & {"budget", "capacity", "contact_cost"} else {}


def plans(text: str) -> bool:
    """Whether a question asks for a campaign ahead to be planned."""
    return bool(_PLANS.search(text))


def _in_money(match: re.Match[str]) -> str:
    """ "25 cents" as "$0.25", which amounts are read from."""
    return f"${int(match[1]) / (100 if match[2] else 10):g}"


def _role(text: str, amount: Amount) -> str:
    start, end = amount.span
    if amount.unit == "customers":
        return "capacity" if amount.bounded and amount.low is None else ""
    if amount.unit != "money" or not _CAMPAIGN.search(text):
        return ""
    before, after = text[:start], text[end:]
    if _EACH_AFTER.match(after) or _EACH_BEFORE.search(before):
        return "contact_cost"
    if _COUPON_AFTER.match(after) or _COUPON_BEFORE.search(before):
        return "coupon"
    budget = (
        _BUDGET_AFTER.match(after) or _BUDGET_BEFORE.search(before) or (amount.bounded and amount.low is None)
    )
    return "budget" if budget else ""
