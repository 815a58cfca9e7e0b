"""The suite of plans: questions with every acceptable plan, judged by the calls that the agent ran.

A case is a line of `eval/cases/questions_{dev,test,fresh,unseen}.jsonl`: {"id", "split", "topic", "language", "role",
"customer" (optional), "question", "kind", "plans": [[{"tool", "args"}, …], …], "ordered" (optional)}.
A reply is right when its kind is the case's and its steps are one of the plans: the same calls, in any
order unless `ordered`, none more and none less. Of each call only the arguments that the plan names are
compared; null says that the argument must not be set, `FOUND` that it is what an earlier call found. A tool that writes is asked back about before it
runs, so such a case has the kind "clarify" and the empty plan.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import permutations
from pathlib import Path
from statistics import mean, median
from typing import IO, Any

from agent import Agent
from eval.truth import load_cases
from settings import Settings

Call = Mapping[str, Any]
Case = Mapping[str, Any]
Days = tuple[str, str]
SPLITS = ("dev", "test", "fresh")
UNSEEN = "unseen"
"""Questions of people who knew the tools and not the code, each in one language only."""
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong with a plan: at which step of the work ("kind", "tool" or "args"; "failed" where
    the turn broke off), what was got in place of what, and which arguments."""

    step: str
    detail: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, its reply (`Reply.to_dict`), what was wrong with the plan if anything, and the seconds."""

    case: Case
    reply: Mapping[str, Any]
    fault: Fault | None
    seconds: float


# judging -------------------------------------------------------------------------------------
def judge(case: Case, kind: str, steps: Sequence[Call], days: Days) -> Fault | None:
    """Return what is wrong with a reply of this kind that ran these steps, None where nothing is.

    days: the data's first and last day (ISO); a period that begins or ends there is not limited there.
    """
    ran = _shown(steps)
    if kind != case["kind"]:
        return Fault("kind", f"{kind} ({ran}) instead of {case['kind']} ({_shown(case['plans'][0])})")
    near = [
        (plan, _differing(plan, steps, days, bool(case.get("ordered"))))
        for plan in case["plans"]
        if _tools(plan) == _tools(steps)
    ]
    if not near:
        return Fault("tool", f"{ran} instead of {_wanted(case['plans'])}")
    plan, wrong = min(near, key=lambda pair: len(pair[1]))
    return Fault("args", f"{ran} instead of {_shown(plan)}", tuple(wrong)) if wrong else None


def _tools(calls: Sequence[Call]) -> Counter[str]:
    return Counter(call["tool"] for call in calls)


def _differing(plan: Sequence[Call], steps: Sequence[Call], days: Days, ordered: bool) -> list[str]:
    """Return the arguments that differ, in the pairing of planned and run calls that differs least;
    "order" where the very tools came in another order than was asked for."""
    orders: Iterable[Sequence[Call]] = (steps,) if ordered else permutations(steps)
    found = (_pairwise(plan, order, days) for order in orders)
    return min((wrong for wrong in found if wrong is not None), key=len, default=["order"])


def _pairwise(plan: Sequence[Call], steps: Sequence[Call], days: Days) -> list[str] | None:
    if [c["tool"] for c in plan] != [c["tool"] for c in steps]:
        return None
    return [
        name
        for planned, ran in zip(plan, steps, strict=True)
        for name, wanted in planned["args"].items()
        if not _same(name, wanted, ran["args"].get(name), days)
    ]


def _same(name: str, wanted: Any, got: Any, days: Days) -> bool:
    if wanted in (
        FOUND,
        [FOUND],
    ):  # depends on the build: a segment's number, who is alike, who will likely buy
        return bool(got)
    if name == "filters" and isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(_same(kind, wanted.get(kind), got.get(kind), days) for kind in {*wanted, *got})
    if name == "amount" and isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(
            _plain(bound, value, days) == _plain(bound, got.get(bound), days)
            for bound, value in wanted.items()
        )
    return _plain(name, wanted, days) == _plain(name, got, days)


def _plain(name: str, value: Any, days: Days) -> Any:
    """Return an argument's value with what means the same written the same: no value, False, no filter
    and by "none" are all None; keys have no order; numbers are numbers; the data's ends are no limit."""
    if isinstance(value, Mapping):
        return {key: inner for key, v in value.items() if (inner := _plain(key, v, days)) is not None} or None
    if isinstance(value, list | tuple):
        return frozenset(map(str, value)) or None
    if value in (None, False, "", "none") or (name, value) in (("start", days[0]), ("end", days[1])):
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _wanted(plans: Sequence[Sequence[Call]]) -> str:
    """Write the acceptable tools, each combination once."""
    return " or ".join(dict.fromkeys(" + ".join(c["tool"] for c in plan) or "no call" for plan in plans))


def _shown(calls: Sequence[Call]) -> str:
    """Write calls as a person reads them; arguments that are not set are left out."""
    written = [
        f"{c['tool']}({', '.join(_argument(*pair) for pair in c['args'].items() if _set(pair[1]))})"
        for c in calls
    ]
    return " + ".join(written) or "no call"


def _set(value: Any) -> bool:
    return value not in (None, False, "", "none") and value != {}


def _argument(name: str, value: Any) -> str:
    return (
        f"{name}={value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}"
    )


FOUND = "*"
"""In a plan: whatever an earlier call found, which is another with each build of the shop."""


# asking --------------------------------------------------------------------------------------
def spread(cases: Sequence[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """Return about `limit` cases, spread over the whole file so that every topic has its share; a
    meaning is taken in all its languages, so there may be a few more."""
    if limit is None or limit >= len(cases):
        return list(cases)
    meanings: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        meanings.setdefault(case["id"].rpartition("-")[0], []).append(case)
    groups = list(meanings.values())
    wanted = max(1, min(len(groups), -(-limit * len(groups) // len(cases))))
    return [case for i in range(wanted) for case in groups[i * len(groups) // wanted]]


def run_cases(agent: Agent, cases: Sequence[Case], keep: IO[str] | None = None) -> list[Outcome]:
    """Ask each case in a session of its own and forget it; what is judged goes to `keep` line by line."""
    run, begun, outcomes = uuid.uuid4().hex[:8], time.perf_counter(), []
    info = agent.shop.info
    days = info.first_day.isoformat(), info.last_day.isoformat()
    for case in cases:
        outcomes.append(_asked(agent, case, f"{run}-{case['id']}", days))
        if keep is not None:
            keep.write(_line(outcomes[-1]) + "\n")
            keep.flush()
        _report(outcomes, len(cases), time.perf_counter() - begun)
    return outcomes


def _asked(agent: Agent, case: Case, session: str, days: Days) -> Outcome:
    begun = time.perf_counter()
    try:
        reply = agent.ask(case["question"], case["role"], case.get("customer"), session).to_dict()
    except Exception as error:  # a turn that breaks off is a wrong one; the others are judged all the same
        seconds = time.perf_counter() - begun
        return Outcome(case, {}, Fault("failed", f"{type(error).__name__}: {error}"), seconds)
    finally:
        agent.forget(session)
    seconds = time.perf_counter() - begun
    return Outcome(case, reply, judge(case, reply["kind"], reply["steps"], days), seconds)


def _report(outcomes: Sequence[Outcome], total: int, passed: float) -> None:
    o, done = outcomes[-1], len(outcomes)
    left = round(passed / done * (total - done))
    place = (
        f"{done}/{total}, {sum(x.fault is None for x in outcomes)} right, {left // 60}:{left % 60:02d} left"
    )
    mark = "right" if o.fault is None else "WRONG"
    why = f"\n       {_why(o.fault)}" if o.fault else ""
    print(
        f"[{place}] {mark} {o.seconds:5.1f} s  {o.case['id']}: {o.case['question']}{why}",
        file=sys.stderr,
        flush=True,
    )


def _why(fault: Fault) -> str:
    return f"{fault.step}{f' {chr(44).join(fault.args)}' if fault.args else ''}: {fault.detail}"


def _line(o: Outcome) -> str:
    fault = {"step": o.fault.step, "args": list(o.fault.args), "detail": o.fault.detail} if o.fault else None
    kept = {
        "id": o.case["id"],
        "question": o.case["question"],
        "wrong": fault,
        "seconds": round(o.seconds, 3),
        "reply": o.reply,
    }
    return json.dumps(kept, ensure_ascii=False, default=str)


# figures -------------------------------------------------------------------------------------
def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the suite's figures: questions right by language and topic, at which step and by which
    argument plans failed, seconds, LLM calls, and every wrong plan."""
    usage = [o.reply["usage"] for o in outcomes if o.reply]
    wrong = [(o, o.fault) for o in outcomes if o.fault]
    return {
        "questions": len(outcomes),
        "right": len(outcomes) - len(wrong),
        "score": _score(outcomes),
        **{f"score_{language}": _score([o for o in outcomes if o.case["language"] == language]) for language in LANGUAGES},
        "topics": {topic: _by_language([o for o in outcomes if o.case["topic"] == topic]) for topic in _topics(outcomes)},
        "failed_step": dict(Counter(fault.step for _, fault in wrong).most_common()),
        "failed_args": dict(Counter(name for _, fault in wrong for name in dict.fromkeys(fault.args)).most_common()),
        "seconds_median": round(median(o.seconds for o in outcomes), 2) if outcomes else 0.0,
        "llm_calls_mean": round(mean(u["llm_calls"] for u in usage), 2) if usage else 0.0,
        "wrong": [{"id": o.case["id"], "question": o.case["question"], "step": fault.step, "args": list(fault.args),
                   "detail": fault.detail} for o, fault in wrong],
    }  # fmt: skip


def _score(outcomes: Sequence[Outcome]) -> float:
    return round(mean(o.fault is None for o in outcomes), 4) if outcomes else 0.0


def _topics(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(o.case["topic"] for o in outcomes))


def _by_language(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    found = {}
    for language in LANGUAGES:
        asked = [o for o in outcomes if o.case["language"] == language]
        found[language] = {"right": sum(o.fault is None for o in asked), "total": len(asked)}
    return found


def table(found: Mapping[str, Any]) -> str:
    """Write the figures for people: topics by language, where plans failed, and each wrong one."""
    lines = [f"{'topic':14}{'en':>10}{'zh':>10}"]
    for topic, by in found["topics"].items():
        lines.append(f"{topic:14}" + "".join(f"{by[x]['right']:>5} / {by[x]['total']:>2}" for x in LANGUAGES))
    lines += [f"{'all':14}{found['right']:>5} / {found['questions']}"]
    lines += [
        "",
        *(f"{name:18}{found[name]:>8}" for name, value in found.items() if isinstance(value, float)),
    ]
    for name in ("failed_step", "failed_args"):
        if found[name]:
            lines.append(f"{name:18}  " + ", ".join(f"{what} {count}" for what, count in found[name].items()))
    for wrong in found["wrong"]:
        fault = Fault(wrong["step"], wrong["detail"], tuple(wrong["args"]))
        lines += ["", f"{wrong['id']}: {wrong['question']}", f"  {_why(fault)}"]
    return "\n".join(lines)


def run(settings: Settings, *, split: str, limit: int | None, as_json: bool) -> int:
    """Run a split over the real agent; print a table, or one JSON object whose keys are the figures."""
    cases = load_cases(Path(str(resources.files("eval"))) / "cases" / f"questions_{split}.jsonl")
    kept = settings.var / "eval" / f"plans-{split}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with Agent.open(settings) as agent, kept.open("w", encoding="utf-8") as keep:
        found = figures(run_cases(agent, spread(cases, limit), keep))
    print(f"Replies kept in {kept}", file=sys.stderr)
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    return 0
