"""changes: what grew and what fell from one period to the one before it, in money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from customers.measure import Dimension, Measure, Quantity
from tools import measure_words, names, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

DAYS = 30
"""The last days of the data that are compared with as many before, where no period is named."""
LEAST_SHARE = 0.002
"""Of the earlier money: below it a rate of growth says little."""
BY = ("category", "department", "type", "brand", "product", "segment", "customer")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Period:
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def told(self, language: str) -> str:
        return words.period(self.start, self.end, language)


@dataclass(frozen=True, slots=True)
class _Change:
    key: str
    before: float
    now: float

    @property
    def difference(self) -> float:
        return self.now - self.before


class ChangesTool:
    """How sales changed against the period before, and which groups made the change."""

    name = "changes"
    access = Access.READ
    describe = (
        "what grew or fell against the period before: the whole, and by category, brand, segment or customer"
    )
    busy = both(en="Comparing with the period before", zh="正在与上一时期比较")
    parameters = {
        "by": {"type": "string", "enum": list(BY)},
        "direction": {"type": "string", "enum": ["both", "up", "down"]},
        "rank": {"type": "string", "enum": ["money", "rate"]},
        "why": {"type": "boolean"},
        "category": {"type": "string", "x-entity": "category"},
        "segment": {"type": "string", "x-entity": "segment"},
        "n": {"type": "integer", "x-count": True},
        "start": {"type": "string", "x-derived": True},
        "end": {"type": "string", "x-derived": True},
        "before_start": {"type": "string", "x-derived": True},
        "before_end": {"type": "string", "x-derived": True},
    }
    required = ("by",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the change of the whole, of trips and of what a trip comes to, then the groups that changed most."""
        now, before = _periods(shop, args)
        if before.start < shop.info.first_day:
            first = shop.info.first_day
            raise CannotDo(both(
                en=f"The data begins on {words.day(first, 'en')}: there is nothing {before.told('en')} to compare with.",
                zh=f"数据从{words.day(first, 'zh')}开始，没有{before.told('zh')}的数据可供比较。",
            ))  # fmt: skip
        where = {Dimension(kind): (str(args[kind]),) for kind in ("category", "segment") if args.get(kind)}
        by = Dimension("type" if args["by"] == "category" and Dimension.CATEGORY in where else args["by"])
        spec = Measure(Quantity.SPEND, where=where, start=now.start, end=now.end)
        facts = [_whole(shop, spec, now, before), _trips(shop, spec, now, before)]
        changed = _changed(shop, spec, by, before)
        direction, rate = (
            args.get("direction") or "both",
            args.get("rank") == "rate" and by is not Dimension.CUSTOMER,
        )
        ranked = _ranked(changed, direction, rate)
        shown = ranked[: max(1, min(int(args.get("n") or _SHOWN), 50))]
        facts += [_row(shop, by, rank, one) for rank, one in enumerate(shown, 1)]
        return ToolResult(
            tuple(facts),
            lead=_lead(bool(args.get("why")), rate),
            found={by.value: tuple(one.key for one in shown)},
            full=ranked,
        )


def _periods(shop: Shop, args: Mapping[str, Any]) -> tuple[_Period, _Period]:
    last = shop.info.last_day
    now = (
        _Period(date.fromisoformat(args["start"]), date.fromisoformat(args["end"]))
        if args.get("start")
        else _Period(last - timedelta(days=DAYS - 1), last)
    )
    if args.get("before_start"):
        return now, _Period(date.fromisoformat(args["before_start"]), date.fromisoformat(args["before_end"]))
    return now, _before(now)


def _before(now: _Period) -> _Period:
    """The period of the same kind before: as many months where it is of whole months, else as many days."""
    end = now.start - timedelta(days=1)
    if now.start.day == 1 and (now.end + timedelta(days=1)).day == 1:
        months = (now.end.year - now.start.year) * 12 + now.end.month - now.start.month + 1
        at = now.start.year * 12 + now.start.month - 1 - months
        return _Period(date(at // 12, at % 12 + 1, 1), end)
    return _Period(now.start - timedelta(days=now.days), end)


def _at(spec: Measure, period: _Period, quantity: Quantity, by: Dimension | None = None) -> Measure:
    return Measure(quantity, by, where=spec.where, start=period.start, end=period.end)


def _changed(shop: Shop, spec: Measure, by: Dimension, before: _Period) -> list[_Change]:
    assert spec.start
    assert spec.end
    now, then = (
        {row.key: row.value for row in shop.measure(_at(spec, p, Quantity.SPEND, by)).rows}
        for p in (_Period(spec.start, spec.end), before)
    )
    return [_Change(key, then.get(key, 0.0), now.get(key, 0.0)) for key in {**now, **then}]


def _ranked(changed: list[_Change], direction: str, rate: bool) -> list[_Change]:
    kept = [
        one
        for one in changed
        if one.difference and (direction == "both" or (one.difference > 0) == (direction == "up"))
    ]
    if rate:
        least = LEAST_SHARE * sum(one.before for one in changed)
        kept = [one for one in kept if one.before >= least and one.before > 0]
        return sorted(kept, key=lambda one: (-abs(one.difference / one.before), one.key))
    return sorted(kept, key=lambda one: (-abs(one.difference), one.key))


def _told(one: float, other: float, money: str) -> tuple[str, str]:
    """How far `one` lies from `other`, in money and in percent, with the sign."""
    difference = one - other
    sign = "+" if difference >= 0 else "-"
    rate = f" ({sign}{words.percent(abs(difference) / other)})" if other > 0 else ""
    return f"{sign}{words.money(abs(difference), money)}", rate


def _wide(rate: str) -> str:
    return rate.replace(" (", "（").replace(")", "）")


def _whole(shop: Shop, spec: Measure, now: _Period, before: _Period) -> Fact:
    a, b = (shop.measure(_at(spec, period, Quantity.SPEND)).total for period in (now, before))
    where = measure_words.scope(shop, spec)
    told = measure_words.statement(shop, Quantity.SPEND, where, a)
    before_money, (off, rate) = words.money(b, shop.info.currency), _told(a, b, shop.info.currency)
    days_en, days_zh = "", ""
    if now.days != before.days:
        days_en, days_zh = (
            f", over {now.days} days against {before.days}",
            f"（{now.days}天对{before.days}天）",
        )
    return Fact(
        where.who.en, "change of spend", round(a - b, 2), "money",
        both(
            en=f"{told['en'].rstrip('.')}, after {before_money} {before.told('en')}: {off}{rate}{days_en}.",
            zh=f"{told['zh'].rstrip('。')}，{before.told('zh')}为{before_money}：{off}{_wide(rate)}{days_zh}。",
        ),
        period=where.when.en, population=where.who.en, names=where.names,
    )  # fmt: skip


def _trips(shop: Shop, spec: Measure, now: _Period, before: _Period) -> Fact:
    """Whether they came more rarely, or spent less when they came."""
    money = shop.info.currency
    trips, means = ([shop.measure(_at(spec, p, q)).total for p in (now, before)]
                    for q in (Quantity.BASKETS, Quantity.MEAN_BASKET))  # fmt: skip
    where = measure_words.scope(shop, spec)
    what = where.what
    with_en, on_en = (f" with {what.en} in the basket", f" on {what.en}") if what.en else ("", "")
    with_zh, on_zh = (f"含{what.zh}的", f"在{what.zh}上") if what.zh else ("", "")
    came, came_before = (words.number(value) for value in trips)
    paid, paid_before = (words.money(value, money) for value in means)
    return Fact(
        where.who.en, "change of trips", trips[0] - trips[1], "trips",
        both(
            en=f"They made {came} trips{with_en} instead of {came_before}, and spent {paid} a trip{on_en} instead of {paid_before}.",
            zh=f"{with_zh}到店次数从{came_before}次变为{came}次，平均每次{on_zh}消费从{paid_before}变为{paid}。",
        ),
        period=where.when.en, population=where.who.en, names=where.names,
    )  # fmt: skip


def _row(shop: Shop, by: Dimension, rank: int, one: _Change) -> Fact:
    money = shop.info.currency
    if by is Dimension.CUSTOMER:
        name = names.customer(one.key)
    elif by is Dimension.PRODUCT:
        name = names.product(shop, one.key)
    else:
        name = names.called(shop.name(by.value, one.key))
    now, before = words.money(one.now, money), words.money(one.before, money)
    off, rate = _told(one.now, one.before, money)
    title = name.en[:1].upper() + name.en[1:]
    return Fact(
        name.en, "change of spend", round(one.difference, 2), "money",
        both(en=f"{rank}. {title}: {now} after {before}, {off}{rate}.",
             zh=f"{rank}. {name.zh}：{now}，此前{before}，{off}{_wide(rate)}。"),
        names=name.all,
    )  # fmt: skip


def _lead(why: bool, rate: bool) -> Mapping[str, str] | None:
    if why:
        return both(en="The data show what changed, not why:", zh="数据能说明变化在哪里，但不能说明原因：")
    if not rate:
        return None
    return both(
        en="By rate of growth, where there were sales worth speaking of before:",
        zh="按变化率排列（此前销售额过小的不计）：",
    )
