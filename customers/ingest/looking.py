"""One look at every row of a source, and what later steps need to count is known from it.

The rows stream past as a few numbers each: a fingerprint, a hash of the time, and what sort of event
the row is. What is kept of them has a bounded size, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pyarrow as pa

from customers.ingest.ordering import Ordering
from customers.schema import EventKind
from customers.stores.events import Column, EventStore, Table

SALES = (EventKind.PURCHASE.value, EventKind.RETURN.value)
# Kinds that a customer does in one sitting, so that their times belong together.
VISIT = (EventKind.BROWSE.value, EventKind.CLICK.value, EventKind.SEARCH.value, EventKind.CART.value)
SEEN_KINDS = str(VISIT)
# Kinds that are sent to many customers at once by their nature.
_SENT = (EventKind.EXPOSURE.value,)
SCALES = (5.0, 10.0, 100.0)
# Times are counted in this many bins.
BINS = 1 << 22
# Sorts of event, as bits of a number; above them how far the rating reaches.
_SALE, _DATED, _SEEN, _RATED = 1, 2, 4, 8
_PRINTS = pa.schema({"print": pa.uint64()})


@ibis.udf.scalar.builtin(name="hash")
def hashed(value) -> dt.UInt64:
    """DuckDB's own 64-bit hash; only ever compared within one run."""
    ...


@ibis.udf.scalar.builtin(name="hash")
def hashed_moment(customer_id, ts) -> dt.UInt64:
    """As `hashed`, of who and when."""
    ...


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Numbers of rows: `sales`; `dated` (see `crowdable`); `visits`, looks with a basket's id; `rated`,
    and of these those from 0 `upto` each of `SCALES`. `again` (print) holds the fingerprints that
    come more than once; `bins` how many dated rows fall in each bin (see `bin_of`).
    """

    sales: int
    dated: int
    visits: int
    rated: int
    upto: dict[float, int]
    again: Table
    bins: np.ndarray


def look(store: EventStore, rows: Table, count: int) -> Look:
    """Look at `count` events (fields as values), each with its fingerprint `print`."""
    sorts, bins = np.zeros(256, np.int64), np.zeros(BINS, np.int32)
    with Ordering(count, store.path.parent) as prints:
        for batch in store.batches(rows.select("print", moment=hashed(rows.ts), sort=_sort(rows))):
            seen, moments, sort = map(numbers, batch.columns)
            prints.add(seen)
            sorts += np.bincount(sort, minlength=len(sorts))
            dated = moments[(sort & _DATED) != 0]
            np.add.at(bins, (dated & np.uint64(BINS - 1)).astype(np.int64), bins.dtype.type(1))
        again = store.hold_batches(_PRINTS, _twice(prints))
    byte = np.arange(len(sorts))
    sales, dated, visits = (int(sorts[byte & bit != 0].sum()) for bit in (_SALE, _DATED, _SEEN))
    reach = np.bincount(byte // _RATED, sorts, len(SCALES) + 2).astype(int).tolist()
    upto = {scale: sum(reach[1 : place + 2]) for place, scale in enumerate(SCALES)}
    return Look(sales, dated, visits, sum(reach[1:]), upto, again, bins)


def numbers(column: pa.Array) -> np.ndarray:
    """The numbers of a column as they lie in memory, whatever stands where there is none."""
    if not len(column):
        return np.empty(0, column.type.to_pandas_dtype())
    kind = column.type.to_pandas_dtype()
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind().itemsize)


def _sort(rows: Table) -> Column:
    """One byte: whether the row is a sale, is dated, is a look; and how far its rating reaches."""
    told = {
        _SALE: rows.kind.isin(SALES),
        _DATED: crowdable(rows),
        _SEEN: rows.kind.isin(VISIT) & rows.basket_id.notnull(),
    }
    bits: list[Any] = [ibis.ifelse(holds, _byte(bit), _byte(0)) for bit, holds in told.items()]
    reach = [(rows.rating.between(0, scale), _byte(_RATED * n)) for n, scale in enumerate(SCALES, 1)]
    beyond = _byte(_RATED * (len(SCALES) + 1))
    rated = ibis.cases((rows.rating.isnull(), _byte(0)), *reach, else_=beyond)
    return (bits[0] | bits[1] | bits[2] | rated).cast("uint8")


def _byte(number: int) -> Any:
    return ibis.literal(number, "uint8")


def _twice(prints: Ordering) -> Iterator[pa.RecordBatch]:
    for part in prints.parts():
        same = part[1:][part[1:] == part[:-1]]
        yield pa.record_batch([np.unique(same)], schema=_PRINTS)


def crowdable(rows: Table) -> Column:
    """Whether a row's second says something: midnight is a bare date, and exposures are sent in bulk."""
    bare = (rows.ts.hour() == 0) & (rows.ts.minute() == 0) & (rows.ts.second() == 0)
    return rows.ts.notnull() & ~bare & ~rows.kind.isin(_SENT).fill_null(False)


def bin_of(moment: Column) -> Column:
    """The bin that a time falls in."""
    number: Column = hashed(moment)
    return (number % BINS).cast("int64")
