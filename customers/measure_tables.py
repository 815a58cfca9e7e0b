"""The compact tables that `measure` reads, made once a build from the events.

What customers did beside buying (searches, views, reviews ...) becomes a narrow table of its own.
Purchase lines become one narrow table of small integers (a dictionary table gives the keys back),
each line marked where it is the first of its basket, customer or shop with the same department,
category, type, brand or product. Counting distinct baskets or customers is then a sum of marks,
5 to 15 times faster than COUNT(DISTINCT), wherever the marks are exact (see `customers.measure`).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from customers.errors import NotBuilt
from customers.graph.needs import SPELT

LEVELS = ("department", "category", "type", "brand", "product")
OURS = ("measure_lines", "measure_keys", "measure_touches", "measure_meta", "measure_events")
_WANTED = (*OURS, "events", "products", "attributes", "campaigns", "campaign_products",
    "customer_segments", "preferences", "names",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tables:
    """Where each table lives, by its bare name, as a quoted SQL name (catalogue.schema.table)."""

    where: dict[str, str]

    def __getitem__(self, name: str) -> str:
        try:
            return self.where[name]
        except KeyError:
            raise NotBuilt(f"The shop has no table '{name}'; run `shopkeeper build` again.") from None

    def __contains__(self, name: str) -> bool:
        return name in self.where


def locate(con: duckdb.DuckDBPyConnection) -> Tables:
    """Find the shop's tables in every attached database; the connection's own come first."""
    marks = ", ".join("?" for _ in _WANTED)
    rows = con.execute(
        "SELECT database_name, schema_name, table_name FROM duckdb_tables()"
        f" WHERE table_name IN ({marks}) UNION ALL SELECT database_name, schema_name, view_name"
        f" FROM duckdb_views() WHERE NOT internal AND view_name IN ({marks})"
        " ORDER BY database_name = current_database(), database_name = 'temp'",
        [*_WANTED, *_WANTED],
    ).fetchall()
    return Tables({name: ".".join(_quoted(p) for p in (base, schema, name)) for base, schema, name in rows})


def prepare(con: duckdb.DuckDBPyConnection, temporary: bool = False) -> None:
    """Make the tables in the connection's current database, from `events` and `products`.

    Takes about 3 s for 1.4 million lines on two cores. `temporary` makes them for this connection
    only, for shops that were opened without a build.
    """
    tables = locate(con)
    for name, query in _queries(tables["events"], tables["products"]).items():
        con.execute(f"{_make(temporary)} {name} AS {query}")
    if not temporary:
        prepare_events(con)


def prepare_events(con: duckdb.DuckDBPyConnection, temporary: bool = False) -> None:
    """Make the table of what customers did beside buying; `temporary`: for this connection only, where the build is
    older than that table."""
    tables = locate(con)
    query = _beside_buying(tables["events"], tables["products"], tables["measure_keys"])
    con.execute(f"{_make(temporary)} measure_events AS {query}")


def _make(temporary: bool) -> str:
    return "CREATE OR REPLACE TEMP TABLE" if temporary else "CREATE OR REPLACE TABLE"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _queries(events: str, products: str) -> dict[str, str]:
    """Table -> the query that makes it; later ones read the earlier ones."""
    keys = " UNION ALL ".join(
        f"SELECT '{level}' AS level, (row_number() OVER (ORDER BY key))::INTEGER AS id, key FROM ({source})"
        for level, source in _key_sources(events, products).items()
    )
    return {
        "measure_keys": keys,
        "measure_lines": _lines(events, products),
        "measure_touches": f"""
            SELECT e.kind, c.id AS customer, e.campaign_id, e.text AS coupon_id, e.ts::DATE AS day
            FROM {events} e JOIN measure_keys c ON c.level = 'customer' AND c.key = e.customer_id
            WHERE e.kind IN ('exposure', 'redemption')""",
        "measure_meta": """
            SELECT coalesce(bool_and(days = 1), true) AS trips_within_a_day
            FROM (SELECT count(DISTINCT day) AS days FROM measure_lines GROUP BY basket)""",
    }


def _key_sources(events: str, products: str) -> dict[str, str]:
    """Level -> the query of its keys: every product and every customer of any event."""
    sold = f"SELECT DISTINCT product_id FROM {events} WHERE product_id IS NOT NULL"
    sources = {
        level: f'SELECT DISTINCT "{level}" AS key FROM {products} WHERE "{level}" IS NOT NULL'
        for level in LEVELS[:-1]
    }
    sources["product"] = f"SELECT product_id AS key FROM {products} UNION {sold}"
    sources["customer"] = f"SELECT DISTINCT customer_id AS key FROM {events} WHERE customer_id IS NOT NULL"
    return sources


def _joins(keys: str) -> str:
    return " ".join(
        f"LEFT JOIN {keys} k_{level} ON k_{level}.level = '{level}' AND k_{level}.key = p.\"{level}\""
        for level in LEVELS[:-1]
    )


_IDS = ", ".join(f"k_{level}.id AS {level}" for level in LEVELS[:-1])


def _beside_buying(events: str, products: str, keys: str) -> str:
    """One row an event: whose, of which product, when, the rating, the search text, and whether it was made up for a
    shop that has none of its kind (`customers.simulate.fill`)."""
    return f"""
        SELECT e.kind, k_customer.id AS customer, {_IDS}, k_product.id AS product, e.ts::DATE AS day,
            (year(e.ts) * 12 + month(e.ts) - 1)::SMALLINT AS month, isodow(e.ts)::TINYINT AS weekday, e.rating,
            CASE WHEN e.kind = 'search' THEN nullif({SPELT.format(text="e.text")}, '') END AS query,
            e.event_id LIKE 'simulated:%' AS made
        FROM {events} e JOIN {keys} k_customer ON k_customer.level = 'customer' AND k_customer.key = e.customer_id
        LEFT JOIN {products} p ON p.product_id = e.product_id
        LEFT JOIN {keys} k_product ON k_product.level = 'product' AND k_product.key = e.product_id
        {_joins(keys)}
        WHERE e.kind IN ('search', 'browse', 'click', 'cart', 'review', 'inquiry', 'return')"""


def _lines(events: str, products: str) -> str:
    """One row a purchase line. A trip without a basket id is a customer's shopping day."""
    firsts = ", ".join(
        f"row_number() OVER (PARTITION BY {owner}, {level} ORDER BY line) = 1 AS {owner}_{level}"
        for owner in ("basket", "customer")
        for level in LEVELS
    )
    marks = (("basket", "basket_all"), ("customer", "customer_all"), ("product", "shop_product"))
    alone = ", ".join(
        f"row_number() OVER (PARTITION BY {owner} ORDER BY line) = 1 AS {mark}" for owner, mark in marks
    )
    return f"""
        WITH bought AS (
            SELECT customer_id, product_id, ts::DATE AS day, coalesce(quantity, 1)::DOUBLE AS units,
                coalesce(amount, 0)::DOUBLE AS amount,
                coalesce('b' || basket_id, 'd' || customer_id || ' ' || ts::DATE) AS trip
            FROM {events} WHERE kind = 'purchase'
        ), numbered AS (
            SELECT dense_rank() OVER (ORDER BY trip)::INTEGER AS basket, k_customer.id AS customer,
                {_IDS}, k_product.id AS product, day,
                (year(day) * 12 + month(day) - 1)::SMALLINT AS month, isodow(day)::TINYINT AS weekday,
                units, amount, row_number() OVER (ORDER BY trip) AS line
            FROM bought b JOIN measure_keys k_customer
                ON k_customer.level = 'customer' AND k_customer.key = b.customer_id
            LEFT JOIN {products} p ON p.product_id = b.product_id
            LEFT JOIN measure_keys k_product ON k_product.level = 'product' AND k_product.key = b.product_id
            {_joins("measure_keys")}
        )
        SELECT * EXCLUDE (line), {alone}, {firsts} FROM numbered ORDER BY line"""
