"""How far labellers agree: Cohen's kappa with a bootstrap interval, and the confusion matrix.

Cohen (1960), A coefficient of agreement for nominal scales; Cohen (1968) for the weights of ordered labels
(quadratic here). The interval is the percentile bootstrap over units (Efron & Tibshirani, 1993, ch. 13).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from customers.labels.values import Annotation, Labeller, LabellerKind, LabelTask

DRAWS = 2000
FEW = 30


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa (1 = full agreement, 0 = chance) and its 95 % interval; None where it is undefined:
    no shared units, or both gave one and the same label throughout."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two labellers on the `units` that both labelled. `same`: units with equal labels.

    `weighted` is for ordered labels only. `confusion[i][j]`: units that `one` gave label i and `other` j.
    """

    one: Labeller
    other: Labeller
    units: int
    same: int
    kappa: Kappa
    weighted: Kappa | None
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What one labeller did: units labelled, answers that could not be read, and how often each label came."""

    labeller: Labeller
    units: int
    unreadable: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """A task's state. `unknown`: labels that the task no longer has; they count nowhere else."""

    task: str
    labels: tuple[str, ...]
    sample: int
    labellers: tuple[Labelled, ...]
    agreements: tuple[Agreement, ...]
    unknown: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def report(
    task: LabelTask,
    sample: int,
    annotations: Sequence[Annotation],
    failures: Mapping[tuple[LabellerKind, str], int] | None = None,
) -> Report:
    """Return who labelled how much, and the agreement of every two labellers that share units."""
    failures = failures or {}
    known = [a for a in annotations if a.label in task.keys]
    given: dict[tuple[LabellerKind, str], dict[str, str]] = {key: {} for key in failures}
    who = {key: Labeller(*key) for key in failures}
    for a in known:
        key = (a.labeller.kind, a.labeller.name)
        who[key] = a.labeller
        given.setdefault(key, {})[a.unit_id] = a.label
    order = sorted(given)
    labellers = tuple(
        Labelled(who[key], len(given[key]), failures.get(key, 0), _counts(task, given[key])) for key in order
    )
    pairs = [
        agreement(task, who[a], who[b], given[a], given[b])
        for a, b in combinations(order, 2)
        if given[a].keys() & given[b].keys()
    ]
    pairs.sort(key=lambda pair: -pair.units)  # the figures that say most come first
    return Report(task.name, task.keys, sample, labellers, tuple(pairs), len(annotations) - len(known))


def agreement(
    task: LabelTask, one: Labeller, other: Labeller, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Agreement:
    """Compare two labellers' labels (unit id -> label key) on the units that both have."""
    shared = sorted(ours.keys() & theirs.keys())
    a, b = [ours[u] for u in shared], [theirs[u] for u in shared]
    labels = list(task.keys)
    table = (
        confusion_matrix(a, b, labels=labels)
        if shared
        else np.zeros((len(labels), len(labels)), dtype=np.int64)
    )
    return Agreement(
        one=one,
        other=other,
        units=len(shared),
        same=int(np.trace(table)),
        kappa=_kappa(a, b, table, labels, None),
        weighted=_kappa(a, b, table, labels, "quadratic") if task.ordered else None,
        confusion=tuple(tuple(int(n) for n in row) for row in table),
    )


def _kappa(
    a: Sequence[str], b: Sequence[str], table: np.ndarray, labels: list[str], weights: str | None
) -> Kappa:
    if not a:
        return Kappa(None, None, None)
    with warnings.catch_warnings():  # undefined where both are constant: said by None
        warnings.simplefilter("ignore")
        value = float(cohen_kappa_score(a, b, labels=labels, weights=weights))
    if not np.isfinite(value):
        return Kappa(None, None, None)
    # To draw units with replacement is to draw the table's cells with their frequencies.
    draws = np.random.default_rng(0).multinomial(len(a), table.ravel() / len(a), size=DRAWS)
    kappas = kappas_of(draws.reshape(DRAWS, *table.shape), quadratic=weights is not None)
    low, high = np.nanpercentile(kappas, [2.5, 97.5])
    return Kappa(value, float(low), float(high))


def kappas_of(tables: np.ndarray, *, quadratic: bool) -> np.ndarray:
    """Return Cohen's kappa of each confusion matrix (draws, labels, labels); nan where it is undefined."""
    k = tables.shape[1]
    steps = np.subtract.outer(np.arange(k), np.arange(k))
    cost = steps.astype(float) ** 2 if quadratic else (steps != 0).astype(float)
    total = tables.sum(axis=(1, 2))
    chance = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (tables * cost).sum(axis=(1, 2)) * total / (chance * cost).sum(axis=(1, 2))


def _counts(task: LabelTask, given: Mapping[str, str]) -> dict[str, int]:
    values = list(given.values())
    return {key: values.count(key) for key in task.keys}
