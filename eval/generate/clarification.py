"""Suite "clarification": what is missing, unknown, ambiguous or outside the data is asked back about, and no
figure is made up."""

from __future__ import annotations

import random

from eval.generate import asks
from eval.generate.periods import any_period
from eval.generate.pool import Pool
from eval.generate.wording import Both, same
from eval.generate.writing import NO_CALL, Ask, Draft, Topic

_NO_MONEY = {"no_figures": "money"}
_SEVERAL = {
    "wine": (Both("wine", "葡萄酒"), ("DOMESTIC WINE", "IMPORTED WINE")),
    "juice": (Both("juice", "果汁"), ("CANNED JUICES", "REFRGRATD JUICES/DRNKS")),
    "seafood": (Both("seafood", "海鲜"), ("SEAFOOD - FROZEN", "SEAFOOD-FRESH")),
    "candy": (Both("candy", "糖果"), ("CANDY - PACKAGED", "CANDY - CHECKLANE")),
}
"""What people call several categories at once, and two of those that the answer must hold out."""
_NOT_SOLD = (
    Both("tractor tyres", "拖拉机轮胎"), Both("wedding dresses", "婚纱"), Both("laptops", "笔记本电脑"),
    Both("grand pianos", "三角钢琴"), Both("bathroom tiles", "浴室瓷砖"), Both("surfboards", "冲浪板"),
    Both("telescopes", "天文望远镜"), Both("ski boots", "滑雪靴"),
)  # fmt: skip


def _nobody(rng: random.Random, pool: Pool) -> Draft:
    slots = {"goods": pool.goods(rng).said, "when": any_period(rng).said}
    expect = ({"mentions": ["customer", "顾客"]}, _NO_MONEY)
    return Draft((Ask("clarification.nobody", slots, "clarify", NO_CALL, expect),))


def _named_after(rng: random.Random, pool: Pool) -> Draft:
    """The customer comes with the second turn, and the first question is answered."""
    customer = pool.customer(rng)
    first = Ask(
        "clarification.recommend_nobody", {}, "clarify", NO_CALL, ({"mentions": ["customer", "顾客"]},)
    )
    second = Ask("clarification.named_after", {"c": same(customer)}, plans=((asks.recommend(customer),),),
                 expect=({"mentions": [customer]},))  # fmt: skip
    return Draft((first, second))


def _unknown_customer(rng: random.Random, pool: Pool) -> Draft:
    stranger = pool.stranger(rng)
    slots = {"c": same(stranger), "goods": pool.goods(rng).said, "when": any_period(rng).said}
    expect = ({"mentions": [stranger]}, _NO_MONEY, {"count": 0})
    return Draft((Ask("clarification.unknown_customer", slots, "clarify", NO_CALL, expect),))


def _unknown_campaign(rng: random.Random, pool: Pool) -> Draft:
    last = int(pool.raw.value("select max(cast(campaign as int)) from campaigns"))
    k = str(rng.randint(last + 3, 99))
    ask = Ask(
        "clarification.unknown_campaign",
        {"k": same(k)},
        "clarify",
        NO_CALL,
        ({"mentions": [k]}, {"no_figures": "percent"}),
    )
    return Draft((ask,), "merchandiser")


def _outside(rng: random.Random, pool: Pool) -> Draft:
    slots = {"goods": pool.goods(rng).said, "c": same(pool.customer(rng)),
             "year": same(rng.choice((2013, 2014, 2015, 2016, 2019, 2020, 2021)))}  # fmt: skip
    expect = ({"mentions": ["2017"]}, _NO_MONEY)
    return Draft(
        (Ask("clarification.outside", slots, ("clarify", "refuse"), NO_CALL, expect),), "merchandiser"
    )


def _forecast(rng: random.Random, pool: Pool) -> Draft:
    expect = ({"mentions": ["2017"]}, _NO_MONEY)
    ask = Ask(
        "clarification.forecast", {"goods": pool.goods(rng).said}, ("clarify", "refuse"), NO_CALL, expect
    )
    return Draft((ask,), "merchandiser")


def _ambiguous(rng: random.Random, pool: Pool) -> Draft:
    """Which of several kinds a coupon is for; a figure would be told of all of them."""
    said, keys = rng.choice(list(_SEVERAL.values()))
    expect = (*({"mentions": list(pool.names["category", key])} for key in keys), _NO_MONEY)
    return Draft(
        (Ask("clarification.ambiguous", {"thing": said}, "clarify", NO_CALL, expect),), "merchandiser"
    )


def _not_sold(rng: random.Random, pool: Pool) -> Draft:
    slots = {"thing": rng.choice(_NOT_SOLD), "when": any_period(rng).said}
    ask = Ask("clarification.not_sold", slots, ("clarify", "refuse"), NO_CALL, (_NO_MONEY,))
    return Draft((ask,), "merchandiser")


TOPICS = (
    Topic("nobody", 3, _nobody),
    Topic("named_after", 2, _named_after),
    Topic("unknown_customer", 3, _unknown_customer),
    Topic("unknown_campaign", 2, _unknown_campaign),
    Topic("outside", 3, _outside),
    Topic("forecast", 2, _forecast),
    Topic("ambiguous", 3, _ambiguous),
    Topic("not_sold", 2, _not_sold),
)
