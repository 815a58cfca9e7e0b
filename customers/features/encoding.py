"""Normalised and encoded features: z-score, min-max, one-hot and hashed, fitted on what was known by a day.

    z = (x - mean) / std            std of the population; of a constant column only x - mean is left
    m = (x - min) / (max - min)     held within [0, 1]; a constant column is 0 throughout

Fitting and encoding are scikit-learn's (StandardScaler, MinMaxScaler, OneHotEncoder, FeatureHasher);
this module keeps them from seeing later days, and keeps what they learnt as JSON, which holds every
float to the last digit and, unlike a pickle, runs nothing when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction import FeatureHasher
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from customers.errors import NotBuilt

AS_OF = "as_of"
HASH_SIZE = 64
FORMAT = 1


class LaterData(ValueError):
    """An encoder was to be fitted on rows that were not known yet; a bug of the caller's."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What was learnt, and from what.

    until: the last day that fitting saw. rows: how many it saw. numbers: the columns scaled, with mean,
    std, low (min) and high (max) of each. empty: number columns without a single value, left out.
    categories: one-hot column -> its values in text order. hashed: columns hashed (MurmurHash3 with seed
    0, signed) into `hash_size` places each. code: fingerprint of the features' source.
    """

    until: date
    rows: int
    numbers: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    empty: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    hashed: tuple[str, ...]
    hash_size: int
    code: str

    @property
    def names(self) -> list[str]:
        """Names of `transform`'s columns."""
        kinds = [f"{kind}:{name}" for kind in ("z", "minmax") for name in self.numbers]
        one_hot = [f"{column}={value}" for column, values in self.categories.items() for value in values]
        return kinds + one_hot + [f"{c}#{place}" for c in self.hashed for place in range(self.hash_size)]

    def z(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """z-scores, shape (rows, numbers); a missing value stays NaN."""
        std = np.array(self.std)
        return (_numbers(table, self.numbers) - np.array(self.mean)) / np.where(std > 0, std, 1.0)

    def minmax(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Min-max values, shape (rows, numbers), within [0, 1]; a missing value stays NaN."""
        low, span = np.array(self.low), np.array(self.high) - np.array(self.low)
        varies = span > 10 * np.finfo(float).eps  # below that scikit-learn too calls a column constant
        values = (_numbers(table, self.numbers) - low) / np.where(varies, span, 1.0)
        return np.where(varies, np.clip(values, 0.0, 1.0), 0.0 * values)

    def one_hot(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Shape (rows, values of all one-hot columns); all 0 for an unseen or missing value."""
        parts: list[NDArray[np.float64]] = [np.empty((len(table), 0))]
        for column, values in self.categories.items():
            if values:
                listed: Any = [list(values)]
                encoder = OneHotEncoder(categories=listed, handle_unknown="ignore", sparse_output=False)
                encoder.fit(np.array(values[:1], dtype=object).reshape(-1, 1))
                parts.append(np.asarray(encoder.transform(_texts(table, column).reshape(-1, 1))))
        return np.hstack(parts)

    def hash(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Shape (rows, hashed columns x hash_size): one 1 or -1 a value, unseen ones too; all 0 where it
        is missing. (Weinberger et al. 2009.)"""
        hasher = FeatureHasher(n_features=self.hash_size, input_type="string")
        parts: list[NDArray[np.float64]] = [np.empty((len(table), 0))]
        for column in self.hashed:
            words = [[f"{column}={text}"] if text else [] for text in _texts(table, column)]
            parts.append(hasher.transform(words).toarray() if words else np.empty((0, self.hash_size)))
        return np.hstack(parts)

    def transform(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Everything side by side, shape (rows, len(names)), without NaN: a missing number stands at the
        training mean."""
        mean = pd.DataFrame([self.mean], columns=list(self.numbers))
        z, minmax = self.z(table), self.minmax(table)
        minmax = np.where(np.isnan(minmax), self.minmax(mean), minmax)
        return np.hstack([np.nan_to_num(z, nan=0.0), minmax, self.one_hot(table), self.hash(table)])

    def save(self, path: Path) -> None:
        """Write as JSON."""
        body = {"format": FORMAT} | asdict(self) | {"until": self.until.isoformat()}
        path.write_text(json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Encoding:
        """Read what `save` wrote. Raises NotBuilt where it is absent or another version's."""
        try:
            body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if body.pop("format") != FORMAT:
                raise ValueError("another format")
            body |= {key: tuple(value) for key, value in body.items() if isinstance(value, list)}
            body["until"] = date.fromisoformat(body["until"])
            body["categories"] = {key: tuple(values) for key, values in body["categories"].items()}
            return cls(**body)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotBuilt(f"{path} cannot be read; run `shopkeeper build --force` ({error})") from error


def fit_encoding(
    table: pd.DataFrame,
    until: date,
    numbers: Sequence[str],
    one_hot: Sequence[str] = (),
    hashed: Sequence[str] = (),
    hash_size: int = HASH_SIZE,
) -> Encoding:
    """Learn from the rows of `table`, each of which says in the column `as_of` by which day it was known.

    Raises LaterData where one of them was not known by `until` or does not say; ValueError for an
    infinite number, an absent column or no row."""
    _refuse_later(table, until)
    if not len(table):
        raise ValueError("an encoding needs a row at least to be fitted on")
    values = _numbers(table, numbers)
    filled = [name for name, column in zip(numbers, values.T, strict=True) if not np.isnan(column).all()]
    learnt: dict[str, NDArray[np.float64]] = dict.fromkeys(("mean", "std", "low", "high"), np.empty(0))
    if filled:
        values = _numbers(table, filled)
        scale, bounds = StandardScaler().fit(values), MinMaxScaler().fit(values)
        low, high = np.asarray(bounds.data_min_), np.asarray(bounds.data_max_)
        std = np.where(high > low, np.sqrt(np.asarray(scale.var_)), 0.0)
        learnt = {"mean": np.asarray(scale.mean_), "std": std, "low": low, "high": high}
    return Encoding(
        until=until,
        rows=len(table),
        numbers=tuple(filled),
        empty=tuple(name for name in numbers if name not in filled),
        categories={c: tuple(sorted({t for t in _texts(table, c) if t})) for c in one_hot},
        hashed=tuple(hashed),
        hash_size=hash_size,
        code=code_fingerprint(),
        **{name: tuple(float(value) for value in column) for name, column in learnt.items()},
    )


@cache
def code_fingerprint() -> str:
    """Of the source of `customers.features`: encodings with different ones are of different features."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _refuse_later(table: pd.DataFrame, until: date) -> None:
    if AS_OF not in table.columns:
        raise LaterData(f"rows without a column {AS_OF!r} do not say when they were known")
    known = pd.to_datetime(table[AS_OF])
    if known.isna().any():
        raise LaterData(f"{int(known.isna().sum())} rows do not say by which day they were known")
    late = known > pd.Timestamp(until)
    if late.any():
        raise LaterData(
            f"an encoding until {until} was given {int(late.sum())} rows known only by {known.max().date()}"
        )


def _numbers(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    _require(table, names)
    columns = [table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names]
    values = np.column_stack(columns) if columns else np.empty((len(table), 0))
    if np.isinf(values).any():
        raise ValueError("a feature is infinite")
    return values


def _texts(table: pd.DataFrame, name: str) -> NDArray[np.object_]:
    """A column as text, "" where it is missing."""
    _require(table, [name])
    column = table[name]
    return np.array(["" if pd.isna(value) else str(value) for value in column], dtype=object)


def _require(table: pd.DataFrame, names: Sequence[str]) -> None:
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise ValueError(f"the table lacks {', '.join(absent)}")
