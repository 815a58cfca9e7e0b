"""What a coupon would bring from each customer: the models of `uplift`, fitted on all of a shop's campaigns.

The uplift is the doubly robust learner's with a ridge regression at its end, so that its uncertainty is had
by refitting that end on resampled customers. All models are linear, and a file holds their weights.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from customers.recommend import uplift
from customers.recommend.offers import Floats, Mask, Offer, Sales

ROUNDS = 100
LEAST_SENT, LEAST_REDEEMED = 200, 30
FILE = "campaigns.npz"
_ALPHA = 100.0
_SIDES = ("there", "sent", "bought")


@dataclass(frozen=True)
class Expected:
    """Of every customer, were they sent a coupon for a target today: `redeems` (0..1); `gain`, how much more likely
    the coupon makes a purchase of it within `uplift.DAYS` days (below 0: less likely); `gains`, the same from each
    resampled model, shape (ROUNDS, customers); `buys`, the chance to buy it anyway; `money` that a purchase of the
    target is worth. Without enough campaigns to learn from `gains` has no rows, `gain` and `redeems` are zeros."""

    redeems: Floats
    gain: Floats
    gains: Floats
    buys: Floats
    money: Floats

    @property
    def learnt(self) -> bool:
        """Whether the shop's campaigns taught an effect."""
        return len(self.gains) > 0


@dataclass(frozen=True)
class Evidence:
    """What the models were learnt on: campaigns, customers sent to and not, redeemers; the mean effect on buying,
    its standard error, and the same "effect" in the days before, when nothing had been sent: as far as that differs
    from nothing, the campaigns went to people who would have bought more anyway, beyond what the data tells of them."""

    campaigns: int
    sent: int
    not_sent: int
    redeemers: int
    effect: float = 0.0
    effect_error: float = 0.0
    placebo: float = 0.0
    placebo_error: float = 0.0


class Returns:
    """See the module. `fit` on a shop's sales and past campaigns; `expect` for a target of the same shop."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, sales: Sales, offers: list[Offer]) -> Returns:
        """Learn from the campaigns that can teach; with too few of them `expect` knows no effect."""
        teaching = uplift.usable(sales, offers)
        self.past = uplift.outcomes(sales, teaching)
        sent = sum(int((o.sent & o.there).sum()) for o in self.past)
        redeemed = sum(int((o.redeemed & p.there).sum()) for o, p in zip(teaching, self.past, strict=True))
        self.learnt = sent >= LEAST_SENT and redeemed >= LEAST_REDEEMED
        if not self.learnt:
            self.evidence = Evidence(len(teaching), sent, 0, redeemed)
            return self
        seen = uplift.panel(sales, teaching)
        self._redeems = _linear(seen.features[seen.sent], seen.redeemed[seen.sent])
        self._buys = _linear(seen.features[~seen.sent], seen.bought[~seen.sent])
        kept, effect = _effects(seen)
        self._fit_gain(kept, effect)
        placebo = _mean(*_effects(uplift.panel(sales, teaching, shift=uplift.DAYS)))
        self.evidence = Evidence(
            len(teaching), sent, int((~seen.sent).sum()), redeemed, *_mean(kept, effect), *placebo
        )
        # How much of what was there before is still hidden in the effect nobody can tell: each resampled model
        # takes off another part of it, from none to all, and the estimate half.
        part = np.random.default_rng(self.random_state).permutation((np.arange(ROUNDS) + 0.5) / ROUNDS)
        self._gain[-1] -= max(placebo[0], 0.0) * np.r_[0.5, part]
        return self

    def _fit_gain(self, kept: uplift.Panel, effect: Floats) -> None:
        """One ridge regression on all rows, and one for each bootstrap sample of customers: in each column the
        weights of the features, and the level last."""
        rng = np.random.default_rng(self.random_state)
        mean, spread = kept.features.mean(axis=0), np.maximum(kept.features.std(axis=0), 1e-9)
        x = np.column_stack([(kept.features - mean) / spread, np.ones(len(kept))])
        people, place = np.unique(kept.customer, return_inverse=True)
        held = _ALPHA * np.diag(np.r_[np.ones(x.shape[1] - 1), 0.0])  # the level is not drawn to 0
        found = []
        for turn in range(ROUNDS + 1):
            drawn = rng.integers(0, len(people), len(people)) if turn else np.arange(len(people))
            weighed = x * np.bincount(drawn, minlength=len(people))[place][:, None]
            found.append(np.linalg.solve(weighed.T @ x + held, weighed.T @ effect))
        weights = np.array(found).T
        plain = weights[:-1] / spread[:, None]
        self._gain = np.vstack([plain, weights[-1] - mean @ plain])

    def expect(self, sales: Sales, target: Mask) -> Expected:
        """Return what a coupon for the target, sent the day after the data's last, is expected to do."""
        day, size = sales.last_day + 1, len(sales.customers)
        worth = _worth(sales, target, day)
        if not self.learnt:
            return Expected(np.zeros(size), np.zeros(size), np.zeros((0, size)), np.zeros(size), worth)
        x = np.column_stack(
            [sales.features(target, day), uplift.before(sales, self.past, day), np.ones(size)]
        )
        redeems, buys = _chance(x @ self._redeems), _chance(x @ self._buys)
        # A coupon makes nobody buy who does not use it or buys anyway, and takes away no more than was there.
        gains = np.clip(x @ self._gain, -buys[:, None], np.minimum(redeems, 1 - buys)[:, None])
        return Expected(redeems, gains[:, 0], gains[:, 1:].T, buys, worth)

    # on disk -------------------------------------------------------------------------------
    def save(self, path: Path) -> None:
        """Write what `load` reads; no code is in the file."""
        outcome = {
            "start": np.array([o.start for o in self.past]),
            **{side: np.array([getattr(o, side) for o in self.past], bool) for side in _SIDES},
        }
        learnt = {"redeems": self._redeems, "buys": self._buys, "gain": self._gain} if self.learnt else {}
        np.savez_compressed(path, evidence=json.dumps(asdict(self.evidence)), **outcome, **learnt)

    @classmethod
    def load(cls, path: Path) -> Returns:
        """Read what `save` wrote."""
        made = cls()
        with np.load(path, allow_pickle=False) as held:
            made.evidence = Evidence(**json.loads(str(held["evidence"])))
            sides = [held[side] for side in _SIDES]
            made.past = [
                uplift.Outcome(int(start), *(side[n] for side in sides))
                for n, start in enumerate(held["start"])
            ]
            made.learnt = "gain" in held
            if made.learnt:
                made._redeems, made._buys, made._gain = held["redeems"], held["buys"], held["gain"]
        return made


def _linear(x: Floats, y: Mask) -> Floats:
    """A logistic regression as the weights of the features and the level last."""
    model = uplift.linear_chance().fit(x, y)
    scale, logistic = model.steps[0][1], model.steps[1][1]
    plain = logistic.coef_[0] / scale.scale_
    return np.r_[plain, float(logistic.intercept_[0]) - float(scale.mean_ @ plain)]


def _chance(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))


def _worth(sales: Sales, target: Mask, day: int) -> Floats:
    """Money a customer spends on the target in a window in which they buy it: their own mean over the last year's
    windows, drawn to everybody's as if that had been seen three times."""
    total, times = np.zeros(len(sales.customers)), np.zeros(len(sales.customers))
    for back in range(1, 366 // uplift.DAYS + 1):
        bought, money = sales.window(target, day - back * uplift.DAYS, uplift.DAYS)
        total += money
        times += bought
    usual = total.sum() / max(times.sum(), 1.0)
    return (total + 3 * usual) / (times + 3)


def _effects(seen: uplift.Panel) -> tuple[uplift.Panel, Floats]:
    """The rows that might have gone either way, and the score of each one's effect on buying."""
    chance = uplift.propensity(seen, uplift.LINEAR)
    inside = uplift.overlapping(chance)
    kept = seen.at(inside)
    return kept, uplift.pseudo_outcomes(kept, kept.bought.astype(float), chance[inside])


def _mean(seen: uplift.Panel, effect: Floats) -> tuple[float, float]:
    """The mean over rows and its standard error over customers."""
    mean = float(effect.mean()) if len(effect) else 0.0
    people, place = np.unique(seen.customer, return_inverse=True)
    off = np.bincount(place, effect - mean, len(people))
    return mean, float(np.sqrt((off**2).sum()) / max(len(effect), 1))
