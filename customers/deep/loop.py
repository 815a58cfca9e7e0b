"""The one training loop: AdamW, a loss an epoch, early stopping on the dev rows, resuming, several processes.

A model is a `torch.nn.Module` that takes a batch (name -> tensor, rows first) and gives logits; the batch's
"target" is class numbers (cross-entropy) or a matrix of 0 and 1 (binary cross-entropy). A model may bring its
own `loss(batch)`, and `after_step(step, steps)`.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from customers.deep import checkpoint
from customers.deep.processes import Place, place
from customers.deep.recipe import Recipe
from customers.errors import BadInput

Batch = dict[str, torch.Tensor]
Augment = Callable[[Batch, float, torch.Generator], Batch]
LAST, BEST = "last.safetensors", "best.safetensors"
_EVALUATION_ROWS = 512


@dataclass(slots=True)
class History:
    """Loss by epoch (mean over rows) on the training and the dev rows, seconds in all, and whether the run
    ended before its last epoch. `trained` counts the weights that were trained."""

    train_loss: list[float] = field(default_factory=list)
    dev_loss: list[float] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    stopped_early: bool = False
    trained: int = 0


def fit(
    model: nn.Module,
    train: Batch,
    dev: Batch,
    recipe: Recipe,
    folder: Path,
    *,
    augment: Augment | None = None,
    say: Callable[[str], None] = lambda _: None,
    log: bool = True,
) -> History:
    """Train `model` in place and leave it with the weights of its best epoch, on the CPU.

    `folder` gets best.safetensors, last.safetensors (to go on from, where the run is killed) and log/ for
    TensorBoard. Equal data, recipe and number of processes give equal weights on a CPU. Raises BadInput where
    the folder holds a run of another recipe, the loss is not finite, or there are no rows.
    """
    if not _rows(train) or not _rows(dev):
        raise BadInput("no rows to train on, or none to watch it with; bring in more data")
    with place(recipe.device) as here:
        history = _Run(model, train, dev, recipe, folder, here, augment, say, log).go()
    model.to("cpu").eval()
    return history


@torch.no_grad()
def logits(model: nn.Module, rows: Batch, device: str = "cpu") -> torch.Tensor:
    """The model's logits of all rows, on the CPU."""
    model.to(device).eval()
    found = []
    for start in range(0, _rows(rows), _EVALUATION_ROWS):
        batch = {name: value[start : start + _EVALUATION_ROWS].to(device) for name, value in rows.items()}
        with torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda")):
            found.append(model(batch).float().cpu())
    return torch.cat(found)


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """The batch's mean loss."""
    inner = getattr(model, "module", model)
    if hasattr(inner, "loss"):
        return inner.loss(batch, model)
    target, found = batch["target"], model(batch)
    if target.dtype == torch.long:
        return nn.functional.cross_entropy(
            found.float(), target, weight=getattr(inner, "class_weights", None)
        )
    return nn.functional.binary_cross_entropy_with_logits(found.float(), target.float())


def _rows(batch: Batch) -> int:
    return len(next(iter(batch.values())))


@dataclass(slots=True)
class _Run:
    model: nn.Module
    train: Batch
    dev: Batch
    recipe: Recipe
    folder: Path
    here: Place
    augment: Augment | None
    say: Callable[[str], None]
    log: bool

    def go(self) -> History:
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(self.recipe.seed)
        self.model.to(self.here.device)
        weights = [p for p in self.model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=self.recipe.rate, weight_decay=self.recipe.decay)
        history = self._resumed(optimiser)
        history.trained = sum(p.numel() for p in weights)
        spread = DistributedDataParallel(self.model) if self.here.size > 1 else self.model
        writer = self._writer()
        for epoch in range(len(history.train_loss), self.recipe.epochs):
            if self._is_over(history):
                break
            begun = time.perf_counter()
            history.train_loss.append(self._epoch(spread, weights, optimiser, epoch))
            history.dev_loss.append(self._dev_loss())
            history.seconds += time.perf_counter() - begun
            self._kept(history, optimiser, epoch)
            told = f"train loss {history.train_loss[-1]:.4f}, dev loss {history.dev_loss[-1]:.4f}"
            if self.here.first:
                self.say(f"epoch {epoch + 1} of {self.recipe.epochs}: {told}, {history.seconds:.0f} s")
            if writer is not None:
                writer.add_scalars(
                    "loss", {"train": history.train_loss[-1], "dev": history.dev_loss[-1]}, epoch + 1
                )
        history.stopped_early = len(history.train_loss) < self.recipe.epochs
        if writer is not None:
            writer.close()
        if self.here.size > 1:
            torch.distributed.barrier()
        checkpoint.put_back(self.model, checkpoint.read(self.folder / BEST)[0])
        return history

    def _is_over(self, history: History) -> bool:
        return len(history.dev_loss) - history.best_epoch >= self.recipe.patience and history.best_epoch > 0

    def _epoch(
        self, model: nn.Module, weights: list[Any], optimiser: torch.optim.Optimizer, epoch: int
    ) -> float:
        """One pass over the training rows; a seed of its own makes a resumed run equal an unbroken one."""
        model.train()
        torch.manual_seed(self.recipe.seed + 7919 * (epoch + 1) + self.here.rank)
        chance = torch.Generator().manual_seed(self.recipe.seed + 104_729 * (epoch + 1))
        batches = list(self._batches(chance))
        steps, total, seen = len(batches) * self.recipe.epochs, 0.0, 0
        for n, rows in enumerate(batches):
            batch = {name: value[rows] for name, value in self.train.items()}
            if self.augment is not None and self.recipe.augment > 0:
                batch = self.augment(batch, self.recipe.augment, chance)
            batch = {name: value.to(self.here.device, non_blocking=True) for name, value in batch.items()}
            step = epoch * len(batches) + n
            for group in optimiser.param_groups:
                group["lr"] = self.recipe.rate * _warmth(step, steps)
            with torch.autocast("cuda", torch.bfloat16, enabled=self.here.bf16):
                loss = loss_of(model, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(weights, self.recipe.clip)
            optimiser.step()
            if hasattr(self.model, "after_step"):
                self.model.after_step(step, steps)
            total, seen = total + float(loss.detach()) * len(rows), seen + len(rows)
        total, count = self.here.summed(total, seen)
        if not total == total or total == float("inf"):
            raise BadInput(f"the loss of epoch {epoch + 1} is no number; train with a lower --rate")
        return total / count

    def _batches(self, chance: torch.Generator) -> Iterator[torch.Tensor]:
        """Row numbers of this process's batches; every process gets as many."""
        order = torch.randperm(_rows(self.train), generator=chance)
        size, batch = self.here.size, min(self.recipe.batch, max(1, len(order) // self.here.size))
        even = len(order) - len(order) % size
        yield from order[:even][self.here.rank :: size].split(batch)

    @torch.no_grad()
    def _dev_loss(self) -> float:
        self.model.eval()
        total, seen = 0.0, 0
        own = torch.arange(self.here.rank, _rows(self.dev), self.here.size)
        for rows in own.split(_EVALUATION_ROWS):
            batch = {name: value[rows].to(self.here.device) for name, value in self.dev.items()}
            with torch.autocast("cuda", torch.bfloat16, enabled=self.here.bf16):
                total += float(loss_of(self.model, batch)) * len(rows)
            seen += len(rows)
        total, count = self.here.summed(total, seen)
        return total / count

    def _kept(self, history: History, optimiser: torch.optim.Optimizer, epoch: int) -> None:
        """Note the best epoch, and write what the run can go on from."""
        best = min(history.dev_loss) == history.dev_loss[-1]
        if best:
            history.best_epoch = epoch + 1
        if not self.here.first:
            return
        weights = checkpoint.own_weights(self.model)
        if best:
            checkpoint.write(self.folder / BEST, weights, {"epoch": epoch + 1})
        about = {
            "train_loss": history.train_loss,
            "dev_loss": history.dev_loss,
            "best_epoch": history.best_epoch,
            "seconds": history.seconds,
            "signature": self._signature(),
        }
        named = {f"model.{name}": value for name, value in weights.items()}
        checkpoint.write(self.folder / LAST, named | checkpoint.optimiser_tensors(optimiser), about)

    def _resumed(self, optimiser: torch.optim.Optimizer) -> History:
        """The history of the run in the folder, its weights and optimiser put back; an empty one otherwise."""
        path = self.folder / LAST
        if not path.is_file():
            return History()
        tensors, about = checkpoint.read(path)
        if about["signature"] != self._signature():
            raise BadInput(
                f"{self.folder}: holds a run of other data or another recipe; say --again, or give another --out"
            )
        model = {name.removeprefix("model."): v for name, v in tensors.items() if name.startswith("model.")}
        checkpoint.put_back(self.model, model)
        checkpoint.restore_optimiser(optimiser, tensors)
        if self.here.first:
            self.say(f"going on after epoch {len(about['train_loss'])}")
        return History(*(about[name] for name in ("train_loss", "dev_loss", "best_epoch", "seconds")))

    def _signature(self) -> dict[str, Any]:
        return self.recipe.signature() | {"rows": _rows(self.train), "processes": self.here.size}

    def _writer(self) -> Any:
        if not (self.log and self.here.first):
            return None
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "log"))


def _warmth(step: int, steps: int) -> float:
    """Share of the highest rate at a step: up over the first tenth, down along a line after it."""
    rise = max(1, steps // 10)
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise))
