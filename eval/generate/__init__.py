"""Fresh cases at each seed: the questions of service agents and merchandisers, with fresh customers, goods, periods
and counts in fresh wordings. What is right comes from the raw files by SQL of its own, never from the agent.

The suite "parity" has no cases of its own: it compares the two languages of every pair.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from eval.generate import (
    arguments,
    clarification,
    groundedness,
    handoff,
    injection,
    multi_turn,
    policy,
    recommendations,
    templates,
    tool_choice,
)
from eval.generate.pool import Pool
from eval.generate.writing import Topic, written
from eval.raw import RawData

SUITES: dict[str, tuple[Topic, ...]] = {
    "tool_choice": tool_choice.TOPICS,
    "arguments": arguments.TOPICS,
    "groundedness": groundedness.TOPICS,
    "recommendations": recommendations.TOPICS,
    "clarification": clarification.TOPICS,
    "policy": policy.TOPICS,
    "injection": injection.TOPICS,
    "multi_turn": multi_turn.TOPICS,
    "templates": templates.TOPICS,
    "handoff": handoff.TOPICS,
}


def generate(seed: int, raw: RawData, suites: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the cases of a seed: for each suite its pairs, English and Chinese side by side.

    The same seed and data give the same cases; a suite's cases do not depend on which others are asked for. suites:
    names of SUITES; None for all. Raises ValueError for a suite that there is not, or where the data cannot fill one.
    """
    chosen = list(SUITES) if suites is None else list(dict.fromkeys(suites))
    if unknown := [name for name in chosen if name not in SUITES]:
        raise ValueError(f"no suite {', '.join(unknown)}; the suites are {', '.join(SUITES)}")
    pool = Pool(raw)
    return [case for name in chosen for case in written(name, SUITES[name], seed, pool)]
