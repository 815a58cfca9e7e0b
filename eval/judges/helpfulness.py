"""Helpfulness: an answer answers what was asked, and says what to do next where that is of use."""

from __future__ import annotations

from typing import ClassVar

from eval.judges.base import Judge


class Helpfulness(Judge):
    """Grades what an answer does for the asker, whatever its manners. Whether its figures are right is not for a judge:
    that is checked against the data."""

    name: ClassVar[str] = "helpfulness"
    ungraded: ClassVar[frozenset[str]] = frozenset({"shouting"})
    rubrics: ClassVar[tuple[str, ...]] = ("helpfulness", "helpfulness_swapped", "helpfulness_paraphrased")
