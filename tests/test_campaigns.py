"""Campaign results of a hand-made shop."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from customers import campaigns
from customers.errors import Unknown


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("""CREATE TABLE campaigns AS SELECT '7' AS campaign_id, 'Campaign 7' AS name,
            'Type B' AS kind, DATE '2024-03-01' AS start_day, DATE '2024-03-31' AS end_day""")
        con.execute("""CREATE TABLE events AS SELECT * FROM (VALUES ('exposure', 'a', '7', NULL),
            ('exposure', 'b', '7', NULL), ('exposure', 'b', '8', NULL), ('redemption', 'b', '7', 'u1'),
            ('redemption', 'b', '7', 'u1'), ('redemption', 'c', '7', 'u2'), ('redemption', 'c', '8', 'u1')
            ) AS t(kind, customer_id, campaign_id, text)""")
        con.execute("""CREATE TABLE campaign_products AS SELECT * FROM (VALUES ('7', 'u1', 'p1'),
            ('7', 'u1', 'p2'), ('7', 'u1', 'p3'), ('7', 'u2', 'p3'), ('7', 'u3', 'p4'), ('8', 'u1', 'p4')
            ) AS t(campaign_id, coupon_id, product_id)""")
        con.execute("""CREATE TABLE products AS SELECT * FROM (VALUES ('p1', 'TEA'), ('p2', 'TEA'),
            ('p3', 'JAM'), ('p4', 'OIL')) AS t(product_id, category)""")
        yield con


def test_a_campaign_counts_people_redemptions_and_categories(con) -> None:
    found = campaigns.result(con, "7")
    assert (found.name, found.kind, found.start_day) == ("Campaign 7", "Type B", date(2024, 3, 1))
    assert (found.received, found.redeemers, found.redemptions) == (2, 2, 3)
    assert (found.coupons, found.products) == (3, 4)
    assert found.top_categories == (("JAM", 3), ("TEA", 2))


def test_an_unknown_campaign_is_unknown(con) -> None:
    with pytest.raises(Unknown, match="99"):
        campaigns.result(con, "99")
