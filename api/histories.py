"""Which session a conversation goes on in, for clients that send the whole conversation each time.

The agent remembers a session; a client of the OpenAI API sends all that was said and no name. What was said,
up to our last answer, names the session: it is looked up by a digest of it, among the callers's own.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter, OrderedDict
from collections.abc import Sequence

from api.callers import Caller

MOST = 20_000
Said = tuple[str, str]
"""Who said it ("user" or "assistant"), and what."""


class Histories:
    """The latest conversations, the least recently continued of which are forgotten. Safe in several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._sessions: OrderedDict[str, str] = OrderedDict()
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def session(self, caller: Caller, customer: str | None, earlier: Sequence[Said]) -> str:
        """Return the session in which `earlier` was said, a new one where nobody here said it."""
        key = _digest(caller, customer, earlier)
        with self._lock:
            found = self._sessions.get(key) if earlier else None
            if found is None:
                return uuid.uuid4().hex
            self._sessions.move_to_end(key)
            return found

    def keep(self, caller: Caller, customer: str | None, said: Sequence[Said], session: str) -> list[str]:
        """Remember what has been said in a session; return the sessions that nobody can go on in any more."""
        key, gone = _digest(caller, customer, said), []
        with self._lock:
            self._put(key, session)
            while len(self._sessions) > self._most:
                _, oldest = self._sessions.popitem(last=False)
                self._held[oldest] -= 1
                if not self._held[oldest]:
                    del self._held[oldest]
                    gone.append(oldest)
        return gone

    def _put(self, key: str, session: str) -> None:
        before = self._sessions.pop(key, None)
        if before is not None:
            self._held[before] -= 1
            if not self._held[before]:
                del self._held[before]
        self._sessions[key] = session
        self._held[session] += 1


def _digest(caller: Caller, customer: str | None, said: Sequence[Said]) -> str:
    digest = hashlib.sha256()
    plain = [(who, " ".join(text.split())) for who, text in said]
    for part in (caller.id, caller.user, customer or "", *(piece for pair in plain for piece in pair)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
