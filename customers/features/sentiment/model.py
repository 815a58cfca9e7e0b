"""The sentiment model: for each language a logistic regression over n-grams and meaning.

log-odds(positive) = bias + Σ ngram weightⱼ · tfidfⱼ + Σ meaning weightₖ · embeddingₖ, so what moved a
score can be told exactly. The embedding is multilingual USE v3; no network, no torch. Weights ship in
`weights.npz`; `train` makes them anew.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from customers.encoder import MultilingualEncoder
from customers.errors import NotBuilt
from customers.features.sentiment.reading import (
    LANGUAGES,
    Language,
    clean,
    language_of,
    ngram_buckets,
    ngram_counts,
    weighted,
)
from customers.ports import TextEncoder

WEIGHTS = Path(__file__).with_name("weights.npz")
FORMAT = 2
_PARTS = ("idf", "ngrams", "meaning", "bias")
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Head:
    """One language's weights: `idf` (what scales a count, unevenness included) and `ngrams` (BUCKETS,),
    `meaning` (512,), `bias` a number; log-odds
    units. Calibration is folded in."""

    idf: NDArray[np.floating]
    ngrams: NDArray[np.floating]
    meaning: NDArray[np.floating]
    bias: float

    def log_odds(self, counts: sp.csr_matrix, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Log-odds of a positive review, shape (rows,)."""
        ngrams = weighted(counts, self.idf) @ self.ngrams.astype(np.float64)
        return ngrams + vectors.astype(np.float64) @ self.meaning.astype(np.float64) + self.bias


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text has its score. `parts` are the n-grams that moved it most and by how much (log-odds,
    positive pulls towards a good review); `others` is the sum of all further n-grams, `meaning` what the
    sentence as a whole added, `bias` where every text of the language begins. All of them sum to the
    score's log-odds."""

    probability: float
    language: Language
    parts: tuple[tuple[str, float], ...]
    others: float
    meaning: float
    bias: float


class SentimentModel:
    """Scores reviews in English and Chinese; `load` gives the one that ships."""

    def __init__(
        self,
        heads: dict[Language, Head],
        about: dict[str, Any] | None = None,
        encoder: TextEncoder | None = None,
    ) -> None:
        self.heads = heads
        self.about = about or {}
        self.encoder: TextEncoder = encoder or MultilingualEncoder()

    @classmethod
    def load(cls, path: Path = WEIGHTS, encoder: TextEncoder | None = None) -> SentimentModel:
        """Read weights. Raises NotBuilt where the file is missing, damaged, of another format, or was
        trained with another encoder than is given."""
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                heads: dict[Language, Head] = {
                    lang: Head(*(stored[f"{lang}_{part}"] for part in _PARTS)) for lang in LANGUAGES
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise NotBuilt(
                f"{path}: no readable sentiment weights; install the package again, or train them with "
                "`python -m customers.features.sentiment.train`"
            ) from error
        model = cls(heads, about, encoder)
        if about.get("format") != FORMAT or about.get("encoder") != model.encoder.name:
            raise NotBuilt(
                f"{path}: made for format {about.get('format')} and encoder {about.get('encoder')}, not for "
                f"{FORMAT} and {model.encoder.name}; train it anew with "
                "`python -m customers.features.sentiment.train`"
            )
        return model

    def save(self, path: Path) -> None:
        """Write the weights, rounded to 16 bits; no text that they were trained on is kept."""
        columns: dict[str, Any] = {"about": json.dumps(self.about, ensure_ascii=False, sort_keys=True)}
        for language, head in self.heads.items():
            for part in _PARTS:
                columns[f"{language}_{part}"] = np.asarray(getattr(head, part), dtype=np.float16)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as handle:
            np.savez_compressed(handle, **columns)
        partial.replace(path)

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probability that each review is a positive one, shape (len(texts),), as if good and bad
        reviews were equally common. 0.5 where there is nothing to read."""
        odds = np.concatenate(
            [self._log_odds(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)] or [[]]
        )
        return probability(odds).astype(np.float32)

    def explain(self, text: str, parts: int = 8) -> Explanation:
        """What moved the score of a text, the `parts` strongest n-grams first."""
        language, cleaned = language_of(text), clean(text)
        if not cleaned:
            return Explanation(0.5, language, (), 0.0, 0.0, 0.0)
        head = self.heads[language]
        row = weighted(ngram_counts([cleaned], language), head.idf)
        moved = dict(zip(row.indices.tolist(), row.data * head.ngrams[row.indices], strict=True))
        names = ngram_buckets(cleaned, language)
        ranked = sorted(moved, key=lambda bucket: -abs(moved[bucket]))
        meaning = float(
            self.encoder.encode([cleaned])[0].astype(np.float64) @ head.meaning.astype(np.float64)
        )
        total = sum(moved.values()) + meaning + float(head.bias)
        return Explanation(
            probability=float(probability(np.array([total]))[0]),
            language=language,
            parts=tuple((" / ".join(names[bucket]), float(moved[bucket])) for bucket in ranked[:parts]),
            others=float(sum(moved[bucket] for bucket in ranked[parts:])),
            meaning=meaning,
            bias=float(head.bias),
        )

    def _log_odds(self, texts: Sequence[str]) -> NDArray[np.float64]:
        cleaned = [clean(text) for text in texts]
        odds = np.zeros(len(texts))
        for language, head in self.heads.items():
            rows = [i for i, text in enumerate(cleaned) if text and language_of(texts[i]) == language]
            if rows:
                own = [cleaned[i] for i in rows]
                odds[rows] = head.log_odds(ngram_counts(own, language), self.encoder.encode(own))
        return odds


def probability(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, dtype=np.float64)))
