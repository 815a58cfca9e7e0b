"""Interests that go together: association rules over customers, found by FP-growth.

A customer is interested in a category where it takes at least `interest` times the usual share of what their
trips hold. Rules over plain purchases would tell that nearly everybody buys milk and bread; over
interests they tell taste. FP-growth (Han, Pei & Yin, "Mining frequent patterns without candidate
generation", 2000) is mlxtend's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from customers.profiles.workspace import Workspace

with warnings.catch_warnings():  # importing mlxtend turns every deprecation warning on, of all packages
    from mlxtend.frequent_patterns import fpgrowth

LEAST_TOLD = 10
_SHOWN = 4
_MOST_ROWS = 5000

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """Customers interested in all of `when` are interested in `then` too; categories by number.

    support: the share of customers with all of them (0..1). confidence: of those with `when`, the share
    with `then`. lift: confidence over the share of all customers with `then`.
    """

    when: tuple[int, ...]
    then: int
    support: float
    confidence: float
    lift: float

    @property
    def key(self) -> tuple[tuple[int, ...], int]:
        return self.when, self.then

    def holders(self, interests: Marks) -> Marks:
        """Who has all of its interests, shape (customers,)."""
        return np.all(interests[:, [*self.when, self.then]], axis=1)


class InterestRules(TransformerMixin, BaseEstimator):
    """Association rules of interests, on the features that `InterestSegments` clusters.

    interest: times the usual share; trips: with the category, at least. support, lift: least of a rule, of
    ten customers in any case. longest: categories in a rule. better: a longer rule stays only where its
    confidence is so many times that of each shorter one with the same end (Bayardo, Agrawal & Gunopulos,
    "Constraint-based rule mining in large, dense databases", 1999).

    Fitted: `usual_` of shape (categories,), each category's share of all trips; `rules_`, the highest lift
    first. At most 5,000 customers, drawn at random, are searched.
    """

    def __init__(
        self,
        interest: float = 2.0,
        *,
        trips: float = 2.0,
        support: float = 0.02,
        lift: float = 1.5,
        longest: int = 3,
        better: float = 1.2,
        random_state: Any = 0,
    ) -> None:
        self.interest = interest
        self.trips = trips
        self.support = support
        self.lift = lift
        self.longest = longest
        self.better = better
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> InterestRules:
        """X: customers x categories, trips, none negative; dense or sparse."""
        counts = self._checked(X, reset=True)
        whole = np.asarray(counts.sum(axis=0)).ravel()
        self.usual_ = whole / max(whole.sum(), 1e-12)
        marks = self._interests(counts)
        if len(marks) > _MOST_ROWS:
            random = check_random_state(self.random_state)
            marks = marks[random.choice(len(marks), _MOST_ROWS, replace=False)]
        support = max(self.support, LEAST_TOLD / len(marks))
        found = rules_of(frequent(marks, support, self.longest), len(marks), self.lift, self.better)
        self.rules_: tuple[Rule, ...] = tuple(sorted(found, key=lambda r: (-r.lift, -r.support, r.key)))
        return self

    def interests(self, X: Any) -> Marks:
        """Whether each customer is interested in each category, shape (customers, categories)."""
        check_is_fitted(self, "rules_")
        return self._interests(self._checked(X, reset=False))

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The highest confidence of a rule that speaks for a category, shape (customers, categories); 0
        where none does, or the customer is interested in it already."""
        marks = self.interests(X)
        told = np.zeros(marks.shape)
        for rule in self.rules_:
            has = marks[:, list(rule.when)].all(axis=1)
            told[has, rule.then] = np.maximum(told[has, rule.then], rule.confidence)
        return np.where(marks, 0.0, told)

    def _interests(self, counts: sp.csr_matrix) -> Marks:
        own = np.asarray(counts.sum(axis=1)).ravel()
        held = counts.tocoo()
        enough = held.data >= self.interest * self.usual_[held.col] * own[held.row]
        kept = enough & (held.data >= self.trips) & (held.data > 0)
        marks = np.zeros((len(own), len(self.usual_)), dtype=bool)
        marks[held.row[kept], held.col[kept]] = True
        return marks

    def _checked(self, X: Any, reset: bool) -> sp.csr_matrix:
        found = sp.csr_matrix(validate_data(self, X, reset=reset, accept_sparse="csr", dtype=np.float64))
        if found.nnz and found.data.min() < 0:
            raise ValueError("Negative values in data passed to InterestRules: counts cannot be negative")
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def frequent(marks: Marks, support: float, longest: int) -> dict[frozenset[int], int]:
    """Sets of categories that at least a share `support` of the rows has, with their number of rows."""
    often = np.flatnonzero(marks.mean(axis=0) >= support) if len(marks) else np.array([], int)
    if not len(often):
        return {}
    table = pd.DataFrame(marks[:, often], columns=often)
    found = fpgrowth(table, min_support=support, use_colnames=True, max_len=longest)
    held = zip(found["itemsets"].tolist(), found["support"].tolist(), strict=True)
    return {frozenset(map(int, one)): round(share * len(marks)) for one, share in held}


def rules_of(sets: Mapping[frozenset[int], int], rows: int, lift: float, better: float) -> list[Rule]:
    """Rules with one category at their end, of at least a `lift`, none of which a shorter one replaces."""
    confidence: dict[tuple[frozenset[int], int], float] = {}
    found = []
    for held in sorted(sets, key=len):
        for then in sorted(held) if len(held) > 1 else ():
            when = held - {then}
            sure = sets[held] / sets[when]
            confidence[when, then] = sure
            shorter = [confidence[when - {one}, then] for one in when] if len(when) > 1 else []
            risen = sure / (sets[frozenset({then})] / rows)
            if risen >= lift and all(sure >= better * other for other in shorter):
                found.append(Rule(tuple(sorted(when)), then, sets[held] / rows, sure, risen))
    return found


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """A rule as it holds in a segment: `customers` of it have all interests; `confidence` is the
    segment's own, `lift` that of the rule among all customers."""

    rule: Rule
    customers: int
    confidence: float


def of_segments(
    rules: Sequence[Rule], interests: Marks, labels: NDArray[np.int64], most: int = _SHOWN
) -> list[list[SegmentRule]]:
    """For each segment the rules that are most its own: those whose interests its customers share more
    often than everybody (by a lift of at least 1.5), by customers x logs of that lift and the rule's. Told once, whichever
    way it is read, of ten customers at least; no category ends two of them."""
    found: list[list[SegmentRule]] = []
    held = [(rule, rule.holders(interests)) for rule in rules]
    for label in range(int(labels.max(initial=-1)) + 1):
        inside = labels == label
        ranked = []
        for rule, who in held:
            both = int((who & inside).sum())
            over = both / inside.sum() / who.mean() if both else 0.0
            if both >= LEAST_TOLD and over >= 1.5:
                sure = both / int((interests[:, list(rule.when)].all(axis=1) & inside).sum())
                ranked.append((both * np.log(over) * np.log(rule.lift), SegmentRule(rule, both, sure)))
        found.append(_apart([one for _, one in sorted(ranked, key=lambda r: (-r[0], r[1].rule.key))], most))
    return found


def _apart(ranked: list[SegmentRule], most: int) -> list[SegmentRule]:
    kept: list[SegmentRule] = []
    told: set[int] = set()
    for one in ranked:
        whole = {*one.rule.when, one.rule.then}
        if one.rule.then in told or any(whole <= {*k.rule.when, k.rule.then} for k in kept):
            continue
        kept.append(one)
        told.add(one.rule.then)
        if len(kept) == most:
            break
    return kept


def write_rules(work: Workspace, counts: sp.csr_matrix, categories: list[str], ids: list[str]) -> None:
    """Tables interest_rules (all rules, the highest lift first) and segment_rules (those of each segment).
    counts: customers x categories; ids: each customer's segment."""
    rules = InterestRules().fit(counts)
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    rows = [(_words(rule, categories), rule.support, rule.confidence, rule.lift) for rule in rules.rules_]
    work.keep_rows(
        "interest_rules",
        pa.schema([("when_key", pa.list_(text)), ("then_key", text)]
                  + [(name, number) for name in ("support", "confidence", "lift")]),
        {
            "when_key": [words[0] for words, *_ in rows],
            "then_key": [words[1] for words, *_ in rows],
            **{name: [row[i] for row in rows] for i, name in enumerate(("support", "confidence", "lift"), 1)},
        },
    )  # fmt: skip
    known, labels = np.unique(np.array(ids, dtype=object), return_inverse=True)
    own = of_segments(rules.rules_, rules.interests(counts), labels.astype(np.int64))
    told = [(known[i], rank, one) for i, part in enumerate(own) for rank, one in enumerate(part)]
    work.keep_rows(
        "segment_rules",
        pa.schema([("segment_id", text), ("rank", whole), ("when_key", pa.list_(text)), ("then_key", text),
                   ("customers", whole), ("confidence", number), ("lift", number)]),
        {
            "segment_id": [segment for segment, *_ in told],
            "rank": [rank for _, rank, _ in told],
            "when_key": [_words(one.rule, categories)[0] for *_, one in told],
            "then_key": [_words(one.rule, categories)[1] for *_, one in told],
            "customers": [one.customers for *_, one in told],
            "confidence": [one.confidence for *_, one in told],
            "lift": [one.rule.lift for *_, one in told],
        },
    )  # fmt: skip


def _words(rule: Rule, categories: list[str]) -> tuple[list[str], str]:
    return [categories[i] for i in rule.when], categories[rule.then]
