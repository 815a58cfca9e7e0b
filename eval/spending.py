"""What runs took: tokens, seconds, calls and money, a trial and a right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval import stats
from eval.records import Result

Key = tuple[str, str]  # suite, case
Grouped = Mapping[Key, list[Result]]


@dataclass(frozen=True, slots=True)
class Spend:
    """What one run's trials of the compared cases took; the failed ones took it too. None: nothing to divide by."""

    trials: int
    right: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    llm_calls: int
    tokens_per_trial: float | None
    seconds_per_trial: float | None
    llm_calls_per_trial: float | None
    tokens_per_right: float | None
    seconds_per_right: float | None
    llm_calls_per_right: float | None
    cost_per_right: float | None
    """In the price's money; None without a price too."""


@dataclass(frozen=True, slots=True)
class SuiteSpend:
    """What a suite took in both runs ("": all of them)."""

    suite: str
    a: Spend
    b: Spend


def spend(sides: tuple[Grouped, Grouped], price: float | None) -> list[SuiteSpend]:
    """Return what both runs took, of the cases that both have; all suites first, then each.

    price: money per million tokens, prompt and completion alike.
    """
    keys = [key for key in sides[0] if key in sides[1]]
    suites = sorted({suite for suite, _ in keys})
    taken = []
    for suite in ["", *suites] if len(suites) > 1 else suites:
        chosen = [key for key in keys if suite in ("", key[0])]
        a, b = ([trial for key in chosen for trial in side[key]] for side in sides)
        taken.append(SuiteSpend(suite, _spent(a, price), _spent(b, price)))
    return taken


def _spent(trials: Sequence[Result], price: float | None) -> Spend:
    right = sum(stats.is_right(t.score) for t in trials if not t.failed)
    prompt, completion = sum(t.prompt_tokens for t in trials), sum(t.completion_tokens for t in trials)
    tokens, seconds, calls = (
        prompt + completion,
        sum(t.seconds for t in trials),
        sum(t.llm_calls for t in trials),
    )
    money = None if price is None else _each(tokens * price / 1e6, right)
    return Spend(
        len(trials), right, prompt, sum(t.cached_tokens for t in trials), completion, seconds, calls,
        *(_each(amount, len(trials)) for amount in (tokens, seconds, calls)),
        *(_each(amount, right) for amount in (tokens, seconds, calls)),
        cost_per_right=money,
    )  # fmt: skip


def _each(amount: float, among: int) -> float | None:
    return amount / among if among else None
