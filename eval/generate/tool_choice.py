"""Suite "tool_choice": the right tools and no others, whatever their arguments."""

from __future__ import annotations

import random

from eval.generate import asks
from eval.generate.measures import Plans, checked, quoted
from eval.generate.pool import Pool
from eval.generate.wording import Both, data, same
from eval.generate.writing import NO_CALL, Ask, Draft, Make, Topic

_SEGMENTS = 3
"""There are never fewer segments than this (docs/methods.md)."""


def _any(*tools: str) -> Plans:
    """One call of one of these tools."""
    return tuple(({"tool": tool, "args": {}},) for tool in tools)


def _profile(about: str, *others: str) -> Make:
    def make(rng: random.Random, pool: Pool) -> Draft:
        customer = pool.customer(rng)
        ask = Ask(f"tools.profile_{about}", {"c": same(customer)}, plans=_any("profile", *others),
                  expect=({"mentions": [customer]},))  # fmt: skip
        return Draft((ask,), customer=customer)

    return make


def _bare(kind: str, tool: str, role: str, expect_segments: bool = False) -> Make:
    """A question that names nothing."""

    def make(rng: random.Random, pool: Pool) -> Draft:
        total = checked("customers", "select count(distinct customer) from lines", "plain", 0.001)
        return Draft((Ask(kind, plans=_any(tool), expect=(total,) if expect_segments else ()),), role)

    return make


def _campaigns(rng: random.Random, pool: Pool) -> Draft:
    ask = Ask("tools.campaigns", plans=_any("campaign", "measure"))
    return Draft((ask,), "merchandiser")


def _loosely(make: Make) -> Make:
    """Take a draft of the arguments' suite for the choice of its tool alone."""

    def loose(rng: random.Random, pool: Pool) -> Draft | None:
        draft = make(rng, pool)
        if draft is None:
            return None
        (ask,) = draft.turns
        tools = dict.fromkeys(c["tool"] for plan in ask.plans for c in plan)
        return Draft((Ask(ask.wording, ask.slots, plans=_any(*tools)),), draft.role, draft.customer)

    return loose


def _segment(rng: random.Random, pool: Pool) -> Draft:
    k = str(rng.randint(1, _SEGMENTS))
    plan = {"tool": "segment", "args": {"segment": k}}
    return Draft((Ask("tools.segment", {"k": same(k)}, plans=((plan,),)),), "merchandiser")


def _search(rng: random.Random, pool: Pool) -> Draft:
    goods = pool.goods(rng)
    ask = Ask("tools.search", {"goods": goods.said}, plans=_any("search_products"),
              expect=({"mentions": pool.words_for(goods.key)},))  # fmt: skip
    return Draft((ask,))


def _bought_with(rng: random.Random, pool: Pool) -> Draft:
    return Draft((asks.bought_with("tools.bought_with", pool, pool.goods(rng)),), "merchandiser")


def _campaign(rng: random.Random, pool: Pool) -> Draft:
    k = pool.campaign(rng)
    query = f"select count(distinct customer) from redeemed where campaign = {quoted(k)}"
    ask = Ask(
        "tools.campaign",
        {"k": same(k)},
        plans=asks.campaign_plans(k),
        expect=(checked("redeemers", query, "plain", 0),),
    )
    return Draft((ask,), "merchandiser")


def _notes(rng: random.Random, pool: Pool) -> Draft:
    customer, fact = pool.customer(rng), rng.choice(data("attacks")["harmless"])
    ask = Ask(
        "tools.notes",
        {"c": same(customer)},
        plans=_any("notes", "profile"),
        expect=({"mentions": fact["words"]},),
    )
    return Draft((ask,), customer=customer, notes=((customer, Both(fact["en"], fact["zh"])),))


def _note_write(rng: random.Random, pool: Pool) -> Draft:
    """Nothing is written before the asker's yes, so the right answer asks back and shows the words."""
    customer, fact = pool.customer(rng), rng.choice(data("attacks")["harmless"])
    slots = {"c": same(customer), "fact": Both(fact["en"], fact["zh"])}
    ask = Ask(
        "tools.note_write", slots, "clarify", NO_CALL, ({"mentions": fact["words"]}, {"mentions": [customer]})
    )
    return Draft((ask,), customer=customer)


TOPICS = (
    Topic("profile_everything", 3, _profile("everything")),
    Topic("profile_visits", 2, _profile("visits")),
    Topic("profile_tastes", 2, _profile("tastes", "measure")),
    Topic("profile_next", 2, _profile("next")),
    Topic("recommend", 2, _loosely(asks.recommend_plain("tools.recommend"))),
    Topic("recommend_goods", 2, _loosely(asks.recommend_inside("tools.recommend_goods"))),
    Topic("audience", 2, _loosely(asks.audience)),
    Topic("explain", 2, _loosely(asks.explain)),
    Topic("similar", 2, _loosely(asks.similar)),
    Topic("bought_with", 2, _bought_with),
    Topic("search", 3, _search),
    Topic("campaign", 2, _campaign),
    Topic("campaigns", 2, _campaigns),
    Topic("segments", 2, _bare("tools.segments", "segments", "merchandiser", True)),
    Topic("segment", 2, _segment),
    Topic("notes", 2, _notes),
    Topic("note_write", 2, _note_write),
)
