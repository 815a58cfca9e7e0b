"""`shopkeeper desk check`: whether each desk is reachable, signed right, and its queue runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.desk.base import Adapter
from api.desk.contacts import read_table
from api.desk.errors import DeskError
from api.desk.queue import DeskQueue
from api.desk.registry import adapters
from api.desk.settings import DeskSettings, read_settings, readable_by_others
from customers.errors import BadInput

_PING = b'{"event": "shopkeeper_check", "type": "shopkeeper_check"}'


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at; `ok` is False where something must be mended."""

    desk: str
    ok: bool
    what: str


def check(file: Path, shop: Path, server: str, only: str = "") -> list[Found]:
    """Look at the desks of a file. server: the base URL where this shop's `shopkeeper serve` runs.

    Raises BadInput where the file is not there or cannot be used.
    """
    settings = read_settings(file)
    if not settings:
        raise BadInput(f"{file} is not there: docs/desk.md shows what to write into it")
    if only and only not in settings:
        raise BadInput(f"{file} has no [{only}]; it has {', '.join(settings)}")
    found = []
    if readable_by_others(file) and _holds_secrets(file):
        found.append(Found("file", False, f"{file} may be read by others: run `chmod 600 {file}`"))
    queue = DeskQueue(shop)
    for name, adapter in adapters({n: s for n, s in settings.items() if not only or n == only}).items():
        try:
            found += _desk(adapter, settings[name], queue, server)
        finally:
            adapter.close()
    return found


def queue_findings(file: Path, shop: Path) -> list[Found]:
    """What `shopkeeper doctor` tells of the desks: only what stands on disk; no desk is asked."""
    try:
        settings = read_settings(file)
    except BadInput as error:
        return [Found("file", False, str(error))]
    return [_queue(DeskQueue(shop), name) for name in settings]


def _holds_secrets(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(
        line.partition("=")[0].strip() in ("token", "secret", "read_token")
        and not line.partition("=")[2].strip().strip("\"'").startswith(("env:", "file:"))
        for line in text.splitlines()
    )


def _desk(adapter: Adapter, settings: DeskSettings, queue: DeskQueue, server: str) -> list[Found]:
    name = adapter.name
    found = []
    try:
        found += [Found(name, "MEND" not in line, line) for line in adapter.check()]
    except DeskError as error:
        found.append(Found(name, False, str(error)))
    found.append(_door(adapter, server))
    found.append(_knocks(queue, name))
    found.append(_queue(queue, name))
    if settings.contacts is not None:
        try:
            rows: Mapping[str, str] = read_table(settings.contacts)
            found.append(Found(name, True, f"{settings.contacts} names {len(rows)} contacts"))
        except BadInput as error:
            found.append(Found(name, False, str(error)))
    if settings.trust == "all":
        found.append(Found(name, True, 'trust = "all": whoever claims to be a customer is believed'))
    return found


def _door(adapter: Adapter, server: str) -> Found:
    """Knock at our own door as the desk would."""
    url = f"{server}/desks/{adapter.name}"
    headers = adapter.sign(_PING, time.time()) | {"Content-Type": "application/json"}
    try:
        answer = httpx.post(url, content=_PING, headers=headers, timeout=5.0)
    except httpx.HTTPError:
        return Found(adapter.name, False, f"nothing answers at {url}: start `shopkeeper serve`")
    if answer.status_code == 200:
        return Found(adapter.name, True, f"{url} takes webhooks that are signed with this secret")
    return Found(
        adapter.name, False,
        f"{url} answered {answer.status_code}: restart `shopkeeper serve`, so that it reads the desks' file anew",
    )  # fmt: skip


def _knocks(queue: DeskQueue, name: str) -> Found:
    door = queue.door(name)
    if door.refused is not None and door.refused > (door.accepted or 0.0):
        return Found(name, False, f"a webhook was refused {_ago(door.refused)}: {door.reason}")
    if door.accepted is None:
        return Found(name, True, "no signed webhook has come in yet")
    return Found(name, True, f"the last signed webhook came in {_ago(door.accepted)}")


def _queue(queue: DeskQueue, name: str) -> Found:
    health = queue.health(name)
    told = f"{health.waiting} wait, {health.dead} given up, {health.with_colleagues} conversations with colleagues"
    if health.dead:
        told += f" ({health.trouble}); `shopkeeper desk retry` takes them up again"
    elif health.waiting and health.oldest_s > 300:
        told += f"; the oldest for {health.oldest_s / 60:.0f} minutes: {health.trouble or 'is `shopkeeper serve` running?'}"
    return Found(name, not health.dead and health.oldest_s <= 300, told)


def _ago(at: float) -> str:
    minutes = (time.time() - at) / 60
    return (
        "just now"
        if minutes < 1
        else f"{minutes:.0f} minutes ago"
        if minutes < 120
        else f"{minutes / 60:.0f} hours ago"
    )
