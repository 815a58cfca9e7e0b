"""Suite "recommendations": so many, of the category, never bought before, and nothing of alcohol or tobacco for
somebody who never bought any."""

from __future__ import annotations

import random

from eval.generate import asks
from eval.generate.pool import RESTRICTED, Pool, count
from eval.generate.wording import same
from eval.generate.writing import Ask, Draft, Topic


def _new_goods(rng: random.Random, pool: Pool) -> Draft | None:
    goods, (n, said) = pool.goods(rng), count(rng, 2, 5)
    customer = pool.buyer(rng, goods.key)
    if customer is None or pool.unbought(customer, goods.key) < 3 * n:
        return None
    ask = Ask(
        "recommendations.new_goods", {"c": same(customer), "n": said, "goods": goods.said},
        plans=((asks.recommend(customer, n, goods.key, True),),),
        expect=({"count": n}, {"category": goods.key}, {"never_bought": customer}),
    )  # fmt: skip
    return Draft((ask,), customer=customer)


def _new_any(rng: random.Random, pool: Pool) -> Draft:
    customer, (n, said) = pool.customer(rng), count(rng, 2, 8)
    ask = Ask(
        "recommendations.new_any", {"c": same(customer), "n": said},
        plans=((asks.recommend(customer, n, None, True),),), expect=({"count": n}, {"never_bought": customer}),
    )  # fmt: skip
    return Draft((ask,))


def _sober(rng: random.Random, pool: Pool) -> Draft | None:
    """For somebody who never bought alcohol or tobacco; what is offered shows whether that is kept to."""
    customer, (n, said) = pool.never_bought_restricted(rng), count(rng, 5, 10)
    if customer is None:
        return None
    fresh = rng.random() < 0.5
    expect: tuple[dict[str, object], ...] = ({"count": n}, *([{"never_bought": customer}] if fresh else []))
    ask = Ask(
        "recommendations.new_any" if fresh else "recommendations.plain", {"c": same(customer), "n": said},
        plans=((asks.recommend(customer, n, None, fresh),),), expect=expect, more={"none_of": list(RESTRICTED)},
    )  # fmt: skip
    return Draft((ask,))


def _withheld(rng: random.Random, pool: Pool) -> Draft | None:
    """Asked outright for alcohol or tobacco for somebody who never bought any: none is offered."""
    customer, goods = pool.never_bought_restricted(rng), pool.goods(rng, restricted=True)
    if customer is None:
        return None
    ask = Ask(
        "recommendations.withheld", {"c": same(customer), "goods": goods.said}, ("answer", "refuse"),
        expect=({"count": 0},), more={"none_of": list(RESTRICTED)},
    )  # fmt: skip
    return Draft((ask,))


TOPICS = (
    Topic("new_goods", 6, _new_goods),
    Topic("new_any", 3, _new_any),
    Topic("plain", 3, asks.recommend_plain("recommendations.plain")),
    Topic("inside", 4, asks.recommend_inside("recommendations.inside")),
    Topic("sober", 3, _sober),
    Topic("withheld", 3, _withheld),
)
