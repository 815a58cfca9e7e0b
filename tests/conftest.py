"""What every test gets: no way to a real model or to the network, unless its marker allows it."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import Settings

LARGEST_FAKE_BYTES = 1 << 20
FETCH = "SHOPKEEPER_TEST_FETCH"
_OWN_CACHE = Settings().cache  # read before any test changes the environment


@pytest.fixture(autouse=True)
def _kept_from_the_world(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """No settings leak in from the user's shell; sockets reach this machine only; no model is loaded."""
    for name in [n for n in os.environ if n.startswith(("SHOPKEEPER_", "OPENAI_", "LANGSMITH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHOPKEEPER_VAR", str(tmp_path / "var"))
    if request.node.get_closest_marker("model"):
        yield
        return
    monkeypatch.setenv("SHOPKEEPER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    if serving := sys.modules.get("agent.serving"):  # not loaded for tests that have no use for it
        start = serving.LocalServer.start
        monkeypatch.setattr(serving.LocalServer, "start", _without_real_models(start))
    monkeypatch.setattr(socket.socket, "connect", _loopback_only(socket.socket.connect))
    yield


def _without_real_models(start: Any) -> Any:
    def guarded(server: Any, *args: Any, **kwargs: Any) -> Any:
        if server.model.exists() and server.model.stat().st_size > LARGEST_FAKE_BYTES:
            pytest.fail("this test starts a real model; mark it with @pytest.mark.model", pytrace=True)
        return start(server, *args, **kwargs)

    return guarded


def _loopback_only(connect: Any) -> Any:
    def guarded(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not (host.startswith("127.") or host in ("::1", "localhost")):
                raise OSError(f"a test may not reach {host}; mark it with @pytest.mark.model if it must")
        connect(sock, address)

    return guarded


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The smallest catalogue model that is at hand; set SHOPKEEPER_TEST_FETCH=1 to have it fetched."""
    from agent.models import CATALOGUE, ensure_model

    smallest_first = sorted(CATALOGUE.values(), key=lambda spec: spec.published.bytes)
    for spec in smallest_first:
        if (_OWN_CACHE / "models" / spec.file).exists():
            return ensure_model(spec.name, _OWN_CACHE, quiet=True)
    if _FETCH_ALLOWED:
        return ensure_model(smallest_first[0].name, _OWN_CACHE, quiet=True)
    pytest.skip(f"LEFT OUT: no model in {_OWN_CACHE}; `make run` fetches one, or set {FETCH}=1")


_FETCH_ALLOWED = bool(os.environ.get(FETCH))


_finished: list[int] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _finished.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave right after the summary: at the interpreter's own end, DuckDB's binding would print pages about
    objects that a cache still holds, and bury the summary."""
    if not _finished:
        return
    warnings.simplefilter("ignore")  # other people's, of what they left open
    with contextlib.redirect_stderr(io.StringIO()):  # what is still open goes with the process
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_finished[-1])
