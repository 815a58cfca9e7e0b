"""What the build leaves for serving recommendations: arrays in one file, opened in well under a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers.errors import NotBuilt
from customers.recommend.audience import HALF_LIFE
from customers.recommend.blend import Candidates, Components
from customers.recommend.history import Catalogue, Floats, History, Ints
from customers.recommend.together import Pairings, count

FILE = "recommenders.npz"


@dataclass(frozen=True)
class Taste:
    """What each customer bought of each thing (product or category): customer c's rows are
    `start[c]:start[c+1]`, by ascending thing; `decayed` baskets are worth half after 120 days."""

    start: Ints
    thing: Ints
    baskets: Ints
    first: Ints
    last: Ints
    decayed: Floats

    def rows(self, customer: int) -> slice:
        """The customer's rows."""
        return slice(int(self.start[customer]), int(self.start[customer + 1]))


@dataclass(frozen=True)
class Knowledge:
    """`start[c]:start[c+1]` are customer c's rows of `candidate`, `score` and `fresh`, best `score`
    first; `fresh` is the score among new products, 0 for own ones. Days
    count since 1970; `cut` is the day after the last. `tenure` days since the first trip; `buyers`
    and `recent_buyers` customers of each product, ever and in the last 60 days."""

    customers: NDArray[np.str_]
    catalogue: Catalogue
    cut: int
    start: Ints
    candidate: Ints
    score: Floats
    fresh: Floats
    tenure: Floats
    buyers: Ints
    recent_buyers: Floats
    last_sold: Ints
    factors: Floats
    product_taste: Taste
    category_taste: Taste
    products: Pairings
    categories: Pairings


def gather(
    history: History, components: Components, candidates: Candidates, scores: Floats, fresh: Floats
) -> Knowledge:
    """Collect what serving needs from a fitted build; `scores` and `fresh` are those of the candidates."""
    people, wide = history.shape
    groups = history.catalogue.categories
    first = np.full(people, history.cut, np.int64)
    np.minimum.at(first, history.customer, history.day)
    last_sold = np.zeros(wide, np.int64)
    np.maximum.at(last_sold, history.product, history.day)
    order = np.lexsort((candidates.product, -scores, candidates.customer))
    return Knowledge(
        customers=history.customers,
        catalogue=history.catalogue,
        cut=history.cut,
        start=np.searchsorted(candidates.customer[order], np.arange(people + 1)),
        candidate=candidates.product[order].astype(np.int32),
        score=scores[order].astype(np.float32),
        fresh=fresh[order].astype(np.float32),
        tenure=(history.cut - first).astype(np.float32),
        buyers=np.bincount(history.pairs.code % wide, minlength=wide),
        recent_buyers=components.popular.popularity,
        last_sold=last_sold,
        factors=components.factors.customer_factors,
        product_taste=taste(history, np.arange(wide), wide),
        category_taste=taste(history, groups, len(history.catalogue.category_keys)),
        products=count(history, np.arange(wide), wide),
        categories=count(history, groups, len(history.catalogue.category_keys)),
    )


def taste(history: History, thing: Ints, things: int) -> Taste:
    """Count each customer's baskets with each thing; `thing` gives each product's."""
    _, rows = np.unique(history.basket * things + thing[history.product], return_index=True)
    code = history.customer[rows] * things + thing[history.product[rows]]
    order = np.lexsort((history.day[rows], code))
    code, day = code[order], history.day[rows][order]
    start = np.flatnonzero(np.r_[True, code[1:] != code[:-1]][: len(code)])
    end = np.r_[start[1:], len(code)][: len(start)]
    worth = np.exp2(-(history.cut - day) / HALF_LIFE)
    decayed = np.add.reduceat(worth, start) if len(start) else worth
    owner, kind = code[start] // things, code[start] % things
    bounds = np.searchsorted(owner, np.arange(len(history.customers) + 1))
    return Taste(
        start=bounds,
        thing=kind.astype(np.int32),
        baskets=(end - start).astype(np.int32),
        first=day[start].astype(np.int32),
        last=day[end - 1].astype(np.int32),
        decayed=decayed.astype(np.float32),
    )


_PLAIN = (
    "customers", "cut", "start", "candidate", "score", "fresh", "tenure", "buyers", "recent_buyers",
    "last_sold", "factors",
)  # fmt: skip
_TASTE = ("start", "thing", "baskets", "first", "last", "decayed")
_CATALOGUE = ("products", "types", "categories", "category_keys", "restricted")


def save(knowledge: Knowledge, path: Path) -> None:
    """Write everything to `path`."""
    arrays: dict[str, Any] = {name: np.asarray(getattr(knowledge, name)) for name in _PLAIN}
    arrays |= {f"catalogue_{name}": getattr(knowledge.catalogue, name) for name in _CATALOGUE}
    for name in ("product_taste", "category_taste"):
        arrays |= {f"{name}_{part}": getattr(getattr(knowledge, name), part) for part in _TASTE}
    for name in ("products", "categories"):
        pairings: Pairings = getattr(knowledge, name)
        both = pairings.both
        arrays |= {f"{name}_data": both.data.astype(np.int32), f"{name}_indices": both.indices}
        arrays |= {f"{name}_indptr": both.indptr, f"{name}_single": pairings.single}
        arrays[f"{name}_baskets"] = np.asarray(pairings.baskets)
    np.savez(path, allow_pickle=False, **arrays)


def load(path: Path) -> Knowledge:
    """Read what `save` wrote. Raises NotBuilt where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        pairings: dict[str, Any] = {name: _pairings(found, name) for name in ("products", "categories")}
        catalogue = Catalogue(*(found[f"catalogue_{name}"] for name in _CATALOGUE))
        tastes: dict[str, Any] = {
            name: Taste(*(found[f"{name}_{part}"] for part in _TASTE))
            for name in ("product_taste", "category_taste")
        }
        plain: dict[str, Any] = {name: found[name] for name in _PLAIN} | {"cut": int(found["cut"])}
    except (OSError, ValueError, KeyError) as error:
        raise NotBuilt(f"{path} cannot be read; run `shopkeeper build` again.") from error
    return Knowledge(catalogue=catalogue, **plain, **tastes, **pairings)


def _pairings(found: dict[str, Any], name: str) -> Pairings:
    single = found[f"{name}_single"]
    parts = tuple(found[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    both = sparse.csr_matrix(parts, shape=(len(single), len(single)))
    return Pairings(both, single, int(found[f"{name}_baskets"]))
