"""What a ranking would have earned on lists that another one showed (off-policy evaluation).

Each logged decision has the chance with which its action was taken. Inverse propensity scores (Horvitz &
Thompson 1952) weigh it by how much likelier the new policy would have taken it; self-normalised ones (Swaminathan &
Joachims 2015) divide by the weights' mean; doubly robust ones (Dudík, Langford & Li 2011) add them to a model's
prediction, and are right where either the chances or the model is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.errors import BadInput

Floats = NDArray[np.floating[Any]]

MOST_WEIGHT = 200.0
"""Weights above are cut: a little bias for much less variance (Ionides 2008)."""


@dataclass(frozen=True, slots=True)
class Value:
    """Mean reward a decision of a policy, with a 95 % bootstrap interval. `effective` is how many decisions the
    weights leave (Kish 1965): a few mean that the log tells little of this policy."""

    method: str
    value: float
    low: float
    high: float
    effective: float


def policy_value(
    reward: Floats,
    logged: Floats,
    wanted: Floats,
    predicted: Floats | None = None,
    expected: Floats | None = None,
    *,
    group: NDArray[np.integer[Any]] | None = None,
    rounds: int = 500,
    seed: int = 0,
) -> list[Value]:
    """Return the value of a policy by "ips", "snips" and, with predictions, "dr".

    reward: of each logged decision. logged, wanted: the chance of the action that was taken, under the policy that took
    it (above 0) and under the one that is judged. predicted: a model's reward of the action that was taken; expected: its
    mean reward over the judged policy's actions. group: whose decision it was; the bootstrap draws these whole.
    Raises BadInput for arrays of different lengths, an empty log, or a chance that is none.
    """
    reward, logged, wanted = (np.asarray(a, float) for a in (reward, logged, wanted))
    if not len(reward) or {len(reward)} != {len(logged), len(wanted)}:
        raise BadInput("a log needs a reward and two chances for each of at least one decision")
    if not (logged > 0).all() or (logged > 1).any() or (wanted < 0).any() or (wanted > 1).any():
        raise BadInput("a chance lies outside of 0 to 1, or an action was taken whose chance is 0")
    weight = np.minimum(wanted / logged, MOST_WEIGHT)
    parts = {"ips": weight * reward}
    if predicted is not None and expected is not None:
        parts["dr"] = np.asarray(expected, float) + weight * (reward - np.asarray(predicted, float))
    draws = _draws(len(reward), group, rounds, seed)
    effective = float(weight.sum() ** 2 / max((weight**2).sum(), 1e-12))
    found = [_mean("ips", parts["ips"], draws, effective)]
    found.append(_ratio(weight * reward, weight, draws, effective))
    if "dr" in parts:
        found.append(_mean("dr", parts["dr"], draws, effective))
    return found


def _draws(n: int, group: NDArray[np.integer[Any]] | None, rounds: int, seed: int) -> list[Floats]:
    rng = np.random.default_rng(seed)
    people, place = np.unique(np.arange(n) if group is None else group, return_inverse=True)
    return [
        np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[place].astype(float)
        for _ in range(rounds)
    ]


def _mean(method: str, values: Floats, draws: list[Floats], effective: float) -> Value:
    spread = [float(np.average(values, weights=w)) for w in draws if w.sum()]
    low, high = np.percentile(spread, [2.5, 97.5]) if spread else (values.mean(),) * 2
    return Value(method, float(values.mean()), float(low), float(high), effective)


def _ratio(top: Floats, bottom: Floats, draws: list[Floats], effective: float) -> Value:
    def ratio(w: Floats) -> float:
        return float((w * top).sum() / max((w * bottom).sum(), 1e-12))

    spread = [ratio(w) for w in draws]
    low, high = np.percentile(spread, [2.5, 97.5]) if spread else (ratio(np.ones(len(top))),) * 2
    return Value("snips", ratio(np.ones(len(top))), float(low), float(high), effective)
