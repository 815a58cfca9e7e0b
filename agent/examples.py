"""Questions whose plans are known, looked up by likeness of meaning: they open what a question's wording
does not speak for, and give the plan where there is no model.

Names are masked before comparing, so that it is the asking that is alike and not the thing asked about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    question: str


class Examples:
    """The examples of one planner, with their embeddings (n, d), made when first needed."""

    def __init__(self, examples: Sequence[Mapping[str, Any]], encoder: TextEncoder) -> None:
        self._examples, self._encoder = list(examples), encoder
        self._vectors: np.ndarray | None = None

    def kin(self, links: Links) -> list[Kin]:
        """Return the examples, those most like a question first."""
        if self._vectors is None:
            self._vectors = self._encoder.encode([e["q"] for e in self._examples])
        scores = self._vectors @ self._encoder.encode([masked(links)])[0]
        return [
            Kin(self._examples[int(i)]["calls"], float(scores[i]), self._examples[int(i)]["q"])
            for i in np.argsort(-scores, kind="stable")
        ]


def masked(links: Links) -> str:
    """Return a question with stand-ins in place of the names that were linked, and of numbers."""
    text, chinese = links.text, bool(_HAN.search(links.text))
    named = sorted(
        ((span, kind) for (kind, _), span in links.spans.items() if kind in _STANDS_FOR), reverse=True
    )
    for (start, end), kind in named:
        text = text[:start] + _STANDS_FOR[kind][chinese] + text[end:]
    return re.sub(r"\d+", "88", text)
