"""How much of planted dirt cleaning finds: only for simulated sources, which know their own dirt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import ibis

from customers.errors import BadInput
from customers.ingest.load_mappings import remembered
from customers.ingest.quality_days import json_text
from customers.ingest.screening import RULE as ROBOT
from customers.schema import EventKind
from customers.stores.events import Column, EventStore, Table, open_store

TRUTH = Path("truth") / "dirt.parquet"

# Kind of planted dirt -> the rules that are a right answer to it. A kind that is not here is right
# under the rule of its own name.
RULES: Mapping[str, frozenset[str]] = {
    kind: frozenset(rules)
    for kind, rules in {
        "duplicate": ("duplicate", "repeated"),
        "epoch_time": ("outside_period",),
        "zero_quantity": ("quantity_zero", "impossible_quantity"),
        "missing_product": ("missing_product", "review_of_no_product"),
        "rating_out_of_range": ("rating_out_of_scale",),
    }.items()
}

_MALFORMED = "malformed_line"
_SEPARATOR = re.compile(r"[,;\t|]")

# One row: the file it stands in, its own id there, and a kind of dirt or a rule.
Marked = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class DirtScore:
    """One kind of dirt: rows planted and found of them; rows flagged by its rules and right of them."""

    kind: str
    planted: int
    found: int
    flagged: int
    right: int

    @property
    def precision(self) -> float | None:
        """Share of the flagged rows that were planted; None where none was flagged."""
        return self.right / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Share of the planted rows that were found; None where none was planted."""
        return self.found / self.planted if self.planted else None

    def to_dict(self) -> dict[str, str | int | float | None]:
        return {**asdict(self), "precision": self.precision, "recall": self.recall}


def score(planted: Iterable[Marked], flagged: Iterable[Marked]) -> list[DirtScore]:
    """Compare planted rows with flagged ones; returns one row a kind of dirt, in alphabetical order.

    A row flagged by a rule that two kinds share is right where either of them was planted in it.
    """
    truth, rules = set(planted), set(flagged)
    dirt_of: dict[tuple[str, str], set[str]] = {}
    for file, event, kind in truth:
        dirt_of.setdefault((file, event), set()).add(kind)
    rules_of: dict[tuple[str, str], set[str]] = {}
    for file, event, rule in rules:
        rules_of.setdefault((file, event), set()).add(rule)
    found = []
    for kind in sorted({kind for _, _, kind in truth}):
        fits = _rules(kind)
        rows = {(file, event) for file, event, k in truth if k == kind}
        hits = {row for row in rows if rules_of.get(row, set()) & fits}
        marked = {(file, event) for file, event, rule in rules if rule in fits}
        right = {row for row in marked if any(rules_of[row] & fits & _rules(k) for k in dirt_of.get(row, ()))}
        found.append(DirtScore(kind, len(rows), len(hits), len(marked), len(right)))
    return found


def _rules(kind: str) -> frozenset[str]:
    return RULES.get(kind, frozenset({kind}))


def score_store(store: Path, source: Path) -> list[DirtScore]:
    """Score a finished store against the truth in the folder `source`; [] where it carries none."""
    truth = source / TRUTH
    if not truth.is_file():
        return []
    opened = open_store(store)
    try:
        return score(_planted(truth), flagged(opened))
    finally:
        opened.close()


def _planted(truth: Path) -> list[Marked]:
    try:
        with duckdb.connect() as con:
            return con.execute(
                "SELECT CAST(file AS VARCHAR), CAST(event_id AS VARCHAR), CAST(dirt AS VARCHAR) FROM read_parquet(?)",
                [str(truth)],
            ).fetchall()
    except duckdb.Error as error:
        raise BadInput(
            f"{truth}: is no table with the columns file, event_id and dirt; simulate the shop again"
        ) from error


def flagged(store: EventStore) -> list[Marked]:
    """Return (file, the row's own id in it, rule) of every row kept aside, and of events that were kept
    but show what was noted or repaired: an unknown product, none in a review, a purchase turned return."""
    found: list[Marked] = []
    rejected, events, products = (store.table(name) for name in ("rejected", "events", "products"))
    for source, (_, entry) in remembered(store).items():
        rows = rejected.filter((rejected.source == source) & (rejected.rule != ROBOT))
        if "event_id" in entry.columns:
            pointer = "/" + entry.columns["event_id"].replace("~", "~0").replace("/", "~1")
            split = rows.filter(rows.rule != _MALFORMED)
            found += _marked(
                split.select("source", event=json_text(split.row, ibis.literal(pointer)), rule="rule")
            )
            lines = rows.filter(rows.rule == _MALFORMED).to_pyarrow()["row"].to_pylist()
            found += [(source, cell, _MALFORMED) for line in lines for cell in _cells(line)]
        if entry.kind == EventKind.PURCHASE.value:
            back = events.filter((events.source == source) & (events.kind == EventKind.RETURN.value))
            rule = ibis.literal("negative_quantity")
            found += _marked(back.select("source", event=_own(back.event_id), rule=rule))
    shopwide = events.filter((events.kind == EventKind.REVIEW.value) & events.product_id.isnull())
    rule = ibis.literal("review_of_no_product")
    found += _marked(shopwide.select("source", event=_own(shopwide.event_id), rule=rule))
    robots = rejected.filter(rejected.rule == ROBOT)
    robots = robots.mutate(event_id=json_text(robots.row, ibis.literal("/event_id")))
    found += _marked(robots.select("source", event=_own(robots.event_id), rule="rule"))
    if int(products.source.notnull().sum().to_pyarrow().as_py() or 0):
        unknown = events.semi_join(products.filter(products.source.isnull()), "product_id")
        rule = ibis.literal("unknown_product")
        found += _marked(unknown.select("source", event=_own(unknown.event_id), rule=rule))
    return found


def _cells(line: str) -> list[str]:
    """The first cell of a line that could not be split: where simulated files have their id."""
    return [_SEPARATOR.split(str(json.loads(line)), maxsplit=1)[0].strip('"')]


def _own(event_id: Column) -> Column:
    """The source's own id, without the kind that the store puts before it."""
    return event_id.re_replace(r"^\w+:", "")


def _marked(rows: Table) -> list[Marked]:
    return [tuple(row.values()) for row in rows.to_pyarrow().to_pylist() if None not in row.values()]


def render(rows: list[DirtScore]) -> str:
    """Return the scores as a Markdown table."""
    head = "| Planted dirt (simulated truth) | Planted | Found | Flagged | Precision | Recall |"
    lines = [head, "|---|---|---|---|---|---|"]
    for row in rows:
        shares = ("–" if share is None else f"{share:.3f}" for share in (row.precision, row.recall))
        cells = (row.kind, f"{row.planted:,}", f"{row.found:,}", f"{row.flagged:,}", *shares)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
