"""search_products: products by what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.values import ProductHit
from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class SearchProductsTool:
    """Products nearest in meaning to the asker's own words."""

    name = "search_products"
    access = Access.READ
    describe = "find products by words; which products there are of a kind, and their prices"
    busy = both(en="Searching the products", zh="正在搜索商品")
    parameters = {
        "text": {"type": "string", "x-literal": "topic"},
        "category": {"type": "string", "x-entity": "category"},
        "n": {"type": "integer", "x-count": True},
    }
    required = ("text",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the n best hits, one fact each."""
        found = shop.search_products(
            args["text"], n=min(int(args.get("n") or 5), 20), category=args.get("category")
        )
        if not found:
            raise CannotDo(both(en="No product matches that.", zh="没有找到匹配的商品。"))
        asked = words.label(args["text"])
        lead = both(en=f"Products that match “{asked}”:", zh=f"与“{asked}”匹配的商品：")
        return ToolResult(
            tuple(_fact(shop, rank, hit) for rank, hit in enumerate(found, 1)),
            lead=lead,
            found={"product": tuple(hit.product_id for hit in found)},
            full=found,
        )


def _fact(shop: Shop, rank: int, hit: ProductHit) -> Fact:
    product, inside = names.product(shop, hit.product_id), names.category(shop, hit.category)
    brand = names.called(shop.name("brand", hit.brand)) if hit.brand else None
    price_en = price_zh = ""
    if hit.price is not None:
        price = words.money(hit.price, shop.info.currency)
        price_en, price_zh = f", usually {price}", f"，通常售价{price}"
    return Fact(
        product.en, "product", hit.product_id, "product",
        both(
            en=f"{rank}. {product.en}, in {inside.en}{f', {brand.en}' if brand else ''}{price_en}.",
            zh=f"{rank}. {product.zh}，属于{inside.zh}{f'，{brand.zh}' if brand else ''}{price_zh}。",
        ),
        names=(*product.all, *inside.all, *(brand.all if brand else ())),
    )  # fmt: skip
