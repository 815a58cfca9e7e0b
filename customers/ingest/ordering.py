"""Any number of 64-bit numbers put in order, in bounded memory.

What is more than fits waits in files that have no name, one for each range of the numbers' highest
bits, so that a process that is killed leaves none behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np

# Up to this many numbers (64 MiB) are held and ordered at once.
HELD = 1 << 23


class Ordering:
    """Takes up to `count` numbers (uint64), and gives them back in order. Files go to `folder`.

    Use it in a `with` block. Raises OSError where the disk is full.
    """

    def __init__(self, count: int, folder: Path) -> None:
        self._bits = ((max(count, 1) - 1) // HELD).bit_length()
        self._held = np.empty(count if not self._bits else 0, np.uint64)
        self._filled = 0
        self._folder = folder
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> Ordering:
        with ExitStack() as stack:
            for _ in range(1 << self._bits if self._bits else 0):
                self._files.append(stack.enter_context(tempfile.TemporaryFile(dir=self._folder)))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, numbers: np.ndarray) -> None:
        """Take numbers of shape (n,)."""
        if not self._bits:
            self._held[self._filled : self._filled + len(numbers)] = numbers
            self._filled += len(numbers)
            return
        ordered = np.sort(numbers)
        starts = np.arange(1, len(self._files), dtype=np.uint64) << np.uint64(64 - self._bits)
        for file, some in zip(self._files, np.split(ordered, np.searchsorted(ordered, starts)), strict=True):
            file.write(some.tobytes())

    def parts(self) -> Iterator[np.ndarray]:
        """The numbers in ascending order, a range of them at a time; equal ones are never apart."""
        if not self._bits:
            part = self._held[: self._filled]
            part.sort()
            yield part
        for file in self._files:
            file.seek(0)
            part = np.frombuffer(bytearray(file.read()), np.uint64)
            part.sort()
            yield part
