"""A small shop whose answers are known, written as a real store and built once a test run.

Three tastes are planted: customers 0-79 buy baby goods, 80-139 cat goods, 140-199 wine and cheese;
everybody buys milk. A day of 2024 is bought on when (customer + day) is a multiple of the customer's
gap; customer 7 stopped on day 100.
"""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from customers.pipeline import STORE, build
from customers.schema import TABLES

FIRST = date(2024, 1, 1)
DAYS = 240
LAST = FIRST + timedelta(days=DAYS - 1)
CUSTOMERS = 200
TASTES = {
    "baby": ("DIAPERS", "BABY FOOD", "INFANT FORMULA"),
    "cat": ("CAT FOOD", "CAT LITTER", "CAT TOYS"),
    "wine": ("WINE", "CHEESE", "OLIVES"),
}
STAPLES = ("MILK", "BREAD", "EGGS")
CHINESE = {"DIAPERS": "尿布", "CAT FOOD": "猫粮", "WINE": "葡萄酒", "MILK": "牛奶", "CHEESE": "奶酪"}
CATEGORIES = [*(key for keys in TASTES.values() for key in keys), *STAPLES]
_COLOURS = ("red", "green", "blue", "golden", "white")
STOPPED, STOPPED_ON = "7", FIRST + timedelta(days=100)


def taste_of(customer: int) -> str:
    """The planted taste of a customer number."""
    return "baby" if customer < 80 else "cat" if customer < 140 else "wine"


def write_store(path: Path) -> None:
    """Write the planted shop's store at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(str(path))
    kinds = {"string": "VARCHAR", "float64": "DOUBLE", "int64": "BIGINT"}
    for name, columns in TABLES.items():
        listed = ", ".join(f'"{column}" {kinds.get(kind, kind)}' for column, kind in columns.items())
        con.execute(f"CREATE TABLE {name} ({listed})")
    for name, rows in _rows().items():
        con.register("planted_rows", pa.Table.from_pylist(rows))
        con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM planted_rows")
        con.unregister("planted_rows")
    con.close()


@cache
def built() -> Path:
    """The planted shop, built once a test run in a directory that goes when the run ends. Copy it
    before changing it."""
    scratch = Path(tempfile.mkdtemp(prefix="planted-shop-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    write_store(scratch / "shop" / STORE)
    build(scratch / "shop")
    return scratch / "shop"


def _rows() -> dict[str, list[dict[str, Any]]]:
    products: list[dict[str, Any]] = [
        {
            "product_id": f"p{i * 5 + j}",
            "name": f"{colour.capitalize()} {category.lower()}",
            "department": "SHOP",
            "category": category,
            "type": f"{category} {'A' if j < 3 else 'B'}",
            "brand": "Private" if j == 0 else "National",
            "price": 2.0 + j,
        }
        for i, category in enumerate(CATEGORIES)
        for j, colour in enumerate(_COLOURS)
    ]
    named = [("category", key, key.capitalize(), CHINESE.get(key, key)) for key in CATEGORIES]
    named += [("department", "SHOP", "Shop", "商店"), ("brand", "Private", "Private label", "自有品牌")]
    named += [("brand", "National", "National brand", "全国品牌"), ("attribute", "age", "Age", "年龄")]
    names: list[dict[str, Any]] = [
        dict(zip(("kind", "key", "name_en", "name_zh"), row, strict=True)) for row in named
    ]
    attributes: list[dict[str, Any]] = [
        {"customer_id": str(c), "attribute": "age", "value": "25-34"} for c in range(0, 200, 4)
    ]
    campaign: dict[str, Any] = {"campaign_id": "1", "name": "Campaign 1", "kind": "Type A"}
    campaign |= {"start_day": FIRST + timedelta(days=30), "end_day": FIRST + timedelta(days=60)}
    quality: dict[str, Any] = {
        "source": "events",
        "rule": "zero_quantity",
        "reason_en": "nothing | <b>bought</b>",
    }
    quality |= {"reason_zh": "数量为零", "action": "dropped", "rows": 3, "of_rows": 1000, "examples": "[]"}
    shop: dict[str, Any] = {
        "name": "Planted <shop>",
        "currency": "$",
        "first_day": FIRST,
        "last_day": LAST,
        "source": "test",
    }
    coupons: list[dict[str, Any]] = [{"campaign_id": "1", "coupon_id": "c1", "product_id": "p0"}]
    return {
        "events": _events(), "products": products, "names": names, "attributes": attributes,
        "campaigns": [campaign], "campaign_products": coupons, "quality": [quality], "shop": [shop],
    }  # fmt: skip


def _events() -> list[dict[str, Any]]:
    chance = random.Random(0)
    rows = []
    for customer in range(CUSTOMERS):
        gap = 4 + customer % 9
        for day in range(customer % gap, DAYS, gap):
            if str(customer) == STOPPED and FIRST + timedelta(days=day) > STOPPED_ON:
                break
            wanted = [key for key in TASTES[taste_of(customer)] if chance.random() < 0.6]
            wanted += [key for key in STAPLES if chance.random() < 0.5] or ["MILK"]
            if chance.random() < 0.1:
                wanted.append(chance.choice(CATEGORIES))
            for line, category in enumerate(dict.fromkeys(wanted)):
                rows.append(_purchase(customer, day, line, category, chance))
        rows.append(_contact("exposure", customer, 30))
        if customer % 10 == 0:
            rows.append(_contact("redemption", customer, 40))
    return rows


def _purchase(customer: int, day: int, line: int, category: str, chance: random.Random) -> dict[str, Any]:
    j = min(int(chance.random() ** 2 * 5), 4)
    when = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day, hours=9 + customer % 12)
    basket = f"b{customer}-{day}"
    return {
        "event_id": f"{basket}-{line}", "kind": "purchase", "customer_id": str(customer), "ts": when,
        "product_id": f"p{CATEGORIES.index(category) * 5 + j}", "quantity": 1.0, "amount": 2.0 + j,
        "discount": 0.5 if j == 0 else 0.0, "basket_id": basket, "store_id": str(customer % 3),
        "campaign_id": None, "text": None,
    }  # fmt: skip


def _contact(kind: str, customer: int, day: int) -> dict[str, Any]:
    when = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day)
    return {
        "event_id": f"{kind}-{customer}", "kind": kind, "customer_id": str(customer), "ts": when,
        "product_id": "p0" if kind == "redemption" else None, "quantity": None, "amount": None,
        "discount": None, "basket_id": None, "store_id": None, "campaign_id": "1",
        "text": "c1" if kind == "redemption" else None,
    }  # fmt: skip
