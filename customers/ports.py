"""What the profiling core needs from outside: progress, and a text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class TextEncoder(Protocol):
    """Turns texts in English or Chinese into unit vectors."""

    name: str
    dimensions: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimensions)."""
        ...


class Progress(Protocol):
    """Receives what a long run is doing."""

    def stage(self, name: str) -> None:
        """A named stage begins (the one before has ended)."""
        ...

    def step(self, done: int, total: int) -> None:
        """The stage has finished `done` of `total` units."""
        ...
