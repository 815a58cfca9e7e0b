"""Our recommenders and the blend on one window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from customers.recommend.base import Recommender
from customers.recommend.blend import (
    EVERYTHING_THOROUGH,
    FRESH_THOROUGH,
    Blend,
    Candidates,
    Components,
    Examples,
)
from customers.recommend.content import Content
from customers.recommend.evaluate import ranked
from customers.recommend.fitting import WINDOWS, learners
from customers.recommend.history import Floats, History, Ints
from customers.recommend.models import (
    DueRepeat,
    ItemItem,
    MatrixFactors,
    PairwiseFactors,
    PersonalRepeat,
    Popularity,
    TypeTaste,
)
from customers.recommend.neighbours import ItemNeighbours, TifuKnn, UpCf, UserNeighbours
from eval.recommend.coverage import widened
from eval.recommend.protocol import HORIZON, Split


def recommenders(quick: bool = False) -> list[Recommender]:
    """Every recommender, unfitted; `quick` leaves out the slow ones."""
    found: list[Recommender] = [
        Popularity(60), PersonalRepeat(), DueRepeat(), UserNeighbours(own=0.3), ItemNeighbours(), ItemItem(ridge=100),
        MatrixFactors(), PairwiseFactors(), Content(), TypeTaste(), TifuKnn(), UpCf(),
    ]  # fmt: skip
    if not quick and find_spec("torch") is not None:
        from customers.deep.recommender import Sequential

        found.append(Sequential())
    return found


class Lessons:
    """Examples of mornings, made once and kept for every window that learns from them."""

    def __init__(self, history: History, blend: Blend) -> None:
        self.history = history
        self.blend = blend
        self._made: dict[int, Examples] = {}
        self.seconds: dict[int, float] = {}

    def of(self, cut: int) -> Examples:
        """Examples of the morning of day `cut` and the days after it."""
        if cut not in self._made:
            begun = perf_counter()
            candidates = Components().fit(self.history.before(cut)).candidates()
            self._made[cut] = self.blend.examples(candidates, self.history.bought(cut, cut + HORIZON - 1))
            self.seconds[cut] = perf_counter() - begun
        return self._made[cut]

    def forget(self, after: int) -> None:
        """Let go of mornings later than day `after`."""
        self._made = {cut: made for cut, made in self._made.items() if cut <= after}


@dataclass(frozen=True)
class BlendRun:
    """Lists of a blend by task, and what it took: seconds to fit, to rank everybody, and milliseconds for one
    customer (the median of 20)."""

    name: str
    lists: dict[str, list[Ints]]
    fit_seconds: float
    rank_seconds: float
    one_ms: float


STEP = 10
SHOWN = {"product": (0.12, 0.03), "type": (0.45, 0.20)}
"""What share of the products that were ever sold all lists together are to show, by level and task, in the widened run."""
WIDENED = "blend, showing more of the shop"
BLEND, AS_BUILT, WITH_PLANS = "blend", "blend, as a build learns it", "blend, knowing planned promotions"


def thorough(plans: bool = False) -> Blend:
    """The blend with as many rounds as help, however long that takes."""
    return Blend(keep=0.3, everything=EVERYTHING_THOROUGH, fresh=FRESH_THOROUGH, plans=plans)


def run_blends(one: Split, lessons: Lessons, months: int, say: Callable[[str], None]) -> list[BlendRun]:
    """Learn from mornings `STEP` days apart in up to `months` months, the last one a month before the window's
    cut, and rank: as thoroughly as helps, and with the few months, customers and rounds that a build has the time
    for."""
    first = int(one.history.day.min())
    cuts = [one.cut - back for back in range(HORIZON * months, HORIZON - 1, -STEP)]
    cuts = [cut for cut in cuts if cut - first >= 2 * HORIZON]
    seen: list[Examples] = []
    for cut in cuts:
        say(f"  what was known {one.cut - cut} days before")
        seen.append(lessons.of(cut))
    monthly = [cut for cut in cuts if (one.cut - cut) % HORIZON == 0]
    few = monthly[-WINDOWS:]
    people = one.history.shape[0]
    built = [lessons.of(cut).some(learners(people, cut), Blend().keep / thorough().keep) for cut in few]
    begun = perf_counter()
    components = Components().fit(one.history)
    fitted = perf_counter() - begun
    begun = perf_counter()
    candidates = components.candidates()
    described = perf_counter() - begun
    runs = []
    blends = [
        (BLEND, thorough(), [lessons.of(cut) for cut in monthly], cuts),
        (AS_BUILT, Blend(plans=False), built, few),
    ]
    if one.history.promoted is not None and one.history.promoted.planned:
        blends.append((WITH_PLANS, thorough(plans=True), blends[0][2], cuts))
    for name, blend, learned, mornings in blends:
        say(f"  learning: {name}")
        begun = perf_counter()
        blend.fit(learned, seen if mornings is cuts else None)
        took = perf_counter() - begun + fitted + sum(lessons.seconds[cut] for cut in mornings)
        run, scores = _ranked(name, blend, components, candidates, took, described)
        runs.append(run)
        if name == BLEND:
            runs.append(_widened(one, run, candidates, scores))
    return runs


def _widened(one: Split, run: BlendRun, candidates: Candidates, scores: tuple[Floats, Floats]) -> BlendRun:
    begun = perf_counter()
    lists = {
        task: widened(run.lists[task], candidates, chances, round(share * one.seen), keep)
        for task, share, chances, keep in zip(
            run.lists, SHOWN[one.level], scores, (None, candidates.new), strict=True
        )
    }
    return replace(run, name=WIDENED, lists=lists, rank_seconds=run.rank_seconds + perf_counter() - begun)


def _ranked(
    name: str, blend: Blend, components: Components, candidates: Candidates, took: float, described: float
) -> tuple[BlendRun, tuple[Floats, Floats]]:
    people = components.history.shape[0]
    begun = perf_counter()
    scores = blend.score(candidates), blend.score(candidates, new=True)
    lists = {
        "repeats": ranked(candidates, scores[0], people),
        "never bought": ranked(candidates, scores[1], people, candidates.new),
    }
    ranking = described + perf_counter() - begun
    return BlendRun(name, lists, took, ranking, _one_ms(components, blend, people)), scores


def _one_ms(components: Components, blend: Blend, people: int) -> float:
    times = []
    for customer in np.random.default_rng(0).choice(people, min(20, people), replace=False):
        begun = perf_counter()
        candidates = components.candidates(np.array([customer]))
        blend.score(candidates)
        times.append(1000 * (perf_counter() - begun))
    return float(np.median(times))
