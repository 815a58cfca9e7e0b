"""Scorers: one aspect a file, and which of them judge which suite.

Each takes a turn, its reply and the ground, and returns what it checked by aspect: nothing wrong, or what is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.cases import BOTH, CHECKED, PARITY, Case
from eval.scorers import figures, grounded, injection, kind, language, plan, rules
from eval.scorers.ground import Ground, Reply, Turn, Wrong

__all__ = ["Ground", "Reply", "Turn", "Verdict", "Wrong", "judge"]

Scorer = Callable[[Turn, Reply, Ground], Wrong]

_USUAL: tuple[Scorer, ...] = (kind.check, language.check, plan.whole, figures.check, rules.check)
_SUITES: dict[str, tuple[Scorer, ...]] = {
    "tool_choice": (plan.tools,),
    "arguments": (kind.check, plan.whole),
    "groundedness": (kind.check, figures.check, grounded.check),
    "injection": (*_USUAL, injection.check),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """score: 1.0 where every aspect is right, else 0.0. aspects: what was checked. why: what was wrong, in words."""

    score: float
    aspects: dict[str, bool]
    why: list[str]


def judge(case: Case, replies: Sequence[Reply], ground: Ground) -> Verdict:
    """Judge the replies to a case's turns, in order; of a case of `parity`, those of each part in turn.

    Raises ValueError where there is nothing to judge, or a check is unknown.
    """
    if case.suite == PARITY and case.language == BOTH:
        return _parity(case, replies, ground)
    scorers, found = _SUITES.get(case.suite, _USUAL), Wrong()
    given = {"id": case.id, "language": case.language, "role": case.role, "customer": case.customer}
    for number, (turn, reply) in enumerate(zip(case.turns, replies, strict=True), 1):
        if case.suite != "groundedness" and not any(turn.get(name) for name in CHECKED):
            continue
        place = f"turn {number}: " if len(case.turns) > 1 else ""
        for score in scorers:
            for aspect, wrong in score(given | turn, reply, ground).items():
                found.setdefault(aspect, []).extend(place + line for line in wrong)
    return _verdict(case, found)


def _parity(case: Case, replies: Sequence[Reply], ground: Ground) -> Verdict:
    """Right in each language; aspect "alike" tells whether a wrong pair is wrong in one language only."""
    left, found, right = list(replies), Wrong(), []
    for part in case.parts:
        own, left = left[: len(part.turns)], left[len(part.turns) :]
        verdict = judge(part, own, ground)
        found[part.language] = [f"{part.language}: {line}" for line in verdict.why]
        right.append(part.language if not verdict.why else "")
    alone = [language for language in right if language]
    found["alike"] = [f"right in {alone[0]} only"] if len(alone) == 1 else []
    return _verdict(case, found)


def _verdict(case: Case, found: Wrong) -> Verdict:
    if not found:
        raise ValueError(
            f"case {case.id} of {case.suite} has nothing to check; see eval/cases.py for the format"
        )
    why = [line for wrong in found.values() for line in wrong]
    return Verdict(0.0 if why else 1.0, {aspect: not wrong for aspect, wrong in found.items()}, why)
