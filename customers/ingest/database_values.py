"""A database's values as the text that a file would hold."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def as_text(value: Any) -> str | None:
    """Return a value as text that reads back as the same value; None stays None.

    Times are ISO 8601 with their offset where they have one; bytes are UTF-8, else GB18030, else
    hexadecimal; what is nested becomes JSON. Signs that no text may hold (NUL, half a surrogate
    pair) are left out.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, datetime):
        text = value.isoformat(sep=" ")
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, Decimal):
        text = format(value, "f")
    elif isinstance(value, bytes | bytearray | memoryview):
        text = _decoded(bytes(value))
    elif isinstance(value, dict | list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def _decoded(value: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.hex()
