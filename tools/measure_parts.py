"""What `measure` tells of parts and wholes: shares, what a period is of the year, weekends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from customers.measure import Dimension, Measure, MeasureResult, Quantity
from tools import measure_events, names, words
from tools.base import Fact
from tools.measure_words import QUANTITIES, Scope, scope, shown
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

ADDED = (Quantity.SPEND, Quantity.UNITS, Quantity.BASKETS, *measure_events.COUNTS)
"""What adds up over days."""
_BUYERS = (Dimension.CUSTOMER, Dimension.SEGMENT, Dimension.ATTRIBUTE)


def _whose(where: Scope) -> str:
    """Whose figure it is, as an English genitive."""
    who = where.who.en if where.narrowed else "all customers"
    return f"{who}'" if who.endswith("s") else f"{who}'s"


def share_of_whole(shop: Shop, spec: Measure, where: Scope, part: float, whole: float) -> Fact:
    noun = QUANTITIES[spec.quantity]
    total, share = shown(shop, spec.quantity, whole), words.percent(part / whole)
    who_zh = where.who.zh if where.narrowed else "全体顾客"
    text = both(
        en=f"That is {share} of {_whose(where)} {noun.whole_en} {where.when.en} ({total}).",
        zh=f"占{who_zh}{where.when.zh}{noun.whole_zh}（{total}）的{share}。",
    )
    if spec.quantity is Quantity.CUSTOMERS:
        group_en, group_zh = (where.who.en, where.who.zh) if where.narrowed else ("customers", "顾客")
        text = both(
            en=f"That is {share} of the {total} {group_en} who bought anything {where.when.en}.",
            zh=f"占{where.when.zh}有过购买的{total}位{group_zh}的{share}。",
        )
    return Fact(where.who.en, f"share_of_{spec.quantity.value}", part / whole, "share", text,
                period=where.when.en, population=where.who.en, names=where.names)  # fmt: skip


def part_of_all_days(shop: Shop, spec: Measure, part: float, always: float) -> Fact:
    """What part of the same figure over all days of the data falls into the period."""
    where, whole = scope(shop, spec), scope(shop, replace(spec, start=None, end=None))
    noun, total, share = (
        QUANTITIES[spec.quantity],
        shown(shop, spec.quantity, always),
        words.percent(part / always),
    )
    en = f" on {where.what.en}" if where.what.en else ""
    return Fact(
        where.who.en, "share_of_all_days", part / always, "share",
        both(en=f"Of {_whose(where)} {noun.whole_en}{en} {whole.when.en} ({total}) it is {share}.",
             zh=f"占{where.who.zh if where.narrowed else '全体顾客'}{whole.when.zh}{where.what.zh}{noun.whole_zh}（{total}）的{share}。"),
        period=where.when.en, population=where.who.en, names=where.names,
    )  # fmt: skip


def weekends(shop: Shop, result: MeasureResult, where: Scope) -> list[Fact]:
    """Saturday and Sunday together, and Monday to Friday."""
    quantity = result.spec.quantity
    if quantity not in ADDED or not result.total:
        return []
    days = {row.key: row.value for row in result.rows}
    at_weekend = days.get("Saturday", 0.0) + days.get("Sunday", 0.0)
    noun, facts = QUANTITIES[quantity], []
    for value, en, zh in ((at_weekend, "Saturdays and Sundays together", "周六与周日合计"),
                          (sum(days.values()) - at_weekend, "Mondays to Fridays together", "周一至周五合计")):  # fmt: skip
        told, share = shown(shop, quantity, value), words.percent(value / result.total)
        text = both(en=f"{en}: {told}{noun.unit_en(value)}, {share} of the total.", zh=f"{zh}：{told}{noun.unit_zh}，占总数的{share}。")  # fmt: skip
        facts.append(
            Fact(where.who.en, quantity.value, value, quantity.value, text,
                 period=where.when.en, population=where.who.en, names=where.names)
        )  # fmt: skip
    return facts


def counted_by_trips(spec: Measure) -> Mapping[str, str] | None:
    """Said before trips by weekday, for "people" may be asked for: a customer comes on nearly every weekday in time."""
    one = len(spec.where.get(Dimension.CUSTOMER, ())) == 1
    if spec.by is not Dimension.WEEKDAY or spec.quantity is not Quantity.BASKETS or one:
        return None
    return both(en="Counted by trips; whoever comes twice counts twice.", zh="按到店次数计，来两次算两次。")


def share_of(spec: Measure, where: Scope) -> names.Called:
    """What a group's share is a share of. Where somebody's part of a thing is told, "total" might be taken for the
    number of those customers."""
    if spec.by not in _BUYERS or not where.what.en:
        return names.Called("the total", "总数")
    match spec.quantity:
        case Quantity.SPEND:
            return names.Called(f"the money spent on {where.what.en}", f"{where.what.zh}总消费额")
        case Quantity.CUSTOMERS:
            return names.Called(f"the customers who bought {where.what.en}", f"购买{where.what.zh}的顾客总数")
        case Quantity.BASKETS:
            return names.Called(f"the trips with {where.what.en}", f"含{where.what.zh}的到店总次数")
        case _:
            return names.Called("the total", "总数")
