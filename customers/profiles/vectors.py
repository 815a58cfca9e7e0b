"""Fills the vector store of a version: customers, products, categories and segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customers.encoder import unit_rows
from customers.features.behaviour import decayed_counts
from customers.ports import Progress
from customers.profiles.embedding import behaviour_embedding, count_matrix
from customers.profiles.workspace import Behaviours, Workspace
from customers.stores.vectors import CATEGORIES, CUSTOMERS, PRODUCTS, SEGMENTS, VectorStore
from customers.values import Name, Segment

HALF_LIFE = 120.0
_BATCH = 512


def write_vectors(
    work: Workspace, data: Behaviours, customers: list[str], segments: list[Segment], progress: Progress
) -> None:
    """Embed and store everything. Products that are called the same share one vector, under the id of
    the one sold most: 67,822 products of the sample have 16,256 names."""
    products = _products(work)
    items = _items(work)
    categories = work.names("category")
    names = [f"{name.en} {name.zh}" if name.zh != name.en else name.en for name in categories.values()]
    texts = products["name"].tolist() + items["text"].tolist() + names
    vectors = _encode(work, texts, progress)
    own = vectors[: len(products)]
    of_items = vectors[len(products) : len(products) + len(items)]
    of_categories = vectors[len(products) + len(items) :]
    store = VectorStore(work.out / "chroma")
    try:
        embedded = _customer_vectors(data, customers, items["item"].tolist(), of_items)
        membership = dict(
            work.con.execute("SELECT customer_id, segment_id FROM customer_segments").fetchall()
        )
        rows = [{"segment_id": membership[key]} for key in customers]
        store.write(CUSTOMERS, customers, embedded, rows)
        labels = np.array([membership[key] for key in customers])
        centres = np.stack([embedded[labels == s.segment_id].mean(axis=0) for s in segments])
        titles = [{"name_en": s.name.en, "name_zh": s.name.zh} for s in segments]
        store.write(SEGMENTS, [s.segment_id for s in segments], unit_rows(centres), titles)
        called = [{"name_en": name.en, "name_zh": name.zh} for name in categories.values()]
        if called:
            store.write(CATEGORIES, list(categories), of_categories, called)
        if len(products):
            facts = [
                {"category": a, "type": b}
                for a, b in zip(products["category"], products["type"], strict=True)
            ]
            store.write(PRODUCTS, products["product_id"].tolist(), own, facts, progress.step)
    finally:
        store.close()


def _products(work: Workspace) -> pd.DataFrame:
    """One row a distinct product name and category that was sold: the id sold in most lines."""
    return work.con.execute(
        "SELECT arg_max(product_id, (n, product_id)) AS product_id, name,"
        " coalesce(category, '') AS category, coalesce(max(type), '') AS type"
        " FROM (SELECT product_id, name, category, type, count(*) AS n FROM held_lines"
        "       WHERE name IS NOT NULL AND product_id IS NOT NULL GROUP BY ALL)"
        " GROUP BY name, category ORDER BY sum(n) DESC, product_id"
    ).df()


def _items(work: Workspace) -> pd.DataFrame:
    """Kinds of goods bought, with the text that stands for each: its name and its category's."""
    rows = work.con.execute(
        "SELECT item, max(category) FROM held_lines WHERE item IS NOT NULL GROUP BY item ORDER BY item"
    ).fetchall()
    types, categories = work.names("type"), work.names("category")
    texts = []
    for item, category in rows:
        own = types.get(item) or categories.get(item) or Name(item, item)
        within = categories.get(category or "")
        texts.append(f"{own.en}, {within.en}" if within and within.en != own.en else own.en)
    return pd.DataFrame({"item": [item for item, _ in rows], "text": texts})


def _customer_vectors(
    data: Behaviours, customers: list[str], items: list[str], texts: NDArray[np.float32]
) -> NDArray[np.float32]:
    counts = decayed_counts(data.items, "item", data.last_day, HALF_LIFE).to_pandas()
    place = (counts["customer_id"].tolist(), counts["item"].tolist())
    matrix = count_matrix(*place, counts["weight"].tolist(), customers, items)
    return behaviour_embedding(matrix, texts)


def _encode(work: Workspace, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
    """Vectors of `texts`, each distinct text encoded once."""
    distinct = sorted(set(texts), key=len)
    row_of = {text: i for i, text in enumerate(distinct)}
    made = np.empty((len(distinct), work.encoder.dimensions), dtype=np.float32)
    for start in range(0, len(distinct), _BATCH):
        made[start : start + _BATCH] = work.encoder.encode(distinct[start : start + _BATCH])
        progress.step(min(start + _BATCH, len(distinct)), len(distinct))
    return made[[row_of[text] for text in texts]]
