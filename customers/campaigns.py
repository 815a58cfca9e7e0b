"""What a campaign did: who was sent it, who redeemed, and what its redeemed coupons were for."""

from __future__ import annotations

from typing import Any

import duckdb

from customers.errors import Unknown
from customers.measure_tables import locate
from customers.values import CampaignResult

TOP = 5


def result(con: duckdb.DuckDBPyConnection, campaign_id: str) -> CampaignResult:
    """Read one campaign's result. `top_categories` are those whose coupons were redeemed most: a
    coupon that is valid for several categories counts in each. Raises Unknown."""
    tables = locate(con)
    found = _rows(
        con,
        f"SELECT name, kind, start_day, end_day FROM {tables['campaigns']} WHERE campaign_id = ?",
        campaign_id,
    )
    if not found:
        raise Unknown(f"The shop has no campaign '{campaign_id}'.")
    name, kind, start, end = found[0]
    touched = _rows(
        con,
        f"""SELECT count(DISTINCT customer_id) FILTER (WHERE kind = 'exposure'),
            count(DISTINCT customer_id) FILTER (WHERE kind = 'redemption'),
            count(*) FILTER (WHERE kind = 'redemption')
        FROM {tables["events"]} WHERE kind IN ('exposure', 'redemption') AND campaign_id = ?""",
        campaign_id,
    )[0]
    offers = _rows(
        con,
        f"SELECT count(DISTINCT coupon_id), count(DISTINCT product_id)"
        f" FROM {tables['campaign_products']} WHERE campaign_id = ?",
        campaign_id,
    )[0]
    categories = _rows(
        con,
        f"""WITH valid AS (
            SELECT DISTINCT cp.coupon_id, p.category FROM {tables["campaign_products"]} cp
            JOIN {tables["products"]} p USING (product_id)
            WHERE cp.campaign_id = $1 AND p.category IS NOT NULL
        ) SELECT v.category, count(*) AS redeemed FROM {tables["events"]} e
            JOIN valid v ON v.coupon_id = e.text
        WHERE e.kind = 'redemption' AND e.campaign_id = $1
        GROUP BY v.category ORDER BY redeemed DESC, v.category LIMIT {TOP}""",
        campaign_id,
    )
    received, redeemers, redemptions = touched
    coupons, products = offers
    return CampaignResult(
        campaign_id=campaign_id,
        name=name or campaign_id,
        kind=kind or "",
        start_day=start,
        end_day=end,
        received=received,
        redeemers=redeemers,
        redemptions=redemptions,
        coupons=coupons,
        products=products,
        top_categories=tuple((str(category), int(count)) for category, count in categories),
    )


def _rows(con: duckdb.DuckDBPyConnection, query: str, campaign_id: str) -> list[tuple[Any, ...]]:
    return con.execute(query, [campaign_id]).fetchall()
