"""The difference of one figure in two periods, beside the two figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from customers.measure import MeasureResult
from tools.base import Fact, Trace
from tools.measure_words import noun_of, scope, shown
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_DAYS = frozenset({"start", "end"})


def add_difference(shop: Shop, traces: Sequence[Trace]) -> None:
    """Where a turn's calls are one figure in two periods, and nothing else, let the second tell the difference too."""
    if len(traces) != 2 or any(
        t.tool != "measure" or t.result is None or t.args["by"] != "none" for t in traces
    ):
        return
    one, other = ({k: v for k, v in t.args.items() if k not in _DAYS} for t in traces)
    first, second = (t.result.full for t in traces if t.result)
    if one != other or not isinstance(first, MeasureResult) or not isinstance(second, MeasureResult):
        return
    if first.spec == second.spec or first.spec.by is not None:
        return
    assert traces[1].result is not None
    fact = _difference(shop, first, second)
    traces[1].result = replace(traces[1].result, facts=(*traces[1].result.facts, fact))


def _difference(shop: Shop, first: MeasureResult, second: MeasureResult) -> Fact:
    quantity, where = first.spec.quantity, scope(shop, first.spec)
    by, when, then = first.total - second.total, where.when, scope(shop, second.spec).when
    noun, told = noun_of(shop, quantity), shown(shop, quantity, abs(by))
    part = f" ({100 * abs(by) / second.total:.1f}%)" if second.total else ""
    more_en, more_zh = ("more", "多") if by > 0 else ("less", "少")
    text = both(
        en=f"The difference: {told}{noun.unit_en(abs(by))}{part} {more_en} {when.en} than {then.en}.",
        zh=f"两者相差：{when.zh}比{then.zh}{more_zh}{told}{noun.unit_zh}{part.strip().replace('(', '（').replace(')', '）')}。",
    )
    if not by:
        text = both(en="The two are equal.", zh="两者相等。")
    return Fact(where.who.en, f"difference_of_{quantity.value}", abs(by) or None, quantity.value, text,
                period=when.en, population=where.who.en, names=where.names)  # fmt: skip
