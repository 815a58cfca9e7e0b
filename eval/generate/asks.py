"""Questions that several suites ask: one figure, recommendations, audiences, reasons, neighbours, baskets."""

from __future__ import annotations

import random
from typing import Any

from eval.generate.measures import Call, Plans, Scope, checked, figure, one
from eval.generate.pool import Goods, Pool, count
from eval.generate.wording import Both, same
from eval.generate.writing import Ask, Draft, Make

_EXPLAINED = ("COFFEE", "FLUID MILK PRODUCTS", "YOGURT", "EGGS", "BEEF", "PORK", "BACON", "LUNCHMEAT", "HOT DOGS",
              "SOUP", "FROZEN PIZZA", "COLD CEREAL", "SOFT DRINKS", "ICE CREAM/MILK/SHERBTS", "POTATOES", "TOMATOES",
              "APPLES", "GRAPES", "BERRIES", "CAT FOOD", "DOG FOODS", "BATH TISSUES", "TROPICAL FRUIT")  # fmt: skip
"""Among the 80 categories with the largest sales, for which there is a reason to give (docs/methods.md)."""


def figure_of(kind: str, quantity: str, scope: Scope, **slots: Both) -> Ask:
    """Return the question for one figure; `when` is filled from the scope."""
    filled = {"when": scope.period.said, **slots}
    return Ask(kind, filled, plans=one(quantity, scope), expect=(figure(quantity, scope),))


def recommend(
    customer: str, n: int | None = None, category: str | None = None, new_only: bool = False
) -> Call:
    """Return a call of `recommend`; the count only where one is asked for."""
    args: dict[str, Any] = {"customer": customer, "category": category, "new_only": new_only or None}
    return {"tool": "recommend", "args": args | ({"n": n} if n else {})}


def recommend_plain(kind: str) -> Make:
    """Return what drafts a question for so many products for a customer."""

    def make(rng: random.Random, pool: Pool) -> Draft:
        customer, (n, said) = pool.customer(rng), count(rng, 2, 8)
        ask = Ask(
            kind, {"c": same(customer), "n": said}, plans=((recommend(customer, n),),), expect=({"count": n},)
        )
        return Draft((ask,), customer=customer)

    return make


def recommend_inside(kind: str) -> Make:
    """Return what drafts a question for so many products of a category that the customer buys from."""

    def make(rng: random.Random, pool: Pool) -> Draft | None:
        goods, (n, said) = pool.goods(rng), count(rng, 2, 5)
        customer = pool.buyer(rng, goods.key)
        if customer is None or pool.unbought(customer, goods.key) < 2 * n:
            return None
        ask = Ask(
            kind, {"c": same(customer), "n": said, "goods": goods.said},
            plans=((recommend(customer, n, goods.key),),), expect=({"count": n}, {"category": goods.key}),
        )  # fmt: skip
        return Draft((ask,), customer=customer)

    return make


def audience(rng: random.Random, pool: Pool) -> Draft:
    """Draft a question for so many customers to address."""
    goods, n = pool.goods(rng), rng.choice((8, 12, 15, 25, 30, 40, 60))
    args = {"category": goods.key, "product": None, "segment": None, "n": n}
    expect = (checked("members", f"select {n}", "plain", 0), {"mentions": pool.words_for(goods.key)})
    ask = Ask("tools.audience", {"goods": goods.said, "n": same(n)},
              plans=(({"tool": "audience", "args": args},),), expect=expect)  # fmt: skip
    return Draft((ask,), "merchandiser")


def explain(rng: random.Random, pool: Pool) -> Draft | None:
    """Draft a question for the reasons of somebody who buys from the category."""
    goods = pool.named(rng, rng.choice(_EXPLAINED))
    customer = pool.buyer(rng, goods.key, 8)
    if customer is None:
        return None
    args = {"customer": customer, "category": goods.key}
    ask = Ask(
        "tools.explain", {"c": same(customer), "goods": goods.said}, plans=(({"tool": "explain_preference", "args": args},),),
        expect=({"mentions": pool.words_for(goods.key)}, {"mentions": [customer]}, {"mentions": ["chance", "概率"]}),
    )  # fmt: skip
    return Draft((ask,), customer=customer)


def similar(rng: random.Random, pool: Pool) -> Draft:
    """Draft a question for so many customers like one."""
    customer, (n, said) = pool.customer(rng), count(rng, 3, 9)
    plan: Call = {"tool": "similar_customers", "args": {"customer": customer, "n": n}}
    ask = Ask(
        "tools.similar",
        {"c": same(customer), "n": said},
        plans=((plan,),),
        expect=({"mentions": [customer]},),
    )
    return Draft((ask,), customer=customer)


def bought_with(kind: str, pool: Pool, goods: Goods, **slots: Both) -> Ask:
    """Return a question for what is bought with goods."""
    plan: Call = {"tool": "bought_with", "args": {"category": goods.key, "product": None}}
    return Ask(
        kind,
        {"goods": goods.said, **slots},
        plans=((plan,),),
        expect=({"mentions": pool.words_for(goods.key)},),
    )


def campaign_plans(k: str) -> Plans:
    """Return the plans for how a campaign did: the tool for it, beside or without what `measure` counts of it."""
    told: Call = {"tool": "campaign", "args": {"campaign": k}}
    reach, used = (
        {"tool": "measure", "args": {"quantity": q, "filters": {"campaign": [k]}}}
        for q in ("received", "redemptions")
    )
    return (told,), (reach, told), (used, told)
