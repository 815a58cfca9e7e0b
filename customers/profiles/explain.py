"""Explains a preference: the exact contributions of one customer's behaviour to the log-odds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from customers import values as v
from customers.errors import Unknown
from customers.profiles.design import BEHAVIOURS, COLUMNS, Rhythm, design
from customers.profiles.preference import PreferenceModel, sigmoid
from customers.stores.reader import Reader


class Explainer:
    """Reads the served models and the features they were given on the last day of the data."""

    def __init__(self, reader: Reader, model: Path) -> None:
        self._reader = reader
        self._model = PreferenceModel.load(model) if model.exists() else None

    def explain(self, customer_id: str, category: str, name: v.Name) -> v.PreferenceExplanation:
        """Contributions by falling size. Raises Unknown where the category has no model."""
        model = self._model
        if model is None or category not in model.categories:
            raise Unknown(f"there is no preference model of {name.en!r}; too few customers buy it")
        place = model.categories.index(category)
        rhythm = self._rhythm(customer_id, category)
        columns = np.zeros((1, len(model.categories), len(COLUMNS)), dtype=np.float32)
        columns[0, place] = design(rhythm)[0, 0]
        means = self._usual(category)
        usual = np.array([means[column] for column in COLUMNS])
        parts = model.contributions(columns[0, place], usual, place)
        (base_rate,) = self._reader.rows(
            "SELECT avg(probability) FROM preferences WHERE category = ?", [category]
        )[0]
        shown = {key: float(values[0, 0]) for key, values in rhythm.behaviours().items()}
        told = [v.Contribution(key, shown[key], means[f"behaviour:{key}"], parts[key]) for key in BEHAVIOURS]
        return v.PreferenceExplanation(
            category=category,
            name=name,
            probability=float(sigmoid(model.log_odds(columns)[0, place])),
            base_rate=float(base_rate),
            contributions=tuple(sorted(told, key=lambda one: -abs(one.logit))),
        )

    def _rhythm(self, customer_id: str, category: str) -> Rhythm:
        con = self._reader.connection()
        own = con.execute(
            "SELECT * FROM category_rhythm WHERE customer_id = ? AND category = ?", [customer_id, category]
        ).df()
        shop = con.execute("SELECT * FROM customer_rhythm WHERE customer_id = ?", [customer_id]).df()
        return Rhythm.of(own, shop, [category])

    def _usual(self, category: str) -> dict[str, float]:
        return dict(
            self._reader.rows(
                "SELECT column_name, usual FROM preference_usual WHERE category = ?", [category]
            )
        )
