"""What people ask of the desks: `shopkeeper desk`, `shopkeeper doctor`, and the desks inside the application."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cli
from api.app import create_app
from api.desk import mount
from api.desk.mount import desk_routers
from api.desk.queue import DeskQueue
from tests.desk_slack import SlackStandIn
from tests.desk_stand_in import READ_TOKEN, SECRET, TOKEN, StandIn, Trouble
from tests.desk_world import STAND_INS, Scripted, World, served, world


def write_file(path: Path, desk: StandIn, url: str, **more: str) -> Path:
    own = {"url": url, "account": "1", "user": "bot@example.com", "staff_channel": SlackStandIn.staff}
    own |= {"token": TOKEN, "secret": SECRET, "read_token": READ_TOKEN} | more
    path.write_text(f"[{desk.name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in own.items()))
    path.chmod(0o600)
    return path


@pytest.fixture(params=sorted(STAND_INS))
def found(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(request.param, tmp_path / "shop") as found:
        base = found.desk.base
        monkeypatch.setenv("SHOPKEEPER_SHOP", str(found.shop))
        monkeypatch.setenv("SHOPKEEPER_DESKS", str(write_file(tmp_path / "desks.toml", found.desk, base)))
        yield found


def checked(found: World, capsys: pytest.CaptureFixture[str], code: int) -> list[dict[str, Any]]:
    assert cli.main(["desk", "check", "--server", found.url, "--json"]) == code
    told = capsys.readouterr().out
    assert TOKEN not in told
    assert SECRET not in told
    return json.loads(told)


def test_a_desk_that_is_well_is_told_so(found: World, capsys: pytest.CaptureFixture[str]):
    told = checked(found, capsys, 0)
    assert any(found.desk.base in one["what"] or "workspace" in one["what"] for one in told)
    assert any("takes webhooks that are signed with this secret" in one["what"] for one in told)
    assert cli.main(["desk", "check", found.desk.name, "--server", found.url]) == 0
    assert capsys.readouterr().out.startswith(f"ok    {found.desk.name}: ")


def test_a_wrong_token_a_wrong_secret_and_a_refused_webhook_are_told(
    found: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    write_file(tmp_path / "desks.toml", found.desk, found.desk.base, token="withdrawn", secret="another")
    found.desk.deliver(found.desk.say(found.desk.begin("1842"), "hello", deliver=False), at=0)
    wrong = [one["what"] for one in checked(found, capsys, 2) if not one["ok"]]
    assert len(wrong) == 3, wrong
    assert "401" in wrong[0] or "invalid_auth" in wrong[0]
    assert "answered 401" in wrong[1]
    assert "the signature is not of the last 5 minutes" in wrong[2]


def test_dead_letters_are_told_by_check_and_doctor_and_retried(
    found: World, capsys: pytest.CaptureFixture[str]
):
    found.desk.troubles = [Trouble("(POST|PUT) .*(messages|tickets|postMessage)", 403)]
    talk = found.desk.begin("1842")
    found.converse(talk, "hello")
    assert any("1 given up" in one["what"] for one in checked(found, capsys, 2) if not one["ok"])
    assert cli.main(["doctor", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)[f"desk {found.desk.name}"]["ok"] is False
    assert cli.main(["desk", "retry", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"retried": 1}
    found.idle()
    assert found.desk.replies(talk) == ["re: hello"]
    assert not [one for one in checked(found, capsys, 0) if not one["ok"]]


def test_a_missing_file_an_unknown_desk_and_an_open_file_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SHOPKEEPER_SHOP", str(tmp_path))
    assert cli.main(["desk", "check"]) == 2
    assert "is not there" in capsys.readouterr().err
    file = write_file(tmp_path / "desks.toml", STAND_INS["chatwoot"](), "http://127.0.0.1:9")
    monkeypatch.setenv("SHOPKEEPER_DESKS", str(file))
    assert cli.main(["desk", "check", "zendesk"]) == 2
    assert "has no [zendesk]" in capsys.readouterr().err
    file.chmod(0o644)
    assert cli.main(["desk", "check", "--server", "http://127.0.0.1:9"]) == 2
    out = capsys.readouterr().out
    assert "chmod 600" in out
    assert "cannot be reached" in out
    assert "nothing answers" in out
    assert cli.main(["desk", "retry"]) == 0


# In the application ------------------------------------------------------------------------------------------
def test_desks_are_part_of_the_application_and_wait_for_its_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.desk.courier.NOT_YET_SECONDS", 0.05)
    answers, opens = Scripted(), threading.Event()
    monkeypatch.setattr(mount, "DeskAgent", lambda agent: answers)
    shop, desk = tmp_path / "shop", STAND_INS["chatwoot"]()

    def opener() -> Any:
        opens.wait(10)
        known = SimpleNamespace(has_customer=lambda customer: customer == "1842", folder=shop, version="1")
        return SimpleNamespace(shop=known)

    with desk.serving() as url:
        routers = desk_routers(write_file(tmp_path / "desks.toml", desk, url))
        app = create_app(shop, "key", opener=opener, apply_seconds=None, routers=routers)
        with served(app) as base:
            desk.webhooks = f"{base}/desks/chatwoot"
            talk, queue = desk.begin("1842"), DeskQueue(shop)
            desk.say(talk, "hello")
            desk.wait(lambda: "not open yet" in queue.health().trouble)
            assert desk.replies(talk) == []
            opens.set()
            desk.say(talk, "a human please")
            desk.wait(lambda: queue.health().waiting == 0)
            assert desk.replies(talk) == ["re: hello", "A colleague takes over."]
            desk.rate(talk, 5)
            desk.wait(lambda: answers.outcomes == [(f"chatwoot:{talk}", "good")])
    assert [(text, customer) for text, customer, *_ in answers.asked] == [
        ("hello", "1842"),
        ("a human please", "1842"),
    ]


def test_without_a_file_there_are_no_desks(tmp_path: Path):
    assert mount.desk_routers(tmp_path / "none.toml")(SimpleNamespace()) == []  # type: ignore[arg-type]
