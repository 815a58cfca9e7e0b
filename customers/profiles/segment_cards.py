"""Reads what `segment_facts` and `rules` wrote: traits, examples, moves and rules of each segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from customers import values as v
from customers.stores.reader import Reader


def segment_cards(reader: Reader, category: Callable[[str], v.Name]) -> Callable[[str], dict[str, Any]]:
    """Return a function from a segment's id to the fields of `values.Segment` that it fills. category: a
    category's name by its key."""
    if not reader.has_table("segment_traits"):  # a version of an earlier release
        return lambda segment: {}
    together = _together(reader, category)
    traits, examples, moves = defaultdict(list), defaultdict(list), defaultdict(list)
    for segment, *trait in reader.rows(
        "SELECT segment_id, attribute, value, customers, share, usual FROM segment_traits"
    ):
        traits[segment].append(v.SegmentTrait(*trait))
    for segment, customer in reader.rows(
        "SELECT segment_id, customer_id FROM segment_examples ORDER BY segment_id, rank"
    ):
        examples[segment].append(customer)
    for segment, en, zh, customers, matched in reader.rows(
        "SELECT segment_id, before_en, before_zh, customers, matched FROM segment_moves"
        " ORDER BY customers DESC, before_id"
    ):
        name = None if en is None else v.Name(en, zh)
        moves[segment].append(v.SegmentMove(name, customers, matched))
    before = dict(reader.rows("SELECT segment_id, size FROM segment_before"))
    return lambda segment: {
        "traits": tuple(traits[segment]),
        "examples": tuple(examples[segment]),
        "moves": tuple(moves[segment]),
        "size_before": before.get(segment),
        "together": tuple(together.get(segment, ())),
    }


def _together(reader: Reader, category: Callable[[str], v.Name]) -> dict[str, list[v.TogetherRule]]:
    found: dict[str, list[v.TogetherRule]] = defaultdict(list)
    if reader.has_table("segment_rules"):
        for segment, when, then, *figures in reader.rows(
            "SELECT segment_id, when_key, then_key, customers, confidence, lift FROM segment_rules"
            " ORDER BY segment_id, rank"
        ):
            rule = v.TogetherRule(tuple(category(key) for key in when), category(then), *figures)
            found[segment].append(rule)
    return found
