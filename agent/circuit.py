"""A circuit breaker (M. Nygard, Release It!): a server found down is left alone for a while, then probed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agent.errors import LLMUnavailable

REST_S = 5.0


class Circuit:
    """Keeps callers from waiting for a server that was just found down. Safe to use from several threads.

    probe: whether the server answers a cheap question now; it must return soon and raises nothing.
    rest_s: for how long calls fail at once, before one of them probes.
    """

    def __init__(self, probe: Callable[[], bool], rest_s: float = REST_S) -> None:
        self._probe, self._rest_s = probe, rest_s
        self._lock = threading.Lock()
        self._found: LLMUnavailable | None = None
        self._until = 0.0

    def enter(self) -> None:
        """Return when the server may be asked. Raises LLMUnavailable, as it was found, when it is down."""
        with self._lock:
            found = self._found
            if found is None:
                return
            now = time.monotonic()
            if now < self._until:
                raise type(found)(str(found))
            self._until = now + self._rest_s  # this call probes; others go on failing at once
        if not self._probe():
            raise type(found)(str(found))
        self.close()

    def open(self, found: LLMUnavailable) -> None:
        """The server was found down."""
        with self._lock:
            self._found, self._until = found, time.monotonic() + self._rest_s

    def close(self) -> None:
        """The server is up."""
        with self._lock:
            self._found = None
