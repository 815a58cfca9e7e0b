"""How well lookalikes are found: half of those who redeemed a campaign are told, the other half are to be found.

For each campaign with enough redeemers, only what was known on the morning it began is looked at. The seeds are drawn by
lot several times; who is ranked are all customers known by then but the seeds. ROC-AUC, and how many of the hidden half
stand in the best tenth, over chance; both with an interval over campaigns and draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from customers.encoder import MultilingualEncoder, unit_rows
from customers.profiles.embedding import behaviour_embedding
from customers.profiles.vectors import HALF_LIFE
from customers.recommend.campaigning import likeness
from customers.recommend.offers import Floats, Mask, Sales, read_offers, read_sales

_LEAST, _DRAWS, _TENTH = 20, 10, 0.1
_PEER = "nearest to the mean of the list"
"""What a vector database gives: the others are held against it."""


def measure(store: Path, seed: int = 0) -> list[dict[str, Any]]:
    """One row a method; [] for a shop without a campaign that many redeemed."""
    con = duckdb.connect(str(store), read_only=True)
    try:
        sales = read_sales(con)
        offers = [o for o in read_offers(con, sales) if o.redeemed.sum() >= _LEAST]
        kinds, texts = _kinds(con, sales)
    finally:
        con.close()
    random = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float]]] = {}
    for offer in offers:
        known = sales.known(offer.start)
        wanted = offer.redeemed & known
        if wanted.sum() < _LEAST:
            continue
        vectors = _vectors(sales, kinds, texts, offer.start)
        habits = sales.habits(offer.start)
        for seeds in _halves(wanted, random):
            pool = known & ~seeds
            for name, score in _scores(vectors, habits, seeds, random).items():
                found.setdefault(name, []).append(_judged(score[pool], wanted[pool]))
    told = {name: np.array(values) for name, values in found.items()}
    return [_row(name, values, told[_PEER]) for name, values in told.items()]


def _kinds(con: duckdb.DuckDBPyConnection, sales: Sales) -> tuple[Any, Floats]:
    """The number of each product's type, and the types' unit vectors."""
    rows = con.execute(
        "SELECT p.product_id, coalesce(p.type, p.category, p.product_id), coalesce(n.name_en, p.name, p.product_id)"
        " FROM products p LEFT JOIN names n ON n.kind = 'type' AND n.key = p.type"
    ).fetchall()
    kind_of = {product: (kind, text) for product, kind, text in rows}
    told = [kind_of.get(p, (p, p)) for p in sales.products.tolist()]
    named = dict(told)
    keys = sorted(named)
    place = {key: n for n, key in enumerate(keys)}
    numbers = np.array([place[kind] for kind, _ in told])
    return numbers, unit_rows(MultilingualEncoder().encode([named[key] for key in keys]))


def _vectors(sales: Sales, kinds: Any, texts: Floats, day: int) -> Floats:
    """The behaviour embeddings that a build on that morning would have made."""
    rows = slice(0, int(np.searchsorted(sales.day, day)))
    worth = np.exp2(-(day - sales.day[rows]) / HALF_LIFE)
    shape = len(sales.customers), len(texts)
    counts = sparse.csr_matrix((worth, (sales.customer[rows], kinds[sales.product[rows]])), shape=shape)
    return behaviour_embedding(counts, texts.astype(np.float32)).astype(float)


def _halves(wanted: Mask, random: np.random.Generator) -> Iterator[Mask]:
    people = np.flatnonzero(wanted)
    for _ in range(_DRAWS):
        seeds = np.zeros(len(wanted), bool)
        seeds[random.choice(people, len(people) // 2, replace=False)] = True
        yield seeds


def _scores(vectors: Floats, habits: Floats, seeds: Mask, random: np.random.Generator) -> dict[str, Floats]:
    near = vectors @ vectors[seeds].T
    return {
        "by lot": random.random(len(vectors)),
        "most trips in 90 days": habits[:, 1],
        _PEER: near.mean(axis=1),
        "five nearest of the list": np.sort(near, axis=1)[:, -5:].mean(axis=1),
        "lookalikes, vectors alone": likeness(seeds, vectors),
        "lookalikes, habits alone": likeness(seeds, habits),
        "lookalikes": likeness(seeds, np.hstack([vectors, habits])),
    }


def _judged(score: Floats, wanted: Mask) -> tuple[float, float]:
    best = np.argsort(-score, kind="stable")[: max(1, round(_TENTH * len(score)))]
    return float(roc_auc_score(wanted, score)), float(wanted[best].mean() / wanted.mean())


def _row(name: str, values: Floats, peer: Floats) -> dict[str, Any]:
    low, high = np.percentile(values[:, 0], [2.5, 97.5])
    over = values[:, 0] - peer[:, 0]
    return {
        "model": name, "lists": len(values), "ROC-AUC": float(values[:, 0].mean()), "low": float(low), "high": float(high),
        "best tenth over chance": float(values[:, 1].mean()), "over nearest": float(over.mean()),
        "better in": float((over > 0).mean()),
    }  # fmt: skip
