"""Compiles a `Measure` to SQL with bound parameters and runs it.

Distinct baskets, customers and products are sums of the marks that `customers.measure_tables` put
on the lines wherever that is exact, and COUNT(DISTINCT) elsewhere; both give the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from customers import measure_events
from customers.errors import BadInput
from customers.measure import CONTACTS, EVENTS, Measure, MeasureResult, MeasureRow
from customers.measure import Dimension as D
from customers.measure import Quantity as Q
from customers.measure_days import WEEKDAYS, month, month_number, weekday, weekday_number
from customers.measure_keys import Store, ids, known, known_attribute
from customers.measure_tables import locate, prepare, prepare_events

_PRODUCT = (D.DEPARTMENT, D.CATEGORY, D.TYPE, D.BRAND, D.PRODUCT)
_ONE_PER_CUSTOMER = {D.CUSTOMER, D.SEGMENT, D.ATTRIBUTE}
_ONE_PER_LINE = {*D} - {D.CAMPAIGN}
_THRESHOLDS = {"at_least": ">=", "more_than": ">", "at_most": "<=", "less_than": "<"}
_DIGITS = 6  # a sum of cents is compared and ranked without its floating-point dust

# The dimensions over whose groups a quantity adds up.
ADDS_UP: dict[Q, set[D]] = {
    Q.SPEND: _ONE_PER_LINE,
    Q.UNITS: _ONE_PER_LINE,
    Q.BASKETS: _ONE_PER_CUSTOMER | {D.MONTH, D.WEEKDAY},
    Q.CUSTOMERS: _ONE_PER_CUSTOMER,
    Q.PRODUCTS: set(_PRODUCT),
    Q.REDEMPTIONS: _ONE_PER_CUSTOMER | {D.MONTH, D.WEEKDAY, D.CAMPAIGN},
    Q.RECEIVED: _ONE_PER_CUSTOMER,
} | {quantity: _ONE_PER_LINE for quantity in EVENTS if quantity is not Q.MEAN_RATING}


@dataclass(slots=True)
class _Select:
    """A SELECT under construction: text made of our own words only, values beside it."""

    source: str
    group: str = "NULL"
    key: str = "''"
    joins: list[str] = field(default_factory=list)
    join_values: list[Any] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def keep(self, clause: str, values: Iterable[Any] = ()) -> None:
        self.where.append(clause)
        self.values.extend(values)


def run(con: duckdb.DuckDBPyConnection, spec: Measure) -> MeasureResult:
    """See `customers.measure.run`."""
    spec = _checked(spec)
    tables = locate(con)
    if "measure_lines" not in tables:
        prepare(con, temporary=True)
        tables = locate(con)
    if spec.quantity in EVENTS and "measure_events" not in tables:
        prepare_events(con, temporary=True)
        tables = locate(con)
    store = Store(con, tables)
    total = _total(store, spec)
    if spec.by is None:
        return MeasureResult(spec, (), total, 0)
    found, of = _groups(store, spec)
    shared = total and spec.by in ADDS_UP.get(spec.quantity, ())
    rows = [MeasureRow(key, value, value / total if shared else None) for key, value, _ in found]
    if spec.by is D.MONTH:
        rows.sort(key=lambda row: row.key)
    return MeasureResult(spec, tuple(rows), total, found[0][2] if found else 0, of)


def _checked(spec: Measure) -> Measure:
    """Return `spec` with attribute filters all in `attributes`, or raise BadInput."""
    if spec.by is D.ATTRIBUTE and not spec.attribute:
        raise BadInput("A measure by attribute needs the attribute's name, for example 'age'.")
    if spec.top is not None and spec.top < 1:
        raise BadInput(f"top must be 1 or more, not {spec.top}.")
    if spec.start and spec.end and spec.start > spec.end:
        raise BadInput(f"The period ends ({spec.end}) before it starts ({spec.start}); swap the two days.")
    if not {*spec.without} <= {*_PRODUCT} or (spec.without and spec.quantity in CONTACTS):
        raise BadInput("Only goods can be left out, and only of what was bought.")
    empty = [str(name) for name, keys in (*spec.where.items(), *spec.attributes.items()) if not keys]
    if empty:
        raise BadInput(f"The filter on {empty[0]} allows nothing; give at least one key or leave it out.")
    _check_thresholds(spec)
    measure_events.check(spec, _PRODUCT)
    attributes: dict[str, tuple[str, ...]] = dict(spec.attributes)
    for pair in spec.where.get(D.ATTRIBUTE, ()):
        name, _, value = pair.partition("=")
        attributes[name] = (*attributes.get(name, ()), value)
    where = {dimension: keys for dimension, keys in spec.where.items() if dimension is not D.ATTRIBUTE}
    return replace(spec, where=where, attributes=attributes)


def _check_thresholds(spec: Measure) -> None:
    bounds = _bounds(spec)
    if bounds and spec.by is None:
        raise BadInput(
            "A threshold keeps groups; say by what the figure is broken down, for example customer."
        )
    low = max((v for name, v in bounds.items() if name in ("at_least", "more_than")), default=None)
    high = min((v for name, v in bounds.items() if name in ("at_most", "less_than")), default=None)
    if low is not None and high is not None and low > high:
        raise BadInput(f"No figure is above {low:g} and below {high:g}; swap the two thresholds.")


def _bounds(spec: Measure) -> dict[str, float]:
    """The thresholds that are set, by name."""
    return {name: value for name in _THRESHOLDS if (value := getattr(spec, name)) is not None}


def _total(store: Store, spec: Measure) -> float:
    whole = replace(spec, by=None, top=None, least_customers=1, **dict.fromkeys(_THRESHOLDS))
    select = _select(store, whole)
    query = f"SELECT coalesce({_value(store, whole)}, 0) FROM {select.source} {_where(select)}"
    rows = store.rows(query, select.values)
    return float(rows[0][0])


def _groups(store: Store, spec: Measure) -> tuple[list[tuple[str, float, int]], int]:
    """Rows (key, value, number of groups), best first, ties by key, only the first `top`; and how many
    groups there were before the thresholds."""
    select = _select(store, spec)
    bounds = _bounds(spec)
    kept = " AND ".join(f"round(value, {_DIGITS}) {_THRESHOLDS[name]} ?" for name in bounds) or "true"
    having = _enough(spec)
    query = f"""
        WITH grouped AS (
            SELECT {select.group} AS g, coalesce({_value(store, spec)}, 0)::DOUBLE AS value
            FROM {select.source} {" ".join(select.joins)} {_where(select)} GROUP BY g HAVING g IS NOT NULL{having}
        ), counted AS (SELECT g, value, count(*) OVER () AS groups FROM grouped WHERE {kept}),
        keyed AS (SELECT {select.key} AS key, value, groups FROM counted)
        SELECT key, value, groups, (SELECT count(*) FROM grouped) FROM keyed
        ORDER BY round(value, {_DIGITS}) {"ASC" if spec.ascending else "DESC"}, key LIMIT ?"""
    values = [*select.join_values, *select.values]
    top = spec.top if spec.top is not None else 2**31
    rows = store.rows(query, [*values, *bounds.values(), top])
    of = int(rows[0][3]) if rows else _ungated(store, select, having) if bounds else 0
    return [(str(k), float(v), int(n)) for k, v, n, _ in rows], of


def _enough(spec: Measure) -> str:
    """The condition that enough customers stand behind a group."""
    return (
        f" AND count(DISTINCT l.customer) >= {int(spec.least_customers)}" if spec.least_customers > 1 else ""
    )


def _ungated(store: Store, select: _Select, having: str) -> int:
    """How many groups there are, for a threshold that none of them passes."""
    groups = (
        f"SELECT {select.group} AS g FROM {select.source} {' '.join(select.joins)} {_where(select)}"
        f" GROUP BY g HAVING g IS NOT NULL{having}"
    )
    query = f"SELECT count(*) FROM ({groups})"
    return int(store.rows(query, [*select.join_values, *select.values])[0][0])


def _where(select: _Select) -> str:
    return "WHERE " + " AND ".join(select.where) if select.where else ""


# what is counted --------------------------------------------------------------------------------


def _value(store: Store, spec: Measure) -> str:
    """The aggregate of `spec.quantity` over the lines l (or touches l)."""
    match spec.quantity:
        case Q.SPEND:
            return "sum(l.amount)"
        case Q.UNITS:
            return "sum(l.units)"
        case Q.MEAN_PRICE:
            return "sum(l.amount) / nullif(sum(l.units), 0)"
        case Q.MEAN_BASKET:
            return f"sum(l.amount) / nullif({_distinct(store, spec, Q.BASKETS)}, 0)"
        case Q.MEAN_SPEND:
            return f"sum(l.amount) / nullif({_distinct(store, spec, Q.CUSTOMERS)}, 0)"
        case Q.REDEMPTIONS:
            return "count(*)"
        case Q.RECEIVED:
            return "count(DISTINCT l.customer)"
        case Q.MEAN_RATING:
            return "avg(l.rating)"
        case quantity if quantity in EVENTS:
            return "count(*)"
        case quantity:
            return _distinct(store, spec, quantity)


def _distinct(store: Store, spec: Measure, what: Q) -> str:
    """Count distinct baskets, customers or products, by marks where those are exact.

    A mark says "first line of its basket (customer) with this category". It counts right when the
    lines that pass the filters are whole (basket, category) groups: the only product dimension in
    play is the category, one category a group, and everything else is decided by the basket (the
    customer, so no dates or trips).
    """
    in_time = bool(spec.start or spec.end or {D.MONTH, D.WEEKDAY} & {spec.by, *spec.where})
    by_customer = bool({*spec.where, spec.by} - {*_PRODUCT, D.MONTH, D.WEEKDAY, None} or spec.attributes)
    level = _single_level(spec)
    if what is Q.PRODUCTS:
        if not in_time and not by_customer:
            return "count(*) FILTER (WHERE l.shop_product AND l.product IS NOT NULL)"
        if not in_time and spec.by is D.CUSTOMER:
            return "count(*) FILTER (WHERE l.customer_product AND l.product IS NOT NULL)"
        return "count(DISTINCT l.product)"
    if what is Q.CUSTOMERS:
        exact = level is not None and not in_time
        return f"count(*) FILTER (WHERE l.customer_{level})" if exact else "count(DISTINCT l.customer)"
    if level is not None and (not in_time or _trips_within_a_day(store)):
        return f"count(*) FILTER (WHERE l.basket_{level})"
    return "count(DISTINCT l.basket)"


def _single_level(spec: Measure) -> str | None:
    """The one product level in play with one key a group; "all" for none; None for several."""
    if spec.without:
        return None
    levels = {dimension for dimension in _PRODUCT if dimension in (spec.by, *spec.where)}
    if not levels:
        return "all"
    (level, *others) = levels
    if others or (spec.by is not level and len(set(spec.where[level])) != 1):
        return None
    return str(level)


def _trips_within_a_day(store: Store) -> bool:
    return bool(store.rows(f"SELECT trips_within_a_day FROM {store['measure_meta']}")[0][0])


# filters and groups -----------------------------------------------------------------------------


def _select(store: Store, spec: Measure) -> _Select:
    touches, events = spec.quantity in CONTACTS, spec.quantity in EVENTS
    source = store["measure_touches" if touches else "measure_events" if events else "measure_lines"]
    select = _Select(f"{source} l")
    if events:
        select.keep(measure_events.condition(store, spec.quantity))
    if touches:
        select.keep("l.kind = ?", ["redemption" if spec.quantity is Q.REDEMPTIONS else "exposure"])
    if spec.start:
        select.keep("l.day >= ?", [spec.start])
    if spec.end:
        select.keep("l.day <= ?", [spec.end])
    for dimension, keys in spec.where.items():
        if not (touches and dimension in _PRODUCT):
            _filter(store, select, touches, dimension, tuple(dict.fromkeys(keys)))
    for dimension, keys in spec.without.items():
        marks, gone = ", ".join("?" for _ in keys), ids(store, str(dimension), keys)
        select.keep(f"(l.{dimension} IS NULL OR l.{dimension} NOT IN ({marks}))", gone)
    for name, values in spec.attributes.items():
        _filter_attribute(store, select, name, tuple(dict.fromkeys(values)))
    if touches and spec.by not in _PRODUCT and any(dimension in _PRODUCT for dimension in spec.where):
        offers, values = _offers(store, spec)
        select.keep(f"EXISTS (FROM ({offers}) o WHERE {_offer_of(spec)})", values)
    if spec.by is not None:
        _group(store, select, touches, spec)
    return select


def _filter(
    store: Store,
    select: _Select,
    touches: bool,
    dimension: D,
    keys: tuple[str, ...],
) -> None:
    marks = ", ".join("?" for _ in keys)
    if dimension is D.MONTH:
        select.keep(f"{month(touches)} IN ({marks})", [month_number(key) for key in keys])
    elif dimension is D.WEEKDAY:
        select.keep(f"{weekday(touches)} IN ({marks})", [weekday_number(key) for key in keys])
    elif dimension is D.SEGMENT:
        known(
            store,
            f"SELECT DISTINCT segment_id FROM {store['customer_segments']}",
            "segment_id",
            keys,
            "segment",
        )
        members = _members(store, "customer_segments", "segment_id")
        select.keep(f"l.customer IN (SELECT customer FROM ({members}) WHERE g IN ({marks}))", keys)
    elif dimension is D.CAMPAIGN:
        known(store, f"SELECT campaign_id FROM {store['campaigns']}", "campaign_id", keys, "campaign")
        sent = f"SELECT customer FROM {store['measure_touches']} WHERE kind = 'exposure'"
        clause = "l.campaign_id IN" if touches else f"l.customer IN ({sent} AND campaign_id IN"
        select.keep(f"{clause} ({marks}){'' if touches else ')'}", keys)
    elif dimension is D.QUERY:
        held = " OR ".join("regexp_matches(l.query, ?)" for _ in keys)
        select.keep(f"({held})", [measure_events.holding(key) for key in keys])
    else:
        select.keep(f"l.{dimension} IN ({marks})", ids(store, str(dimension), keys))


def _filter_attribute(store: Store, select: _Select, name: str, values: tuple[str, ...]) -> None:
    known_attribute(store, name)
    marks = ", ".join("?" for _ in values)
    values_of = f'SELECT DISTINCT "value" FROM {store["attributes"]} WHERE attribute = ?'
    known(store, values_of, '"value"', values, "attribute", before=(name,), named=f"{name}=")
    members = _members(store, "attributes", '"value"', "t.attribute = ?")
    select.keep(f"l.customer IN (SELECT customer FROM ({members}) WHERE g IN ({marks}))", (name, *values))


def _group(store: Store, select: _Select, touches: bool, spec: Measure) -> None:
    """Set the group expression, the joins it needs, and how a group's key is written."""
    by = spec.by
    if by is D.MONTH:
        select.group = month(touches)
        select.key = "printf('%04d-%02d', (g // 12)::INTEGER, (g % 12 + 1)::INTEGER)"
    elif by is D.WEEKDAY:
        select.group = weekday(touches)
        names = " ".join(f"WHEN {n} THEN '{day}'" for n, day in enumerate(WEEKDAYS, 1))
        select.key = f"CASE g {names} END"
    elif by is D.SEGMENT:
        _join_members(select, _members(store, "customer_segments", "segment_id"))
    elif by is D.ATTRIBUTE:
        assert spec.attribute is not None
        known_attribute(store, spec.attribute)
        select.join_values = [f"{spec.attribute}=", spec.attribute]
        _join_members(select, _members(store, "attributes", '? || t."value"', "t.attribute = ?"))
    elif by is D.QUERY:
        select.group, select.key = "l.query", "g"
    elif by is D.CAMPAIGN and touches:
        select.group, select.key = "l.campaign_id", "g"
    elif by is D.CAMPAIGN:
        sent = f"FROM {store['measure_touches']} WHERE kind = 'exposure'"
        _join_members(select, f"SELECT DISTINCT customer, campaign_id AS g {sent}")
    elif touches and by is not None and by in _PRODUCT:
        offers, select.join_values = _offers(store, spec)
        select.joins = [f"JOIN ({offers}) o ON {_offer_of(spec)}"]
        select.group, select.key = "o.key", "g"
    else:
        select.group = f"l.{by}"
        select.key = f"(SELECT k.key FROM {store['measure_keys']} k WHERE k.level = '{by}' AND k.id = g)"


def _join_members(select: _Select, members: str) -> None:
    select.joins = [f"JOIN ({members}) m ON m.customer = l.customer"]
    select.group, select.key = "m.g", "g"


def _members(store: Store, table: str, group: str, condition: str = "true") -> str:
    """Query of (customer number, group g) from a table t with customer_id."""
    return (
        f"SELECT k.id AS customer, {group} AS g FROM {store[table]} t JOIN {store['measure_keys']} k"
        f" ON k.level = 'customer' AND k.key = t.customer_id WHERE {condition}"
    )


def _offers(store: Store, spec: Measure) -> tuple[str, list[Any]]:
    """Query of the distinct (campaign, coupon, key) for which coupons are valid, and its values.

    All product filters hold for the offer itself, so that "coupons for coffee by product" gives
    coffees only. Coupons count one by one for redemptions; being sent a campaign is enough else.
    """
    by = spec.by if spec.by in _PRODUCT else None
    key = "NULL" if by is None else "p.product_id" if by is D.PRODUCT else f"p.{by}"
    coupon = "cp.coupon_id" if spec.quantity is Q.REDEMPTIONS else "NULL AS coupon_id"
    clauses, values = ["true"], []
    for dimension, keys in spec.where.items():
        if dimension in _PRODUCT:
            ids(store, str(dimension), keys)
            column = "p.product_id" if dimension is D.PRODUCT else f"p.{dimension}"
            clauses.append(f"{column} IN ({', '.join('?' for _ in keys)})")
            values += keys
    return (
        f"SELECT DISTINCT cp.campaign_id, {coupon}, {key} AS key FROM {store['campaign_products']} cp"
        f" JOIN {store['products']} p USING (product_id) WHERE {' AND '.join(clauses)}"
    ), values


def _offer_of(spec: Measure) -> str:
    coupon = " AND o.coupon_id = l.coupon_id" if spec.quantity is Q.REDEMPTIONS else ""
    return f"o.campaign_id = l.campaign_id{coupon}"
