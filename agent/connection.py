"""HTTP connections to a model server that stop waiting in time: when the asker leaves, and when a piece is overdue.

A blocked read notices neither by itself: during a long prompt the server sends nothing, or only signs of life.
So each wait for bytes is cut into short ones, and what stands between them is looked at.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from agent.errors import Cancelled

POLL_S = 0.05
CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Patience:
    cancel: threading.Event | None
    deadline: float

    def check(self) -> None:
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("the question was withdrawn.")
        if time.monotonic() > self.deadline:
            raise httpcore.ReadTimeout("nothing of use came in time")


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patience(cancel: threading.Event | None, seconds: float) -> Iterator[None]:
    """Within, this thread's reads over `client`'s connections end when `cancel` is set, and after `seconds` in all.

    Whatever the server sends to keep the connection alive does not put off the end. Raises Cancelled or the HTTP
    client's own time-out, perhaps as the cause of the caller's library's error; the connection is closed.
    """
    token = _patience.set(_Patience(cancel, time.monotonic() + seconds))
    try:
        yield
    finally:
        _patience.reset(token)


def client(**options: Any) -> httpx.Client:
    """Return an httpx.Client (`options` are its own) whose connections know `patience`."""
    made = httpx.Client(**options)
    # httpx has no public way to hand its pools a network backend, and a transport of ours would lose its proxies.
    for transport in (made._transport, *made._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _Backend(pool._network_backend)
    return made


class _Backend(httpcore.NetworkBackend):
    """Opens connections as another backend does, and reads from them patiently."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(*args, **kwargs))

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_unix_socket(*args, **kwargs))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        waiting = _patience.get()
        if waiting is None:
            return self._inner.read(max_bytes, timeout)
        while True:
            try:
                waiting.check()
            except Exception:
                self._reset()
                raise
            try:
                return self._inner.read(max_bytes, POLL_S)
            except httpcore.ReadTimeout:
                continue

    def _reset(self) -> None:
        """Have `close` reset the connection: an orderly end is not noticed by a server that only writes."""
        plain = self._inner.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
