"""The server around the page: where it listens, and what it does not offer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from ui_browser import free_port
from ui_fakes import FakeAgent

from customers.errors import BadInput
from ui.app import make_app
from ui.errors import BadAddress, PortBusy
from ui.server import launch


def test_a_busy_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy) as error:
            launch(FakeAgent(), port=port, open_browser=False)
    assert isinstance(error.value, BadInput)
    assert str(port) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_a_host_that_is_not_ours_is_said_in_one_line(host: str) -> None:
    with pytest.raises(BadAddress) as error:
        launch(FakeAgent(), host=host, port=free_port(), open_browser=False)
    assert host in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield launch(FakeAgent(pause_s=0), port=free_port(), open_browser=False, block=False)
    gr.close_all(verbose=False)


def test_the_page_is_served_and_asks_nothing_of_the_internet(url: str) -> None:
    page = httpx.get(url, trust_env=False)
    assert page.status_code == 200
    assert "fonts.googleapis" not in page.text
    assert "analytics_enabled&quot;:true" not in page.text


def test_no_function_is_offered_as_an_api(url: str) -> None:
    info = httpx.get(f"{url}gradio_api/info", trust_env=False).json()
    assert info["named_endpoints"] == {}
    assert info["unnamed_endpoints"] == {}


@pytest.mark.parametrize("path", ["/etc/hostname", "pyproject.toml", "ui/app.py", "var/llm.json"])
def test_no_file_is_served(url: str, path: str) -> None:
    assert httpx.get(f"{url}gradio_api/file={path}", trust_env=False).status_code in (403, 404)


def test_nothing_can_be_uploaded(url: str) -> None:
    sent = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.txt", b"0123456789")}, trust_env=False)
    assert sent.status_code >= 400


def test_monitoring_is_off(url: str) -> None:
    seen = httpx.get(f"{url}monitoring", trust_env=False)
    assert seen.status_code >= 400 or "disabled" in seen.text.lower()


def test_a_page_can_be_made_without_a_server() -> None:
    assert isinstance(make_app(FakeAgent()), gr.Blocks)
