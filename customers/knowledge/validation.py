"""How well intents are recognised: cross-validation in which near-identical wordings stand in one fold.

Two wordings are near-identical where their sentence vectors' cosine is at least 0.85, whatever their languages, or
their letters are the same; chains of such pairs are one group, and a group is never split. Questions out of scope are
held out by kind: the folds that learn never saw the kind that they are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from customers.knowledge.values import intent_of, masked

NEAR = 0.85
FOLDS = 5
_BLOCK = 1000


class Recogniser(Protocol):
    """Anything that learns intents from texts and their vectors."""

    def fit_predict(
        self, train: Texts, outside: Texts, test: Texts, test_outside: Texts
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        """Return the labels of `test`, and how much each of `test` and `test_outside` looks in scope."""
        ...


@dataclass(frozen=True)
class Texts:
    """Texts with what is known of them; `labels` are labels, or kinds where out of scope."""

    texts: NDArray[Any]
    labels: NDArray[Any]
    languages: NDArray[Any]
    vectors: NDArray[np.float32]

    def take(self, rows: NDArray[Any]) -> Texts:
        return Texts(self.texts[rows], self.labels[rows], self.languages[rows], self.vectors[rows])

    def __len__(self) -> int:
        return len(self.texts)


def texts_of(
    texts: Sequence[str],
    labels: Sequence[str],
    languages: Sequence[str],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
) -> Texts:
    """Put texts, labels (or kinds) and languages together with their vectors."""
    known = [masked(text) for text in texts]
    return Texts(np.array(known, dtype=object), np.array(labels), np.array(languages), encode(known))


def near_groups(data: Texts, near: float = NEAR) -> NDArray[np.intp]:
    """Return a group number a text; near-identical texts have the same."""
    parent = np.arange(len(data))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def join(i: int, j: int) -> None:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)

    for start in range(0, len(data), _BLOCK):
        close = data.vectors[start : start + _BLOCK] @ data.vectors.T
        for i, j in zip(*np.where(close >= near), strict=True):
            if start + i < j:
                join(start + int(i), int(j))
    seen: dict[str, int] = {}
    for i, text in enumerate(data.texts):
        letters = re.sub(r"\W+", "", text.lower())
        join(seen.setdefault(letters, i), i)
    return np.array([root(i) for i in range(len(data))], dtype=np.intp)


@dataclass(frozen=True)
class Outcome:
    """What cross-validation gave, a value a text: the label told and how much it looks in scope (higher: more);
    `outside_scope` the same of the texts out of scope."""

    told: NDArray[Any]
    scope: NDArray[np.float64]
    outside_scope: NDArray[np.float64]


def cross_validate(
    recogniser: Recogniser, inside: Texts, outside: Texts, *, folds: int = FOLDS, random_state: int = 0
) -> Outcome:
    """Tell each text by a model that saw neither it nor anything near-identical, nor its kind where out of scope."""
    fold = _spread(near_groups(inside), folds, random_state)
    fold_outside = _spread(np.unique(outside.labels, return_inverse=True)[1], folds, random_state)
    told = np.empty(len(inside), dtype=object)
    scope, outside_scope = np.zeros(len(inside)), np.zeros(len(outside))
    for k in range(folds):
        held, held_outside = fold == k, fold_outside == k
        told[held], scope[held], outside_scope[held_outside] = recogniser.fit_predict(
            inside.take(~held), outside.take(~held_outside), inside.take(held), outside.take(held_outside)
        )
    return Outcome(told, scope, outside_scope)


def _spread(groups: NDArray[np.intp], folds: int, random_state: int) -> NDArray[np.intp]:
    """Deal groups to folds, the largest first, each to the fold that has the least."""
    names, counts = np.unique(groups, return_counts=True)
    order = np.random.default_rng(random_state).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    sizes, place = np.zeros(folds), np.zeros(len(names), dtype=np.intp)
    for i in order:
        place[i] = sizes.argmin()
        sizes[place[i]] += counts[i]
    return place[np.searchsorted(names, groups)]


def figures(outcome: Outcome, inside: Texts, outside: Texts, language: str) -> dict[str, float]:
    """Intent macro-F1, share of right answers (templates), and AUROC of "in scope", of one language."""
    mine, others = inside.languages == language, outside.languages == language
    truth, told = inside.labels[mine], outcome.told[mine]
    intents, told_intents = [intent_of(t) for t in truth], [intent_of(t) for t in told]
    found = {
        "inquiries": float(mine.sum()),
        "intent_macro_f1": float(f1_score(intents, told_intents, average="macro")),
        "template_top1": float(np.mean(truth == told)),
    }
    if others.any():
        is_in = np.r_[np.ones(mine.sum()), np.zeros(others.sum())]
        scores = np.r_[outcome.scope[mine], outcome.outside_scope[others]]
        found["out_of_scope_auroc"] = float(roc_auc_score(is_in, scores))
    return found
