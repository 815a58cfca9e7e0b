"""A simulated shop as the campaign models read it, without the way through files: purchases, contacts and
the campaigns, with who was in each one's lottery and the effect that was planted in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from customers.recommend.offers import Floats, Ints, Mask, Offer, Sales
from customers.simulate import campaigns as planted
from customers.simulate.shop import World


@dataclass(frozen=True)
class Trial:
    """`members` and `effect` (P(buys | sent) - P(buys | not sent), 0 for who is no member), one array over
    the customers for each of `offers`."""

    sales: Sales
    offers: list[Offer]
    members: list[Mask]
    effect: list[Floats]


def trial(world: World) -> Trial:
    """Return what a shop that keeps its lotteries knows, and the truth beside it."""
    sales = _sales(world)
    run, products = world.run, world.shelves.products
    offers, members, effects = [], [], []
    for number, start in enumerate(run.start.tolist()):
        rows = np.flatnonzero(run.number == number)
        who = _numbers(sales, world.held.ids[run.person[rows]])
        category = world.shelves.categories[int(run.category[number])]
        received, redeemed, member = (np.zeros(len(sales.customers), bool) for _ in range(3))
        effect = np.zeros(len(sales.customers))
        there = who >= 0
        received[who[there & run.treated[rows]]] = True
        member[who[there]] = True
        gain = planted.TREATED - planted.UNTREATED
        effect[who[there]] = gain[world.kinds[run.person[rows]]][there]
        target = sales.mask_of(products.loc[products["category"] == category, "product_id"].astype(str))
        redeemers = world.events["redemptions"].query(
            "campaign_id == @key", local_dict={"key": f"C{number + 1}"}
        )
        hit = _numbers(sales, redeemers["customer_id"].to_numpy(str))
        redeemed[hit[hit >= 0]] = True
        day = _first(world) + start
        offers.append(
            Offer(f"C{number + 1}", target, day, day + planted.RUNS - 1, received, redeemed & received)
        )
        members.append(member)
        effects.append(effect)
    return Trial(sales, offers, members, effects)


def _first(world: World) -> int:
    return int(world.dates.to_numpy()[0].astype("datetime64[D]").astype(np.int64))


def _sales(world: World) -> Sales:
    rows = world.events["purchases"]
    day = (rows["ts"].to_numpy().astype("datetime64[D]") - np.datetime64("1970-01-01", "D")).astype(np.int64)
    order = np.argsort(day, kind="stable")
    customers, customer = np.unique(rows["customer_id"].to_numpy(str)[order], return_inverse=True)
    products, product = np.unique(rows["product_id"].to_numpy(str)[order], return_inverse=True)
    sales = Sales(
        customers, products, customer.astype(np.int64), product.astype(np.int64), day[order],
        rows["amount"].to_numpy(float)[order], rows["discount"].to_numpy(float)[order],
    )  # fmt: skip
    for kind, file in (("exposure", "exposures"), ("redemption", "redemptions")):
        sales.contacts[kind] = _contacts(world.events[file], sales)
    return replace(sales, traits=_traits(world.customers, sales))


def _traits(rows: pd.DataFrame, sales: Sales) -> Floats:
    told = rows.set_index(rows["customer_id"].astype(str)).reindex(sales.customers)
    columns = [told[name].fillna("") for name in ("age", "region", "household_size", "income", "language")]
    return np.column_stack([(c == value).to_numpy(float) for c in columns for value in sorted(set(c) - {""})])


def _contacts(rows: pd.DataFrame, sales: Sales) -> tuple[Ints, Ints]:
    firsts = rows.sort_values("ts").drop_duplicates(["campaign_id", "customer_id"])
    who = _numbers(sales, firsts["customer_id"].to_numpy(str))
    day = (firsts["ts"].to_numpy().astype("datetime64[D]") - np.datetime64("1970-01-01", "D")).astype(
        np.int64
    )
    return who[who >= 0], day[who >= 0]


def _numbers(sales: Sales, ids: np.ndarray) -> Ints:
    return np.array([sales.number.get(str(key), -1) for key in ids], np.int64)
