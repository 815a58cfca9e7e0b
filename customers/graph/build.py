"""The graph's two tables, nodes and edges, made from a version's tables and written into it as Parquet.

    graph/nodes.parquet   node ("kind:key"), kind, key, name_en, name_zh, customers, baskets, adoption
    graph/edges.parquet   source, target, relation, support, share, lift

`adoption` of a category: of the customers who had not bought it 90 days before the last day, the share that
has since. Edges by relation, with what `support` counts and `share` is of:

    together    category -> category, product -> product   baskets with both; of baskets with the source
    buyers      category -> category                       customers of both; of customers of the source
    after       category -> category                       next trips; see `counting.after`
    leads       category -> category                       customers of both; a weight, see `counting.leads`
    segment     segment -> category                        customers; the category's share of the segment's spend
    need        need -> category                           customers; of searches, see `needs`
    belongs     product -> category, category -> department
    brand       product -> brand
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false, reportReturnType=false
# (pandas types what an index gives as any of several things, which hides the methods of a Series.)

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from customers.graph import counting
from customers.graph.needs import find_needs
from customers.graph.trips import Trips, read_trips

FOLDER = "graph"
PRODUCTS = 2_000
MOST_LINKS, MOST_PRODUCT_LINKS = 30, 5
ADOPTED_DAYS = 90
_SEGMENT_LIFT = 1.2

NODES = ["node", "kind", "key", "name_en", "name_zh", "customers", "baskets", "adoption"]
EDGES = ["source", "target", "relation", "support", "share", "lift"]


def write_graph(con: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Write the graph of a version that is being built; its segments must be there."""
    nodes, edges = tables(con)
    (out / FOLDER).mkdir(exist_ok=True)
    nodes.to_parquet(out / FOLDER / "nodes.parquet", index=False)
    edges.to_parquet(out / FOLDER / "edges.parquet", index=False)


def tables(con: duckdb.DuckDBPyConnection, before: date | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges from what was known before a day (None: everything). With a day there are no
    segments: those of a version know everything."""
    trips = read_trips(con, before)
    products = read_trips(con, before, "product", PRODUCTS)
    needs, answers = find_needs(con, before)
    least = int(np.clip(trips.count // 2_000, 5, 20))
    edges = [
        _edges(
            getattr(counting, relation)(trips).strongest(MOST_LINKS, least),
            trips.things,
            "category",
            relation,
        )
        for relation in ("together", "buyers", "after")
    ]
    edges.append(_edges(counting.leads(trips), trips.things, "category", "leads"))
    links = counting.together(products).strongest(MOST_PRODUCT_LINKS, least)
    edges.append(_edges(links, products.things, "product", "together"))
    if len(answers):
        edges.append(_related(answers, "need", "need", "category", "category", "need"))
    if before is None:
        edges.append(_segment_edges(con))
    edges += _catalogue_edges(con, products.things)
    nodes = pd.concat(
        [
            _shop_node(trips),
            _things("category", trips, adoption(trips)),
            _things("product", products),
            _plain("need", needs["need"], needs["customers"]),
        ]
    )
    found = pd.concat(edges, ignore_index=True)[EDGES]
    return _with_ends(con, nodes, found), found


def adoption(trips: Trips) -> np.ndarray:
    """Of the customers who had not bought a category 90 days before the last day, the share that has since."""
    since = trips.day.max(initial=0) - ADOPTED_DAYS
    shape = (len(trips.customers), len(trips.things))
    before = np.zeros(shape, bool)
    early = trips.day <= since
    before[trips.customer[early], trips.thing[early]] = True
    without = shape[0] - before.sum(axis=0)
    began = np.asarray(trips.ever.sum(axis=0)).ravel() - before.sum(axis=0)
    return began / np.maximum(without, 1)


def _edges(links: counting.Links, keys: list[str], kind: str, relation: str) -> pd.DataFrame:
    named = np.array([f"{kind}:{key}" for key in keys], dtype=object)
    columns = {"source": named[links.first], "target": named[links.second], "relation": relation}
    return pd.DataFrame(columns | {"support": links.support, "share": links.share, "lift": links.lift})


def _related(
    rows: pd.DataFrame, source: str, source_kind: str, target: str, target_kind: str, relation: str
) -> pd.DataFrame:
    """Edges from two columns of keys, with support, share and lift where the rows have them."""
    made = pd.DataFrame(
        {
            "source": source_kind + ":" + rows[source].astype(str),
            "target": target_kind + ":" + rows[target].astype(str),
            "relation": relation,
        }
    )
    for name, empty in (("support", 0), ("share", 1.0), ("lift", 1.0)):
        made[name] = rows.get(name, empty)
    return made


def _segment_edges(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """What a segment spends more on than everybody; of at least 0.2 % of all spend, and a tenth of the
    segment buys it (as `profiles.segments` describes them)."""
    rows = con.execute(
        """WITH c AS (SELECT segment_id, category, count(*) AS support, sum(spend) AS spend
                FROM customer_categories JOIN customer_segments USING (customer_id) GROUP BY ALL),
            s AS (SELECT segment_id, category, support, spend / nullif(sum(spend) OVER (PARTITION BY segment_id), 0) AS share
                FROM c)
        SELECT segment_id, category, support, s.share, s.share / t.share AS lift
        FROM s JOIN category_totals t USING (category)
        JOIN (SELECT segment_id, count(*) AS size FROM customer_segments GROUP BY ALL) z USING (segment_id)
        WHERE t.share >= 0.002 AND support >= 0.1 * size AND s.share / t.share >= ?
        ORDER BY segment_id, lift DESC, category""",
        [_SEGMENT_LIFT],
    ).df()
    return _related(rows, "segment_id", "segment", "category", "category", "segment")


def _catalogue_edges(con: duckdb.DuckDBPyConnection, products: list[str]) -> list[pd.DataFrame]:
    con.register("graph_products", pd.DataFrame({"product_id": pd.Series(products, dtype=object)}))
    kept = con.execute(
        "SELECT product_id, category, brand FROM products JOIN graph_products USING (product_id) ORDER BY 1"
    ).df()
    con.unregister("graph_products")
    # A category that two departments share belongs to the one with most of its products.
    homes = con.execute(
        "SELECT category, department FROM products WHERE category IS NOT NULL AND department IS NOT NULL"
        " GROUP BY category, department QUALIFY row_number() OVER (PARTITION BY category ORDER BY count(*) DESC, department) = 1"
        " ORDER BY category"
    ).df()
    return [
        _related(kept.dropna(subset="category"), "product_id", "product", "category", "category", "belongs"),
        _related(kept.dropna(subset="brand"), "product_id", "product", "brand", "brand", "brand"),
        _related(homes, "category", "category", "department", "department", "belongs"),
    ]


def _shop_node(trips: Trips) -> pd.DataFrame:
    """What all counts are of."""
    columns = {"kind": "shop", "key": "", "customers": [len(trips.customers)], "baskets": [trips.count]}
    return pd.DataFrame(columns | {"adoption": 0.0})


def _things(kind: str, trips: Trips, adopted: np.ndarray | None = None) -> pd.DataFrame:
    columns = {
        "kind": kind,
        "key": pd.Series(trips.things, dtype=object),
        "customers": np.asarray(trips.ever.sum(axis=0)).ravel(),
        "baskets": np.asarray(trips.held.sum(axis=0)).ravel(),
        "adoption": np.zeros(len(trips.things)) if adopted is None else adopted,
    }
    return pd.DataFrame(columns)


def _plain(kind: str, keys: pd.Series, customers: pd.Series | int = 0) -> pd.DataFrame:
    return pd.DataFrame({"kind": kind, "key": keys, "customers": customers, "baskets": 0, "adoption": 0.0})


def _with_ends(con: duckdb.DuckDBPyConnection, nodes: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """The nodes, those that only edges speak of as well, each with its names."""
    ends = pd.Series(pd.unique(pd.concat([edges["source"], edges["target"]])), dtype=object)
    nodes = nodes.assign(node=nodes["kind"] + ":" + nodes["key"])
    rest = ends[~ends.isin(nodes["node"])].sort_values()
    if len(rest):
        split = rest.str.partition(":")
        nodes = pd.concat([nodes, _plain("", split[2]).assign(kind=split[0], node=rest)], ignore_index=True)
    con.register("graph_nodes", nodes)
    named = con.execute(
        """SELECT node, g.kind, g.key, coalesce(n.name_en, s.name_en, p.name, g.key) AS name_en,
            coalesce(n.name_zh, n.name_en, s.name_zh, p.name, g.key) AS name_zh,
            g.customers::BIGINT AS customers, g.baskets::BIGINT AS baskets, g.adoption
        FROM graph_nodes g LEFT JOIN names n ON n.kind = g.kind AND n.key = g.key
        LEFT JOIN {segments} s ON g.kind = 'segment' AND s.segment_id = g.key
        LEFT JOIN products p ON g.kind = 'product' AND p.product_id = g.key ORDER BY node""".format(
            segments="segments"
            if _has_segments(edges)
            else "(SELECT '' AS segment_id, '' AS name_en, '' AS name_zh)"
        )
    ).df()
    con.unregister("graph_nodes")
    return named[NODES]


def _has_segments(edges: pd.DataFrame) -> bool:
    return bool((edges["relation"] == "segment").any())
