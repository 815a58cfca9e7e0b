"""The shop's own key: from the settings, or made once and kept in a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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
