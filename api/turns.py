"""Questions while they are answered: in threads of their own, so many at once, withdrawn when the asker leaves.

The agent blocks while it waits for its model, so each turn has a thread; the event loop only hands on what the
thread says. A caller who reads slowly therefore holds a connection, and neither a thread nor the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request

from api.errors import Problem

AT_ONCE, WAITING = 64, 256
"""Turns that run at once, and how many more may wait for one of them to end."""
_LONGEST_RETRY = 60
T = TypeVar("T")
_END = object()
Make = Callable[[threading.Event], Iterator[Any]]


class Turns:
    """Runs turns. at_once: threads. waiting: turns that may queue; one more is refused with 429."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._at_once, self._most = at_once, at_once + waiting
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="turn")
        self._lock = threading.Lock()
        self._taken, self._mean = 0, 1.0

    @property
    def taken(self) -> int:
        """How many turns run or wait."""
        return self._taken

    def begin(self, make: Make) -> Turn:
        """Start a turn: `make(cancel)` gives its events in a thread. Raises Problem 429 where too many wait."""
        with self._lock:
            if self._taken >= self._most:
                wait = math.ceil(min(_LONGEST_RETRY, max(1.0, self._mean * self._taken / self._at_once)))
                raise Problem(
                    429, "more questions wait than can be answered now", code="overload",
                    headers={"Retry-After": str(wait)}, allowed=f"ask again in {wait} s",
                )  # fmt: skip
            self._taken += 1
        turn = Turn(make, asyncio.get_running_loop())
        try:
            self._pool.submit(self._run, turn)
        except RuntimeError as error:  # the pool has been shut
            self._done(None)
            raise Problem(503, "the server is about to end", headers={"Retry-After": "10"}) from error
        return turn

    def _run(self, turn: Turn) -> None:
        begun = time.monotonic()
        try:
            turn.pump()
        finally:
            self._done(time.monotonic() - begun)

    def _done(self, seconds: float | None) -> None:
        with self._lock:
            self._taken -= 1
            if seconds is not None:
                self._mean = 0.9 * self._mean + 0.1 * seconds

    def close(self) -> None:
        """Take no more turns; those that wait are dropped, those that run go on to their end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Turn:
    """One turn's events, to be read once; leaving `async with` before its end withdraws it."""

    def __init__(self, make: Make, loop: asyncio.AbstractEventLoop) -> None:
        self._make, self._loop = make, loop
        self._cancel = threading.Event()
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def pump(self) -> None:
        """Hand the events to the event loop; runs in a thread."""
        last: Any = _END
        try:
            if not self._cancel.is_set():
                for event in self._make(self._cancel):
                    self._hand(event)
        except Exception as error:
            last = error
        self._hand(last)

    def _hand(self, value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody listens
            self._loop.call_soon_threadsafe(self._queue.put_nowait, value)

    async def next(self) -> Any:
        """Return the next event, None after the last; raises what the turn raised."""
        value = await self._queue.get()
        if isinstance(value, Exception):
            raise value
        return None if value is _END else value

    async def all(self) -> AsyncIterator[Any]:
        """Yield what is left."""
        while (event := await self.next()) is not None:
            yield event

    def withdraw(self) -> None:
        """Have the agent stop; harmless once it has ended."""
        self._cancel.set()

    async def __aenter__(self) -> Turn:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.withdraw()


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Return what `work` gives; raise Problem 499 as soon as the caller has closed the connection."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_closed(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Problem(499, "the caller has left", code="cancelled")
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _closed(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
