"""Events that carry words: searches before looks, reviews after purchases, questions to the service."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customers.simulate import texts
from customers.simulate.catalogue import PER_TYPE, Catalogue, Frame, rows
from customers.simulate.funnel import CLICKED, SEARCHED, Journey
from customers.simulate.looks import NEED
from customers.simulate.people import People

REVIEWED = 0.08
# Chance of a question on an order for each line bought, and on a product for each look.
ASKED_AFTER, ASKED_BEFORE, LOGIN = 0.03, 0.004, 0.0015
# After a purchase: intent -> share, and the days after it; before one: intent -> share.
AFTER = {
    "late_delivery": (0.28, 3, 9), "refund_status": (0.14, 10, 25), "wrong_item": (0.1, 2, 6),
    "damaged_item": (0.13, 2, 12), "invoice": (0.12, 0, 30), "coupon_problem": (0.09, 0, 2),
    "change_address": (0.07, 0, 1), "cancel_order": (0.07, 0, 1),
}  # fmt: skip
BEFORE = {"stock_question": 0.4, "product_question": 0.4, "price_match": 0.2}


def searches(found: Journey, crowd: People, shelves: Catalogue, rng: np.random.Generator) -> Frame:
    """A third of the sessions start with a search for what is looked at first; columns `query_type`
    and `need` say what is truly looked for."""
    _, first = np.unique(found.session, return_index=True)
    hit = first[(rng.random(len(first)) < SEARCHED) & found.browsed[first]]
    looks = found.looks.at(hit)
    kind = looks.product // PER_TYPE
    needs = rows("needs.csv")
    chinese = crowd.chinese[looks.person]
    products, types = shelves.products, shelves.types
    queries, meant = [], []
    for product, of, person, zh, origin in zip(
        looks.product, kind, looks.person, chinese, looks.origin, strict=True
    ):
        suffix, language = ("_zh", "zh") if zh else ("", "en")
        need = needs[crowd.need[person]] if origin == NEED else None
        if need is not None and rng.random() < 0.6:
            words, brand = need[f"words{suffix}"], ""
        elif rng.random() < 0.1:
            words, brand = str(types[f"category{suffix}"].iat[of]).lower(), ""
        else:
            words, brand = types[f"words{suffix}"].iat[of], products[f"brand{suffix}"].iat[product]
        queries.append(texts.query(words, brand, language, rng))
        meant.append(need["need"] if need is not None else None)
    return pd.DataFrame(
        {
            "account": found.account[hit],
            "time": found.time[hit] - 20,
            "text": queries,
            "store_id": found.store[hit],
            "query_type": types["type"].to_numpy()[kind],
            "need": meant,
        }
    )


def reviews(
    bought: Frame,
    found: Journey,
    crowd: People,
    shelves: Catalogue,
    days: int,
    rng: np.random.Generator,
) -> Frame:
    """Reviews of a part of what was bought; `sentiment` is how good the product is, less how strict
    the customer is, and some luck."""
    told = bought[rng.random(len(bought)) < REVIEWED].copy()
    told["time"] += rng.integers(2, 31, len(told)) * 86400 + rng.integers(-20_000, 20_000, len(told))
    told = told[told["time"] < days * 86400]
    looks = found.looks.at(told["look"].to_numpy())
    quality = shelves.products["quality"].to_numpy()[looks.product]
    felt = 0.3 + 0.75 * quality - 0.45 * crowd.strict[looks.person] + 0.45 * rng.normal(size=len(told))
    told["sentiment"] = np.round(np.tanh(felt), 4)
    stars = 3 + 2 * told["sentiment"].to_numpy() + 0.35 * rng.normal(size=len(told))
    told["rating"] = np.clip(np.round(stars), 1, 5)
    told["text"] = [
        texts.review(mood, "zh" if zh else "en", thing, rng)
        for mood, zh, thing in zip(
            told["sentiment"], crowd.chinese[looks.person], _things(looks, crowd, shelves), strict=True
        )
    ]
    return told


def inquiries(
    bought: Frame,
    found: Journey,
    crowd: People,
    shelves: Catalogue,
    days: int,
    rng: np.random.Generator,
) -> Frame:
    """Questions to the service with their planted `intent`: on orders, on products, on the account."""
    after = bought[rng.random(len(bought)) < ASKED_AFTER]
    names = list(AFTER)
    shares = np.array([AFTER[name][0] for name in names])
    picked = rng.choice(len(names), size=len(after), p=shares / shares.sum())
    low, high = (np.array([AFTER[name][at] for name in names])[picked] for at in (1, 2))
    parts = [
        _asked(found, after["look"].to_numpy(), [names[n] for n in picked], after["basket_id"].to_numpy())
    ]
    parts[0]["time"] = after["time"].to_numpy() + 3600 + (low + (high - low) * rng.random(len(after))) * 86400
    before = np.flatnonzero(found.clicked & (rng.random(len(found.time)) < ASKED_BEFORE / CLICKED))
    kinds = rng.choice(list(BEFORE), size=len(before), p=list(BEFORE.values()))
    parts.append(_asked(found, before, list(kinds), None))
    locked = np.flatnonzero(rng.random(len(found.time)) < LOGIN)
    parts.append(_asked(found, locked, ["account_login"] * len(locked), None))
    asked: Frame = pd.concat(parts, ignore_index=True)
    asked = asked[asked["time"] < days * 86400].reset_index(drop=True)
    looks = found.looks.at(asked["look"].to_numpy())
    chinese = crowd.chinese[looks.person]
    asked["text"] = [
        texts.inquiry(intent, "zh" if zh else "en", thing, order or "", rng)
        for intent, zh, thing, order in zip(
            asked["intent"], chinese, _things(looks, crowd, shelves), asked["basket_id"], strict=True
        )
    ]
    asked["product_id"] = shelves.products["product_id"].to_numpy()[looks.product]
    asked.loc[asked["intent"].isin(["account_login"]), "product_id"] = None
    return asked


def _asked(found: Journey, look: np.ndarray, intent: list[str], basket: np.ndarray | None) -> Frame:
    return pd.DataFrame(
        {
            "look": look,
            "account": found.account[look],
            "time": found.time[look] + 40,
            "store_id": found.store[look],
            "intent": pd.Series(intent, dtype=object),
            "basket_id": pd.Series(basket if basket is not None else [None] * len(look), dtype=object),
        }
    )


def _things(looks, crowd: People, shelves: Catalogue) -> list[str]:
    """What each look's product is called in a sentence of its person's language."""
    types = shelves.types
    english = np.array([texts.singular(name) for name in types["type"]], dtype=object)
    kind = looks.product // PER_TYPE
    return list(np.where(crowd.chinese[looks.person], types["type_zh"].to_numpy()[kind], english[kind]))
