"""What comes next of every customer: the next order's date, the chance of leaving, the money ahead.

All three learn from earlier days of the same shop whose outcomes are known by the day that they predict
from, never from later ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from customers.profiles.churn import Churn
from customers.profiles.lifetime import BgNbd, GammaGamma
from customers.profiles.next_order import NextOrder
from customers.profiles.orders import Orders, learning_days
from customers.profiles.spend_ahead import SpendAhead
from customers.profiles.workspace import Behaviours, Workspace

CHURN_DAYS = 60
ORDER_DAYS = 90
VALUE_DAYS = 90
LEAST_ROWS = 200
_PENALTY = 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ahead:
    """Predictions for `customers`, counted from the close of `as_of`.

    order_days: low, median and high (n, 3), ORDER_DAYS + 1 for later than that. alive: the chance that
    the customer has not stopped (BG/NBD). churn: of no order within CHURN_DAYS. value: money in the next
    VALUE_DAYS, with its interval `value_ends` (n, 2).
    """

    as_of: date
    customers: list[str]
    order_days: Floats
    alive: Floats
    churn: Floats
    value: Floats
    value_ends: Floats


@dataclass(frozen=True, slots=True)
class Known:
    """What predictions start from on a day: order features with BG/NBD's view of them."""

    rows: NDArray[np.int64]
    columns: Floats
    repeats: Floats
    buying: BgNbd
    amounts: GammaGamma | None


@dataclass(slots=True)
class Forecast:
    """Fits and predicts from `orders`; what is known on a day is computed once."""

    orders: Orders
    first_day: date
    _known: dict[date, Known] = field(default_factory=dict)

    def known(self, as_of: date) -> Known:
        """The rows of the customers seen by a day."""
        if as_of not in self._known:
            repeats = self.orders.repeats(as_of)
            buying = BgNbd(_PENALTY).fit(repeats[:, :3])
            spent = repeats[(repeats[:, 0] > 0) & (repeats[:, 3] > 0)]
            amounts = GammaGamma(_PENALTY).fit(spent[:, [0, 3]]) if len(spent) else None
            more = [buying.expected(repeats[:, :3], CHURN_DAYS), buying.silent(repeats[:, :3], CHURN_DAYS)]
            columns = np.column_stack([self.orders.features(as_of), *more])
            self._known[as_of] = Known(self.orders.known(as_of), columns, repeats, buying, amounts)
        return self._known[as_of]

    def learnable(self, as_of: date) -> bool:
        """Whether enough outcomes of every kind are known by a day."""
        days = learning_days(self.first_day, as_of, max(VALUE_DAYS, ORDER_DAYS))
        if sum(len(self.orders.known(day)) for day in days) < LEAST_ROWS:
            return False
        _, gone = self._learn(as_of, CHURN_DAYS, self._gone)
        return 0 < gone.sum() < len(gone)

    def ahead(self, as_of: date) -> Ahead:
        """Predict from a day; `learnable` must hold."""
        now = self.known(as_of)
        order = NextOrder(ORDER_DAYS).fit(*self._learn(as_of, ORDER_DAYS, self.orders.next_gap))
        churn = Churn().fit(*self._learn(as_of, CHURN_DAYS, self._gone))
        value = SpendAhead().fit(*self._learn(as_of, VALUE_DAYS, self.orders.spend_after))
        return Ahead(
            as_of,
            [self.orders.customers[i] for i in now.rows],
            order.predict(now.columns),
            now.buying.alive(now.repeats[:, :3]),
            churn.predict_proba(now.columns)[:, 1],
            value.predict(now.columns),
            value.interval(now.columns),
        )

    def _gone(self, as_of: date, days: int) -> Floats:
        return (self.orders.next_gap(as_of, days) > days).astype(np.float64)

    def _learn(self, as_of: date, days: int, outcome) -> tuple[Floats, Floats]:
        """Columns and outcomes of the learning days."""
        learnt = learning_days(self.first_day, as_of, days)
        parts = [(self.known(day).columns, outcome(day, days)) for day in learnt]
        return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


_WHEN = ("next_order_low", "next_order", "next_order_high")
SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("as_of", pa.date32())]
    + [(name, pa.date32()) for name in _WHEN]
    + [(name, pa.float64()) for name in ("alive", "churn", "value", "value_low", "value_high")]
)


def write_predictions(work: Workspace, data: Behaviours) -> None:
    """Table customer_predictions, one row a customer; without rows where the data is too short to learn
    from. A date is null where the order is later than ORDER_DAYS after `as_of`, the data's last day."""
    forecast = Forecast(Orders.of(data.baskets), data.first_day)
    found = forecast.ahead(data.last_day) if forecast.learnable(data.last_day) else None
    work.keep_rows(
        "customer_predictions", SCHEMA, {f.name: [] for f in SCHEMA} if found is None else _columns(found)
    )


def _columns(found: Ahead) -> dict[str, list | Floats]:
    days = np.column_stack([np.floor(found.order_days[:, :2]), np.ceil(found.order_days[:, 2])])

    def day(n: float) -> date | None:
        return found.as_of + timedelta(days=int(n)) if n <= ORDER_DAYS else None

    return {
        "customer_id": found.customers,
        "as_of": [found.as_of] * len(found.customers),
        **{name: [day(n) for n in days[:, i]] for i, name in enumerate(_WHEN)},
        "alive": found.alive,
        "churn": found.churn,
        "value": found.value,
        "value_low": found.value_ends[:, 0],
        "value_high": found.value_ends[:, 1],
    }
