"""Suite "multi_turn": later turns that point to what was said before."""

from __future__ import annotations

import random

from eval.generate import asks, injection
from eval.generate.measures import Call, Scope, call, checked, figure, one, ranked
from eval.generate.periods import month, perhaps
from eval.generate.pool import Pool, count
from eval.generate.wording import Both, data, same
from eval.generate.writing import NO_CALL, Ask, Draft, Topic

_PLACES = (Both("first", "第一"), Both("second", "第二"), Both("third", "第三"))


def _profile(customer: str, **args: str) -> Call:
    return {"tool": "profile", "args": {"customer": customer, **args}}


def _favourites(pool: Pool, wording: str, customer: str) -> Ask | None:
    """Ask what a customer spends the most on; None where that is not clear."""
    scope = Scope(customer=customer)
    if pool.clear_top("spend", scope, "category", 1) is None:
        return None
    query = ranked("spend", scope, "category")
    expect = ({"top": "category", "sql": f"select key from ({query}) limit 1"},
              checked("spend on the first", f"select v from ({query}) limit 1", "money"))  # fmt: skip
    return Ask(wording, {"c": same(customer)}, tools=("profile", "measure"), expect=expect)


def _last_came(wording: str, pool: Pool, customer: str) -> Ask:
    plans = ((_profile(customer, about="visits"),),)
    return Ask(wording, {"c": same(customer)}, plans=plans, expect=(injection.last_visit(pool, customer),))


def _pronoun(rng: random.Random, pool: Pool) -> Draft | None:
    """Who this is; what she spent; when she last came or what to offer her."""
    goods, offered, when = pool.goods(rng), pool.goods(rng), perhaps(rng, 0.5)
    customer = pool.buyer(rng, goods.key, 8)
    if customer is None or pool.unbought(customer, offered.key) < 10:
        return None
    scope = Scope(customer=customer, category=goods.key, period=when)
    if not pool.raw.value(f"select count(*) from lines where {scope.where()}"):
        return None
    first = Ask("tools.profile_everything", {"c": same(customer)}, plans=((_profile(customer),),))
    spent = asks.figure_of("multi_turn.she_spent", "spend", scope, goods=goods.said)
    n, said = count(rng, 2, 5)
    third = _last_came("multi_turn.she_last_came", pool, customer) if rng.random() < 0.5 else Ask(
        "multi_turn.offer_her", {"n": said, "goods": offered.said},
        plans=((asks.recommend(customer, n, offered.key),),), expect=({"count": n}, {"category": offered.key}),
    )  # fmt: skip
    return Draft((first, spent, third), customer=customer)


def _listed(rng: random.Random, pool: Pool) -> Draft | None:
    """The second one of a ranking of customers, then another one of it."""
    goods, when, (n, said) = pool.goods(rng), perhaps(rng, 0.6), count(rng, 3, 5)
    scope = Scope(category=goods.key, period=when)
    keys = pool.clear_top("spend", scope, "customer", n)
    if keys is None:
        return None
    query = f"select key from ({ranked('spend', scope, 'customer')}) limit {n}"
    first = Ask("measures.top_customers", {"goods": goods.said, "when": when.said, "n": said},
                plans=((call("spend", scope, "customer", n),),), expect=({"top": "customer", "sql": query},))  # fmt: skip
    place = rng.choice((0, 1, 2))
    wording, slots = (
        ("multi_turn.tell_second", {}) if place == 1 else ("multi_turn.tell_nth", {"place": _PLACES[place]})
    )
    second = Ask(wording, slots, plans=((_profile(keys[place]),),), expect=({"mentions": [keys[place]]},))
    return Draft((first, second), "merchandiser")


def _and_month(rng: random.Random, pool: Pool) -> Draft | None:
    goods, (a, b) = pool.goods(rng), rng.sample(range(1, 13), 2)
    customer = pool.buyer(rng, goods.key, 15) if rng.random() < 0.5 else None
    scopes = [Scope(customer=customer, category=goods.key, period=month(rng, m)) for m in (a, b)]
    if any(not pool.raw.value(f"select count(*) from lines where {s.where()}") for s in scopes):
        return None
    slots = {"goods": goods.said} | ({"c": same(customer)} if customer else {})
    first = asks.figure_of(
        "measures.customer_spend" if customer else "measures.goods_spend", "spend", scopes[0], **slots
    )
    then = Both(scopes[1].period.said.en.removeprefix("in "), scopes[1].period.said.zh)
    second = Ask(
        "multi_turn.and_month",
        {"when": then},
        plans=one("spend", scopes[1]),
        expect=(figure("spend", scopes[1]),),
    )
    return Draft((first, second), "service" if customer else "merchandiser", customer)


def _change_and_return(rng: random.Random, pool: Pool) -> Draft | None:
    """One customer, then another, then the first again."""
    a, b = pool.customers_apart(rng, 2)
    first, second = (
        _favourites(pool, "grounded.favourites", a),
        _favourites(pool, "multi_turn.and_customer", b),
    )
    if first is None or second is None:
        return None
    return Draft((first, second, _last_came("multi_turn.back_to", pool, a)))


def _and_goods(rng: random.Random, pool: Pool) -> Draft | None:
    goods, other, when = pool.goods(rng), pool.goods(rng), perhaps(rng)
    scopes = [Scope(category=g.key, period=when) for g in (goods, other)]
    if goods.key == other.key or any(
        not pool.raw.value(f"select count(*) from lines where {s.where()}") for s in scopes
    ):
        return None
    quantity, kind = rng.choice(
        (("spend", "goods_spend"), ("customers", "goods_customers"), ("units", "goods_units"))
    )
    first = asks.figure_of(f"measures.{kind}", quantity, scopes[0], goods=goods.said)
    second = Ask("multi_turn.and_goods", {"goods": other.said}, plans=one(quantity, scopes[1]),
                 expect=(figure(quantity, scopes[1]),))  # fmt: skip
    return Draft((first, second), "merchandiser")


def _it(rng: random.Random, pool: Pool) -> Draft | None:
    """Goods, then how many bought it, or what goes with it."""
    goods, when = pool.goods(rng), perhaps(rng, 0.6)
    scope = Scope(category=goods.key, period=when)
    if pool.raw.value(f"select count(*) from lines where {scope.where()}") < 30:
        return None
    first = asks.figure_of("measures.goods_spend", "spend", scope, goods=goods.said)
    seconds = (
        asks.bought_with("multi_turn.goes_with_it", pool, goods),
        asks.figure_of("multi_turn.how_many_bought", "customers", scope),
    )
    second = rng.choice(seconds)
    return Draft((first, second), "merchandiser")


def _declined(rng: random.Random, pool: Pool) -> Draft:
    """A note is dictated, its writing declined: nothing is kept."""
    customer, fact = pool.customer(rng), rng.choice(data("attacks")["harmless"])
    slots = {"c": same(customer), "fact": Both(fact["en"], fact["zh"])}
    first = Ask("tools.note_write", slots, "clarify", NO_CALL, ({"mentions": fact["words"]},))
    second = Ask("multi_turn.never_mind", {}, "answer", NO_CALL)
    third = Ask("tools.notes", {"c": same(customer)}, silent=tuple(fact["words"]),
                plans=tuple(({"tool": tool, "args": {"customer": customer}},) for tool in ("notes", "profile")))  # fmt: skip
    return Draft((first, second, third))


TOPICS = (
    Topic("pronoun", 4, _pronoun),
    Topic("listed", 3, _listed),
    Topic("and_month", 4, _and_month),
    Topic("change_and_return", 3, _change_and_return),
    Topic("and_goods", 3, _and_goods),
    Topic("it", 3, _it),
    Topic("declined", 2, _declined),
)
