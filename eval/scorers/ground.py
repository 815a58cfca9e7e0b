"""What a scorer judges by: the sample's own files, opened by the first scorer that needs them, and the data's days."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from eval.truth import Truth

Turn = Mapping[str, Any]
"""A turn of a case with the case's "language", "role" and "customer" beside its own keys."""
Reply = Mapping[str, Any]
"""`agent.Reply.to_dict`."""
Wrong = dict[str, list[str]]
"""What was checked, by aspect, and what is wrong with it in words; nothing where it is right."""


class Ground:
    """days: the data's first and last day (ISO). open_truth: opens the sample's files; it is called once, and only
    where something needs them. Safe to use from several threads."""

    def __init__(self, days: tuple[str, str], open_truth: Callable[[], Truth]) -> None:
        self.days = days
        self._open = open_truth
        self._lock = threading.RLock()

    @cached_property
    def truth(self) -> Truth:
        """The sample's files. Raises what opening them raises."""
        with self._lock:
            return self.__dict__["truth"] if "truth" in self.__dict__ else self._open()

    def check(self, turn: Turn, reply: Reply, checks: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what is wrong by these checks of eval/truth.py alone."""
        bare = {
            "id": turn.get("id", ""),
            "kind": reply["kind"],
            "language": reply["language"],
            "tools": (),
            "expect": (),
        }
        with self._lock:
            apart = len(self.truth.check(bare, reply))
            return self.truth.check(bare | {"expect": list(checks)}, reply)[apart:]

    def audit(self, reply: Reply) -> list[str]:
        """Return the statements of a reply that the sample's files contradict."""
        with self._lock:
            return self.truth.audit(reply)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query of the sample's files (see eval/raw.py)."""
        with self._lock:
            return self.truth.raw.rows(sql, params)
