"""Made-up runs of suites, with known scores, for tests of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.records import Result, Run

SUITES = {"arguments": 20, "refusal": 20}


def run(name: str, results: Sequence[Result], **about: Any) -> Run:
    given = {
        "model": "small", "prompts": "prompts", "prompts_digest": name * 3, "seed": 7, "epochs": 1,
        "started": "2026-11-26T20:00:00", **about,
    }  # fmt: skip
    return Run(name=name, suites=sorted({r.suite for r in results}), results=list(results), **given)


def result(case: str, score: float, suite: str = "arguments", language: str = "en", **more: Any) -> Result:
    said: dict[str, Any] = {
        "topic": "spend",
        "epoch": 0,
        "question": f"What of {case}?",
        "answer": f"says {score}",
    }
    said |= {"prompt_tokens": 900, "completion_tokens": 100, "seconds": 2.0, "llm_calls": 2} | more
    return Result(case=case, suite=suite, language=language, score=score, **said)


def results(
    suites: Mapping[str, int],
    right: Callable[[str, int], float],
    languages: Sequence[str] = ("en", "zh"),
    **more: Any,
) -> list[Result]:
    """So many pairs of cases for each suite, in each language; right(suite, number) -> score of both languages."""
    return [
        result(f"{suite}-{i}-{language}", right(suite, i), suite, language, pair=f"{suite}-{i}", **more)
        for suite, pairs in suites.items()
        for i in range(pairs)
        for language in languages
    ]


def regression() -> tuple[Run, Run]:
    """Arguments fall from 18 of 20 pairs to 6; refusal stays as it is."""
    a = run("good", results(SUITES, lambda suite, i: float(i < 18)))
    b = run("bad", results(SUITES, lambda suite, i: float(i < (6 if suite == "arguments" else 18))))
    return a, b
