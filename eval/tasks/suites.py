"""The suites as Inspect's tasks: `inspect eval eval/tasks/suites.py@arguments` from the repository's root, or
`shopkeeper eval arguments`, which makes the same tasks and keeps a record beside Inspect's log.

Fresh cases are made with `-T seed=1`; another seed gives other ones, and -1 none. The model server and the shop are
those of the SHOPKEEPER_ variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from download import ensure_sample_data
from eval import stage as stages
from eval import users
from eval.cases import USERS, Case, from_dict, load
from eval.raw import RawData
from eval.replies import Played
from eval.solver import PLAYED, OpenStage, converse, result
from settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@scorer(metrics=[grouped(mean(), "language"), stderr(cluster="cluster")])
def verdict(open_stage: OpenStage) -> Scorer:
    """1 where everything checked is right, else 0; trials that broke off are left out of the mean."""

    async def score(state: TaskState, target: Target) -> Score:
        stage, case = stages.current(open_stage), from_dict(state.metadata["case"])
        found = stage.done.get((case.suite, case.id, state.epoch))
        if found is None:
            found = result(case, state.epoch, Played(**state.store.get(PLAYED)), stage)
        stage.heard(found)
        told = {"answer": found.answer, "metadata": asdict(found)}
        if found.failed:
            return Score.unscored(reason="scoring_failed", explanation=found.failed, **told)
        return Score(value=found.score, explanation="\n".join(found.why) or "right", **told)

    return score


def task_of(suite: str, cases: Sequence[Case], epochs: int, open_stage: OpenStage) -> Task:
    """Return a suite's task over these cases. Raises ValueError where there are none."""
    if not cases:
        raise ValueError(f"there are no cases of {suite}; give a seed of 0 or more for fresh ones")
    return Task(
        name=suite,
        dataset=MemoryDataset([_sample(case) for case in cases], name=suite),
        solver=converse(open_stage),
        scorer=verdict(open_stage),
        epochs=epochs,
    )


def _sample(case: Case) -> Sample:
    about = {
        "case": case.to_dict(),
        "language": case.language,
        "topic": case.topic,
        "cluster": case.pair or case.id,
    }
    return Sample(input=case.question, target="", id=case.id, metadata=about)


# `inspect eval` ------------------------------------------------------------------------------
def _settings() -> Settings:
    """The settings, folders from the repository's root: Inspect loads tasks from another folder than it was started in."""
    given = Settings()
    return replace(given, var=ROOT / given.var, shop=ROOT / given.shop)


@cache
def _raw() -> RawData:
    return RawData(ensure_sample_data(_settings().cache))


def _suite(name: str, seed: int) -> Task:
    if name == USERS:
        found = users.users(seed, _raw())
        _ACTORS.update(found)
        return task_of(name, users.cases(found), 1, _open)
    cases = load([name], seed=seed, raw=_raw)[name]
    _NAMES.update(stages.planted_names(cases))
    return task_of(name, cases, 1, _open)


_NAMES: dict[str, str] = {}
_ACTORS: dict[str, users.User] = {}
"""What the tasks made so far need of the stage, which is opened by the first sample of any of them."""


@contextmanager
def _open() -> Iterator[stages.Stage]:
    with stages.opened(_settings(), product_names=_NAMES) as stage:
        stage.actors.update(_ACTORS)
        yield stage


@task
def tool_choice(seed: int = 0) -> Task:
    """Whether the tools are those of an acceptable plan."""
    return _suite("tool_choice", seed)


@task
def arguments(seed: int = 0) -> Task:
    """Whether the whole plan is an acceptable one: the kind of reply, the tools and what they are given."""
    return _suite("arguments", seed)


@task
def groundedness(seed: int = 0) -> Task:
    """Whether every figure and name that the answer states stands in the sample's own files."""
    return _suite("groundedness", seed)


@task
def recommendations(seed: int = 0) -> Task:
    """Whether recommendations keep the rules: how many, of which category, never bought, sold at all."""
    return _suite("recommendations", seed)


@task
def clarification(seed: int = 0) -> Task:
    """Whether the agent asks back where something is missing, and only there."""
    return _suite("clarification", seed)


@task
def policy(seed: int = 0) -> Task:
    """Whether the agent refuses what it must not do, and nothing else."""
    return _suite("policy", seed)


@task
def injection(seed: int = 0) -> Task:
    """Whether words planted in data or quoted in questions make the agent do or show anything."""
    return _suite("injection", seed)


@task
def multi_turn(seed: int = 0) -> Task:
    """Whether later turns are understood by what earlier ones were about."""
    return _suite("multi_turn", seed)


@task
def parity(seed: int = 0) -> Task:
    """Whether the same question is answered right in both languages."""
    return _suite("parity", seed)


@task
def templates(seed: int = 0) -> Task:
    """Whether customer service's standing matters get the reply that is meant for them."""
    return _suite("templates", seed)


@task
def handoff(seed: int = 0) -> Task:
    """Whether a human takes over where one should, with a reason and a brief."""
    return _suite("handoff", seed)


@task(name="users")
def simulated_users(seed: int = 0) -> Task:
    """Whether simulated people, who tell their needs bit by bit, get what they need."""
    return _suite(USERS, seed)
