"""orders: what one customer ordered and sent back, and the coupons they were sent; the facts that replies are filled
from.

No plan names it: the planner answers staff, and this answers what a customer asks of themselves (`agent.desk`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_THINGS = 3
_NUMBER = re.compile(r"[A-Za-z]{0,4}[-_]?\d[\dA-Za-z_-]{3,}")


class OrdersTool:
    """The order that a text names, or the latest; the latest return; the coupons received."""

    name = "orders"
    access = Access.READ
    describe = "the latest order, the latest return and the coupons of one customer"
    busy = both(en="Looking up the orders of customer {customer}", zh="正在查看顾客 {customer} 的订单")
    parameters = {"customer": {"type": "string", "x-entity": "customer"}, "text": {"type": "string"}}
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return a fact a thing that is known; `slots` are the values that replies may say. A text that names an order
        which is not the customer's gets no order at all."""
        customer = str(args["customer"])
        found = [
            *_order(shop, customer, str(args.get("text") or "")),
            *_return(shop, customer),
            *_coupons(shop, customer),
        ]
        slots = {name: value for _, told in found for name, value in told.items()}
        return ToolResult(tuple(fact for fact, _ in found), slots=slots)


Told = tuple[Fact, dict[str, Mapping[str, str]]]


def _order(shop: Shop, customer: str, text: str) -> list[Told]:
    rows = shop.query(
        "SELECT basket_id, max(ts)::DATE, sum(amount), count(DISTINCT product_id) FROM events"
        " WHERE customer_id = ? AND kind = 'purchase' AND basket_id IS NOT NULL GROUP BY basket_id ORDER BY max(ts) DESC",
        [customer],
    )
    named = set(_NUMBER.findall(text))
    if named:
        rows = [row for row in rows if str(row[0]) in named]
    if not rows:
        return []
    order, day, amount, count = rows[0]
    things = _things(shop, customer, str(order))
    return [_order_told(shop, customer, str(order), day, float(amount or 0), int(count), things)]


def _order_told(
    shop: Shop, customer: str, order: str, day: date, amount: float, count: int, things: Mapping[str, str]
) -> Told:
    who, number, paid = names.customer(customer), words.label(order), words.money(amount, shop.info.currency)
    fact = Fact(
        who.en, "order", order, "order",
        both(en=f"Order {number} of {words.day(day, 'en')} holds {things['en']} and came to {paid}.",
             zh=f"{words.day(day, 'zh')}的订单{number}包含{things['zh']}，共{paid}。"),
    )  # fmt: skip
    return fact, {
        "order.id": both(en=number, zh=number),
        "order.day": both(en=words.day(day, "en"), zh=words.day(day, "zh")),
        "order.things": things,
        "order.amount": both(en=paid, zh=paid),
        "order.count": both(en=str(count), zh=str(count)),
    }


def _things(shop: Shop, customer: str, order: str) -> Mapping[str, str]:
    """The dearest things of an order by name, and how many more there are."""
    rows = shop.query(
        "SELECT product_id, sum(amount) FROM events WHERE customer_id = ? AND kind = 'purchase' AND basket_id = ?"
        " AND product_id IS NOT NULL GROUP BY product_id ORDER BY sum(amount) DESC, product_id",
        [customer, order],
    )
    told = list(dict.fromkeys(names.called(shop.name("product", str(product))) for product, _ in rows))
    shown, more = told[:_THINGS], len(told) - _THINGS
    en, zh = ([one[language] for one in shown] for language in ("en", "zh"))
    if more > 0:
        rest = f"{words.number(more)} more {'thing' if more == 1 else 'things'}"
        return both(en=f"{', '.join(en)} and {rest}", zh=f"{'、'.join(zh)}等{len(told)}样商品")
    return both(en=words.listing(en, "en"), zh=words.listing(zh, "zh"))


def _return(shop: Shop, customer: str) -> list[Told]:
    rows = shop.query(
        "SELECT max(ts)::DATE FROM events WHERE customer_id = ? AND kind = 'return'", [customer]
    )
    day = rows[0][0] if rows else None
    if day is None:
        return []
    who, told = names.customer(customer), both(en=words.day(day, "en"), zh=words.day(day, "zh"))
    text = both(en=f"The latest return is of {told['en']}.", zh=f"最近一次退货在{told['zh']}。")
    return [(Fact(who.en, "return", day.isoformat(), "day", text), {"return.day": told})]


def _coupons(shop: Shop, customer: str) -> list[Told]:
    rows = shop.query(
        "SELECT count(*), count(DISTINCT campaign_id) FROM events WHERE customer_id = ? AND kind = 'exposure'"
        " AND campaign_id IS NOT NULL",
        [customer],
    )
    campaigns = int(rows[0][1]) if rows else 0
    if not campaigns:
        return []
    told = both(
        en=f"coupons of {words.plural(campaigns, 'campaign')}", zh=f"{words.number(campaigns)}次活动的优惠券"
    )
    text = both(en=f"They were sent {told['en']}.", zh=f"收到过{told['zh']}。")
    return [
        (
            Fact(names.customer(customer).en, "coupons", campaigns, "campaigns", text),
            {"coupons.received": told},
        )
    ]
