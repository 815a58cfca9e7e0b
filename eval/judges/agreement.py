"""What a judge is worth: how far it agrees with answers that a person graded by hand (prompts/judges/labelled.jsonl)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from agent.events import Language
from eval.judges.base import GRADES, Item, Judge, Verdict

LEAST_KAPPA = 0.4
LEAST_ANSWERS = 20
MOST_FAILED = 0.2
_AT_A_TIME = 10
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer with a person's grades, 1 to 5."""

    id: str
    language: Language
    question: str
    answer: str
    tone: int
    helpfulness: int

    @property
    def item(self) -> Item:
        return Item(self.question, self.answer, self.language)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge agrees with a person.

    judged: answers judged in all; by_rule of them had their grade set by the floor alone, failed of them got no grade
    (unreadable, or votes that do not agree). The rest, `compared`, is what the model decided, and what kappa (weighted
    by the square of the distance; nan where it is undefined), its interval (95 %, bootstrap), exact and within_one (parts
    of 1) are about. by_language: kappa by language. left: answers for which the time did not suffice.
    """

    judge: str
    judged: int
    by_rule: int
    failed: int
    compared: int
    kappa: float
    interval: tuple[float, float]
    by_language: dict[str, float]
    exact: float
    within_one: float
    left: int = 0


def labelled(path: Path | None = None) -> list[Labelled]:
    """Return the graded answers of a file (JSON lines); None: the package's own. Raises ValueError that names the
    line."""
    source = path or Path(str(resources.files("prompts"))) / "judges" / "labelled.jsonl"
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{source} cannot be read: {error.strerror}.") from error
    return [_labelled(line, f"{source}:{n}") for n, line in enumerate(lines, 1) if line.strip()]


def _labelled(line: str, where: str) -> Labelled:
    try:
        found = Labelled(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where} is no graded answer: {error}.") from error
    if found.language not in ("en", "zh") or not {found.tone, found.helpfulness} <= set(GRADES):
        raise ValueError(f"{where}: the language is en or zh, and grades are whole numbers from 1 to 5.")
    return found


def kappa(one: Sequence[int], other: Sequence[int]) -> float:
    """Return Cohen's kappa of two series of grades 1 to 5, weighted by the square of the distance: 1 is full agreement,
    0 what chance gives. nan where there is nothing to compare, or both give everything the same grade.

    Raises ValueError where they differ in length, or a grade is not from 1 to 5.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} grades: kappa compares the same answers.")
    if not {*one, *other} <= set(GRADES):
        raise ValueError("kappa compares grades from 1 to 5.")
    if not one:
        return math.nan
    a, b = np.asarray(one, float), np.asarray(other, float)
    observed = np.mean((a - b) ** 2)
    expected = np.mean((a[:, None] - b[None, :]) ** 2)
    return float(1 - observed / expected) if expected else math.nan


def measure(judge: Judge, answers: Sequence[Labelled], *, seconds: float | None = None) -> Agreement:
    """Have a judge grade the answers, and compare. seconds: begin no further ten answers after so long; those
    judged until then are spread over all.

    Raises what `Judge.grade` raises.
    """
    began, verdicts = time.monotonic(), list[Verdict]()
    strides = -(-len(answers) // _AT_A_TIME)
    spread = [
        answer for first in range(strides) for answer in answers[first::strides]
    ]  # so that a part is like all
    while len(verdicts) < len(spread):
        if seconds is not None and verdicts and time.monotonic() - began > seconds:
            break
        some = spread[len(verdicts) : len(verdicts) + _AT_A_TIME]
        verdicts += judge.grade_all([answer.item for answer in some])
    return compared(judge.name, spread, verdicts)


def compared(aspect: str, answers: Sequence[Labelled], verdicts: Sequence[Verdict]) -> Agreement:
    """Compare verdicts on the first of `answers`, in their order, with a person's grades of an aspect."""
    known = list(zip(answers, verdicts, strict=False))
    pairs = [
        (answer.language, int(getattr(answer, aspect)), verdict.grade)
        for answer, verdict in known
        if verdict.votes and verdict.grade is not None
    ]
    person, model = [p for _, p, _ in pairs], [m for _, _, m in pairs]
    apart = [abs(p - m) for p, m in zip(person, model, strict=True)]
    return Agreement(
        judge=aspect,
        judged=len(known),
        by_rule=sum(not verdict.votes and verdict.grade is not None for _, verdict in known),
        failed=sum(verdict.grade is None for _, verdict in known),
        compared=len(pairs),
        kappa=kappa(person, model),
        interval=_interval(person, model),
        by_language={
            language: kappa(
                [p for spoken, p, _ in pairs if spoken == language],
                [m for spoken, _, m in pairs if spoken == language],
            )
            for language in ("en", "zh")
        },
        exact=_share([d == 0 for d in apart]),
        within_one=_share([d <= 1 for d in apart]),
        left=len(answers) - len(known),
    )


def doubts(found: Agreement) -> list[str]:
    """Return why a judge is not to be trusted, in words; [] where it may be."""
    why = []
    if not found.kappa >= LEAST_KAPPA:  # nan too
        why.append(f"its kappa is {found.kappa:.2f}, below {LEAST_KAPPA}")
    if found.compared < LEAST_ANSWERS:
        why.append(f"only {found.compared} answers could be compared, fewer than {LEAST_ANSWERS}")
    asked = found.compared + found.failed
    if asked and found.failed / asked > MOST_FAILED:
        why.append(f"{found.failed} of {asked} verdicts could not be used")
    return why


def trusted(found: Agreement) -> bool:
    """Whether the judge's grades say anything: kappa at least 0.4, on enough answers, most of them with a verdict."""
    return not doubts(found)


def report(found: Agreement) -> str:
    """Write an agreement for people: one line of figures, one of trust."""
    low, high = found.interval
    by = ", ".join(f"{language} {value:.2f}" for language, value in found.by_language.items())
    left = f", {found.left} not reached" if found.left else ""
    why = doubts(found)
    return (
        f"{found.judge}: kappa {found.kappa:.2f} ({low:.2f} to {high:.2f}; {by}) on {found.compared} answers, "
        f"same grade {found.exact:.0%}, within one {found.within_one:.0%}; "
        f"{found.by_rule} set by rules, {found.failed} without a verdict{left}\n"
        + (f"  NOT to be trusted: {'; '.join(why)}." if why else "  may be trusted.")
    )


def figures(found: Agreement) -> dict[str, Any]:
    """Return an agreement as JSON types; what is undefined is null."""
    low, high = found.interval
    numbers = {
        "kappa": found.kappa,
        "low": low,
        "high": high,
        "exact": found.exact,
        "within_one": found.within_one,
    }
    counts = ("judged", "by_rule", "failed", "compared", "left")
    return {
        "judge": found.judge,
        **{name: getattr(found, name) for name in counts},
        **{name: _number(value) for name, value in numbers.items()},
        **{f"kappa_{language}": _number(value) for language, value in found.by_language.items()},
        "trusted": trusted(found),
        "doubts": doubts(found),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan


def _interval(person: Sequence[int], model: Sequence[int]) -> tuple[float, float]:
    """A 95 % interval of kappa, by resampling answers; seeded, so that a report can be repeated."""
    rng, size = np.random.default_rng(0), len(person)
    if size < 2:
        return math.nan, math.nan
    a, b = np.asarray(person), np.asarray(model)
    picks = rng.integers(0, size, (_RESAMPLES, size))
    found = np.array([kappa(a[pick].tolist(), b[pick].tolist()) for pick in picks])
    found = found[~np.isnan(found)]
    if not found.size:
        return math.nan, math.nan
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
