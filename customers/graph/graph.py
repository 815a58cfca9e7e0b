"""A version's knowledge graph, read when first asked: nodes and edges as NetworkX."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import networkx as nx
import pandas as pd

from customers.errors import NotBuilt, Unknown
from customers.graph.build import FOLDER
from customers.values import Name

SEP = ":"


class KnowledgeGraph:
    """Nodes are "kind:key"; several edges of different `relation` may join two nodes."""

    def __init__(self, nodes: pd.DataFrame, edges: pd.DataFrame) -> None:
        self.nodes = nodes
        self.edges = edges

    @classmethod
    def open(cls, version: Path) -> KnowledgeGraph:
        """Raises NotBuilt where the version has no graph."""
        try:
            return cls(
                *(pd.read_parquet(version / FOLDER / f"{name}.parquet") for name in ("nodes", "edges"))
            )
        except (OSError, ValueError) as error:
            raise NotBuilt(f"{version} has no knowledge graph; run `shopkeeper build`") from error

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """Node attributes: kind, key, name_en, name_zh, customers, baskets, adoption. The key of an edge is
        its relation; edge attributes: support, share, lift."""
        made = nx.MultiDiGraph()
        made.add_nodes_from((row.pop("node"), row) for row in self.nodes.to_dict("records"))
        for row in self.edges.to_dict("records"):
            made.add_edge(row.pop("source"), row.pop("target"), row.pop("relation"), **row)
        return made

    def has(self, node: str) -> bool:
        return node in self.graph

    def name(self, node: str) -> Name:
        """Raises Unknown."""
        if not self.has(node):
            raise Unknown(f"the knowledge graph has no {node!r}")
        told = self.graph.nodes[node]
        return Name(told["name_en"], told["name_zh"])

    def edge(self, source: str, target: str, relation: str) -> dict[str, float] | None:
        """Support, share and lift of an edge; None where it was not kept."""
        found = self.graph.get_edge_data(source, target, relation)
        return dict(found) if found is not None else None

    def out(self, source: str, relation: str) -> Iterator[tuple[str, dict[str, float]]]:
        """Targets of a node's edges of one relation."""
        for _, target, kind, told in self.graph.out_edges(source, keys=True, data=True):
            if kind == relation:
                yield target, told

    def into(self, target: str, relation: str) -> dict[str, dict[str, float]]:
        """Sources of the edges of one relation that end in a node."""
        found = self.graph.in_edges(target, keys=True, data=True)
        return {source: told for source, _, kind, told in found if kind == relation}

    @property
    def totals(self) -> tuple[int, int]:
        """Customers and baskets of the whole shop."""
        told = self.graph.nodes["shop:"]
        return int(told["customers"]), int(told["baskets"])
