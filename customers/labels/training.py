"""The labels that supervised builders train on: one a unit, with who gave it."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from customers.errors import BadInput
from customers.labels.agreement import agreement
from customers.labels.store import LabelStore
from customers.labels.values import Annotation, LabelTask

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class TrainingLabel:
    """A unit with the label to train on. `kind` "human" or "llm"; `labellers` agreed on it; `model`,
    `model_print` and `prompt` tell a model's origin; `written` is when the label was given (ISO, UTC)."""

    unit_id: str
    customer_id: str
    text: str
    context: str
    label: str
    kind: str
    labellers: str
    written: str
    model: str
    model_print: str
    prompt: str


def training_set(
    shop_dir: Path, task: LabelTask, *, who: Sequence[str] = (), min_agreement: float | None = None
) -> list[TrainingLabel]:
    """Return the labelled units of a task, in the order of the sample.

    A person's label wins over a model's. Where people differ the majority counts, as it does among models;
    a tie leaves the unit out.

    who: only labellers of these names. min_agreement: only models whose kappa with people's labels is at
    least this; a model that shares no unit with people, or whose kappa is undefined, is left out.
    """
    store = LabelStore.of(shop_dir)
    given = [a for a in store.annotations(task.name) if a.label in task.keys]
    unknown = set(who) - {a.labeller.name for a in given}
    if unknown:
        raise BadInput(
            f"nobody called {min(unknown)!r} has labelled {task.name}; see `shopkeeper label --report`"
        )
    given = [a for a in given if not who or a.labeller.name in who]
    people = _decided([a for a in given if a.labeller.kind == "human"])
    models = [a for a in given if a.labeller.kind == "llm"]
    if min_agreement is not None:
        models = _trusted(task, models, people, min_agreement)
    # Where people disagree, a model does not decide.
    contested = {a.unit_id for a in given if a.labeller.kind == "human"}
    machine = {u: got for u, got in _decided(models).items() if u not in contested}
    decided = machine | people
    return [
        _training_label(u.unit_id, u.customer_id, u.text, u.context, decided[u.unit_id])
        for u in store.units(task.name)
        if u.unit_id in decided
    ]


def export_csv(rows: Sequence[TrainingLabel], path: Path) -> None:
    """Write a training set as CSV (UTF-8 with a mark, as spreadsheets want it), whole or not at all.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    draft = path.with_name(path.name + ".partial")
    try:
        with draft.open("w", newline="", encoding="utf-8-sig") as handle:
            writer = csv.writer(handle)
            writer.writerow([field.name for field in fields(TrainingLabel)])
            writer.writerows([[_cell(value) for value in astuple(row)] for row in rows])
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value


def _decided(given: Sequence[Annotation]) -> dict[str, list[Annotation]]:
    """The annotations that won each unit; units with a tie are not there."""
    by_unit: dict[str, list[Annotation]] = {}
    for a in given:
        by_unit.setdefault(a.unit_id, []).append(a)
    decided = {}
    for unit_id, votes in by_unit.items():
        ranked = Counter(a.label for a in votes).most_common(2)
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            decided[unit_id] = [a for a in votes if a.label == ranked[0][0]]
    return decided


def _trusted(
    task: LabelTask, models: Sequence[Annotation], people: dict[str, list[Annotation]], least: float
) -> list[Annotation]:
    truth = {unit_id: won[0].label for unit_id, won in people.items()}
    kept = []
    for labeller in {a.labeller for a in models}:
        own = [a for a in models if a.labeller == labeller]
        kappa = agreement(task, labeller, labeller, {a.unit_id: a.label for a in own}, truth).kappa.value
        if kappa is not None and kappa >= least:
            kept += own
    return kept


def _training_label(
    unit_id: str, customer_id: str, text: str, context: str, won: Sequence[Annotation]
) -> TrainingLabel:
    first = min(won, key=lambda a: (a.written, a.labeller.name))
    return TrainingLabel(
        unit_id,
        customer_id,
        text,
        context,
        first.label,
        first.labeller.kind,
        "; ".join(sorted({a.labeller.name for a in won})),
        first.written.isoformat(),
        first.labeller.model,
        first.labeller.model_print,
        first.labeller.prompt,
    )
