"""absent: the customers who used to come, or to buy something, and have not for a while; or who never use a coupon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from customers.measure import Dimension, Measure, Quantity
from tools import measure_words, names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.measure_thresholds import Amount
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_GOODS = ("category", "product")


class AbsentTool:
    """Customers who came before a time and not since, or who redeemed no coupon at all."""

    name = "absent"
    access = Access.READ
    describe = "which, and how many, customers have not come, or not bought something, since a day; or use no coupons"
    busy = both(en="Looking for customers who stayed away", zh="正在查找许久未来的顾客")
    parameters = {
        "of": {"type": "string", "enum": ["visits", "coupons"]},
        "category": {"type": "string", "x-entity": "category"},
        "product": {"type": "string", "x-entity": "product"},
        "segment": {"type": "string", "x-entity": "segment"},
        "n": {"type": "integer", "x-count": True},
        "amount": {"type": "object", "x-amount": True},
        "among": {"type": "array", "x-among": True, "x-derived": True},
        "days": {"type": "integer", "x-derived": True},
        "since": {"type": "string", "x-derived": True},
        "start": {"type": "string", "x-derived": True},
        "end": {"type": "string", "x-derived": True},
    }
    required = ("of",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many they are, then the n who spent most before. `start`, `end`: the days on which they did not come
        (of coupons: on which none was redeemed); `days`: so many of the data's last; `since`: when the
        time that was named begins, which is told by `start`. `amount`: what they must have spent, or how often come, before;
        `among`: only customers of this list."""
        coupons = args["of"] == "coupons"
        first, last = shop.info.first_day, shop.info.last_day
        start = date.fromisoformat(args["start"]) if args.get("start") else first
        if args.get("days"):
            start = last - timedelta(days=int(args["days"]) - 1)
        end = date.fromisoformat(args["end"]) if args.get("end") else last
        before = (start, end) if coupons else (first, start - timedelta(days=1))
        if before[1] < first:
            raise CannotDo(both(
                en=f"The data begins on {words.day(first, 'en')}: nobody is known who came before {words.day(start, 'en')}.",
                zh=f"数据从{words.day(first, 'zh')}开始，{words.day(start, 'zh')}之前没有到店记录。",
            ))  # fmt: skip
        segment = {Dimension.SEGMENT: (args["segment"],)} if args.get("segment") else {}
        goods = (
            {Dimension(kind): (str(args[kind]),) for kind in _GOODS if args.get(kind)} if not coupons else {}
        )
        quantity = Quantity.REDEMPTIONS if coupons else Quantity.BASKETS
        did = _by_customer(shop, quantity, start, end, segment | goods)
        if coupons and not shop.measure(Measure(quantity)).total:
            raise CannotDo(both(en="The data has no records of coupons.", zh="数据中没有优惠券记录。"))
        trips = _by_customer(shop, Quantity.BASKETS, *before, segment | goods)
        spent = _by_customer(shop, Quantity.SPEND, *before, segment | goods)
        amount = Amount.of(args.get("amount"))
        if amount is not None and amount.unit not in ("money", "baskets", ""):
            amount = None
        held = trips if amount is not None and amount.unit == "baskets" else spent
        if among := args.get("among"):
            listed = {*map(str, among)}
            trips = {who: many for who, many in trips.items() if who in listed}
        known = [who for who in trips if amount is None or amount.holds(held.get(who, 0.0))]
        gone = sorted((who for who in known if who not in did), key=lambda who: (-spent.get(who, 0.0), who))
        scope = measure_words.scope(
            shop, Measure(Quantity.SPEND, where=segment | goods, start=start, end=end)
        )
        facts = [_count(shop, coupons, scope, amount, start, len(gone), len(known))]
        shown = gone[: max(1, min(int(args.get("n") or 5), 50))]
        seen = _last_days(shop, shown, before[1], {kind.value: keys[0] for kind, keys in goods.items()})
        facts += [
            _one(shop, rank, who, spent.get(who, 0.0), trips[who], seen.get(who), bool(goods))
            for rank, who in enumerate(shown, 1)
        ]
        return ToolResult(tuple(facts), found={"customer": tuple(gone)}, full=gone)


def _by_customer(
    shop: Shop, quantity: Quantity, start: date, end: date, where: dict[Dimension, tuple[str, ...]]
) -> dict[str, float]:
    spec = Measure(quantity, Dimension.CUSTOMER, where=where, start=start, end=end)
    return {row.key: row.value for row in shop.measure(spec).rows}


def _last_days(shop: Shop, customers: list[str], until: date, goods: Mapping[str, str]) -> dict[str, date]:
    """The last day of each with a purchase, of the goods where some are named, up to a day."""
    category, product = goods.get("category"), goods.get("product")
    rows = shop.query(
        "SELECT customer_id, max(ts)::DATE FROM events LEFT JOIN products USING (product_id)"
        " WHERE events.kind = 'purchase' AND list_contains(?, customer_id) AND ts < ?"
        " AND (? IS NULL OR category = ?) AND (? IS NULL OR product_id = ?) GROUP BY customer_id",
        [customers, until + timedelta(days=1), category, category, product, product],
    )
    return {str(who): day for who, day in rows}


def _count(
    shop: Shop,
    coupons: bool,
    scope: measure_words.Scope,
    amount: Amount | None,
    start: date,
    gone: int,
    known: int,
) -> Fact:
    when, of = scope.when, words.number(known)
    bound_en, bound_zh = _bound(shop, amount)
    many = words.plural(gone, "customer")
    who_en = scope.who.en.removeprefix("customers").strip()
    in_en = f" {who_en}" if who_en else ""
    in_zh = scope.who.zh.removesuffix("顾客")
    if coupons:
        en = (
            f"{many}{in_en} redeemed no coupon {when.en}, of {of} who bought anything{bound_en} in that time."
        )
        zh = f"{when.zh}，{in_zh}有购买记录{bound_zh}的{of}位顾客中，有{words.number(gone)}位没有兑换过优惠券。"
    else:
        day_en, day_zh = words.day(start, "en"), words.day(start, "zh")
        did_en = f"did not buy {scope.what.en}" if scope.what.en else "made no trip"
        did_zh = f"没有买过{scope.what.zh}" if scope.what.zh else "没有到店"
        knew_en = f"bought {scope.what.en}" if scope.what.en else "came"
        knew_zh = f"买过{scope.what.zh}" if scope.what.zh else "来过"
        en = f"{many}{in_en} {did_en} {when.en}, of {of} who {knew_en}{bound_en} before {day_en}."
        zh = f"{day_zh}之前{knew_zh}{bound_zh}的{of}位{in_zh}顾客中，有{words.number(gone)}位{when.zh}{did_zh}。"
    return Fact(
        "customers who stayed away", "customers", gone, "customers", both(en=en, zh=zh),
        period=when.en, names=scope.names,
    )  # fmt: skip


def _bound(shop: Shop, amount: Amount | None) -> tuple[str, str]:
    if amount is None:
        return "", ""
    trips = amount.unit == "baskets"
    parts_en, parts_zh = [], []
    for value, strict, over_en, least_en, over_zh, least_zh in (
        (amount.low, amount.strict_low, "more than", "at least", "超过", "至少"),
        (amount.high, amount.strict_high, "less than", "at most", "不到", "不超过"),
    ):
        if value is not None:
            said = words.number(value) if trips else words.money(value, shop.info.currency)
            parts_en.append(f"{over_en if strict else least_en} {said}")
            parts_zh.append(f"{over_zh if strict else least_zh}{said}{'次' if trips else ''}")
    what_en = f"{' and '.join(parts_en)}{' trips' if trips else ''}"
    return (
        f" ({what_en})" if trips else f" (for {what_en})",
        f"（{'到店' if trips else '消费'}{'且'.join(parts_zh)}）",
    )


def _one(
    shop: Shop, rank: int, customer: str, spent: float, trips: float, last: date | None, goods: bool
) -> Fact:
    who, paid = names.customer(customer), words.money(spent, shop.info.currency)
    last_en = f", last {'bought' if goods else 'here'} on {words.day(last, 'en')}" if last else ""
    last_zh = f"，最后一次{'购买' if goods else '到店'}是{words.day(last, 'zh')}" if last else ""
    return Fact(
        who.en, "spend", spent, "money",
        both(en=f"{rank}. Customer {words.label(customer)}: {paid} on {words.plural(trips, 'trip')}{last_en}.",
             zh=f"{rank}. {who.zh}：{words.number(trips)}次共消费{paid}{last_zh}。"),
    )  # fmt: skip
