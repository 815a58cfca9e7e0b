"""Where the server that one process shares is written down for the user's other processes (`var`/llm.json)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def publish(state: Path, record: Mapping[str, Any]) -> None:
    """Write where a shared server is, for this user's eyes only."""
    fresh = state.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(record, out)
    os.replace(fresh, state)


def withdraw(state: Path, key: str) -> None:
    """Take back the record of the server with this key; another server's stays."""
    if (record := read(state)) and record.get("key") == key:
        state.unlink(missing_ok=True)


def read(path: Path) -> dict[str, str] | None:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    wanted = ("url", "key", "model", "file", "print", "engine")
    return record if isinstance(record, dict) and all(k in record for k in wanted) else None
