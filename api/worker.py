"""The thread that brings accepted events into the store, in order, as they come."""

from __future__ import annotations

import logging
import threading

from customers.errors import BadInput
from customers.ingest.inbox import Inbox

log = logging.getLogger("shopkeeper.api")


class Worker(threading.Thread):
    """Applies an inbox about every `seconds`; after a trouble it waits longer and tries again.

    `trouble` is what the last try ended with, None where it went well.
    """

    def __init__(self, inbox: Inbox, seconds: float = 1.0, longest: float = 60.0) -> None:
        super().__init__(name="inbox", daemon=True)
        self._inbox, self._seconds, self._longest = inbox, seconds, longest
        self._ended = threading.Event()
        self.trouble: str | None = None

    def run(self) -> None:
        wait = self._seconds
        while not self._ended.wait(wait):
            try:
                self._inbox.apply()
                self.trouble, wait = None, self._seconds
            except BadInput as error:
                self._note(str(error))
                wait = min(self._longest, wait * 2)
            except Exception:  # a fault of ours must not end the thread: events would pile up unseen
                log.exception("events could not be stored; they stay in %s", self._inbox.folder)
                self._note("a fault; see the log")
                wait = min(self._longest, wait * 2)

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("events wait in %s: %s", self._inbox.folder, trouble)
        self.trouble = trouble

    def stop(self) -> None:
        """End after the batch at hand, and return when it is in the store."""
        self._ended.set()
        self.join()
