"""Behaviour embedding of customers: what they buy, in words and in company.

Two blocks of equal weight, each of unit length: the recency-weighted mean of the embeddings of the
product types bought (minus the mean of all customers, which otherwise makes everybody alike), and
latent collaborative factors (truncated SVD of the same recency-weighted customer x type matrix).
The cosine of two embeddings is therefore the mean of the two blocks' cosines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from customers.encoder import unit_rows

LATENT = 64


def rarity(counts: sp.csr_matrix) -> NDArray[np.float64]:
    """Weight of each item, shape (items,): log(customers / buyers), never quite 0."""
    buyers = np.bincount(counts.tocsr().indices, minlength=counts.shape[1])  # type: ignore[index]
    return np.log((1 + counts.shape[0]) / (1 + buyers)) + 0.1  # type: ignore[index]


def weighted_taste(counts: sp.csr_matrix, weights: NDArray[np.float64] | None = None) -> sp.csr_matrix:
    """TF-IDF of a customers x items count matrix: log(1 + count) x weight, rows of unit length (Salton &
    Buckley, 1988). weights: of the items, as other customers have them; None for their own `rarity`."""
    logs = counts.astype(np.float64).tocsr(copy=True)
    logs.data = np.log1p(logs.data)
    weighted = logs @ sp.diags(rarity(logs) if weights is None else weights)
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.where(norms > 0, norms, 1)) @ weighted)


def behaviour_embedding(
    counts: sp.csr_matrix, texts: NDArray[np.float32], random_state: int = 0
) -> NDArray[np.float32]:
    """Unit vectors, shape (customers, text dimensions + latent factors).

    counts: recency-weighted customers x types; texts: the types' unit vectors.
    """
    taste = weighted_taste(counts)
    words = np.asarray(taste @ texts, dtype=np.float64)
    words = unit_rows(words - words.mean(axis=0))
    company = unit_rows(latent_factors(taste, LATENT, random_state))
    return unit_rows(np.hstack([words, company]))


def latent_factors(taste: sp.csr_matrix, dimensions: int, random_state: int = 0) -> NDArray[np.float64]:
    """Customers' factors U*sqrt(S) of a truncated SVD of the centred taste matrix (Halko et al., 2011).
    Fewer dimensions where the matrix has fewer; zeros where it has none."""
    rows, columns = taste.shape  # type: ignore[misc]
    if columns == 0:
        return np.zeros((rows, 1))
    k = max(1, min(dimensions, rows - 1, columns - 1))
    centred = np.asarray(taste.todense()) - np.asarray(taste.mean(axis=0))
    left, scale, _ = randomized_svd(centred, n_components=k, random_state=random_state)
    return left * np.sqrt(scale)


def latent_axes(taste: sp.csr_matrix, dimensions: int, random_state: int = 0) -> NDArray[np.float64]:
    """Axes V/sqrt(S) of the same decomposition, shape (items, dimensions): centred taste @ axes are the
    `latent_factors`, of customers that it was not fitted on as well."""
    rows, columns = taste.shape  # type: ignore[misc]
    k = max(1, min(dimensions, rows - 1, columns - 1))
    centred = np.asarray(taste.todense()) - np.asarray(taste.mean(axis=0))
    _, scale, right = randomized_svd(centred, n_components=k, random_state=random_state)
    # An axis along which nobody differs places everybody at 0.
    return np.divide(right.T, np.sqrt(scale), out=np.zeros_like(right.T), where=scale > 1e-9)


def count_matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    weights: Sequence[float],
    customers: list[str],
    items: list[str],
) -> sp.csr_matrix:
    """Sparse customers x items of weights; rows or columns outside the lists are left out."""
    row_of = {key: i for i, key in enumerate(customers)}
    column_of = {key: i for i, key in enumerate(items)}
    i = np.fromiter((row_of.get(key, -1) for key in rows), dtype=np.int64, count=len(rows))
    j = np.fromiter((column_of.get(key, -1) for key in columns), dtype=np.int64, count=len(columns))
    known = (i >= 0) & (j >= 0)
    values = np.asarray(weights, dtype=np.float64)[known]
    return sp.csr_matrix((values, (i[known], j[known])), shape=(len(customers), len(items)))
