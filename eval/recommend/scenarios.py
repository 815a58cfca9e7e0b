"""Two scenarios of recommendation, each with a measure of its own, on the last month of a shop's purchases.

Onboarding: customers are hidden in parts, in turn. The others' months before the cut choose the questions and answer
for everybody; the hidden ones answer what is true by their own months, and the lists after 0, 1, 2 and 3 answers are
held against all that they bought in the month after: NDCG@10 and recall@10, with and without their store, beside three questions drawn by lot from
the fifty categories that most people buy, and beside the three that most people buy.

Brand family: of those who had bought from a maker, the maker's further products (never bought, of no type that they
bought from it) are ranked, and held against which of them they bought in the month after: NDCG@10 and the share of
hits in the first ten, beside the maker's most bought products, and beside chance. Only makers with at least twenty
such products, and pairs of customer and maker with a hit to find, count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from customers.recommend.evaluate import TOP
from customers.recommend.family import Bought, Family
from customers.recommend.history import Catalogue, Floats, History, Ints
from customers.recommend.knowledge import Taste, taste
from customers.recommend.onboarding import RECENT, Answers, Crowd, crowd, questions, wanted
from eval.recommend.protocol import HORIZON, Array, interval

Row = dict[str, Any]
PARTS, DRAWS, AMONG, ANSWERS = 5, 5, 50, 3
_MOST_ITEMS, _LEAST_GOODS, _LATE, _STALE = 2_000, 20, 60, 56
_GAINS = 1 / np.log2(np.arange(2, TOP + 2))


def run(history: History, say: Callable[[str], None]) -> list[Row]:
    """Measure both scenarios on the last month."""
    cut = history.cut - HORIZON
    rows: list[Row] = []
    for level in ("product", "type"):
        told = history if level == "product" else history.by_type()
        say(f"onboarding, {level}s")
        rows += onboarding(told, cut, level)
    say("brand family")
    return [*rows, *family(history, cut)]


# onboarding --------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Lists:
    """What a way of asking gave: NDCG and recall of every customer (nan: no purchase) after 0 to 3 answers."""

    ndcg: Array
    recall: Array


def onboarding(history: History, cut: int, level: str = "product", seed: int = 0) -> list[Row]:
    """Return a row for each way of asking and number of answers."""
    past, bought = history.before(cut), history.bought(cut, cut + HORIZON - 1)
    people, groups = history.shape[0], history.catalogue.categories
    items, known = _crowd(past, groups)
    there = np.bincount(past.customer, minlength=people) > 0
    part, stores = np.random.default_rng(seed).integers(0, PARTS, people), _usual_stores(past)
    shy = _never_asked(history.catalogue)
    ways = ["our three questions", "our three questions, and their store", "our questions, each after the last answer", "three most bought categories",
            *(f"drawn by lot {n}" for n in range(DRAWS))]  # fmt: skip
    found = {way: _Lists(*(np.full((ANSWERS + 1, people), np.nan) for _ in range(2))) for way in ways}
    for one in range(PARTS):
        others, hidden = (
            known.some(np.flatnonzero((part != one) & there)),
            np.flatnonzero((part == one) & there),
        )
        for way, ask in _ways(others, shy, seed + one).items():
            inside = stores if way.endswith("their store") else None
            told = _Told(others, known.buys, items, bought, inside, (part != one) & there)
            _score(found[way], told, hidden, ask)
    return _onboarding_rows(level, found)


def _crowd(past: History, groups: Ints) -> tuple[Ints, Crowd]:
    """The items that are offered, the most bought ones of late, and everybody, as serving sees them on the morning of
    the cut."""
    late = past.bought(past.cut - RECENT, past.cut - 1).tocsc()
    buyers = np.asarray(late.sum(axis=0)).ravel() * ~past.catalogue.restricted
    items = np.argsort(-buyers, kind="stable")[: min(_MOST_ITEMS, int((buyers > 0).sum()))]
    pairs = late[:, items].tocoo()
    kinds = taste(past, groups, len(past.catalogue.category_keys))
    category = (_owners(kinds), kinds.thing, kinds.decayed)
    size = past.shape[0], category, len(past.catalogue.category_keys)
    return items, crowd(*size, (pairs.row, pairs.col), len(items))


def _owners(kinds: Taste) -> Ints:
    return np.repeat(np.arange(len(kinds.start) - 1), np.diff(kinds.start))


def _never_asked(catalogue: Catalogue) -> Array:
    shy = catalogue.category_keys == ""
    shy[catalogue.categories[catalogue.restricted]] = True
    return shy


def _usual_stores(past: History) -> Ints:
    """The store where each customer bought the most."""
    store = past.store if past.store is not None else np.zeros_like(past.customer)
    wide = int(store.max(initial=0)) + 1
    code, count = np.unique(past.customer * wide + store, return_counts=True)
    order = np.lexsort((-count, code // wide))
    first = order[np.unique(code[order] // wide, return_index=True)[1]]
    usual = np.full(past.shape[0], -1)
    usual[code[first] // wide] = code[first] % wide
    return usual


@dataclass(frozen=True)
class _Told:
    """What the hidden customers are scored by: the `others`, who are those of `shown`, what everybody would answer, the
    items, what was bought after, and the usual stores where they are used."""

    others: Crowd
    buys: Any
    items: Ints
    bought: sparse.csr_matrix
    stores: Ints | None
    shown: Any

    def best(self, answers: Answers, store: int | None) -> Ints:
        same = [] if store is None or self.stores is None else [self.stores[self.shown] == store]
        return self.items[np.argsort(-wanted(self.others, answers, same), kind="stable")[:TOP]]


Ask = Callable[[Answers], int | None]


def _ways(others: Crowd, shy: Any, seed: int) -> dict[str, Ask]:
    """Ways of asking: each gives the next question after some answers."""
    most = np.argsort(-(others.buys.sum(axis=0) * ~shy), kind="stable")[:AMONG]
    draw = np.random.default_rng(seed)
    told: dict[tuple[tuple[int, bool], ...], int | None] = {}

    def adaptive(answers: Answers) -> int | None:
        key = tuple(answers)
        if key not in told:
            told[key] = next(iter(questions(others, 1, answers, shy)), None)
        return told[key]

    def fixed(chosen: Sequence[int]) -> Ask:
        return lambda answers: chosen[len(answers)] if len(answers) < len(chosen) else None

    ours = questions(others, ANSWERS, (), shy)
    return {
        "our three questions": fixed(ours),
        "our three questions, and their store": fixed(ours),
        "our questions, each after the last answer": adaptive,
        "three most bought categories": fixed(most[:ANSWERS].tolist()),
        **{f"drawn by lot {n}": fixed(draw.choice(most, ANSWERS, False).tolist()) for n in range(DRAWS)},
    }


def _score(found: _Lists, told: _Told, hidden: Ints, ask: Ask) -> None:
    """Fill in the hidden customers' NDCG and recall after each number of answers."""
    lists: dict[tuple[Any, ...], Ints] = {}
    bought = told.bought
    for customer in hidden.tolist():
        targets = bought.indices[bought.indptr[customer] : bought.indptr[customer + 1]]
        if not len(targets):
            continue
        store = None if told.stores is None else int(told.stores[customer])
        answers: list[tuple[int, bool]] = []
        for count in range(ANSWERS + 1):
            if count and (category := ask(answers)) is not None:
                answers.append((category, bool(told.buys[customer, category])))
            key = (store, *answers)
            if key not in lists:
                lists[key] = told.best(answers, store)
            hits = np.isin(lists[key], targets)
            found.ndcg[count, customer] = (hits * _GAINS).sum() / _GAINS[: len(targets)].sum()
            found.recall[count, customer] = hits.sum() / len(targets)


def _onboarding_rows(level: str, found: dict[str, _Lists]) -> list[Row]:
    """`gain`: over popularity; `over_lot`: over questions by lot; both paired."""
    lots = [lists for way, lists in found.items() if way.startswith("drawn by lot")]
    ours = {way: lists for way, lists in found.items() if not way.startswith("drawn by lot")}
    lot = _Lists(*(np.mean([getattr(one, name) for one in lots], axis=0) for name in ("ndcg", "recall")))
    first = next(iter(ours.values())).ndcg[0]
    rows = []
    for way, lists in {**ours, "three drawn by lot": lot}.items():
        for count in range(ANSWERS + 1):
            if count == 0 and not way.startswith("our three questions"):
                continue
            row: Row = {"scenario": "onboarding", "level": level, "answers": count}
            store = ", and their store" if way.endswith("their store") else ""
            row["way"] = way if count else f"popular of late{store}"
            row |= _between("ndcg", lists.ndcg[count]) | _between("recall", lists.recall[count])
            if count or store:
                row |= _between("gain", lists.ndcg[count] - first)
                row |= _between("over_lot", lists.ndcg[count] - lot.ndcg[count]) if lists is not lot else {}
            rows.append({**row, "customers": int(np.isfinite(first).sum())})
    return rows


def _between(name: str, values: Array) -> Row:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval(values), strict=True))


# brand family ------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Pair:
    """One customer and maker: what might be offered, by our score; which of it was bought after; how many bought each
    of it before."""

    customer: int
    score: Floats
    hit: Any
    buyers: Floats


def family(history: History, cut: int) -> list[Row]:
    """Return a row for each way of ranking; means and intervals over customers, of each the mean of its makers."""
    past = history.before(cut)
    later = history.bought(cut, cut + HORIZON - 1)
    ndcg: dict[str, dict[int, list[float]]] = {way: {} for way in ("ours", "popular of the maker", "chance")}
    share: dict[str, dict[int, list[float]]] = {way: {} for way in ndcg}
    pairs = 0
    for pair in _pairs(past, later):
        pairs += 1
        total, hits, size = int(pair.hit.sum()), pair.hit.astype(float), len(pair.hit)
        ideal = _GAINS[:total].sum()
        for way, by in (("ours", pair.score), ("popular of the maker", pair.buyers)):
            first = hits[np.argsort(-by, kind="stable")[:TOP]]
            ndcg[way].setdefault(pair.customer, []).append(float(first @ _GAINS / ideal))
            share[way].setdefault(pair.customer, []).append(float(first.mean()))
        ndcg["chance"].setdefault(pair.customer, []).append(total / size * _GAINS.sum() / ideal)
        share["chance"].setdefault(pair.customer, []).append(total / size)
    rows = []
    means = {way: _means(told) for way, told in ndcg.items()}
    shares = {way: _means(told) for way, told in share.items()}
    for way, values in means.items():
        row: Row = {"scenario": "brand family", "level": "product", "way": way} | _between("ndcg", values)
        row |= _between("hits", shares[way])
        row["lift"] = float(shares[way].mean() / max(shares["chance"].mean(), 1e-12))
        if way == "ours":
            row |= _between("gain", values - means["popular of the maker"])
        rows.append({**row, "customers": len(values), "pairs": pairs})
    return rows


def _means(told: dict[int, list[float]]) -> Array:
    return np.array([float(np.mean(values)) for _, values in sorted(told.items())])


def _pairs(past: History, later: sparse.csr_matrix) -> Iterator[_Pair]:
    bought = _bought(past)
    model = Family(bought)
    seen = np.bincount(past.customer, minlength=past.shape[0]) > 0
    for customer in np.flatnonzero(seen).tolist():
        targets = later.indices[later.indptr[customer] : later.indptr[customer + 1]]
        product, score = model.for_customer(customer)
        hit, maker = np.isin(product, targets), bought.maker[product]
        for one in np.unique(maker[hit]).tolist():
            inside = np.flatnonzero(maker == one)
            if len(inside) >= _LEAST_GOODS:
                yield _Pair(customer, score[inside], hit[inside], bought.buyers[product[inside]])


def _bought(past: History) -> Bought:
    """What serving would know on the morning of the cut."""
    wide = past.shape[1]
    goods = taste(past, np.arange(wide), wide)
    late = past.day >= past.cut - _LATE
    who = np.unique(past.customer[late] * wide + past.product[late]) % wide
    last = np.zeros(wide, np.int64)
    np.maximum.at(last, past.product, past.day)
    offered = (last >= past.cut - _STALE) & ~past.catalogue.restricted
    maker = past.catalogue.groups["maker"]
    return Bought(
        goods.start, goods.thing, goods.decayed, past.catalogue.types, maker,
        np.bincount(who, minlength=wide).astype(float), offered,
    )  # fmt: skip


# print -------------------------------------------------------------------------------------
def table(rows: list[Row]) -> str:
    """The rows as text."""
    lines = []
    for row in rows:
        head = f"{row['scenario']}, {row['level']}s, " + (
            f"{row['answers']} answers, " if "answers" in row else ""
        )
        told = [
            f"{name} {row[name]:.4f} ({row[f'{name}_low']:.4f} to {row[f'{name}_high']:.4f})"
            for name in ("ndcg", "recall", "hits", "gain", "over_lot") if name in row
        ]  # fmt: skip
        told += [f"lift {row['lift']:.1f}"] if "lift" in row else []
        told.append(f"{row['customers']:,} customers")
        lines.append(f"{head}{row['way']}: {', '.join(told)}")
    return "\n".join(lines)
