"""How much a customer looks around in an hour and in a day, counted over the whole store.

The events stream past as one number each, the customer's hash above the hour, so that putting these
numbers in order puts every customer's hours and days side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa

from customers.ingest.looking import SEEN_KINDS, numbers
from customers.ingest.ordering import Ordering
from customers.schema import EventKind
from customers.stores.events import EventStore, Table

# A day in which this many hours have events is round the clock.
HOURS_AWAKE = 20
# The lowest bits of a number are the hour, up to 119 years; the others the customer's hash.
_HOUR_BITS = 20
_HOURS = np.uint64((1 << _HOUR_BITS) - 1)
_WHO = np.uint64(_HOUR_BITS)
_COUNTED = pa.schema(
    {"who": pa.uint64(), "events": pa.int64(), "days": pa.int64(), "hours": pa.int64(),
     "sleepless": pa.float64(), "busiest_hour": pa.int64()}
)  # fmt: skip


def counted(store: EventStore) -> Table | None:
    """Return one row a customer with `events` of a visit, `days` and `hours` that have any, the share
    `sleepless` of days with `HOURS_AWAKE` hours, and the events of the `busiest_hour`; held.

    None where that cannot be told so: a time is missing, the times span more than a century, or two
    customers share the bits of the hash (one pair in 10^13).
    """
    ask = store.backend.con.execute
    bounds = f"SELECT count(*), count(*) - count(ts), min(ts), max(ts) FROM events WHERE kind IN {SEEN_KINDS}"
    ((count, missing, first, last),) = ask(bounds).fetchall()
    if not count or missing or (last - first) // timedelta(hours=1) + 24 >= 1 << _HOUR_BITS:
        return None
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        f"SELECT hash(customer_id) AS who, (epoch_us(ts) - epoch_us(TIMESTAMP '{midnight}')) // 3600000000 AS hour_n "
        f"FROM events WHERE kind IN {SEEN_KINDS}"
    )
    with Ordering(count, store.path.parent) as ordering:
        for batch in store.stream(rows):
            who, hour = map(numbers, batch.columns)
            ordering.add(who & ~_HOURS | hour.astype(np.uint64))
        found = store.hold_batches(_COUNTED, _by_customer(ordering))
    name = f'temp.main."{found.op().name}"'
    named = store.hold_query(
        f"SELECT n.customer_id, n.bought, c.* EXCLUDE (who) FROM {name} c JOIN (SELECT customer_id, "
        f"hash(customer_id) >> {_HOUR_BITS} AS who, bool_or(kind = '{EventKind.PURCHASE}') AS bought "
        "FROM events GROUP BY customer_id) n USING (who)"
    )
    ((hashes,),) = ask(f"SELECT count(*) FROM {name}").fetchall()
    customers = int(named.count().to_pyarrow().as_py())
    store.release(found)
    return named if customers == hashes else None


def _by_customer(ordering: Ordering) -> Iterator[pa.RecordBatch]:
    for part in ordering.parts():
        at = _starts(part)
        hours, hour_events = part[at], np.diff(at, append=len(part))
        days = hours & ~_HOURS | (hours & _HOURS) // np.uint64(24)
        at = _starts(days)
        if not len(at):
            continue
        day_events, day_hours = np.add.reduceat(hour_events, at), np.diff(at, append=len(days))
        busiest, who = np.maximum.reduceat(hour_events, at), days[at] >> _WHO
        at = _starts(who)
        count = np.diff(at, append=len(who))
        sleepless = np.add.reduceat((day_hours >= HOURS_AWAKE).astype(np.int64), at) / count
        sums = [np.add.reduceat(day_events, at), count, np.add.reduceat(day_hours, at)]
        yield pa.record_batch([who[at], *sums, sleepless, np.maximum.reduceat(busiest, at)], schema=_COUNTED)


def _starts(ordered: np.ndarray) -> np.ndarray:
    """Where in ordered numbers each number stands first."""
    return np.flatnonzero(np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]]))
