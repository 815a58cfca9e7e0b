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
from customers.recommend.history import History, read_history
from customers.recommend.knowledge import FILE, gather, load, save
from customers.recommend.serving import Recommenders

# For adults only: never pushed on somebody who did not buy it before.
RESTRICTED = r"TOBACCO|CIGAR|\bBEERS?\b|\bWINES?\b|LIQUOR|SPIRITS|VODKA|WHISK|ALCOHOL|VAP(E|ING)|香烟|烟草|啤酒|白酒|葡萄酒"
REPORT = "recommend.json"
_LEAST_DAYS = 60


@dataclass(frozen=True)
class _Window:
    """What was known on a morning, and what was bought in the `HORIZON` days from then on."""

    history: History
    components: Components
    candidates: Candidates
    bought: sparse.csr_matrix


def fit(con: duckdb.DuckDBPyConnection, out_dir: Path, progress: Progress | None = None) -> None:
    """Fit on all purchases and write what serving needs, and `recommend.json`, into `out_dir`.

    The order is learned on the last 30 days from what was known before them, then applied to what
    is known now. The same, shifted back by 30 days, is tested on the last 30 days for the report.
    Data of less than four months is served by the recommenders without a learned order.
    Raises BadInput where there is no purchase.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    history = read_history(con, RESTRICTED)
    if not len(history.day):
        raise BadInput("The shop has no purchases to learn recommendations from.")
    steps = _Steps(progress)
    first = int(history.day.min())
    cuts = [cut for cut in (history.cut - 2 * HORIZON, history.cut - HORIZON) if cut - first >= _LEAST_DAYS]
    windows = []
    for cut in cuts:
        windows.append(_window(history, cut))
        steps.next()
    rows = _evaluate(windows) if windows else []
    report = {
        "test": {"from_day": history.cut - HORIZON, "days": HORIZON},
        "rows": [asdict(row) for row in rows],
        "rate": rate_quality(history, HORIZON) if windows else None,
    }
    steps.next()
    last = windows[-1:]
    blend = Blend().fit([(window.candidates, window.bought) for window in last])
    del windows, last
    steps.next()
    components = Components().fit(history)
    candidates = components.candidates()
    knowledge = gather(history, components, candidates, blend.score(candidates))
    save(knowledge, out_dir / FILE)
    (out_dir / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    steps.next()


def open_recommenders(out_dir: Path, con: duckdb.DuckDBPyConnection) -> Recommenders:
    """Open what `fit` wrote; `con` sees the shop's tables. Raises NotBuilt."""
    return Recommenders(load(out_dir / FILE), con)


def _window(history: History, cut: int) -> _Window:
    known = history.before(cut)
    components = Components().fit(known)
    return _Window(known, components, components.candidates(), history.bought(cut, cut + HORIZON - 1))


def _evaluate(windows: list[_Window]) -> list[Quality]:
    """Every recommender, and the blend learned on the window before, on the last window."""
    test = windows[-1]
    people = np.arange(test.history.shape[0])
    owned = test.history.bought(0, test.history.cut)
    new = without(test.bought, owned)
    seen = len(np.unique(test.history.product))
    rows = []
    for model in (test.components.popular, *test.components.pooled, test.components.repeat):
        found = model.top(people, 10)
        rows.append(quality(model.name, "repeats", found, test.bought, seen))
        fresh = model.top(people, 10, owned)
        rows.append(quality(model.name, "new", fresh, new, seen))
    blend = Blend().fit([(window.candidates, window.bought) for window in windows[:-1]])
    scores = blend.score(test.candidates)
    found = ranked(test.candidates, scores, len(people))
    rows.append(quality("blend", "repeats", found, test.bought, seen))
    fresh = ranked(test.candidates, scores, len(people), test.candidates.new)
    rows.append(quality("blend", "new", fresh, new, seen))
    return rows


class _Steps:
    """Tells progress of the five steps."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done = progress, 0

    def next(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress.step(min(self.done, 5), 5)
