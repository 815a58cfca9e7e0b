"""Reviews with known polarity, read from CSV files to train and to measure on."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from customers.errors import BadInput
from customers.features.sentiment.reading import Language, clean, ngram_counts
from customers.ports import TextEncoder

_COLUMNS = {
    "text": ("review", "review text", "text", "评论", "评论内容"),
    "label": ("label", "标签"),
    "stars": ("rating", "stars", "score", "评分", "星级"),
    "title": ("title", "review title", "标题"),
    "category": ("cat", "category", "class name", "department name", "类别", "品类"),
}
# Near copies: this share of n-grams in common (cosine) makes two texts one.
_ALIKE = 0.8
_ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Reviews:
    """Labelled reviews of one language, each list and array (n,). `positive` is 1 good, 0 bad, NaN between
    (three stars of five); `stars` NaN where the file has none; `titles` and `categories` "" likewise."""

    language: Language
    texts: list[str]
    titles: list[str]
    categories: list[str]
    stars: NDArray[np.float64]
    positive: NDArray[np.float64]
    sha256: str = ""

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> Reviews:
        """The reviews of some rows, in their order."""
        picked = np.asarray(rows, dtype=int)
        texts, titles, categories = (
            [values[i] for i in picked] for values in (self.texts, self.titles, self.categories)
        )
        return replace(
            self, texts=texts, titles=titles, categories=categories,
            stars=self.stars[picked], positive=self.positive[picked],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a head is fitted on, row by row: n-gram counts, embeddings, polarity (0 or 1), weight, and the
    review that the row is from (its title is a row of its own)."""

    counts: sp.csr_matrix
    vectors: NDArray[np.float32]
    positive: NDArray[np.float64]
    weight: NDArray[np.float64]
    review: NDArray[np.int64]

    def take(self, rows: NDArray) -> Encoded:
        """Some rows: a boolean mask or their numbers."""
        return Encoded(
            sp.csr_matrix(self.counts[rows]),
            self.vectors[rows], self.positive[rows], self.weight[rows], self.review[rows],
        )  # fmt: skip


def stacked(parts: Sequence[Encoded]) -> Encoded:
    """The rows of several, one after another."""
    return Encoded(
        sp.csr_matrix(sp.vstack([part.counts for part in parts])),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.positive for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.review for part in parts]),
    )


def read_reviews(path: Path, language: Language) -> Reviews:
    """Read a CSV file with a header: the text, and a label (1 good, 0 bad) or stars of five (4 and 5 good,
    1 and 2 bad). Rows without a text are left out. Raises BadInput where a column or a value is not so."""
    try:
        raw = path.read_bytes()
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not a CSV file in UTF-8 ({error}); save it as one") from error
    header = list(rows[0]) if rows else []
    named = {field: _column(header, names) for field, names in _COLUMNS.items()}
    if named["text"] is None or (named["label"] is None and named["stars"] is None):
        missing = "review" if named["text"] is None else "label"
        raise BadInput(
            f"{path}: has no column {missing!r} (columns: {', '.join(header) or 'none'}); it needs the review "
            "and a label (1 good, 0 bad) or a rating of up to 5 stars"
        )
    kept = [row for row in rows if (row[named["text"]] or "").strip()]
    columns = {
        field: ["" if name is None else (row[name] or "").strip() for row in kept]
        for field, name in named.items()
    }
    stars = np.array([_number(path, value) for value in columns["stars"]])
    labels = np.array([_number(path, value) for value in columns["label"]])
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all() or (stars[~np.isnan(stars)] > 5).any():
        raise BadInput(f"{path}: a label is neither 0 nor 1, or a rating above 5 stars; mend those rows")
    by_stars = np.where(stars >= 4, 1.0, np.where(stars <= 2, 0.0, np.nan))
    positive = labels if named["label"] is not None else by_stars
    for kind, word in ((1, "good"), (0, "bad")):
        if not (positive == kind).any():
            raise BadInput(f"{path}: holds no {word} review; training and measuring need both kinds")
    return Reviews(
        language, columns["text"], columns["title"], columns["category"], stars, positive,
        hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip


def read_texts(path: Path) -> list[str]:
    """The texts of a CSV file that may lack labels. Raises BadInput where it has no column of texts."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as a CSV file in UTF-8 ({error})") from error
    name = _column(list(rows[0]) if rows else [], _COLUMNS["text"])
    if name is None:
        raise BadInput(f"{path}: has no column 'review'; name the column of the texts so")
    return [text for row in rows if (text := (row[name] or "").strip())]


def encode(reviews: Reviews, encoder: TextEncoder, title_weight: float) -> Encoded:
    """Rows to fit a head on: each review's text and, at `title_weight`, its title (short reviews read like
    titles). Reviews between good and bad are left out."""
    clear = np.flatnonzero(~np.isnan(reviews.positive))
    cleaned = [(i, clean(reviews.texts[i]), 1.0) for i in clear]
    cleaned += [(i, clean(reviews.titles[i]), title_weight) for i in clear]
    rows = [(int(i), text, weight) for i, text, weight in cleaned if text and weight > 0]
    texts = [text for _, text, _ in rows]
    review = np.array([i for i, _, _ in rows], dtype=np.int64)
    return Encoded(
        ngram_counts(texts, reviews.language),
        encoder.encode(texts),
        reviews.positive[review],
        np.array([weight for _, _, weight in rows]),
        review,
    )


def duplicate_groups(texts: Sequence[str]) -> NDArray[np.int64]:
    """A number a text, shape (n,): equal for texts that are the same or nearly (cosine of their sets of
    character 2- to 4-grams, letters and digits only, of at least 0.8), chains included."""
    bare = [re.sub(r"[\W_]+", "", clean(text)) for text in texts]
    grams = HashingVectorizer(
        analyzer="char", ngram_range=(2, 4), n_features=2**18, alternate_sign=False, binary=True
    )
    found = sp.csr_matrix(grams.transform(bare), dtype=np.float32)
    links = []
    for start in range(0, len(bare), _ROWS_AT_ONCE):
        near = (found[start : start + _ROWS_AT_ONCE] @ found.T).tocoo()
        close = near.data >= _ALIKE
        links.append((near.row[close] + start, near.col[close]))
    rows, columns = (np.concatenate([link[i] for link in links] or [[]]) for i in (0, 1))
    graph = sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(bare), len(bare)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _column(header: list[str], names: tuple[str, ...]) -> str | None:
    by_name = {column.strip().lower(): column for column in reversed(header) if column}
    return next((by_name[name] for name in names if name in by_name), None)


def _number(path: Path, value: str) -> float:
    try:
        return float(value) if value else np.nan
    except ValueError as error:
        raise BadInput(f"{path}: {value!r} is no number; labels are 1 or 0, ratings stars up to 5") from error
