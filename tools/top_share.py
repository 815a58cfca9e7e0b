"""top_share: what part of the sales the best customers make, and how many make half of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from customers.measure import Dimension, Measure, Quantity
from tools import measure_words, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

USUAL = 20.0
"""Percent of the customers, where a question names no number."""


class TopShareTool:
    """How much of the money the best part of the customers spends."""

    name = "top_share"
    access = Access.READ
    describe = "what share of the sales the top percent of customers makes"
    busy = both(en="Adding up the best customers", zh="正在汇总高消费顾客")
    parameters = {
        "percent": {"type": "number", "x-derived": True},
        "category": {"type": "string", "x-entity": "category"},
        "segment": {"type": "string", "x-entity": "segment"},
        "start": {"type": "string", "x-period": "start"},
        "end": {"type": "string", "x-period": "end"},
    }
    required = ()

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return what the top `percent` (0 to 100) of those who bought spent, and how few spent half of it all."""
        percent = min(max(float(args.get("percent") or USUAL), 0.1), 100.0)
        where = {Dimension(kind): (str(args[kind]),) for kind in ("category", "segment") if args.get(kind)}
        start, end = (date.fromisoformat(args[name]) if args.get(name) else None for name in ("start", "end"))
        result = shop.measure(Measure(Quantity.SPEND, Dimension.CUSTOMER, where=where, start=start, end=end))
        spent = sorted((row.value for row in result.rows), reverse=True)
        whole = sum(spent)
        if whole <= 0:
            raise CannotDo(
                both(en="Nothing was bought that fits this question.", zh="没有符合该问题的购买记录。")
            )
        best = max(1, math.ceil(len(spent) * percent / 100 - 1e-9))
        half, total = 0, 0.0
        while total < whole / 2:
            total += spent[half]
            half += 1
        scope = measure_words.scope(shop, result.spec)
        facts = (_best(shop, scope, percent, best, spent, whole), _half(scope, half, len(spent)))
        top = [row.key for row in sorted(result.rows, key=lambda row: (-row.value, row.key))[:best]]
        return ToolResult(facts, found={"customer": tuple(top)}, full=spent)


def _best(
    shop: Shop, scope: measure_words.Scope, percent: float, best: int, spent: list[float], whole: float
) -> Fact:
    share, money = sum(spent[:best]) / whole, shop.info.currency
    on_en, on_zh = (f" on {scope.what.en}", f"在{scope.what.zh}上") if scope.what.en else ("", "")
    paid, all_paid = words.money(sum(spent[:best]), money), words.money(whole, money)
    of, rate = words.number(len(spent)), f"{percent:g}%"
    who_en, who_zh = scope.who.en, scope.who.zh
    spend = "spends" if best == 1 else "spend"
    one = "customer who" if best == 1 else "customers who"
    return Fact(
        f"top {rate} of {who_en}", "share of spend", share, "share",
        both(
            en=f"The {words.number(best)} {one} {spend} most ({rate} of {of} {who_en}) spent {paid}{on_en} {scope.when.en}: {words.percent(share)} of {all_paid}.",
            zh=f"{scope.when.zh}，{of}位{who_zh}中消费最多的{rate}（{words.number(best)}位）{on_zh}共消费{paid}，占{all_paid}的{words.percent(share)}。",
        ),
        period=scope.when.en, population=who_en, names=scope.names,
    )  # fmt: skip


def _half(scope: measure_words.Scope, half: int, of: int) -> Fact:
    return Fact(
        f"half of the spending of {scope.who.en}", "customers", half, "customers",
        both(
            en=f"Half of it all comes from {words.plural(half, 'customer')} ({words.percent(half / of)} of them).",
            zh=f"其中一半来自{words.number(half)}位顾客（占{words.percent(half / of)}）。",
        ),
        period=scope.when.en, population=scope.who.en,
    )  # fmt: skip
