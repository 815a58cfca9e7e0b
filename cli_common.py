"""What the commands of `shopkeeper` share: how they speak, show progress and refuse bad usage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

SAMPLE = "complete-journey"


class AddCommand(Protocol):
    """Adds a command to the parser and returns its own."""

    def __call__(
        self, name: str, run: Callable[..., int], words: str, model: bool = False
    ) -> argparse.ArgumentParser: ...


class UsageError(Exception):
    """The command line asks for something that cannot be; one line."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


class Bar:
    """Shows the stages of long work: a bar on a terminal, a line a stage elsewhere."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._tqdm, self._bar, self._live = tqdm, None, sys.stderr.isatty()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def stage(self, name: str) -> None:
        self._close()
        if self._live:
            self._bar = self._tqdm(
                desc=name, total=None, bar_format="{desc:<36}{bar:20} {elapsed}", file=sys.stderr
            )
        else:
            say(name)

    def step(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.total = total
            self._bar.n = done
            self._bar.refresh()
