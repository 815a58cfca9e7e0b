"""A sequential transformer over what customers take: from the trips so far to the items of the next ones.

A trip is the mean of its items' embeddings, plus how long ago the trip before it was, plus its place from the
end; causal self-attention reads the trips (Kang and McAuley, SASRec, ICDM 2018, where every trip has one item);
the output is compared with every item's embedding. The loss is the softmax over the next trips' items, against
all items or a sample of them (Klenitskiy and Vasilev, "Turning dross into gold loss", RecSys 2023).
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

Ints = NDArray[np.integer[Any]]
GAPS = 16


@dataclass(frozen=True, slots=True)
class NextItemsRecipe:
    """`trips` read at most, `wide` items of a trip read at most, `ahead` trips whose items are the target.
    `negatives`: items that the softmax is taken against in each batch (0: all)."""

    trips: int = 50
    wide: int = 1
    ahead: int = 1
    dimensions: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    epochs: int = 30
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    negatives: int = 0
    device: str = "cpu"
    random_state: int = 0


@dataclass(frozen=True, slots=True)
class Trips:
    """Trips by customer and time: customer c's are `start[c]:start[c+1]`; trip t's items
    `first[t]:first[t+1]` of `item` (0 … items - 1); `day` of each trip (any whole numbers)."""

    start: Ints
    first: Ints
    item: Ints
    day: Ints
    items: int


class NextItems(nn.Module):
    """Scores of all items after each trip."""

    def __init__(self, items: int, recipe: NextItemsRecipe) -> None:
        super().__init__()
        size = recipe.dimensions
        self.recipe = recipe
        self.embedding = nn.Embedding(items + 1, size, padding_idx=0)
        self.place = nn.Embedding(recipe.trips, size)
        self.gap = nn.Embedding(GAPS, size)
        layer = nn.TransformerEncoderLayer(
            size, recipe.heads, 2 * size, recipe.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.reader = nn.TransformerEncoder(layer, recipe.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(recipe.dropout)
        self.bias = nn.Parameter(torch.zeros(items + 1))
        for table in (self.embedding, self.place, self.gap):
            nn.init.normal_(table.weight, std=0.02)
        with torch.no_grad():
            self.embedding.weight[0] = 0

    def forward(self, item: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
        """`item`, shape (batch, trips, wide), 0 where there is none, the last trip last; `gap`, shape
        (batch, trips). Returns states of shape (batch, trips, dimensions)."""
        there = (item > 0).sum(-1, keepdim=True)
        read = self.embedding(item).sum(2) / there.clamp(min=1).sqrt()
        length = item.shape[1]
        place = torch.arange(length - 1, -1, -1, device=item.device)
        read = self.dropout(read * self.recipe.dimensions**0.5 * 0.5 + self.place(place) + self.gap(gap))
        causal = torch.ones(length, length, dtype=torch.bool, device=item.device).triu(1)
        # A row of padding may look at itself, else its attention has nothing and is NaN.
        empty = there[..., 0] == 0
        barred = causal[None] | empty[:, None, :]
        barred = barred & ~torch.eye(length, dtype=torch.bool, device=item.device)
        mask = barred.repeat_interleave(self.recipe.heads, 0)
        return self.norm(self.reader(read, mask=mask))

    def loss(self, state: torch.Tensor, target: torch.Tensor, negatives: torch.Tensor | None) -> torch.Tensor:
        """Mean over targets of -log softmax; `state` (rows, dimensions), `target` (rows, targets), 0: none."""
        wanted = target > 0
        if negatives is None:
            logits = state @ self.embedding.weight.T + self.bias
            logits[:, 0] = -torch.inf
            found = logits.gather(1, target) - torch.logsumexp(logits, 1, keepdim=True)
        else:
            other = state @ self.embedding.weight[negatives].T + self.bias[negatives]
            right = (state[:, None, :] * self.embedding(target)).sum(-1) + self.bias[target]
            found = -functional.softplus(torch.logsumexp(other, 1, keepdim=True) - right)
        each = (found.masked_fill(~wanted, 0)).sum(1) / wanted.sum(1).clamp(min=1)
        return -each.sum() / wanted.any(1).sum().clamp(min=1)


def gaps_of(days: torch.Tensor) -> torch.Tensor:
    """Days between trips as one of `GAPS` steps, finer where small."""
    return (2 * torch.log2(1 + days.clamp(min=0).float())).long().clamp(max=GAPS - 1)


def fit(trips: Trips, recipe: NextItemsRecipe, say: Callable[[str], None] = lambda _: None) -> NextItems:
    """Train on every customer with two trips or more; `say` hears the loss of each epoch."""
    torch.manual_seed(recipe.random_state)
    draw = np.random.default_rng(recipe.random_state)
    device = torch.device(recipe.device)
    model = NextItems(trips.items, recipe).to(device).train()
    steps = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    customers = np.flatnonzero(np.diff(trips.start) > 1)
    total = recipe.epochs * max(1, -(-len(customers) // recipe.batch))
    warm = max(1, total // 10)
    pace = torch.optim.lr_scheduler.LambdaLR(
        steps, lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / total))
    )
    for epoch in range(recipe.epochs):
        losses = []
        order = draw.permutation(customers)
        for start in range(0, len(order), recipe.batch):
            item, gap, target = _batch(trips, order[start : start + recipe.batch], recipe, hold=1)
            rows = torch.from_numpy((target > 0).any(-1)).to(device)
            state = model(_to(item, device), gaps_of(_to(gap, device)))[rows]
            negatives = None
            if recipe.negatives:
                negatives = _to(draw.integers(1, trips.items + 1, recipe.negatives), device)
            loss = model.loss(state, _to(target, device)[rows], negatives)
            steps.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            steps.step()
            pace.step()
            losses.append(float(loss.detach()))
        say(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")
    return model.eval()


@torch.no_grad()
def scores(model: NextItems, trips: Trips, customers: Ints) -> NDArray[np.float32]:
    """Logits of every item after each customer's last trip, shape (customers, items); 0 without a trip."""
    device = next(model.parameters()).device
    found = np.zeros((len(customers), trips.items), np.float32)
    for start in range(0, len(customers), 256):
        item, gap, _ = _batch(trips, customers[start : start + 256], model.recipe, hold=0)
        state = model(_to(item, device), gaps_of(_to(gap, device)))[:, -1]
        logits = state @ model.embedding.weight[1:].T + model.bias[1:]
        found[start : start + 256] = logits.float().cpu().numpy()
    return found


def _to(values: Ints, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64)).to(device)


def _batch(trips: Trips, customers: Ints, recipe: NextItemsRecipe, hold: int) -> tuple[Ints, Ints, Ints]:
    """Items and gaps of the last trips but `hold`, and the items of the `ahead` trips after each."""
    rows, length = len(customers), recipe.trips
    end = trips.start[customers + 1][:, None] - hold
    trip = end - length + np.arange(length)[None, :]
    there = trip >= trips.start[customers][:, None]
    item = np.where(there[..., None], _items(trips, np.where(there, trip, 0), recipe.wide), 0)
    before = there & (trip > trips.start[customers][:, None])
    gap = np.where(before, trips.day[np.where(there, trip, 0)] - trips.day[np.where(before, trip - 1, 0)], 0)
    if not hold:
        return item, gap, np.zeros((rows, length, 0), np.int64)
    ahead = []
    for step in range(1, recipe.ahead + 1):
        later = trip + step
        known = there & (later < trips.start[customers + 1][:, None])
        ahead.append(np.where(known[..., None], _items(trips, np.where(known, later, 0), recipe.wide), 0))
    return item, gap, np.concatenate(ahead, -1)


def _items(trips: Trips, trip: Ints, wide: int) -> Ints:
    """1 + item numbers of each trip, up to `wide`, 0 where there are no more."""
    place = trips.first[trip][..., None] + np.arange(wide)
    there = place < trips.first[trip + 1][..., None]
    return np.where(there, trips.item[np.minimum(place, len(trips.item) - 1)] + 1, 0)
