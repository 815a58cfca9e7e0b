"""Which desks there are: one TOML file, whose secrets may stand in the environment or in files of their own.

[chatwoot]
url = "https://desk.example.com"
account = 1
token = "env:CHATWOOT_BOT_TOKEN"       # or "file:/run/secrets/chatwoot", or the token itself
secret = "env:CHATWOOT_BOT_SECRET"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from customers.errors import BadInput

Mode = Literal["reply", "assist"]
Trust = Literal["verified", "all"]
_SECRETS = ("token", "secret", "read_token")
_NEEDED = {
    "chatwoot": ("url", "account", "token", "secret"),
    "zendesk": ("url", "user", "token", "secret"),
    "slack": ("token", "secret", "staff_channel"),
}


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """One desk. Secrets are not shown when it is printed.

    mode: "reply" answers customers; "assist" writes drafts for colleagues. trust: whose identity is believed:
    "verified" (only contacts that the desk vouches for) or "all". attribute: the contact's custom attribute
    that names the shop's customer. contacts: a CSV of contact,customer. read_token: (Chatwoot) a colleague's
    token, to read conversations with. user: (Zendesk) the bot's e-mail. staff_channel: (Slack) where briefs go.
    """

    name: str
    url: str = ""
    account: str = ""
    user: str = ""
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    read_token: str = field(default="", repr=False)
    staff_channel: str = ""
    mode: Mode = "reply"
    trust: Trust = "verified"
    attribute: str = "customer_id"
    contacts: Path | None = None


def read_settings(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, DeskSettings]:
    """Return the desks of a file by name; none where there is no file. Raises BadInput."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is no TOML: {error}; see docs/desk.md for an example") from error
    return {name: _desk(path, name, given, environ) for name, given in document.items()}


def readable_by_others(path: Path) -> bool:
    """Return whether a file with secrets in it may be read by other users of the machine."""
    return path.exists() and bool(path.stat().st_mode & 0o077)


def _desk(path: Path, name: str, given: Any, environ: Mapping[str, str]) -> DeskSettings:
    where = f"{path}: [{name}]"
    if name not in _NEEDED or not isinstance(given, dict):
        raise BadInput(f"{where} is no desk: there are [{'], ['.join(_NEEDED)}]")
    known = {f.name for f in fields(DeskSettings)} - {"name"}
    if unknown := sorted(set(given) - known):
        raise BadInput(f"{where} has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise BadInput(f"{where} {key} must be text")
        values[key] = _secret(where, key, str(value), environ) if key in _SECRETS else str(value)
    if missing := [key for key in _NEEDED[name] if not values.get(key)]:
        raise BadInput(f"{where} lacks {', '.join(missing)}")
    for key, allowed in (("mode", get_args(Mode)), ("trust", get_args(Trust))):
        if values.get(key, allowed[0]) not in allowed:
            raise BadInput(f"{where} {key} is one of {', '.join(allowed)}")
    values.setdefault("url", "https://slack.com/api")
    _refuse_open(where, values["url"])
    if contacts := values.get("contacts"):
        values["contacts"] = path.parent / contacts
    return DeskSettings(name, **values)


def _secret(where: str, key: str, value: str, environ: Mapping[str, str]) -> str:
    kind, _, place = value.partition(":")
    if kind == "env":
        if not environ.get(place):
            raise BadInput(f"{where} {key}: the environment has no {place}; export it before starting")
        return environ[place].strip()
    if kind == "file":
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{where} {key}: {place} cannot be read") from error
    return value


def _refuse_open(where: str, url: str) -> None:
    """A token goes over HTTPS only, except to this machine."""
    parts = urlsplit(url)
    own = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and own):
        raise BadInput(f"{where} url must begin with https:// (http:// only for this machine)")
