"""The bar: the plain-feature models, on the very rows that the deep ones are measured on; no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.deep.report import Report, report
from customers.deep.sequences import Ints, Sequences, bought_after, series_at
from customers.deep.wordings import Labelled
from customers.errors import BadInput


@dataclass(frozen=True, slots=True)
class Outcome:
    """Probabilities of buying from each category in the 30 days after `cut`, and what came true; both
    (customers, categories)."""

    cut: date
    customers: list[str]
    truth: NDArray[np.float64]
    probability: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlainPreferences:
    """The served logistic regression, fitted before `test.cut` and scored after it; and fitted before the cut of
    `earlier`, 30 days before, to learn from how it goes with another model."""

    categories: list[str]
    test: Outcome
    earlier: Outcome


def preferences(store: Path) -> PlainPreferences:
    """Fit on a copy of the store. Raises BadInput where the data is too short."""
    from customers.encoder import MultilingualEncoder
    from customers.profiles import training
    from customers.profiles.workspace import Workspace, behaviours
    from customers.stores import events

    with tempfile.TemporaryDirectory(prefix="shopkeeper-deep-") as scratch:
        events.copy(store, Path(scratch) / "shop.duckdb")
        work = Workspace.open(Path(scratch), MultilingualEncoder())
        try:
            data = behaviours(work)
            cut = training.hold_out_cut(data)
            categories = training.served_categories(data.categories, cut)
            found = []
            for day in (cut, cut - timedelta(days=training.HORIZON)):
                model = training.train(data, day, categories) if categories else None
                if model is None:
                    raise BadInput(
                        f"{store}: the purchases cover too few days; half a year is needed to compare"
                    )
                rhythm = training.rhythm_at(data, day, categories)
                truth = training.truth_after(data, day, rhythm)
                found.append(
                    Outcome(day, rhythm.customers, truth, model.probability(training.design(rhythm)))
                )
        finally:
            work.close()
    return PlainPreferences(categories, *found)


def counts(
    held: Sequences, train: Sequence[tuple[Ints, date]], test: tuple[Ints, date]
) -> NDArray[np.float64]:
    """Probabilities of buying within 30 days, (customers, categories), from what the deep models see, without depth:
    decayed counts of every kind of event, of the category and of the whole shop, in gradient boosting. `train` and
    `test` are customers' numbers with their cut."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    columns = [_decayed(held, who, cut) for who, cut in train]
    truth = [bought_after(held, who, cut).ravel() for who, cut in train]
    settings: dict[str, Any] = {
        "max_iter": 200,
        "learning_rate": 0.06,
        "categorical_features": [0],
        "early_stopping": False,
    }
    model = HistGradientBoostingClassifier(**settings, random_state=0)
    model.fit(np.concatenate(columns), np.concatenate(truth))
    return model.predict_proba(_decayed(held, *test))[:, 1].reshape(len(test[0]), len(held.categories))


def _decayed(held: Sequences, who: Ints, cut: date) -> NDArray[np.float32]:
    """One row a customer and category: the category's number, then decayed counts."""
    series = np.expm1(series_at(held, who, cut, bins=120, width=3))
    age = 3.0 * np.arange(120)[::-1] + 1
    decay = np.stack([0.5 ** (age / half) for half in (7, 30, 90, 360)], axis=1).astype(np.float32)
    own = np.log1p(series @ decay).reshape(len(who), len(held.categories), -1)
    shop = np.log1p(series.sum(1, keepdims=True) @ decay).reshape(len(who), 1, -1)
    number = np.broadcast_to(
        np.arange(len(held.categories), dtype=np.float32)[None, :, None], (*own.shape[:2], 1)
    )
    return np.concatenate([number, own, np.broadcast_to(shop, own.shape)], axis=2).reshape(
        len(who) * own.shape[1], -1
    )


def words(found: Labelled, seed: int = 0) -> Report:
    """Logistic regression on multilingual USE v3, on n-grams, or on both; which, and its penalty, are chosen on the
    dev rows."""
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from customers.encoder import MultilingualEncoder

    encoder = MultilingualEncoder()
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2)
    grams.fit(found.part(found.train)[0])
    columns, truth = {}, {}
    for name in ("train", "dev", "test"):
        texts, truth[name] = found.part(getattr(found, name))
        blocks = {"meaning": sp.csr_matrix(encoder.encode(texts)), "n-grams": grams.transform(texts)}
        columns[name] = blocks | {"both": sp.hstack(list(blocks.values())).tocsr()}
    tried = []
    for block in ("meaning", "n-grams", "both"):
        for penalty in (0.3, 1.0, 3.0, 10.0):
            model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=2000, random_state=seed)
            model.fit(columns["train"][block], truth["train"])
            dev = report(truth["dev"], _scores(model, columns["dev"][block]), found.classes)
            tried.append((dev.macro_f1, block, model))
    _, block, best = max(tried, key=lambda one: one[0])
    return report(truth["test"], _scores(best, columns["test"][block]), found.classes)


def _scores(model, columns) -> NDArray[np.float64]:
    odds = model.decision_function(columns)
    return np.column_stack([-odds, odds]) if odds.ndim == 1 else odds
