"""What is known for a reply to a customer: values for its slots, from tools' facts and from what the shop states."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.events import Citation
from customers.errors import CustomersError
from customers.knowledge import KnowledgeBase, Recognised
from customers.shop import Shop
from tools import TOOLS
from tools.base import CannotDo, Fact
from tools.names import called
from tools.orders import OrdersTool
from tools.words import listing

_NEAR_ENOUGH = 0.5
"""From this cosine on, a product is what a question asks for."""
_SHOWN = 3
_ORDERS = OrdersTool()


@dataclass(slots=True)
class Known:
    """Values of slots in the customer's language, each with the fact that it is from, and the facts for a colleague."""

    slots: dict[str, str] = field(default_factory=dict)
    cited: dict[str, Citation] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()

    def add(self, slot: str, value: str, tool: str, fact: str, bare: object) -> None:
        self.slots[slot] = value
        self.cited[slot] = Citation(0, tool, fact, bare)


def gather(shop: Shop, knowledge: KnowledgeBase, asked: Recognised, customer: str | None) -> Known:
    """Return what may be said: of the shop to anybody, of a customer to nobody else."""
    known = Known()
    for slot, value in knowledge.slots(asked.language).items():
        known.add(slot, value, "policy", value, slot.removeprefix("policy."))
    if asked.intent == "stock":
        _products(known, shop, asked)
    if customer is not None:
        _orders(known, shop, asked, customer)
        if asked.intent == "recommendation":
            _recommended(known, shop, asked, customer)
    return known


def _orders(known: Known, shop: Shop, asked: Recognised, customer: str) -> None:
    result = _ORDERS.run(shop, {"customer": customer, "text": asked.text})
    known.facts = result.facts
    by_kind = {fact.predicate: fact for fact in result.facts}
    for slot, value in result.slots.items():
        fact = by_kind[slot.split(".")[0]]
        known.add(slot, value[asked.language], "orders", fact.text[asked.language], fact.value)


def _products(known: Known, shop: Shop, asked: Recognised) -> None:
    hits = [h for h in shop.search_products(asked.text, n=_SHOWN) if h.score >= _NEAR_ENOUGH]
    if hits:
        told = listing(dict.fromkeys(_called(shop, h.product_id, asked) for h in hits), asked.language)
        known.add("products.found", told, "search_products", told, [h.product_id for h in hits])


def _called(shop: Shop, product_id: str, asked: Recognised) -> str:
    return called(shop.name("product", product_id))[asked.language]


def _recommended(known: Known, shop: Shop, asked: Recognised, customer: str) -> None:
    try:
        result = TOOLS["recommend"].run(shop, {"customer": customer, "n": _SHOWN})
    except (CannotDo, CustomersError):  # without a suggestion a colleague makes one
        return
    names = [_called(shop, r.product_id, asked) for r in result.recommendations]
    facts = " ".join(f.text[asked.language] for f in result.facts[: len(names)])
    told = listing(dict.fromkeys(names), asked.language)
    known.add("recommend.things", told, "recommend", facts, [r.product_id for r in result.recommendations])
