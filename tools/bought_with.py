"""bought_with: what lands in the same basket, and why two things do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tools import names, why_together, words
from tools.base import Access, CannotDo, Fact, ToolResult, TryAgain
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class BoughtWithTool:
    """Categories (or products) bought in the same baskets, by lift and support; where two are named and
    the question asks why, what ties them."""

    name = "bought_with"
    access = Access.READ
    describe = "what is bought together with a category or product, over all customers"
    busy = both(en="Looking into the baskets", zh="正在分析购物篮")
    parameters = {
        "category": {"type": "string", "x-entity": "category"},
        "product": {"type": "string", "x-entity": "product"},
        "n": {"type": "integer", "x-count": True},
        "with": {"type": "string", "x-partner": True},
    }
    required = ()
    one_of = ("category", "product")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the n strongest companions, one fact each; with "with", the evidence between the two."""
        category, product = args.get("category"), args.get("product")
        if not category and not product:
            raise TryAgain("bought_with needs a category or a product")
        if args.get("with"):
            return why_together.explain(
                shop, "product" if product else "category", product or category or "", args["with"]
            )
        found = shop.bought_with(category=category, product_id=product, n=min(int(args.get("n") or 5), 20))
        first = names.product(shop, product) if product else names.category(shop, category or "")
        if not found:
            raise CannotDo(both(en=f"Too few baskets hold {first.en} to say what goes with it.",
                                zh=f"包含{first.zh}的购物篮太少，无法判断常与什么一起购买。"))  # fmt: skip
        facts = []
        for rank, other in enumerate(found, 1):
            second = names.product(shop, other.key) if product else names.called(other.name)
            facts.append(
                Fact(
                    first.en, "bought_with", other.key, "product" if product else "category",
                    both(
                        en=f"{rank}. {second.en}: in {words.percent(other.confidence)} of the baskets with {first.en} "
                        f"({words.plural(other.baskets, 'basket')}), {words.number(other.lift, 1)} times as often as in all baskets.",
                        zh=f"{rank}. {second.zh}：出现在{words.percent(other.confidence)}的含{first.zh}的购物篮中"
                        f"（{words.number(other.baskets)}个购物篮），是在全部购物篮中出现频率的{words.number(other.lift, 1)}倍。",
                    ),
                    names=(*first.all, *second.all),
                )
            )  # fmt: skip
        second = names.product(shop, found[0].key) if product else names.called(found[0].name)
        slots = {"first": both(en=first.en, zh=first.zh), "second": both(en=second.en, zh=second.zh)}
        lead = both(en=f"Bought in the same basket as {first.en}:", zh=f"常与{first.zh}同篮购买：")
        keys = {"product" if product else "category": tuple(other.key for other in found)}
        return ToolResult(tuple(facts), lead=lead, slots=slots, found=keys, full=found)
