"""HMAC-SHA256 signatures of webhooks, compared in constant time, with a bound on their age."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from api.desk.base import MOST_AGE
from api.desk.errors import Unsigned

_AHEAD = 60.0  # a desk's clock may be this much ahead of ours


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header that a signed webhook must carry once. Raises Unsigned."""
    value = headers.get(name, "")
    if not value:
        raise Unsigned(f"the header {name} is missing: give the desk the signing secret, or us the desk's")
    if len(value) > 500 or "," in value:  # sent twice, a header arrives as one with a comma
        raise Unsigned(f"the header {name} must be sent once")
    return value


def unix_seconds(text: str) -> float:
    """Return a timestamp given as seconds since 1970 or in ISO 8601. Raises Unsigned."""
    if re.fullmatch(r"\d{1,12}", text, re.ASCII):
        return float(text)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("it has no zone")
        return at.timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise Unsigned("the signature's timestamp is no time") from error


def refuse_old(sent: float, now: float) -> None:
    """Raise Unsigned for a webhook that was signed too long ago, or in the future."""
    if not -_AHEAD <= now - sent <= MOST_AGE:
        raise Unsigned(f"the signature is not of the last {MOST_AGE / 60:.0f} minutes; check both clocks")


def hex_digest(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def base64_digest(secret: str, signed: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def refuse_wrong(expected: str, shown: str) -> None:
    """Raise Unsigned where a signature is not the expected one."""
    if not hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape")):
        raise Unsigned("the signature is wrong: the signing secret here is not the desk's")
