"""stopped_buying: the customers who bought something in one period and not in another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tools import names, words
from tools.base import Access, Fact, ToolResult, TryAgain
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

SHOWN, MOST = 10, 50
_QUERY = """
    SELECT customer_id, count(DISTINCT coalesce(basket_id, ts::DATE::VARCHAR)) FILTER (ts >= ? AND ts < ?) AS trips,
           sum(amount) FILTER (ts >= ? AND ts < ?) AS spent, coalesce(bool_or(ts >= ? AND ts < ?), false) AS still
    FROM events JOIN products USING (product_id)
    WHERE kind = 'purchase' AND customer_id IS NOT NULL AND (category = ? OR product_id = ?)
      AND (? IS NULL OR customer_id IN (SELECT customer_id FROM customer_segments WHERE segment_id = ?))
      AND (? IS NULL OR customer_id IN (SELECT unnest(?::VARCHAR[])))
    GROUP BY customer_id HAVING trips > 0 ORDER BY spent DESC, customer_id"""


class StoppedBuyingTool:
    """Buyers of one period whom another one misses, those first who spent most on it."""

    name = "stopped_buying"
    access = Access.READ
    describe = "which, and how many, customers bought a category or product in one period but not in another"
    busy = both(en="Comparing the buyers of two periods", zh="正在比较两个时期的购买者")
    parameters = {
        "category": {"type": "string", "x-entity": "category"},
        "product": {"type": "string", "x-entity": "product"},
        "segment": {"type": "string", "x-entity": "segment"},
        "bought": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        "missed": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        "n": {"type": "integer", "x-count": True},
        "among": {"type": "array", "x-among": True, "x-derived": True},
    }
    required = ("bought", "missed")
    one_of = ("category", "product")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many there are, of how many buyers, then the n who spent most. `bought`, `missed`: the first and
        the last day of each period."""
        category, product = args.get("category"), args.get("product")
        if not category and not product:
            raise TryAgain("stopped_buying needs a category or a product")
        target = names.product(shop, product) if product else names.category(shop, category or "")
        then, later = _days(args["bought"]), _days(args["missed"])
        spans = [*_open(then), *_open(then), *_open(later)]
        segment, among = args.get("segment"), args.get("among")
        goods = [None if product else category, product]
        rows = shop.query(_QUERY, [*spans, *goods, segment, segment, among, among])
        gone = [row for row in rows if not row[3]]
        facts = [_count(shop, target, segment, bool(among), then, later, len(gone), len(rows))]
        shown = gone[: max(1, min(int(args.get("n") or SHOWN), MOST))]
        facts += [_one(shop, rank, str(key), int(trips), float(spent or 0))
                  for rank, (key, trips, spent, _) in enumerate(shown, 1)]  # fmt: skip
        return ToolResult(tuple(facts), found={"customer": tuple(str(row[0]) for row in gone)}, full=gone)


def _days(given: Any) -> tuple[date, date]:
    first, last = (date.fromisoformat(str(day)) for day in given)
    return first, last


def _open(days: tuple[date, date]) -> tuple[date, date]:
    return days[0], days[1] + timedelta(days=1)


def _count(
    shop: Shop, target: names.Called, segment: str | None, listed: bool, then: tuple[date, date],
    later: tuple[date, date], gone: int, buyers: int,
) -> Fact:  # fmt: skip
    group = names.called(shop.name("segment", segment)) if segment else None
    in_en, in_zh = (f" in the segment “{group.en}”", f"“{group.zh}”分群的") if group else ("", "")
    these_en, these_zh = ("these ", "这些") if listed else ("", "")
    en = (
        f"{words.number(gone)} of {words.number(buyers)} {these_en}customers{in_en} who bought {target.en} "
        f"{words.period(*then, 'en')} bought none {words.period(*later, 'en')}"
    )
    zh = (
        f"{words.period(*then, 'zh')}买过{target.zh}的{these_zh}{words.number(buyers)}位{in_zh}顾客中，"
        f"有{words.number(gone)}位在{words.period(*later, 'zh')}没有再买"
    )
    return Fact(
        target.en, "stopped_buying", gone, "customers", both(en=f"{en}.", zh=f"{zh}。"),
        period=words.period(*later, "en"), names=(*target.all, *(group.all if group else ())),
    )  # fmt: skip


def _one(shop: Shop, rank: int, customer: str, trips: int, spent: float) -> Fact:
    who, paid = names.customer(customer), words.money(spent, shop.info.currency)
    return Fact(
        who.en, "spent_before", spent, shop.info.currency,
        both(en=f"{rank}. Customer {words.label(customer)}: {paid} on {words.plural(trips, 'trip')} before.",
             zh=f"{rank}. {who.zh}：之前{words.number(trips)}次购买，共{paid}。"),
    )  # fmt: skip
