"""Training and measuring the models of text: reviews good or bad, what an inquiry is about."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from customers.deep import augment
from customers.deep.loop import Batch, History, fit, logits
from customers.deep.recipe import Recipe
from customers.deep.report import Report, report
from customers.deep.text import ReviewReader, TextClassifier, Variant, hashed, tokenised
from customers.deep.wordings import Labelled

Kind = Literal["gru", "text"]
GRU = Recipe(epochs=12, batch=64, rate=2e-3, augment=0.5)
# The fewer weights are trained, the higher the rate they bear.
RECIPES: dict[Variant, Recipe] = {
    "full": Recipe(epochs=8, batch=32, rate=1e-4),
    "frozen": Recipe(epochs=12, batch=32, rate=1e-2, patience=3),
    "lora": Recipe(epochs=10, batch=32, rate=1.5e-3, patience=3),
    "adalora": Recipe(epochs=10, batch=32, rate=4e-3, patience=3),
    "ia3": Recipe(epochs=12, batch=32, rate=1e-2, patience=3),
    "adapter": Recipe(epochs=10, batch=32, rate=1.5e-3, patience=3),
    "prefix": Recipe(epochs=12, batch=32, rate=1e-2, patience=3),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Batches of a labelled set, with the classes that the targets number."""

    train: Batch
    dev: Batch
    test: Batch
    classes: list[str]


def rows(found: Labelled, encoder: Path | None, longest: int = 64) -> Rows:
    """Numbers for the texts: the encoder's tokens, or hashed words where `encoder` is None."""
    ids = hashed(found.texts, longest) if encoder is None else tokenised(encoder, found.texts, longest)
    everything = ids | {"target": torch.from_numpy(found.label)}
    train, dev, test = (
        {n: v[torch.from_numpy(part)] for n, v in everything.items()}
        for part in (found.train, found.dev, found.test)
    )
    return Rows(train, dev, test, found.classes)


def build(
    classes: int,
    encoder: Path | None,
    variant: Variant = "full",
    seed: int = 0,
    target: torch.Tensor | None = None,
) -> nn.Module:
    """A new model; with `target`, a rare class's mistakes weigh as much as a frequent one's."""
    torch.manual_seed(seed)
    weights = None
    if target is not None:
        counts = torch.bincount(target, minlength=classes).clamp(min=1)
        weights = len(target) / (classes * counts.float())
    if encoder is None:
        return ReviewReader(classes, class_weights=weights)
    return TextClassifier(encoder, classes, variant, class_weights=weights)


def train(
    model: nn.Module, data: Rows, recipe: Recipe, folder: Path, say: Callable[[str], None] = lambda _: None
) -> History:
    """Fit a model of `build`."""
    return fit(model, data.train, data.dev, recipe, folder, augment=augment.tokens, say=say)


def tested(model: nn.Module, data: Rows) -> Report:
    """The classification report on the test rows."""
    batch = data.test
    found = logits(model, {n: v for n, v in batch.items() if n != "target"})
    return report(batch["target"].numpy(), found.numpy(), data.classes)


def read(model: nn.Module, texts: list[str], encoder: Path | None) -> np.ndarray:
    """Probabilities of the classes, (texts, classes)."""
    ids = hashed(texts) if encoder is None else tokenised(encoder, texts)
    return torch.softmax(logits(model, ids), 1).numpy()
