"""Suite "groundedness": answers of several figures, each derived again from the raw files."""

from __future__ import annotations

import random

from eval.generate.measures import Scope, checked, figure, quoted, ranked
from eval.generate.periods import any_period
from eval.generate.pool import Pool, count
from eval.generate.wording import same
from eval.generate.writing import Ask, Draft, Topic


def _spending_summary(rng: random.Random, pool: Pool) -> Draft:
    customer = pool.customer(rng)
    scope = Scope(customer=customer)
    ask = Ask("grounded.spending_summary", {"c": same(customer)}, tools=("profile", "measure"),
              expect=(figure("spend", scope), figure("baskets", scope)))  # fmt: skip
    return Draft((ask,))


def _favourites(rng: random.Random, pool: Pool) -> Draft | None:
    customer = pool.customer(rng)
    scope = Scope(customer=customer)
    if pool.clear_top("spend", scope, "category", 3) is None:
        return None
    query = ranked("spend", scope, "category")
    expect = (
        {"top": "category", "sql": f"select key from ({query}) limit 3", "ordered": True},
        checked("spend on the first", f"select v from ({query}) limit 1", "money"),
        checked("spend on the third", f"select v from ({query}) limit 1 offset 2", "money"),
    )
    ask = Ask("grounded.favourites", {"c": same(customer)}, tools=("profile", "measure"), expect=expect)
    return Draft((ask,))


def _compare_goods(rng: random.Random, pool: Pool) -> Draft | None:
    first, second, when = pool.goods(rng), pool.goods(rng), any_period(rng)
    if first.key == second.key:
        return None
    expect = tuple(figure("spend", Scope(category=g.key, period=when)) for g in (first, second))
    slots = {"goods": first.said, "other": second.said, "when": when.said}
    return Draft((Ask("grounded.compare_goods", slots, tools=("measure",), expect=expect),), "merchandiser")


def _campaign_figures(rng: random.Random, pool: Pool) -> Draft:
    k = pool.campaign(rng)
    expect = tuple(
        checked(name, f"select {what} where campaign = {quoted(k)}", "plain", 0)
        for name, what in (
            ("customers reached", "count(*) from received"),
            ("redeemers", "count(distinct customer) from redeemed"),
            ("coupons redeemed", "count(*) from redeemed"),
        )
    )
    ask = Ask("grounded.campaign_figures", {"k": same(k)}, tools=("campaign", "measure"), expect=expect)
    return Draft((ask,), "merchandiser")


def _busiest(rng: random.Random, pool: Pool) -> Draft | None:
    (n, said), scope = count(rng, 2, 5), Scope()
    query = ranked("spend", scope, "month")
    if pool.clear_top("spend", scope, "month", n) is None:
        return None
    expect = ({"top": "month", "sql": f"select key from ({query}) limit {n}", "ordered": False},
              checked("sales of the best", f"select v from ({query}) limit 1", "money"))  # fmt: skip
    return Draft((Ask("grounded.busiest", {"n": said}, tools=("measure",), expect=expect),), "merchandiser")


def _age_means(rng: random.Random, pool: Pool) -> Draft:
    query = ranked("mean_spend", Scope(), "age")
    expect = tuple(
        checked(f"mean spend, rank {i + 1}", f"select v from ({query}) limit 1 offset {i}", "money")
        for i in (0, 2)
    )
    return Draft((Ask("grounded.age_means", tools=("measure",), expect=expect),), "merchandiser")


def _share_of_customer(rng: random.Random, pool: Pool) -> Draft | None:
    goods = pool.goods(rng)
    customer = pool.buyer(rng, goods.key, 8)
    if customer is None:
        return None
    query = (
        f"select sum(amount) filter (where category = {quoted(goods.key)}) / sum(amount) from lines"
        f" where customer = {quoted(customer)}"
    )
    if pool.raw.value(query) < 0.01:
        return None
    ask = Ask("grounded.share_of_customer", {"c": same(customer), "goods": goods.said}, tools=("measure", "profile"),
              expect=(checked("share", query, "percent", 0.01),))  # fmt: skip
    return Draft((ask,))


TOPICS = (
    Topic("spending_summary", 4, _spending_summary),
    Topic("favourites", 4, _favourites),
    Topic("compare_goods", 4, _compare_goods),
    Topic("campaign_figures", 3, _campaign_figures),
    Topic("busiest", 2, _busiest),
    Topic("age_means", 2, _age_means),
    Topic("share_of_customer", 3, _share_of_customer),
)
