"""Errors of the page. Each message is one line: what is wrong, and how to mend it."""

from __future__ import annotations

from customers.errors import BadInput


class PortBusy(BadInput):
    """Another program listens on the port that the page was to open."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is taken by another program; stop it, or choose another port "
            f"(SHOPKEEPER_UI_PORT={port + 1})"
        )
        self.host, self.port = host, port


class BadAddress(BadInput):
    """The page cannot be opened on the host that was asked for."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot open a page on {host}:{port} ({why}); use host 127.0.0.1")
