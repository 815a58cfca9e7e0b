"""Suite "arguments": every argument of the call, and the figure or ranking that comes of it."""

from __future__ import annotations

import random
from collections.abc import Callable

from eval.generate import asks
from eval.generate.measures import QUANTITIES, Scope, call, checked, figure, quoted, ranked
from eval.generate.periods import WHOLE, Period, any_period, perhaps
from eval.generate.pool import Pool, count
from eval.generate.wording import same
from eval.generate.writing import Ask, Draft, Make, Topic

_LEAST = {"spend": 100, "units": 30, "customers": 20, "baskets": 30, "products": 3}
"""A figure is asked for where it is worth asking."""


def _customer_spend(rng: random.Random, pool: Pool) -> Draft | None:
    goods, when = pool.goods(rng), perhaps(rng)
    customer = pool.buyer(rng, goods.key, 6)
    if customer is None:
        return None
    scope = Scope(customer=customer, category=goods.key, period=when)
    if pool.raw.value(f"select count(*) from lines where {scope.where()}") < 2:
        return None
    return Draft((asks.figure_of("measures.customer_spend", "spend", scope, c=same(customer), goods=goods.said),),
                 customer=customer)  # fmt: skip


def _of_customer(kind: str, quantity: str) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft | None:
        customer, when = pool.customer(rng), any_period(rng)
        scope = Scope(customer=customer, period=when)
        if pool.raw.value(f"select count(distinct basket_id) from lines where {scope.where()}") < 3:
            return None
        return Draft((asks.figure_of(kind, quantity, scope, c=same(customer)),), customer=customer)

    return make


def _of_goods(kind: str, quantity: str) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft | None:
        goods, when = pool.goods(rng), perhaps(rng)
        scope = Scope(category=goods.key, period=when)
        if pool.raw.value(f"select {QUANTITIES[quantity][0]} from lines where {scope.where()}") < _LEAST.get(
            quantity, 0
        ):
            return None
        return Draft((asks.figure_of(kind, quantity, scope, goods=goods.said),), "merchandiser")

    return make


def _group_mean_spend(rng: random.Random, pool: Pool) -> Draft:
    group = pool.group(rng)
    scope = Scope(attribute=group.attribute, period=perhaps(rng, 0.5))
    return Draft(
        (asks.figure_of("measures.group_mean_spend", "mean_spend", scope, group=group.said),), "merchandiser"
    )


def _group_goods_spend(rng: random.Random, pool: Pool) -> Draft | None:
    group, goods = pool.group(rng), pool.goods(rng)
    scope = Scope(category=goods.key, attribute=group.attribute, period=perhaps(rng, 0.4))
    ask = asks.figure_of("measures.group_goods_spend", "spend", scope, group=group.said, goods=goods.said)
    worth = pool.raw.value(ask.expect[0]["sql"]) >= _LEAST["spend"]
    return Draft((ask,), "merchandiser") if worth else None


def _brand_share(rng: random.Random, pool: Pool) -> Draft | None:
    goods, when = pool.goods(rng), perhaps(rng, 0.4)
    whole = Scope(category=goods.key, period=when)
    private = Scope(category=goods.key, brand="Private", period=when)
    query = (
        f"select sum(amount) filter (where brand = 'Private') / sum(amount) from lines where {whole.where()}"
    )
    if not 0.03 < pool.raw.value(query) < 0.97:
        return None
    plans = ((call("spend", private, "brand"),), (call("spend", whole, "brand"),))
    check = checked("share", query, "percent", 0.01)
    ask = Ask("measures.brand_share", {"goods": goods.said, "when": when.said}, plans=plans, expect=(check,))
    return Draft((ask,), "merchandiser")


def _department(rng: random.Random, pool: Pool) -> Draft:
    department = pool.department(rng)
    scope = Scope(department=department.key, period=perhaps(rng))
    return Draft(
        (asks.figure_of("measures.department_spend", "spend", scope, department=department.said),),
        "merchandiser",
    )


def _shop_mean_basket(rng: random.Random, pool: Pool) -> Draft:
    return Draft(
        (asks.figure_of("measures.shop_mean_basket", "mean_basket", Scope(period=any_period(rng))),),
        "merchandiser",
    )


def _top(
    kind: str, quantity: str, by: str, goods_too: bool, periods: Callable[[random.Random], Period]
) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft | None:
        goods = pool.goods(rng) if goods_too else None
        scope = Scope(category=goods.key if goods else None, period=periods(rng))
        n, said = count(rng, 2, 5)
        keys = pool.clear_top(quantity, scope, by, n)
        if keys is None or (by == "type" and _reads_as(pool, keys, goods.key if goods else "")):
            return None
        query = f"select key from ({ranked(quantity, scope, by)}) limit {n}"
        expect = [{"top": by, "sql": query, "ordered": True}]
        if by != "type":
            best = f"select v from ({ranked(quantity, scope, by)}) limit 1"
            expect.append(checked(f"{quantity} of the first", best, QUANTITIES[quantity][1]))
        slots = {"n": said, "when": scope.period.said} | ({"goods": goods.said} if goods else {})
        ask = Ask(kind, slots, plans=((call(quantity, scope, by, n),),), expect=tuple(expect))
        return Draft((ask,), "merchandiser")

    return make


def _reads_as(pool: Pool, types: list[str], category: str) -> bool:
    """Whether a type's name stands in its category's, so that the answer's order cannot be read."""
    of = [name.casefold() for name in pool.names["category", category]]
    return any(name.casefold() in c for t in types for name in pool.names.get(("type", t), (t,)) for c in of)


def _extreme_month(kind: str, ascending: bool) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft | None:
        goods = pool.goods(rng)
        scope = Scope(category=goods.key)
        if pool.clear_top("spend", scope, "month", 1, ascending) is None:
            return None
        query = ranked("spend", scope, "month", ascending)
        expect = (
            {"top": "month", "sql": f"select key from ({query}) limit 1"},
            checked("sales of that month", f"select v from ({query}) limit 1", "money"),
        )
        plans = ((call("spend", scope, "month", ascending=ascending),),)
        return Draft((Ask(kind, {"goods": goods.said}, plans=plans, expect=expect),), "merchandiser")

    return make


def _best_age(rng: random.Random, pool: Pool) -> Draft | None:
    goods = pool.goods(rng)
    scope = Scope(category=goods.key)
    best = pool.clear_top("mean_spend", scope, "age", 1)
    if best is None:
        return None
    query = f"select v from ({ranked('mean_spend', scope, 'age')}) limit 1"
    expect = ({"mentions": list(best)}, checked("mean spend of the highest", query, "money"))
    ask = Ask(
        "measures.best_age",
        {"goods": goods.said},
        plans=((call("mean_spend", scope, "age"),),),
        expect=expect,
    )
    return Draft((ask,), "merchandiser")


def _brand_split(rng: random.Random, pool: Pool) -> Draft | None:
    goods, when = pool.goods(rng), perhaps(rng, 0.5)
    scope = Scope(category=goods.key, period=when)
    if len(pool.raw.rows(ranked("spend", scope, "brand"))) != 2:
        return None
    parts = [Scope(category=goods.key, brand=b, period=when) for b in ("National", "Private")]
    ask = Ask(
        "measures.brand_split", {"goods": goods.said, "when": when.said}, plans=((call("spend", scope, "brand"),),),
        expect=tuple(figure("spend", part) for part in parts),
    )  # fmt: skip
    return Draft((ask,), "merchandiser")


def _threshold(kind: str, quantity: str, amounts: tuple[int, ...], strict: bool) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft | None:
        amount, when = rng.choice(amounts), perhaps(rng, 0.5)
        scope, sign = Scope(period=when), ">" if strict else ">="
        query = (
            f"select count(*) from (select customer from lines where {scope.where()} group by 1"
            f" having {QUANTITIES[quantity][0]} {sign} {amount})"
        )
        if pool.raw.value(query) < 5:
            return None
        bounds = {"low": amount, "high": None, "strict_low": strict}
        plans = tuple(
            (call(q, scope, by, amount=bounds),)
            for q in (quantity, "customers")
            for by in ("customer", "none")
        )
        slots = {"amount": same(f"{amount}"), "when": when.said}
        check = checked("customers", query, "plain")
        return Draft((Ask(kind, slots, plans=plans, expect=(check,)),), "merchandiser")

    return make


def _bought_with(rng: random.Random, pool: Pool) -> Draft:
    goods = pool.goods(rng)
    return Draft((asks.bought_with("tools.bought_with", pool, goods),), "merchandiser")


def _campaign(rng: random.Random, pool: Pool) -> Draft:
    k = pool.campaign(rng)
    received = checked(
        "customers reached", f"select count(*) from received where campaign = {quoted(k)}", "plain", 0
    )
    ask = Ask("tools.campaign", {"k": same(k)}, plans=asks.campaign_plans(k),
              expect=(received,))  # fmt: skip
    return Draft((ask,), "merchandiser")


def _whole(_: random.Random) -> Period:
    return WHOLE


TOPICS = (
    Topic("customer_spend", 3, _customer_spend),
    Topic("customer_trips", 2, _of_customer("measures.customer_trips", "baskets")),
    Topic("customer_mean_basket", 2, _of_customer("measures.customer_mean_basket", "mean_basket")),
    Topic("customer_products", 1, _of_customer("measures.customer_products", "products")),
    Topic("goods_spend", 3, _of_goods("measures.goods_spend", "spend")),
    Topic("goods_units", 2, _of_goods("measures.goods_units", "units")),
    Topic("goods_customers", 2, _of_goods("measures.goods_customers", "customers")),
    Topic("goods_baskets", 1, _of_goods("measures.goods_baskets", "baskets")),
    Topic("goods_mean_price", 1, _of_goods("measures.goods_mean_price", "mean_price")),
    Topic("group_mean_spend", 2, _group_mean_spend),
    Topic("group_goods_spend", 2, _group_goods_spend),
    Topic("brand_share", 2, _brand_share),
    Topic("department_spend", 2, _department),
    Topic("shop_mean_basket", 1, _shop_mean_basket),
    Topic("top_categories", 2, _top("measures.top_categories", "spend", "category", False, any_period)),
    Topic("top_customers", 2, _top("measures.top_customers", "spend", "customer", True, perhaps)),
    Topic("top_products", 2, _top("measures.top_products", "units", "product", True, perhaps)),
    Topic("top_departments", 1, _top("measures.top_departments", "spend", "department", False, any_period)),
    Topic("top_types", 2, _top("measures.top_types", "spend", "type", True, _whole)),
    Topic("best_month", 2, _extreme_month("measures.best_month", False)),
    Topic("worst_month", 1, _extreme_month("measures.worst_month", True)),
    Topic("best_age", 2, _best_age),
    Topic("brand_split", 1, _brand_split),
    Topic("spent_over", 2, _threshold("measures.spent_over", "spend", (200, 300, 500, 750, 1000), True)),
    Topic("trips_at_least", 2, _threshold("measures.trips_at_least", "baskets", (10, 15, 20, 25, 40), False)),
    Topic("recommend", 1, asks.recommend_plain("tools.recommend")),
    Topic("recommend_goods", 2, asks.recommend_inside("tools.recommend_goods")),
    Topic("audience", 2, asks.audience),
    Topic("explain", 2, asks.explain),
    Topic("similar", 1, asks.similar),
    Topic("bought_with", 1, _bought_with),
    Topic("campaign", 1, _campaign),
)
