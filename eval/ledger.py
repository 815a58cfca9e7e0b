"""A run's folder while it runs: results are appended as they come, and `asked.json` says of what they are, so that a run
that was cut off can go on where it was. The finished folder is that of eval/records.py."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from eval import records
from eval.records import Result, Run

_ASKED, _RESULTS = "asked.json", "results.jsonl"


@dataclass(frozen=True, slots=True)
class Asked:
    """What makes results comparable enough to stand in one run."""

    suites: list[str]
    seed: int
    epochs: int
    limit: int | None
    identity: dict[str, str]
    draws: int = 1


class Ledger:
    """A run's folder while it runs. known: what an earlier start of it has judged already."""

    def __init__(self, folder: Path, asked: Asked, started: str, known: Sequence[Result]) -> None:
        self.folder, self._asked, self._started = folder, asked, started
        self.known = {(r.suite, r.case, r.epoch): r for r in known}
        self._results = list(known)
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, runs: Path, asked: Asked, name: str | None, resume: bool) -> Ledger:
        """Make a new run's folder, or find the one to go on with. Raises ValueError where there is none, where it was of
        something else, and where a new run's name is taken."""
        if resume:
            return cls._again(_cut_off(runs, asked, name), asked)
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        folder = runs / (name or _name(asked, started))
        if (folder / _ASKED).exists() or (folder / "run.json").exists():
            raise ValueError(
                f"there is a run {folder.name} already; give --resume to go on with it, or another --name"
            )
        folder.mkdir(parents=True, exist_ok=True)
        about = asdict(asked) | {"started": started}
        (folder / _ASKED).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
        (folder / _RESULTS).write_bytes(b"")
        return cls(folder, asked, started, [])

    @classmethod
    def _again(cls, folder: Path, asked: Asked) -> Ledger:
        about = json.loads((folder / _ASKED).read_text(encoding="utf-8"))
        known = [result for result in _whole_lines(folder / _RESULTS) if not result.failed]
        ledger = cls(folder, asked, about["started"], known)
        # What was cut off in the middle of a line, and what failed, is played again.
        _write_lines(folder / _RESULTS, known)
        return ledger

    def add(self, result: Result) -> None:
        """Keep a result; it is on the disk when this returns."""
        with self._lock, (self.folder / _RESULTS).open("a", encoding="utf-8") as file:
            file.write(_line(result))
            file.flush()
            os.fsync(file.fileno())
            self._results.append(result)

    def finish(self) -> Run:
        """Write the whole run and return it."""
        identity = self._asked.identity
        run = Run(
            name=self.folder.name,
            suites=self._asked.suites,
            model=identity["model"],
            prompts=identity["prompts"],
            prompts_digest=identity["prompts_digest"],
            seed=self._asked.seed,
            epochs=self._asked.epochs,
            started=self._started,
            results=self._results,
        )
        records.write(run, self.folder)
        return run


def _name(asked: Asked, started: str) -> str:
    when = datetime.fromisoformat(started).strftime("%Y%m%d-%H%M%S")
    several = f"{asked.suites[0]}-and-{len(asked.suites) - 1}-more"
    return f"{when}-{asked.suites[0] if len(asked.suites) == 1 else several}"


def _cut_off(runs: Path, asked: Asked, name: str | None) -> Path:
    """The run to go on with: the one of this name, or the last one of just this that has not ended."""
    wanted = asdict(asked)
    if name is not None:
        told = _asked_of(runs / name)
        if told is None:
            raise ValueError(f"{runs / name} is no run to go on with; start it without --resume")
        if differing := [key for key, value in wanted.items() if told.get(key) != value]:
            raise ValueError(
                f"the run {name} was of other {' and '.join(differing)}; start a new one under another --name"
            )
        return runs / name
    for folder in sorted(runs.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True):
        told = _asked_of(folder)
        if told is not None and not (folder / "run.json").exists() and wanted.items() <= told.items():
            return folder
    raise ValueError("no run of just this was cut off; start it without --resume")


def _asked_of(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / _ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _whole_lines(path: Path) -> list[Result]:
    results = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            results.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return results


def _write_lines(path: Path, results: Sequence[Result]) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text("".join(map(_line, results)), encoding="utf-8")
    unfinished.replace(path)


def _line(result: Result) -> str:
    return json.dumps(asdict(result), ensure_ascii=False, default=str) + "\n"
