"""The durable queue between desks and the agent: what came in, what was answered, what was given up.

One SQLite file beside the shop. An event is taken once by its key, however often it is delivered, and is on
disk before the desk is told so. Words of customers stay in it only while they are needed: once an event is
done, its text and its answer are overwritten. Methods raise BadInput where the file cannot be used.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from api.desk.base import DeskEvent, Health, Ready
from customers.stores.sqlite import SqliteFile

FILE = "desks.sqlite"
_ASKED = "{}"
"""Stands for an event's answer from when the agent is asked until the answer is there."""
KEPT_DAYS = 30
"""How long the key of a finished event is kept, so that a late delivery of it is known."""

_SCHEMA = (
    "CREATE TABLE events (id INTEGER PRIMARY KEY, desk TEXT NOT NULL, key TEXT NOT NULL,"
    " conversation TEXT NOT NULL, ord INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,"
    " reply TEXT NOT NULL DEFAULT '', customer TEXT, tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,"
    " received REAL NOT NULL, ended REAL, error TEXT NOT NULL DEFAULT '', UNIQUE (desk, key))",
    "CREATE INDEX waiting ON events (state, desk, conversation, ord, id)",
    "CREATE TABLE conversations (desk TEXT NOT NULL, conversation TEXT NOT NULL,"
    " with_colleagues INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT NULL DEFAULT 0,"
    " draft TEXT NOT NULL DEFAULT '', PRIMARY KEY (desk, conversation))",
    "CREATE TABLE doors (desk TEXT PRIMARY KEY, accepted REAL, refused REAL, reason TEXT NOT NULL DEFAULT '')",
)
_HEADS = """
SELECT e.id, e.desk, e.body, e.reply, e.tries FROM events e
WHERE e.state = 'waiting' AND e.due <= ? AND NOT EXISTS (
    SELECT 1 FROM events f WHERE f.state = 'waiting' AND f.desk = e.desk AND f.conversation = e.conversation
    AND (f.ord < e.ord OR (f.ord = e.ord AND f.id < e.id)))
ORDER BY e.received, e.id LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that waits. ready: its answer, where the agent has given one already. asked: the agent was asked
    before, by a process that may have ended before it could keep the answer."""

    id: int
    desk: str
    event: DeskEvent
    ready: Ready | None
    tries: int
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """What is remembered of a conversation: whether it is with colleagues, the order of the latest message
    that was seen to, and a fingerprint of the latest draft."""

    with_colleagues: bool = False
    answered: int = 0
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """When a desk's webhook was last accepted, when last refused, and why (seconds since 1970)."""

    accepted: float | None = None
    refused: float | None = None
    reason: str = ""


class DeskQueue:
    """The queue of one shop. Threads and processes may use it at once; one courier at a time empties it."""

    def __init__(self, shop: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(shop / FILE, _SCHEMA, 1)
        self._clock = clock
        self._kept_open: sqlite3.Connection | None = None

    def open(self) -> None:
        """Hold the file open: SQLite then writes its log back now and then, not after each transaction."""
        with self._file.writing():
            pass
        self._kept_open = sqlite3.connect(self._file.path, check_same_thread=False)
        self._kept_open.execute("SELECT count(*) FROM doors").fetchall()

    def close(self) -> None:
        if self._kept_open is not None:
            self._kept_open.close()
            self._kept_open = None

    # what comes in ---------------------------------------------------------------------------
    def accept(
        self, desk: str, events: Collection[DeskEvent], wait: float = 0.0, *, knocked: bool = True
    ) -> int:
        """Keep events for the courier, `wait` seconds later; return how many were new. knocked: they came
        in by a signed webhook."""
        if not events:
            return 0
        now = self._clock()
        rows = [
            (desk, e.key, e.conversation, e.order, json.dumps(e.to_dict()), now + wait, now) for e in events
        ]
        with self._file.writing() as con:
            before = con.total_changes
            con.executemany(
                "INSERT OR IGNORE INTO events (desk, key, conversation, ord, state, body, due, received)"
                " VALUES (?, ?, ?, ?, 'waiting', ?, ?, ?)", rows,
            )  # fmt: skip
            new = con.total_changes - before
            if knocked:
                con.execute(
                    "INSERT INTO doors (desk, accepted) VALUES (?, ?)"
                    " ON CONFLICT (desk) DO UPDATE SET accepted = excluded.accepted", (desk, now),
                )  # fmt: skip
        return new

    def refused(self, desk: str, reason: str) -> None:
        """Note that a webhook was refused, for `shopkeeper desk check`."""
        with self._file.writing() as con:
            con.execute(
                "INSERT INTO doors (desk, refused, reason) VALUES (?, ?, ?) ON CONFLICT (desk) DO UPDATE"
                " SET refused = excluded.refused, reason = excluded.reason", (desk, self._clock(), reason),
            )  # fmt: skip

    # what goes out ---------------------------------------------------------------------------
    def heads(self, limit: int) -> list[Entry]:
        """Return the first waiting event of each conversation, of those that are due."""
        found = self._file.rows(_HEADS, (self._clock(), limit))
        return [
            Entry(
                i,
                desk,
                DeskEvent.from_dict(json.loads(body)),
                Ready(**json.loads(reply)) if reply not in ("", _ASKED) else None,
                tries,
                reply == _ASKED,
            )
            for i, desk, body, reply, tries in found
        ]

    def overtaken(self, entry: Entry) -> bool:
        """Return whether an earlier event of the same conversation waits."""
        place = (entry.desk, entry.event.conversation, entry.event.order, entry.event.order, entry.id)
        return bool(
            self._file.rows(
                "SELECT 1 FROM events WHERE state = 'waiting' AND desk = ? AND conversation = ?"
                " AND (ord < ? OR (ord = ? AND id < ?)) LIMIT 1",
                place,
            )
        )

    def next_due(self) -> float | None:
        """Return in how many seconds something is due, None where nothing waits."""
        ((due,),) = self._file.rows("SELECT min(due) FROM events WHERE state = 'waiting'") or [(None,)]
        return None if due is None else max(0.0, due - self._clock())

    def talk(self, desk: str, conversation: str) -> Talk:
        found = self._file.rows(
            "SELECT with_colleagues, answered, draft FROM conversations WHERE desk = ? AND conversation = ?",
            (desk, conversation),
        )
        return Talk(bool(found[0][0]), *found[0][1:]) if found else Talk()

    def asking(self, entry: Entry) -> None:
        """Keep that the agent is about to be asked."""
        with self._file.writing() as con:
            con.execute("UPDATE events SET reply = ? WHERE id = ?", (_ASKED, entry.id))

    def answered(self, entry: Entry, ready: Ready, customer: str | None) -> None:
        """Keep the agent's answer, before any of it is posted."""
        with self._file.writing() as con:
            con.execute(
                "UPDATE events SET reply = ?, customer = ? WHERE id = ?",
                (json.dumps(ready.to_dict()), customer, entry.id),
            )

    def done(self, entry: Entry, *, with_colleagues: bool | None = None, draft: str | None = None) -> None:
        """Finish an event and forget its words, together with what it changes in its conversation."""
        event = entry.event
        with self._file.writing() as con:
            con.execute(
                "UPDATE events SET state = 'done', body = '', reply = '', error = '', ended = ? WHERE id = ?",
                (self._clock(), entry.id),
            )
            con.execute(
                "INSERT OR IGNORE INTO conversations (desk, conversation) VALUES (?, ?)",
                (entry.desk, event.conversation),
            )
            con.execute(
                "UPDATE conversations SET answered = max(answered, ?), with_colleagues = coalesce(?, with_colleagues),"
                " draft = coalesce(?, draft) WHERE desk = ? AND conversation = ?",
                (event.order, with_colleagues, draft, entry.desk, event.conversation),
            )  # fmt: skip

    def later(self, entry: Entry, seconds: float, error: str, counted: bool = True) -> None:
        """Try an event again in so many seconds."""
        with self._file.writing() as con:
            con.execute(
                "UPDATE events SET tries = tries + ?, due = ?, error = ? WHERE id = ?",
                (int(counted), self._clock() + seconds, error, entry.id),
            )

    def give_up(self, entry: Entry, error: str) -> None:
        """Put an event aside; `retry` takes it up again."""
        with self._file.writing() as con:
            con.execute(
                "UPDATE events SET state = 'dead', error = ?, ended = ? WHERE id = ?",
                (error, self._clock(), entry.id),
            )

    # what people ask -------------------------------------------------------------------------
    def health(self, desk: str = "") -> Health:
        """Return how the queue stands, of one desk or of all."""
        where, params = (" AND desk = ?", (desk,)) if desk else ("", ())
        ((waiting, oldest),) = self._file.rows(
            f"SELECT count(*), min(received) FROM events WHERE state = 'waiting'{where}", params
        ) or [(0, None)]
        ((dead,),) = self._file.rows(f"SELECT count(*) FROM events WHERE state = 'dead'{where}", params) or [
            (0,)
        ]
        ((away,),) = self._file.rows(
            f"SELECT count(*) FROM conversations WHERE with_colleagues{where}", params
        ) or [(0,)]
        trouble = self._file.rows(
            f"SELECT error FROM events WHERE error != ''{where} ORDER BY state = 'dead', due DESC LIMIT 1",
            params,
        )
        age = self._clock() - oldest if oldest is not None else 0.0
        return Health(waiting, max(0.0, age), dead, away, trouble[0][0] if trouble else "")

    def door(self, desk: str) -> Door:
        found = self._file.rows("SELECT accepted, refused, reason FROM doors WHERE desk = ?", (desk,))
        return Door(*found[0]) if found else Door()

    def dead_letters(self) -> list[tuple[str, str, float, str]]:
        """Return desk, conversation, time and reason of each event that was given up."""
        return self._file.rows(
            "SELECT desk, conversation, ended, error FROM events WHERE state = 'dead' ORDER BY ended"
        )

    def retry(self, desk: str = "") -> int:
        """Take up again what was given up, of one desk or of all; return how many events."""
        if not self.health().dead:
            return 0
        with self._file.writing() as con:
            return con.execute(
                "UPDATE events SET state = 'waiting', tries = 0, due = ?, error = '', ended = NULL"
                " WHERE state = 'dead' AND ? IN ('', desk)",
                (self._clock(), desk),
            ).rowcount

    def prune(self) -> None:
        """Forget the keys of events that were finished long ago."""
        with self._file.writing() as con:
            con.execute(
                "DELETE FROM events WHERE state = 'done' AND ended < ?", (self._clock() - KEPT_DAYS * 86_400,)
            )

    def erase(self, customer: str) -> int:
        """Erase what is kept of a customer's conversations; return how many events that was."""
        if not self._file.rows("SELECT 1 FROM events WHERE customer = ? LIMIT 1", (customer,)):
            return 0
        with self._file.writing() as con:
            gone = con.execute(
                "DELETE FROM events WHERE (desk, conversation) IN"
                " (SELECT desk, conversation FROM events WHERE customer = ?)", (customer,),
            ).rowcount  # fmt: skip
        self._file.scrub()
        return gone


def fingerprint(text: str) -> str:
    """Return what tells whether two texts are the same but for spaces and Markdown's stars."""
    said = " ".join(text.replace("*", "").split())
    return hashlib.sha256(said.encode()).hexdigest()
