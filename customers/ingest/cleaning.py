"""Cleaning by declared rules: every row read is either kept or kept aside with the rule it broke.

Rules are Ibis predicates, so that the same rules run on any engine that Ibis reaches. A row that
breaks several dropping rules is counted under the first of them, so that rows kept and rows
dropped always add up to the rows read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import ibis

from customers.stores.events import Column, EventStore, Table

DROPPED, REPAIRED, NOTED = "dropped", "repaired", "noted"
# Not kept because it is there already; said, but not kept aside.
REPEATED = "repeated"
REPEATED_REASON = ("row that an earlier load brought already", "此前已载入的行")
EXAMPLES = 3

# A quantity this many robust standard deviations above its category's median (both in log) is
# kept and noted, or kept aside. The deviation is never taken below one doubling, so that where
# nearly all lines are single pieces these are 32 and 256 times the usual quantity.
UNUSUAL, ABSURD = 5.0, 8.0

# Columns that stand for a row in the report; label -> column where the label is another.
Shown = Sequence[str] | Mapping[str, str]
Predicate = Callable[[Table], Column]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may be wrong with a row, and what is done about it.

    `broken` is true for rows that break the rule; null counts as kept. `action` is "dropped",
    "repaired" or "noted" as in `customers.schema.QUALITY`.
    """

    name: str
    action: str
    reason_en: str
    reason_zh: str
    broken: Predicate


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the quality report."""

    source: str
    rule: str
    reason_en: str
    reason_zh: str
    action: str
    rows: int
    of_rows: int
    examples: str = "[]"


@dataclass(slots=True)
class Report:
    """Collects findings of all sources of one ingest."""

    findings: list[Finding] = field(default_factory=list)

    def add(
        self, source: str, rule: str, reason_en: str, reason_zh: str, action: str, rows: int, of_rows: int
    ) -> None:
        """File a finding that was counted elsewhere."""
        self.findings.append(Finding(source, rule, reason_en, reason_zh, action, rows, of_rows))

    def add_read(self, source: str, rows: int) -> None:
        """File how many rows came in."""
        self.add(source, "read", "rows read from the source", "从来源读入的行", NOTED, rows, rows)

    def add_kept(self, source: str, rows: int, of_rows: int) -> None:
        """File how many rows were kept."""
        self.add(source, "kept", "rows kept after cleaning", "清洗后保留的行", NOTED, rows, of_rows)

    def table(self) -> Table:
        """Return the findings as rows of `customers.schema.QUALITY`."""
        columns = Finding.__dataclass_fields__
        return ibis.memtable([{c: getattr(f, c) for c in columns} for f in self.findings])


@ibis.udf.scalar.builtin
def to_json(row) -> str:
    """A struct as JSON text; built into DuckDB and Spark alike."""
    ...


def as_json(rows: Table, columns: Shown) -> Column:
    """Return the given columns of each row as one JSON text."""
    labels = columns if isinstance(columns, Mapping) else {column: column for column in columns}
    return to_json(ibis.struct({label: rows[column] for label, column in labels.items()})).cast("string")


def tag(rows: Table, rules: Sequence[Rule]) -> Table:
    """Add a text column `rule`: the first dropping rule that the row breaks, or null."""
    dropping = [rule for rule in rules if rule.action == DROPPED]
    if not dropping:
        return rows.mutate(rule=ibis.null("string"))
    branches = [(rule.broken(rows).fill_null(False), ibis.literal(rule.name)) for rule in dropping]
    return rows.mutate(rule=ibis.cases(*branches, else_=ibis.null("string")))


def clean(
    store: EventStore,
    report: Report,
    source: str,
    rows: Table,
    rules: Sequence[Rule],
    show: Shown,
) -> Table:
    """Apply rules to a source, file what they found, and return the rows to go on with.

    Dropped rows go to the store's `rejected` table as JSON of the columns `show` (the source's
    own). The rows returned are held in the store's connection: `store.release` them when done.
    """
    tagged = store.hold(tag(rows, rules))
    kept = tagged.filter(tagged.rule.isnull())
    dropped = tagged.filter(tagged.rule.notnull())
    filed, broken = _count(tagged, rules)
    of_rows = filed[""]
    kept_rows = of_rows - sum(filed[rule.name] for rule in rules if rule.action == DROPPED)
    report.add_read(source, of_rows)
    for rule in rules:
        found = filed[rule.name]
        hit = tagged.rule == rule.name
        if rule.action != DROPPED:
            hit = rule.broken(tagged).fill_null(False) & tagged.rule.isnull()
        examples = _examples(tagged.filter(hit), show) if found else "[]"
        words = reasons(rule, found, broken[rule.name])
        report.findings.append(Finding(source, rule.name, *words, rule.action, found, of_rows, examples))
    report.add_kept(source, kept_rows, of_rows)
    if of_rows > kept_rows:
        aside = dropped.select(source=ibis.literal(source), rule=dropped.rule, row=as_json(dropped, show))
        store.append("rejected", aside)
    return kept.drop("rule")


def reasons(rule: Rule, filed: int, broken: int) -> tuple[str, str]:
    """The rule's reasons, with the rows that break it but were filed under an earlier rule."""
    if rule.action != DROPPED or broken <= filed:
        return rule.reason_en, rule.reason_zh
    others = broken - filed
    return (
        f"{rule.reason_en} ({others:,} more such rows are filed under an earlier rule)",
        f"{rule.reason_zh}(另有 {others:,} 行此类数据已计入前面的规则)",
    )


def _count(tagged: Table, rules: Sequence[Rule]) -> tuple[dict[str, int], dict[str, int]]:
    """Return rows by rule as they are filed (key "" holds all rows), and rows that break each
    dropping rule whether or not an earlier one took them."""
    groups = tagged.group_by("rule").agg(found=tagged.count()).to_pyarrow().to_pylist()
    by_rule = {group["rule"]: int(group["found"]) for group in groups}
    filed = {rule.name: by_rule.get(rule.name, 0) for rule in rules}
    filed[""] = sum(by_rule.values())
    kept = tagged.rule.isnull()
    sums = {}
    for number, rule in enumerate(rules):
        hit = rule.broken(tagged).fill_null(False)
        counted = hit if rule.action == DROPPED else hit & kept
        sums[f"rule_{number}"] = counted.cast("int64").sum()
    if not sums:
        return filed, {}
    row = tagged.aggregate(**sums).to_pyarrow().to_pylist()[0]
    broken = {rule.name: int(row[f"rule_{number}"] or 0) for number, rule in enumerate(rules)}
    filed.update({rule.name: broken[rule.name] for rule in rules if rule.action != DROPPED})
    return filed, broken


def _examples(broke: Table, show: Shown) -> str:
    """Return up to three rows as a JSON list, the same ones on every run."""
    picked = broke.select(row=as_json(broke, show)).order_by("row").limit(EXAMPLES)
    return json.dumps(
        [json.loads(text) for text in picked.to_pyarrow()["row"].to_pylist()], ensure_ascii=False
    )


def add_malformed(store: EventStore, report: Report, source: str, lines: Sequence[str]) -> int:
    """File lines that could not be split into columns; call it after the source's rows were filed.

    The source's rows read then count these lines as well. Returns how many of them an earlier load
    kept aside already; they are not kept aside again.
    """
    known: set[str] = set()
    if "rejected" in store.tables():
        query = "SELECT row FROM rejected WHERE source = ? AND rule = 'malformed_line'"
        known = {row for (row,) in store.backend.con.execute(query, [source]).fetchall()}
    texts = [json.dumps(line, ensure_ascii=False) for line in lines]
    aside = [{"source": source, "rule": "malformed_line", "row": text} for text in texts if text not in known]
    if aside:
        store.append("rejected", ibis.memtable(aside))
    examples = json.dumps([json.loads(row["row"]) for row in aside[:EXAMPLES]], ensure_ascii=False)
    report.findings = [
        replace(f, of_rows=f.of_rows + len(lines), rows=f.rows + (len(lines) if f.rule == "read" else 0))
        if f.source == source
        else f
        for f in report.findings
    ]
    of_rows = next(f.of_rows for f in report.findings if f.source == source)
    again = len(lines) - len(aside)
    if again:
        report.add(source, REPEATED, *REPEATED_REASON, REPEATED, again, of_rows)
    reason = "line cannot be split into the columns that the file has", "该行无法拆分为文件的各列"
    report.findings.append(Finding(source, "malformed_line", *reason, DROPPED, len(aside), of_rows, examples))
    return again


def duplicated(rows: Table, keys: Sequence[str]) -> Table:
    """Add a boolean column `duplicate`: an equal row (on `keys`) already stands before this one."""
    window = ibis.window(group_by=list(keys), order_by=list(keys[:1]))
    position: Column = ibis.row_number().over(window)
    return rows.mutate(duplicate=position > 0)


def with_quantity_score(rows: Table, group: str | None, valid: Column, sample: Table | None = None) -> Table:
    """Add `quantity_score`: robust standard deviations of log quantity above the group's median.

    Median and median absolute deviation (times 1.4826, as for a normal distribution; Rousseeuw &
    Croux 1993) come from the `valid` rows with a positive quantity; the deviation is at least
    log 2. Null where the quantity is not positive. Without a `group` all rows are of one. A `sample`
    of the rows may stand for all of them in finding median and deviation.
    """
    ground = rows if sample is None else sample
    ground = ground.filter(valid & (ground.quantity > 0))
    if group is None:
        logs = ground.select(log_quantity=ground.quantity.log())
        centre = logs.aggregate(centre=logs.log_quantity.median())
        joined = rows.cross_join(_spread(logs.cross_join(centre)))
    else:
        logs = ground.select(fence_group=ground[group].fill_null(""), log_quantity=ground.quantity.log())
        centre = logs.group_by("fence_group").agg(centre=logs.log_quantity.median())
        spread = _spread(logs.join(centre, "fence_group"), "fence_group")
        keyed = rows.mutate(fence_group=rows[group].fill_null(""))
        joined = keyed.left_join(spread, "fence_group").drop("fence_group", "fence_group_right")
    positive: Column = ibis.ifelse(joined.quantity > 0, joined.quantity, ibis.null("float64"))
    scored = joined.mutate(quantity_score=(positive.log() - joined.centre) / joined.spread)
    return scored.drop("centre", "spread")


def _spread(around: Table, *group: str) -> Table:
    """Median and robust deviation of log quantity, of each group or of all rows."""
    deviation = (around.log_quantity - around.centre).abs().median() * 1.4826
    found = {"centre": around.centre.max(), "spread": ibis.greatest(deviation, math.log(2))}
    return around.group_by(*group).agg(**found) if group else around.aggregate(**found)


def quantity_rules() -> list[Rule]:
    """Rules on `quantity_score` (see `with_quantity_score`)."""
    return [
        Rule(
            "absurd_quantity",
            DROPPED,
            "quantity far beyond anything usual in its category",
            "数量远超该品类的正常范围",
            lambda t: t.quantity_score > ABSURD,
        ),
        Rule(
            "unusual_quantity",
            NOTED,
            "unusually large quantity for its category, but possible (bulk buying)",
            "数量在该品类中异常大,但有可能(批量购买)",
            lambda t: t.quantity_score > UNUSUAL,
        ),
    ]
