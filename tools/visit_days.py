"""visit_days: the customers who come on some days of the week only, such as weekends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.measure_thresholds import Amount
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

LEAST = 3
"""Trips from which on "only" says something: one trip is always on one day."""
_DAYS = {
    "weekend": ((6, 7), both(en="on Saturdays and Sundays", zh="周六和周日")),
    "workdays": ((1, 2, 3, 4, 5), both(en="from Monday to Friday", zh="周一至周五")),
}
_QUERY = """
    SELECT customer_id, count(DISTINCT trip) AS trips, sum(amount) AS spend, bool_and(list_contains(?, isodow(ts))) AS only
    FROM (SELECT customer_id, ts, amount, coalesce(basket_id, ts::DATE::VARCHAR) AS trip FROM events
          WHERE kind = 'purchase' AND customer_id IS NOT NULL AND ts >= ? AND ts < ?
            AND (? IS NULL OR customer_id IN (SELECT customer_id FROM customer_segments WHERE segment_id = ?))
            AND (? IS NULL OR customer_id IN (SELECT unnest(?::VARCHAR[]))))
    GROUP BY customer_id ORDER BY trips DESC, spend DESC, customer_id"""


class VisitDaysTool:
    """Customers all of whose trips fall on weekends, or on workdays, with at least some trips."""

    name = "visit_days"
    access = Access.READ
    describe = "which, and how many, customers come only on weekends or only on workdays"
    busy = both(en="Looking at the days on which customers come", zh="正在统计顾客的到店日")
    parameters = {
        "days": {"type": "string", "enum": list(_DAYS)},
        "segment": {"type": "string", "x-entity": "segment"},
        "n": {"type": "integer", "x-count": True},
        "among": {"type": "array", "x-among": True, "x-derived": True},
        "start": {"type": "string", "x-period": "start"},
        "end": {"type": "string", "x-period": "end"},
        "amount": {"type": "object", "x-amount": True},
    }
    required = ("days",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many they are, of how many with as many trips, then the n with the most trips. `amount`: the
        trips that are asked for, `LEAST` where nothing is said."""
        days, where = _DAYS[str(args["days"])]
        first = date.fromisoformat(args["start"]) if args.get("start") else shop.info.first_day
        last = date.fromisoformat(args["end"]) if args.get("end") else shop.info.last_day
        amount, segment, among = Amount.of(args.get("amount")), args.get("segment"), args.get("among")
        if amount is None or amount.unit not in ("baskets", ""):
            amount = Amount(LEAST, None, unit="baskets")
        rows = shop.query(
            _QUERY, [list(days), first, last + timedelta(days=1), segment, segment, among, among]
        )
        there = [row for row in rows if amount.holds(float(row[1]))]
        only = [row for row in there if row[3]]
        facts = [_count(shop, where, amount, (first, last), segment, among, len(only), len(there))]
        shown = only[: max(1, min(int(args.get("n") or 5), 50))]
        facts += [
            _one(shop, rank, str(key), int(trips), float(spend))
            for rank, (key, trips, spend, _) in enumerate(shown, 1)
        ]
        return ToolResult(tuple(facts), found={"customer": tuple(str(row[0]) for row in only)}, full=only)


def _count(
    shop: Shop,
    where: Mapping[str, str],
    amount: Amount,
    between: tuple[date, date],
    segment: str | None,
    among: Any,
    only: int,
    there: int,
) -> Fact:
    when = {lang: words.period(*between, lang) for lang in words.LANGUAGES}
    of = names.called(shop.name("segment", segment)) if segment else None
    in_en, in_zh = (f" of the segment “{of.en}”", f"“{of.zh}”分群中") if of else ("", "")
    these_en, these_zh = ("these ", "这") if among else ("", "")
    many = words.plural(only, "customer")
    return Fact(
        f"customers who came only {where['en']}", "customers", only, "customers",
        both(
            en=f"{many}{in_en} came only {where['en']} {when['en']}, of {these_en}{words.number(there)} with {_trips_en(amount)}.",
            zh=f"{when['zh']}，{in_zh}到店{_trips_zh(amount)}的{these_zh}{words.number(there)}位顾客中，有{words.number(only)}位只在{where['zh']}来。",
        ),
        period=when["en"], names=of.all if of else (),
    )  # fmt: skip


def _trips_en(amount: Amount) -> str:
    low, high = amount.low, amount.high
    if low is not None and low == high:
        return words.plural(low, "trip")
    parts = []
    if low is not None:
        parts.append(f"{'more than' if amount.strict_low else 'at least'} {words.number(low)}")
    if high is not None:
        parts.append(f"{'fewer than' if amount.strict_high else 'at most'} {words.number(high)}")
    return f"{' and '.join(parts)} trips"


def _trips_zh(amount: Amount) -> str:
    low, high = amount.low, amount.high
    if low is not None and low == high:
        return f"{words.number(low)}次"
    parts = []
    if low is not None:
        parts.append(f"{'超过' if amount.strict_low else '至少'}{words.number(low)}次")
    if high is not None:
        parts.append(f"{'不到' if amount.strict_high else '不超过'}{words.number(high)}次")
    return "且".join(parts)


def _one(shop: Shop, rank: int, customer: str, trips: int, spend: float) -> Fact:
    who, paid = names.customer(customer), words.money(spend, shop.info.currency)
    return Fact(
        who.en, "baskets", trips, "trips",
        both(en=f"{rank}. Customer {words.label(customer)}: {words.plural(trips, 'trip')}, {paid} spent.",
             zh=f"{rank}. {who.zh}：到店{words.number(trips)}次，共消费{paid}。"),
    )  # fmt: skip
