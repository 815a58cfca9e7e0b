"""The published leave-one-out protocol of SASRec (Kang and McAuley, ICDM 2018) on a file of sequences.

One `user item` a line, in time order for each user. Each user's last item is the test, the one before it the
validation; users with fewer than three items are trained on only. Each test item is ranked among 100 items drawn
evenly from those that are not in the user's training items; HR@10 and NDCG@10. What ties counts as ranked above
the test item, so that equal scores earn nothing.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from implicit.nearest_neighbours import BM25Recommender
from scipy import sparse

from customers.errors import BadInput
from customers.recommend.history import Floats, Ints
from customers.recommend.next_item import NextItem, unseen
from customers.stages import Silent, Stopwatch
from eval.recommend.protocol import interval

NEGATIVES = 100
PUBLISHED = {"model": "SASRec on Amazon Video Games, as published", "hr": 0.7410, "ndcg": 0.5360}
Row = dict[str, Any]
Scorer = Callable[[Ints, Ints], Floats]


def read(path: Path) -> tuple[Ints, Ints]:
    """Users and items, numbered from 0, by user and in the file's order. Raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8")
        rows = (
            np.loadtxt(text.splitlines(), dtype=np.int64, ndmin=2)
            if text.strip()
            else np.zeros((0, 2), np.int64)
        )
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"{path}: each line must be two whole numbers, a user and an item") from error
    if rows.shape[1:] != (2,) or len(rows) < 100:
        raise BadInput(f"{path}: a hundred lines or more with a user and an item each are needed")
    _, user = np.unique(rows[:, 0], return_inverse=True)
    _, item = np.unique(rows[:, 1], return_inverse=True)
    order = np.argsort(user, kind="stable")
    return user[order], item[order]


def run(path: Path, *, quick: bool = False, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """A row a method; `quick` leaves out the sequential transformer, which also needs the extra `deep`."""
    user, item = read(path)
    users, items = int(user.max()) + 1, int(item.max()) + 1
    size = np.bincount(user)
    left = np.cumsum(size)[user] - np.arange(len(user))
    test = (left == 1) & (size[user] >= 3)
    if not test.any():
        raise BadInput(f"{path}: no user has three items or more, so none can be held out")
    known, train = ~test, ~((left <= 2) & (size[user] >= 3))
    who = user[test]
    draw = np.random.default_rng(0)
    others = unseen(who, user[train | test], item[train | test], items, NEGATIVES, draw)
    candidates = np.c_[item[test], others]
    rows = []
    for name, make in _methods(quick).items():
        say(f"measuring {name} …")
        watch = Stopwatch(Silent())
        with watch.stage(name):
            score = make(user[known], item[known], users, items)
        begun = perf_counter()
        found = score(who, candidates)
        ms = 1000 * (perf_counter() - begun) / len(who)
        took = {
            "fit_seconds": watch.stages[-1].seconds,
            "peak_mib": watch.stages[-1].peak_mib,
            "ms_per_customer": ms,
        }
        rows.append({"model": name, **_figures(found), **took, "customers": len(who)})
    return [PUBLISHED, *rows]


def _figures(scores: Floats) -> Row:
    rank = (scores[:, 1:] >= scores[:, :1]).sum(axis=1)
    ndcg = np.where(rank < 10, 1 / np.log2(rank + 2), 0.0)
    mean, low, high = interval(ndcg)
    return {"hr": float((rank < 10).mean()), "ndcg": mean, "ndcg_low": low, "ndcg_high": high}


def _methods(quick: bool) -> dict[str, Callable[[Ints, Ints, int, int], Scorer]]:
    found: dict[str, Callable[[Ints, Ints, int, int], Scorer]] = {
        "popularity": _popularity,
        "implicit ItemKNN, BM25": _item_knn,
        NextItem.name: lambda *data: NextItem().fit(*data).score,
    }
    if not quick and find_spec("torch") is not None:
        found["sequential transformer"] = _transformer
    return found


def _popularity(user: Ints, item: Ints, users: int, items: int) -> Scorer:
    del user, users
    count = np.bincount(item, minlength=items).astype(np.float64)
    return lambda who, candidates: count[candidates]


def _item_knn(user: Ints, item: Ints, users: int, items: int) -> Scorer:
    bought = sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(users, items))
    bought.sum_duplicates()
    model = BM25Recommender(K=100)
    model.fit(bought, show_progress=False)

    def score(who: Ints, candidates: Ints) -> Floats:
        parts = [
            np.take_along_axis(
                (bought[who[a : a + 500]] @ model.similarity).toarray(), candidates[a : a + 500], 1
            )
            for a in range(0, len(who), 500)
        ]
        return np.concatenate(parts)

    return score


def _transformer(user: Ints, item: Ints, users: int, items: int) -> Scorer:
    import torch

    from customers.deep.next_items import NextItemsRecipe, Trips, fit, scores

    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = NextItemsRecipe(
        dimensions=128,
        dropout=0.4,
        epochs=20,
        batch=256,
        negatives=2_048 if device == "cuda" else 512,
        device=device,
    )
    place = np.arange(len(user))
    trips = Trips(np.searchsorted(user, np.arange(users + 1)), np.arange(len(item) + 1), item, place, items)
    model = fit(trips, recipe)

    def score(who: Ints, candidates: Ints) -> Floats:
        parts = [
            np.take_along_axis(scores(model, trips, who[a : a + 1000]), candidates[a : a + 1000], 1)
            for a in range(0, len(who), 1000)
        ]
        return np.concatenate(parts)

    return score
