"""What a row's neighbours say about it: measures that the rules for event files look at.

Each measure is robust (medians and median absolute deviations times 1.4826, as for a normal
distribution; Rousseeuw & Croux 1993), so that the rows it is to find cannot move it. The rows stream
past: what is held is one row a product, and the few crowded seconds and torn visits that a first,
cheap count points at. Where there are none, which is the rule, no row is looked at twice.
"""

from __future__ import annotations

import math

import ibis
import numpy as np
import pyarrow as pa

from customers.ingest.cleaning import ABSURD
from customers.ingest.looking import BINS, SALES, VISIT, Look, bin_of, crowdable
from customers.stores.events import Column, EventStore, Table

_LOOK = VISIT[:3]


@ibis.udf.agg.builtin(name="mad")
def _mad(value: float) -> float:
    """The median of the distances to the median."""
    ...


# A price is compared with its product's where this many lines tell it; its deviation is never taken
# below a half, so that an amount is absurd at 25 times the usual price at the least. Where fewer
# lines tell it, what the store or the row itself says is the price may be off by much more.
_PRICE_LINES, _PRICE_SPREAD, _KNOWN_SPREAD = 5, math.log(1.5), math.log(2)
# As many customers at one second, and as many times more than usual, are a batch stamped at once.
_INSTANT_CUSTOMERS, _INSTANT_TIMES = 20, 25.0
# A visit tells its own time from this many events on; nobody's visit leaves its middle by six hours.
_VISIT_EVENTS, _VISIT_SECONDS = 4, 6 * 3600.0
_SCALE_SHARE = 0.8
# Usual prices and crowds are taken from about this many rows.
_SAMPLE = 4_000_000
_BINS = pa.schema({"bin": pa.int64()})


def mark(store: EventStore, rows: Table, plain: Table, seen: Look) -> Table:
    """Add the measures to events (fields as values).

    `amount_score`: robust standard deviations of log unit price above the product's median (or the
    price that the store has, or the row's own `unit_price`); `one_instant`: stamped at the very second of many other customers;
    `clock_off`: hours away from the rest of its session; `rating_scale`: 5, 10 or 100, the smallest
    that holds nearly all ratings. Null, or false, where nothing can be said. `plain` are the same
    rows with fewer columns, cheaper to compute, and `seen` what a look at them found.
    """
    rows = _amount_score(store, rows, _prices(store, plain, seen.sales))
    rows = _one_instant(rows, _crowded(store, plain, seen))
    rows = _clock_off(rows, _torn(store, plain) if seen.visits else None)
    return rows.mutate(rating_scale=ibis.literal(_scale(seen), "float64"))


def _scale(seen: Look) -> float | None:
    needed = _SCALE_SHARE * seen.rated
    fits = (scale for scale, rated in seen.upto.items() if rated >= needed)
    return next(fits, None) if seen.rated else None


def _amount_score(store: EventStore, rows: Table, usual: Table) -> Table:
    known = store.table("products").filter(ibis._.price > 0).anti_join(usual, [("product_id", "priced_id")])
    known = known.select(
        priced_id="product_id", price_centre=known.price.log(), price_spread=ibis.literal(_KNOWN_SPREAD)
    )
    usual = store.hold(ibis.union(usual, known))
    # Only sales have a price to compare: nothing else looks for its product.
    rows = rows.mutate(sold_id=ibis.ifelse(rows.kind.isin(SALES), rows.product_id, ibis.null("string")))
    joined = rows.left_join(usual, [rows.sold_id == usual.priced_id])
    given: Column = ibis.ifelse(joined.unit_price > 0, joined.unit_price, ibis.null("float64"))
    centre = ibis.coalesce(joined.price_centre, given.log())
    deviation = ibis.coalesce(joined.price_spread, _KNOWN_SPREAD)
    positive = joined.kind.isin(SALES) & (joined.quantity > 0) & (joined.amount > 0)
    price: Column = ibis.ifelse(positive, joined.amount / joined.quantity, ibis.null("float64"))
    scored = joined.mutate(amount_score=(price.log() - centre) / deviation)
    return scored.drop("sold_id", "priced_id", "price_centre", "price_spread")


def _prices(store: EventStore, rows: Table, sales: int) -> Table:
    """Hold one row a product with enough lines: median and robust deviation of its log unit price."""
    sold = rows.filter(
        rows.kind.isin(SALES) & (rows.quantity > 0) & (rows.amount > 0) & rows.product_id.notnull()
    )
    ground = sold.select(priced_id="product_id", log_price=(sold.amount / sold.quantity).log())
    ground = store.hold(ground.sample(_SAMPLE / sales, seed=1) if sales > _SAMPLE else ground)
    told = ground.group_by("priced_id").agg(
        price_centre=ground.log_price.median(), off=_mad(ground.log_price), lines=ground.count()
    )
    told = told.filter(told.lines >= _PRICE_LINES)
    spread = ibis.greatest(told.off * 1.4826, _PRICE_SPREAD)
    usual = told.select("priced_id", "price_centre", price_spread=spread)
    held = store.hold(usual)
    store.release(ground)
    return held


def _one_instant(rows: Table, crowded: Table | None) -> Table:
    """Mark events at a second that an unheard-of number of customers share."""
    if crowded is None:
        return rows.mutate(one_instant=ibis.literal(False))
    joined = rows.left_join(crowded, [rows.ts == crowded.instant])
    found = joined.crowd.notnull() & crowdable(joined)
    return joined.mutate(one_instant=found.fill_null(False)).drop("instant", "crowd")


def _crowded(store: EventStore, rows: Table, seen: Look) -> Table | None:
    """The crowded seconds with their customers, or None. Bins that hold no more than their share are
    passed over, so that the exact count is of few rows."""
    share = seen.dated / BINS
    full = np.flatnonzero(seen.bins >= _INSTANT_CUSTOMERS + share + 10 * math.sqrt(share))
    if not len(full):
        return None
    dated = rows.filter(crowdable(rows))
    seconds = dated.select(instant="ts", who="customer_id", bin=bin_of(dated.ts))
    held = store.hold_batches(_BINS, [pa.record_batch([full], schema=_BINS)])
    close = seconds.semi_join(held, "bin")
    crowds = close.group_by("instant").agg(crowd=close.who.nunique())
    crowds = store.hold(crowds.filter(crowds.crowd >= _INSTANT_CUSTOMERS))
    least = _INSTANT_TIMES * _usual_crowd(seconds, seen.dated)
    found = crowds.filter(crowds.crowd > least)
    return found if int(found.count().to_pyarrow().as_py()) else None


def _usual_crowd(seconds: Table, dated: int) -> float:
    """The median number of customers of a second that has any, from a sample of the seconds."""
    drawn = seconds.filter(seconds.bin % max(1, dated // _SAMPLE) == 0)
    each = drawn.group_by("instant").agg(crowd=drawn.who.nunique())
    return float(each.crowd.median().to_pyarrow().as_py() or 1.0)


def _clock_off(rows: Table, torn: Table | None) -> Table:
    """Mark events of a visit whose clock stands hours or years away from the visit's other events."""
    if torn is None:
        return rows.mutate(clock_off=ibis.literal(False))
    joined = rows.left_join(torn, [rows.customer_id == torn.visitor, rows.basket_id == torn.visit])
    away = (joined.ts.epoch_seconds() - joined.visit_middle).abs()
    off = joined.kind.isin(VISIT) & (away > joined.visit_fence)
    return joined.mutate(clock_off=off.fill_null(False)).drop(*torn.columns)


def _torn(store: EventStore, rows: Table) -> Table | None:
    """The visits that span hours, each with its middle and how far from it an event may be; or None."""
    seen = rows.filter(rows.basket_id.notnull() & rows.kind.isin(VISIT) & rows.ts.notnull()).select(
        visitor="customer_id", visit="basket_id", at=rows.ts.epoch_seconds(), look=rows.kind.isin(_LOOK)
    )
    keys = ["visitor", "visit"]
    wide = seen.group_by(keys).agg(
        events=seen.count(), looks=seen.look.cast("int64").sum(), span=seen.at.max() - seen.at.min()
    )
    told = (wide.events >= _VISIT_EVENTS) & (2 * wide.looks >= wide.events)
    wide = store.hold(wide.filter(told & (wide.span > _VISIT_SECONDS)))
    if not int(wide.count().to_pyarrow().as_py()):
        return None
    few = store.hold(seen.semi_join(wide, keys))
    middle = few.group_by(keys).agg(middle=few.at.median())
    around = few.join(middle, keys)
    deviation = (around.at - around.middle).abs().median() * 1.4826
    fence = around.group_by(keys).agg(
        visit_middle=around.middle.max(), visit_fence=ibis.greatest(deviation * ABSURD, _VISIT_SECONDS)
    )
    return store.hold(fence)
