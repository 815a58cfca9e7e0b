"""`shopkeeper bench knowledge`: intents, answer templates and out-of-scope questions, beside simpler peers.

The starter set is cross-validated (see customers.knowledge.validation), and the model that it makes is then asked
about inquiries that others wrote: the simulator's wordings, whose intents are mapped to ours.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score

from customers.encoder import MultilingualEncoder
from customers.knowledge import reading, starter
from customers.knowledge.base import SURE
from customers.knowledge.intents import IntentModel
from customers.knowledge.validation import Texts, cross_validate, figures, near_groups, texts_of
from customers.knowledge.values import LANGUAGES, intent_of
from eval.bench_profiles import render

Row = dict[str, Any]

# The simulator's intents in ours. Its intents are wider: under one stands all that we answer apart.
SIMULATED = {
    "account_login": {"account_login", "account_details", "data_deletion"},
    "cancel_order": {"cancel_order"},
    "change_address": {"change_address", "delivery_slot"},
    "coupon_problem": {"coupon_problem", "coupon_how", "points"},
    "damaged_item": {"damaged_item", "warranty"},
    "invoice": {"invoice"},
    "late_delivery": {"order_status", "not_received"},
    "price_match": {"price_match", "promotions", "price"},
    "product_question": {"product_details", "ingredients", "recommendation"},
    "refund_status": {"refund_status"},
    "stock_question": {"stock"},
    "wrong_item": {"wrong_item", "missing_item"},
}
_FILLED = {"order": "A-48213", "weekday": "Friday", "n": "5", "thing": "kettle"}
_FILLED_ZH = {"order": "A-48213", "weekday": "周五", "n": "5", "thing": "水壶"}
SHOTS = (1, 3, 5, 10)


class Ours:
    """The model of the product."""

    def fit_predict(
        self, train: Texts, outside: Texts, test: Texts, test_outside: Texts
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        model = _fitted(train, outside)
        scores = model.scores(list(test.texts), test.vectors)
        others = model.scores(list(test_outside.texts), test_outside.vectors)
        return model.labels_[scores[:, :-1].argmax(1)], model.in_scope(scores), model.in_scope(others)


def _fitted(train: Texts, outside: Texts) -> IntentModel:
    vectors = np.concatenate([train.vectors, outside.vectors])
    model = IntentModel(MultilingualEncoder())
    return model.fit(list(train.texts), list(train.labels), list(outside.texts), vectors=vectors)


@dataclass(frozen=True)
class Linear:
    """Logistic regression on TF-IDF of characters, or on sentence vectors; out of scope is one more label."""

    on: str

    def fit_predict(
        self, train: Texts, outside: Texts, test: Texts, test_outside: Texts
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        every = [*train.texts, *outside.texts]
        if self.on == "vectors":
            x, y, z = np.concatenate([train.vectors, outside.vectors]), test.vectors, test_outside.vectors
        else:
            counted = TfidfVectorizer(
                analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, min_df=2
            ).fit(every)
            x, y, z = (counted.transform(t) for t in (every, test.texts, test_outside.texts))
        labels = np.r_[train.labels.astype(object), np.full(len(outside), "")]
        model: Any = LogisticRegression(C=20, max_iter=300, tol=1e-3)
        if self.on != "vectors":  # the same loss; its usual solver takes minutes on so many columns
            model = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)
        model.fit(x, labels.astype(str))
        inside = model.classes_ != ""
        shares, others = model.predict_proba(y), model.predict_proba(z)
        told = model.classes_[inside][shares[:, inside].argmax(1)]
        return told, 1 - shares[:, ~inside].sum(1), 1 - others[:, ~inside].sum(1)


class Nearest:
    """The label of the nearest wording by the same sentence vectors."""

    def fit_predict(
        self, train: Texts, outside: Texts, test: Texts, test_outside: Texts
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        def scope(texts: Texts) -> NDArray[np.float64]:
            own = (texts.vectors @ train.vectors.T).max(1)
            return own - (texts.vectors @ outside.vectors.T).max(1) if len(outside) else own

        told = train.labels[(test.vectors @ train.vectors.T).argmax(1)]
        return told, scope(test), scope(test_outside)


def run(*, inquiries: Path | None = None, quick: bool = False, as_json: bool = False) -> list[Row]:
    """Measure and print tables, or one JSON object. inquiries: a file of labelled inquiries to cross-validate too.
    quick: without the slow peer and the few-shot curve. Raises BadInput for a file that cannot be used."""
    begun = time.perf_counter()
    encode = MultilingualEncoder().encode
    own = starter.inquiries()
    inside = texts_of([i.text for i in own], [i.label for i in own], [i.language for i in own], encode)
    others = starter.outside()
    outside = texts_of(
        [o.text for o in others], [o.kind for o in others], [o.language for o in others], encode
    )
    parts: dict[str, Callable[[], list[Row]]] = {
        "cross-validation": lambda: _validated(inside, outside, quick),
        "own confidence": lambda: _confidence(inside, outside),
        "few examples": lambda: _few(inside, outside),
        "inquiries of the simulator": lambda: _simulated(inside, outside, encode),
    }
    if quick:
        parts = {name: parts[name] for name in ("cross-validation", "inquiries of the simulator")}
    if inquiries is not None:
        parts[inquiries.name] = lambda: _theirs(inquiries, outside, encode)
    rows: list[Row] = []
    for part, measured in parts.items():
        print(f"measuring {part} …", file=sys.stderr, flush=True)
        found = measured()
        rows += [{"part": part, **row} for row in found]
        if not as_json:
            print(_table(part, found), flush=True)
    if as_json:
        print(json.dumps({"rows": rows}, ensure_ascii=False))
    else:
        groups = len(set(near_groups(inside)))
        print(
            f"{len(inside)} wordings in {groups} groups, {len(outside)} questions out of scope; "
            f"{time.perf_counter() - begun:.0f} s"
        )
    return rows


def _table(part: str, rows: list[Row]) -> str:
    return render(part, rows, 0.0).replace(" (0 s)", "")


def measure(path: Path, *, as_json: bool = False) -> list[Row]:
    """Cross-validate a shop's own labelled inquiries and print a table. Raises BadInput."""
    encode = MultilingualEncoder().encode
    others = starter.outside()
    outside = texts_of(
        [o.text for o in others], [o.kind for o in others], [o.language for o in others], encode
    )
    rows = _theirs(path, outside, encode)
    print(json.dumps({"rows": rows}, ensure_ascii=False) if as_json else _table(path.name, rows))
    return rows


def _validated(inside: Texts, outside: Texts, quick: bool) -> list[Row]:
    models: dict[str, Any] = {"kernel machine (ours)": Ours(), "nearest wording": Nearest()}
    models["logistic regression, vectors"] = Linear("vectors")
    if not quick:
        models["logistic regression, TF-IDF"] = Linear("characters")
    rows: list[Row] = []
    for name, model in models.items():
        outcome = cross_validate(model, inside, outside)
        rows += [{"model": name, "language": k} | figures(outcome, inside, outside, k) for k in LANGUAGES]
    return rows


class _Sure(Ours):
    """The model, with the confidence that the desk goes by in place of "in scope"."""

    def fit_predict(
        self, train: Texts, outside: Texts, test: Texts, test_outside: Texts
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        model = _fitted(train, outside)
        summed = model.intents[1]
        scores, others = (model.scores(list(t.texts), t.vectors) for t in (test, test_outside))
        sure, stray = (model.in_scope(s) * (model.shares(s) @ summed).max(1) for s in (scores, others))
        return model.labels_[scores[:, :-1].argmax(1)], sure, stray


def _confidence(inside: Texts, outside: Texts) -> list[Row]:
    """Where the model is sure enough to answer by itself: how often that is, and how often it is then right."""
    outcome = cross_validate(_Sure(), inside, outside)
    told, sure, stray = outcome.told, outcome.scope, outcome.outside_scope
    right = np.array([intent_of(a) == intent_of(b) for a, b in zip(inside.labels, told, strict=True)])
    rows: list[Row] = []
    for language in LANGUAGES:
        mine, others = inside.languages == language, outside.languages == language
        answered = mine & (sure >= SURE)
        rows.append({
            "model": "kernel machine (ours)", "language": language, "confidence_from": SURE,
            "answered": float(answered.sum() / mine.sum()), "right_of_answered": float(right[answered].mean()),
            "out_of_scope_answered": float((stray[others] >= SURE).mean()),
        })  # fmt: skip
    return rows


def _few(inside: Texts, outside: Texts) -> list[Row]:
    """Macro-F1 with so many wordings a label and language, on all the others."""
    rows: list[Row] = []
    for shots in SHOTS:
        kept = _sampled(inside, shots)
        for name, model in (("kernel machine (ours)", Ours()), ("nearest wording", Nearest()),
                            ("logistic regression, vectors", Linear("vectors"))):  # fmt: skip
            told, *_ = model.fit_predict(inside.take(kept), outside, inside.take(~kept), outside)
            truth = [intent_of(t) for t in inside.labels[~kept]]
            f1 = f1_score(truth, [intent_of(t) for t in told], average="macro")
            rows.append({"model": name, "wordings_a_label": shots, "intent_macro_f1": float(f1)})
    return rows


def _sampled(inside: Texts, shots: int) -> NDArray[np.bool_]:
    rng, kept = np.random.default_rng(shots), np.zeros(len(inside), dtype=bool)
    pairs = np.array([f"{a} {b}" for a, b in zip(inside.labels, inside.languages, strict=True)])
    for pair in np.unique(pairs):
        kept[rng.choice(np.flatnonzero(pairs == pair), shots, replace=False)] = True
    return kept


def _simulated(inside: Texts, outside: Texts, encode: Any) -> list[Row]:
    """The starter set's model on inquiries that it never saw, written for another purpose."""
    text = (resources.files("customers.simulate") / "inquiries.csv").read_text(encoding="utf-8")
    rows = [(row[0], row[1], ",".join(row[2:])) for row in list(csv.reader(text.splitlines()))[1:]]
    filled = [
        wording.format(**(_FILLED if language == "en" else _FILLED_ZH)) for _, language, wording in rows
    ]
    theirs = texts_of(filled, [row[0] for row in rows], [row[1] for row in rows], encode)
    found: list[Row] = []
    for name, model in (("kernel machine (ours)", Ours()), ("nearest wording", Nearest()),
                        ("logistic regression, vectors", Linear("vectors"))):  # fmt: skip
        told, *_ = model.fit_predict(inside, outside, theirs, outside)
        for language in LANGUAGES:
            mine = theirs.languages == language
            right = [
                intent_of(t) in SIMULATED[w] for t, w in zip(told[mine], theirs.labels[mine], strict=True)
            ]
            found.append({"model": name, "language": language, "inquiries": int(mine.sum()),
                          "intent_right": float(np.mean(right))})  # fmt: skip
    return found


def _theirs(path: Path, outside: Texts, encode: Any) -> list[Row]:
    """A shop's own labelled inquiries, cross-validated by themselves."""
    labelled = [i for i in reading.read(path).inquiries if i.label]
    inside = texts_of(
        [i.text for i in labelled], [i.label for i in labelled], [i.language for i in labelled], encode
    )
    found: list[Row] = []
    for name, model in (("kernel machine (ours)", Ours()), ("nearest wording", Nearest())):
        outcome = cross_validate(model, inside, outside)
        found += [{"model": name, "language": k} | figures(outcome, inside, outside, k)
                  for k in sorted(set(inside.languages))]  # fmt: skip
    return found
