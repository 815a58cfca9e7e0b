"""What is said of a customer without a history, and of a brand's family, as lines in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from customers.values import Recommendation
from tools import names, words
from tools.recommend import reason
from tools.words import both

if TYPE_CHECKING:
    from customers.recommend.onboarding import Newcomer
    from customers.shop import Shop

Line = Mapping[str, str]


def question(shop: Shop, category: str) -> Line:
    """Return the question whether somebody buys a category regularly."""
    name = names.category(shop, category)
    return both(en=f"Do you buy {name.en} regularly?", zh=f"您平时常买{name.zh}这类商品吗？")


def newcomer(shop: Shop, found: Newcomer, answered: int = 0) -> list[Line]:
    """Return what to offer to a new customer and what to ask. answered: how many questions they answered."""
    if answered:
        part = f"{words.number(found.agreeing)} of {words.plural(found.customers, 'customer')}"
        lines = [
            both(
                en=f"New to us; {part} would answer alike. Popular with them:",
                zh=f"新顾客，暂无购买记录；{words.number(found.customers)}位顾客中有{words.number(found.agreeing)}位会这样回答。"
                "他们常买：",
            )
        ]
    else:
        lines = [
            both(
                en="New to us: no purchases are known. Popular of late:",
                zh="新顾客，暂无购买记录。近期热门商品：",
            )
        ]
    lines += _offers(shop, found.popular)
    if found.reduced:
        lines += [both(en="Reduced now:", zh="当前优惠："), *_offers(shop, found.reduced)]
    if found.questions:
        lines.append(both(en="Ask, to learn the most:", zh="建议询问（最能了解顾客）："))
        lines += [_place(rank, question(shop, key)) for rank, key in enumerate(found.questions, 1)]
    return lines


def family(
    shop: Shop, found: Sequence[Recommendation], customer: str | None, product: str | None
) -> list[Line]:
    """Return what a maker has besides, for a customer, for a product, or both."""
    return [family_lead(shop, found, customer, product), *_offers(shop, found)]


def family_lead(
    shop: Shop, found: Sequence[Recommendation], customer: str | None, product: str | None
) -> Line:
    """Return what stands above the products of a family, or that there are none."""
    who = names.customer(customer) if customer else None
    start = names.product(shop, product) if product else None
    for_en, for_zh = (f" for {who.en}", f"适合{who.zh}") if who else ("", "")
    if not found:
        of_en, of_zh = (f" of {start.en}", f"{start.zh}") if start else ("s that they buy from", "其所购品牌")
        return both(
            en=f"There is nothing further{for_en} from the maker{of_en}.",
            zh=f"{of_zh}的厂商没有更多{for_zh}商品。",
        )
    if start:
        return both(
            en=f"From the maker of {start.en}{for_en}:",
            zh=f"与{start.zh}同一厂商{'、' if who else ''}{for_zh}的商品：",
        )
    return both(
        en=f"From makers that customer {words.label(customer or '')} buys from, of kinds not bought from them yet:",
        zh=f"{names.customer(customer or '').zh}常买厂商的其他品种：",
    )


def _offers(shop: Shop, found: Sequence[Recommendation]) -> list[Line]:
    lines = []
    for rank, rec in enumerate(found, 1):
        name, why = names.product(shop, rec.product_id), reason(shop, rec)
        lines.append(_place(rank, both(en=f"{name.en}: {why['en']}.", zh=f"{name.zh}：{why['zh']}。")))
    return lines


def _place(rank: int, line: Line) -> Line:
    return both(en=f"{rank}. {line['en']}", zh=f"{rank}. {line['zh']}")
