"""What is alike by its description, not by who bought it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import Pooled
from customers.recommend.neighbours import LARGE, scaled


class Content(Pooled):
    """Products near the mean description of the customer's decayed baskets.

    A description is what is known of a product (type, category, department, maker, brand), each weighed by how
    rare it is; with `vectors`, shape (products, dimensions), such as embeddings of the names, these beside it.
    """

    name = "content"

    def __init__(
        self, pool: int = LARGE, half_life: float = 90, vectors: NDArray[np.float32] | None = None
    ) -> None:
        super().__init__(pool, half_life)
        self.vectors = vectors

    def fit(self, history: History) -> Content:
        parts = [_marked(group) for group in history.catalogue.levels().values()]
        if self.vectors is not None:
            parts.append(sparse.csr_matrix(self.vectors))
        self._described = scaled(sparse.csr_matrix(sparse.hstack(parts)))
        self._taste = scaled(sparse.csr_matrix(history.weights(self.half_life).power(0.5) @ self._described))
        super().fit(history)
        del self._described
        return self

    def _fit_pool(self, own: sparse.csr_matrix) -> None:
        del own
        self.descriptions = sparse.csr_matrix(self._described[self.items].T)

    def score_pool(self, customers: Ints) -> Floats:
        return np.asarray((self._taste[customers] @ self.descriptions).todense(), np.float32)


def _marked(group: Ints) -> sparse.csr_matrix:
    """One column a group, by inverse frequency."""
    often = np.bincount(group)
    worth = np.log(len(group) / np.maximum(often, 1)).astype(np.float32) + np.float32(0.1)
    return sparse.csr_matrix((worth[group], (np.arange(len(group)), group)), shape=(len(group), len(often)))
