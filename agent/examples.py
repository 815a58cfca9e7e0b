"""Questions whose plans are known, looked up by likeness of meaning: they open what a question's wording
does not speak for, and give the plan where there is no model.

Names are masked before comparing, so that it is the asking that is alike and not the thing asked about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from agent.links import Links
from customers.ports import TextEncoder

_STANDS_FOR = {"category": ("tea", "茶"), "type": ("tea", "茶"), "product": ("tea", "茶"), "brand": ("tea", "茶"),
               "department": ("grocery", "杂货部")}  # fmt: skip
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Kin:
    """An example like a question: its calls, and how alike the two are (cosine)."""

    calls: Sequence[Mapping[str, Any]]
    likeness: float


class Examples:
    """The examples of one planner."""

    def __init__(self, examples: Sequence[Mapping[str, Any]], encoder: TextEncoder) -> None:
        self.all, self._encoder = list(examples), encoder
        # a turn looks a question up several times
        self._vector = lru_cache(maxsize=64)(lambda text: encoder.encode([text])[0])

    @cached_property
    def vectors(self) -> np.ndarray:
        """Their embeddings (n, d), made when first needed."""
        return self._encoder.encode([masked_numbers(e["q"]) for e in self.all])

    def vector(self, links: Links) -> np.ndarray:
        """Return a question's embedding (d), names masked."""
        return self._vector(masked(links))

    def kin(self, links: Links, most: int) -> list[Kin]:
        """Return the examples most like a question, the most like first."""
        scores = self.vectors @ self.vector(links)
        return [
            Kin(self.all[int(i)]["calls"], float(scores[i]))
            for i in np.argsort(-scores, kind="stable")[:most]
        ]


def masked(links: Links) -> str:
    """Return a question with stand-ins in place of the names that were linked, and of numbers."""
    text, chinese = links.text, bool(_HAN.search(links.text))
    named = sorted(
        ((span, kind) for (kind, _), span in links.spans.items() if kind in _STANDS_FOR), reverse=True
    )
    for (start, end), kind in named:
        text = text[:start] + _STANDS_FOR[kind][chinese] + text[end:]
    return masked_numbers(text)


def masked_numbers(text: str) -> str:
    """Return a text with one number in place of all."""
    return re.sub(r"\d+", "88", text)
