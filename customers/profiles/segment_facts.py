"""What a segment's card tells beside its tastes: who is in it, examples, and how it moved.

Tables written: segment_traits (attribute values over-represented), segment_examples (the customers
nearest to the middle), segment_moves (members by their segment at the last build), segment_before (the
last build's segment that goes on in each).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import false_discovery_control, hypergeom

from customers.profiles.workspace import Workspace
from customers.stores import segment_names, versions

LEAST_TOLD = 10
_EXAMPLES = 3
_FALSE = 0.05
_SAME = 0.3


@dataclass(frozen=True, slots=True)
class Before:
    """The last build's segments: where they are kept, customer -> segment
    id, and segment id -> (English, Chinese) name."""

    version: Path
    segment_of: Mapping[str, str]
    names: Mapping[str, tuple[str, str]]


def last_build(out: Path) -> Before | None:
    """What the current version's segments are, where `out` is the version under way; None without one."""
    version = versions.find_current(out.parent.parent)
    if version is None or not (version / "shop.duckdb").is_file():
        return None
    try:
        with duckdb.connect(str(version / "shop.duckdb"), read_only=True) as con:
            members = con.execute("SELECT customer_id, segment_id FROM customer_segments").fetchall()
            names = con.execute("SELECT segment_id, name_en, name_zh FROM segments").fetchall()
    except duckdb.Error:  # a version of older code, or one that is damaged: the build goes on without it
        return None
    given = segment_names.read(version)
    called = {key: (given[key].en, given[key].zh) if key in given else (en, zh) for key, en, zh in names}
    return Before(version, dict(members), called)


def match(now: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Segment of now -> segment before that goes on in it: the one-to-one matching with the most customers
    in common (Kuhn, "The Hungarian method for the assignment problem", 1955), where those are at least 30 %
    of the customers of either."""
    common = Counter((now[c], before[c]) for c in now.keys() & before.keys())
    new, old = sorted(set(now.values())), sorted(set(before.values()))
    shared = np.array([[common[a, b] for b in old] for a in new]).reshape(len(new), len(old))
    sizes, former = Counter(now.values()), Counter(before.values())
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    return {
        new[i]: old[j]
        for i, j in pairs
        if shared[i, j] >= _SAME * (sizes[new[i]] + former[old[j]] - shared[i, j])
    }


def over_represented(
    segment_of: Mapping[str, str], attributes: Sequence[tuple[str, str, str]]
) -> list[tuple[str, str, str, int, float, float]]:
    """(segment, attribute, value, customers, share, usual) of values that a segment's customers have more
    often than draws from all customers with that attribute would (one-sided hypergeometric test, false
    discovery rate 5 %: Benjamini & Hochberg, 1995), the surest first. attributes: (customer, attribute,
    value). Groups of fewer than 10 customers are not told, so that nobody can be made out."""
    known, of_value, in_segment, both = Counter(), Counter(), Counter(), Counter()
    for customer, attribute, value in attributes:
        if (segment := segment_of.get(customer)) is not None:
            known[attribute] += 1
            of_value[attribute, value] += 1
            in_segment[segment, attribute] += 1
            both[segment, attribute, value] += 1
    keys = sorted(both)
    if not keys:
        return []
    chances = [
        float(hypergeom.sf(both[s, a, v] - 1, known[a], of_value[a, v], in_segment[s, a])) for s, a, v in keys
    ]
    sure = np.asarray(false_discovery_control(np.clip(chances, 0, 1)))
    return [
        (s, a, v, both[s, a, v], both[s, a, v] / in_segment[s, a], of_value[a, v] / known[a])
        for i in np.argsort(chances, kind="stable")
        for s, a, v in (keys[i],)
        if sure[i] <= _FALSE and both[s, a, v] >= LEAST_TOLD
    ]


def write_segment_facts(
    work: Workspace,
    customers: list[str],
    ids: list[str],
    distances: NDArray[np.float64],
    before: Before | None,
) -> None:
    """Write the tables. ids: each customer's segment; distances: to the centre of it, shape (customers,)."""
    now = dict(zip(customers, ids, strict=True))
    asked = work.con.execute("SELECT customer_id, attribute, value FROM attributes ORDER BY ALL").fetchall()
    _keep(
        work, "segment_traits",
        {"segment_id": str, "attribute": str, "value": str, "customers": int, "share": float, "usual": float},
        over_represented(now, asked),
    )  # fmt: skip
    examples = [
        (segment, rank, customers[i])
        for segment in sorted(set(ids))
        for rank, i in enumerate(
            sorted(np.flatnonzero(np.array(ids) == segment), key=lambda i: distances[i])[:_EXAMPLES]
        )
    ]
    _keep(work, "segment_examples", {"segment_id": str, "rank": int, "customer_id": str}, examples)
    matched = match(now, before.segment_of) if before else {}
    moved, sizes = Counter(), Counter()
    if before:
        moved = Counter((before.segment_of.get(c, ""), segment) for c, segment in now.items())
        sizes = Counter(before.segment_of.values())
    names = before.names if before else {}
    moves = [
        (old, *names.get(old, (None, None)), segment, n, matched.get(segment) == old)
        for (old, segment), n in sorted(moved.items())
    ]
    shape = {
        "before_id": str,
        "before_en": str,
        "before_zh": str,
        "segment_id": str,
        "customers": int,
        "matched": bool,
    }
    _keep(work, "segment_moves", shape, moves)
    gone_on = [(segment, old, sizes[old]) for segment, old in sorted(matched.items())]
    _keep(work, "segment_before", {"segment_id": str, "before_id": str, "size": int}, gone_on)


_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _keep(work: Workspace, name: str, shape: dict[str, type], rows: Sequence[tuple]) -> None:
    columns = {column: [row[i] for row in rows] for i, column in enumerate(shape)}
    work.keep_rows(name, pa.schema({column: _TYPES[kind] for column, kind in shape.items()}), columns)
