"""A simulated shop, written as plain files beside the truth that was planted in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customers.errors import BadInput
from customers.ports import Progress
from customers.simulate import campaigns as campaign
from customers.simulate import catalogue as shelf
from customers.simulate import dirt, funnel, looks, people, robots, truth, words, writing
from customers.simulate.catalogue import Frame

NAME = "Simulated shop"
MARK = "SIMULATED DATA"
LAST_DAY = pd.Timestamp("2025-06-30")

# Event file -> prefix of its event ids, and its columns.
FILES = {
    "browse": ("b", ("product_id", "store_id")),
    "click": ("k", ("product_id", "store_id")),
    "search": ("s", ("text", "store_id")),
    "cart": ("c", ("product_id", "store_id")),
    "purchases": ("p", ("product_id", "quantity", "amount", "discount", "basket_id", "store_id")),
    "returns": ("t", ("product_id", "quantity", "amount", "basket_id", "store_id")),
    "reviews": ("r", ("product_id", "rating", "text")),
    "inquiry": ("q", ("product_id", "basket_id", "text", "store_id")),
    "exposures": ("x", ("campaign_id",)),
    "redemptions": ("d", ("product_id", "discount", "campaign_id", "basket_id")),
}

README = """# SIMULATED DATA

Everything in this folder is made up by `shopkeeper simulate`: no such shop, customer, product or
event exists. The truth that was planted is in `truth/`.

    customers {customers}, days {days}, seed {seed}, dirt {dirt}, format {format}

Read it as a shop:

    shopkeeper data {folder} --yes --name "{name}"
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to simulate: people, days, seed, the share of event rows made wrong, and the format."""

    customers: int = 2000
    days: int = 365
    seed: int = 1
    dirt: float = 0.02
    format: str = "csv"

    def check(self) -> None:
        """Raise BadInput where a number is out of bounds."""
        bounds = {"customers": (20, 1_000_000), "days": (60, 1095), "dirt": (0, 0.3), "seed": (0, 2**32)}
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise BadInput(f"{name} is {getattr(self, name):g}; give a number from {low:g} to {high:g}")
        if self.format not in writing.FORMATS:
            raise BadInput(f"{self.format!r} is no format; use {', '.join(writing.FORMATS)}")


@dataclass(slots=True)
class World:
    """Everything that was drawn, before dirt; `events` by file, in order of time, with event ids."""

    asked: Asked
    dates: pd.DatetimeIndex
    shelves: shelf.Catalogue
    crowd: people.People
    held: people.Accounts
    staples: looks.Staples
    kinds: np.ndarray
    run: campaign.Campaigns
    promotions: np.ndarray
    customers: Frame
    events: dict[str, Frame]


def simulate(folder: Path, asked: Asked | None = None, progress: Progress | None = None) -> dict[str, int]:
    """Write a simulated shop into `folder` and return rows by file.

    `folder` gets products, customers and a file for each kind of event, all named `simulated_...`,
    README.md, and `truth/` with Parquet files of what was planted (docs/simulator.md lists them).
    The same `asked` gives the same bytes. Raises BadInput where a number is out of bounds or the
    folder holds anything but an earlier simulation, which is replaced.
    """
    asked = asked or Asked()
    asked.check()
    _require_ours(folder)
    if progress is not None:
        progress.stage("Simulating customers")
    world = draw(asked)
    if progress is not None:
        progress.stage("Writing files")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / "truth").mkdir(parents=True)
        written = _write(partial, folder, world)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error}); choose another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _require_ours(folder: Path) -> None:
    if not folder.exists():
        return
    readme = folder / "README.md"
    ours = (
        folder.is_dir() and readme.is_file() and MARK in readme.read_text(encoding="utf-8", errors="replace")
    )
    if not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder}: holds something else; give a new or empty folder")


def draw(asked: Asked) -> World:
    """Draw a whole shop in memory."""
    rng = [np.random.default_rng([asked.seed, part]) for part in range(16)]
    dates = pd.date_range(end=LAST_DAY, periods=asked.days)
    shelves = shelf.catalogue(rng[0])
    season = shelf.season(shelves.types, shelves.categories, dates)
    promotions = shelf.promotions(len(shelves.products), asked.days, rng[1])
    crowd = people.people(asked.customers, asked.days, shelves, rng[2])
    held = people.accounts(crowd, robots.robots_for(len(crowd)), rng[3])
    staples = looks.staples(crowd, shelves, rng[4])
    kinds = campaign.customer_kinds(crowd, rng[5])
    run = campaign.campaigns(crowd, kinds, asked.days, shelves, rng[6])
    free = looks.impulses(crowd, dates, season, shelves, rng[7])
    made = looks.Looks.joined(
        [
            looks.without_staples(free, staples, len(shelves.types)),
            looks.replenishments(staples, crowd, asked.days, rng[8]),
            campaign.purchases(run, shelves, rng[9]),
        ]
    )
    found = funnel.journey(made, crowd, held, run, promotions, shelves, rng[10])
    events = _events(found, crowd, held, run, shelves, asked.days, rng[11:15])
    return World(
        asked, dates, shelves, crowd, held, staples, kinds, run, promotions,
        people.customer_rows(crowd, held, rng[15]), _named(events, held, LAST_DAY - pd.Timedelta(days=asked.days - 1)),
    )  # fmt: skip


def _events(
    found: funnel.Journey,
    crowd: people.People,
    held: people.Accounts,
    run: campaign.Campaigns,
    shelves: shelf.Catalogue,
    days: int,
    rng: list[np.random.Generator],
) -> dict[str, Frame]:
    products = shelves.products["product_id"].to_numpy()
    bought = funnel.purchases(found, crowd, shelves, rng[0])
    events = funnel.browsing(found, products)
    for kind, rows in robots.crawls(held, products, days, rng[1]).items():
        events[kind] = pd.concat([events[kind], rows], ignore_index=True)
    redeemed = bought[bought["coupon"]].copy()
    redeemed["campaign_id"] = [f"C{n + 1}" for n in found.looks.campaign[redeemed["look"]]]
    return events | {
        "search": words.searches(found, crowd, shelves, rng[2]),
        "purchases": bought,
        "returns": funnel.returns(bought, found, shelves, days, rng[0]),
        "reviews": words.reviews(bought, found, crowd, shelves, days, rng[3]),
        "inquiry": words.inquiries(bought, found, crowd, shelves, days, rng[3]),
        "exposures": _exposures(run, rng[1]),
        "redemptions": redeemed,
    }


def _exposures(run: campaign.Campaigns, rng: np.random.Generator) -> Frame:
    """One to three messages to each person written to, in the campaign's first days."""
    hit = np.repeat(np.flatnonzero(run.treated), rng.integers(1, 4, int(run.treated.sum())))
    first = np.r_[True, hit[1:] != hit[:-1]] if len(hit) else np.zeros(0, dtype=bool)
    later = np.where(first, 0, rng.integers(1, 5, len(hit)))
    hour = rng.integers(9 * 3600, 18 * 3600, len(hit))
    return pd.DataFrame(
        {
            "account": run.person[hit],
            "time": (run.start[run.number[hit]] + later) * 86400 + hour,
            "campaign_id": [f"C{number + 1}" for number in run.number[hit]],
        }
    )


def _named(events: dict[str, Frame], held: people.Accounts, first: Any) -> dict[str, Frame]:
    """Put each file in order of time and give its rows ids, customers and times (to the second)."""
    named = {}
    for file, (prefix, _) in FILES.items():
        rows = events[file].sort_values("time", kind="stable").reset_index(drop=True)
        rows["event_id"] = [f"{prefix}{number:08d}" for number in range(len(rows))]
        rows["customer_id"] = held.ids[rows["account"].to_numpy()]
        rows["ts"] = first + pd.to_timedelta(np.floor(rows["time"].to_numpy()), unit="s")
        named[file] = rows
    return named


def _write(partial: Path, folder: Path, world: World) -> dict[str, int]:
    asked = world.asked
    shown = world.shelves.products[
        ["product_id", "name", "department", "category", "type", "brand", "size", "price"]
    ].sort_values("product_id")
    written = {"simulated_products": len(shown), "simulated_customers": len(world.customers)}
    writing.write(partial / "simulated_products", shown, asked.format)
    writing.write(partial / "simulated_customers", world.customers, asked.format)
    writing.write(partial / "simulated_names", truth.names(world), asked.format)
    robot = np.zeros(len(world.held.ids), dtype=bool)
    robot[world.held.robots] = True
    planted = []
    for number, (file, (_, columns)) in enumerate(FILES.items()):
        name = f"simulated_{file}"
        rows = world.events[file]
        shown = rows[["event_id", "customer_id", "ts", *columns]].copy()
        if asked.format != "parquet":
            shown["ts"] = shown["ts"].dt.strftime("%Y-%m-%d %H:%M:%S")
        rng = np.random.default_rng([asked.seed, 100 + number])
        spare = robot[rows["account"].to_numpy()]
        spoiled = dirt.spoil(name, shown, asked.dirt, asked.format, spare, rng)
        writing.write(partial / name, spoiled.rows, asked.format, spoiled.malformed)
        crawled = pd.DataFrame({"event_id": shown["event_id"][spare], "dirt": "robot"})
        planted.append(pd.concat([spoiled.planted, crawled]).assign(file=f"{name}.{asked.format}"))
        written[name] = len(spoiled.rows)
    truth.write(partial / "truth", world)
    writing.write(
        partial / "truth" / "dirt",
        pd.concat(planted, ignore_index=True)[["file", "event_id", "dirt"]].astype(str),
        "parquet",
    )
    text = README.format(
        customers=asked.customers, days=asked.days, seed=asked.seed, dirt=asked.dirt, format=asked.format,
        folder=folder.name, name=NAME,
    )  # fmt: skip
    (partial / "README.md").write_text(text, encoding="utf-8")
    return written
