"""A browser on a page that is really served, for the tests that look at it as a person would."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser")) if path), None)
LEFT_OUT = "NO CHROMIUM ON THIS MACHINE: BROWSER TESTS LEFT OUT (install it: apt-get install chromium)"
_ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Long enough for a machine that builds and serves a model at the same time; a pass waits for nothing.
_PATIENCE_MS = 45_000
expect.set_options(timeout=_PATIENCE_MS)


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def browser() -> Iterator[Browser]:
    """Open Chromium (with an empty profile, as Playwright does) and close it."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGS))
        try:
            yield opened
        finally:
            opened.close()


def window(opened: Browser, locale: str = "en-US", width: int = 1440, height: int = 900) -> BrowserContext:
    """Return a window of a person who reads `locale`, with cookies and storage of its own."""
    context = opened.new_context(locale=locale, viewport={"width": width, "height": height})
    context.set_default_timeout(_PATIENCE_MS)
    return context
