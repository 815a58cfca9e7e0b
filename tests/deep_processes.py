"""A process of `torchrun`, for tests/test_deep.py: train a convolution on made-up series and keep its weights."""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from pathlib import Path

import torch

from customers.deep.behaviour import SeriesConvolution
from customers.deep.loop import fit
from customers.deep.recipe import Recipe


def made(rows: int, seed: int) -> dict[str, torch.Tensor]:
    """Series in which a category is bought where it was looked at in the last two bins."""
    chance = torch.Generator().manual_seed(seed)
    series = (torch.rand(rows, 3, 2, 8, generator=chance) < 0.2).float()
    return {"series": series, "target": series[:, :, 1, -2:].amax(2)}


def train(folder: Path, batch: int, epochs: int = 3) -> torch.nn.Module:
    """Without dropout, so that only the batches decide."""
    torch.manual_seed(0)
    model = SeriesConvolution(3, 2, dropout=0.0)
    recipe = Recipe(epochs=epochs, batch=batch, rate=5e-3, device="cpu")
    fit(model, made(240, 1), made(60, 2), recipe, folder, log=False)
    return model


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))
