"""The first suite: questions of service agents and merchandisers, judged against the raw files."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import mean, median
from typing import Any

from agent import Agent
from download import ensure_sample_data
from eval.truth import Truth, load_cases
from settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: what is wrong with the answer, and which of its figures the raw data does not bear out."""

    case: Mapping[str, Any]
    reply: Mapping[str, Any]
    wrong: list[str]
    untrue: list[str]
    seconds: float


def run_cases(agent: Agent, truth: Truth, cases: list[dict[str, Any]]) -> list[Outcome]:
    """Ask each case in order, sessions kept apart from those of other runs."""
    run, outcomes = uuid.uuid4().hex[:8], []
    for case in cases:
        session = f"{run}-{case['session']}" if case.get("session") else None
        begun = time.perf_counter()
        reply = agent.ask(case["question"], case["role"], case.get("customer"), session).to_dict()
        seconds = time.perf_counter() - begun
        outcomes.append(Outcome(case, reply, truth.check(case, reply), truth.audit(reply), seconds))
        _report(outcomes[-1])
    for session in {f"{run}-{c['session']}" for c in cases if c.get("session")}:
        agent.forget(session)
    return outcomes


def _report(outcome: Outcome) -> None:
    mark = "right" if not outcome.wrong else "WRONG"
    print(
        f"{mark}  {outcome.seconds:5.1f} s  {outcome.case['id']}: {outcome.case['question']}",
        file=sys.stderr,
        flush=True,
    )
    for why in [*outcome.wrong, *(f"untrue: {u}" for u in outcome.untrue)]:
        print(f"       {why}", file=sys.stderr, flush=True)


def figures(outcomes: list[Outcome]) -> dict[str, float]:
    """Return the suite's figures: shares of 1, seconds, and means a turn."""
    usage = [o.reply["usage"] for o in outcomes]
    return {
        "cases": len(outcomes),
        "right": sum(not o.wrong for o in outcomes),
        "score": round(mean(not o.wrong for o in outcomes), 4),
        "score_en": _share(outcomes, "en"),
        "score_zh": _share(outcomes, "zh"),
        "answers_all_true": round(mean(not o.untrue for o in outcomes), 4),
        "seconds_median": round(median(o.seconds for o in outcomes), 2),
        "llm_calls_mean": round(mean(u["llm_calls"] for u in usage), 2),
        "uncached_prompt_tokens_median": median(u["prompt_tokens"] - u["cached_tokens"] for u in usage),
        "own_ms_median": round(median(_own_ms(o) for o in outcomes), 1),
    }


def _share(outcomes: list[Outcome], language: str) -> float:
    chosen = [not o.wrong for o in outcomes if o.case["language"] == language]
    return round(mean(chosen), 4) if chosen else 0.0


def _own_ms(outcome: Outcome) -> float:
    """Our own time: linking, acting and verifying; planning and advising are the model's."""
    timings = outcome.reply["timings_ms"]
    return sum(timings.get(step, 0.0) for step in ("link", "act", "verify"))


def run(settings: Settings, *, suite: str, limit: int | None, as_json: bool, keep: Path | None = None) -> int:
    """Run the suite over the real agent; print a table, or one JSON object whose keys are the figures."""
    cases = load_cases(Path(str(resources.files("eval"))) / "cases" / f"{suite}.jsonl")[:limit]
    truth = Truth(ensure_sample_data(settings.cache))
    with Agent.open(settings) as agent:
        outcomes = run_cases(agent, truth, cases)
    found = figures(outcomes)
    _keep(keep or settings.var / "eval" / f"{suite}.jsonl", outcomes)
    if as_json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:32} {value:>10}" for name, value in found.items()))
    return 0


def _keep(path: Path, outcomes: list[Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "id": o.case["id"],
                "question": o.case["question"],
                "wrong": o.wrong,
                "untrue": o.untrue,
                "reply": o.reply,
            },
            ensure_ascii=False,
            default=str,
        )
        for o in outcomes
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Answers kept in {path}", file=sys.stderr)
