"""A campaign's plan in words, in both languages: how many customers, at what cost, and what it is expected to bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from customers.recommend.plan import Estimate, Plan
from customers.recommend.uplift import DAYS
from tools import words
from tools.words import both

_ENDS = {
    "budget": both(en="The budget is used up.", zh="预算已用完。"),
    "capacity": both(en="The most contacts that there may be are reached.", zh="已达到触达人数上限。"),
    "worth": both(en="Nobody else is expected to be moved by it.", zh="预计其他顾客不会受其影响。"),
    "everybody": both(en="Everybody who may be addressed is in it.", zh="所有可触达的顾客都已包括在内。"),
}
_RULES = {
    "consent": ("did not consent to advertising", "未同意接收广告"),
    "contacts": ("were in too many campaigns of late", "近期收到的活动过多"),
    "never": ("never want it offered again", "表示不再接受该商品推荐"),
}


class Named(Protocol):
    """A name by language ("en", "zh")."""

    def __getitem__(self, language: str, /) -> str: ...


def summary(plan: Plan, target: Named, currency: str) -> list[Mapping[str, str]]:
    """Return the plan's sentences, the most important first; `sentences` tells what each is about."""
    return [text for _, _, text in sentences(plan, target, currency)]


def sentences(plan: Plan, target: Named, currency: str) -> list[tuple[str, float, Mapping[str, str]]]:
    """Return (what a sentence is about, its foremost figure, the sentence) for each, the most important first."""
    found = [
        ("plan", float(len(plan.contacts)), _whom(plan, target["en"], target["zh"], currency)),
        ("plan_buyers", plan.buyers.value if plan.learnt else plan.redeemers, _brings(plan, currency)),
    ]
    if plan.learnt and plan.contacts:
        found.append(("plan_return", plan.profit.value, _profit(plan, currency)))
    if plan.contacts:
        found.append(("plan_end", plan.cost, _ENDS[plan.stopped]))
    if plan.left_out:
        found.append(("left_out", float(sum(plan.left_out.values())), _left_out(plan)))
    return [*found, ("plan_grounds", float(plan.evidence.redeemers), _grounds(plan))]


def _whom(plan: Plan, en: str, zh: str, currency: str) -> Mapping[str, str]:
    n, t = len(plan.contacts), plan.terms
    coupon, letter = words.money(t.coupon, currency), words.money(t.contact_cost, currency)
    if not n:
        return both(en=f"Nobody: no contact for {en} fits these terms ({words.number(plan.eligible)} customers may be addressed).",
                    zh=f"没有合适的顾客：在这些条件下，针对{zh}没有可触达的人（可触达顾客共{words.number(plan.eligible)}位）。")  # fmt: skip
    return both(
        en=f"For {en}, send a coupon of {coupon} to {words.plural(n, 'customer')} out of {words.number(plan.eligible)} who may be addressed: "
        f"expected to cost {words.money(plan.cost, currency)} at {letter} a contact, at most {words.money(plan.most_cost, currency)} were every coupon redeemed.",
        zh=f"针对{zh}，向{words.number(n)}位顾客发送面值{coupon}的优惠券（可触达顾客共{words.number(plan.eligible)}位）："
        f"按每次触达{letter}计，预计花费{words.money(plan.cost, currency)}；若全部兑换，最多{words.money(plan.most_cost, currency)}。",
    )


def _brings(plan: Plan, currency: str) -> Mapping[str, str]:
    if not plan.learnt:
        return both(en=f"About {words.number(plan.redeemers, 1)} of them are expected to buy within {DAYS} days, with or without a coupon.",
                    zh=f"其中约{words.number(plan.redeemers, 1)}位预计在{DAYS}天内购买，无论有没有优惠券。")  # fmt: skip
    buyers, low, high = (words.number(x, 1) for x in (plan.buyers.value, plan.buyers.low, plan.buyers.high))
    return both(
        en=f"About {words.number(plan.redeemers, 1)} are expected to redeem it, and {buyers} to buy within {DAYS} days who would not have bought "
        f"(9 in 10: {low} to {high}), worth {words.money(plan.sales.value, currency)} of sales.",
        zh=f"预计约{words.number(plan.redeemers, 1)}位兑换；{DAYS}天内因此多出{buyers}位购买者（九成把握：{low}至{high}），"
        f"带来销售额约{words.money(plan.sales.value, currency)}。",
    )


def _profit(plan: Plan, currency: str) -> Mapping[str, str]:
    value, low, high = (words.money(x, currency) for x in _three(plan.profit))
    margin = words.percent(plan.terms.margin, 0)
    return both(
        en=f"At a margin of {margin} it is expected to return {value} after its cost (9 in 10: {low} to {high}).",
        zh=f"按{margin}的毛利率，扣除成本后预计净收益{value}（九成把握：{low}至{high}）。",
    )


def _three(e: Estimate) -> tuple[float, float, float]:
    return e.value, e.low, e.high


def _left_out(plan: Plan) -> Mapping[str, str]:
    parts = [(_RULES[rule], n) for rule, n in plan.left_out.items()]
    return both(
        en="Left out: " + "; ".join(f"{words.plural(n, 'customer')} who {en}" for (en, _), n in parts) + ".",
        zh="已排除：" + "；".join(f"{words.number(n)}位顾客（{zh}）" for (_, zh), n in parts) + "。",
    )


def _grounds(plan: Plan) -> Mapping[str, str]:
    e = plan.evidence
    if not plan.learnt:
        return both(
            en=f"The shop's past campaigns ({words.plural(e.redeemers, 'redeemer')}) are too few to tell what a coupon changes.",
            zh=f"店铺以往活动的兑换者只有{words.number(e.redeemers)}位，不足以判断优惠券带来的改变。",
        )
    point, before = words.number(100 * e.effect, 1), words.number(100 * e.placebo, 1)
    return both(
        en=f"Learnt from {words.plural(e.campaigns, 'past campaign')} that were not sent by lot: receipt went with {point} points more "
        f"buyers, but the same customers had bought more by {before} points in the weeks before as well. A random part left without a coupon would tell.",
        zh=f"依据以往{words.number(e.campaigns)}次并非随机发送的活动：收到者的购买比例高{point}个百分点，但在活动前几周同样高{before}个百分点。"
        f"随机留出一部分顾客不发券才能确认真实效果。",
    )
