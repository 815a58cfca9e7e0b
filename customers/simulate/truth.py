"""What was planted in a simulated shop, as tables that a finding can be held against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from customers.simulate import campaigns as campaign
from customers.simulate import funnel, writing
from customers.simulate.catalogue import Frame, rows
from customers.simulate.segments import SEGMENTS

if TYPE_CHECKING:
    from customers.simulate.shop import World


def write(folder: Path, world: World) -> None:
    """Write one Parquet file for each table of `tables` into `folder`."""
    for name, table in tables(world).items():
        writing.write(folder / name, table, "parquet")


def tables(world: World) -> dict[str, Frame]:
    """Return the planted truth by name; docs/simulator.md says what each column means."""
    events = world.events
    return {
        "segments": _by_account(world, segment=np.array([s.name for s in SEGMENTS])[world.crowd.segment]),
        "lifetimes": _lifetimes(world),
        "tastes": _tastes(world),
        "needs": _needs(world),
        "seasonality": _seasonality(world),
        "replenishment": _replenishment(world),
        "campaigns": _campaigns(world),
        "promotions": _promotions(world),
        "products": world.shelves.products[["product_id", "quality"]],
        "funnel": _funnel(),
        "reviews": events["reviews"][["event_id", "sentiment"]],
        "inquiries": events["inquiry"][["event_id", "intent"]],
        "searches": events["search"][["event_id", "query_type", "need"]],
        "robots": pd.DataFrame({"customer_id": world.held.ids[world.held.robots]}).astype(str),
        "accounts": _accounts(world),
        "names": names(world),
    }


def _by_account(world: World, **columns: np.ndarray) -> Frame:
    """One row an account of a person, with a person's values."""
    person = world.held.person[world.held.person >= 0]
    ids = world.held.ids[: len(person)]
    return pd.DataFrame({"customer_id": ids.astype(str)} | {name: v[person] for name, v in columns.items()})


def _lifetimes(world: World) -> Frame:
    crowd = world.crowd
    return _by_account(
        world,
        first_day=_day(world, crowd.joined),
        alive_until=_day(world, crowd.left - 1),
        left=crowd.left < world.asked.days,
        visits_per_day=crowd.rate,
        accounts=1 + crowd.double.astype(int),
    )


def _day(world: World, number: np.ndarray) -> np.ndarray:
    return (world.dates[0] + pd.to_timedelta(number, unit="D")).to_numpy().astype("datetime64[s]")


def _tastes(world: World) -> Frame:
    """Weights before and, for those who drift, after the day of drift."""
    crowd, categories = world.crowd, np.array(world.shelves.categories)
    drifts = crowd.drift_day < world.asked.days
    parts = []
    for phase, account_filter in ((0, np.ones(len(crowd), dtype=bool)), (1, drifts)):
        person = world.held.person[world.held.person >= 0]
        account = np.flatnonzero(account_filter[person])
        who = person[account]
        start = np.zeros(len(who), dtype=int) if phase == 0 else crowd.drift_day[who]
        end = (
            np.where(drifts[who], crowd.drift_day[who], world.asked.days) if phase == 0 else world.asked.days
        )
        size = len(categories)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": np.repeat(world.held.ids[account].astype(str), size),
                    "category": np.tile(categories, len(who)),
                    "weight": crowd.taste[who, phase].ravel(),
                    "from": np.repeat(_day(world, start), size),
                    "to": np.repeat(_day(world, np.broadcast_to(end, len(who)) - 1), size),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _needs(world: World) -> Frame:
    crowd = world.crowd
    names = np.array([row["need"] for row in rows("needs.csv")])
    table = _by_account(
        world,
        number=crowd.need,
        need=names[crowd.need],
        **{"from": _day(world, crowd.need_from), "to": _day(world, crowd.need_to - 1)},
    )
    return table[table["number"] >= 0].drop(columns="number").reset_index(drop=True)


def _seasonality(world: World) -> Frame:
    first = world.shelves.types.drop_duplicates("category")
    return first[["category", "peak_month", "amplitude"]].reset_index(drop=True)


def _replenishment(world: World) -> Frame:
    held = world.staples
    return pd.DataFrame(
        {
            "customer_id": world.held.ids[held.person].astype(str),
            "type": world.shelves.types["type"].to_numpy()[held.kind],
            "product_id": world.shelves.products["product_id"].to_numpy()[held.product],
            "cycle_days": held.cycle,
        }
    )


def _campaigns(world: World) -> Frame:
    """One row a person in a campaign, written to or not."""
    run = world.run
    kind = world.kinds[run.person]
    return pd.DataFrame(
        {
            "campaign_id": [f"C{number + 1}" for number in run.number],
            "category": np.array(world.shelves.categories)[run.category[run.number]],
            "start_day": _day(world, run.start[run.number]),
            "end_day": _day(world, run.start[run.number] + campaign.RUNS - 1),
            "customer_id": world.held.ids[run.person].astype(str),
            "customer_type": np.array(campaign.KINDS)[kind],
            "treated": run.treated,
            "bought": run.bought,
            "chance_untreated": campaign.UNTREATED[kind],
            "chance_treated": campaign.TREATED[kind],
            "uplift": campaign.TREATED[kind] - campaign.UNTREATED[kind],
        }
    )


def _promotions(world: World) -> Frame:
    week, product = np.nonzero(world.promotions)
    return pd.DataFrame(
        {
            "product_id": world.shelves.products["product_id"].to_numpy()[product],
            "first_day": _day(world, week * 7),
            "depth": world.promotions[week, product],
        }
    )


def _funnel() -> Frame:
    """Rates of looks that neither habit nor campaign stands behind, without promotion."""
    steps = [
        ("browse", "click", funnel.CLICKED),
        ("click", "cart", funnel.CARTED),
        ("cart", "purchase", funnel.BOUGHT),
    ]
    return pd.DataFrame(steps, columns=["from", "to", "rate"])


def _accounts(world: World) -> Frame:
    person = np.flatnonzero(world.held.second >= 0)
    pairs = {
        "customer_id": world.held.ids[person].astype(str),
        "other_customer_id": world.held.ids[world.held.second[person]].astype(str),
    }
    return pd.DataFrame(pairs)


def names(world: World) -> Frame:
    """What departments, categories, types and brands are called in Chinese (kind, key, name_zh)."""
    types = world.shelves.types
    parts = [
        pd.DataFrame({"kind": kind, "key": types[kind], "name_zh": types[f"{kind}_zh"]}).drop_duplicates()
        for kind in ("department", "category", "type")
    ]
    brands = world.shelves.products[["brand", "brand_zh"]].drop_duplicates()
    parts.append(pd.DataFrame({"kind": "brand", "key": brands["brand"], "name_zh": brands["brand_zh"]}))
    return pd.concat(parts, ignore_index=True)
