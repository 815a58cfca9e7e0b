"""Fits the recommenders for serving, and measures them on held-out days of the same data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np
from scipy import sparse

from customers.errors import BadInput
from customers.ports import Progress
from customers.recommend.blend import HORIZON, Blend, Candidates, Components
from customers.recommend.calibration import rate_quality
from customers.recommend.evaluate import Quality, quality, ranked, without
from customers.recommend.history import History, Ints, read_history
from customers.recommend.knowledge import FILE, gather, load, save
from customers.recommend.models import DueRepeat
from customers.recommend.serving import Recommenders

# For adults only: never pushed on somebody who did not buy it before.
TOBACCO = r"TOBACCO|CIGAR|VAP(E|ING)|香烟|烟草"
"""What names tobacco among departments, categories and types in capitals."""
RESTRICTED = rf"{TOBACCO}|\bBEERS?\b|\bWINES?\b|LIQUOR|SPIRITS|VODKA|WHISK|ALCOHOL|啤酒|白酒|葡萄酒"
REPORT = "recommend.json"
# What a build has the time for: months to learn from, and customers of each.
WINDOWS, LEARNERS = 2, 1_800
_LEAST_DAYS = 60


@dataclass(frozen=True)
class _Window:
    """What was known on a morning, and what was bought in the `HORIZON` days from then on."""

    components: Components
    candidates: Candidates
    bought: sparse.csr_matrix


def fit(con: duckdb.DuckDBPyConnection, out_dir: Path, progress: Progress | None = None) -> None:
    """Fit on all purchases and write what serving needs, and `recommend.json`, into `out_dir`.

    The order is learned on up to `WINDOWS` months from what was known before each, then applied to what is
    known now. The same without the last month is tested on it for the report.
    Data of less than four months is served by the recommenders without a learned order.
    Raises BadInput where there is no purchase.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    history = read_history(con, RESTRICTED)
    if not len(history.day):
        raise BadInput("The shop has no purchases to learn recommendations from.")
    first = int(history.day.min())
    back = [HORIZON * months for months in range(WINDOWS, 0, -1)]
    cuts = [history.cut - days for days in back if history.cut - days - first >= _LEAST_DAYS]
    steps = _Steps(progress, len(cuts) + 3)
    blend, seen, rows = Blend(), [], []
    for cut in cuts:
        some = learners(history.shape[0], cut)
        found = _window(history, cut, None if cut == cuts[-1] else some)
        if cut == cuts[-1]:
            rows = _evaluate(found, Blend().fit(seen))
        seen.append(blend.examples(found.candidates, found.bought).some(some))
        del found
        steps.next()
    report = {
        "test": {"from_day": history.cut - HORIZON, "days": HORIZON},
        "rows": [asdict(row) for row in rows],
        "rate": rate_quality(history, HORIZON) if cuts else None,
    }
    steps.next()
    blend.fit(seen)
    del seen
    steps.next()
    components = Components().fit(history)
    candidates = components.candidates()
    scores = blend.score(candidates), blend.score(candidates, new=True)
    save(gather(history, components, candidates, *scores), out_dir / FILE)
    (out_dir / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    steps.next()


def open_recommenders(out_dir: Path, con: duckdb.DuckDBPyConnection) -> Recommenders:
    """Open what `fit` wrote; `con` sees the shop's tables. Raises NotBuilt."""
    return Recommenders(load(out_dir / FILE), con)


def learners(people: int, cut: int) -> Ints:
    """The customers whose candidates of a morning are learned from, others for each morning."""
    draw = np.random.default_rng(cut)
    return np.sort(draw.choice(people, min(LEARNERS, people), replace=False))


def _window(history: History, cut: int, customers: Ints | None) -> _Window:
    """The candidates of the morning of day `cut`, and what was bought in the `HORIZON` days from then on."""
    components = Components().fit(history.before(cut))
    return _Window(components, components.candidates(customers), history.bought(cut, cut + HORIZON - 1))


def _evaluate(test: _Window, blend: Blend) -> list[Quality]:
    """Three simple recommenders, and the blend learned on the windows before, on the last window."""
    components, history = test.components, test.components.history
    people = np.arange(history.shape[0])
    owned = history.bought(0, history.cut)
    new = without(test.bought, owned)
    seen = len(np.unique(history.product))
    rows = []
    for model in (components.popular, components.pooled["item-item"], DueRepeat().fit(history)):
        rows.append(quality(model.name, "repeats", model.top(people, 10), test.bought, seen))
        rows.append(quality(model.name, "new", model.top(people, 10, owned), new, seen))
    found = ranked(test.candidates, blend.score(test.candidates), len(people))
    rows.append(quality("blend", "repeats", found, test.bought, seen))
    fresh = blend.score(test.candidates, new=True)
    found = ranked(test.candidates, fresh, len(people), test.candidates.new)
    rows.append(quality("blend", "new", found, new, seen))
    return rows


class _Steps:
    """Tells progress of the steps."""

    def __init__(self, progress: Progress | None, steps: int) -> None:
        self.progress, self.steps, self.done = progress, steps, 0

    def next(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress.step(min(self.done, self.steps), self.steps)
