"""How far a fetch is, shown on one bar."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tqdm import tqdm


def progress_bar(label: str, total: int, quiet: bool) -> tqdm:
    return tqdm(
        total=total,
        desc=label,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        disable=quiet,
        mininterval=0.5,
    )


class Progress:
    """Bytes seen by several downloads at once, shown on one bar that never runs past the total."""

    def __init__(self, bar: tqdm, total: int, done: int = 0) -> None:
        self._bar, self._total, self._base = bar, total, done
        self._parts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._show()

    def set(self, seen: int) -> None:
        """The only download has `seen` bytes."""
        self._note("", seen)

    def part(self, name: str) -> Callable[[int], None]:
        """Return the reporter of one of several downloads."""
        return lambda seen: self._note(name, seen)

    def _note(self, name: str, seen: int) -> None:
        with self._lock:
            self._parts[name] = seen
            self._show()

    def _show(self) -> None:
        at = min(self._base + sum(self._parts.values()), self._total)
        self._bar.update(at - self._bar.n)
