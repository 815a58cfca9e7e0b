"""Why two things (categories or products) go together: every kind of evidence between them, with figures.

Shared baskets and buyers are counted in the version's own events, exactly, whether or not the graph kept
an edge for them; the rest is read off the graph. By kind, with the figures:

    baskets     both, first, second: baskets; share: of the first's with the second; lift
    buyers      both, first, second: customers; share; lift
    next        of the first's next trips: support, share, lift (`counting.after`); `key` is the thing before
    segment     lift_first, lift_second: the segment's share of spend on each, over everybody's
    need        support: customers that search for it and buy the first; lift_first, lift_second
    category    both products belong to it;  department: both categories do;  brand: both products are of it
    through     lift_first, lift_second: a category that shares baskets with both, where they seldom do so
                themselves: the shortest path, an edge being as long as 1 / ln(lift)
"""

from __future__ import annotations

import math

import duckdb
import networkx as nx

from customers import values as v
from customers.errors import BadInput
from customers.graph.graph import KnowledgeGraph

_SAME_LIFT = 1.2
_SHOWN = 2

_THING = {"category": "p.category", "product": "e.product_id"}
_COUNT = """
    WITH l AS (SELECT customer_id, coalesce(basket_id, ts::DATE::VARCHAR) AS basket,
            bool_or({one} = $one) AS a, bool_or({other} = $other) AS b
        FROM events e JOIN products p USING (product_id)
        WHERE kind = 'purchase' AND ({one} = $one OR {other} = $other) GROUP BY ALL),
    c AS (SELECT customer_id, bool_or(a) AS a, bool_or(b) AS b FROM l GROUP BY ALL)
    SELECT (SELECT (count(*) FILTER (a AND b), count(*) FILTER (a), count(*) FILTER (b)) FROM l),
        (SELECT (count(*) FILTER (a AND b), count(*) FILTER (a), count(*) FILTER (b)) FROM c)"""


def why_together(
    graph: KnowledgeGraph, con: duckdb.DuckDBPyConnection, one: tuple[str, str], other: tuple[str, str]
) -> v.Why:
    """`one` and `other` are (kind, key), kinds "category" and "product". Raises Unknown for what the graph
    lacks, BadInput for one thing given twice."""
    if one == other:
        raise BadInput("name two different things to learn why they go together")
    names = [_name(graph, con, *thing) for thing in (one, other)]
    counted = con.execute(
        _COUNT.format(one=_THING[one[0]], other=_THING[other[0]]), {"one": one[1], "other": other[1]}
    ).fetchall()[0]
    customers, baskets = graph.totals
    shared = _shared("baskets", tuple(counted[0]), baskets)
    ends = [f"{kind}:{key}" for kind, key in (one, other)]
    evidence = [shared, _shared("buyers", tuple(counted[1]), customers), *_belonging(con, one, other)]
    if all(graph.has(end) for end in ends):
        evidence[2:2] = [
            *_next(graph, *ends),
            *_common(graph, "segment", *ends),
            *_common(graph, "need", *ends),
        ]
        if shared.figures["lift"] < _SAME_LIFT:
            evidence += _through(graph, *ends)
    found = tuple(e for e in evidence if e.kind not in ("baskets", "buyers") or e.figures["both"])
    return v.Why(names[0], names[1], shared.figures["lift"], found)


def _name(graph: KnowledgeGraph, con: duckdb.DuckDBPyConnection, kind: str, key: str) -> v.Name:
    if kind == "product" and not graph.has(f"product:{key}"):
        rows = con.execute(
            "SELECT coalesce(name, product_id) FROM products WHERE product_id = ?", [key]
        ).fetchall()
        if rows:
            return v.Name(rows[0][0], rows[0][0])
    return graph.name(f"{kind}:{key}")


def _shared(kind: str, counts: tuple[int, ...], cases: int) -> v.Evidence:
    both, first, second = counts
    share = both / max(first, 1)
    lift = share * cases / max(second, 1)
    figures = {"both": both, "first": first, "second": second, "share": share, "lift": lift}
    return v.Evidence(kind, {name: float(figure) for name, figure in figures.items()})


def _next(graph: KnowledgeGraph, one: str, other: str) -> list[v.Evidence]:
    """The stronger of the two directions."""
    ways = [(graph.edge(a, b, "after"), a) for a, b in ((one, other), (other, one))]
    kept = sorted(((e, a) for e, a in ways if e and e["lift"] >= _SAME_LIFT), key=lambda way: -way[0]["lift"])
    return [v.Evidence("next", dict(e), a.partition(":")[2], graph.name(a)) for e, a in kept[:1]]


def _common(graph: KnowledgeGraph, kind: str, one: str, other: str) -> list[v.Evidence]:
    """Segments or needs that lead to both, those first whose weaker lift is the highest."""
    first, second = graph.into(one, kind), graph.into(other, kind)

    def least(node: str) -> float:
        return min(first[node]["lift"], second[node]["lift"])

    found = []
    for node in sorted(first.keys() & second.keys(), key=lambda node: (-least(node), node))[:_SHOWN]:
        figures = {"lift_first": first[node]["lift"], "lift_second": second[node]["lift"]}
        figures["support"] = float(min(first[node]["support"], second[node]["support"]))
        found.append(v.Evidence(kind, figures, node.partition(":")[2], graph.name(node)))
    return found


def _belonging(
    con: duckdb.DuckDBPyConnection, one: tuple[str, str], other: tuple[str, str]
) -> list[v.Evidence]:
    """What both are of: products a category and a brand, categories a department."""
    if one[0] != other[0]:
        return []
    kinds = ("category", "brand") if one[0] == "product" else ("department",)
    own = "product_id" if one[0] == "product" else "category"
    found = []
    for kind in kinds:
        rows = con.execute(
            f"SELECT a.{kind}, any_value(coalesce(n.name_en, a.{kind})), any_value(coalesce(n.name_zh, n.name_en, a.{kind}))"
            f" FROM (SELECT DISTINCT {kind} FROM products WHERE {own} = ?) a"
            f" JOIN (SELECT DISTINCT {kind} FROM products WHERE {own} = ?) b ON a.{kind} = b.{kind}"
            f" LEFT JOIN names n ON n.kind = ? AND n.key = a.{kind} GROUP BY 1 ORDER BY 1 LIMIT 1",
            [one[1], other[1], kind],
        ).fetchall()
        found += [v.Evidence(kind, {}, key, v.Name(en, zh)) for key, en, zh in rows]
    return found


def _through(graph: KnowledgeGraph, one: str, other: str) -> list[v.Evidence]:
    """The category on the shortest path of shared baskets between two that seldom share one."""
    near = nx.Graph()
    for a, b, kind, told in graph.graph.edges(keys=True, data=True):
        if kind == "together" and told["lift"] >= _SAME_LIFT and {a, b} != {one, other}:
            near.add_edge(a, b, length=1 / math.log(told["lift"]), lift=told["lift"])
    if one not in near or other not in near:
        return []
    try:
        path = nx.shortest_path(near, one, other, weight="length")
    except nx.NetworkXNoPath:
        return []
    if len(path) != 3:
        return []
    lifts = {"lift_first": near[one][path[1]]["lift"], "lift_second": near[path[1]][other]["lift"]}
    return [v.Evidence("through", lifts, path[1].partition(":")[2], graph.name(path[1]))]
