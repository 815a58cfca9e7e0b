"""Models of behaviour: a convolution over each category's series, a transformer over mixed sessions.

Both give logits for "buys from the category within 30 days", shape (rows, categories).
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

Batch = dict[str, torch.Tensor]
AGES = 24  # buckets of an age in days, by its logarithm; about two years
_COPIES = 4
_HALF_LIVES = (7.0, 30.0, 90.0, 360.0)


class SeriesConvolution(nn.Module):
    """f(x) = Σ wᵢ ⋆ xᵢ + b over the series of a category and of the whole shop, max pooling, and again; the
    filters are shared by all categories.

    A batch has "series" (rows, categories, kinds, bins).
    """

    def __init__(self, categories: int, kinds: int, width: int = 24, dropout: float = 0.1) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            nn.Conv1d(2 * kinds, width, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(width, width, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.category = nn.Embedding(categories, 8)
        self.bias = nn.Embedding(categories, 1)
        self.head = nn.Sequential(
            nn.Linear(3 * width + 2 * kinds + 8, 48), nn.ReLU(), nn.Dropout(dropout), nn.Linear(48, 1)
        )
        nn.init.zeros_(self.bias.weight)

    def forward(self, batch: Batch) -> torch.Tensor:
        series = batch["series"]
        rows, categories, kinds, bins = series.shape
        shop = torch.log1p(torch.expm1(series).sum(1, keepdim=True)).expand_as(series) / 3
        both = torch.cat([series, shop], 2).reshape(rows * categories, 2 * kinds, bins)
        found = self.filters(both)
        kinds_of = torch.arange(categories, device=series.device)
        told = torch.cat(
            [
                found.amax(2),
                found.mean(2),
                found[:, :, -1],
                both.mean(2),
                self.category(kinds_of).repeat(rows, 1),
            ],
            1,
        )
        return self.head(told).reshape(rows, categories) + self.bias(kinds_of).T


class BehaviourTransformer(nn.Module):
    """A causal transformer over sessions of mixed behaviour (after SASRec; Kang & McAuley 2018), each the sum of
    its cells' embeddings and its age's, with a last place for "now".

    A category's logit is read from the state at "now" and from what attention with learned decay copies of the
    category's own past (after RepeatNet; Ren et al. 2019). `pretraining_loss` predicts each next session's
    cells, from sequences without labels.

    A batch has "cells" (rows, sessions, cells; 0 none) and "ages" (rows, sessions; -1 none).
    """

    def __init__(
        self,
        categories: int,
        kinds: int,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.categories, self.kinds, self.width = categories, kinds, width
        count = categories * kinds
        self.cells = nn.EmbeddingBag(count + 1, width, mode="sum", padding_idx=0)
        self.ages = nn.Embedding(AGES + 1, width)
        self.now = nn.Parameter(torch.zeros(width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.next_cells = nn.Linear(width, count)
        self.heed = nn.Linear(width, _COPIES)
        self.half_lives = nn.Parameter(torch.tensor(_HALF_LIVES).log())
        self.category = nn.Embedding(categories, 8)
        self.state = nn.Linear(width, 16)
        self.head = nn.Sequential(nn.Linear(_COPIES * (kinds + 1) + 24, 48), nn.GELU(), nn.Linear(48, 1))
        self.direct = nn.Linear(width, categories)
        nn.init.normal_(self.cells.weight, std=0.05)
        nn.init.zeros_(self.heed.weight)
        nn.init.zeros_(self.heed.bias)
        nn.init.zeros_(self.direct.weight)

    def forward(self, batch: Batch) -> torch.Tensor:
        states, now = self._encoded(batch)
        copied = self._copied(batch, states)
        categories = torch.arange(self.categories, device=now.device)
        shared = torch.cat(
            [self.category(categories).expand(len(now), -1, -1),
             self.state(now)[:, None].expand(-1, self.categories, -1)], 2
        )  # fmt: skip
        found = self.head(torch.cat([copied, shared.to(copied.dtype)], 2))[..., 0]
        return found + self.direct(now)

    def pretraining_loss(self, batch: Batch) -> torch.Tensor:
        """Binary cross-entropy of every next session's cells, over the places that have one."""
        states, _ = self._encoded(batch)
        guess = self.next_cells(states[:, :-1])
        cells, there = batch["cells"][:, 1:], (batch["ages"][:, :-1] >= 0)
        truth = torch.zeros(*guess.shape[:2], guess.shape[2] + 1, device=guess.device)
        truth.scatter_(2, cells, 1.0)
        loss = nn.functional.binary_cross_entropy_with_logits(guess.float(), truth[..., 1:], reduction="none")
        return (loss.mean(2) * there).sum() / there.sum().clamp(min=1)

    def _encoded(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """States at the sessions (rows, sessions, width) and at "now" (rows, width)."""
        cells, ages = batch["cells"], batch["ages"]
        rows, sessions, size = cells.shape
        bags = self.cells(cells.reshape(rows * sessions, size)).reshape(rows, sessions, self.width)
        bucket = (torch.log1p(ages.clamp(min=0).float()) * (AGES / math.log(800))).long().clamp(max=AGES - 1)
        newest = torch.where(ages >= 0, ages, 10_000).amin(1).clamp(max=799).float()
        now = self.now + self.ages((torch.log1p(newest) * (AGES / math.log(800))).long().clamp(max=AGES))
        x = torch.cat([bags + self.ages(bucket), now[:, None]], 1)
        empty = torch.cat([ages < 0, torch.zeros(rows, 1, dtype=torch.bool, device=ages.device)], 1)
        # A place sees itself, what is before it, and no empty place but itself.
        causal = torch.ones(sessions + 1, sessions + 1, dtype=torch.bool, device=ages.device).triu(1)
        mask = torch.zeros(rows, sessions + 1, sessions + 1, device=ages.device, dtype=torch.float32)
        hidden = (causal | empty[:, None]) & ~torch.eye(sessions + 1, dtype=torch.bool, device=ages.device)
        mask = mask.masked_fill(hidden, -1e4).repeat_interleave(self.blocks.layers[0].self_attn.num_heads, 0)
        states = self.blocks(x, mask=mask)
        return states[:, :-1], states[:, -1]

    def _copied(self, batch: Batch, states: torch.Tensor) -> torch.Tensor:
        """Each category's decayed own past: log of what is heeded of it, as a level and as a share of all
        sessions; (rows, categories, copies * (kinds + 1))."""
        cells, ages = batch["cells"], batch["ages"].clamp(min=0).float()
        rows, sessions, size = cells.shape
        decay = torch.exp(-math.log(2) * ages[..., None] / self.half_lives.exp())
        weight = decay * torch.exp(self.heed(states).float().clamp(-4, 4)) * (batch["ages"] >= 0)[..., None]
        index = cells.reshape(rows, 1, sessions * size).expand(-1, _COPIES, -1)
        spread = weight.permute(0, 2, 1)[..., None].expand(-1, -1, -1, size).reshape(rows, _COPIES, -1)
        mass = torch.zeros(rows, _COPIES, self.categories * self.kinds + 1, device=cells.device)
        mass = mass.scatter_add(2, index, spread)[..., 1:].reshape(rows, _COPIES, self.kinds, self.categories)
        share = (mass[:, :, :1] + 0.02) / (weight.sum(1)[:, :, None, None] + 1)
        told = torch.cat([torch.log(mass + 0.05), torch.log(share)], 2)
        return told.reshape(rows, -1, self.categories).permute(0, 2, 1)


class Pretraining(nn.Module):
    """A transformer seen as the model of its own next sessions, for `loop.fit`."""

    def __init__(self, model: BehaviourTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.model.pretraining_loss(batch)

    def loss(self, batch: Batch, spread: Any) -> torch.Tensor:
        """`spread` is this model as the processes share it."""
        return spread(batch)
