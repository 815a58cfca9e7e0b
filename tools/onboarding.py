"""newcomer: what to offer to, and what to ask, a customer without a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from customers.errors import Unknown
from customers.values import Recommendation
from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.newcomer import question
from tools.recommend import offer_fact
from tools.words import both

if TYPE_CHECKING:
    from customers.recommend.onboarding import Newcomer
    from customers.shop import Shop

PARTS = ("offers", "questions")
_WHO = names.Called("a new customer", "新顾客")
_REDUCED = 3
"""How many of what is reduced stand behind what is popular."""


class NewcomerTool:
    """Offers to somebody of whom nothing is known, with reasons, or the questions that would teach the most."""

    name = "newcomer"
    access = Access.READ
    describe = "what to offer to, or what to ask first, a customer of whom no purchase is known"
    busy = both(en="Looking for what suits a new customer", zh="正在寻找适合新顾客的商品")
    parameters = {
        "part": {"type": "string", "enum": list(PARTS)},
        "n": {"type": "integer", "x-count": True},
        "buys": {"type": "array", "items": {"type": "string"}, "maxItems": 20, "x-each": "category"},
        "buys_not": {"type": "array", "items": {"type": "string"}, "maxItems": 20, "x-each": "category"},
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    required = ("part",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the offers, one fact each, or the questions. `buys` and `buys_not`: categories that the newcomer
        told about; `attributes`: what else they told."""
        answers = {str(key): True for key in args.get("buys") or ()}
        answers |= {str(key): False for key in args.get("buys_not") or ()}
        n = min(int(args.get("n") or 5), 20)
        try:
            found = shop.newcomer(n, answers, None, dict(args.get("attributes") or {}))
        except Unknown as error:
            raise CannotDo(both(en=f"{error}", zh="没有符合所述情况的顾客，无法判断。")) from error
        if args["part"] == "questions":
            return _questions(shop, found, answers)
        popular = {rec.product_id for rec in found.popular}
        reduced = [rec for rec in found.reduced if rec.product_id not in popular][:_REDUCED]
        return _offers(shop, found, reduced, answers)


def _offers(
    shop: Shop, found: Newcomer, reduced: Sequence[Recommendation], answers: Mapping[str, bool]
) -> ToolResult:
    offers = (*found.popular, *reduced)
    if not offers:
        raise CannotDo(both(en="Nothing was bought of late, so there is nothing to offer to a new customer.",
                            zh="近期没有购买记录，因此没有可以推荐给新顾客的商品。"))  # fmt: skip
    facts = tuple(offer_fact(shop, _WHO, rank, rec) for rank, rec in enumerate(offers, 1))
    told = _told(shop, answers)
    both_en, both_zh = (" of late, then what is reduced", "，其后为当前优惠") if reduced else (" of late", "")
    lead = both(en=f"For a new customer{told.en}, what is popular{both_en}:",
                zh=f"可以向{told.zh}新顾客推荐近期热门商品{both_zh}：")  # fmt: skip
    return ToolResult(
        facts, recommendations=offers, lead=lead, found={"product": tuple(rec.product_id for rec in offers)}, full=found
    )  # fmt: skip


def _told(shop: Shop, answers: Mapping[str, bool]) -> names.Called:
    """What the newcomer said of themselves, as the lead says it."""
    en, zh = [], []
    for said, verb_en, verb_zh in ((True, "buys", "常买"), (False, "does not buy", "不买")):
        if keys := [key for key, yes in answers.items() if yes is said]:
            names_ = [names.category(shop, key) for key in keys]
            en.append(f"{verb_en} {words.listing((one.en for one in names_), 'en')}")
            zh.append(f"{verb_zh}{words.listing((one.zh for one in names_), 'zh')}")
    return names.Called(f" who {' and '.join(en)}" if en else "", f"{'、'.join(zh)}的" if zh else "")


def _questions(shop: Shop, found: Newcomer, answers: Mapping[str, bool]) -> ToolResult:
    if not found.questions:
        raise CannotDo(both(en="No question about a category would tell more of a new customer.",
                            zh="没有哪个品类的问题能让我们更了解这位新顾客。"))  # fmt: skip
    facts = []
    for rank, key in enumerate(found.questions, 1):
        ask, name = question(shop, key), names.category(shop, key)
        facts.append(
            Fact(_WHO.en, "question", key, "category",
                 both(en=f"{rank}. {name.en}: “{ask['en']}”.", zh=f"{rank}. {name.zh}：“{ask['zh']}”。"), names=name.all)
        )  # fmt: skip
    first = both(en="next", zh="接着") if answers else both(en="first", zh="首先")
    lead = both(en=f"What to ask a new customer {first['en']}; these answers tell most about what they will buy:",
                zh=f"可以{first['zh']}询问新顾客以下问题，回答最能说明其会买什么：")  # fmt: skip
    return ToolResult(tuple(facts), lead=lead, found={"category": found.questions}, full=found)
