"""SQL of what labels are counted from; held_lines and held_baskets are those of a build (`features.lines`)."""

from __future__ import annotations

import duckdb

from customers.graph.needs import LEAST_CUSTOMERS, SPELT

TOTALS = "SELECT customer_id, spend, baskets, mean_basket FROM customer_summary ORDER BY customer_id"

RATES = """
    WITH b AS (SELECT customer_id, count(*) AS trips, count(*) FILTER (weekday >= 5) AS weekend,
            count(*) FILTER (hour >= 18) AS evening, count(*) FILTER (hour < 11) AS morning
        FROM held_baskets GROUP BY customer_id),
    l AS (SELECT customer_id, count(*) AS lines, count(*) FILTER (discount > 0) AS discounted,
            count(*) FILTER (brand IN (SELECT brand FROM held_own_brands)) AS own
        FROM held_lines GROUP BY customer_id),
    r AS (SELECT customer_id, count(*) AS returned FROM events WHERE kind = 'return' GROUP BY customer_id)
    SELECT customer_id, weekend AS weekend_hits, trips AS weekend_cases, evening AS evening_hits, trips AS evening_cases,
        morning AS morning_hits, trips AS morning_cases, discounted AS bargains_hits, lines AS bargains_cases,
        lines - discounted AS full_price_hits, lines AS full_price_cases, own AS own_brand_hits, lines AS own_brand_cases,
        least(coalesce(returned, 0), lines) AS returns_hits, lines AS returns_cases
    FROM b JOIN l USING (customer_id) LEFT JOIN r USING (customer_id) ORDER BY customer_id"""

# Thirds of the products of a category by price, and by pack size among those of one unit ("16 OZ").
FACETS = """
    WITH sized AS (SELECT product_id, category, brand, price,
            try_cast(regexp_extract(upper(size), '^\\s*([0-9]+[.]?[0-9]*)\\s*([A-Z]+)', 1) AS DOUBLE) AS amount,
            regexp_extract(upper(size), '^\\s*([0-9]+[.]?[0-9]*)\\s*([A-Z]+)', 2) AS unit
        FROM products WHERE category IS NOT NULL AND product_id IN (SELECT product_id FROM held_lines)),
    facets AS (
        SELECT product_id, category, 'brand' AS facet, brand AS value FROM sized WHERE brand IS NOT NULL
        UNION ALL
        SELECT product_id, category, 'price', CASE third WHEN 1 THEN 'low' WHEN 2 THEN 'middle' ELSE 'high' END
        FROM (SELECT *, ntile(3) OVER (PARTITION BY category ORDER BY price, product_id) AS third,
            count(*) OVER (PARTITION BY category) AS n FROM sized WHERE price > 0) WHERE n >= 6
        UNION ALL
        SELECT product_id, category, 'size', CASE third WHEN 1 THEN 'small' WHEN 2 THEN 'middle' ELSE 'large' END
        FROM (SELECT *, ntile(3) OVER (PARTITION BY category, unit ORDER BY amount, product_id) AS third,
            count(*) OVER (PARTITION BY category, unit) AS n, min(amount) OVER w < max(amount) OVER w AS varied
            FROM sized WHERE amount > 0 WINDOW w AS (PARTITION BY category, unit)) WHERE n >= 6 AND varied),
    l AS (SELECT l.customer_id, f.category, f.facet, f.value, count(*) AS n
        FROM held_lines l JOIN facets f USING (product_id) GROUP BY ALL),
    c AS (SELECT category, facet, value, sum(n) / sum(sum(n)) OVER (PARTITION BY category, facet) AS share
        FROM l GROUP BY category, facet, value),
    o AS (SELECT customer_id, category, facet, sum(n) AS n FROM l GROUP BY ALL),
    e AS (SELECT customer_id, facet, value, sum(n * share) AS expected FROM o JOIN c USING (category, facet) GROUP BY ALL),
    s AS (SELECT customer_id, facet, value, sum(n) AS seen FROM l GROUP BY ALL)
    SELECT customer_id, facet, value, seen::DOUBLE AS seen, expected::DOUBLE AS expected,
        coalesce(name_en, value) AS name_en, coalesce(name_zh, name_en, value) AS name_zh
    FROM s JOIN e USING (customer_id, facet, value)
    LEFT JOIN names ON kind = 'brand' AND facet = 'brand' AND key = value
    WHERE value <> 'middle' ORDER BY customer_id, facet, value"""

INTERESTS = """
    WITH c AS (SELECT category, sum(baskets) / (SELECT sum(baskets) FROM customer_categories) AS usual
        FROM customer_categories GROUP BY category)
    SELECT customer_id, category AS key, baskets::DOUBLE AS seen,
        (usual * sum(baskets) OVER (PARTITION BY customer_id))::DOUBLE AS expected,
        coalesce(name_en, category) AS name_en, coalesce(name_zh, name_en, category) AS name_zh
    FROM customer_categories JOIN c USING (category) LEFT JOIN names ON kind = 'category' AND key = category"""

# What was made up for a shop that has no searches or reviews of its own (`customers.simulate.fill`) says so.
_MADE = "bool_or(event_id LIKE 'simulated:%')"
_SAID_EN, _SAID_ZH = (
    "CASE WHEN made THEN ' (simulated)' ELSE '' END",
    "CASE WHEN made THEN '（模拟）' ELSE '' END",
)

# A text that few customers wrote is no label: it could tell who they are.
SEARCHED = f"""
    WITH s AS (SELECT customer_id, {SPELT.format(text="text")} AS need, count(*) AS n, {_MADE} AS made FROM events
            WHERE kind = 'search' AND text IS NOT NULL GROUP BY 1, 2),
        common AS (SELECT need FROM s WHERE need <> '' GROUP BY need HAVING count(*) >= {LEAST_CUSTOMERS})
    SELECT customer_id, 'need:' || need AS key, need || {_SAID_EN} AS name_en, need || {_SAID_ZH} AS name_zh,
        n AS value, 1.0 AS confidence
    FROM s JOIN common USING (need) JOIN customer_summary USING (customer_id) WHERE n >= 2
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY n DESC, need) <= 3"""

# Four stars and more speak for it, two and fewer against; the confidence is that of the rule of
# succession, (those that agree + 1) / (all + 2).
OPINIONS = f"""
    WITH r AS (SELECT e.customer_id, p.category, avg(e.rating) AS value, count(*) AS n, {_MADE} AS made,
            count(*) FILTER (e.rating >= 4) AS good, count(*) FILTER (e.rating <= 2) AS bad
        FROM events e JOIN products p USING (product_id) JOIN customer_summary s USING (customer_id)
        WHERE e.kind = 'review' AND e.rating IS NOT NULL AND p.category IS NOT NULL GROUP BY ALL)
    SELECT customer_id, CASE WHEN value >= 4 THEN 'likes:' ELSE 'dislikes:' END || category AS key,
        CASE WHEN value >= 4 THEN 'Likes ' ELSE 'Dislikes ' END || coalesce(name_en, category) || {_SAID_EN}
            AS name_en,
        CASE WHEN value >= 4 THEN '喜欢' ELSE '不喜欢' END || coalesce(name_zh, name_en, category) || {_SAID_ZH} AS name_zh,
        value, (CASE WHEN value >= 4 THEN good ELSE bad END + 1) / (n + 2) AS confidence
    FROM r LEFT JOIN names ON kind = 'category' AND key = category WHERE value >= 4 OR value <= 2
    QUALIFY row_number() OVER (PARTITION BY customer_id, value >= 4 ORDER BY n DESC, category) <= 3"""


def has_column(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    """Whether the database has the column."""
    rows = con.execute(
        "SELECT 1 FROM information_schema.columns WHERE table_name = ? AND column_name = ?", [table, column]
    ).fetchall()
    return bool(rows)
