"""Pushing events over HTTP: what is taken, what is refused, and that nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app, listen
from api.event_shape import Rejected, event_fields
from api.keys import key_in
from customers.errors import BadInput
from customers.ingest import inbox as inbox_module
from customers.ingest.clock import zone
from customers.ingest.inbox import Inbox
from customers.pipeline import STORE

KEY = "k-123"
HEADERS = {"Authorization": f"Bearer {KEY}"}
BUY = {
    "kind": "purchase", "customer_id": "c1", "ts": "2024-06-30T18:05:00", "product_id": "p1", "quantity": 2,
    "amount": 5.0, "event_id": "e1",
}  # fmt: skip
SEARCH = {"kind": "search", "customer_id": "c2", "ts": "2024-06-30 18:06:00", "text": "绿茶"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
def client(shop: Path) -> Iterator[TestClient]:
    """An application that takes events and leaves them in the inbox."""
    with TestClient(create_app(shop, KEY, apply_seconds=None)) as client:
        yield client


def push(client: TestClient, *events: object) -> Any:
    return client.post("/v1/events", json={"events": list(events)}, headers=HEADERS)


def stored(shop: Path) -> list[tuple]:
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        return con.execute(
            "SELECT kind, customer_id, CAST(ts AS VARCHAR), product_id, amount, text FROM events ORDER BY ts, text"
        ).fetchall()


# What is taken ------------------------------------------------------------------------------
def test_events_are_on_disk_before_the_answer_and_in_the_store_after_it(client: TestClient, shop: Path):
    answer = push(client, BUY, SEARCH | {"device": {"os": "ios"}})
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    (batch,) = (shop / "inbox").glob("*.jsonl")
    kept = [json.loads(line) for line in batch.read_text(encoding="utf-8").splitlines()]
    assert [row["customer_id"] for row in kept] == ["c1", "c2"]
    assert json.loads(kept[1]["raw"]) == {"device": {"os": "ios"}}
    assert Inbox(shop, shop / STORE).apply() == 1
    assert stored(shop) == [
        ("purchase", "c1", "2024-06-30 18:05:00", "p1", 5.0, None),
        ("search", "c2", "2024-06-30 18:06:00", None, None, "绿茶"),
    ]
    assert [path.name for path in (shop / "inbox" / "done").iterdir()] == [batch.name]
    assert client.get("/ready").json() == {"ready": True, "pending": 0, "agent": "none"}


def test_lines_of_json_are_taken_one_by_one(client: TestClient):
    body = "\n".join(
        [json.dumps(BUY), "{broken", "", json.dumps(BUY | {"kind": "theft"}), "[1]", '{"a": NaN}']
    )
    answer = client.post(
        "/v1/events", content=body, headers=HEADERS | {"Content-Type": "application/x-ndjson; charset=utf-8"}
    )
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"] == 1
    assert [entry["index"] for entry in told["rejected"]] == [1, 2, 3, 4]
    assert told["rejected"][1]["reason"].startswith("kind: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customer_id": None}, "customer_id"),
        ({"customer_id": "  "}, "customer_id"),
        ({"customer_id": {"id": 1}}, "customer_id: must be text or a number"),
        ({"ts": "yesterday"}, "ts: write ISO 8601"),
        ({"ts": 1e300}, "ts: write ISO 8601"),
        ({"kind": "steal"}, "kind"),
        ({"amount": "much"}, "amount"),
        ({"amount": True}, "amount"),
        ({"text": "a\x00b"}, "text: holds a sign"),
        ({"text": "\ud800"}, "text: holds a sign"),
        ({"product_id": "p" * 201}, "product_id"),
    ],
)
def test_an_event_of_the_wrong_shape_is_rejected_with_the_reason(client: TestClient, change: dict, says: str):
    answer = client.post("/v1/events", content=json.dumps({"events": [BUY | change, BUY]}), headers=HEADERS | {
        "Content-Type": "application/json"})  # fmt: skip
    assert answer.status_code == 202
    (rejected,) = answer.json()["rejected"]
    assert rejected["index"] == 0
    assert says in rejected["reason"]
    assert "\n" not in rejected["reason"]


def test_nothing_usable_is_422_and_nothing_is_kept(client: TestClient, shop: Path):
    answer = push(client, {"kind": "purchase"})
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0
    assert not list((shop / "inbox").glob("*")) if (shop / "inbox").exists() else True


@pytest.mark.parametrize(
    ("ts", "local"),
    [
        ("2024-06-30T10:05:00Z", "2024-06-30 18:05:00"),
        ("2024-06-30T12:05:00+02:00", "2024-06-30 18:05:00"),
        (1719741900, "2024-06-30 18:05:00"),
        (1719741900000, "2024-06-30 18:05:00"),
        ("1719741900", "2024-06-30 18:05:00"),
        ("2024-06-30T18:05:00", "2024-06-30 18:05:00"),
        ("2024-06-30", "2024-06-30 00:00:00"),
    ],
)
def test_times_become_the_shops(ts: object, local: str):
    assert event_fields(BUY | {"ts": ts}, zone("Asia/Shanghai"))["ts"] == local


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*BUY, "text", "colour"]), json_values) | json_values)
def test_any_value_is_either_an_event_or_rejected_in_one_line(given_value: object):
    fields: dict[str, str | None] = {}
    reason = ""
    try:
        fields = event_fields(given_value, None)
    except Rejected as error:
        reason = str(error)
    assert bool(reason) != bool(fields.get("customer_id"))
    assert "\n" not in reason
    assert all(value is None or isinstance(value, str) for value in fields.values())
    json.dumps(fields, ensure_ascii=False).encode("utf-8")


# What is refused ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer k-12é"]
)
def test_without_the_key_nothing_is_taken(client: TestClient, shop: Path, shown: str):
    headers = {b"Authorization": shown.encode("latin-1")} if shown else {}
    answer = client.post("/v1/events", json={"events": [BUY]}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text
    assert not (shop / "inbox").exists()


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b'{"events": [', "application/json", 400),
        (b'{"events": 7}', "application/json", 400),
        (b"[1]", "application/json", 400),
        (b'{"events": ["\xff\xfe"]}', "application/json", 400),
        (b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400),
        (b'{"events": [' + b"9" * 5000 + b"]}", "application/json", 400),
        (b"\xff", "application/x-ndjson", 400),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b'{"events": []}', "application/json; charset=gb18030", 415),
        (b'{"events": []}', "", 415),
        (b" " * 5_000_001, "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_used_is_answered_properly(
    client: TestClient, content: bytes, kind: str, code: int
):
    answer = client.post("/v1/events", content=content, headers=HEADERS | {"Content-Type": kind})
    assert answer.status_code == code
    assert "\n" not in answer.json()["error"]["message"]


def test_a_body_without_a_length_is_cut_off_when_it_grows_too_large(client: TestClient):
    def endless() -> Iterator[bytes]:
        for _ in range(6):
            yield b" " * 1_000_000

    answer = client.post(
        "/v1/events", content=endless(), headers=HEADERS | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_compressed_bodies_are_refused_by_name(client: TestClient):
    headers = HEADERS | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post("/v1/events", content=b"x", headers=headers).status_code == 415


def test_when_too_much_waits_the_caller_is_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.events.MOST_BACKLOG", 10)
    assert push(client, BUY).status_code == 202
    answer = push(client, BUY)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_a_full_disk_is_said_and_nothing_is_accepted(
    client: TestClient, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("customers.ingest.inbox.os.fsync", full)
    answer = push(client, BUY)
    assert answer.status_code == 503
    assert "No space left" in answer.json()["error"]["message"]
    assert not list((shop / "inbox").iterdir())


def test_health_needs_no_key_and_pages_that_are_not_there_are_404(client: TestClient):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/pages").status_code == 404
    assert client.get("/v1/events").status_code == 405


# The key ------------------------------------------------------------------------------------
def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    key, path = key_in(tmp_path / "var")
    assert len(key) > 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert key_in(tmp_path / "var") == (key, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_address_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1:{port} cannot be listened at"):
            listen("127.0.0.1", port)


# Storing ------------------------------------------------------------------------------------
def fields(**change: object) -> dict[str, str | None]:
    return event_fields(BUY | change, None)


def test_what_was_stored_before_a_crash_is_not_stored_twice(shop: Path, monkeypatch: pytest.MonkeyPatch):
    """The store is written, and the process ends before the batches leave the inbox."""
    inbox = Inbox(shop, shop / STORE)
    inbox.accept([fields(), fields(event_id=None, ts="2024-06-30 19:00:00")])
    with monkeypatch.context() as crash:
        crash.setattr(Inbox, "_leave", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            inbox.apply()
    assert len(stored(shop)) == 2
    inbox.accept([fields(event_id="e2", ts="2024-06-30 20:00:00")])
    assert inbox.apply() == 2
    assert [row[2] for row in stored(shop)] == [
        "2024-06-30 18:05:00", "2024-06-30 19:00:00", "2024-06-30 20:00:00",
    ]  # fmt: skip


def test_a_batch_that_cannot_be_used_is_set_aside_and_the_others_go_on(shop: Path):
    inbox = Inbox(shop, shop / STORE)
    inbox.accept([fields(ts="2099-01-01 00:00:00")])
    assert inbox.apply() == 1
    (why,) = (shop / "inbox" / "failed").glob("*.txt")
    assert "future" in why.read_text(encoding="utf-8")
    inbox.accept([fields()])
    inbox.apply()
    assert len(stored(shop)) == 1


def test_while_the_store_cannot_be_written_events_wait(shop: Path, monkeypatch: pytest.MonkeyPatch):
    inbox = Inbox(shop, shop / STORE)
    inbox.accept([fields()])

    def full(*_: object, **__: object) -> None:
        raise BadInput("the store could not be written") from OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(inbox_module.files, "ingest", full)
        with pytest.raises(BadInput):
            inbox.apply()
    assert len(inbox.pending()) == 1
    assert inbox.apply() == 1
    assert len(stored(shop)) == 1


# Real processes -----------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(shop: Path, port: int, *program: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"SHOPKEEPER_API_KEY": KEY, "SHOPKEEPER_VAR": str(shop.parent)}
    process = subprocess.Popen([sys.executable, *program], env=environment, cwd=Path(__file__).parents[1])
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the server did not start")


@pytest.mark.slow
def test_a_server_killed_after_it_accepted_loses_nothing(shop: Path):
    port = free_port()
    waits = (
        "import sys; from pathlib import Path; from api.app import create_app, listen, serve; "
        f"serve(create_app(Path(sys.argv[1]), {KEY!r}, apply_seconds=3600), listen('127.0.0.1', {port}))"
    )
    url = f"http://127.0.0.1:{port}/v1/events"
    process = start(shop, port, "-c", waits, str(shop))
    for number in range(3):
        events = [BUY | {"event_id": f"{number}-{n}", "customer_id": f"c{n}"} for n in range(5)]
        answer = httpx.post(url, json={"events": events}, headers=HEADERS, trust_env=False)
        assert answer.json() == {"accepted": 5, "rejected": []}
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (shop / STORE).exists()
    process = start(shop, port, "-m", "cli", "serve", "--shop", str(shop), "--port", str(port))
    try:
        again = httpx.post(url, json={"events": [BUY | {"event_id": "0-0", "customer_id": "c0"}]}, headers=HEADERS,
                           trust_env=False)  # fmt: skip
        assert again.status_code == 202
        for _ in range(600):
            state = httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False).json()
            if state["pending"] == 0:
                break
            time.sleep(0.1)
        assert state == {"ready": True, "pending": 0, "agent": "none"}
    finally:
        process.terminate()
        process.wait(timeout=60)
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        assert con.execute("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM events").fetchall() == [(15, 15)]


@pytest.mark.slow
def test_a_slow_body_is_given_up(shop: Path):
    port = free_port()
    waits = (
        "import sys; from pathlib import Path; from api.app import create_app, listen, serve; "
        f"serve(create_app(Path(sys.argv[1]), {KEY!r}, apply_seconds=None, body_seconds=0.3), "
        f"listen('127.0.0.1', {port}))"
    )
    process = start(shop, port, "-c", waits, str(shop))
    try:
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(
                b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer " + KEY.encode() + b"\r\nContent-Length: 100\r\n\r\n{"
            )
            assert caller.recv(100).startswith(b"HTTP/1.1 408 ")
    finally:
        process.terminate()
        process.wait(timeout=60)
