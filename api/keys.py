"""The key that callers show: from the settings, or made once and kept in a file."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from fastapi import Request
from fastapi.exceptions import HTTPException

KEY_FILE = "api-key"


def key_in(var: Path) -> tuple[str, Path]:
    """Return the key kept in the folder `var`, and its file; made where there is none, mode 0600."""
    path = var / KEY_FILE
    var.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        key = path.read_text(encoding="utf-8").strip()
        if key:
            return key, path
        path.unlink()
        return key_in(var)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        key = secrets.token_urlsafe(32)
        file.write(key + "\n")
    return key, path


def require_key(key: str) -> Callable[[Request], None]:
    """Return a dependency that lets a request through that shows the key as a Bearer token."""
    expected = key.encode()

    def check(request: Request) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        # Both are compared in full, whatever the scheme, so that time tells nothing of the key.
        same = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), expected)
        if scheme.lower() != "bearer" or not same:
            raise HTTPException(
                401, "show the API key: Authorization: Bearer KEY", headers={"WWW-Authenticate": "Bearer"}
            )

    return check
