"""Behaviour as sequences, without torch: read from a store, cut at a day, laid out as arrays.

A *cell* is a kind of event with a category ("purchase" of "BREAD"); what a customer did on one day is a
*session*, a handful of cells. What was known at a cut day is all up to and including it, never later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customers.errors import BadInput

HORIZON = 30
_EPOCH = date(1970, 1, 1)
# The kinds that a category can be seen in, the one that is predicted first.
KINDS = ("purchase", "cart", "click", "browse", "return")
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """One row a customer, day, kind and category, by customer and day: `customer`, `kind` and `category` are
    numbers into the lists, `day` whole days since 1970-01-01, `count` events; each of shape (rows,)."""

    customers: list[str]
    categories: list[str]
    kinds: list[str]
    customer: Ints
    day: Ints
    kind: Ints
    category: Ints
    count: NDArray[np.float32]

    @property
    def cells(self) -> int:
        """How many cells there are; cell 0 is none, cell 1 + kind * categories + category the others."""
        return len(self.kinds) * len(self.categories)

    @property
    def last_day(self) -> date:
        return _EPOCH + timedelta(days=int(self.day.max()))

    def save(self, path: Path) -> None:
        """Write as a numpy archive (no pickles)."""
        columns = {n: getattr(self, n) for n in ("customer", "day", "kind", "category", "count")}
        names: dict[str, Any] = {
            n: np.array(getattr(self, n), dtype=np.str_) for n in ("customers", "categories", "kinds")
        }
        small: dict[str, Any] = {
            n: v.astype(np.int32) if v.dtype == np.int64 else v for n, v in columns.items()
        }
        np.savez_compressed(path, **small, **names)

    @classmethod
    def load(cls, path: Path) -> Sequences:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            names = {n: data[n].tolist() for n in ("customers", "categories", "kinds")}
            whole = {n: data[n].astype(np.int64) for n in ("customer", "day", "kind", "category")}
            return cls(**names, **whole, count=data["count"])


def read_sequences(store: Path, categories: list[str] | None = None) -> Sequences:
    """Read a shop's events that have a category; `categories` chooses some (default: all with 20 buyers or
    more, at most 80, by sales). Raises NotBuilt without a store, BadInput where nothing is left."""
    from customers.stores.events import open_store

    opened = open_store(store)
    try:
        con = opened.backend.con
        if categories is None:
            categories = [
                row[0]
                for row in con.execute(
                    "SELECT category FROM events JOIN products USING (product_id) WHERE kind = 'purchase' AND"
                    " category IS NOT NULL GROUP BY category HAVING count(DISTINCT customer_id) >= 20"
                    " ORDER BY sum(amount) DESC NULLS LAST, category LIMIT 80"
                ).fetchall()
            ]
        rows = con.execute(
            "SELECT customer_id, datediff('day', DATE '1970-01-01', ts::DATE) AS day, kind, category,"
            " count(*) AS n FROM events JOIN products USING (product_id)"
            " WHERE list_contains(?, kind) AND list_contains(?, category) GROUP BY ALL",
            [list(KINDS), categories],
        ).df()
    finally:
        opened.close()
    if rows.empty:
        raise BadInput(f"{store}: no purchases of products with a category; bring a product file in as well")
    return sequences(rows, categories)


def sequences(rows: pd.DataFrame, categories: list[str]) -> Sequences:
    """From a table with customer_id, day (since 1970-01-01), kind, category and n."""
    customers = sorted(rows["customer_id"].unique().tolist())
    found = set(rows["kind"])
    kinds = [kind for kind in KINDS if kind in found]
    coded = pd.DataFrame(
        {
            "customer": pd.Index(customers).get_indexer(pd.Index(rows["customer_id"])),
            "day": rows["day"].to_numpy(np.int64),
            "kind": pd.Index(kinds).get_indexer(pd.Index(rows["kind"])),
            "category": pd.Index(categories).get_indexer(pd.Index(rows["category"])),
            "count": rows["n"].to_numpy(np.float32),
        }
    ).sort_values(["customer", "day", "kind", "category"], ignore_index=True)
    whole = {n: coded[n].to_numpy(np.int64) for n in ("customer", "day", "kind", "category")}
    return Sequences(customers, categories, kinds, **whole, count=coded["count"].to_numpy(np.float32))


def seen_by(held: Sequences, cut: date) -> Ints:
    """Numbers of the customers with an event by the cut day, ascending."""
    return np.unique(held.customer[held.day <= _number(cut)])


def sessions_at(
    held: Sequences, who: Ints, cut: date, length: int = 48, cells: int = 16
) -> tuple[Ints, Ints]:
    """The last `length` sessions of each customer up to the cut day: cells (len(who), length, cells), 0 where
    there are no more, and ages in days (len(who), length), -1 where there is no session; the newest last.
    Of a session with more cells the most frequent are kept."""
    today = _number(cut)
    place = np.full(len(held.customers), -1)
    place[who] = np.arange(len(who))
    known = (held.day <= today) & (place[held.customer] >= 0)
    table = pd.DataFrame(
        {
            "row": place[held.customer[known]],
            "day": held.day[known],
            "cell": 1 + held.kind[known] * len(held.categories) + held.category[known],
            "count": held.count[known],
        }
    ).sort_values(["row", "day", "count"], ascending=[True, False, False], kind="stable")
    new_day = (table["row"].diff().ne(0)) | (table["day"].diff().ne(0))
    back = new_day.groupby(table["row"]).cumsum().to_numpy() - 1
    at = table.groupby(["row", "day"], sort=False).cumcount().to_numpy()
    kept = (back < length) & (at < cells)
    found, ages = np.zeros((len(who), length, cells), np.int64), np.full((len(who), length), -1, np.int64)
    row, slot = table["row"].to_numpy()[kept], length - 1 - back[kept]
    found[row, slot, at[kept]] = table["cell"].to_numpy()[kept]
    ages[row, slot] = today - table["day"].to_numpy()[kept]
    return found, ages


def series_at(held: Sequences, who: Ints, cut: date, bins: int = 40, width: int = 4) -> NDArray[np.float32]:
    """Events by kind over time: (len(who), categories, kinds, bins), each bin `width` days, the newest last
    and ending with the cut day; the logarithm of one more than the count."""
    age = _number(cut) - held.day
    place = np.full(len(held.customers), -1)
    place[who] = np.arange(len(who))
    known = (age >= 0) & (age < bins * width) & (place[held.customer] >= 0)
    made = np.zeros((len(who), len(held.categories), len(held.kinds), bins), np.float32)
    slot = bins - 1 - age[known] // width
    np.add.at(
        made, (place[held.customer[known]], held.category[known], held.kind[known], slot), held.count[known]
    )
    return np.log1p(made)


def bought_after(held: Sequences, who: Ints, cut: date, days: int = HORIZON) -> NDArray[np.float32]:
    """1 where the customer buys from the category in the days after the cut: (len(who), categories)."""
    later = held.day - _number(cut)
    place = np.full(len(held.customers), -1)
    place[who] = np.arange(len(who))
    hit = (
        (later > 0)
        & (later <= days)
        & (held.kind == held.kinds.index("purchase"))
        & (place[held.customer] >= 0)
    )
    made = np.zeros((len(who), len(held.categories)), np.float32)
    made[place[held.customer[hit]], held.category[hit]] = 1.0
    return made


def _number(day: date) -> int:
    return (day - _EPOCH).days
