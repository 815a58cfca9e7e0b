"""The solver of every suite: it plays a case on the process's stage, in a thread, and shows the conversation to Inspect.

No model of Inspect's own is called; what answers is the whole agent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import anyio.to_thread
import duckdb
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from eval import stage as stages
from eval.cases import Case, from_dict
from eval.records import Result
from eval.replies import Played
from eval.scorers import judge

OpenStage = Callable[[], AbstractContextManager[stages.Stage]]
PLAYED = "played"
"""The key of what was played in an Inspect state's store."""


@solver
def converse(open_stage: OpenStage) -> Solver:
    """Play the case in the sample's metadata. open_stage: opens the stage where the process has none yet."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = from_dict(state.metadata["case"])
        stage = await anyio.to_thread.run_sync(functools.partial(stages.current, open_stage))
        if (case.suite, case.id, state.epoch) in stage.done:
            return state
        played = await anyio.to_thread.run_sync(functools.partial(stage.play, case, state.epoch))
        state.store.set(PLAYED, asdict(played))
        asked = played.said or [turn["question"] for part in case.parts or (case,) for turn in part.turns]
        state.messages = []
        for question, reply in zip(asked, played.replies, strict=False):
            state.messages += [
                ChatMessageUser(content=question),
                ChatMessageAssistant(content=reply["answer"] or "…"),
            ]
        answer = played.replies[-1]["answer"] if played.replies else played.failed
        state.output = ModelOutput.from_content(stage.identity.model or "none", answer)
        return state

    return solve


def result(case: Case, epoch: int, played: Played, stage: stages.Stage) -> Result:
    """Judge what was played. A check that cannot be made breaks the trial off, as an error of the agent does."""
    failed, verdict = played.failed, played.verdict
    if not failed and verdict is None:
        try:
            verdict = asdict(judge(case, played.replies, stage.ground))
        except (ValueError, TypeError, LookupError, duckdb.Error) as error:
            failed = f"not judged: {type(error).__name__}: {error}"
    told: Mapping[str, Any] = verdict if verdict and not failed else {"score": 0.0, "aspects": {}, "why": []}
    usage = [reply.get("usage", {}) for reply in played.replies]
    return Result(
        case=case.id,
        suite=case.suite,
        topic=case.topic,
        language=case.language,
        epoch=epoch,
        score=told["score"],
        question="\n".join(played.said) or case.question,
        answer="\n\n".join(str(reply["answer"]) for reply in played.replies),
        pair=case.pair,
        kind=str(played.replies[-1]["kind"]) if played.replies else "",
        aspects=told["aspects"],
        why=told["why"],
        failed=failed,
        steps=[dict(step) for reply in played.replies for step in reply.get("steps", ())],
        seconds=round(played.seconds, 3),
        cached=played.cached,
        **{name: _sum(usage, name) for name in ("llm_calls", "prompt_tokens", "cached_tokens", "completion_tokens")},
    )  # fmt: skip


def _sum(usage: list[dict[str, Any]], name: str) -> int:
    return sum(int(of.get(name, 0)) for of in usage)
