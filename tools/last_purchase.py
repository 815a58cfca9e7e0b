"""last_purchase: what one customer bought last, or on a visit before that, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tools import names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN, MOST = 5, 20
# One purchase is one basket; where a shop keeps none, one day.
_MINE = """
    SELECT coalesce(e.basket_id, e.ts::DATE::VARCHAR) AS purchase, e.ts, e.product_id, e.quantity, e.amount, p.category
    FROM events e LEFT JOIN products p USING (product_id) WHERE e.customer_id = ? AND e.kind = 'purchase'"""
_LATEST = f"""
    SELECT purchase, max(ts)::DATE AS day, sum(amount) FROM ({_MINE}) GROUP BY purchase
    HAVING ? IS NULL OR bool_or(category = ?) ORDER BY max(ts) DESC, purchase DESC"""
_GOODS = f"""
    SELECT product_id, sum(quantity), sum(amount) FROM ({_MINE})
    WHERE purchase = ? AND product_id IS NOT NULL AND (? IS NULL OR category = ?)
    GROUP BY product_id ORDER BY sum(amount) DESC, product_id"""


class LastPurchaseTool:
    """The latest purchase of a customer: its day, its amount, and its products, the most costly first."""

    name = "last_purchase"
    access = Access.READ
    describe = "what one customer bought last, and when; optionally of one category"
    busy = both(
        en="Looking up the last purchase of customer {customer}", zh="正在查看顾客 {customer} 的最近一次购买"
    )
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "category": {"type": "string", "x-entity": "category"},
        "day": {"type": "string", "format": "date"},
        "before": {"type": "integer", "minimum": 0, "maximum": 1000},
        "n": {"type": "integer", "minimum": 1, "maximum": MOST},
    }
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return when it was and what it came to, then up to n of its products; with a category, the latest purchase
        that held anything of it, and only that. `before`: how many days with a purchase to go back from the last.
        `day`: what was bought on that day instead."""
        customer, category = str(args["customer"]), args.get("category")
        shown = max(1, min(int(args.get("n") or SHOWN), MOST))
        day = date.fromisoformat(args["day"]) if args.get("day") else None
        found = _latest(shop, customer, category, int(args.get("before") or 0), day)
        facts = [_when(shop, customer, category, found, shown)]
        facts += [_item(shop, customer, rank, one) for rank, one in enumerate(found.goods[:shown], 1)]
        keys = {"product": tuple(one.product for one in found.goods[:shown])}
        return ToolResult(tuple(facts), found=keys, full=found)


@dataclass(frozen=True, slots=True)
class Bought:
    """One product of a purchase: how many units, and the money paid."""

    product: str
    units: float
    amount: float


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase: its day, all that was paid, the products asked about, and how many others there were that day."""

    day: date
    amount: float
    goods: tuple[Bought, ...]
    others: int
    after: date | None = None
    """The day with a purchase right after, where an earlier one was asked for."""
    asked: bool = False
    """Whether this very day was asked for."""


def _latest(shop: Shop, customer: str, category: str | None, before: int, on: date | None) -> Purchase:
    rows = shop.query(_LATEST, [customer, category, category])
    if not rows:
        who, of = names.customer(customer), names.category(shop, category) if category else None
        raise CannotDo(
            both(en=f"No purchase{f' of {of.en}' if of else ''} by {who.en} is known.",
                 zh=f"没有{who.zh}购买{of.zh if of else ''}的记录。")
        )  # fmt: skip
    days = list(dict.fromkeys(day for _, day, _ in rows))
    if on is not None and on not in days:
        raise CannotDo(_nothing_on(shop, customer, category, on, days))
    if before >= len(days):
        raise CannotDo(_nothing_before(shop, customer, category, days[-1]))
    key, day, amount = next(row for row in rows if row[1] == (on or days[before]))
    goods = [
        Bought(str(product), float(units or 0), float(paid or 0))
        for product, units, paid in shop.query(_GOODS, [customer, key, category, category])
    ]
    others = sum(other == day for _, other, _ in rows) - 1
    after = days[before - 1] if before and on is None else None
    return Purchase(day, float(amount or 0), tuple(goods), others, after, on is not None)


def _nothing_on(
    shop: Shop, customer: str, category: str | None, on: date, days: list[date]
) -> Mapping[str, str]:
    """That there was no purchase on a day, and which ones are the nearest."""
    who, of = names.customer(customer), names.category(shop, category) if category else None
    near = sorted(sorted(days, key=lambda day: abs((day - on).days))[:2])
    en, zh = (words.listing((words.day(day, lang) for day in near), lang) for lang in words.LANGUAGES)
    return both(
        en=f"No purchase{f' of {of.en}' if of else ''} by {who.en} on {words.day(on, 'en')} is known; the nearest: {en}.",
        zh=f"{words.day(on, 'zh')}没有{who.zh}购买{of.zh if of else ''}的记录；最接近的日期：{zh}。",
    )


def _nothing_before(shop: Shop, customer: str, category: str | None, first: date) -> Mapping[str, str]:
    who, of = names.customer(customer), names.category(shop, category) if category else None
    return both(
        en=f"No purchase{f' of {of.en}' if of else ''} by {who.en} before {words.day(first, 'en')} is known.",
        zh=f"{words.day(first, 'zh')}之前没有{who.zh}购买{of.zh if of else ''}的记录。",
    )


def _when(shop: Shop, customer: str, category: str | None, found: Purchase, shown: int) -> Fact:
    who, currency = names.customer(customer), shop.info.currency
    ago = (shop.info.last_day - found.day).days
    part, count = sum(one.amount for one in found.goods), len(found.goods)
    paid, whole = words.money(part, currency), words.money(found.amount, currency)
    of = names.category(shop, category) if category else None
    who_en = f"Customer {words.label(customer)}"
    before_zh = ""
    if found.after:
        who_en = f"Before {words.day(found.after, 'en')}, customer {words.label(customer)}"
        before_zh = f"{words.day(found.after, 'zh')}之前，"
    verb_en, verb_zh = ("last bought", "最近一次购买")
    if found.asked:
        verb_en, verb_zh = f"bought{'' if of else ' here'}", "有一次购买"
    en = (
        f"{who_en} {verb_en} {f'{of.en} ' if of else ''}on {words.day(found.day, 'en')} "
        f"({words.days_ago(ago, 'en')}): {words.plural(count, 'product')} for {paid}"
    )
    zh = (
        f"{before_zh}{who.zh}{verb_zh}{of.zh if of else ''}是{words.day(found.day, 'zh')}（{words.days_ago(ago, 'zh')}）："
        f"{words.number(count)}种商品，共{paid}"
    )
    if of and round(found.amount - part, 2) > 0:
        en, zh = f"{en}, in a purchase of {whole}", f"{zh}（整单{whole}）"
    if found.others:
        more = words.plural(found.others, "other purchase")
        en, zh = (
            f"{en}; there {'was' if found.others == 1 else 'were'} {more} that day",
            f"{zh}；当天另有{found.others}笔购买",
        )
    elif found.asked:
        en, zh = f"{en}; there was no other purchase that day", f"{zh}；当天没有其他购买"
    if count > shown:
        en, zh = f"{en}. Below are the {shown} most costly", f"{zh}。下面是其中最贵的{shown}种"
    return Fact(
        who.en, "last_purchase", found.day.isoformat(), "day", both(en=f"{en}.", zh=f"{zh}。"), names=of.all if of else ()
    )  # fmt: skip


def _item(shop: Shop, customer: str, rank: int, one: Bought) -> Fact:
    product, paid = names.product(shop, one.product), words.money(one.amount, shop.info.currency)
    many_en = f"{words.plural(one.units, 'unit')}, " if one.units else ""
    many_zh = f"{words.number(one.units)}件，" if one.units else ""
    return Fact(
        names.customer(customer).en, "bought_last", one.product, "product",
        both(en=f"{rank}. {product.en}: {many_en}{paid}.", zh=f"{rank}. {product.zh}：{many_zh}{paid}。"),
        names=product.all,
    )  # fmt: skip
