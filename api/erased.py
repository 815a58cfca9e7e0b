"""Receipts of erasures, and who was erased: a build from before an erasure shows them no more.

shop/erasures.sqlite     a hash of each erased customer's number, when, on whose behalf, what went
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from customers.stores import versions
from customers.stores.sqlite import SqliteFile

ERASED_FILE = "erasures.sqlite"
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE erasures (receipt TEXT PRIMARY KEY, customer TEXT NOT NULL, at TEXT NOT NULL, key_name TEXT NOT NULL,"
    " purpose TEXT NOT NULL, gone TEXT NOT NULL)",
    "CREATE INDEX of_customer ON erasures (customer)",
)


class Erased:
    """The erasures of one shop; the customers' numbers themselves are not kept. served: tells which build is answered
    from, where that may be an earlier one than the current."""

    def __init__(self, shop: Path, served: Callable[[], Path | None] = lambda: None) -> None:
        self._shop, self._served = shop, served
        self._file = SqliteFile(shop / ERASED_FILE, _SCHEMA, _VERSION)

    def has(self, customer: str) -> bool:
        """Whether a customer was erased since the build that is read was made; a later build knows of them
        only what came after."""
        return bool(self.among([customer]))

    def among(self, customers: Sequence[str]) -> set[str]:
        """Return those of some customers who were erased since the build that is read was made."""
        rows = self._file.rows("SELECT customer, max(at) FROM erasures GROUP BY customer")
        if not rows:
            return set()
        read = self._served() or versions.find_current(self._shop)
        built = _made(read) if read is not None else 0.0
        marks = {mark for mark, at in rows if datetime.fromisoformat(at).timestamp() >= built}
        return {customer for customer in customers if _mark(customer) in marks}

    def note(self, customer: str, key_name: str, purpose: str, gone: dict[str, int]) -> dict[str, Any]:
        """Keep that a customer was erased, and return the receipt."""
        receipt, at = secrets.token_hex(16), datetime.now(UTC).isoformat()
        with self._file.writing() as con:
            con.execute(
                "INSERT INTO erasures VALUES (?, ?, ?, ?, ?, ?)",
                [receipt, _mark(customer), at, key_name, purpose, json.dumps(gone)],
            )
        return {"receipt": receipt, "at": at, "by": key_name, "purpose": purpose, "erased": gone}

    def of(self, customer: str) -> list[dict[str, Any]]:
        """Return the receipts of a customer, the oldest first."""
        rows = self._file.rows(
            "SELECT receipt, at, key_name, purpose, gone FROM erasures WHERE customer = ? ORDER BY at, receipt",
            [_mark(customer)],
        )
        return [
            {"receipt": receipt, "at": at, "by": by, "purpose": purpose, "erased": json.loads(gone)}
            for receipt, at, by, purpose, gone in rows
        ]


def _made(version: Path) -> float:
    """When a build was made. Nobody is erased while one runs, so any moment of it tells before from after."""
    try:
        return (version / "manifest.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _mark(customer: str) -> str:
    return hashlib.sha256(b"erased:" + customer.encode("utf-8", "surrogatepass")).hexdigest()
