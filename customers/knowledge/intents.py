"""What a question is about: a kernel machine over sentence vectors and character n-grams.

Regularised least squares (Rifkin, Yeo and Poggio, "Regularized least-squares classification", 2003) on the sum of a
Gaussian kernel of sentence vectors and a linear one of TF-IDF character n-grams, one column a label and one for what
is out of scope. With a handful of examples it is a smoothed nearest neighbour; with hundreds a label, the character
n-grams learn the shop's own words. Beyond `most` examples the kernel is spanned by a sample of them (Nyström; Williams
and Seeger, 2001). Leave-one-out predictions come in closed form from the leverages, and calibrate what is said: the
temperature of the labels' shares, and a logistic regression for "in scope".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from customers.errors import BadInput
from customers.knowledge.values import intent_of
from customers.ports import TextEncoder

_JITTER = 1e-4
_CHUNK = 2000


class IntentModel:
    """Labels of texts, and whether a text is in scope at all.

    encoder: sentence vectors of unit length. gamma: width of the Gaussian kernel. characters: weight of the n-grams'
    kernel. ridge: regularisation. most: examples that span the kernel. random_state: which, where there are more.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        *,
        gamma: float = 0.7,
        characters: float = 0.15,
        ridge: float = 0.15,
        most: int = 5000,
        random_state: int = 0,
    ) -> None:
        self.encoder, self.gamma, self.characters, self.ridge = encoder, gamma, characters, ridge
        self.most, self.random_state = most, random_state

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        outside: Sequence[str] = (),
        *,
        vectors: NDArray[np.floating] | None = None,
    ) -> Self:
        """Learn from labelled texts and texts out of scope. vectors: those of `texts` then `outside`, where at hand.

        Raises BadInput where there are not two labels at least.
        """
        self.labels_ = np.array(sorted(set(labels)))
        if len(self.labels_) < 2:
            raise BadInput("intents are learnt from inquiries of two kinds at least; label some more")
        every = [*texts, *outside]
        if vectors is None:
            vectors = self.encoder.encode(every)
        counts = _counts(every)
        self.idf_ = np.log((1 + len(every)) / (1 + np.bincount(counts.indices, minlength=_BUCKETS))) + 1
        grams = self._weighted(counts)
        span = self._span(len(every))
        self.vectors_, self.grams_ = np.asarray(vectors[span], dtype=np.float32), grams[span]
        inner = self._kernel(self.vectors_, self.grams_)
        self._root = np.linalg.cholesky(inner + _JITTER * np.eye(len(span)))
        features = sl.solve_triangular(self._root, self._kernel(vectors, grams).T, lower=True).T
        targets = np.zeros((len(every), len(self.labels_) + 1))
        targets[np.arange(len(texts)), np.searchsorted(self.labels_, labels)] = 1
        targets[len(texts) :, -1] = 1
        self.mean_ = targets.mean(0)
        left_out = self._solve(features, targets - self.mean_) + self.mean_
        self._calibrate(left_out, targets, len(texts))
        return self

    def _span(self, n: int) -> NDArray[np.intp]:
        if n <= self.most:
            return np.arange(n)
        return np.sort(np.random.default_rng(self.random_state).choice(n, self.most, replace=False))

    def _solve(self, features: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Set the coefficients, and return what each row would be told had it not been learnt from."""
        normal = sl.cho_factor(features.T @ features + self.ridge * np.eye(features.shape[1]))
        weights = sl.cho_solve(normal, features.T @ targets)
        self.coef_ = sl.solve_triangular(self._root.T, weights, lower=False)
        leverage = np.einsum("ij,ji->i", features, sl.cho_solve(normal, features.T))
        fitted = features @ weights
        return targets - (targets - fitted) / np.clip(1 - leverage, 1e-3, None)[:, None]

    def _calibrate(self, left_out: NDArray[np.float64], targets: NDArray[np.float64], inside: int) -> None:
        own, truth = left_out[:inside, :-1], targets[:inside, :-1].argmax(1)

        def surprise(log_scale: float) -> float:
            shares = _softmax(np.exp(log_scale) * own)
            return float(-np.log(shares[np.arange(inside), truth] + 1e-12).mean())

        self.scale_ = float(np.exp(minimize_scalar(surprise, bounds=(0.0, 4.6), method="bounded").x))
        self.scope_ = np.zeros(4)
        if len(left_out) > inside:
            is_in = np.arange(len(left_out)) < inside
            found = LogisticRegression(class_weight="balanced").fit(_scope_features(left_out), is_in)
            self.scope_ = np.concatenate([found.coef_[0], found.intercept_])

    def scores(
        self, texts: Sequence[str], vectors: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Raw scores, shape (len(texts), labels + 1); the last column speaks for "out of scope"."""
        if vectors is None:
            vectors = self.encoder.encode(texts)
        parts = [
            self._kernel(vectors[i : i + _CHUNK], self._weighted(_counts(texts[i : i + _CHUNK]))) @ self.coef_
            for i in range(0, len(texts), _CHUNK)
        ]
        return np.concatenate(parts or [np.empty((0, len(self.labels_) + 1))]) + self.mean_

    def shares(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The labels' calibrated shares (they add up to 1), given that the text is in scope."""
        return _softmax(self.scale_ * scores[:, :-1])

    def in_scope(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chance (0..1) that a text is in scope; 1/2 for all where nothing out of scope was learnt from."""
        return 1 / (1 + np.exp(-(_scope_features(scores) @ self.scope_[:-1] + self.scope_[-1])))

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """The likeliest label of each text."""
        return self.labels_[self.scores(texts)[:, :-1].argmax(1)]

    @property
    def intents(self) -> tuple[list[str], NDArray[np.float64]]:
        """The intents of the labels, and the matrix (labels, intents) that adds shares of labels up."""
        names = sorted({intent_of(label) for label in self.labels_})
        place = [names.index(intent_of(label)) for label in self.labels_]
        return names, np.eye(len(names))[place]

    # the kernel ----------------------------------------------------------------------------
    def _kernel(self, vectors: NDArray[np.floating], grams: sp.csr_matrix) -> NDArray[np.float64]:
        close = np.asarray(vectors, dtype=np.float64) @ self.vectors_.T.astype(np.float64)
        gaussian = np.exp(-2 * self.gamma * (1 - close))
        return gaussian + self.characters * (grams @ self.grams_.T).toarray()

    def _weighted(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        data = (1 + np.log(counts.data)) * self.idf_[counts.indices]
        raised = sp.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
        return sp.csr_matrix(normalize(raised))

    # files ---------------------------------------------------------------------------------
    def save(self, path: Path) -> None:
        """Write what was learnt, without the texts."""
        np.savez_compressed(
            path, labels=self.labels_, idf=self.idf_.astype(np.float32), mean=self.mean_, scale=self.scale_,
            scope=self.scope_, vectors=self.vectors_, coef=self.coef_, shape=self.grams_.shape,
            data=self.grams_.data.astype(np.float32), indices=self.grams_.indices, indptr=self.grams_.indptr,
            options=[self.gamma, self.characters, self.ridge],
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path, encoder: TextEncoder) -> IntentModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            gamma, characters, ridge = map(float, kept["options"])
            model = cls(encoder, gamma=gamma, characters=characters, ridge=ridge)
            model.labels_, model.idf_ = kept["labels"], kept["idf"].astype(np.float64)
            model.mean_, model.scale_, model.scope_ = kept["mean"], float(kept["scale"]), kept["scope"]
            model.vectors_, model.coef_ = kept["vectors"], kept["coef"]
            rows = (kept["data"].astype(np.float64), kept["indices"], kept["indptr"])
            model.grams_ = sp.csr_matrix(rows, shape=tuple(kept["shape"]))
        return model


def fingerprint(texts: Sequence[str], labels: Sequence[str]) -> str:
    """Return a short name of what a model is learnt from; the order counts."""
    digest = hashlib.sha256()
    for part in (*texts, "\x00", *labels):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x01")
    return digest.hexdigest()[:16]


_BUCKETS = 2**17
_GRAMS: Any = HashingVectorizer(
    analyzer="char_wb", ngram_range=(1, 4), n_features=_BUCKETS, alternate_sign=False,
    norm=None,  # type: ignore[arg-type]
)  # fmt: skip


def _counts(texts: Sequence[str]) -> sp.csr_matrix:
    return sp.csr_matrix(_GRAMS.transform(texts))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def _scope_features(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best label's score, the margin to the second, and the score of "out of scope"."""
    top = np.sort(scores[:, :-1], axis=1)[:, -2:]
    return np.column_stack([top[:, 1], top[:, 1] - top[:, 0], scores[:, -1]])
