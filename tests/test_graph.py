"""The knowledge graph: counts by hand, PageRank against NetworkX, evidence against plain SQL."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from customers.errors import BadInput, NotBuilt, Unknown
from customers.graph import counting
from customers.graph.build import adoption
from customers.graph.graph import KnowledgeGraph
from customers.graph.needs import find_needs
from customers.graph.reach import Reach, personalised_pagerank
from customers.graph.trips import Trips
from customers.shop import Shop
from eval.profiles.graph import ranking, run
from tests import shops


@cache
def planted() -> Shop:
    return Shop.open(shops.built())


def trips(*baskets: tuple[int, int, str]) -> Trips:
    """Trips from (customer, day, categories as letters), in order of customer and day."""
    rows = [(n, c, ord(x) - 97, day) for n, (c, day, letters) in enumerate(baskets) for x in letters]
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    customers = max(c for c, *_ in baskets) + 1
    return Trips([str(c) for c in range(customers)], list("abc"), *columns)


def link(links: counting.Links, first: str, second: str) -> tuple[int, float, float]:
    at = np.flatnonzero((links.first == ord(first) - 97) & (links.second == ord(second) - 97))
    assert len(at) == 1
    return int(links.support[at[0]]), float(links.share[at[0]]), float(links.lift[at[0]])


TOY = ((0, 1, "ab"), (0, 2, "a"), (0, 3, "c"), (1, 1, "ab"), (1, 2, "c"), (2, 1, "b"))


def test_together_by_hand():
    assert link(counting.together(trips(*TOY)), "a", "b") == (
        2,
        pytest.approx(2 / 3),
        pytest.approx((2 / 3) / (3 / 6)),
    )


def test_buyers_by_hand():
    assert link(counting.buyers(trips(*TOY)), "b", "c") == (2, pytest.approx(2 / 3), pytest.approx(1.0))


def test_after_by_hand():
    """Trips with a next one: ab, a, ab. Next: a, c, c. With b and without c: twice, once c follows;
    without c at all: three times, twice c follows."""
    assert link(counting.after(trips(*TOY)), "b", "c") == (
        1,
        pytest.approx(0.5),
        pytest.approx(0.5 / (2 / 3)),
    )
    first, second = counting.after(trips(*TOY)).first, counting.after(trips(*TOY)).second
    assert (0, 0) not in set(zip(first.tolist(), second.tolist(), strict=True))


def test_leads_are_the_weights_of_ease_by_hand():
    """X'X + ridge is [[2, 1], [1, 2]] + 1: its inverse is [[3, -1], [-1, 3]] / 8, so the weight is 1/3."""
    toy = replace(trips((0, 1, "ab"), (1, 1, "a"), (2, 1, "b")), things=["a", "b"])
    links = counting.leads(toy, ridge=1.0)
    assert link(links, "a", "b")[:2] == (1, pytest.approx(1 / 3))


def test_the_strongest_are_the_highest_lifts_with_enough_support():
    links = counting.Links(
        np.array([0, 0, 0, 1]),
        np.array([1, 2, 3, 0]),
        np.array([9, 5, 2, 9]),
        np.ones(4),
        np.array([2.0, 3, 9, 0.5]),
    )
    kept = links.strongest(2, 5)
    assert list(zip(kept.first, kept.second, strict=True)) == [(0, 2), (0, 1)]
    assert kept.where(np.array([], int)).strongest(1, 1).first.size == 0


def test_adoption_is_the_share_of_those_without_it_that_took_it_up():
    late = trips((0, 0, "a"), (0, 200, "ab"), (1, 0, "b"), (1, 210, "a"), (2, 0, "a"))
    assert adoption(late).tolist() == [1.0, 0.5, 0.0]


def test_personalised_pagerank_equals_networkx():
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((12, 12)) < 0.3, rng.random((12, 12)), 0.0)
    weights[4] = 0  # a node without a way out
    matrix = sparse.csr_matrix(weights / np.maximum(weights.sum(1, keepdims=True), 1e-12))
    restart = np.zeros((2, 12))
    restart[0, [1, 5]], restart[1, 7] = 0.5, 1.0
    ours = personalised_pagerank(matrix, restart, 0.6)
    graph = nx.from_numpy_array(weights, create_using=nx.DiGraph)
    for row in range(2):
        start = dict(enumerate(restart[row]))
        theirs = nx.pagerank(graph, 0.6, personalization=start, dangling=start, tol=1e-12)
        assert ours[row] == pytest.approx([theirs[i] for i in range(12)], abs=1e-8)


# the planted shop -----------------------------------------------------------------------------
def test_edges_of_categories_are_the_rules_of_bought_with():
    told = {t.key: t for t in planted().bought_with(category="WINE", n=20)}
    edges = {node.partition(":")[2]: edge for node, edge in planted()._graph.out("category:WINE", "together")}
    assert set(told) <= set(edges)
    for key, rule in told.items():
        assert edges[key]["support"] == rule.baskets
        assert (edges[key]["share"], edges[key]["lift"]) == pytest.approx((rule.confidence, rule.lift))


def test_why_is_told_with_the_figures_of_plain_sql():
    why = planted().why_together(("category", "WINE"), ("category", "CHEESE"))
    found = {e.kind: e for e in why.evidence}
    rows = planted().query(
        "SELECT count(*) FILTER (w AND c), count(*) FILTER (w), count(*) FILTER (c) FROM ("
        "SELECT basket_id, bool_or(category = 'WINE') w, bool_or(category = 'CHEESE') c FROM events"
        " JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY 1)"
    )
    assert tuple(found["baskets"].figures[k] for k in ("both", "first", "second")) == rows[0]
    assert why.lift > 1.5
    assert found["department"].key == "SHOP"
    segments = {s.segment_id for s in planted().segments() if "WINE" in {t.category for t in s.top}}
    assert found["segment"].key in segments


def test_what_seldom_shares_a_basket_is_said_to():
    why = planted().why_together(("category", "DIAPERS"), ("category", "CAT FOOD"))
    assert why.lift < 1
    assert "segment" not in {e.kind for e in why.evidence}


def test_products_share_a_category_and_a_brand():
    why = planted().why_together(("product", "p1"), ("product", "p2"))
    found = {e.kind: e.key for e in why.evidence}
    assert (found["category"], found["brand"]) == ("DIAPERS", "National")


def test_two_things_are_needed_and_both_must_exist():
    with pytest.raises(BadInput, match="two different things"):
        planted().why_together(("category", "WINE"), ("category", "WINE"))
    with pytest.raises(Unknown):
        planted().why_together(("category", "WINE"), ("category", "NOTHING"))


def test_new_categories_were_never_bought_and_have_a_bought_reason():
    for customer in ("0", "100", "170", "190"):
        own = {
            k
            for (k,) in planted().query(
                "SELECT category FROM customer_categories WHERE customer_id = ?", [customer]
            )
        }
        found = planted().cross_category(customer, 20)
        assert not own & {new.category for new in found}
        assert all(new.because in own for new in found if new.because)
        assert {new.category for new in found} <= set(shops.CATEGORIES)


def test_what_is_for_adults_only_is_not_proposed():
    for customer in range(0, 140, 7):
        assert "WINE" not in {new.category for new in planted().cross_category(str(customer), 20)}


def graph_of(edges: list[tuple[str, str, str, float]]) -> KnowledgeGraph:
    nodes = ["shop:", *sorted({node for a, b, *_ in edges for node in (a, b)})]
    table = pd.DataFrame({"node": nodes, "customers": 10, "baskets": 10, "adoption": 0.1})
    table[["kind", "key"]] = [node.split(":") for node in nodes]
    table = table.assign(name_en=table["key"], name_zh=table["key"])
    rows = [(a, b, relation, 10, share, 2.0) for a, b, relation, share in edges]
    columns = ["source", "target", "relation", "support", "share", "lift"]
    return KnowledgeGraph(table, pd.DataFrame(rows, columns=columns))


def test_the_nearest_new_category_comes_first_and_searches_lead_as_well():
    graph = graph_of(
        [
            ("category:pasta", "category:sauce", "together", 0.9),
            ("category:pasta", "category:soap", "together", 0.1),
            ("category:soap", "category:pasta", "together", 0.5),
            ("category:sauce", "category:pasta", "together", 0.5),
            ("need:puppy", "category:leash", "need", 0.9),
            ("category:leash", "category:soap", "after", 0.9),
        ]
    )
    found = Reach(graph).new_categories({"pasta": 3})
    assert found[0].category == "sauce"
    assert (found[0].because, found[0].relation, found[0].support) == ("pasta", "together", 10)
    searched = Reach(graph).new_categories({"pasta": 3}, {"puppy": 3})
    assert (searched[0].category, searched[0].because, searched[0].relation) == ("leash", "puppy", "need")


def test_needs_are_texts_of_several_customers_tied_to_what_they_then_buy():
    import duckdb

    con = duckdb.connect()
    con.execute("CREATE TABLE products (product_id VARCHAR, category VARCHAR)")
    con.execute("INSERT INTO products VALUES ('d', 'DIAPERS'), ('m', 'MILK')")
    con.execute(
        "CREATE TABLE events (event_id VARCHAR, kind VARCHAR, customer_id VARCHAR, ts TIMESTAMP, product_id VARCHAR, text VARCHAR)"
    )
    for c in range(12):
        spelt = ["New baby!", "new  baby", " NEW BABY? "][c % 3] if c < 6 else "quick dinner"
        bought = "d" if c < 6 else "m"
        con.execute(
            "INSERT INTO events VALUES (?, 'search', ?, '2024-01-01 10:00', NULL, ?)",
            [f"s{c}", str(c), spelt],
        )
        con.execute(
            "INSERT INTO events VALUES (?, 'purchase', ?, '2024-01-03', ?, NULL)", [f"p{c}", str(c), bought]
        )
        con.execute(
            "INSERT INTO events VALUES (?, 'purchase', ?, '2024-02-03', 'm', NULL)", [f"q{c}", str(c)]
        )
    con.execute("INSERT INTO events VALUES ('x', 'search', '1', '2024-01-01', NULL, 'my secret wish')")
    needs, answers = find_needs(con)
    assert needs.values.tolist() == [["new baby", 6], ["quick dinner", 6]]
    assert answers.values.tolist() == [
        ["new baby", "DIAPERS", 6, 1.0, 2.0], ["quick dinner", "MILK", 6, 1.0, 2.0]
    ]  # fmt: skip


def test_a_version_without_a_graph_says_so(tmp_path: Path):
    with pytest.raises(NotBuilt, match="shopkeeper build"):
        KnowledgeGraph.open(tmp_path)


# the bench ------------------------------------------------------------------------------------
def test_ranking_by_hand():
    """The first customer owns a; b is asked for and comes second of b and c. The second asks for nothing."""
    own = np.array([[True, False, False], [False, False, False]])
    targets = np.array([[False, True, False], [False, False, False]])
    found = ranking(np.array([[9.0, 1.0, 2.0], [3.0, 2.0, 1.0]]), own, targets)
    assert found == {
        "customers": 1, "hit@5": 1.0, "precision@5": pytest.approx(1 / 3), "recall@10": 1.0,
        "ndcg@10": pytest.approx(1 / np.log2(3)),
    }  # fmt: skip


def test_the_bench_scores_every_model_on_the_same_customers_and_sees_nothing_later():
    rows = run(shops.built(), quick=True)
    assert [row["model"] for row in rows] == [
        "chance", "popularity", "lately taken up", "EASE-R", "knowledge graph"
    ]  # fmt: skip
    assert len({(row["cut"], row["customers"]) for row in rows}) == 1
    assert all(0 <= row["ndcg@10"] <= 1 for row in rows)
