"""Needs: what customers search for, tied to the categories that they then buy.

A need is a search text, written in one way; only texts of several customers become needs, so that no one
person's words are told. A category answers a need where it is bought within a week of the search more
often than after other searches.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd

LEAST_CUSTOMERS = 5
DAYS = 7
_MOST, _MOST_OF_EACH, _LEAST_LIFT = 500, 5, 1.5

SPELT = r"trim(regexp_replace(lower({text}), '[\s\p{{P}}]+', ' ', 'g'))"
"""SQL of the one way in which a search text is written."""

_SEARCHES = f"""
    CREATE OR REPLACE TEMP TABLE graph_searches AS
    WITH s AS (SELECT event_id, customer_id, ts, {SPELT.format(text="text")} AS need FROM events
        WHERE kind = 'search' AND text IS NOT NULL AND ts < ?)
    SELECT * FROM s WHERE need <> '' AND need IN (
        SELECT need FROM s GROUP BY need HAVING count(DISTINCT customer_id) >= {LEAST_CUSTOMERS}
        ORDER BY count(DISTINCT customer_id) DESC, need LIMIT {_MOST})"""

_FOLLOWED = f"""
    WITH bought AS (SELECT e.customer_id, e.ts, p.category FROM events e JOIN products p USING (product_id)
            WHERE e.kind = 'purchase' AND p.category IS NOT NULL AND e.ts < ?),
        f AS (SELECT DISTINCT s.event_id, s.customer_id, s.need, b.category FROM graph_searches s
            JOIN bought b ON b.customer_id = s.customer_id AND b.ts >= s.ts
                AND b.ts < s.ts + INTERVAL {DAYS} DAY),
        n AS (SELECT need, count(*) AS searches FROM graph_searches GROUP BY need),
        c AS (SELECT category, count(*) / (SELECT count(*) FROM graph_searches) AS usual FROM f GROUP BY category),
        l AS (SELECT need, category, count(DISTINCT customer_id) AS support, count(*) / any_value(searches) AS share,
                count(*) / any_value(searches) / any_value(usual) AS lift
            FROM f JOIN n USING (need) JOIN c USING (category) GROUP BY need, category)
    SELECT need, category, support, share, lift FROM l
    WHERE support >= {LEAST_CUSTOMERS} AND lift >= {_LEAST_LIFT}
    QUALIFY row_number() OVER (PARTITION BY need ORDER BY lift DESC, support DESC, category) <= {_MOST_OF_EACH}
    ORDER BY need, lift DESC, category"""


def find_needs(
    con: duckdb.DuckDBPyConnection, before: date | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Needs (need, customers) and what answers them (need, category, support: customers, share of the
    searches that it followed, lift over all searches), from what was known before a day."""
    day = before or date(9999, 1, 1)
    con.execute(_SEARCHES, [day])
    needs = con.execute(
        "SELECT need, count(DISTINCT customer_id) AS customers FROM graph_searches GROUP BY need ORDER BY need"
    ).df()
    answers = con.execute(_FOLLOWED, [day]).df() if len(needs) else pd.DataFrame(columns=_ANSWERS)
    con.execute("DROP TABLE graph_searches")
    return needs, answers


_ANSWERS = ["need", "category", "support", "share", "lift"]
