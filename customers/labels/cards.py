"""A customer in a few lines, for who labels customers: what they buy, look for and say. Both languages at once."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

_TOP = 8
_LATEST = 5
_BOUGHT = """
SELECT customer_id, coalesce(min(n.name_en), p.category) AS en, coalesce(min(n.name_zh), p.category) AS zh,
       count(DISTINCT coalesce(e.basket_id, CAST(CAST(e.ts AS DATE) AS VARCHAR))) AS trips
FROM events e JOIN asked USING (customer_id) JOIN products p USING (product_id)
     LEFT JOIN names n ON n.kind = 'category' AND n.key = p.category
WHERE e.kind = 'purchase' AND p.category IS NOT NULL
GROUP BY customer_id, p.category ORDER BY customer_id, trips DESC, p.category
"""
_WORDS = """
SELECT customer_id, kind, text FROM events JOIN asked USING (customer_id)
WHERE kind IN ('search', 'review') AND trim(coalesce(text, '')) <> ''
ORDER BY customer_id, ts DESC, text
"""


def customer_cards(con: duckdb.DuckDBPyConnection, customer_ids: Sequence[str]) -> dict[str, str]:
    """Return the card of each customer. con: a connection on a shop's data, writable for temporary tables."""
    con.execute("CREATE OR REPLACE TEMP TABLE asked (customer_id VARCHAR)")
    if customer_ids:
        con.executemany("INSERT INTO asked VALUES (?)", [[c] for c in customer_ids])
    bought: dict[str, list[str]] = {c: [] for c in customer_ids}
    for customer, en, zh, trips in con.execute(_BOUGHT).fetchall():
        bought[customer].append(f"{en if en == zh else f'{en} {zh}'} ×{trips}")
    said: dict[str, dict[str, list[str]]] = {c: {"search": [], "review": []} for c in customer_ids}
    for customer, kind, text in con.execute(_WORDS).fetchall():
        said[customer][kind].append(" ".join(text.split())[:120])
    return {c: _card(bought[c], said[c]["search"], said[c]["review"]) for c in customer_ids}


def _card(bought: Sequence[str], searched: Sequence[str], reviewed: Sequence[str]) -> str:
    lines = [f"Bought (trips) 购买（次数）: {', '.join(bought[:_TOP]) or '–'}"]
    for words, texts in (("Searched 搜索", searched), ("Wrote 评价", reviewed)):
        if texts:
            lines.append(f"{words}: {' | '.join(texts[:_LATEST])}")
    return "\n".join(lines)
