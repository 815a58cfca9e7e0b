"""What a run's results come to: scores by suite and language, what failed most, seconds, calls and tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from eval import stats
from eval.records import Result, Run

ALL = "all"
_ORDER = {ALL: 0, "en": 1, "zh": 2, "both": 3}
_MOST = 8


def figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run: {"suites": {suite: {language or "all": {"score", "low", "high", "cases", "trials"}}},
    "aspects": {suite: {aspect: {"wrong", "checked"}}}, "failed", "cached", "seconds_median", "llm_calls_mean",
    "prompt_tokens_mean", "completion_tokens_mean"}, and with several epochs "pass": {suite: {k: share}}.

    Scores are shares of cases, each the mean of its trials; trials that broke off are in none but "failed".
    """
    judged = [r for r in run.results if not r.failed]
    found: dict[str, Any] = {
        "suites": {suite: _scores([r for r in judged if r.suite == suite]) for suite in run.suites},
        "aspects": {suite: _aspects([r for r in judged if r.suite == suite]) for suite in run.suites},
        "failed": len(run.results) - len(judged),
        "cached": sum(r.cached for r in run.results),
        "seconds_median": round(median(r.seconds for r in judged), 2) if judged else 0.0,
    }
    for name in ("llm_calls", "prompt_tokens", "completion_tokens"):
        found[f"{name}_mean"] = (
            round(sum(getattr(r, name) for r in judged) / len(judged), 2) if judged else 0.0
        )
    if run.epochs > 1:
        found["pass"] = {s: _passes([r for r in judged if r.suite == s], run.epochs) for s in run.suites}
    return found


def _scores(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    languages = sorted({r.language for r in results}, key=lambda name: (_ORDER.get(name, 9), name))
    groups = {ALL: list(results)} | {name: [r for r in results if r.language == name] for name in languages}
    found = {}
    for name, group in groups.items():
        one = stats.score(_trials(group), {r.case: r.pair or r.case for r in group})
        found[name] = {"score": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4),
                       "cases": one.n, "trials": len(group)}  # fmt: skip
    return found


def _trials(results: Sequence[Result]) -> dict[str, list[float]]:
    trials: dict[str, list[float]] = {}
    for r in results:
        trials.setdefault(r.case, []).append(r.score)
    return trials


def _passes(results: Sequence[Result], epochs: int) -> dict[str, float]:
    clusters = {r.case: r.pair or r.case for r in results}
    trials = _trials(results)
    return {str(k): round(stats.pass_power(trials, k, clusters).value, 4) for k in range(1, epochs + 1)}


def _aspects(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    checked = Counter(aspect for r in results for aspect in r.aspects)
    wrong = Counter(aspect for r in results for aspect, right in r.aspects.items() if not right)
    order = sorted(checked, key=lambda aspect: (-wrong[aspect], aspect))
    return {aspect: {"wrong": wrong[aspect], "checked": checked[aspect]} for aspect in order}


def table(found: Mapping[str, Any]) -> str:
    """Write a run's figures for people."""
    lines = [f"{'suite':<18}{'language':<10}{'score':>7}   {'95 % interval':<15}{'cases':>6}"]
    for suite, scores in found["suites"].items():
        for language, s in scores.items():
            if len(scores) == 2 and language != ALL:
                continue  # one language alone: its line would repeat the first
            interval = f"{s['low']:.3f} - {s['high']:.3f}"
            name = suite if language == ALL else ""
            lines.append(f"{name:<18}{language:<10}{s['score']:>7.3f}   {interval:<15}{s['cases']:>6}")
    for suite, passes in found.get("pass", {}).items():
        lines.append(
            f"{suite:<18}" + "   ".join(f"pass^{k} {share:.3f}" for k, share in passes.items() if k != "1")
        )
    lines += ["", *_failed_most(found["aspects"]), f"median seconds {found['seconds_median']}, of a trial: "
              f"{found['llm_calls_mean']} LLM calls, {found['prompt_tokens_mean']:.0f} prompt tokens, "
              f"{found['completion_tokens_mean']:.0f} completion tokens"]  # fmt: skip
    if found["failed"]:
        lines.append(f"{found['failed']} trials broke off and are in no score")
    return "\n".join(lines)


def _failed_most(aspects: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    rows = [(n["wrong"], n["checked"], suite, a) for suite, of in aspects.items() for a, n in of.items()]
    worst = sorted((row for row in rows if row[0]), key=lambda row: (-row[0], row[2:]))[:_MOST]
    if not worst:
        return []
    shown = [
        f"  {suite:<18}{aspect:<14}{wrong:>4} of {checked} wrong" for wrong, checked, suite, aspect in worst
    ]
    return ["what failed most", *shown, ""]
