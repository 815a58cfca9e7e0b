"""The API over real HTTP on loopback: a small shop, the real agent, a scripted model."""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from agent import Agent
from api.app import create_app, listen
from api.key_store import KEYS_FILE, KeyStore
from customers.shop import Shop
from tests import corner

OWNER_KEY = "owner-key-0123456789"


@dataclass
class Served:
    """A running API. `keys` by role; `agent` is the one behind it."""

    url: str
    shop: Path
    app: FastAPI
    agent: Agent
    keys: dict[str, str]

    def call(self, method: str, path: str, role: str | None = "admin", **more: Any) -> httpx.Response:
        """Call as a role; None shows no key."""
        headers = {**(headers_of(self.keys[role]) if role else {}), **more.pop("headers", {})}
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.request(method, self.url + path, headers=headers, **more)


def copied() -> Path:
    """A copy of the corner shop, which goes when the run ends."""
    scratch = Path(tempfile.mkdtemp(prefix="api-shop-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return Path(shutil.copytree(corner.built(), scratch / "shop"))


def headers_of(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def open_agent(shop: Path, llm: Any = None) -> Agent:
    """The agent over a shop's folder, with a scripted model or with none."""
    return Agent(Shop.open(shop), None, llm=llm, memory=shop / "memory.sqlite")


@contextmanager
def served(shop: Path | None = None, llm: Any = None, agent: Any = None, **options: Any) -> Iterator[Served]:
    """Serve a copy of the corner shop, or the given folder, until the block ends."""
    folder = shop or copied()
    asked = agent or open_agent(folder, llm)
    keys = {"admin": OWNER_KEY}
    store = KeyStore(folder / KEYS_FILE)
    for role in ("service", "merchandiser", "push"):
        keys[role], _ = store.add(f"test-{role}-{len(store.all())}", role, "tests", per_minute=0)
    app = create_app(folder, OWNER_KEY, opener=lambda: asked, apply_seconds=None, **options)
    with running(app) as url:
        yield Served(url, folder, app, asked, keys)


@contextmanager
def running(app: FastAPI, wait_ready: bool = True) -> Iterator[str]:
    """Run an application in a thread; give its address."""
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        if wait_ready:
            _until_ready(url)
        yield url
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()


def _until_ready(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def error(answer: httpx.Response, status: int) -> Mapping[str, Any]:
    """Return what an error says, after checking that it has the one shape."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    told = answer.json()["error"]
    assert set(told) == {"message", "type", "code", "param", "allowed"}
    assert told["message"]
    assert "\n" not in told["message"]
    return told


def send_raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as caller:
        caller.sendall(data)
        caller.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := caller.recv(65536):
            got += chunk
    return got
