"""What came of recommendations: one small SQLite file in the shop's folder, apart from the builds.

    shop/feedback.sqlite     made by the first event, readable by its owner only

An event has an id that its sender gives; the same event sent again changes nothing. How the file is
opened, and how what is erased leaves no trace, stands in `sqlite`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from customers.errors import BadInput
from customers.stores.sqlite import SqliteFile

FEEDBACK_FILE = "feedback.sqlite"
DISMISSED_DAYS = 30
"""How long a product that a customer dismissed is not offered to them again."""
_MOST_CHARS, _MOST_CONTEXT = 200, 2000
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE feedback (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, product_id TEXT NOT NULL,"
    " action TEXT NOT NULL, at TEXT NOT NULL, session TEXT NOT NULL, context TEXT NOT NULL)",
    "CREATE INDEX feedback_of ON feedback (customer_id, at)",
)
_COLUMNS = "id, customer_id, product_id, action, at, session, context"

Action = Literal["shown", "clicked", "bought", "dismissed", "never", "again"]
"""The offer was seen; opened; led to a purchase; waved away for now; is never to come again; may come again after
all (takes back the last two)."""


@dataclass(frozen=True, slots=True)
class FeedbackEvent:
    """One event. `at` is aware (a time without a zone is taken as UTC). `context` is what the ranking knew and did:
    "rank" (1-based), "chance" (that this product stood there) and "features" (numbers), as far as it is known."""

    id: str
    customer_id: str
    product_id: str
    action: Action
    at: datetime
    session: str = ""
    context: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


class FeedbackStore:
    """The feedback on one shop's recommendations. Safe to use from several threads and processes; nothing is held
    open. path: the file. clock: gives now (aware), from which the age of a dismissal counts."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self._clock = clock
        self._file = SqliteFile(path, _SCHEMA, _VERSION)

    def record(self, event: FeedbackEvent) -> bool:
        """Keep an event; return whether it is new. The same event again changes nothing.

        Raises BadInput where the id was used for another event, something is missing or too long, the action does not
        exist, or the folder cannot be written.
        """
        return self.record_all([event]) == 1

    def record_all(self, events: Iterable[FeedbackEvent]) -> int:
        """Keep events, all or none of them; return how many are new. Raises as `record` does."""
        rows, new = [_row(event) for event in events], 0
        if not rows:
            return 0
        with self._file.writing() as con:
            for row in rows:
                if con.execute(
                    f"INSERT OR IGNORE INTO feedback ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row
                ).rowcount:
                    new += 1
                    continue
                had = con.execute(
                    "SELECT customer_id, product_id, action FROM feedback WHERE id = ?", row[:1]
                ).fetchone()
                if tuple(had) != tuple(row[1:4]):
                    raise BadInput(
                        f"the feedback id {row[0]!r} was used for another event; give each event its own"
                    )
        return new

    def of(
        self, customer_id: str, actions: Iterable[Action] | None = None, limit: int | None = None
    ) -> list[FeedbackEvent]:
        """Return a customer's events, the newest first: all actions unless `actions` names some, at most `limit`."""
        wanted = list(get_args(Action) if actions is None else actions)
        rows = self._file.rows(
            f"SELECT {_COLUMNS} FROM feedback WHERE customer_id = ? AND action IN ({', '.join('?' * len(wanted))})"
            " ORDER BY at DESC, rowid DESC LIMIT ?",
            [customer_id, *wanted, -1 if limit is None else limit],
        )
        return [_event(row) for row in rows]

    def log(self, since: datetime | None = None) -> list[FeedbackEvent]:
        """Return all events in order of time, from `since` on: what a ranking learns from."""
        rows = self._file.rows(
            f"SELECT {_COLUMNS} FROM feedback WHERE at >= ? ORDER BY at, rowid",
            [_written(since) if since else ""],
        )
        return [_event(row) for row in rows]

    def turned_down(self, customer_id: str) -> dict[str, tuple[Literal["never", "dismissed"], datetime]]:
        """Return the products that are not to be offered to a customer now, by product id: the action that says so,
        and when it was said. The last word on a product counts; a dismissal ends after DISMISSED_DAYS."""
        rows = self._file.rows(
            "SELECT product_id, action, at FROM feedback WHERE customer_id = ?"
            " AND action IN ('never', 'dismissed', 'again') ORDER BY at, rowid",
            [customer_id],
        )
        found: dict[str, tuple[Literal["never", "dismissed"], datetime]] = {}
        ends = self._clock() - timedelta(days=DISMISSED_DAYS)
        for product, action, at in rows:
            when = datetime.fromisoformat(at)
            if action == "again":
                found.pop(product, None)
            elif action == "never":
                found[product] = ("never", when)
            elif found.get(product, ("",))[0] != "never" and when >= ends:
                found[product] = ("dismissed", when)
        return found

    def never(self, product_id: str) -> list[str]:
        """Return the customers whose last word on a product is "never"."""
        rows = self._file.rows(
            "SELECT customer_id, action FROM feedback WHERE product_id = ? AND action IN ('never', 'again')"
            " ORDER BY at, rowid",
            [product_id],
        )
        said = {str(customer): action for customer, action in rows}
        return sorted(customer for customer, action in said.items() if action == "never")

    def counts(self) -> dict[str, int]:
        """Return how many events there are of each action; actions without any are left out."""
        rows = self._file.rows("SELECT action, count(*) FROM feedback GROUP BY action ORDER BY action", [])
        return {str(action): int(n) for action, n in rows}

    def count(self, customer_id: str) -> int:
        """Return how many events a customer has."""
        rows = self._file.rows("SELECT count(*) FROM feedback WHERE customer_id = ?", [customer_id])
        return next((int(n) for (n,) in rows), 0)

    def erase_customer(self, customer_id: str) -> int:
        """Erase all events of a customer, without a trace in the file; return how many."""
        if not self.path.exists():
            return 0
        with self._file.writing() as con:
            count = con.execute("DELETE FROM feedback WHERE customer_id = ?", [customer_id]).rowcount
        self._file.scrub()
        return count


def _row(event: FeedbackEvent) -> tuple[str, ...]:
    for name in ("id", "customer_id", "product_id"):
        value = getattr(event, name)
        if not isinstance(value, str) or not value.strip():
            raise BadInput(f"feedback needs a {name}: a text that is not empty")
        if len(value) > _MOST_CHARS:
            raise BadInput(f"the feedback's {name} has {len(value)} characters; give at most {_MOST_CHARS}")
    if event.action not in get_args(Action):
        raise BadInput(f"{event.action!r} is no feedback; use {', '.join(get_args(Action))}")
    context = dict(event.context)
    chance = context.get("chance")
    if chance is not None and not (
        isinstance(chance, (int, float)) and math.isfinite(chance) and 0 < chance <= 1
    ):
        raise BadInput(f"the chance {chance!r} is none; give a number above 0, at most 1")
    try:
        written = json.dumps(context, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput(f"the feedback's context is no plain JSON: {error}") from error
    if len(written) > _MOST_CONTEXT:
        raise BadInput(f"the feedback's context has {len(written)} characters; give at most {_MOST_CONTEXT}")
    session = event.session[:_MOST_CHARS]
    return (event.id, event.customer_id, event.product_id, event.action, _written(event.at), session, written)


def _written(at: datetime) -> str:
    """A time as the file keeps it: in UTC, so that texts sort as times do."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def _event(row: tuple[Any, ...]) -> FeedbackEvent:
    key, customer, product, action, at, session, context = row
    return FeedbackEvent(
        key, customer, product, action, datetime.fromisoformat(at), session, json.loads(context)
    )
