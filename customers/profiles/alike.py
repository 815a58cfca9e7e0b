"""What the other categories that a customer buys say about a category.

EASE-R (Steck, 2019): a closed-form linear autoencoder from every category to every other, in which none
may speak for itself. So a customer's own purchases of a category never move that category's scores.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RIDGE = 100.0
# Categories that speak for others: the most often bought ones (the inverse grows with their cube).
MOST_CATEGORIES = 1000
# Score -> (column of `features.behaviour.category_rhythm`, what is done with it before).
SCORES = {"together_60": ("decayed_60", np.log1p), "together_90": ("baskets_90", np.sign)}


def item_weights(counts: NDArray[np.floating], ridge: float = RIDGE) -> NDArray[np.float64]:
    """Weights (K, K) with a zero diagonal, from `counts` (customers, K): a column is predicted by
    `counts @ weights`."""
    gram = counts.T.astype(np.float64) @ counts
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def alike_scores(
    by_category: pd.DataFrame, customers: list[str], categories: list[str], ridge: float = RIDGE
) -> dict[str, NDArray[np.float64]]:
    """Score -> (customers, categories), from the rows of `features.behaviour.category_rhythm` of every
    category. "together_90" is about the chance that a customer with such baskets has bought it within 90
    days, going by the other categories; "together_60" the same for recency-weighted counts."""
    bought = by_category["category"].value_counts()
    known = sorted({*bought.index[:MOST_CATEGORIES], *categories})
    row = pd.Index(customers).get_indexer(pd.Index(by_category["customer_id"]))
    column = pd.Index(known).get_indexer(pd.Index(by_category["category"]))
    kept = (row >= 0) & (column >= 0)
    places = pd.Index(known).get_indexer(pd.Index(categories))
    found = {}
    for name, (field, shaped) in SCORES.items():
        counts = np.zeros((len(customers), len(known)), dtype=np.float32)
        counts[row[kept], column[kept]] = shaped(by_category[field].to_numpy(dtype=float)[kept])
        found[name] = counts @ item_weights(counts, ridge)[:, places]
    return found


def neighbour_shares(
    by_category: pd.DataFrame,
    customers: list[str],
    categories: list[str],
    neighbours: int = 200,
    references: int = 2500,
) -> NDArray[np.float64]:
    """Shape (customers, categories): of the customers whose baskets are most alike (cosine of the roots of
    180-day recency-weighted counts), the similarity-weighted share that bought the category in the last 30
    days. Neighbours are sought among a fixed random sample of `references` customers, never oneself."""
    row = pd.Index(customers).get_indexer(pd.Index(by_category["customer_id"]))
    codes, known = pd.factorize(by_category["category"], sort=True)
    taste = np.zeros((len(customers), len(known)), dtype=np.float32)
    recent = np.zeros_like(taste)
    seen = row >= 0
    taste[row[seen], codes[seen]] = np.sqrt(by_category["decayed_180"].to_numpy(dtype=float)[seen])
    recent[row[seen], codes[seen]] = by_category["baskets_30"].to_numpy(dtype=float)[seen] > 0
    taste /= np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-9)
    chosen = np.arange(len(customers))
    if len(chosen) > references:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, references, replace=False))
    served = recent[chosen][:, pd.Index(known).get_indexer(pd.Index(categories))]
    near = min(neighbours, max(len(chosen) - 1, 1))
    shares = np.zeros((len(customers), len(categories)))
    for start in range(0, len(customers), 1000):
        rows = np.arange(start, min(start + 1000, len(customers)))
        alike = taste[rows] @ taste[chosen].T
        alike[rows[:, None] == chosen[None, :]] = 0.0
        floor = np.partition(alike, -near, axis=1)[:, -near][:, None]
        weight = np.where(alike >= floor, np.maximum(alike, 0.0), 0.0)
        shares[rows] = weight @ served / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    return shares
