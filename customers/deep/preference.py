"""Training and measuring the models of behaviour: "buys from the category within 30 days"."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import nn

from customers.deep import augment
from customers.deep.behaviour import BehaviourTransformer, Pretraining, SeriesConvolution
from customers.deep.loop import Batch, History, fit, logits
from customers.deep.recipe import Recipe
from customers.deep.sequences import HORIZON, Ints, Sequences, bought_after, seen_by, series_at, sessions_at
from customers.errors import BadInput
from customers.profiles.quality import Quality, quality

Kind = Literal["conv", "behaviour"]
RECIPES: dict[Kind, Recipe] = {
    "conv": Recipe(epochs=6, batch=32, rate=2e-3),
    "behaviour": Recipe(epochs=6, batch=64, rate=1.5e-3),
}
PRETRAINING = Recipe(epochs=3, batch=64, rate=2e-3)
CUTS, APART, HISTORY = 6, 15, 30
DEV_SHARE = 0.15
MOST_CUSTOMERS = 5000


@dataclass(frozen=True, slots=True)
class Rows:
    """Batches of the training and the dev customers at the training cuts, of the dev customers at the last of
    them, and of everybody at the test cut; the customers' numbers of the last two, and those trained on with their
    cuts."""

    train: Batch
    dev: Batch
    test: Batch
    latest_dev: Batch
    dev_who: Ints
    test_who: Ints
    cut: date
    train_at: list[tuple[Ints, date]]


def layout(kind: Kind, held: Sequences, who: Ints, cut: date) -> Batch:
    """What the model sees of customers at a cut, as a batch without target."""
    if kind == "conv":
        return {"series": torch.from_numpy(series_at(held, who, cut))}
    cells, ages = sessions_at(held, who, cut)
    return {"cells": torch.from_numpy(cells), "ages": torch.from_numpy(ages)}


def rows(kind: Kind, held: Sequences, cut: date, seed: int = 0, labelled: float = 1.0) -> Rows:
    """Lay out training, dev and test rows; no row before the test cut knows of a day after it. `labelled` is the
    share of the training customers that are taken. Raises BadInput where the data is too short."""
    first = date(1970, 1, 1) + timedelta(days=int(held.day.min()))
    cuts = [cut - timedelta(days=HORIZON + APART * n) for n in range(CUTS)]
    cuts = [day for day in cuts if (day - first).days >= HISTORY]
    if not cuts:
        raise BadInput("the data covers too few days to learn from; three months are needed at least")
    chance = np.random.default_rng(seed)
    everybody = chance.permutation(len(held.customers))[: int(MOST_CUSTOMERS / (1 - DEV_SHARE))]
    devs = max(1, round(DEV_SHARE * len(everybody)))
    dev, train = np.sort(everybody[:devs]), everybody[devs:]
    train = np.sort(train[: max(1, round(labelled * len(train)))])
    dev_who = np.intersect1d(dev, seen_by(held, cuts[0]))
    test_who = seen_by(held, cut)
    return Rows(
        _joined([_labelled(kind, held, train, day) for day in cuts]),
        _joined([_labelled(kind, held, dev, day) for day in cuts[:2]]),
        layout(kind, held, test_who, cut),
        layout(kind, held, dev_who, cuts[0]),
        dev_who,
        test_who,
        cut,
        [(np.intersect1d(train, seen_by(held, day)), day) for day in cuts],
    )


def _labelled(kind: Kind, held: Sequences, who: Ints, cut: date) -> Batch:
    known = np.intersect1d(who, seen_by(held, cut))
    target = torch.from_numpy(bought_after(held, known, cut))
    return layout(kind, held, known, cut) | {"target": target}


def _odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return logit(np.clip(probability, 1e-6, 1 - 1e-6))


def _joined(parts: list[Batch]) -> Batch:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def build(kind: Kind, held: Sequences, seed: int = 0, **shape: Any) -> nn.Module:
    """A new model of the shop's categories and kinds."""
    torch.manual_seed(seed)
    made = SeriesConvolution if kind == "conv" else BehaviourTransformer
    return made(len(held.categories), len(held.kinds), **shape)


def pretrain(
    model: nn.Module,
    held: Sequences,
    data: Rows,
    recipe: Recipe,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
) -> History:
    """Learn every next session from sequences without labels up to the test cut, of all customers but the dev ones
    (`model` is a BehaviourTransformer)."""
    assert isinstance(model, BehaviourTransformer)
    days = (data.cut, data.cut - timedelta(days=90))
    who = [np.setdiff1d(seen_by(held, day), data.dev_who) for day in days]
    found = [layout("behaviour", held, known, day) for known, day in zip(who, days, strict=True)]
    found = [part for part in found if len(part["ages"])]
    everything = _joined(found)
    order = torch.randperm(len(everything["ages"]), generator=torch.Generator().manual_seed(recipe.seed))
    devs = max(1, len(order) // 10)
    dev, train = ({n: v[part] for n, v in everything.items()} for part in (order[:devs], order[devs:]))
    return fit(Pretraining(model), train, dev, recipe, folder, augment=augment.sessions, say=say)


def train(
    kind: Kind,
    model: nn.Module,
    data: Rows,
    recipe: Recipe,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
) -> History:
    """Fit a model of `build` on the rows."""
    altered = augment.series if kind == "conv" else augment.sessions
    return fit(model, data.train, data.dev, recipe, folder, augment=altered, say=say)


def probability(model: nn.Module, rows_of: Batch, device: str = "cpu") -> NDArray[np.float64]:
    """Shape (rows, categories)."""
    return expit(logits(model, rows_of, device).numpy().astype(np.float64))


def stacked(
    plain: NDArray[np.float64],
    deep: NDArray[np.float64],
    truth: NDArray[np.float64],
    plain_then: NDArray[np.float64],
    deep_then: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probabilities from both models' log-odds, weighed by a logistic regression on one outcome and applied to
    another; all (rows, categories)."""
    from sklearn.linear_model import LogisticRegression

    def pair(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([_odds(a).ravel(), _odds(b).ravel()])

    fitted = LogisticRegression(C=1e4).fit(pair(plain, deep), truth.ravel())
    return fitted.predict_proba(pair(plain_then, deep_then))[:, 1].reshape(plain_then.shape)


def paired_gain(
    truth: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64], draws: int = 200
) -> tuple[float, float, float]:
    """Gain in PR-AUC of `ours` over `theirs` and its 95 % interval, customers drawn again (bootstrap)."""
    from sklearn.metrics import average_precision_score

    chance = np.random.default_rng(0)
    gains = []
    for draw in range(draws + 1):
        who = np.arange(len(truth)) if draw == 0 else chance.integers(0, len(truth), len(truth))
        scores = [average_precision_score(truth[who].ravel(), p[who].ravel()) for p in (ours, theirs)]
        gains.append(scores[0] - scores[1])
    low, high = np.quantile(gains[1:], [0.025, 0.975])
    return float(gains[0]), float(low), float(high)


def figures(found: Quality) -> dict[str, float]:
    """The figures of a quality that the tables show."""
    shown = ("roc_auc", "pr_auc", "mean_roc_auc", "mean_pr_auc", "brier", "ece")
    return {name: round(value, 4) for name, value in asdict(found).items() if name in shown}


def tested(model: nn.Module, held: Sequences, data: Rows) -> dict[str, float]:
    """Figures on everybody's 30 days after the test cut."""
    truth = bought_after(held, data.test_who, data.cut).astype(np.float64)
    return figures(quality(truth, probability(model, data.test)))


def with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with another number of epochs, where one is given."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)
