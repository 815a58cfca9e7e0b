"""What a build is measured by: seconds and peak memory of each stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from customers.ports import Progress

_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: wall seconds, and the largest resident memory seen in it (MiB, sampled 20 times a
    second)."""

    name: str
    seconds: float
    peak_mib: float


class Silent:
    """Progress that nobody watches."""

    def stage(self, name: str) -> None: ...

    def step(self, done: int, total: int) -> None: ...


class Stopwatch:
    """Times stages and tells `progress` of them."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Measure the block as a stage."""
        self.progress.stage(name)
        with _memory_watch() as peak:
            begun = time.perf_counter()
            yield self.progress
            seconds = time.perf_counter() - begun
        self.stages.append(Stage(name, round(seconds, 3), round(peak[0], 1)))


@contextmanager
def _memory_watch() -> Iterator[list[float]]:
    process, ended = psutil.Process(), threading.Event()
    peak = [process.memory_info().rss / 2**20]

    def watch() -> None:
        while not ended.wait(_EVERY):
            peak[0] = max(peak[0], process.memory_info().rss / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak[0] = max(peak[0], process.memory_info().rss / 2**20)
