"""Step 3, act: run the planned calls; independent ones side by side, one that takes what another finds
after it, once for each key that it takes."""

from __future__ import annotations

import time
from calendar import monthrange
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from agent.binding import leaves
from agent.subject import MAX_EACH, Call, Found
from customers.shop import Shop
from tools import TOOLS
from tools.base import CannotDo, Trace, TryAgain


def run_all(shop: Shop, calls: list[Call]) -> list[Trace]:
    """Return the traces of the calls in their order; a call over found keys gives one trace a key.
    A call that depends on one that found nothing is left out: that one's trace tells why."""
    traces: dict[int, list[Trace]] = {}
    while len(traces) < len(calls):
        ready = [
            i for i, call in enumerate(calls) if i not in traces and all(n in traces for n in _needs(call))
        ]
        resolved = {i: _resolved(calls[i], traces) for i in ready}
        flat = [(i, call) for i in ready for call in resolved[i]]
        for i in ready:
            traces[i] = []
        for (i, _), trace in zip(flat, _side_by_side(shop, [c for _, c in flat]), strict=True):
            traces[i].append(trace)
    return [trace for i in range(len(calls)) for trace in traces[i]]


def _side_by_side(shop: Shop, calls: list[Call]) -> list[Trace]:
    if len(calls) < 2:
        return [run(shop, call) for call in calls]
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: run(shop, call), calls))


def _needs(call: Call) -> set[int]:
    """The numbers of the calls that this one takes something from; each comes before it."""
    return {value.call for value in leaves(call.args) if isinstance(value, Found)}


def _resolved(call: Call, traces: Mapping[int, list[Trace]]) -> list[Call]:
    """Return the call with found keys in place of where they come from; one call for each key."""
    calls = [call]
    for name, value in call.args.items():
        if isinstance(value, Found):
            keys = _keys(value, traces)
            calls = [Call(c.tool, c.args | _found(name, value.kind, key)) for c in calls for key in keys]
    return [filled for c in calls[:MAX_EACH] if (filled := _filtered(c, traces)) is not None]


def _found(name: str, kind: str, key: str) -> dict[str, str]:
    """Return the arguments that a found key gives; a month ("2017-12") is a period."""
    if kind != "month":
        return {name: key}
    year, month = map(int, key.split("-")[:2])
    last = monthrange(year, month)[1]
    return {"start": f"{year}-{month:02d}-01", "end": f"{year}-{month:02d}-{last}"}


def _filtered(call: Call, traces: Mapping[int, list[Trace]]) -> Call | None:
    """Return the call with found keys in its filters, all of them together."""
    inner = call.args.get("filters")
    if not isinstance(inner, Mapping):
        return call
    kept = {k: _keys(v, traces) if isinstance(v, Found) else v for k, v in inner.items()}
    if any(isinstance(inner[k], Found) and not kept[k] for k in inner):
        return None
    return Call(call.tool, call.args | {"filters": kept})


def _keys(value: Found, traces: Mapping[int, list[Trace]]) -> list[str]:
    found = [t.result.found.get(value.kind, ()) for t in traces[value.call] if t.result is not None]
    return list(dict.fromkeys(key for keys in found for key in keys))[: value.n]


def run(shop: Shop, call: Call) -> Trace:
    """Run one call; what the tool says it cannot do is the trace's, anything else is our bug."""
    trace, begun = Trace(call.tool, dict(call.args)), time.perf_counter()
    try:
        trace.result = TOOLS[call.tool].run(shop, call.args)
    except CannotDo as error:
        trace.failed = error.text
    except TryAgain as error:
        trace.again = str(error)
    trace.ms = 1000 * (time.perf_counter() - begun)
    return trace
