"""API keys: hashed at rest, with role and limit; the commands that make and end them; the own key."""

from __future__ import annotations

import json
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
from api.access import ACCESS_FILE, AccessTrace
from api.callers import KNOWN_SECONDS, OWNER, Buckets, Callers
from api.errors import Problem
from api.key_store import KEYS_FILE, KeyStore
from customers.errors import BadInput
from tests.api_server import error, headers_of, served


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / KEYS_FILE)


async def identified(callers: Callers, key: str) -> str:
    return (await callers.identify({"authorization": f"Bearer {key}"})).name


def test_only_a_hash_is_kept_and_only_the_owner_reads_it(store: KeyStore):
    secret, key = store.add("desk", "service", "the service desk", 30)
    assert len(secret) > 43
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    for file in store.path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()
    assert store.find(secret) == key
    assert store.find(secret + "x") is None
    assert store.find("") is None
    assert (key.role, key.purpose, key.per_minute) == ("service", "the service desk", 30)
    assert abs((datetime.now(UTC) - key.made).total_seconds()) < 60
    another, _ = store.add("other", "service", "x", 0)
    assert another != secret


def test_a_revoked_key_is_refused_and_its_name_is_free_again(store: KeyStore):
    secret, key = store.add("desk", "service", "x")
    assert store.revoke(key.id).name == "desk"
    assert store.find(secret) is None
    with pytest.raises(BadInput, match="no key 'desk' to revoke"):
        store.revoke("desk")
    again, _ = store.add("desk", "push", "x")
    assert store.find(again)
    assert [(k.name, k.revoked is None) for k in store.all()] == [("desk", False), ("desk", True)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "two words"}, "no name for a key"),
        ({"name": ""}, "no name for a key"),
        ({"role": "king"}, "service, merchandiser, admin, push"),
        ({"purpose": "  "}, "what the key is for"),
        ({"per_minute": -1}, "cannot be"),
        ({"name": "taken"}, "there is a key named"),
    ],
)
def test_keys_that_cannot_be(store: KeyStore, change: dict, says: str):
    store.add("taken", "service", "x")
    given: dict[str, Any] = {"name": "new", "role": "service", "purpose": "x"} | change
    with pytest.raises(BadInput, match=says):
        store.add(**given)
    assert len(store.all()) == 1


@given(st.lists(st.floats(0, 30), max_size=40), st.integers(1, 20))
def test_no_more_calls_pass_than_a_limit_allows(gaps: list[float], per_minute: int):
    clock = Clock()
    buckets, passed = Buckets(clock), []
    for gap in gaps:
        clock.now += gap
        wait = buckets.take("k", per_minute)
        if wait == 0:
            passed.append(clock.now)
        else:
            assert 0 < wait <= 60 / per_minute + 1e-6
    for i, first in enumerate(passed):
        for j in range(i, len(passed)):
            assert j - i + 1 <= per_minute + (passed[j] - first) * per_minute / 60 + 1e-6


async def _limited(store: KeyStore) -> None:
    clock = Clock()
    callers = Callers("own", store, clock=clock)
    secret, _ = store.add("desk", "service", "x", per_minute=2)
    assert [await identified(callers, secret) for _ in range(2)] == ["desk", "desk"]
    with pytest.raises(Problem) as told:
        await identified(callers, secret)
    assert told.value.status_code == 429
    assert told.value.headers == {"Retry-After": "30"}
    assert await identified(callers, "own") == "owner"
    clock.now += 30
    assert await identified(callers, secret) == "desk"


def test_a_key_calls_as_often_as_it_may(store: KeyStore):
    import asyncio

    asyncio.run(_limited(store))


async def _revoked(store: KeyStore) -> None:
    clock = Clock()
    callers = Callers("own", store, clock=clock)
    secret, _ = store.add("desk", "service", "x")
    assert await identified(callers, secret) == "desk"
    store.revoke("desk")
    clock.now += KNOWN_SECONDS
    with pytest.raises(Problem):
        await identified(callers, secret)


def test_a_running_server_learns_of_a_revoked_key(store: KeyStore):
    import asyncio

    asyncio.run(_revoked(store))


def test_the_own_key_is_an_admins(tmp_path: Path):
    with served() as api:
        assert api.call("GET", "/v1/segments", "admin").status_code == 200
        wrong = api.call("GET", "/v1/segments", None, headers=headers_of("shk_wrong"))
        assert error(wrong, 401)["allowed"]
        basic = api.call("GET", "/v1/segments", None, headers={"Authorization": f"Basic {api.keys['admin']}"})
        assert error(basic, 401)


def test_each_call_of_a_key_is_traced_with_its_purpose_and_without_whom_it_was_about():
    with served() as api:
        api.call("GET", "/v1/customers/101", "service")
        api.call("GET", "/v1/segments", "service")
        api.call("GET", "/v1/segments", None, headers=headers_of("shk_wrong"))
        tool = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "segments", "arguments": {}},
        }
        more = {"MCP-Protocol-Version": "2025-06-18", "Accept": "application/json, text/event-stream"}
        api.call("POST", "/mcp", "service", json=tool, headers=headers_of(api.keys["service"]) | more)
        path = api.shop / ACCESS_FILE
        # A call's line is written after its answer.
        waited = time.monotonic() + 10
        while len(path.read_text().splitlines()) < 3 and time.monotonic() < waited:
            time.sleep(0.02)
        trace = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(t["call"], t["status"]) for t in trace] == [
            ("GET /v1/customers/{customer_id}", 200), ("GET /v1/segments", 403), ("POST /mcp segments", 403),
        ]  # fmt: skip
        assert {(t["role"], t["purpose"]) for t in trace} == {("service", "tests")}
        assert not any(secret in path.read_text() for secret in api.keys.values())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_long_trace_is_followed_by_a_new_one(tmp_path: Path):
    trace = AccessTrace(tmp_path, most_bytes=300)
    for status in range(1, 6):
        trace.note(OWNER, "GET /x", status, 1.0)
    lines = "".join((tmp_path / name).read_text() for name in ("access.1.jsonl", ACCESS_FILE)).splitlines()
    assert [json.loads(line)["status"] for line in lines] == [3, 4, 5]


# The command -------------------------------------------------------------------------------------
def run(shop: Path, *words: str) -> int:
    return cli.main(["keys", *words, "--shop", str(shop)])


def test_keys_are_added_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    add = ("add", "desk", "--role", "service", "--purpose", "the service desk", "--per-minute", "90")
    assert run(tmp_path, *add) == 0
    secret = capsys.readouterr().out.strip()
    assert KeyStore(tmp_path / KEYS_FILE).find(secret)
    assert run(tmp_path, "list") == 0
    listed = capsys.readouterr().out
    assert "desk" in listed
    assert "90 a minute" in listed
    assert secret not in listed
    assert run(tmp_path, "list", "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["role"], shown["per_minute"]) == ("service", 90)
    assert run(tmp_path, "revoke", "desk") == 0
    assert run(tmp_path, "list") == 0
    assert "revoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "desk"), "--role"),
        (("add",), "name the key"),
        (("revoke", "nobody"), "no key 'nobody'"),
        (("add", "a b", "--role", "push", "--purpose", "x"), "no name"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple, says: str):
    assert run(tmp_path, *words) == 2
    told = capsys.readouterr().err.strip()
    assert says in told
    assert "\n" not in told
    assert not (tmp_path / KEYS_FILE).exists()
