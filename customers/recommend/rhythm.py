"""How each customer buys each thing: how often, since when, at which gaps, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from customers.recommend.history import Floats, History, Ints

HALF_LIVES = (10, 30, 90, 300)


@dataclass(frozen=True)
class Rhythm:
    """One row for each (customer, thing) that was bought, by ascending `code` = customer * things + thing.

    `baskets` with it; the `first` and the `last` day; `decayed` baskets, worth half after each of `HALF_LIVES`
    days, shape (rows, half-lives); `last_gap` in days (0 where there was one basket) and `square_gaps`, the sum
    of the squared gaps.
    """

    code: Ints
    baskets: Ints
    first: Ints
    last: Ints
    decayed: Floats
    last_gap: Floats
    square_gaps: Floats
    cut: int
    things: int

    def find(self, customer: Ints, thing: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Row of each pair, and whether there is one (row 0 where there is none)."""
        code = customer * self.things + thing
        if not len(self.code):
            return np.zeros(len(code), np.int64), np.zeros(len(code), bool)
        row = np.minimum(np.searchsorted(self.code, code), len(self.code) - 1)
        found = self.code[row] == code
        return np.where(found, row, 0), found

    def gap(self) -> Floats:
        """Mean days between baskets of each row; nan where there was one basket, or all on one day."""
        span = (self.last - self.first).astype(np.float32)
        return np.where(span > 0, span / np.maximum(self.baskets - 1, 1), np.nan).astype(np.float32)


def rhythm(history: History) -> Rhythm:
    """Of every customer with every product of the history (use `History.grouped` for other things)."""
    things = history.shape[1]
    code = history.customer * things + history.product
    order = np.lexsort((history.day, code))
    code, day = code[order], history.day[order]
    if not len(code):
        none, nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        decayed = np.zeros((0, len(HALF_LIVES)), np.float32)
        return Rhythm(none, none, none, none, decayed, nothing, nothing, history.cut, things)
    start = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    end = np.r_[start[1:], len(code)]
    gap = np.r_[0, np.diff(day)].astype(np.float32)
    gap[start] = 0
    age = (history.cut - day).astype(np.float32)
    decayed = [np.add.reduceat(np.exp2(-age / half), start) for half in HALF_LIVES]
    return Rhythm(
        code[start], end - start, day[start], day[end - 1], np.column_stack(decayed).astype(np.float32),
        np.where(end - start > 1, gap[end - 1], 0).astype(np.float32),
        np.add.reduceat(gap**2, start).astype(np.float32), history.cut, things,
    )  # fmt: skip
