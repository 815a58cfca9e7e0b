"""Erasing what conversations about one customer left in a shop's memory file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

MEMORY_FILE = "memory.sqlite"


def conversations_of(shop: Path, customer: str, prefix: str = "") -> set[str]:
    """Return the sessions that spoke of a customer: that linked it, named its id as one, or whose names begin with
    `prefix`."""
    with _saver(shop) as saver:
        return _of(saver, customer, prefix) if saver is not None else set()


def forget_conversations(shop: Path, customer: str, prefix: str = "") -> int:
    """Erase the sessions that spoke of a customer, beyond recovery; return how many there were. Whole sessions go:
    what was said of others in between cannot be told apart."""
    with _saver(shop) as saver:
        if saver is None:
            return 0
        theirs = _of(saver, customer, prefix)
        for session in theirs:
            saver.delete_thread(session)
        saver.conn.execute("VACUUM")  # even without any: an erasure before may have been cut short
        saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(theirs)


@contextmanager
def _saver(shop: Path) -> Iterator[SqliteSaver | None]:
    path = shop / MEMORY_FILE
    if not path.is_file():
        yield None
        return
    with closing(sqlite3.connect(path, timeout=30, check_same_thread=False)) as con:
        con.execute("PRAGMA secure_delete = ON")
        yield SqliteSaver(con)


def _of(saver: SqliteSaver, customer: str, prefix: str) -> set[str]:
    found = [
        (str(one.config.get("configurable", {}).get("thread_id")), one.checkpoint) for one in saver.list(None)
    ]
    return {
        name
        for name, checkpoint in found
        if (prefix and name.startswith(prefix)) or _speaks_of(checkpoint, customer)
    }


def _speaks_of(checkpoint: Mapping[str, Any], customer: str) -> bool:
    state = checkpoint.get("channel_values", {})
    messages = " ".join(str(message.content) for message in state.get("messages", ()))
    word = rf"(?<!\w){re.escape(customer)}(?!\w)"
    # Short numbers are also counts and prices: in words they are a customer's only where they are called so.
    called = word if len(customer) > 3 else rf"(?:customer|household|shopper|顾客|客户|家庭|#)\W{{0,3}}{word}"
    return _holds(state.get("memory"), customer) or re.search(called, messages, re.IGNORECASE) is not None


def _holds(value: Any, customer: str) -> bool:
    """Whether plain JSON has the id as a value of its own, at any depth."""
    if isinstance(value, Mapping):
        return any(_holds(one, customer) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(one, customer) for one in value)
    return value == customer
