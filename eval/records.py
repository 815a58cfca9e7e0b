"""What a run of a suite leaves: `var/eval/runs/NAME/run.json` (what was run) and `results.jsonl` (a line a trial)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One trial of one case.

    case: the case's id; pair: shared by the same case in both languages ("" where there is none). score: 1.0 right,
    0.0 wrong, between for suites that grade. aspects: what was checked, each True or False. why: what was wrong, in
    words. failed: the trial broke off (an error, an unparseable judge), so it counts apart from wrong answers.
    """

    case: str
    suite: str
    topic: str
    language: str
    epoch: int
    score: float
    question: str
    answer: str
    pair: str = ""
    kind: str = ""
    aspects: dict[str, bool] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    failed: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    llm_calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False
    """Taken from an earlier run of the same prompt, model and case; its seconds and tokens are that run's."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, and what came of it."""

    name: str
    suites: list[str]
    model: str
    prompts: str
    """The prompts' folder, and a digest of everything in it."""
    prompts_digest: str
    seed: int
    epochs: int
    started: str
    results: list[Result] = field(default_factory=list)


def write(run: Run, folder: Path) -> None:
    """Write a run's folder whole: the results first, `run.json` last and by an atomic rename."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(result), ensure_ascii=False, default=str) for result in run.results)
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    about = {name: value for name, value in asdict(run).items() if name != "results"}
    unfinished = folder / "run.json.new"
    unfinished.write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.rename(folder / "run.json")


def read(folder: Path) -> Run:
    """Read a run's folder. Raises ValueError, in one line, where it is none."""
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Run(**about, results=list(_results(folder / "results.jsonl")))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no run of an eval ({error}); name a folder of var/eval/runs."
        ) from error


def _results(path: Path) -> Iterator[Result]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:  # other marks that end a line may stand in an answer
            yield Result(**json.loads(line))
