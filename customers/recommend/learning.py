"""The order of a customer's offers, as the shop's feedback has taught it: the bandit, fed from the feedback store.

Each offer that was shown counts once, with what came of it within `WITHIN` days: bought 1, clicked `CLICK`, anything
else 0. Without any feedback the recommender's own order stands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np

from customers.recommend.bandit import Bandit, Shown, Slate
from customers.stores.feedback import FeedbackEvent, FeedbackStore
from customers.values import Recommendation

CLICK, WITHIN = 0.5, timedelta(days=7)
MOST = 50_000
"""The latest events that are learnt from."""
_USUAL_SCORE = 0.05
_WORTH = {"bought": 1.0, "clicked": CLICK}


class FeedbackRanking:
    """Safe to use from several threads. category_of: a product's category. exploration: share of the lists that are
    drawn to learn more (0: none)."""

    def __init__(
        self,
        store: FeedbackStore,
        category_of: Callable[[str], str],
        exploration: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self._store, self._category_of = store, category_of
        self.exploration, self._random_state = exploration, random_state
        self._lock = threading.Lock()
        self._learnt = 0
        self._bandit: Bandit | None = None
        self._numbers: dict[str, int] = {}

    def order(self, customer_id: str, found: Sequence[Recommendation], n: int) -> list[Recommendation]:
        """Return the best `n` of a list, in the learnt order."""
        with self._lock:
            bandit = self._current()
            if bandit is None or not found:
                return list(found[:n])
            shown = bandit.rank(self._slate(customer_id, found), n)
        return [found[place] for place in shown.chosen.tolist()]

    def knows(self) -> bool:
        """Whether anything but the recommender's own order may come out."""
        with self._lock:
            return self._current() is not None

    def _current(self) -> Bandit | None:
        """The bandit, learnt anew where feedback came since; None where there is none to learn from."""
        total = sum(self._store.counts().values())
        if total != self._learnt:
            self._bandit, self._learnt = self._learn(), total
        if self._bandit is None and self.exploration > 0:
            self._bandit = Bandit(self.exploration, random_state=self._random_state)
        return self._bandit

    def _learn(self) -> Bandit | None:
        log = self._store.log()[-MOST:]
        outcomes = rewards(log)
        if not outcomes:
            return None
        bandit = Bandit(self.exploration, random_state=self._random_state)
        for event, reward in outcomes:
            slate = Slate(
                self._number(event.customer_id), np.array([self._number(event.product_id)]),
                np.array([self._number(self._category_of(event.product_id))]),
                np.array([_score(event)]), np.array([event.context.get("new") is True]),
            )  # fmt: skip
            bandit.learn(slate, Shown(np.array([0]), 1.0, bandit.features(slate), False), [reward])
        return bandit

    def _slate(self, customer_id: str, found: Sequence[Recommendation]) -> Slate:
        return Slate(
            self._number(customer_id),
            np.array([self._number(rec.product_id) for rec in found]),
            np.array([self._number(rec.category) for rec in found]),
            np.array([rec.score for rec in found], float),
            np.array([rec.reason != "repeat" for rec in found]),
        )

    def _number(self, key: str) -> int:
        """A number for an id or a key; the same key has the same one."""
        return self._numbers.setdefault(key, len(self._numbers))


def _score(event: FeedbackEvent) -> float:
    """The recommender's probability, where whoever showed the offer told it."""
    told = event.context.get("score")
    return float(told) if isinstance(told, (int, float)) and 0 < told < 1 else _USUAL_SCORE


def rewards(log: Sequence[FeedbackEvent]) -> list[tuple[FeedbackEvent, float]]:
    """Return each "shown" of a log, in order, with what came of it: the most that followed within `WITHIN` days and before
    the same product was shown to the same customer again."""
    waiting: dict[tuple[str, str], int] = {}
    found: list[tuple[FeedbackEvent, float]] = []
    for event in log:
        key = (event.customer_id, event.product_id)
        if event.action == "shown":
            waiting[key] = len(found)
            found.append((event, 0.0))
        elif event.action in _WORTH and key in waiting:
            shown, reward = found[waiting[key]]
            if event.at - shown.at <= WITHIN:
                found[waiting[key]] = (shown, max(reward, _WORTH[event.action]))
    return found
