"""What rules kept out of a recommendation, and why: facts that stand after the offers, so that the reason is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from customers.recommend.rules import LeftOut
from tools import names, words
from tools.base import Fact
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN = 3


def facts(shop: Shop, customer: str, found: Sequence[LeftOut]) -> tuple[Fact, ...]:
    """Return one fact for each of the first `SHOWN` products that a rule held back."""
    return tuple(_fact(shop, customer, one) for one in found[:SHOWN])


def _fact(shop: Shop, customer: str, one: LeftOut) -> Fact:
    product, why = names.product(shop, one.product_id), _why(shop, one)
    return Fact(
        names.customer(customer).en, f"left_out:{one.rule}", one.product_id, "product",
        both(en=f"Left out: {product.en}, {why['en']}.", zh=f"未推荐{product.zh}：{why['zh']}。"),
        names=(*product.all, *_others(shop, one)),
    )  # fmt: skip


def _others(shop: Shop, one: LeftOut) -> tuple[str, ...]:
    if one.rule == "category_cap":
        return names.category(shop, one.what).all
    return ()


def _why(shop: Shop, one: LeftOut) -> Mapping[str, str]:
    day = {lang: words.day(one.at.astimezone().date(), lang) if one.at else "" for lang in words.LANGUAGES}
    match one.rule:
        case "never":
            return both(en=f"which the customer never wants offered again (said on {day['en']})",
                        zh=f"顾客于{day['zh']}表示不再推荐")  # fmt: skip
        case "dismissed":
            return both(
                en=f"which the customer dismissed on {day['en']}", zh=f"顾客于{day['zh']}表示不感兴趣"
            )
        case "stock":
            return both(en="which the shop lists as out of stock", zh="店铺标记为缺货")
        case "excluded":
            return {"product": both(en="which the shop excludes", zh="店铺已排除该商品"),
                    "category": both(en="whose category the shop excludes", zh="店铺已排除该品类"),
                    "brand": both(en="whose brand the shop excludes", zh="店铺已排除该品牌")}[one.what]  # fmt: skip
        case "category_cap":
            of = names.category(shop, one.what)
            return both(en=f"for a list holds at most {one.most} of {of.en}",
                        zh=f"一次推荐中{of.zh}最多{one.most}件")  # fmt: skip
        case "brand_cap":
            return both(
                en=f"for a list holds at most {one.most} of its brand",
                zh=f"一次推荐中同一品牌最多{one.most}件",
            )
    raise ValueError(f"unknown rule {one.rule!r}")
