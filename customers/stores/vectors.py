"""The embedded Chroma store of a version: collections of customers, products, categories, segments.

Every embedding is passed explicitly (Chroma's own embedder would download a model), distances are
cosine, telemetry is off. Chroma's errors are translated here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.errors import CustomersError, Unknown

CUSTOMERS = "customers"
PRODUCTS = "products"
CATEGORIES = "categories"
SEGMENTS = "segments"


class VectorStoreError(CustomersError):
    """The vector store could not be read or written."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One hit: `similarity` is the cosine (-1..1)."""

    key: str
    similarity: float
    metadata: Mapping[str, Any] = field(default_factory=dict)


class VectorStore:
    """Named collections of unit vectors with an id and flat metadata each."""

    def __init__(self, path: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        path.mkdir(parents=True, exist_ok=True)
        with _translated(f"the vector store at {path} cannot be opened; run `shopkeeper build --force`"):
            self._client: Any = chromadb.PersistentClient(
                str(path), settings=Settings(anonymized_telemetry=False, is_persistent=True)
            )
        self._collections: dict[str, Any] = {}

    def close(self) -> None:
        """Release the files; the store cannot be used afterwards."""
        self._client.close()

    def write(
        self,
        collection: str,
        keys: Sequence[str],
        vectors: NDArray[np.float32],
        metadata: Sequence[Mapping[str, Any]],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make `collection` anew out of unit `vectors`, shape (len(keys), dimensions)."""
        with _translated(f"the vectors of {collection} cannot be written"):
            # A wider search while building costs little and holds recall on near-equal texts.
            made = self._client.create_collection(
                collection,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "ef_construction": 100, "ef_search": 100}},
            )
            batch = min(5000, self._client.get_max_batch_size())
            for start in range(0, len(keys), batch):
                part = slice(start, start + batch)
                made.add(
                    ids=list(keys[part]),
                    embeddings=np.ascontiguousarray(vectors[part], dtype=np.float32),
                    metadatas=[dict(row) for row in metadata[part]],
                )
                if progress is not None:
                    progress(min(start + batch, len(keys)), len(keys))

    def vector(self, collection: str, key: str) -> NDArray[np.float32]:
        """The vector stored under `key`. Raises Unknown."""
        with _translated(f"the vectors of {collection} cannot be read"):
            found = self._open(collection).get(ids=[key], include=["embeddings"])
        embeddings = found["embeddings"]
        if embeddings is None or len(embeddings) == 0:
            raise Unknown(f"{collection} has no vector of {key!r}")
        return np.asarray(embeddings[0], dtype=np.float32)

    def all(self, collection: str) -> tuple[list[str], NDArray[np.float32]]:
        """Every key of the collection, sorted, and their vectors, shape (keys, dimensions)."""
        with _translated(f"the vectors of {collection} cannot be read"):
            found = self._open(collection).get(include=["embeddings"])
        order = sorted(range(len(found["ids"])), key=lambda i: found["ids"][i])
        vectors = np.asarray(found["embeddings"], dtype=np.float32)
        return [found["ids"][i] for i in order], vectors[order]

    def nearest(
        self, collection: str, vector: NDArray[np.float32], n: int, where: dict[str, Any] | None = None
    ) -> list[Neighbour]:
        """The `n` nearest by cosine, best first; `where` is a Chroma metadata filter."""
        with _translated(f"the vectors of {collection} cannot be searched"):
            found = self._open(collection).query(
                query_embeddings=[vector], n_results=n, where=where, include=["distances", "metadatas"]
            )
        rows = zip(found["ids"][0], found["distances"][0], found["metadatas"][0], strict=True)
        return [Neighbour(key, 1.0 - float(distance), meta or {}) for key, distance, meta in rows]

    def count(self, collection: str) -> int:
        """How many vectors the collection holds."""
        with _translated(f"the vectors of {collection} cannot be read"):
            return self._open(collection).count()

    def _open(self, collection: str) -> Any:
        if collection not in self._collections:
            self._collections[collection] = self._client.get_collection(collection, embedding_function=None)
        return self._collections[collection]


@contextmanager
def _translated(problem: str) -> Iterator[None]:
    import sqlite3

    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, sqlite3.Error, OSError) as error:
        raise VectorStoreError(
            f"{problem} ({str(error).splitlines()[0] if str(error) else error!r})"
        ) from error
