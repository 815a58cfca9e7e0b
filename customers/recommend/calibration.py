"""Held-out check of the rate model of `recommend.audience`."""

from __future__ import annotations

import numpy as np

from customers.recommend.audience import HALF_LIFE, exposure, fit_rate
from customers.recommend.history import History, Ints

THINGS = 80


def rate_quality(history: History, days: int) -> dict[str, dict[str, float]]:
    """Fit on all but the last `days` days, score on them, for the 80 categories and the 80 products
    with the most buyers: mean predicted and actual share, Brier score, expected calibration error
    (ten bins of equal size), ROC-AUC over all pairs."""
    known = history.before(history.cut - days)
    wide = history.shape[1]
    found = {}
    for name, thing in (("categories", history.catalogue.categories), ("products", np.arange(wide))):
        found[name] = _quality(known, history, thing, days)
    return found


def _quality(known: History, history: History, thing: Ints, days: int) -> dict[str, float]:
    people = history.shape[0]
    first = np.full(people, known.cut)
    np.minimum.at(first, known.customer, known.day)
    tenure = (known.cut - first).astype(float)
    exposed = exposure(tenure)
    bought = thing[known.product]
    top = np.argsort(-np.bincount(bought), kind="stable")[:THINGS]
    later = history.day >= known.cut
    predicted, actual = [], []
    for kind in top.tolist():
        rows = np.flatnonzero(bought == kind)
        rows = rows[np.unique(known.basket[rows], return_index=True)[1]]
        age = known.cut - known.day[rows]
        worth = np.exp2(-age / HALF_LIFE)
        baskets = np.bincount(known.customer[rows], worth, minlength=people).astype(np.float64)
        predicted.append(fit_rate(baskets, exposed).probability(baskets, exposed, days)[tenure > 0])
        hit = np.zeros(people)
        hit[history.customer[later & (thing[history.product] == kind)]] = 1
        actual.append(hit[tenure > 0])
    return _figures(np.concatenate(predicted), np.concatenate(actual))


def _figures(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, 10)
    gaps = [abs(predicted[b].mean() - actual[b].mean()) * len(b) for b in bins if len(b)]
    positives = float(actual.sum())
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    negatives = len(actual) - positives
    pairs = positives * negatives
    auc = (float(ranks[actual > 0].sum()) - positives * (positives + 1) / 2) / pairs if pairs else 0.5
    return {
        "predicted": float(predicted.mean()),
        "actual": float(actual.mean()),
        "brier": float(((predicted - actual) ** 2).mean()),
        "ece": float(sum(gaps) / len(order)),
        "auc": auc,
    }
