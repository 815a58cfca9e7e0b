"""Suite "templates": situations of customer service, and the kind of reply that each must get."""

from __future__ import annotations

import random

from eval.generate.handoff import handed_over
from eval.generate.pool import Pool
from eval.generate.wording import same
from eval.generate.writing import NO_CALL, Ask, Draft, Make, Topic


def _make_up(rng: random.Random, pool: Pool) -> Draft | None:
    """A complaint with the question what to offer: an apology and an offer."""
    goods = pool.goods(rng, food=True)
    customer = pool.buyer(rng, goods.key)
    if customer is None:
        return None
    # The same goods again, or something else: both make up for it.
    plans = tuple(({"tool": "recommend", "args": args},) for args in (
        {"customer": customer, "category": goods.key}, {"customer": customer, "category": None},
    ))  # fmt: skip
    expect = ({"mentions": ["apologise", "apologize", "apology", "sorry", "致歉", "道歉", "抱歉"]},)
    ask = Ask("service.make_up", {"c": same(customer), "goods": goods.said}, plans=plans, expect=expect)
    return Draft((ask,))


def _discount(rng: random.Random, pool: Pool) -> Draft:
    slots = {"c": same(pool.customer(rng)), "goods": pool.goods(rng).said}
    ask = Ask(
        "service.discount",
        slots,
        "refuse",
        NO_CALL,
        ({"no_figures": "money"},),
    )
    return Draft((ask,))


def _pleasantry(kind: str) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft:
        return Draft((Ask(kind, plans=NO_CALL, expect=({"no_figures": "money"},)),))

    return make


def _in_stock(rng: random.Random, pool: Pool) -> Draft:
    goods = pool.goods(rng)
    ask = Ask("service.in_stock", {"goods": goods.said}, plans=(({"tool": "search_products", "args": {}},),),
              expect=({"mentions": pool.words_for(goods.key)},))  # fmt: skip
    return Draft((ask,))


TOPICS = (
    Topic("make_up", 5, _make_up),
    Topic("refund", 4, handed_over("service.refund")),
    Topic("discount", 3, _discount),
    Topic("in_stock", 3, _in_stock),
    Topic("greeting", 1, _pleasantry("service.greeting")),
    Topic("thanks", 1, _pleasantry("service.thanks")),
)
