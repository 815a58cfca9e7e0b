"""A campaign's plan as the facts of a tool: what it is, what it is expected to bring, and whom it holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from customers.recommend.plan import Contact, Plan, Terms
from tools import names, words
from tools.base import CannotDo, Fact, Table, ToolResult
from tools.plan_words import sentences
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN, LISTED = 5, 25
UNITS = {"plan": "customers", "plan_buyers": "customers", "plan_return": "money", "plan_end": "money",
         "left_out": "customers", "plan_grounds": "customers"}  # fmt: skip


def result(
    shop: Shop, target: names.Called, category: str | None, product: str | None, segment: str | None,
    given: Mapping[str, Any], among: Collection[str] | None = None,
) -> ToolResult:  # fmt: skip
    """Plan under the given terms and return the plan's sentences, then its best customers."""
    terms = Terms(**given)
    plan = shop.campaign_plan(terms, category=category, product_id=product, segment_id=segment, among=among)
    said = sentences(plan, target, shop.info.currency)
    if not plan.contacts:
        raise CannotDo(said[0][2])
    facts = [
        Fact(target.en, what, value, UNITS[what], text, names=target.all if what == "plan" else ())
        for what, value, text in said
    ]
    facts += [_member(rank, c, plan) for rank, c in enumerate(plan.contacts[:SHOWN], 1)]
    return ToolResult(
        tuple(facts),
        found={"customer": tuple(c.customer_id for c in plan.contacts)},
        cases=frozenset({"plan"}),
        full=plan,
        table=_table(plan) if len(plan.contacts) > SHOWN else None,
    )


def _member(rank: int, c: Contact, plan: Plan) -> Fact:
    trips, anyway = words.number(c.trips), words.chance(c.buys_anyway)
    seen_en = (
        "never bought it"
        if c.days_since is None
        else f"bought on {words.plural(c.trips, 'trip')}, last bought {words.days_ago(c.days_since, 'en')}"
    )
    seen_zh = (
        "从未买过"
        if c.days_since is None
        else f"买过{trips}次，上次购买在{words.days_ago(c.days_since, 'zh')}"
    )
    if plan.learnt:
        en = f"{words.chance(c.redeems)} likely to redeem, {anyway} likely to buy without it"
        zh = f"兑换概率{words.chance(c.redeems)}，不发券的购买概率{anyway}"
    else:
        en, zh = f"{anyway} likely to buy", f"购买概率{anyway}"
    return Fact(
        f"customer {c.customer_id}", "plan_contact", c.gain, "probability",
        both(en=f"{rank}. Customer {c.customer_id}: {en}; {seen_en}.",
             zh=f"{rank}. {c.customer_id}号顾客：{zh}；{seen_zh}。"),
    )  # fmt: skip


def _table(plan: Plan) -> Table:
    rows = tuple(
        (c.customer_id, words.chance(c.redeems) if plan.learnt else "–", words.chance(c.buys_anyway),
         f"{100 * c.gain:+.1f}" if plan.learnt else "–", words.number(c.trips))
        for c in plan.contacts[SHOWN:LISTED]
    )  # fmt: skip
    titles = {
        "en": ("Customer", "Redeems", "Buys anyway", "Points gained", "Trips with it"),
        "zh": ("顾客", "兑换概率", "不发券购买概率", "提升百分点", "购买次数"),
    }
    return Table(titles, {"en": rows, "zh": rows})
