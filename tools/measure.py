"""measure: any count, sum, mean, share or top-n of the behaviour data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from customers.measure import CONTACTS, EVENTS, PURCHASES, Dimension, Measure, MeasureRow, Quantity
from tools import measure_events, names, words
from tools import measure_thresholds as thresholds
from tools.base import Access, CannotDo, Fact, Table, ToolResult
from tools.measure_parts import ADDED, counted_by_trips, part_of_all_days, share_of, share_of_whole, weekends
from tools.measure_words import (
    GROUPS,
    MANY,
    WEEKDAYS,
    Scope,
    bought_both,
    noun_of,
    scope,
    shown,
    statement,
)
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_FILTERS = (Dimension.CUSTOMER, Dimension.DEPARTMENT, Dimension.CATEGORY, Dimension.TYPE, Dimension.PRODUCT,
            Dimension.BRAND, Dimension.SEGMENT, Dimension.CAMPAIGN)  # fmt: skip
_PRODUCT_SIDE = (Dimension.DEPARTMENT, Dimension.CATEGORY, Dimension.TYPE, Dimension.PRODUCT, Dimension.BRAND)
_GOODS = (*_PRODUCT_SIDE, Dimension.QUERY)
_MEANS = (Quantity.MEAN_BASKET, Quantity.MEAN_SPEND, Quantity.MEAN_PRICE, Quantity.MEAN_RATING)
_SHARED = (Quantity.SPEND, Quantity.UNITS, Quantity.CUSTOMERS, Quantity.BASKETS, *measure_events.COUNTS)
_NOT_PLANNED = (Dimension.ATTRIBUTE, Dimension.QUERY)
_LEAST_SHARE = 0.0005
"""A share that would be written "0.0%" tells nothing."""
_FEW = 24
_EACH = 5


class MeasureTool:
    """A typed specification, measured over the purchases, redemptions or exposures, or over what customers do beside
    buying. No planner was taught the latter (`x-more`): the wording of a question alone asks for them.

    Filters (customers, categories, brands, segments, attributes, period) are what was linked in
    the question; the plan chooses only the quantity and what to break it down by. `amount` keeps the
    groups whose figure lies within it: {"low": 5000, "high": null, "strict_low": true,
    "strict_high": false, "unit": "money"}; without a breakdown the groups are the customers. `without`: goods that
    do not count, by kind. `query`: of searches, the words that were searched for. `weekend`: by weekday, Saturday and
    Sunday are told together as well. `of_all_days`: what part of the whole of the data's days the period makes. `among`:
    customers whom all of it is about, also where they are what it is broken down by.
    """

    name = "measure"
    access = Access.READ
    describe = "any figure or ranking from the data: spend, units, trips, customers, averages, shares, top-n, by month and so on"
    busy = both(en="Adding up the figures", zh="正在统计数据")
    parameters = {
        "quantity": {
            "type": "string",
            "enum": [q.value for q in (*PURCHASES, *CONTACTS)],
            "x-more": [q.value for q in EVENTS],
        },
        "by": {
            "type": "string",
            "enum": ["none", *(d.value for d in Dimension if d not in _NOT_PLANNED)],
            "x-more": [Dimension.QUERY.value],
            "x-add": "attribute",
        },
        "filters": {"type": "object", "x-entity": "all"},
        "among": {"type": "array", "x-among": True, "x-derived": True},
        "without": {"type": "object", "x-excluded": True, "x-derived": True},
        "start": {"type": "string", "x-period": "start"},
        "end": {"type": "string", "x-period": "end"},
        "n": {"type": "integer", "x-count": True},
        "ascending": {"type": "boolean", "x-modifier": "ascending"},
        "amount": {"type": "object", "x-amount": True},
        "query": {"type": "array", "items": {"type": "string"}, "x-derived": True},
        "weekend": {"type": "boolean", "x-modifier": "weekend", "x-derived": True},
        "of_all_days": {"type": "boolean", "x-modifier": "of_all_days", "x-derived": True},
    }
    required = ("quantity", "by")

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return the figure, or the ranking with its total."""
        asked = _asked(shop, args)
        measure_events.require_records(shop, asked.spec.quantity)
        if asked.spec.by is None:
            return _single(shop, asked)
        return _within(shop, asked) if asked.amount else _grouped(shop, asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A specification, the keys asked about inside the breakdown, how many rows to state, the threshold that the
    groups (or the one figure) are held against, and what else is told of it (see MeasureTool)."""

    spec: Measure
    focus: tuple[str, ...]
    top: int | None
    amount: thresholds.Amount | None = None
    weekend: bool = False
    of_all_days: bool = False


def _asked(shop: Shop, args: Mapping[str, Any]) -> _Asked:
    filters: Mapping[str, Any] = args.get("filters") or {}
    where = {d: tuple(filters[d.value]) for d in _FILTERS if filters.get(d.value)}
    attributes = {key: tuple(values) for key, values in (filters.get("attributes") or {}).items()}
    by, attribute = _dimension(shop, str(args.get("by") or "none"))
    focus: tuple[str, ...] = ()
    if args["quantity"] == Quantity.SEARCHES.value and by in _PRODUCT_SIDE:
        by = Dimension.QUERY
    if by is Dimension.ATTRIBUTE and attribute in attributes:
        focus = tuple(f"{attribute}={value}" for value in attributes.pop(attribute))
    elif by is not None and by in where:
        focus = where.pop(by)
    if args.get("among"):
        where[Dimension.CUSTOMER] = tuple(map(str, args["among"]))
    spec = Measure(
        quantity=Quantity(args["quantity"]), by=by, attribute=attribute, where=where, attributes=attributes,
        without={Dimension(kind): tuple(keys) for kind, keys in (args.get("without") or {}).items()},
        start=_day(args.get("start")), end=_day(args.get("end")), ascending=bool(args.get("ascending")),
    )  # fmt: skip
    spec = measure_events.as_searched(shop, spec, args.get("query") or ())
    spec = replace(spec, least_customers=measure_events.least(spec))
    top = min(int(args["n"]), 50) if args.get("n") else None
    amount = None if focus else thresholds.Amount.of(args.get("amount"))
    return _Asked(
        _for_threshold(spec, amount),
        focus,
        top,
        amount,
        bool(args.get("weekend")),
        bool(args.get("of_all_days")),
    )


def _for_threshold(spec: Measure, amount: thresholds.Amount | None) -> Measure:
    if amount is None or (spec.by is None and amount.unit == "customers"):
        return spec
    counted = thresholds.counted_by(spec, amount)
    # Whether customers who are named pass is told of their own figure.
    return replace(counted, by=None) if spec.by is None and Dimension.CUSTOMER in spec.where else counted


def _dimension(shop: Shop, by: str) -> tuple[Dimension | None, str | None]:
    if by == "none":
        return None, None
    if by in shop.keys("attribute"):
        return Dimension.ATTRIBUTE, by
    return Dimension(by), None


def _day(text: Any) -> date | None:
    return date.fromisoformat(text) if text else None


def _single(shop: Shop, asked: _Asked) -> ToolResult:
    spec, result = asked.spec, shop.measure(asked.spec)
    where = scope(shop, spec)
    if spec.quantity in _MEANS and not result.total:
        raise CannotDo(_nothing())  # a mean of nothing is not zero
    facts = [_fact(where, spec.quantity, result.total, statement(shop, spec.quantity, where, result.total))]
    facts += [fact] if (fact := measure_events.doers(shop, spec, where)) else []
    facts += measure_events.of_all_reviews(shop, spec, where, result.total)
    without = {d: keys for d, keys in spec.where.items() if d not in _GOODS}
    counted = spec.quantity in _SHARED and not (where.named and spec.quantity is Quantity.CUSTOMERS)
    if counted and (len(without) < len(spec.where) or spec.without):
        whole = shop.measure(replace(spec, where=without, without={})).total
        if whole > 0 and result.total:
            facts.append(share_of_whole(shop, spec, where, result.total, whole))
    if (
        asked.of_all_days
        and spec.quantity in ADDED
        and (always := shop.measure(replace(spec, start=None, end=None)).total) > 0
    ):
        facts.append(part_of_all_days(shop, spec, result.total, always))
    if asked.amount and asked.amount.unit != "share":
        facts.append(thresholds.compared(shop, spec, asked.amount, where, result.total))
    lead = measure_events.lead(shop, spec, "", "")
    return ToolResult((*facts, *_each(shop, spec)), lead=lead, full=result)


def _each(shop: Shop, spec: Measure) -> Iterator[Fact]:
    """The figure of each of a few that are named together ("milk and bread"), and how many customers bought both:
    beside the figure of all, as either may be meant."""
    several = [(d, keys) for d, keys in spec.where.items() if len(keys) > 1 and d is not Dimension.QUERY]
    if len(several) != 1 or len(several[0][1]) > _EACH:
        return
    dimension, keys = several[0]
    values = []
    for key in keys:
        alone = replace(spec, where={**spec.where, dimension: (key,)})
        value = shop.measure(alone).total
        values.append(value)
        if value or spec.quantity not in _MEANS:
            where = scope(shop, alone)
            yield _fact(where, spec.quantity, value, statement(shop, spec.quantity, where, value))
    of_all = spec.quantity is Quantity.CUSTOMERS and Dimension.CUSTOMER not in spec.where
    if of_all and dimension in _PRODUCT_SIDE and len(keys) == 2:
        both_of = sum(values) - shop.measure(spec).total
        yield _fact(scope(shop, spec), spec.quantity, both_of, bought_both(shop, spec, both_of))


def _within(shop: Shop, asked: _Asked) -> ToolResult:
    """The groups whose figure lies within the threshold: how many, together, and the first of them."""
    assert asked.amount is not None
    result = shop.measure(thresholds.bounded(shop, asked.spec, asked.amount))
    spec = result.spec
    if not result.of:
        raise CannotDo(_nothing())
    where, group = scope(shop, spec), _group_words(shop, spec)
    ranked = sorted(result.rows, key=lambda r: r.value, reverse=not spec.ascending)
    stated = ranked[: asked.top or (len(ranked) if len(ranked) <= 4 else 5)]
    facts = thresholds.facts(shop, result, asked.amount, where, group.zh)
    facts += [_row(shop, spec, where, row, rank, 1, group, False) for rank, row in enumerate(stated, 1)]
    wanted = len(stated) < len(ranked) <= _FEW and spec.by is not Dimension.QUERY
    return ToolResult(
        tuple(facts),
        lead=_lead(shop, spec, group),
        table=_table(shop, spec, ranked, group) if wanted else None,
        found=_found(spec, [row.key for row in ranked]),
        full=result,
    )


def _nothing() -> Mapping[str, str]:
    return both(en="The data holds nothing that fits this question.", zh="数据中没有符合该问题的记录。")


def _grouped(shop: Shop, asked: _Asked) -> ToolResult:
    spec, result = asked.spec, shop.measure(asked.spec)
    if (
        not result.rows and spec.quantity is Quantity.MEAN_RATING
    ):  # too few ratings: they are told as they are
        spec = replace(spec, least_customers=1)
        result = shop.measure(spec)
    if not result.rows:
        raise measure_events.nothing(spec) or CannotDo(_nothing())
    where, noun = scope(shop, spec), noun_of(shop, spec.quantity)
    group = _group_words(shop, spec)
    total = statement(shop, spec.quantity, where, result.total)
    facts = [_fact(where, spec.quantity, result.total, total)]
    if asked.weekend and spec.by is Dimension.WEEKDAY:
        facts += weekends(shop, result, where)
    ranked = sorted(result.rows, key=lambda r: r.value, reverse=not spec.ascending)
    places = {row.key: rank for rank, row in enumerate(ranked, 1)}
    stated = [row for row in ranked if row.key in asked.focus] or ranked[: _stated(asked, len(ranked))]
    for row in stated:
        facts.append(_row(shop, spec, where, row, places[row.key], len(ranked), group, bool(asked.focus)))
    for key in asked.focus:
        if key not in places:
            facts.append(_fact(where, spec.quantity, 0, _absent(shop, spec, key, noun)))
    rows_shown = result.rows if spec.by in (Dimension.MONTH, Dimension.WEEKDAY) else ranked
    wanted = len(stated) < len(ranked) <= _FEW and not asked.focus and spec.by is not Dimension.QUERY
    return ToolResult(
        tuple(facts),
        lead=counted_by_trips(spec) or _lead(shop, spec, group),
        table=_table(shop, spec, rows_shown, group) if wanted else None,
        found=_found(spec, [row.key for row in stated]),
        full=result,
    )


def _lead(shop: Shop, spec: Measure, group: names.Called) -> Mapping[str, str] | None:
    return measure_events.lead(shop, spec, MANY[spec.by or Dimension.ATTRIBUTE], group.zh)


def _found(spec: Measure, keys: list[str]) -> dict[str, tuple[str, ...]]:
    plain = spec.by not in (None, Dimension.WEEKDAY, Dimension.ATTRIBUTE, Dimension.QUERY)
    return {spec.by.value: tuple(keys)} if plain and spec.by else {}


def _stated(asked: _Asked, groups: int) -> int:
    if asked.top:
        return asked.top
    if asked.spec.by is Dimension.MONTH:
        return 1
    return groups if groups <= 4 else 5


def _group_words(shop: Shop, spec: Measure) -> names.Called:
    if spec.by is Dimension.ATTRIBUTE:
        return names.attribute(shop, spec.attribute or "")
    assert spec.by is not None
    return GROUPS[spec.by]


def _row_name(shop: Shop, spec: Measure, key: str) -> names.Called:
    if spec.by is Dimension.MONTH:
        first = date.fromisoformat(f"{key}-01")
        return names.Called(words.month(first, "en"), words.month(first, "zh"))
    if spec.by is Dimension.CUSTOMER:
        return names.customer(key)
    if spec.by is Dimension.PRODUCT:
        return names.product(shop, key)
    if spec.by is Dimension.ATTRIBUTE:
        return names.attribute_value(shop, *key.split("=", 1))
    if spec.by is Dimension.WEEKDAY:
        return names.Called(key, WEEKDAYS[key])
    if spec.by is Dimension.CAMPAIGN:
        return names.campaign(shop, key)
    if spec.by is Dimension.QUERY:
        return names.Called(f"“{words.label(key, 60)}”", f"“{words.label(key, 60)}”")
    assert spec.by is not None
    return names.called(shop.name(spec.by.value, key))


def _row(
    shop: Shop,
    spec: Measure,
    where: Scope,
    row: MeasureRow,
    rank: int,
    of: int,
    group: names.Called,
    focus: bool,
) -> Fact:
    name, noun = _row_name(shop, spec, row.key), noun_of(shop, spec.quantity)
    value = shown(shop, spec.quantity, row.value)
    share_en = share_zh = ""
    if row.share is not None and row.share >= _LEAST_SHARE:
        of_what = share_of(spec, where)
        share_en, share_zh = (
            f", {words.percent(row.share)} of {of_what.en}",
            f"，占{of_what.zh}的{words.percent(row.share)}",
        )
    low_en, low_zh = ("lowest", "最低") if spec.ascending else ("highest", "最高")
    of_en, of_zh = (
        f"{words.number(of)} {MANY[spec.by or Dimension.ATTRIBUTE]}",
        f"{words.number(of)}个{group.zh}",
    )
    place_en = (
        ""
        if of == 1
        else f" (the {low_en} of {of_en})"
        if rank == 1
        else f" (number {rank} of {of_en})"
        if focus
        else ""
    )
    place_zh = (
        ""
        if of == 1
        else f"（{of_zh}中{low_zh}）"
        if rank == 1
        else f"（在{of_zh}中排第{rank}）"
        if focus
        else ""
    )
    text = both(
        en=f"{rank}. {name.en[:1].upper()}{name.en[1:]}: {value}{noun.unit_en(row.value)}{share_en}{place_en}.",
        zh=f"{rank}. {name.zh}：{value}{noun.unit_zh}{share_zh}{place_zh}。",
    )
    return Fact(name.en, spec.quantity.value, row.value, noun.unit(shop), text,
                period=where.when.en, population=where.who.en, names=name.all,
                quoted=spec.by is Dimension.QUERY)  # fmt: skip


def _absent(shop: Shop, spec: Measure, key: str, noun: Any) -> Mapping[str, str]:
    name = _row_name(shop, spec, key)
    return both(en=f"{name.en}: none in the data.", zh=f"{name.zh}：数据中没有。")


def _fact(where: Scope, quantity: Quantity, value: float, text: Mapping[str, str]) -> Fact:
    return Fact(where.who.en, quantity.value, value, quantity.value, text,
                period=where.when.en, population=where.who.en, names=where.names)  # fmt: skip


def _table(shop: Shop, spec: Measure, rows: Any, group: names.Called) -> Table:
    noun = noun_of(shop, spec.quantity)
    with_share = any(r.share is not None for r in rows)
    cells = {
        lang: tuple(
            (_row_name(shop, spec, r.key)[lang], shown(shop, spec.quantity, r.value),
             *((words.percent(r.share),) if with_share and r.share is not None else ("",) if with_share else ()))
            for r in rows
        )
        for lang in words.LANGUAGES
    }  # fmt: skip
    titles = {
        "en": (group.en.capitalize(), noun.title_en, *(("Share",) if with_share else ())),
        "zh": (group.zh, noun.title_zh, *(("占比",) if with_share else ())),
    }
    return Table(titles, cells)
