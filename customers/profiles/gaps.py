"""Attributes that nobody told, guessed from behaviour as probabilities. Off unless a build is asked to.

What a customer buys says something of age, income or family, and not much: the guesses are kept apart
from the attributes that are known, in a table of their own that measures, audiences and prices never
read. Nothing may be stated as a fact from them.
"""
# pyright: reportArgumentType=false, reportAssignmentType=false
# (scikit-learn has no types of its own; what is inferred of its results is wrong.)

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from customers.profiles.workspace import Workspace

LEAST_KNOWN = 100
LEAST_SHARE = 0.15
MOST_SHARE = 0.8
_LEAST_BUYERS = 20
_TYPE_WEIGHT, _HABIT_WEIGHT = 0.5, 3.0

Floats = NDArray[np.float64]

_HABITS = """
SELECT customer_id, ln(1 + count(DISTINCT basket_id)), ln(1 + greatest(sum(amount), 0)),
  coalesce(sum(discount) / nullif(sum(amount + discount), 0), 0), avg(hour(ts)),
  avg(CAST(hour(ts) < 12 AS INT)), avg(CAST(hour(ts) >= 18 AS INT)), avg(CAST(isodow(ts) >= 6 AS INT)),
  ln(count(*) / count(DISTINCT basket_id)), count(DISTINCT product_id) / count(*)
FROM held_lines GROUP BY customer_id ORDER BY customer_id
"""


class AttributeGuess(ClassifierMixin, BaseEstimator):
    """Logistic regression for one attribute. X: `behaviour_columns`, shape (n, F); y: the value told.

    Values count alike in fitting. `predict_proba` gives chances among customers as they are; `predict`
    the value that behaviour speaks for most, so that rare ones are found too.
    """

    def __init__(self, strength: float = 0.001) -> None:
        self.strength = strength

    def fit(self, X: ArrayLike, y: ArrayLike) -> AttributeGuess:
        """Raises ValueError where only one value is there."""
        columns, told = validate_data(self, X, y, dtype=np.float64)
        self.classes_, counts = np.unique(told, return_counts=True)
        self.common_ = counts / counts.sum()
        model = LogisticRegression(C=self.strength, max_iter=500, class_weight="balanced")
        self.model_ = model.fit(columns, told)
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """The chance of every value of `classes_`, shape (n, values): what behaviour speaks for, times
        how common the value is (Saerens et al. 2002)."""
        found = self._balanced(X) * self.common_
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """The value that behaviour speaks for most, shape (n,)."""
        return self.classes_[self._balanced(X).argmax(axis=1)]

    def _balanced(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        return self.model_.predict_proba(validate_data(self, X, dtype=np.float64, reset=False))


def bands(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Value -> the neighbouring values it is taken together with, so that every band holds at least
    `LEAST_SHARE` of the customers. Values are in the order of their first number ("Under 15K" before
    "15-24K"), those without one are never joined."""
    found, counts = np.unique(np.asarray(values, dtype=str), return_counts=True)
    numbers = {str(v): _first_number(str(v)) for v in found}
    if any(number is None for number in numbers.values()):
        return {str(v): (str(v),) for v in found}
    least = LEAST_SHARE * counts.sum()
    size = dict(zip(map(str, found), map(int, counts), strict=True))
    groups: list[list[str]] = [[]]
    for value in sorted(size, key=lambda v: (numbers[v], v)):
        if sum(size[v] for v in groups[-1]) >= least:
            groups.append([])
        groups[-1].append(value)
    if len(groups) > 1 and sum(size[v] for v in groups[-1]) < least:
        last = groups.pop()
        groups[-1] += last
    return {value: tuple(group) for group in groups for value in group}


def _first_number(value: str) -> float | None:
    found = re.search(r"\d+(?:\.\d+)?", value)
    below = re.search(r"under|below|less|<|以下", value, re.IGNORECASE)
    return None if found is None else float(found.group()) - bool(below) * 0.5


def behaviour_columns(work: Workspace) -> tuple[list[str], Floats]:
    """Customers in text order and their scaled columns: shares of baskets by category and by item, and
    shopping habits, shape (customers, F)."""
    rows = work.con.execute(_HABITS).fetchall()
    customers = [str(row[0]) for row in rows]
    habits = StandardScaler().fit_transform(np.array([row[1:] for row in rows], dtype=np.float64))
    parts = [_shares(work, "category", customers), _shares(work, "item", customers) * _TYPE_WEIGHT]
    return customers, np.hstack([*parts, habits * _HABIT_WEIGHT])


def _shares(work: Workspace, key: str, customers: list[str]) -> Floats:
    found = work.con.execute(
        f"SELECT customer_id, {key}, count(DISTINCT basket_id) FROM held_lines WHERE {key} IN (SELECT {key} FROM"
        f" held_lines GROUP BY {key} HAVING count(DISTINCT customer_id) >= {_LEAST_BUYERS}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    place = {key: i for i, key in enumerate(customers)}
    kinds = {key: i for i, key in enumerate(sorted({str(row[1]) for row in found}))}
    where = ([place[str(row[0])] for row in found], [kinds[str(row[1])] for row in found])
    counts = csr_matrix((np.array([row[2] for row in found], dtype=np.float64), where),
                        shape=(len(customers), len(kinds))).toarray()  # fmt: skip
    if not counts.size:
        return counts
    whole = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return StandardScaler().fit_transform(np.sqrt(counts / whole))


SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("customer_id", "attribute", "value")] + [("probability", pa.float64())]
)


def write_guesses(work: Workspace, *, fill: bool) -> None:
    """Table attribute_guesses: the most likely value (neighbouring ones joined by " / ") of every
    attribute that enough customers told, and not nearly all alike, for those who did not. Without rows
    unless `fill`."""
    guessed: dict[str, list] = {name: [] for name in SCHEMA.names}
    if fill:
        _guess(work, guessed)
    work.keep_rows("attribute_guesses", SCHEMA, guessed)


def _guess(work: Workspace, guessed: dict[str, list]) -> None:
    customers, columns = behaviour_columns(work)
    place = {key: i for i, key in enumerate(customers)}
    told: dict[str, dict[str, str]] = {}
    for customer, attribute, value in work.con.execute("SELECT * FROM attributes ORDER BY ALL").fetchall():
        if customer in place:
            told.setdefault(attribute, {})[customer] = value
    for attribute, values in told.items():
        joined = bands(list(values.values()))
        wanted = [" / ".join(joined[value]) for value in values.values()]
        unknown = [key for key in customers if key not in values]
        _, counts = np.unique(wanted, return_counts=True)
        # Where nearly all who told say the same, a guess would only repeat it.
        if len(values) < LEAST_KNOWN or counts.max() > MOST_SHARE * len(wanted) or not unknown:
            continue
        model = AttributeGuess().fit(columns[[place[key] for key in values]], wanted)
        chances = model.predict_proba(columns[[place[key] for key in unknown]])
        guessed["customer_id"] += unknown
        guessed["attribute"] += [attribute] * len(unknown)
        guessed["value"] += [str(model.classes_[i]) for i in chances.argmax(axis=1)]
        guessed["probability"] += chances.max(axis=1).tolist()
