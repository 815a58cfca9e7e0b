"""P(buys within 30 days) for any product or category, where no preference model speaks.

Negative binomial with forgetting: a customer's buying rate has a Gamma(a, b) prior over customers
and is updated by time-decayed baskets k over the time-decayed exposure T since the first trip;
P(at least one in h days) = 1 - ((b + T) / (b + T + h)) ** (a + k). The prior is fitted by moments
(Ehrenberg 1959 for the NBD; the decay stands for customers who drift away). The half-life was chosen
on the sample's November among 30, 45, 60, 90 and 120 days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF_LIFE = 120.0
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Rate:
    """The Gamma prior of baskets a day."""

    shape: float
    inverse_scale: float

    def probability(self, baskets: Array, exposure: Array, days: float = 30) -> Array:
        """Return P(at least one basket in the next `days` days) for each customer."""
        known = self.inverse_scale + exposure
        return 1 - (known / (known + days)) ** (self.shape + baskets)


def exposure(tenure: Array, half_life: float = HALF_LIFE) -> Array:
    """Days of observation, each worth half after `half_life` days."""
    return half_life / np.log(2) * (1 - np.exp2(-np.maximum(tenure, 1.0) / half_life))


def fit_rate(baskets: Array, exposed: Array) -> Rate:
    """Fit the prior by moments to all customers' decayed baskets, those with none included.

    With rate m = sum k / sum T, the variance beyond a common rate is m^2 T^2 / a.
    """
    total = float(exposed.sum())
    mean = float(baskets.sum()) / total if total > 0 else 0.0
    if mean <= 0:
        return Rate(_LEAST, 1.0 / _LEAST)
    beyond = float(((baskets - mean * exposed) ** 2 - mean * exposed).sum())
    spread = mean**2 * float((exposed**2).sum())
    shape = float(np.clip(spread / beyond if beyond > 0 else np.inf, _LEAST, 100.0))
    return Rate(shape, shape / mean)
