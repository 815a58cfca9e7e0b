"""explain_preference: why a customer's chance to buy from a category is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.errors import Unknown
from customers.profiles.design import FEATURE_WORDS
from customers.values import Change, Contribution
from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class ExplainPreferenceTool:
    """The contributions of the category's logistic regression, strongest first, and what would change the chance."""

    name = "explain_preference"
    access = Access.READ
    describe = (
        "why one customer likes, or will buy, one category: what in their behaviour speaks for and against"
    )
    busy = both(en="Explaining what customer {customer} prefers", zh="正在解释顾客 {customer} 的偏好")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "category": {"type": "string", "x-entity": "category"},
    }
    required = ("customer", "category")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the probability, then the behaviours that moved it most, then the smallest change of what the
        customer did that would take it across one half."""
        try:
            found = shop.explain_preference(args["customer"], args["category"])
        except Unknown as error:
            raise CannotDo(_unmodelled(shop, args["customer"], args["category"])) from error
        who, name = names.customer(args["customer"]), names.called(found.name)
        chance, base = words.chance(found.probability), words.chance(found.base_rate)
        head = Fact(
            who.en, "buys_within_30_days", found.probability, "probability",
            both(
                en=f"The chance that {who.en} buys {name.en} within the next 30 days is {chance}; over all customers it is {base}.",
                zh=f"{who.zh}未来30天内购买{name.zh}的概率为{chance}，全体顾客平均为{base}。",
            ),
            names=name.all,
        )  # fmt: skip
        strongest = sorted(found.contributions, key=lambda c: -abs(c.logit))[:3]
        facts = [head, *(_fact(who, name, c) for c in strongest)]
        if found.change is not None:
            facts.append(_change(who, name, found.change))
        return ToolResult(tuple(facts), full=found)


def _unmodelled(shop: Shop, customer: str, category: str) -> Mapping[str, str]:
    name, who = names.category(shop, category), names.customer(customer)
    bought = shop.category_history(customer, category) is not None
    done_en, done_zh = ("has bought", "买过") if bought else ("has never bought", "从未买过")
    return both(
        en=f"{name.en} is bought too seldom to predict who will buy it, so there is no score to explain;"
        f" {who.en} {done_en} it.",
        zh=f"{name.zh}的购买记录太少，无法预测谁会购买，因此没有可以解释的概率；{who.zh}{done_zh}。",
    )


def _fact(who: names.Called, category: names.Called, c: Contribution) -> Fact:
    en, zh = (words_of.format(value=c.value, usual=c.usual) for words_of in FEATURE_WORDS[c.feature])
    raises = c.logit > 0
    return Fact(
        who.en, f"contribution:{c.feature}", c.logit, "log-odds",
        both(
            en=f"This {'raises' if raises else 'lowers'} it: {en}.",
            zh=f"{'提高' if raises else '降低'}该概率的因素：{zh}。",
        ),
        names=category.all,
    )  # fmt: skip


def _change(who: names.Called, category: names.Called, change: Change) -> Fact:
    n, chance = abs(change.trips), words.chance(change.probability)
    trips = "1 trip" if n == 1 else f"{n} trips"
    if change.trips > 0:
        done = both(
            en=f"bought {category.en} on {trips} where they did not", zh=f"另有{n}次购物也买了{category.zh}"
        )
    else:
        done = both(
            en=f"left out {category.en} on {trips} where they bought it", zh=f"有{n}次购物没有买{category.zh}"
        )
    start = both(en="Had", zh="如果") if change.crosses else both(en="Even had", zh="即使")
    return Fact(
        who.en, "would_change", change.probability, "probability",
        both(
            en=f"{start['en']} {who.en} {done['en']} in the last {change.days} days, the chance would be {chance}.",
            zh=f"{start['zh']}{who.zh}在最近{change.days}天{done['zh']}，该概率会是{chance}。",
        ),
        names=category.all,
    )  # fmt: skip
