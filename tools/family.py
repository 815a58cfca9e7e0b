"""family: further products of the makers that a customer buys from, or of a product's maker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tools import left_out, names
from tools.base import Access, CannotDo, ToolResult, TryAgain
from tools.newcomer import family_lead
from tools.recommend import offer_fact
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class FamilyTool:
    """Products of the same makers, of kinds that the customer does not buy from them yet, each with its reason."""

    name = "family"
    access = Access.READ
    describe = "further products of the brands' makers that one customer buys from, or of one product's maker"
    busy = both(en="Looking at what else the makers have", zh="正在查看相关品牌的其他商品")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "product": {"type": "string", "x-entity": "product"},
        "n": {"type": "integer", "x-count": True},
    }
    required = ()
    one_of = ("customer", "product")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return up to n products, one fact each, the best first."""
        customer, product = args.get("customer"), args.get("product")
        if not customer and not product:
            raise TryAgain("family needs a customer or a product")
        offered = shop.family(customer, product, min(int(args.get("n") or 5), 20))
        found, lead = offered.recommendations, family_lead(shop, offered.recommendations, customer, product)
        if not found:
            raise CannotDo(lead)
        who = names.customer(customer) if customer else names.Called("anybody", "顾客")
        facts = tuple(offer_fact(shop, who, rank, rec) for rank, rec in enumerate(found, 1))
        if customer:
            facts += left_out.facts(shop, customer, offered.left_out)
        return ToolResult(
            facts, recommendations=found, lead=lead, found={"product": tuple(rec.product_id for rec in found)}, full=offered
        )  # fmt: skip
