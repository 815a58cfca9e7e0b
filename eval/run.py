"""`shopkeeper eval SUITE`: run suites over the real agent, and keep what came of it.

A run is a folder of `var/eval/runs` (eval/records.py, eval/ledger.py); what was said is in Inspect's logs (`var/eval/logs`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import inspect_ai
from inspect_ai import Task

from download import ensure_sample_data
from eval import stage, users
from eval.cases import USERS, Case, load, resolve, spread
from eval.ledger import Asked, Ledger
from eval.progress import Progress
from eval.raw import RawData
from eval.records import Result, Run
from eval.table import figures, table
from eval.tasks.suites import task_of
from settings import Settings

RUNS = Path("eval") / "runs"


def run_suites(
    settings: Settings,
    suites: str | Sequence[str],
    *,
    model: str | None = None,
    prompts: Path | str | None = None,
    epochs: int = 1,
    limit: int | None = None,
    seed: int = 0,
    draws: int = 1,
    resume: bool = False,
    as_json: bool = False,
    name: str | None = None,
) -> int:
    """Run suites (see eval/cases.py; "all" for every one) and print a table, or one JSON object; return 0.

    model: in place of the settings' own. prompts: a folder in place of the package's. epochs: trials of each case.
    limit: about so many cases of each suite. seed: of the fresh cases; -1 for the written ones alone. draws: so many
    lots of fresh cases, with this seed and the next ones. resume: go on with the run of this name, or with the last one
    of just these suites that was cut off. name: the run's folder.

    Raises ValueError, in one line, for what cannot be run, and what `Agent.open` raises.
    """
    names = resolve([suites] if isinstance(suites, str) else suites)
    if draws < 1:
        raise ValueError(f"{draws} draws make no cases; give 1 or more")
    if epochs < 1:
        raise ValueError(f"{epochs} epochs leave nothing to run; give 1 or more")
    if model:
        settings = replace(settings, llm_model=model)
    folder = _folder(prompts)
    cases, actors = _cases(settings, names, seed, draws, limit)
    planted = stage.planted_names(case for of in cases.values() for case in of)
    with stage.opened(settings, prompts=folder, product_names=planted, on_progress=_say) as opened:
        opened.actors.update(actors)
        asked = Asked(list(cases), seed, epochs, limit, asdict(opened.identity), draws)
        ledger = Ledger.begin(settings.var.resolve() / RUNS, asked, name, resume)
        run = _run(settings, opened, cases, asked, ledger)
    found = {"name": run.name, "folder": str(ledger.folder), "model": run.model} | figures(run)
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    _say(f"Kept in {ledger.folder}; the conversations: inspect view --log-dir {_logs(settings)}")
    return 0


def _cases(
    settings: Settings, names: Sequence[str], seed: int, draws: int, limit: int | None
) -> tuple[dict[str, list[Case]], dict[str, users.User]]:
    """The cases by suite, in the order asked for, and who talks in those of `users`."""

    @cache
    def raw() -> RawData:
        return RawData(ensure_sample_data(settings.cache))

    found = load(names, seed=seed, draws=draws, raw=raw)
    actors = users.users(seed, raw(), draws) if USERS in names else {}
    found |= {USERS: users.cases(actors)} if actors else {}
    some = {suite: spread(found[suite], limit) for suite in names if found[suite]}
    if not some:
        raise ValueError(f"there are no cases of {', '.join(names)}; give a seed of 0 or more for fresh ones")
    return some, actors


def _folder(prompts: Path | str | None) -> Path | None:
    if prompts is None:
        return None
    if not Path(prompts).is_dir():
        raise ValueError(f"{prompts} is no folder of prompts; copy the package's own and change the copy")
    return Path(prompts)


def _run(
    settings: Settings, opened: stage.Stage, cases: dict[str, list[Case]], asked: Asked, ledger: Ledger
) -> Run:
    opened.done = dict(ledger.known)
    progress = Progress(asked.epochs * sum(map(len, cases.values())))

    def heard(result: Result) -> None:
        known = (result.suite, result.case, result.epoch) in opened.done
        if not known:
            ledger.add(result)
        progress.tell(result, known)

    opened.heard = heard
    tasks = [task_of(suite, of, asked.epochs, _no_other) for suite, of in cases.items()]
    with stage.using(opened):
        _inspect(tasks, _logs(settings), opened.workers)
    if not progress.whole:
        raise KeyboardInterrupt  # Inspect takes Ctrl-C for the end of the run, and returns as if it were one
    return ledger.finish()


def _no_other() -> Any:
    raise RuntimeError("a trial of the command ran outside its own stage")


def _logs(settings: Settings) -> Path:
    return settings.var.resolve() / "eval" / "logs"


def _inspect(tasks: Sequence[Task], logs: Path, workers: int) -> None:
    """Have Inspect run the tasks, one after the other. Raises KeyboardInterrupt where the user stopped it."""
    ended = inspect_ai.eval(
        list(tasks),
        model=None,
        display="none",
        log_level="warning",
        log_dir=str(logs),
        max_samples=workers,
        max_tasks=1,
        ctl_server=False,
        score_display=False,
    )
    for log in ended:
        if log.status == "cancelled":
            raise KeyboardInterrupt
        if log.status != "success":
            told = log.error.message if log.error else log.status
            raise RuntimeError(f"the suite {log.eval.task} broke off: {told}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
