"""Rules of the bench part "interest": what FP-growth finds over customers, and whether it holds later.

Each row is a way to see a customer as a set of categories. `support`, `confidence` and `lift` are means over
the rules. `held_lift`: rules found from what was known 30 days before the end, and the purchases since; how
much more often those with the rule's beginning bought its end than all customers did, pooled over the rules.
`held_lift_new`: the same among customers who had no interest in the end before (a rule of two things that one
buys for ever would need no telling). `again`: the share of the rules that a bootstrap sample of the customers
finds; `halves`: rules that two disjoint halves both find, of those that either does (Jaccard). `top_again`:
`again` of the hundred rules with the highest lift. `by_chance`: rules found where each category is dealt to
customers at random, which keeps how many are interested in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from customers.features.behaviour import buyers_after, decayed_counts
from customers.features.lines import purchase_lines, trips
from customers.profiles.embedding import count_matrix
from customers.profiles.rules import InterestRules, Rule, frequent, rules_of

Row = dict[str, Any]
Marks = NDArray[np.bool_]
Mine = Callable[[Marks], list[Rule]]

PART = "interest: rules (FP-growth)"
DAYS, HALF_LIFE, _TOP = 30, 120.0, 100
_RESAMPLES = (8, 2)  # FP-growth takes its time over sets of ninety categories


def run(store: Path, *, quick: bool = False) -> list[Row]:
    """One row a way to see customers as sets; `quick` takes the served one only. store: the DuckDB file."""
    now, before, after = _read(store)
    twice, half = InterestRules(2.0), InterestRules(1.5)
    ways: dict[str, tuple[Callable[[sp.csr_matrix], Marks], Mine]] = {
        "interests, twice the usual share (served)": (
            lambda x: twice.fit(x).interests(x),
            _mine(0.02, 1.5, 3),
        ),
        "interests, 1.5 times the usual share": (lambda x: half.fit(x).interests(x), _mine(0.03, 1.5, 3)),
        "all that was bought, pairs of half the customers": (
            lambda x: np.asarray(x.todense()) > 0,
            _mine(0.5, 1.2, 2),
        ),
    }
    if quick:
        ways = dict(list(ways.items())[:1])
    return [
        {"part": PART, "model": name}
        | _row(marks(now), marks(before), after, mine, 2 if quick else _RESAMPLES[name.startswith("all")])
        for name, (marks, mine) in ways.items()
    ]


def _mine(support: float, lift: float, longest: int) -> Mine:
    return lambda marks: rules_of(frequent(marks, support, longest), len(marks), lift, 1.2)


def _read(store: Path) -> tuple[sp.csr_matrix, sp.csr_matrix, Marks]:
    """Trips of customers by category, known at the end and 30 days before it; and what was bought since, for
    the customers known before."""
    backend = ibis.duckdb.connect(store, read_only=True)
    try:
        lines = trips(purchase_lines(backend.table("events"), backend.table("products")), "category")
        last = date(1970, 1, 1) + timedelta(days=int(lines.day_n.max().to_pyarrow().as_py()))
        cut = last - timedelta(days=DAYS)
        now, before = (decayed_counts(lines, "category", day, HALF_LIFE).to_pandas() for day in (last, cut))
        later = buyers_after(lines, cut, DAYS).to_pandas().assign(baskets=1.0)
    finally:
        backend.disconnect()
    categories, known = sorted(now["category"].unique()), sorted(before["customer_id"].unique())
    everybody = sorted(now["customer_id"].unique())
    bought = np.asarray(_matrix(later, known, categories).todense()) > 0
    return _matrix(now, everybody, categories), _matrix(before, known, categories), bought


def _matrix(rows: pd.DataFrame, customers: list[str], categories: list[str]) -> sp.csr_matrix:
    who, what, trips_ = (rows[name].tolist() for name in ("customer_id", "category", "baskets"))
    return count_matrix(who, what, trips_, customers, categories)


def _row(now: Marks, before: Marks, after: Marks, mine: Mine, resamples: int) -> Row:
    found = mine(now)
    held = mine(before)
    random = np.random.default_rng(0)
    dealt = random.permuted(now, axis=0)
    return {
        "rules": len(found),
        "support": _mean([r.support for r in found]),
        "confidence": _mean([r.confidence for r in found]),
        "lift": _mean([r.lift for r in found]),
        "held_lift": held_lift(held, before, after, np.ones_like(before)),
        "held_lift_new": held_lift(held, before, after, ~before),
        **_found_again(now, found, mine, resamples, random),
        "by_chance": len(mine(dealt)),
    }


def held_lift(rules: Sequence[Rule], before: Marks, after: Marks, asked: Marks) -> float:
    """Customers with a rule's beginning who bought its end, over how many would have at the rate of all;
    summed over the rules, among the customers `asked` about the end. All of shape (customers, categories)."""
    usual = np.where(asked, after, 0).sum(axis=0) / np.maximum(asked.sum(axis=0), 1)
    came, expected = 0.0, 0.0
    for rule in rules:
        who = before[:, list(rule.when)].all(axis=1) & asked[:, rule.then]
        came += float(after[who, rule.then].sum())
        expected += float(who.sum() * usual[rule.then])
    return came / expected if expected else float("nan")


def _found_again(
    marks: Marks, found: Sequence[Rule], mine: Mine, resamples: int, random: np.random.Generator
) -> Row:
    """Shares of rules found again, see the module."""
    keys = {rule.key for rule in found}
    top = {rule.key for rule in sorted(found, key=lambda rule: -rule.lift)[:_TOP]}
    again, best, apart, size = [], [], [], len(marks)
    for _ in range(resamples if keys else 0):
        drawn = {rule.key for rule in mine(marks[random.integers(0, size, size)])}
        again.append(len(keys & drawn) / len(keys))
        best.append(len(top & drawn) / len(top))
        order = random.permutation(size)
        one, other = ({r.key for r in mine(marks[half])} for half in np.array_split(order, 2))
        apart.append(len(one & other) / max(len(one | other), 1))
    return {"again": _mean(again), "top_again": _mean(best), "halves": _mean(apart)}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
