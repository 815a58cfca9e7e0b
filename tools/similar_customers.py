"""similar_customers: who behaves like one customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.values import SimilarCustomer
from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class SimilarCustomersTool:
    """The nearest customers in the behaviour embedding."""

    name = "similar_customers"
    access = Access.READ
    describe = "other customers who buy like one customer"
    busy = both(en="Finding customers like {customer}", zh="正在寻找与顾客 {customer} 相似的顾客")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "n": {"type": "integer", "x-count": True},
    }
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the n nearest customers, one fact each."""
        found = shop.similar_customers(args["customer"], n=min(int(args.get("n") or 5), 20))
        who = names.customer(args["customer"])
        facts = tuple(_fact(shop, who, rank, s) for rank, s in enumerate(found, 1))
        lead = both(en=f"Customers who buy like {who.en}:", zh=f"与{who.zh}购买习惯相似的顾客：")
        keys = {"customer": tuple(s.customer_id for s in found)}
        return ToolResult(facts, lead=lead, found=keys, full=found)


def _fact(shop: Shop, who: names.Called, rank: int, s: SimilarCustomer) -> Fact:
    segment = names.called(s.segment) if s.segment else None
    shared = [names.category(shop, key) for key in s.shared_categories[:3]]
    score = words.number(s.similarity, 2)
    in_en = f", in “{segment.en}”" if segment else ""
    in_zh = f"，属于“{segment.zh}”" if segment else ""
    share_en = f"; both buy much {words.listing((c.en for c in shared), 'en')}" if shared else ""
    share_zh = f"；两人都常买{words.listing((c.zh for c in shared), 'zh')}" if shared else ""
    return Fact(
        who.en, "similar_to", s.customer_id, "customer",
        both(
            en=f"{rank}. Customer {s.customer_id} (similarity {score} to {who.en}{in_en}{share_en}).",
            zh=f"{rank}. {s.customer_id}号顾客（与{who.zh}的相似度{score}{in_zh}{share_zh}）。",
        ),
        names=tuple(n for c in shared for n in c.all) + (segment.all if segment else ()),
    )  # fmt: skip
