"""Who clicks what: slates of a simulated shop's customers, ranked by the blend, and a click model whose truth is
known. A click is likelier the more the customer likes the category and the more the product is one of those they
need again and again, both as planted in the shop and so as the blend may have learnt it; and by how much each
product and each category draws clicks in this place, which no purchase tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customers.recommend.bandit import Floats, Slate
from customers.recommend.blend import HORIZON, Blend, Components
from customers.recommend.history import Catalogue, History
from customers.simulate.shop import Asked, World, draw

CANDIDATES = 30
_BASE, _NEEDED, _SPREAD = 0.08, 2.0, 0.5


@dataclass(frozen=True)
class Clicks:
    """A slate for each customer and the true chance of a click on each of its offers."""

    slates: list[Slate]
    chances: list[Floats]


def clicks(asked: Asked, seed: int = 0) -> Clicks:
    """Draw a shop, fit the blend on all but its last 30 days, and return what customers would click now."""
    world = draw(asked)
    history = _history(world)
    cut = history.cut - HORIZON
    known = Components().fit(history.before(cut))
    blend = Blend(seed)
    blend.fit([blend.examples(known.candidates(), history.bought(cut, history.cut - 1))])
    now = Components().fit(history)
    candidates = now.candidates()
    score = blend.score(candidates).astype(float)
    return _slates(world, history, candidates, score, np.random.default_rng([seed, 77]))


def _slates(
    world: World, history: History, candidates: object, score: Floats, rng: np.random.Generator
) -> Clicks:
    customer, product, new = (getattr(candidates, name) for name in ("customer", "product", "new"))
    catalogue = history.catalogue
    of_product = rng.lognormal(0.0, _SPREAD, len(catalogue.products))
    of_category = rng.lognormal(0.0, _SPREAD, len(catalogue.category_keys))
    place = {key: n for n, key in enumerate(world.shelves.categories)}
    taste = world.crowd.taste[:, 1, :]
    usual = taste.mean(axis=0)
    person = {str(key): int(p) for key, p in zip(world.held.ids, world.held.person, strict=True) if p >= 0}
    keys = world.shelves.products["product_id"].to_numpy(str)
    needed = set(zip(world.staples.person.tolist(), keys[world.staples.product].tolist(), strict=True))
    slates, chances = [], []
    for who, key in enumerate(map(str, history.customers)):
        if key not in person:
            continue
        rows = np.flatnonzero(customer == who)
        rows = rows[np.argsort(-score[rows], kind="stable")][:CANDIDATES]
        if len(rows) < 5:
            continue
        category = catalogue.categories[product[rows]]
        column = np.array([place[str(catalogue.category_keys[c])] for c in category])
        liking = (taste[person[key], column] / np.maximum(usual[column], 1e-6)).clip(0.1, 10) ** 0.5
        again = np.array([(person[key], p) in needed for p in catalogue.products[product[rows]].tolist()])
        worth = of_product[product[rows]] * of_category[category] * np.where(again, _NEEDED, 1.0)
        slates.append(Slate(who, product[rows], category, score[rows], new[rows]))
        chances.append(np.clip(_BASE * worth * liking, 0.005, 0.9))
    return Clicks(slates, chances)


def _history(world: World) -> History:
    """The simulated purchases as recommenders read them."""
    rows = world.events["purchases"]
    day = (rows["ts"].to_numpy().astype("datetime64[D]") - np.datetime64("1970-01-01", "D")).astype(np.int64)
    customers, customer = np.unique(rows["customer_id"].to_numpy(str), return_inverse=True)
    products, product = np.unique(rows["product_id"].to_numpy(str), return_inverse=True)
    _, basket = np.unique(rows["basket_id"].to_numpy(str), return_inverse=True)
    shelf = world.shelves.products.set_index(world.shelves.products["product_id"].astype(str)).reindex(
        products
    )
    _, types = np.unique(shelf["type"].to_numpy(str), return_inverse=True)
    categories, category = np.unique(shelf["category"].to_numpy(str), return_inverse=True)
    catalogue = Catalogue(products, types, category, categories, np.zeros(len(products), bool))
    lines = pd.DataFrame({"b": basket, "p": product, "c": customer, "d": day}).drop_duplicates(["b", "p"])
    lines = lines.sort_values(["b", "p"])
    c, p, d, b = (lines[name].to_numpy(np.int64) for name in ("c", "p", "d", "b"))
    return History(customers, catalogue, c, p, d, b, int(day.max()) + 1)
