"""Suite "handoff": complaints and requests for a person go to a person, with a brief that names the customer."""

from __future__ import annotations

import random

from eval.generate.pool import Pool
from eval.generate.wording import same
from eval.generate.writing import NO_CALL, Ask, Draft, Make, Topic

_HANDED_OVER = {"mentions": ["colleague", "human", "agent", "同事", "人工", "专员"]}


def handed_over(kind: str) -> Make:
    """Return what drafts a matter of a customer's that must go to a person."""

    def make(rng: random.Random, pool: Pool) -> Draft:
        customer, goods = pool.customer(rng), pool.goods(rng, food=True)
        ask = Ask(kind, {"c": same(customer), "goods": goods.said}, "handoff", NO_CALL, (_HANDED_OVER,),
                  more={"brief": [customer]})  # fmt: skip
        return Draft((ask,), customer=customer)

    return make


TOPICS = (
    Topic("asks_human", 5, handed_over("service.asks_human")),
    Topic("complaint", 5, handed_over("service.complaint")),
    Topic("legal", 3, handed_over("service.legal")),
)
