"""Any number of simulated events as one Parquet file, for measuring how fast a shop is read.

Everything in a row is a function of the row's number and the seed, so that the file is written in
one pass, in time order and in little memory. Nothing is planted in it but dirt of
known shares; see `customers.simulate.shop` for a shop with planted truth.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from customers.errors import BadInput
from customers.schema import EventKind

# One row of BLOCK repeats the row before it; missing customers and absurd quantities are one row
# of ONE_OF each.
BLOCK, ONE_OF = 200, 1000
DAYS = 730
ROBOTS = 3
MEMORY = "1GB"

# Rows of a thousand, by kind.
SHARES = {
    EventKind.BROWSE: 440,
    EventKind.CLICK: 140,
    EventKind.SEARCH: 70,
    EventKind.CART: 110,
    EventKind.PURCHASE: 200,
    EventKind.RETURN: 8,
    EventKind.REVIEW: 12,
    EventKind.INQUIRY: 5,
    EventKind.EXPOSURE: 12,
    EventKind.REDEMPTION: 3,
}

_TEXTS = {
    EventKind.SEARCH: (
        "oat milk", "running shoes", "燕麦奶", "phone case", "洗衣液", "green tea", "牙膏", "gift box",
        "dog food", "猫粮", "desk lamp", "台灯", "shampoo", "洗发水", "olive oil", "酱油",
    ),
    EventKind.REVIEW: (
        "Works well and came on time.", "Not what I hoped for.", "很好用,会回购。", "质量一般,包装破了。",
        "Good value, would buy again.", "Broke after a week.", "物流很快,味道不错。", "颜色和图片不一样。",
    ),
    EventKind.INQUIRY: (
        "Where is my order?", "I want a refund.", "我的快递到哪里了?", "怎么开发票?",
        "The coupon does not work.", "优惠券用不了。", "Is this back in stock?", "发错货了,怎么换?",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """What `events_parquet` planted: rows by sort, all counted in `events`."""

    events: int
    customers: int
    products: int
    repeats: int
    robots: int


def events_parquet(path: Path, events: int, seed: int = 1) -> Written:
    """Write `events` simulated events of two years, ascending in time, to the Parquet file `path`.

    All columns of `customers.schema.EVENTS` but `source`, in their natural types. 0.5 % of the rows
    repeat the row before them exactly, about 0.1 % have no customer, about 0.1 % are purchases of
    thousands of pieces, and three robots look at thousands of products in a short time. Customers
    and products are skewed: few of them make most of the events. Memory does not grow with
    `events`. The same seed gives the same rows. Raises BadInput where the file cannot be written.
    """
    if events < BLOCK:
        raise BadInput(f"{events} events are too few to write; ask for at least {BLOCK}")
    customers = max(200, min(events // 600, 5_000_000))
    products = max(500, min(events // 30, 80_000))
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": ""}) as con:
            con.execute(_copy(partial, events, seed, customers, products))
        os.replace(partial, path)
    except (duckdb.IOException, OSError) as error:
        raise BadInput(f"{path}: cannot be written ({str(error).splitlines()[0]}); choose another") from error
    finally:
        partial.unlink(missing_ok=True)
    return Written(events, customers, products, events // BLOCK, ROBOTS)


def _copy(path: Path, events: int, seed: int, customers: int, products: int) -> str:
    target = str(path).replace("'", "''")
    return f"""
    COPY (
      WITH numbered AS (
        SELECT CASE WHEN i % {BLOCK} = 1 + CAST(hash(i // {BLOCK}) >> 1 AS BIGINT) % {BLOCK - 1} THEN i - 1 ELSE i END AS i
        FROM range({events}) r(i)
      ),
      drawn AS (
        SELECT i, CAST(hash(i + {seed * 1_000_000_007}::BIGINT) >> 1 AS BIGINT) AS h,
          CAST(hash(i + {seed * 1_000_000_007 + 500_000_000_000}::BIGINT) >> 1 AS BIGINT) AS g
        FROM numbered
      ),
      shaped AS (
        SELECT i, h, g, {_kind("h")} AS kind, {_robot(events)} AS robot, {_time(events)} AS ts,
          CAST(floor({products} * pow(((h >> 36) & 16777215) / 16777216.0, 2.5)) AS BIGINT) AS product,
          {_customer(customers)} AS customer
        FROM drawn
      )
      SELECT 'e' || i AS event_id, kind, {_customer_id()} AS customer_id, ts,
        CASE WHEN kind NOT IN ('search', 'inquiry', 'exposure') THEN 'P' || (100000 + product) END AS product_id,
        {_quantity()} AS quantity,
        CASE WHEN {_SALE} THEN round({_PRICE} * {_pieces()}, 2) END AS amount,
        CASE WHEN {_SALE} THEN CASE WHEN g % 4 = 0 THEN round({_PRICE} * 0.1, 2) ELSE 0.0 END END AS discount,
        CASE WHEN {_SALE} THEN 'B' || customer || '-' || (i * {DAYS} // {events}) END AS basket_id,
        'S' || (customer % 40) AS store_id,
        CASE WHEN kind IN ('exposure', 'redemption') THEN 'K' || (g % 24) END AS campaign_id,
        CASE WHEN kind = 'review' THEN CAST([1, 2, 3, 4, 4, 5, 5, 5][1 + g % 8] AS DOUBLE) END AS rating,
        {_text()} AS text
      FROM shaped
    ) TO '{target}' (FORMAT parquet, COMPRESSION snappy)
    """


_SALE = "kind IN ('purchase', 'return')"
_PRICE = "(0.99 + ((product * 7919) % 4000) / 100.0)"


def _kind(draw: str) -> str:
    """A kind by `SHARES`; a row that is to be absurd is a purchase."""
    branches, upto = [f"WHEN g % {ONE_OF} = 7 THEN 'purchase'"], 0
    for kind, share in SHARES.items():
        upto += share
        branches.append(f"WHEN {draw} % 1000 < {upto} THEN '{kind.value}'")
    return f"CASE {' '.join(branches)} END"


def _robot(events: int) -> str:
    """The robot's number in one thousandth of the file each, on every second row; else null."""
    window = max(events // 1000, 2)
    starts = [events * (2 * robot + 1) // (2 * ROBOTS) for robot in range(ROBOTS)]
    branches = [
        f"WHEN i BETWEEN {at} AND {at + window} AND i % 2 = 0 THEN {n}" for n, at in enumerate(starts)
    ]
    return f"CASE {' '.join(branches)} END"


def _time(events: int) -> str:
    """Ascending with the row's number, dense in the afternoon and thin at night."""
    day = f"(i * {float(DAYS)} / {events})"
    seconds = f"86400.0 * ({day} + 0.09 * sin(2 * pi() * {day} - 1.8))"
    return f"TIMESTAMP '2024-01-01 02:00:00' + to_microseconds(CAST({seconds} * 1000000 AS BIGINT))"


def _customer(customers: int) -> str:
    return f"CAST(floor({customers} * pow(((g >> 33) & 268435455) / 268435456.0, 1.8)) AS BIGINT)"


def _customer_id() -> str:
    return (
        f"CASE WHEN (g >> 10) % {ONE_OF} = 3 THEN NULL WHEN robot IS NOT NULL THEN 'R' || robot "
        "ELSE 'C' || (10000 + customer) END"
    )


def _pieces() -> str:
    return f"CASE WHEN g % {ONE_OF} = 7 THEN 20000.0 + h % 50000 ELSE [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0][1 + h % 8] END"


def _quantity() -> str:
    return f"CASE WHEN kind IN ('purchase', 'return', 'cart') THEN {_pieces()} END"


def _text() -> str:
    branches = []
    for kind, texts in _TEXTS.items():
        listed = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
        branches.append(f"WHEN '{kind.value}' THEN [{listed}][1 + g % {len(texts)}]")
    return f"CASE kind {' '.join(branches)} END"
