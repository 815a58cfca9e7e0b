"""The threads that empty the queue: conversations side by side, each conversation in order."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from api.desk.base import Answers
from api.desk.delivery import AgentFailed, Delivery, Desk, EarlierFirst
from api.desk.errors import DeskBusy, DeskError, DeskRefused, NotYet
from api.desk.queue import DeskQueue, Entry
from customers.errors import BadInput

log = logging.getLogger("shopkeeper.desk")
NOT_YET_SECONDS = 3.0
_LOCK = "desks.lock"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things are waited for, in seconds.

    settle: after a message came in, so that one that was sent before it may overtake it. first, longest: the
    wait before the second try, which doubles up to the longest. tries: after so many an event is given up.
    """

    settle: float = 0.3
    first: float = 2.0
    longest: float = 600.0
    tries: int = 14

    def wait(self, tries: int) -> float:
        return min(self.longest, self.first * 2**tries)


class Courier(threading.Thread):
    """Carries events from the queue through `Delivery`, `workers` conversations at a time.

    Of several processes on one shop one courier works; the others wait to take over. An event that a killed
    process was at is taken up again, since it is waiting until it is done.
    """

    def __init__(
        self,
        shop: Path,
        queue: DeskQueue,
        desks: Mapping[str, Desk],
        answers: Answers,
        workers: int = 8,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name="courier", daemon=True)
        self._shop, self._queue, self._desks = shop, queue, desks
        self._delivery = Delivery(queue, desks, answers)
        self._patience = patience or Patience()
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="desk")
        self._busy: set[tuple[str, str]] = set()
        self._guard = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()

    @property
    def settle(self) -> float:
        return self._patience.settle

    def wake(self) -> None:
        """Something came in; do not wait for the next round."""
        self._wake.set()

    def run(self) -> None:
        lock = os.open(self._shop / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if self._owns(lock):
                self._work()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            os.close(lock)

    def _owns(self, lock: int) -> bool:
        """Wait until no other process empties this queue; False where we are told to end before."""
        while not self._ended.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                self._ended.wait(1.0)
        return False

    def _work(self) -> None:
        troubled = False
        while not self._ended.is_set():
            self._wake.clear()
            try:
                due = self._round()
                troubled = False
            except BadInput as error:
                if not troubled:
                    log.warning("the desks' queue cannot be used: %s", error)
                troubled, due = True, 5.0
            except Exception:  # a fault of ours must not end the thread: messages would wait for ever
                log.exception("a fault of the courier")
                due = 1.0
            self._wake.wait(min(due, 1.0))

    def _round(self) -> float:
        """Begin what is due and return in how many seconds to look again."""
        with self._guard:
            busy = set(self._busy)
        if len(busy) >= self._workers:
            return 1.0
        begun = 0
        for entry in self._queue.heads(self._workers + len(busy)):
            place = (entry.desk, entry.event.conversation)
            if place in busy or len(busy) >= self._workers:
                continue
            busy.add(place)
            with self._guard:
                self._busy.add(place)
            self._pool.submit(self._one, entry, place)
            begun += 1
        due = self._queue.next_due()
        # What is due but whose conversation is at work is looked at again when that work wakes us.
        return 1.0 if due is None else max(due, 0.02 if begun or not busy else 1.0)

    def _one(self, entry: Entry, place: tuple[str, str]) -> None:
        try:
            self._try(entry)
        except Exception:  # a fault of ours must not lose the event: it stays where it is
            log.exception("a fault at %s %s", entry.desk, entry.event.key)
        finally:
            with self._guard:
                self._busy.discard(place)
            self._wake.set()

    def _try(self, entry: Entry) -> None:
        try:
            if entry.desk not in self._desks:
                raise DeskRefused(f"the desks' file has no [{entry.desk}] any more")
            self._delivery.deliver(entry)
        except EarlierFirst:
            self._queue.later(entry, 0.0, "", counted=False)
        except NotYet as error:
            self._queue.later(entry, NOT_YET_SECONDS, str(error), counted=False)
        except DeskBusy as error:
            self._again(entry, str(error), error.after)
        except AgentFailed as error:
            self._again(entry, str(error))
        except DeskError as error:
            self._give_up(entry, str(error))
        except Exception as error:
            log.exception("a fault at %s %s", entry.desk, entry.event.key)
            self._again(entry, f"a fault ({type(error).__name__}); see the log")

    def _again(self, entry: Entry, reason: str, after: float = 0.0) -> None:
        if entry.tries + 1 >= self._patience.tries:
            self._give_up(entry, reason)
        else:
            self._queue.later(entry, max(after, self._patience.wait(entry.tries)), reason)

    def _give_up(self, entry: Entry, reason: str) -> None:
        log.warning("given up at %s, conversation %s: %s", entry.desk, entry.event.conversation, reason)
        self._queue.give_up(entry, reason)

    def stop(self, seconds: float = 10.0) -> None:
        """End after the work at hand; what is not done in time is taken up at the next start."""
        self._ended.set()
        self._wake.set()
        self.join(seconds)
