"""From looks to events: sessions, the way from browsing to the basket, searches and returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customers.simulate import campaigns as campaign
from customers.simulate.catalogue import PER_TYPE, WEEK, Catalogue, Frame
from customers.simulate.looks import CAMPAIGN, STAPLE, Looks
from customers.simulate.people import Accounts, People
from customers.simulate.segments import column

# The planted rates of looks that no habit and no campaign stands behind.
CLICKED, CARTED, BOUGHT = 0.5, 0.5, 0.6
LIFT = 3.0  # a promotion multiplies the last rate by 1 + LIFT x depth x exp(thrift / 2)
REORDERED = 0.3  # of staples, bought from the list of earlier orders, without a look
SECONDS = 70  # from one look to the next
RETURNED = 0.02, 0.07  # at the best and at the worst quality
SEARCHED = 0.35


@dataclass(frozen=True, slots=True)
class Journey:
    """Looks in the order of their sessions, with what came of each: `session` number, `time` of the
    look (seconds from the first day), `account`, and flags. Arrays of shape (looks,)."""

    looks: Looks
    session: np.ndarray
    time: np.ndarray
    account: np.ndarray
    browsed: np.ndarray
    clicked: np.ndarray
    carted: np.ndarray
    bought: np.ndarray
    depth: np.ndarray
    checkout: np.ndarray
    store: np.ndarray


def journey(
    made: Looks,
    crowd: People,
    held: Accounts,
    run: campaign.Campaigns,
    promotions: np.ndarray,
    shelves: Catalogue,
    rng: np.random.Generator,
) -> Journey:
    """Order looks into sessions and decide for each whether it went on to click, cart and purchase."""
    key = (made.person * (int(made.day.max()) + 1) + made.day) * 8 + made.visit
    order = np.lexsort((rng.random(len(key)), key))
    made, key = made.at(order), key[order]
    _, first, session = np.unique(key, return_index=True, return_inverse=True)
    place = np.arange(len(key)) - first[session]
    sessions = len(first)
    # Nobody starts in the day's last half hour, so that visits end on their day.
    usual = column("hour")[crowd.segment[made.person[first]]]
    hour = (usual + 2.2 * rng.normal(size=sessions)) % 23.5
    start = made.day[first] * 86400 + hour * 3600
    time = start[session] + 30 + place * SECONDS + 30 * rng.random(len(key))
    length = np.bincount(session)
    second = held.second[made.person[first]]
    account = np.where((second >= 0) & (rng.random(sessions) < 0.4), second, made.person[first])
    depth = promotions[made.day // WEEK, made.product]
    bought = _bought(made, crowd, run, depth, shelves, rng)
    sure = (made.origin == STAPLE) | (made.origin == CAMPAIGN)
    clicked = sure | (rng.random(len(key)) < CLICKED)
    carted = sure | (clicked & (rng.random(len(key)) < CARTED))
    reordered = (made.origin == STAPLE) & (rng.random(len(key)) < REORDERED)
    return Journey(
        looks=made,
        session=session,
        time=time,
        account=account[session],
        browsed=~reordered,
        clicked=clicked & ~reordered,
        carted=carted & ~reordered,
        bought=sure | (carted & bought),
        depth=depth,
        checkout=(start + 60 + length * SECONDS + 40)[session],
        store=np.where(rng.random(sessions) < 0.6, "app", "web")[session],
    )


def _bought(
    made: Looks,
    crowd: People,
    run: campaign.Campaigns,
    depth: np.ndarray,
    shelves: Catalogue,
    rng: np.random.Generator,
) -> np.ndarray:
    """Whether what is in the cart is paid for; people in a campaign buy as planted there."""
    chance = BOUGHT * (1 + LIFT * depth * np.exp(crowd.thrift[made.person] / 2))
    held_back = campaign.in_window(run, made, shelves.category_of(made.product))
    return (rng.random(len(depth)) < chance) & ~held_back


def _events(found: Journey, picked: np.ndarray, time: np.ndarray, products: np.ndarray) -> Frame:
    return pd.DataFrame(
        {
            "look": picked,
            "account": found.account[picked],
            "time": time,
            "product_id": products[found.looks.product[picked]],
            "session": found.session[picked],
            "store_id": found.store[picked],
        }
    )


def browsing(found: Journey, products: np.ndarray) -> dict[str, Frame]:
    """Browse, click and cart events."""
    stages = {"browse": (found.browsed, 0.0), "click": (found.clicked, 12.0), "cart": (found.carted, 30.0)}
    return {
        kind: _events(found, np.flatnonzero(flag), found.time[flag] + later, products)
        for kind, (flag, later) in stages.items()
    }


def purchases(found: Journey, crowd: People, shelves: Catalogue, rng: np.random.Generator) -> Frame:
    """Lines of baskets; all lines of a basket share its time."""
    hit = np.flatnonzero(found.bought)
    frame = _events(found, hit, found.checkout[hit], shelves.products["product_id"].to_numpy())
    looks = found.looks.at(hit)
    everyday = ~np.isnan(shelves.types["cycle"].to_numpy(dtype=float))[looks.product // PER_TYPE]
    pieces = rng.poisson(column("pieces")[crowd.segment[looks.person]])
    quantity = 1 + np.where(everyday, pieces, 0)
    coupon = (looks.campaign >= 0) & (rng.random(len(hit)) < campaign.REDEEMS)
    depth = np.maximum(found.depth[hit], np.where(coupon, campaign.DISCOUNT, 0.0))
    full = quantity * shelves.products["price"].to_numpy()[looks.product]
    frame["quantity"] = quantity
    frame["discount"] = np.round(full * depth, 2)
    frame["amount"] = np.round(full - frame["discount"].to_numpy(), 2)
    frame["basket_id"] = [f"O{session:07d}" for session in frame["session"]]
    frame["coupon"] = coupon
    return frame


def returns(bought: Frame, found: Journey, shelves: Catalogue, days: int, rng: np.random.Generator) -> Frame:
    """Purchases brought back days later, more often where the product is poor."""
    quality = shelves.products["quality"].to_numpy()[found.looks.product[bought["look"]]]
    low, high = RETURNED
    chance = low + (high - low) / (1 + np.exp(1.5 * quality))
    back = bought[rng.random(len(bought)) < chance].copy()
    back["time"] += rng.integers(3, 21, len(back)) * 86400 + rng.integers(-7200, 7200, len(back))
    return back[back["time"] < days * 86400]
