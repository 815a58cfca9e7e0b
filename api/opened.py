"""The agent behind the API: opened in the background, so that the process answers while models load."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from threadpoolctl import threadpool_limits

from agent import Agent
from agent.errors import AgentError
from api.errors import Problem
from customers.errors import CustomersError
from customers.shop import Shop
from customers.stores import versions

log = logging.getLogger("shopkeeper.api")
AGAIN_SECONDS = 30.0
LOOK_SECONDS = 2.0
"""How often the shop is looked at for a new build."""
LAST_SECONDS = 600.0
"""How long an agent that was replaced may end its turns."""
State = Literal["none", "opening", "open", "failed"]


class OpenedAgent:
    """Holds the agent that `opener` opens; without an opener this process only takes events.

    What cannot be opened is tried again when somebody asks for it, every AGAIN_SECONDS at most. When the shop has a new
    build, an agent over it is opened beside and takes the place of the one before, which ends the turns it has begun.
    """

    def __init__(self, opener: Callable[[], Agent] | None) -> None:
        self._opener = opener
        self._lock = threading.Lock()
        self._agent: Agent | None = None
        self._thread: threading.Thread | None = None
        self._trouble, self._tried, self._closed = "", 0.0, False
        self._looked, self._made, self._before = 0.0, set[Agent](), list[tuple[float, Agent]]()

    @property
    def state(self) -> State:
        """How far it is."""
        if self._opener is None:
            return "none"
        if self._agent is not None:
            return "open"
        return "failed" if self._trouble else "opening"

    def start(self) -> None:
        """Begin to open, unless that is under way or done."""
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if self._opener is None or self._agent is not None or busy or self._closed:
                return
            self._tried = time.monotonic()
            self._thread = threading.Thread(target=self._open, name="open-agent", daemon=True)
            self._thread.start()

    def _open(self) -> None:
        assert self._opener is not None
        try:
            agent = self._opener()
        except (AgentError, CustomersError) as error:
            self._trouble = str(error)
            log.warning("questions cannot be answered yet: %s", error)
        except Exception:
            self._trouble = "a fault of ours; the server's log has it"
            log.exception("the agent could not be opened")
        else:
            # BLAS's threads spin while they wait, and products of a few thousand rows gain nothing by a second one.
            threadpool_limits(1, "blas")
            _settle()
            with self._lock:
                self._agent, self._trouble = agent, ""

    def _look(self) -> None:
        """Begin to open the shop's current build where the agent has another, and let go of agents that were replaced
        long ago."""
        now = time.monotonic()
        if self._agent is None or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        with self._lock:
            gone = [agent for since, agent in self._before if now - since > LAST_SECONDS]
            self._before = [(since, agent) for since, agent in self._before if agent not in gone]
            for agent in gone:
                agent.release()
            found = versions.find_current(self._agent.shop.folder)
            busy = self._thread is not None and self._thread.is_alive()
            if found in (None, self._agent.shop.version) or busy or self._closed:
                return
            if self._trouble and now - self._tried < AGAIN_SECONDS:
                return
            self._tried = now
            self._thread = threading.Thread(
                target=self._renew, args=(self._agent,), name="renew-agent", daemon=True
            )
            self._thread.start()

    def _renew(self, before: Agent) -> None:
        try:
            agent = before.renewed()
        except Exception as error:
            log.warning("the new build cannot be opened, the one before goes on: %s", error)
            self._trouble = str(error)
            return
        _settle()
        with self._lock:
            self._agent, self._trouble = agent, ""
            self._made.add(agent)
            self._before.append((time.monotonic(), before))

    def get(self) -> Agent:
        """Return the agent. Raises Problem 503 where it is not open."""
        self._look()
        if self._agent is not None:
            return self._agent
        if self._opener is None:
            raise Problem(
                503, "this process takes events and answers no questions: the shop has no build", code="not_built",
                headers={"Retry-After": "60"}, allowed="run `shopkeeper build`, then `shopkeeper serve` again",
            )  # fmt: skip
        self.retry()
        why = self._trouble or "the models are being loaded"
        raise Problem(503, why, code="opening", headers={"Retry-After": "5"})

    def retry(self) -> None:
        """Open anew what could not be opened, if the last try was long enough ago."""
        if self._trouble and time.monotonic() - self._tried > AGAIN_SECONDS:
            self.start()

    def shop(self) -> Shop:
        """Return the shop that is answered from. Raises as `get` does."""
        return self.get().shop

    def version(self) -> Path | None:
        """Return the build that is answered from, None while there is none."""
        return self._agent.shop.version if self._agent is not None else None

    def wait(self) -> None:
        """Wait until an opening that is under way has ended, well or not."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Open nothing more; wait for what is under way. Whoever gave the opener closes what it opened."""
        with self._lock:
            self._closed = True
        self.wait()
        for agent in self._made:
            agent.release()

    @property
    def agent(self) -> Agent | None:
        """The agent, None while there is none."""
        self._look()
        return self._agent


def _settle() -> None:
    """Keep what lives from now on out of the collector's full passes: over an agent's objects one takes 0.3 s, in
    which nobody is answered. What an agent before left in cycles goes now."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
