"""Writes the corner shop's three files: made-up customers with planted tastes, and a little dirt.

Run `python docs/example/make_example.py` to write them again; the same seed gives the same bytes.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
FIRST_DAY = datetime(2024, 1, 2)
DAYS = 152
CUSTOMERS = 60

# department, category, product, price
GOODS = (
    ("Bakery", "Bread", "Sourdough loaf", 3.2), ("Bakery", "Bread", "Whole wheat loaf", 2.6),
    ("Bakery", "Pastry", "Butter croissant", 1.4), ("Bakery", "Pastry", "Cinnamon roll", 1.9),
    ("Dairy", "Milk", "Whole milk 1 l", 1.2), ("Dairy", "Milk", "Oat drink 1 l", 2.1),
    ("Dairy", "Yogurt", "Plain yogurt 500 g", 1.8), ("Dairy", "Yogurt", "Strawberry yogurt 150 g", 0.7),
    ("Dairy", "Cheese", "Cheddar 200 g", 3.4), ("Dairy", "Cheese", "Goat cheese 150 g", 4.1),
    ("Drinks", "Coffee", "Coffee beans 500 g", 7.9), ("Drinks", "Coffee", "Ground coffee 250 g", 4.5),
    ("Drinks", "Tea", "Green tea 20 bags", 2.9), ("Drinks", "Tea", "Earl Grey 50 bags", 3.6),
    ("Pets", "Cat food", "Cat food, tuna 400 g", 1.6), ("Pets", "Cat food", "Cat food, chicken 2 kg", 8.5),
    ("Pets", "Cat litter", "Clumping litter 5 kg", 6.2), ("Pets", "Dog food", "Dog food, beef 800 g", 2.8),
    ("Baby", "Diapers", "Diapers size 3, 40", 11.9), ("Baby", "Diapers", "Diapers size 4, 36", 11.9),
    ("Baby", "Baby food", "Carrot puree 125 g", 1.1), ("Baby", "Baby food", "Apple puree 125 g", 1.1),
    ("Produce", "Fruit", "Bananas 1 kg", 1.7), ("Produce", "Vegetables", "Tomatoes 500 g", 2.2),
)  # fmt: skip
STAPLES = ("Bread", "Milk", "Fruit", "Vegetables")
TASTES = (
    ("Coffee", "Pastry", "Cheese", "Tea"),
    ("Cat food", "Cat litter", "Tea", "Yogurt"),
    ("Diapers", "Baby food", "Yogurt", "Dog food"),
)
EVENT_COLUMNS = (
    "event_id", "event_type", "customer_id", "time", "product_id", "quantity", "amount", "discount",
    "order_id", "rating", "text",
)  # fmt: skip
DIRT = (
    ("E90001", "purchase", "", "2024-03-05 10:12", "P05", 1, "1.20", "0.00", "O90001", "", ""),
    ("E90002", "purchase", "C007", "2024-03-05 10:15", "P05", 0, "0.00", "0.00", "O90002", "", ""),
    ("E90003", "purchase", "C012", "soon", "P01", 1, "3.20", "0.00", "O90003", "", ""),
    ("E90004", "purchase", "C012", "1970-01-01 00:00", "P01", 1, "3.20", "0.00", "O90004", "", ""),
    ("E90005", "purchase", "C020", "2024-04-02 17:40", "P11", "one", "7.90", "0.00", "O90005", "", ""),
)


def main() -> None:
    """Write products.csv, customers.csv and events.csv beside this file."""
    chance = random.Random(2024)
    products = [(f"P{n:02d}", name, department, category, price)
                for n, (department, category, name, price) in enumerate(GOODS, 1)]  # fmt: skip
    _write("products.csv", ("product_id", "name", "department", "category", "price"), products)
    _write("customers.csv", ("customer_id", "age", "household_size"), (
        (_id(c), chance.choice(("18-34", "35-54", "55+")), chance.choice((1, 2, 3, 4))) for c in range(CUSTOMERS)
    ))  # fmt: skip
    events = [row for customer in range(CUSTOMERS) for row in _visits(customer, products, chance)]
    events.sort(key=lambda row: str(row[2]))
    numbered = [(f"E{n:05d}", *row) for n, row in enumerate(events, 1)]
    _write("events.csv", EVENT_COLUMNS, [*numbered, numbered[0], *DIRT])


def _visits(customer: int, products: Sequence[tuple], chance: random.Random) -> list[tuple]:
    """One customer's five months: a visit every few days, each with what the customer likes."""
    rows, day = [], chance.randrange(10)
    while day < DAYS:
        when = FIRST_DAY + timedelta(days=day, hours=8 + chance.randrange(12), minutes=chance.randrange(60))
        liked = [c for c in TASTES[customer % 3] if chance.random() < 0.45]
        wanted = liked + [c for c in STAPLES if chance.random() < 0.4] or ["Milk"]
        for category in wanted:
            sold = [p for p in products if p[3] == category]
            product = chance.choices(sold, (customer % 2 + 1, 2)[: len(sold)])[0]
            rows.append(_purchase(customer, when, product, chance))
        if chance.random() < 0.05:
            rows.append(_about(customer, when, rows[-1], chance))
        day += 4 + customer % 7 + chance.randrange(4)
    return rows


def _purchase(customer: int, when: datetime, product: tuple, chance: random.Random) -> tuple:
    quantity = chance.choice((1, 1, 1, 2))
    off = round(0.1 * quantity * product[4], 2) if chance.random() < 0.1 else 0.0
    amount = f"{quantity * product[4] - off:.2f}"
    basket = f"O{customer:02d}{when:%m%d}"
    return "purchase", _id(customer), _time(when), product[0], quantity, amount, f"{off:.2f}", basket, "", ""


def _about(customer: int, when: datetime, bought: tuple, chance: random.Random) -> tuple:
    """A review, a return or a search that follows a purchase."""
    later = _time(when + timedelta(hours=3))
    return chance.choice((
        ("review", _id(customer), later, bought[3], "", "", "", "", 4, "Fresh, will buy again"),
        ("return", *bought[1:2], later, *bought[3:7], bought[7], "", ""),
        ("search", _id(customer), later, "", "", "", "", "", "", "oat drink"),
    ))  # fmt: skip


def _id(customer: int) -> str:
    return f"C{customer + 1:03d}"


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def _write(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (HERE / name).open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([head, *rows])


if __name__ == "__main__":
    main()
