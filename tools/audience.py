"""audience: who to address for a category or a product; with a budget or a capacity, a campaign's plan.

"budget", "capacity", "coupon" and "contact_cost" among the arguments are set by the conversation from the
question's own words, never by a plan of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tools import names, plan_facts, words
from tools.base import Access, CannotDo, Fact, Table, ToolResult, TryAgain
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN = 10
TERMS = ("budget", "capacity", "coupon", "contact_cost")


class AudienceTool:
    """The customers likeliest to buy, for an ad or a coupon."""

    name = "audience"
    access = Access.READ
    describe = "which customers to send an offer, ad or coupon for a category or product"
    busy = both(en="Choosing the audience", zh="正在挑选目标人群")
    parameters = {
        "category": {"type": "string", "x-entity": "category"},
        "product": {"type": "string", "x-entity": "product"},
        "segment": {"type": "string", "x-entity": "segment"},
        "n": {"type": "integer", "x-count": True},
        "among": {"type": "array", "x-among": True, "x-derived": True},
    }
    required = ()
    one_of = ("category", "product")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return size and expected buyers, then the best members."""
        category, product, segment = args.get("category"), args.get("product"), args.get("segment")
        among = args.get("among")
        if not category and not product:
            raise TryAgain("audience needs a category or a product")
        target = names.product(shop, product) if product else names.category(shop, category or "")
        if given := {name: args[name] for name in TERMS if args.get(name) is not None}:
            return plan_facts.result(shop, target, category, product, segment, given, among)
        wanted = min(int(args.get("n") or 20), 5000)
        found = shop.audience(
            category=category, product_id=product, n=wanted, segment_id=segment, among=among
        )
        if not found.members:
            raise CannotDo(
                both(
                    en=f"No customer can be addressed for {target.en}.", zh=f"没有适合{target.zh}的目标顾客。"
                )
            )
        group = names.called(shop.name("segment", segment)) if segment else None
        of_en = f" of the segment “{group.en}”" if group else ""
        of_zh = f"“{group.zh}”分群中的" if group else ""
        size, eligible = len(found.members), words.number(found.eligible)
        all_en, all_zh = (
            (f"these {eligible}", "这份名单") if among else (f"{eligible} eligible ones", "符合条件的")
        )
        head = Fact(
            target.en, "audience", size, "customers",
            both(
                en=f"For {target.en}, address these {words.plural(size, 'customer')}{of_en} out of {all_en}: "
                f"about {words.number(found.expected_buyers, 1)} of them are expected to buy within 30 days.",
                zh=f"针对{target.zh}，建议触达以下{words.number(size)}位{of_zh}顾客（{all_zh}共{eligible}位），"
                f"预计其中约{words.number(found.expected_buyers, 1)}位会在30天内购买。",
            ),
            names=(*target.all, *(group.all if group else ())),
        )  # fmt: skip
        base = Fact(
            target.en, "base_rate", found.base_rate, "probability",
            both(en=f"Over all customers the chance is {words.percent(found.base_rate)}; in this audience it is "
                 f"{words.percent(found.expected_buyers / size)}.",
                 zh=f"全体顾客的购买概率为{words.percent(found.base_rate)}，该人群为{words.percent(found.expected_buyers / size)}。"),
            names=target.all,
        )  # fmt: skip
        best = [_member(rank, m, target) for rank, m in enumerate(found.members[:SHOWN], 1)]
        return ToolResult(
            (head, base, *best),
            found={"customer": tuple(m.customer_id for m in found.members)},
            full=found,
            table=_table(found.members) if size > SHOWN else None,
        )


def _seen(days: int | None, language: str) -> str:
    if days is None:
        return "从未买过" if language == "zh" else "never bought it"
    return (
        f"上次购买在{words.days_ago(days, 'zh')}"
        if language == "zh"
        else f"last bought {words.days_ago(days, 'en')}"
    )


def _member(rank: int, m: Any, target: names.Called) -> Fact:
    chance = words.chance(m.probability)
    return Fact(
        f"customer {m.customer_id}", "buys_within_30_days", m.probability, "probability",
        both(
            en=f"{rank}. Customer {m.customer_id}: {chance} likely to buy; bought on {words.plural(m.baskets, 'trip')}, {_seen(m.days_since, 'en')}.",
            zh=f"{rank}. {m.customer_id}号顾客：购买概率{chance}；买过{words.number(m.baskets)}次，{_seen(m.days_since, 'zh')}。",
        ),
        names=target.all,
    )  # fmt: skip


def _table(members: Any) -> Table:
    rows = tuple(
        (m.customer_id, words.chance(m.probability), words.number(m.baskets),
         "–" if m.days_since is None else words.number(m.days_since))
        for m in members[SHOWN:60]
    )  # fmt: skip
    titles = {
        "en": ("Customer", "Chance", "Trips with it", "Days since"),
        "zh": ("顾客", "概率", "购买次数", "距上次天数"),
    }
    return Table(titles, {"en": rows, "zh": rows})
