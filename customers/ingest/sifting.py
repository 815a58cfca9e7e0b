"""Rows of any number sifted by declared rules in one pass, without a copy of the rows.

The one pass computes, for each row, which rules it breaks, as the bits of a number, and keeps that
number for rows that break any. Everything else (what to keep, what to keep aside, counts, examples)
follows from the few rows that are held.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis

from customers.ingest.cleaning import DROPPED, EXAMPLES, Finding, Report, Rule, as_json, reasons
from customers.stores.events import Column, EventStore, Table


@dataclass(frozen=True, slots=True)
class Sifted:
    """What the rules found in a source of `read` rows.

    `faults` (row_n, faults) holds the rows that break any rule; `aside` (row_n, rule, row) those
    to be kept aside with the first rule they break and their text, without those that an earlier
    load kept aside already, whose row_n are in `known`. `rules` has dropping rules first.
    """

    read: int
    rules: tuple[Rule, ...]
    faults: Table
    aside: Table
    known: Table


def sift(
    store: EventStore,
    source: str,
    marked: Table,
    rows: Table,
    read: int,
    rules: Sequence[Rule],
    show: Mapping[str, str],
) -> Sifted:
    """Find which rules each row (numbered by `row_n`) breaks.

    `marked` are the rows with all that the rules look at, `rows` the same without what is costly to
    compute again; `show` as in `cleaning.clean`.
    """
    ordered = tuple(sorted(rules, key=lambda rule: rule.action != DROPPED))
    breaks = [rule.broken(marked) for rule in ordered]
    broken: Column = ibis.literal(0, "int64")
    for place, breaking in enumerate(breaks):
        broken = broken + ibis.ifelse(breaking.fill_null(False), 1 << place, 0)
    # Few rows break any rule: only theirs are the numbers put together.
    found = marked.filter(functools.reduce(operator.or_, breaks, ibis.literal(False)))
    faults = store.hold(found.select("row_n", faults=broken.cast("int64")))
    aside = _aside(store, rows, faults, ordered, show)
    while _right(store, source, aside):
        faults = _waived(store, source, faults, aside, ordered)
        aside = _aside(store, rows, faults, ordered, show)
    before = store.table("rejected")
    before = before.filter(before.source == source).select("rule", "row").distinct()
    known = store.hold(aside.semi_join(before, ["rule", "row"]).select("row_n"))
    return Sifted(read, ordered, faults, store.hold(aside.anti_join(known, "row_n")), known)


def _aside(
    store: EventStore, rows: Table, faults: Table, rules: Sequence[Rule], show: Mapping[str, str]
) -> Table:
    """The rows (row_n, rule, row) that break a dropping rule, with the first such rule and their text."""
    dropped = faults.inner_join(_filed(faults, rules), "faults").select("row_n", "rule")
    shown = rows.select("row_n", **{f"shown_{n}": rows[column] for n, column in enumerate(show.values())})
    aside = shown.inner_join(dropped, "row_n")
    texts = {f"shown_{n}": aside[f"shown_{n}"].cast("string") for n in range(len(show))}
    aside = aside.select("row_n", "rule", **texts)
    labels = {label: f"shown_{n}" for n, label in enumerate(show)}
    return store.hold(aside.select("row_n", "rule", row=as_json(aside, labels)))


def _right(store: EventStore, source: str, aside: Table) -> bool:
    """Whether a person put one of the rows back: the rule does not hold for it."""
    waived = store.table("waived")
    waived = waived.filter(waived.source == source)
    if not int(waived.count().to_pyarrow().as_py()):
        return False
    return bool(aside.semi_join(waived, ["rule", "row"]).count().to_pyarrow().as_py())


def _waived(store: EventStore, source: str, faults: Table, aside: Table, rules: Sequence[Rule]) -> Table:
    """The faults without those that a person put back; others of the same rows stay."""
    waived = store.table("waived")
    right = aside.semi_join(waived.filter(waived.source == source), ["rule", "row"]).select("row_n", "rule")
    bits = [(right.rule == rule.name, ibis.literal(1 << place)) for place, rule in enumerate(rules)]
    right = store.hold(right.select(right_n=right.row_n, bit=ibis.cases(*bits, else_=0)))
    joined = faults.left_join(right, [faults.row_n == right.right_n])
    left = joined.select("row_n", faults=(joined.faults - joined.bit.fill_null(0)).cast("int64"))
    return store.hold(left.filter(left.faults != 0))


def _filed(faults: Table, rules: Sequence[Rule]) -> Table:
    """Each number of faults with a dropping rule in it -> the first such rule's name."""
    numbers = faults.select("faults").distinct().to_pyarrow()["faults"].to_pylist()
    pairs = [(number, _first(number, rules)) for number in numbers]
    pairs = [{"faults": number, "rule": rule.name} for number, rule in pairs if rule.action == DROPPED]
    return ibis.memtable(pairs, schema={"faults": "int64", "rule": "string"})


def _first(faults: int, rules: Sequence[Rule]) -> Rule:
    return rules[(faults & -faults).bit_length() - 1]


def report_on(
    report: Report, source: str, rows: Table, sifted: Sifted, repeated: Table | None, show: Mapping[str, str]
) -> None:
    """File what was read and which rules were broken, with examples; rules nobody broke are left out.

    Rows of `repeated` and `sifted.known` are counted by the caller: they say nothing new.
    """
    fresh = sifted.faults.anti_join(sifted.known, "row_n")
    if repeated is not None:
        fresh = fresh.anti_join(repeated, "row_n")
    groups = fresh.group_by("faults").agg(found=fresh.count()).to_pyarrow().to_pylist()
    report.add_read(source, sifted.read)
    examples = _kept_examples(rows, fresh, sifted.rules, [g["faults"] for g in groups], show)
    for place, rule in enumerate(sifted.rules):
        mine = [g for g in groups if g["faults"] >> place & 1]
        filed = sum(
            g["found"] for g in mine
            if (_first(g["faults"], sifted.rules) is rule) or (_first(g["faults"], sifted.rules).action != DROPPED)
        )  # fmt: skip
        if not filed:
            continue
        shown = _dropped_examples(sifted.aside, rule) if rule.action == DROPPED else examples[rule.name]
        words = reasons(rule, filed, sum(g["found"] for g in mine))
        report.findings.append(Finding(source, rule.name, *words, rule.action, filed, sifted.read, shown))


def _dropped_examples(aside: Table, rule: Rule) -> str:
    rows = aside.filter(aside.rule == rule.name).order_by("row").limit(EXAMPLES)
    return _as_list(rows.to_pyarrow()["row"].to_pylist())


def _kept_examples(
    rows: Table, fresh: Table, rules: Sequence[Rule], numbers: Sequence[int], show: Mapping[str, str]
) -> dict[str, str]:
    """The first rows that break each rule but are kept, all fetched at once."""
    kept = [n for n in numbers if _first(n, rules).action != DROPPED]
    picked: dict[str, list[int]] = {}
    for place, rule in enumerate(rules):
        mine = [n for n in kept if n >> place & 1]
        if mine:
            few = fresh.filter(fresh.faults.isin(mine)).order_by("row_n").limit(EXAMPLES)
            picked[rule.name] = few.to_pyarrow()["row_n"].to_pylist()
    wanted = sorted({row for few in picked.values() for row in few})
    if not wanted:
        return {}
    there = rows.filter(rows.row_n.isin(wanted))
    text = there.select(
        "row_n", **{f"shown_{n}": there[c].cast("string") for n, c in enumerate(show.values())}
    )
    labels = {label: f"shown_{n}" for n, label in enumerate(show)}
    found = text.select("row_n", row=as_json(text, labels)).to_pyarrow().to_pylist()
    by_row = {row["row_n"]: row["row"] for row in found}
    return {name: _as_list([by_row[row] for row in few]) for name, few in picked.items()}


def _as_list(texts: Sequence[str]) -> str:
    return json.dumps([json.loads(text) for text in texts], ensure_ascii=False)
