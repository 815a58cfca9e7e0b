"""Progress: a line a trial, with what was right so far and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from eval.records import Result


class Progress:
    """Tells of results as they come. total: trials of the run. clock: seconds, for tests."""

    def __init__(
        self, total: int, to: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._to, self._clock = total, to, clock
        self._begun, self._done, self._right, self._failed, self._fresh = clock(), 0, 0, 0, 0

    @property
    def whole(self) -> bool:
        """Whether every trial of the run was told of."""
        return self._done >= self._total

    def tell(self, result: Result, known: bool = False) -> None:
        """Write the line of a result. known: it was there from an earlier run, so it took no time."""
        self._done += 1
        self._fresh += not (known or result.cached)
        self._failed += bool(result.failed)
        self._right += not result.failed and result.score == 1.0
        mark = "FAILED" if result.failed else "right" if result.score == 1.0 else "WRONG"
        place = f"{self._done}/{self._total}, {self._right} right"
        place += f", {self._failed} failed" if self._failed else ""
        why = result.failed or (result.why[0] if result.why else "")
        kept = " (kept)" if known or result.cached else ""
        question = " / ".join(result.question.splitlines())
        line = f"[{place}, {self._left()} left] {mark} {result.seconds:5.1f} s{kept}  {result.suite} {result.case}: {question}"
        print(f"{line}\n       {why}" if why else line, file=self._to or sys.stderr, flush=True)

    def _left(self) -> str:
        """By the trials that were really played; those still to come may be kept ones, so it is at most this."""
        passed = self._clock() - self._begun
        seconds = round(passed / self._fresh * (self._total - self._done)) if self._fresh else 0
        hours, rest = divmod(seconds, 3600)
        clock = f"{rest // 60:02d}:{rest % 60:02d}"
        return f"{hours}:{clock}" if hours else clock.removeprefix("0")
