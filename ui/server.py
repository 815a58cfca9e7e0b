"""The page's server: it listens on loopback, shares nothing, asks nothing of the internet, serves no file but a
campaign's plan that was asked for, and offers no API of its own.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from threadpoolctl import threadpool_limits

from ui.app import make_app
from ui.errors import BadAddress, PortBusy
from ui.ports import Assistant
from ui.theme import CSS, HEAD, theme


def launch(
    agent: Assistant,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    *,
    model: str = "",
    report: Path | None = None,
    block: bool = True,
) -> str:
    """Serve the page and return its URL; with `block`, only when the server ends.

    Raises PortBusy where the port is taken, BadAddress where the host is not ours.
    """
    require_free(host, port)
    _keep_loopback_off_proxies()
    threadpool_limits(1, "blas")  # as in the API
    app = make_app(agent, model=model, report=report)
    try:
        _, url, _ = app.launch(
            server_name=host,
            server_port=port,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            show_error=False,
            theme=theme(),
            css=CSS,
            head=HEAD,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            allowed_paths=[],
            max_file_size=1,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            strict_cors=True,
            state_session_capacity=500,
        )
    except OSError as error:  # taken between our look and gradio's
        raise PortBusy(host, port) from error
    if block:
        try:
            app.block_thread()
        finally:
            app.close(verbose=False)
    return url


def require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise BadAddress(host, port, "ports below 1024 need rights that we do not have") from error
        except socket.gaierror as error:
            raise BadAddress(host, port, "the host name is unknown") from error
        except OSError as error:
            if error.errno in (98, 48, 10048):  # address in use: Linux, macOS, Windows
                raise PortBusy(host, port) from error
            raise BadAddress(host, port, error.strerror or "no such address here") from error


def _keep_loopback_off_proxies() -> None:
    """Gradio asks its own server whether it is up, with a client that would go through a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        known = [part for part in os.environ.get(name, "").split(",") if part]
        for own in ("127.0.0.1", "localhost", "::1"):
            if own not in known:
                known.append(own)
        os.environ[name] = ",".join(known)
