"""How good a classifier is on rows that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    classification_report,
    f1_score,
    roc_auc_score,
)


@dataclass(frozen=True, slots=True)
class Report:
    """Accuracy, the mean F1 of the classes, areas under the ROC and precision-recall curves (of two classes:
    of the second; of more, nan), and the table of precision, recall and F1 by class."""

    rows: int
    accuracy: float
    macro_f1: float
    roc_auc: float
    pr_auc: float
    table: str

    def figures(self) -> dict[str, float]:
        """The figures by name, those that are no number left out."""
        named = {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "roc_auc": self.roc_auc,
            "pr_auc": self.pr_auc,
        }
        return {name: round(value, 4) for name, value in named.items() if not math.isnan(value)}


def report(truth: NDArray[np.integer], scores: NDArray[np.floating], classes: Sequence[str]) -> Report:
    """From class numbers (rows,) and a score a class (rows, classes). No rows give nan throughout."""
    if not len(truth):
        return Report(0, math.nan, math.nan, math.nan, math.nan, "")
    guess = scores.argmax(1)
    absent: Any = 0.0  # precision of a class that was never guessed
    numbers = list(range(len(classes)))
    both = len(classes) == 2 and len(np.unique(truth)) == 2
    lead = scores[:, 1] - scores[:, 0] if both else None
    return Report(
        len(truth),
        float(accuracy_score(truth, guess)),
        float(f1_score(truth, guess, labels=numbers, average="macro", zero_division=absent)),
        float(roc_auc_score(truth, lead)) if both else math.nan,
        float(average_precision_score(truth, lead)) if both else math.nan,
        str(
            classification_report(
                truth, guess, labels=numbers, target_names=list(classes), zero_division=absent
            )
        ),
    )
