"""Segments that a question names by the goods in their names: "the beer and soft drinks crowd"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from agent.lexicon import WHOLE, Lexicon, Match, Named
from customers.shop import Shop

_BESIDE = re.compile(r"\s*(?:,|，|、|&|and\b|和|与|及)\s*(?:and\s+)?", re.IGNORECASE)
_CROWD = re.compile(
    r"\s+(?:crowd|shoppers|fans|lovers|bunch|folks|enthusiasts|group|segment|cluster)\b"
    r"|的?(?:偏好)?(?:客群|分群|人群|群体)|[那这]群",
    re.IGNORECASE,
)
_SEGMENT = re.compile(r"\s+(?:segment|cluster)\b|的?(?:偏好)?(?:客群|分群)", re.IGNORECASE)
_OF_CROWD = re.compile(
    r"^.*?\bshoppers\s+of\s+|\s+(?:enthusiasts|lovers|fans|shoppers|owners)$", re.IGNORECASE
)


class Crowds:
    """The goods that the names of one shop's segments tell of."""

    def __init__(self, shop: Shop, lexicon: Lexicon) -> None:
        self._shop, self._lexicon = shop, lexicon

    def joined(self, text: str, matches: Sequence[Match]) -> list[Match]:
        """Return what was found in a text, with goods right before a word for a crowd read as the segment whose
        name tells of them all, where one does."""
        kept: list[Match] = []
        for i, last in enumerate(matches):
            kept.append(last)
            first = i
            while first and _BESIDE.fullmatch(text, matches[first - 1].span[1], matches[first].span[0]):
                first -= 1
            named = {t.key for m in matches[first : i + 1] for t in m.things if t.kind == "category"}
            # "coffee lovers" are whoever buys coffee; "the coffee segment" is a segment
            said = _SEGMENT if len(named) == 1 else _CROWD
            if not named or not said.match(text, last.span[1]):
                continue
            meant = [key for key, goods in self._goods.items() if named <= goods]
            if len(meant) == 1:
                span = (matches[first].span[0], last.span[1])
                kept[first - i - 1 :] = [
                    Match((Named("segment", meant[0]),), WHOLE, text[slice(*span)], span)
                ]
        return kept

    @cached_property
    def _goods(self) -> dict[str, set[str]]:
        """The categories that the name of each segment tells of."""
        return {key: self._told(self._shop.name("segment", key).en) for key in self._shop.keys("segment")}

    def _told(self, name: str) -> set[str]:
        found = self._lexicon.find(_OF_CROWD.sub("", name), [True] * len(name))
        return {thing.key for match in found for thing in match.things if thing.kind == "category"}
