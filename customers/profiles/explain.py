"""Explains a preference: the exact contributions of one customer's behaviour to the log-odds, and what
would change the chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from customers import values as v
from customers.errors import NotBuilt, Unknown
from customers.profiles.alike import SCORES
from customers.profiles.change import Trips, smallest_change
from customers.profiles.design import ALL_COLUMNS, Rhythm, design
from customers.profiles.preference import PreferenceModel, sigmoid
from customers.stores.reader import Reader

_TRIPS = """
SELECT (SELECT max(ts::DATE) FROM events WHERE kind = 'purchase') - min(ts::DATE) AS age,
       coalesce(bool_or(category = ?), false) AS held,
       coalesce(sum(amount) FILTER (category = ?), 0) AS spent
FROM events LEFT JOIN products USING (product_id)
WHERE kind = 'purchase' AND customer_id = ?
GROUP BY coalesce(basket_id, customer_id || '/' || ts::DATE)
ORDER BY age
"""


class Explainer:
    """Reads the served models and the features they were given on the last day of the data."""

    def __init__(self, reader: Reader, model: Path) -> None:
        self._reader = reader
        self._model = PreferenceModel.load(model) if model.exists() else None

    def explain(self, customer_id: str, category: str, name: v.Name) -> v.PreferenceExplanation:
        """Contributions by falling size. Raises Unknown where the category has no model, and NotBuilt where
        the version was built for other columns."""
        model = self._model
        if model is None or category not in model.categories:
            raise Unknown(f"there is no preference model of {name.en!r}; too few customers buy it")
        place = model.categories.index(category)
        rhythm = self._rhythm(customer_id, category)
        columns = design(rhythm)[0, 0]
        if model.coefficients.shape[1] != len(columns):
            raise NotBuilt("the preference models are of an earlier version; run `shopkeeper build --force`")
        means = self._usual(category)
        usual = np.array([means[column] for column in list(ALL_COLUMNS)[: len(columns)]])
        parts = model.contributions(columns, usual, place)
        (base_rate,) = self._reader.rows(
            "SELECT avg(probability) FROM preferences WHERE category = ?", [category]
        )[0]
        shown = {key: float(values[0, 0]) for key, values in rhythm.behaviours().items()}
        told = [v.Contribution(key, shown[key], means[f"behaviour:{key}"], parts[key]) for key in parts]

        def score(one: Rhythm) -> float:
            made = np.zeros((1, len(model.categories), len(columns)), dtype=np.float32)
            made[0, place] = design(one)[0, 0]
            return float(sigmoid(model.log_odds(made)[0, place]))

        return v.PreferenceExplanation(
            category=category,
            name=name,
            probability=score(rhythm),
            base_rate=float(base_rate),
            contributions=tuple(sorted(told, key=lambda one: -abs(one.logit))),
            change=smallest_change(score, rhythm, self._trips(customer_id, category), self._price(category)),
        )

    def _rhythm(self, customer_id: str, category: str) -> Rhythm:
        con = self._reader.connection()
        own = con.execute(
            "SELECT * FROM category_rhythm WHERE customer_id = ? AND category = ?", [customer_id, category]
        ).df()
        shop = con.execute("SELECT * FROM customer_rhythm WHERE customer_id = ?", [customer_id]).df()
        scores = self._reader.rows(
            f"SELECT {', '.join(SCORES)} FROM preferences WHERE customer_id = ? AND category = ?",
            [customer_id, category],
        )[0]
        others = {name: np.full((1, 1), float(value)) for name, value in zip(SCORES, scores, strict=True)}
        looked = None
        if self._reader.has_table("category_looks"):
            looked = con.execute(
                "SELECT * FROM category_looks WHERE customer_id = ? AND category = ?", [customer_id, category]
            ).df()
        return Rhythm.of(own, shop, [category], others, looked)

    def _trips(self, customer_id: str, category: str) -> Trips:
        rows = self._reader.rows(_TRIPS, [category, category, customer_id])
        ages, held, spent = (np.array(values) for values in zip(*rows, strict=True))
        return Trips(ages.astype(np.int64), held.astype(bool), spent.astype(float))

    def _price(self, category: str) -> float:
        """What all customers spend on the category on a trip that holds it."""
        rows = self._reader.rows("SELECT spend / baskets FROM category_totals WHERE category = ?", [category])
        return float(rows[0][0])

    def _usual(self, category: str) -> dict[str, float]:
        return dict(
            self._reader.rows(
                "SELECT column_name, usual FROM preference_usual WHERE category = ?", [category]
            )
        )
