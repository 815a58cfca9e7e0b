"""API keys at rest: who may call, as what, for what purpose and how often. Only hashes are kept.

    shop/api-keys.sqlite     made by the first key, readable by its owner only

A key is 256 random bits, so one SHA-256 of it is as good as a slow hash of a password: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from customers.errors import BadInput
from customers.stores.sqlite import SqliteFile

KEYS_FILE = "api-keys.sqlite"
PREFIX = "shk_"
Role = Literal["service", "merchandiser", "admin", "push"]
ROLES: tuple[Role, ...] = get_args(Role)
MOST_PER_MINUTE = 1_000_000
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
    " purpose TEXT NOT NULL, per_minute INTEGER NOT NULL, made TEXT NOT NULL, revoked TEXT)",
    "CREATE UNIQUE INDEX living_name ON keys (name) WHERE revoked IS NULL",
)
_COLUMNS = "id, name, role, purpose, per_minute, made, revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed; what was handed out is not in it. `per_minute` 0: as often as they like."""

    id: str
    name: str
    role: Role
    purpose: str
    per_minute: int
    made: datetime
    revoked: datetime | None = None


class KeyStore:
    """The keys of one shop. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SqliteFile(path, _SCHEMA, _VERSION)

    def add(self, name: str, role: str, purpose: str, per_minute: int = 60) -> tuple[str, Key]:
        """Make a key; return what its holder shows, which is kept nowhere, and how it is listed.

        Raises BadInput for a name that is in use or cannot be used, an unknown role, no purpose, a bad limit.
        """
        checked = _checked(name, role, purpose, per_minute)
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(4), *checked, made=datetime.now(UTC))
        row = (key.id, key.name, _hash(secret), key.role, key.purpose, key.per_minute, key.made.isoformat())
        try:
            with self._file.writing() as con:
                con.execute(
                    "INSERT INTO keys (id, name, hash, role, purpose, per_minute, made) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
        except sqlite3.IntegrityError as error:
            raise BadInput(
                f"there is a key named {key.name!r}; revoke it first, or choose another name"
            ) from error
        return secret, key

    def all(self) -> list[Key]:
        """Return every key, revoked ones too, the oldest first."""
        return [_key(row) for row in self._file.rows(f"SELECT {_COLUMNS} FROM keys ORDER BY made, id")]

    def find(self, shown: str) -> Key | None:
        """Return the key that a caller shows, None where there is none or it was revoked."""
        wanted, found = _hash(shown), None
        for hashed, *row in self._file.rows(f"SELECT hash, {_COLUMNS} FROM keys WHERE revoked IS NULL"):
            # Every hash is compared, each in full, so that time tells nothing.
            if hmac.compare_digest(hashed, wanted):
                found = _key(tuple(row))
        return found

    def revoke(self, which: str) -> Key:
        """End a key, given by its name or its id; it is refused from now on. Raises BadInput where there is none."""
        living = [key for key in self.all() if key.revoked is None]
        meant = next((key for key in living if which in (key.id, key.name)), None)
        if meant is None:
            names = ", ".join(key.name for key in living) or "none"
            raise BadInput(f"there is no key {which!r} to revoke; the keys in use: {names}")
        with self._file.writing() as con:
            con.execute("UPDATE keys SET revoked = ? WHERE id = ?", [datetime.now(UTC).isoformat(), meant.id])
        return meant


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _checked(name: str, role: str, purpose: str, per_minute: int) -> tuple[str, Role, str, int]:
    if not re.fullmatch(r"[\w.@-]{1,64}", name):
        raise BadInput(f"{name!r} is no name for a key: use up to 64 letters, digits, and . _ @ -")
    known: Role | None = next((r for r in ROLES if r == role), None)
    if known is None:
        raise BadInput(f"there is no role {role!r}; use one of {', '.join(ROLES)}")
    words = " ".join(purpose.split())
    if not 0 < len(words) <= 200:
        raise BadInput("say in a few words what the key is for (--purpose)")
    if not 0 <= per_minute <= MOST_PER_MINUTE:
        raise BadInput(f"a limit of {per_minute} calls a minute cannot be; 0 means no limit")
    return name, known, words, per_minute


def _key(row: tuple) -> Key:
    key_id, name, role, purpose, per_minute, made, revoked = row
    ended = datetime.fromisoformat(revoked) if revoked else None
    return Key(key_id, name, role, purpose, per_minute, datetime.fromisoformat(made), ended)
