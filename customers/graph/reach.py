"""Categories that a customer never bought, reached over the graph from those they buy.

A walk starts at what the customer buys (log of 1 + trips) and what they searched for, and follows the
relations together, buyers, after and need, each by its share, going back to the start with probability
1 - damping: personalised PageRank (Page et al. 1999; Haveliwala 2002). What everybody's walks reach is no
news of this customer, so the ratio of the customer's rank to the shop's counts. Beside it stand what the
customer's categories lead to (EASE-R weights), and of all customers how many have lately taken the category
up, and how many have it. The score is the product of the four, each to the power in `POWERS`: a logistic
regression of "bought for the first time within 30 days" on their logarithms, fitted on 3 October 2017 of the
sample; held out in `eval.profiles.graph`.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# (pandas types what an index gives as any of several things, which hides the methods of a Series.)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from customers import values as v
from customers.graph.graph import KnowledgeGraph

Floats = NDArray[np.float64]
WALKED = ("together", "buyers", "after", "need")
POWERS = {"walk": 0.185, "leads": 0.669, "adoption": 0.755, "popularity": -0.383}
_LEAST = {"walk": 1e-3, "leads": 1e-4, "adoption": 1e-4, "popularity": 1e-4}
_STEPS = 40


def personalised_pagerank(transition: sparse.csr_matrix, restart: Floats, damping: float) -> Floats:
    """Ranks, shape (walks, nodes), by power iteration.

    transition: (nodes, nodes), rows that sum to 1 or are empty; restart: (walks, nodes), rows that sum to
    1. A walk that comes to a node without a way out starts again.
    """
    ranks = restart.copy()
    onward = transition.T.tocsr()
    stuck = np.asarray(transition.sum(axis=1)).ravel() == 0
    for _ in range(_STEPS):
        back = 1 - damping + damping * ranks[:, stuck].sum(axis=1, keepdims=True)
        ranks = damping * (onward @ ranks.T).T + back * restart
    return ranks


@dataclass(frozen=True)
class Reach:
    """Walks over one graph; `damping` as in the module."""

    graph: KnowledgeGraph
    damping: float = 0.85

    @cached_property
    def nodes(self) -> list[str]:
        """The nodes that are walked over: categories and needs, in text order."""
        table = self.graph.nodes
        return sorted(table["node"][table["kind"].isin(["category", "need"])])

    @cached_property
    def index(self) -> dict[str, int]:
        return {node: number for number, node in enumerate(self.nodes)}

    @cached_property
    def relations(self) -> dict[str, sparse.csr_matrix]:
        """Shares of each relation's edges between the nodes, rows that sum to 1 (or are empty)."""
        return {relation: _rows_to_one(self._matrix(relation)) for relation in WALKED}

    @cached_property
    def transition(self) -> sparse.csr_matrix:
        """The relations with equal weight."""
        total = sparse.csr_matrix((len(self.nodes),) * 2)
        for shares in self.relations.values():
            total = total + shares
        return _rows_to_one(total.tocsr())

    @cached_property
    def usual(self) -> Floats:
        """The ranks of a walk that starts where the shop's trips are."""
        baskets = self._of_nodes("baskets")
        restart = baskets / max(baskets.sum(), 1)
        return personalised_pagerank(self.transition, restart[None, :], self.damping)[0]

    @cached_property
    def adoption(self) -> Floats:
        return self._of_nodes("adoption")

    @cached_property
    def popularity(self) -> Floats:
        """Share of all customers that bought it."""
        return self._of_nodes("customers") / max(self.graph.totals[0], 1)

    @cached_property
    def leads(self) -> sparse.csr_matrix:
        """Weights of the relation of that name, shape (nodes, nodes)."""
        return self._matrix("leads")

    def _of_nodes(self, column: str) -> Floats:
        return self.graph.nodes.set_index("node")[column].reindex(self.nodes).fillna(0).to_numpy(float)

    def _matrix(self, relation: str) -> sparse.csr_matrix:
        """The shares of one relation's edges between the nodes."""
        rows = self.graph.edges[self.graph.edges["relation"] == relation]
        rows = rows[rows["source"].isin(self.index) & rows["target"].isin(self.index)]
        place = (rows["source"].map(self.index).to_numpy(int), rows["target"].map(self.index).to_numpy(int))
        return sparse.csr_matrix((rows["share"].to_numpy(float), place), shape=(len(self.nodes),) * 2)

    def restart(self, trips: Mapping[str, float], searches: Mapping[str, float] | None = None) -> Floats:
        """Where a customer's walk starts, shape (nodes,): trips by category, searches by need."""
        weights = np.zeros(len(self.nodes))
        for kind, counts in (("category", trips), ("need", searches or {})):
            for key, count in counts.items():
                if (number := self.index.get(f"{kind}:{key}")) is not None:
                    weights[number] += np.log1p(count)
        return weights / max(weights.sum(), 1e-12)

    def score(self, restarts: Floats) -> Floats:
        """Scores of all nodes, shape (walks, nodes)."""
        ranks = personalised_pagerank(self.transition, restarts, self.damping)
        parts = {
            "walk": ranks / (self.usual + 1e-6),
            "leads": (self.leads.T @ (restarts > 0).astype(float).T).T,
            "adoption": self.adoption,
            "popularity": self.popularity,
        }
        score = np.ones_like(ranks)
        for name, values in parts.items():
            score *= np.maximum(values, _LEAST[name]) ** POWERS[name]
        return score

    def new_categories(
        self,
        trips: Mapping[str, float],
        searches: Mapping[str, float] | None = None,
        n: int = 5,
        never: frozenset[str] = frozenset(),
    ) -> list[v.NewCategory]:
        """Up to n categories that are not in `trips` nor in `never`, best first."""
        restart = self.restart(trips, searches)
        scores = self.score(restart[None, :])[0]
        found = []
        for number in np.lexsort((np.arange(len(scores)), -scores)):
            kind, _, key = self.nodes[number].partition(":")
            if kind != "category" or key in trips or key in never:
                continue
            found.append(self._because(key, float(scores[number]), restart))
            if len(found) == n:
                break
        return found

    def _because(self, key: str, score: float, restart: Floats) -> v.NewCategory:
        """The edge from something that the walk starts at with the most cases above chance behind it,
        support * ln(lift), weighted by how much of the walk starts there."""
        node = f"category:{key}"
        name = self.graph.name(node)
        ways = [
            (restart[number] * told["support"] * np.log(max(told["lift"], 1.0)), source, relation, told)
            for relation in WALKED
            for source, told in self.graph.into(node, relation).items()
            if (number := self.index.get(source)) is not None and restart[number] > 0
        ]
        strength, source, relation, told = max(ways, key=lambda way: way[:3], default=(0.0, "", "", {}))
        if strength <= 0:
            return v.NewCategory(key, name, score)
        return v.NewCategory(
            key, name, score, source.partition(":")[2], self.graph.name(source), relation,
            int(told["support"]), float(told["lift"]),
        )  # fmt: skip


def _rows_to_one(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.diags(1 / np.where(sums > 0, sums, 1)).dot(matrix).tocsr()
