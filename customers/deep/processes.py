"""Several processes that train one model (DistributedDataParallel), as `torchrun` starts them."""
# pyright: reportMissingImports=false

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from customers.errors import BadInput


@dataclass(frozen=True, slots=True)
class Place:
    """Which of `size` processes this is, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    @property
    def bf16(self) -> bool:
        return self.device.type == "cuda"

    def summed(self, *values: float) -> list[float]:
        """Each value's sum over all processes."""
        if self.size == 1:
            return list(values)
        held = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(held)
        return held.tolist()


@contextmanager
def place(device: str) -> Iterator[Place]:
    """Join the other processes where `torchrun` started this one (NCCL on GPUs, gloo on CPUs), alone otherwise.
    Raises BadInput where the device asked for is not there."""
    has_gpu = torch.cuda.is_available()
    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"device is {device!r}; use auto, cpu or cuda")
    if device == "cuda" and not has_gpu:
        raise BadInput("no GPU that torch can use was found; leave --device out, or say --device cpu")
    kind = "cuda" if has_gpu and device != "cpu" else "cpu"
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    where = torch.device("cuda", local) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(where)
    joined = "WORLD_SIZE" in os.environ and "MASTER_ADDR" in os.environ and not dist.is_initialized()
    if joined:
        dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Place(int(os.environ.get("RANK", "0")), size, where)
    finally:
        if joined:
            dist.destroy_process_group()
