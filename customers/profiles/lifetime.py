"""How often a customer orders, whether they still do, and what an order is worth: BG/NBD and Gamma-Gamma.

BG/NBD (Fader, Hardie & Lee 2005, Marketing Science 24:275): while active, a customer orders at random
at a rate of their own, and may stop for good after any order. Rates differ between customers as a gamma
distribution (r, alpha), the chance to stop as a beta distribution (a, b). Gamma-Gamma (Fader & Hardie
2013, "The Gamma-Gamma model of monetary value"): a customer's orders vary around a mean of their own.
Both are fitted by maximum likelihood. Times are in days, money in the shop's currency.
"""
# pyright: reportArgumentType=false
# (scikit-learn has no types of its own; what is inferred of its parameters is wrong.)

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

Floats = NDArray[np.float64]


class BgNbd(BaseEstimator):
    """BG/NBD. X has three columns a customer: repeat orders, days from the first to the last order, and
    days from the first order to now (Fader's x, t_x and T), shape (n, 3).

    `params_` is (r, alpha, a, b) after `fit`; `log_likelihood_` that of the data.
    """

    def __init__(self, penalty: float = 0.0) -> None:
        self.penalty = penalty

    def fit(self, X: ArrayLike, y: object = None) -> BgNbd:
        """Fit by maximum likelihood; `penalty` times the squared parameters is taken off the mean."""
        orders, last, now = self._split(X)
        scale = max(float(np.mean(now)), 1e-9) / 10.0

        def loss(logs: Floats) -> float:
            params = np.exp(logs)
            value = self._log_likelihood(params, orders, last / scale, now / scale).mean()
            return -value + self.penalty * float(np.sum(params**2))

        found = minimize(
            loss, np.zeros(4), method="L-BFGS-B", bounds=[(-12.0, 12.0)] * 4,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
        )  # fmt: skip
        r, alpha, a, b = np.exp(found.x)
        self.params_: Floats = np.array([r, alpha * scale, a, b])
        self.log_likelihood_ = float(self._log_likelihood(self.params_, orders, last, now).sum())
        self.n_features_in_ = 3
        return self

    def alive(self, X: ArrayLike) -> Floats:
        """The chance that a customer has not stopped, shape (n,)."""
        check_is_fitted(self)
        orders, last, now = self._split(X)
        r, alpha, a, b = self.params_
        odds = np.log(a) - np.log(b + np.maximum(orders, 1) - 1)
        odds = odds + (r + orders) * (np.log(alpha + now) - np.log(alpha + last))
        return np.where(orders > 0, 1.0 / (1.0 + np.exp(np.minimum(odds, 700.0))), 1.0)

    def silent(self, X: ArrayLike, days: float) -> Floats:
        """The chance of no order in the next `days`, shape (n,)."""
        orders, _, now = self._split(X)
        r, alpha, _, _ = self.params_
        none = np.exp((r + orders) * (np.log(alpha + now) - np.log(alpha + now + days)))
        alive = self.alive(X)
        return 1.0 - alive + alive * none

    def quantile(self, X: ArrayLike, q: float) -> Floats:
        """Days until the next order comes with chance `q`, shape (n,); infinite where it never may."""
        orders, _, now = self._split(X)
        r, alpha, _, _ = self.params_
        left = 1.0 - q / self.alive(X)
        with np.errstate(divide="ignore", over="ignore"):
            days = (alpha + now) * (np.maximum(left, 0.0) ** (-1.0 / (r + orders)) - 1.0)
        return np.where(left > 0, days, np.inf)

    def expected(self, X: ArrayLike, days: float) -> Floats:
        """Orders expected in the next `days`, shape (n,) (equation 10 of the paper)."""
        orders, _, now = self._split(X)
        r, alpha, a, b = self.params_
        a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
        z = days / (alpha + now + days)
        with np.errstate(all="ignore"):
            series = hyp2f1(r + orders, b + orders, a + b + orders - 1, z)
            shrink = np.exp((r + orders) * (np.log(alpha + now) - np.log(alpha + now + days)))
            told = (a + b + orders - 1) / (a - 1) * (1 - shrink * series)
        # Where the series leaves the range of floats, stopping within the days is left out.
        steady = (r + orders) / (alpha + now) * days
        return self.alive(X) * np.where(np.isfinite(told) & (told > 0) & (told <= steady), told, steady)

    @staticmethod
    def _split(X: ArrayLike) -> tuple[Floats, Floats, Floats]:
        table = check_array(X, dtype=np.float64)
        if table.shape[1] != 3:
            raise ValueError("BG/NBD takes three columns: repeat orders, days to the last one, days to now")
        orders, last, now = table.T
        if (orders < 0).any() or (last > now).any() or ((orders == 0) & (last > 0)).any():
            raise ValueError("a last order lies after now, or without a repeat order")
        return orders, last, now

    @staticmethod
    def _log_likelihood(params: Floats, orders: Floats, last: Floats, now: Floats) -> Floats:
        r, alpha, a, b = params
        start = gammaln(r + orders) - gammaln(r) + r * np.log(alpha)
        stay = betaln(a, b + orders) - betaln(a, b)
        active = stay - (r + orders) * np.log(alpha + now)
        gone = betaln(a + 1, b + np.maximum(orders, 1) - 1) - betaln(a, b)
        gone = gone - (r + orders) * np.log(alpha + last)
        return start + np.where(orders > 0, np.logaddexp(active, gone), active)


class GammaGamma(BaseEstimator):
    """Gamma-Gamma. X has two columns a customer: repeat orders and their mean amount, shape (n, 2).

    `params_` is (p, q, v) after `fit`. Customers without a repeat order or with a mean that is not
    positive are left out of fitting and are expected to spend what all do.
    """

    def __init__(self, penalty: float = 0.0) -> None:
        self.penalty = penalty

    def fit(self, X: ArrayLike, y: object = None) -> GammaGamma:
        """Fit by maximum likelihood. Raises ValueError where no customer can be used."""
        table = check_array(X, dtype=np.float64)
        x, m = table[(table[:, 0] > 0) & (table[:, 1] > 0)].T
        if not len(x):
            raise ValueError("Gamma-Gamma needs customers with a repeat order and a positive mean amount")
        scale = float(np.mean(m))
        m = m / scale

        def loss(logs: Floats) -> float:
            p, q, v = np.exp(logs)
            told = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
            told = told + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(v + x * m)
            return float(-told.mean() + self.penalty * np.sum(np.exp(2 * logs)))

        found = minimize(
            loss, np.array([1.0, 1.0, 0.5]), method="L-BFGS-B", bounds=[(-8.0, 8.0)] * 3,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
        )  # fmt: skip
        p, q, v = np.exp(found.x)
        self.params_: Floats = np.array([p, q, v * scale])
        self.n_features_in_ = 2
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """The mean amount that a customer's orders are expected to have, shape (n,)."""
        check_is_fitted(self)
        table = check_array(X, dtype=np.float64)
        p, q, v = self.params_
        x = np.where(table[:, 1] > 0, table[:, 0], 0.0)
        # Below q = 1 the mean over all customers does not exist; then only own orders speak.
        return p * (v + x * table[:, 1]) / np.maximum(p * x + q - 1, 1e-6)
