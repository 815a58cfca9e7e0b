"""From a review as it was written to the numbers that the sentiment heads weigh.

A text is cleaned (markup, width, case, emoji to their names), its language told by its script, and
its n-grams counted in hashed buckets: characters for Chinese, which needs no word segmentation
(Zhang & LeCun 2017, "Which Encoding is the Best for Text Classification?"), words for English. Pairs and
triples carry negation: "not bad", "不好", "不太好".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
BUCKETS = 2**18
# Of a longer text its two ends are read: what was bought stands first, the verdict last.
LONGEST = 2000

_MARKUP = re.compile(r"<(?:!--.*?--|(script|style)\b.*?</\1\s*|/?[a-zA-Z][^<>]*)>", re.DOTALL | re.IGNORECASE)
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003134f]")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff\U00020000-\U0003134f]+")
_SPACES = re.compile(r"\s+")
_HASHED: dict[str, Any] = {"n_features": BUCKETS, "alternate_sign": False, "norm": None}
_ANALYZERS: dict[Language, Any] = {
    "zh": HashingVectorizer(analyzer="char", ngram_range=(1, 3), **_HASHED),
    "en": HashingVectorizer(
        analyzer="word", ngram_range=(1, 2), token_pattern=r"[^\W_](?:[\w'’]*\w)?|[!?]", **_HASHED
    ),
}


def language_of(text: str) -> Language:
    """Chinese where the text has at least as many Han characters as words of another script."""
    plain = _MARKUP.sub(" ", _ends(text))
    han = len(_HAN.findall(plain))
    return "zh" if han and han >= len(_WORD.findall(plain)) else "en"


def clean(text: str) -> str:
    """The text without markup, in half width and lower case, emoji spelled by their Unicode names, at
    most `LONGEST` characters. Empty where nothing is left that says anything."""
    plain = html.unescape(_MARKUP.sub(" ", _ends(text)))
    plain = unicodedata.normalize("NFKC", plain).replace("’", "'").lower()
    plain = _SPACES.sub(" ", "".join(map(_spelled, plain))).strip()
    if len(plain) > LONGEST:
        plain = f"{plain[: LONGEST // 2]} {plain[-LONGEST // 2 + 1 :]}"
    return plain if any(character.isalpha() for character in plain) else ""


def readable(text: str | None) -> bool:
    """Whether the text has anything that could be scored: a word, a Chinese character, an emoji."""
    return bool(text) and bool(clean(text or ""))


def ngram_counts(texts: Sequence[str], language: Language) -> sp.csr_matrix:
    """Counts of hashed n-grams of cleaned texts, shape (len(texts), BUCKETS)."""
    return sp.csr_matrix(_ANALYZERS[language].transform(list(texts)))


def ngram_buckets(text: str, language: Language) -> dict[int, list[str]]:
    """The text's distinct n-grams by their bucket, in text order; nearly always one a bucket."""
    found: dict[int, list[str]] = {}
    names = list(dict.fromkeys(_ANALYZERS[language].build_analyzer()(text)))
    if names:
        hashed: Any = FeatureHasher(BUCKETS, input_type="string").transform([name] for name in names)
        for name, bucket in zip(names, hashed.indices.tolist(), strict=True):
            found.setdefault(bucket, []).append(name)
    return found


def weighted(counts: sp.csr_matrix, idf: NDArray[np.floating]) -> sp.csr_matrix:
    """TF-IDF (`idf` may hold more than document frequencies) with sublinear counts, rows of length 1 (rows of nothing stay zero)."""
    values: Any = counts.astype(np.float64, copy=True)
    values.data = (1.0 + np.log(values.data)) * np.asarray(idf, dtype=np.float64)[values.indices]
    lengths = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1.0 / np.where(lengths > 0, lengths, 1.0)) @ values)


def _ends(text: str) -> str:
    """A text of megabytes cut before any work, so that it costs what a long one does."""
    return text if len(text) <= 4 * LONGEST else text[: 2 * LONGEST] + " " + text[-2 * LONGEST :]


def _spelled(character: str) -> str:
    """An emoji as words (" thumbs up sign "); any other character as it is."""
    if ord(character) < 0x2000 or unicodedata.category(character) not in ("So", "Sk", "Cf", "Mn", "Cn"):
        return character
    if unicodedata.category(character) != "So":
        return " "  # variation selectors, joiners, skin tones
    return f" {unicodedata.name(character, '').lower()} "
