"""A small sample with known figures for the scorers' tests, and replies about it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from eval.scorers.ground import Ground
from eval.truth import Truth

DAYS = ("2017-01-01", "2017-12-31")
PRODUCTS = [
    (10, 1, "GROCERY", "National", "COFFEE", "GROUND COFFEE", "12 OZ"),
    (11, 1, "GROCERY", "Private", "COFFEE", "GROUND COFFEE", "12 OZ"),
    (12, 1, "GROCERY", "National", "CHEESE", "SHREDDED CHEESE", "8 OZ"),
]
LINES = [
    (1, 1, 100, 10, 1, 6.00, "2017-01-05 15:00"),
    (1, 1, 100, 12, 2, 4.00, "2017-01-05 15:00"),
    (2, 1, 200, 11, 1, 1234.50, "2017-06-01 15:00"),
]
_TABLES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "transactions": ("household_id bigint, store_id bigint, basket_id bigint, product_id bigint, quantity bigint,"
                     " sales_value double, transaction_timestamp timestamp", LINES),
    "products": ("product_id bigint, manufacturer_id bigint, department varchar, brand varchar,"
                 " product_category varchar, product_type varchar, package_size varchar", PRODUCTS),
    "demographics": ("household_id bigint, age varchar", [(1, "45-54")]),
    "campaigns": ("campaign_id bigint, household_id bigint", [(7, 1)]),
    "coupon_redemptions": ("household_id bigint, coupon_upc bigint, campaign_id bigint, redemption_date timestamp",
                           [(1, 500, 7, "2017-06-01")]),
    "coupons": ("coupon_upc bigint, product_id bigint, campaign_id bigint", [(500, 11, 7)]),
    "campaign_descriptions": ("campaign_id bigint, campaign_type varchar, start_date timestamp, end_date timestamp",
                              [(7, "Type A", "2017-05-01", "2017-07-01")]),
}  # fmt: skip


@cache
def ground() -> Ground:
    """The ground over the small sample, opened once a run."""
    folder = Path(tempfile.mkdtemp(prefix="small-sample-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with duckdb.connect() as con:
        for name, (columns, rows) in _TABLES.items():
            con.execute(f"create or replace table t ({columns})")
            con.executemany(f"insert into t values ({', '.join('?' * len(rows[0]))})", rows)
            con.execute(f"copy t to '{folder}/{name}.parquet' (format parquet)")
    return Ground(DAYS, lambda: Truth(folder))


def untouched() -> Ground:
    """A ground that must not open the sample's files."""

    def fail() -> Truth:
        raise AssertionError("this needs no sample")

    return Ground(DAYS, fail)


def turn(**given: Any) -> dict[str, Any]:
    return {"id": "t", "language": "en", "role": "service", "customer": None, "question": "?"} | given


def reply(answer: str = "Here it is.", **parts: Any) -> dict[str, Any]:
    return {"answer": answer, "language": "en", "kind": "answer", "steps": [], "citations": [],
            "recommendations": [], "handoff": None} | parts  # fmt: skip


def step(tool: str, **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args, "ms": 1.0, "facts": 1}


def offers(*products: int) -> list[dict[str, Any]]:
    return [{"product_id": str(p), "name": f"Product {p}", "score": 1.0, "reason": "liked"} for p in products]
