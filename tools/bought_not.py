"""bought_not: the customers who bought some goods and none of others ("diapers, but no wipes")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from customers.measure import Dimension, Measure, Quantity
from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

Thing = Mapping[str, str]


class BoughtNotTool:
    """Customers who bought one thing and not another, over a period."""

    name = "bought_not"
    access = Access.READ
    describe = "which, and how many, customers bought some goods but none of others"
    busy = both(
        en="Looking for customers who bought the one and not the other", zh="正在查找买过其一而没买其他的顾客"
    )
    parameters = {
        "bought": {"type": "array", "x-derived": True},
        "bought_not": {"type": "array", "x-derived": True},
        "segment": {"type": "string", "x-entity": "segment"},
        "n": {"type": "integer", "x-count": True},
        "start": {"type": "string", "x-period": "start"},
        "end": {"type": "string", "x-period": "end"},
    }
    required = ("bought", "bought_not")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many they are, of how many who bought the first, then the n with the most trips. `bought`: lists of
        things ({"kind", "key"}), one of each list must have been bought; `bought_not`: things none of which was."""
        start, end = (date.fromisoformat(args[name]) if args.get(name) else None for name in ("start", "end"))
        segment = args.get("segment")
        within = Measure(
            Quantity.BASKETS, Dimension.CUSTOMER, start=start, end=end,
            where={Dimension.SEGMENT: (segment,)} if segment else {},
        )  # fmt: skip
        wanted: list[Sequence[Thing]] = args["bought"]
        each = [_trips(shop, within, things) for things in wanted]
        there = {who: trips for who, trips in each[0].items() if all(who in other for other in each[1:])}
        other = _trips(shop, within, args["bought_not"])
        only = [who for who in there if who not in other]
        has, lacks = _called(shop, [t[0] for t in wanted], "and"), _called(shop, args["bought_not"], "or")
        when = _when(shop, start, end)
        group = names.called(shop.name("segment", segment)) if segment else None
        facts = [_count(has, lacks, when, group, len(only), len(there))]
        shown = only[: max(1, min(int(args.get("n") or 5), 50))]
        first = names.called(shop.name(wanted[0][0]["kind"], wanted[0][0]["key"]))
        facts += [_one(rank, who, there[who], first) for rank, who in enumerate(shown, 1)]
        return ToolResult(tuple(facts), found={"customer": tuple(only)}, full=only)


def _trips(shop: Shop, within: Measure, things: Sequence[Thing]) -> dict[str, float]:
    """Trips with any of the things by customer, the most first."""
    found: dict[str, float] = {}
    for kind in dict.fromkeys(thing["kind"] for thing in things):
        keys = tuple(thing["key"] for thing in things if thing["kind"] == kind)
        spec = Measure(
            within.quantity, within.by, start=within.start, end=within.end, where={**within.where, Dimension(kind): keys}
        )  # fmt: skip
        for row in shop.measure(spec).rows:
            found[row.key] = max(found.get(row.key, 0.0), row.value)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _called(shop: Shop, things: Sequence[Thing], joined: str) -> names.Called:
    told = [names.called(shop.name(thing["kind"], thing["key"])) for thing in things]
    last_en, last_zh = (" and ", "和") if joined == "and" else (" or ", "或")
    en = last_en.join(one.en for one in told)
    return names.Called(en, last_zh.join(one.zh for one in told))


def _when(shop: Shop, start: date | None, end: date | None) -> Mapping[str, str]:
    first, last = start or shop.info.first_day, end or shop.info.last_day
    return {language: words.period(first, last, language) for language in words.LANGUAGES}


def _count(
    has: names.Called,
    lacks: names.Called,
    when: Mapping[str, str],
    group: names.Called | None,
    only: int,
    there: int,
) -> Fact:
    in_en, in_zh = (f" of the segment “{group.en}”", f"“{group.zh}”分群中") if group else ("", "")
    return Fact(
        f"customers who bought {has.en} but not {lacks.en}", "customers", only, "customers",
        both(
            en=f"{words.plural(only, 'customer')}{in_en} bought {has.en} but not {lacks.en} {when['en']}, of {words.number(there)} who bought {has.en}.",
            zh=f"{when['zh']}，{in_zh}买过{has.zh}的{words.number(there)}位顾客中，有{words.number(only)}位没买过{lacks.zh}。",
        ),
        period=when["en"], names=(*has.all, *lacks.all, *(group.all if group else ())),
    )  # fmt: skip


def _one(rank: int, customer: str, trips: float, first: names.Called) -> Fact:
    who = names.customer(customer)
    return Fact(
        who.en, "baskets", trips, "trips",
        both(en=f"{rank}. Customer {words.label(customer)}: {words.plural(trips, 'trip')} with {first.en}.",
             zh=f"{rank}. {who.zh}：买过{words.number(trips)}次{first.zh}。"),
        names=first.all,
    )  # fmt: skip
