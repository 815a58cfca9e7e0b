"""Looks at products: counted as of a day, never those made up from purchases, and told in an explanation."""

from __future__ import annotations

import shutil
from datetime import date, datetime

import duckdb
import ibis
import pandas as pd
import pytest

from customers.features.looks import look_rhythm, looks
from customers.pipeline import STORE, build
from customers.shop import Shop
from tests import shops

AS_OF = date(2024, 3, 1)


def _events(*rows: tuple[str, str, str, str | None, int]) -> ibis.Table:
    """(event id, kind, customer, product, day of February or, from 30 on, of March)."""
    made = [
        (key, kind, who, what, datetime(2024, 2 if day < 30 else 3, day if day < 30 else day - 29, 12))
        for key, kind, who, what, day in rows
    ]
    return ibis.memtable(pd.DataFrame(made, columns=["event_id", "kind", "customer_id", "product_id", "ts"]))


PRODUCTS = ibis.memtable(
    pd.DataFrame({"product_id": ["p", "q", "r"], "category": ["TEA", "TEA", None]}, dtype=object)
)


def test_looks_are_counted_by_category_with_what_is_older_weighing_less():
    seen = looks(
        _events(
            ("1", "browse", "a", "p", 23),  # 7 days before
            ("2", "browse", "a", "q", 30),  # on the day
            ("3", "cart", "a", "p", 30),
            ("4", "browse", "a", "r", 30),  # of no known category
            ("5", "search", "a", None, 30),
            ("6", "purchase", "a", "p", 30),
            ("7", "click", "a", "p", 31),  # later
            ("simulated:8", "click", "a", "p", 30),  # made up from what was bought
        ),
        PRODUCTS,
    )
    (row,) = look_rhythm(seen, AS_OF).to_pandas().to_dict("records")
    assert (row["customer_id"], row["category"], row["looks_30"]) == ("a", "TEA", 3)
    assert row["browse_7"] == pytest.approx(1.5)
    assert row["browse_30"] == pytest.approx(1 + 0.5 ** (7 / 30))
    assert (row["cart_7"], row["cart_30"], row["click_7"], row["click_30"]) == (1, 1, 0, 0)


@pytest.mark.slow
def test_a_shop_with_looks_explains_a_chance_with_them(tmp_path):
    """Everybody looks at a product the day before they buy it."""
    (tmp_path / "store").mkdir()
    shutil.copy(shops.built() / STORE, tmp_path / STORE)
    with duckdb.connect(str(tmp_path / STORE)) as con:
        con.execute(
            "INSERT INTO events BY NAME SELECT 'look:' || event_id AS event_id, 'cart' AS kind, customer_id, product_id,"
            " ts - INTERVAL 1 DAY AS ts, 'shop' AS source FROM events WHERE kind = 'purchase'"
        )
    build(tmp_path)
    shop = Shop.open(tmp_path)
    customer, category, n = shop.query(
        "SELECT customer_id, category, looks_30 FROM category_looks ORDER BY ALL LIMIT 1"
    )[0]
    found = shop.explain_preference(customer, category)
    (told,) = (one for one in found.contributions if one.feature == "looks")
    assert told.value == n
    assert told.usual > 0
    assert found.probability == pytest.approx(
        shop.query(
            "SELECT probability FROM preferences WHERE customer_id = ? AND category = ?", [customer, category]
        )[0][0],
        abs=1e-6,
    )
    shop.close()
    plain = Shop.open(shops.built())
    assert "looks" not in {one.feature for one in plain.explain_preference("0", category).contributions}
    plain.close()
