"""The REST routes over real HTTP: what each role sees, how errors look, what is withdrawn and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import httpx
import pytest

from agent.errors import Cancelled
from agent.events import FinalEvent, Reply, StepEvent, TokenEvent
from api import opened
from api.app import create_app
from api.bounds import Limits
from api.turns import Turns
from customers.stores import versions
from customers.stores.feedback import FEEDBACK_FILE, FeedbackStore
from tests.api_server import (
    OWNER_KEY,
    Served,
    copied,
    error,
    headers_of,
    open_agent,
    running,
    send_raw,
    served,
)


@pytest.fixture(scope="module")
def api() -> Iterator[Served]:
    with served() as running:
        yield running


def ask(api: Served, who: str, question: str, **more: Any) -> httpx.Response:
    return api.call("POST", "/v1/ask", who, json={"question": question, **more})


# Questions ------------------------------------------------------------------------------------
def test_an_answer_is_the_agents_reply(api: Served):
    answer = ask(api, "service", "How much did customer 0 spend on milk in February 2024?", customer="0")
    assert answer.status_code == 200
    reply = answer.json()
    assert "$8.00" in reply["answer"]
    assert reply["steps"][0]["tool"] == "measure"
    assert set(reply) == set(Reply("", "en", "answer").to_dict())


def test_a_stream_ends_with_the_same_reply(api: Served):
    question = {"question": "顾客0在2024年2月花了多少钱买牛奶？", "customer": "0"}
    whole = api.call("POST", "/v1/ask", "service", json=question).json()
    answer = api.call("POST", "/v1/ask/stream", "service", json=question)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [
        (
            block.split("\n")[0].removeprefix("event: "),
            json.loads(block.split("\n")[1].removeprefix("data: ")),
        )
        for block in answer.text.strip().split("\n\n")
    ]
    assert [name for name, _ in events][-1] == "final"
    assert {"step", "fact", "token", "final"} == {name for name, _ in events}
    assert events[-1][1]["answer"] == whole["answer"]
    assert "".join(data["text"] for name, data in events if name == "token") == whole["answer"]


def test_a_session_goes_on_and_those_of_two_keys_or_two_customers_do_not_meet(api: Served):
    def follows(role: str, **more: Any) -> bool:
        """Whether a follow-up is about what was asked before."""
        reply = ask(api, role, "And on cheese?", session="same", **more).json()
        return any(step["args"].get("filters", {}).get("customer") == ["0"] for step in reply["steps"])

    first = ask(api, "admin", "How much did customer 0 spend on milk?", session="same").json()
    assert first["steps"][0]["args"]["filters"]["customer"] == ["0"]
    assert follows("admin")
    assert not follows("merchandiser")
    assert not follows("admin", customer="100")


@pytest.mark.parametrize(
    ("question", "customer"),
    [
        ("What should we offer customer 12?", "0"),
        ("给12号顾客推荐什么？", "0"),
        ("Compare customer 0 and customer 12", "0"),
        ("I want to speak to a human about customer 12", "0"),
        ("Note for customer 12: allergic to nuts", "0"),
        ("What should we offer customer 99999?", "0"),
    ],
)
def test_a_service_key_sees_no_other_customer(api: Served, question: str, customer: str):
    reply = ask(api, "service", question, customer=customer, session="others").json()
    assert reply["kind"] == "refuse"
    assert reply["steps"] == []
    assert reply["citations"] == []
    assert "12" not in reply["answer"]
    assert "99999" not in reply["answer"]
    assert customer in reply["answer"]


@pytest.mark.parametrize(
    "question",
    [
        "Who are our five best customers?",
        "List the customer segments",
        "Who should get a coupon for diapers?",
        "Which customers are similar to this one?",
        "How much milk did we sell in May 2024?",
    ],
)
def test_a_service_key_sees_no_groups_and_is_told_what_it_may_ask(api: Served, question: str):
    reply = ask(api, "service", question, customer="0").json()
    assert reply["kind"] == "refuse", reply
    assert reply["steps"] == []
    assert "merchandisers" in reply["answer"]
    assert "customer 0" in reply["answer"]


def test_a_service_key_names_a_customer_on_each_call(api: Served):
    told = error(ask(api, "service", "How are you?"), 403)
    assert told["code"] == "customer_needed"
    assert "metadata.customer" in told["allowed"]
    assert error(ask(api, "service", "hello", customer="nobody"), 404)["param"] == "customer"


def test_a_merchandiser_key_sees_groups_and_no_single_customer(api: Served):
    assert ask(api, "merchandiser", "List the customer segments").json()["kind"] == "answer"
    best = ask(api, "merchandiser", "Who should get a coupon for diapers?").json()
    assert best["steps"][0]["tool"] == "audience"
    for question in ("What does customer 12 like?", "顾客12喜欢什么？", "How much did customer 12 spend?"):
        reply = ask(api, "merchandiser", question).json()
        assert reply["kind"] == "refuse"
        assert reply["steps"] == []
    told = error(ask(api, "merchandiser", "hello", customer="0"), 403)
    assert "service key" in told["allowed"]


def test_only_an_admin_key_chooses_its_role(api: Served):
    assert ask(api, "admin", "What does customer 12 like?", role="merchandiser").json()["kind"] == "answer"
    assert error(ask(api, "service", "hello", customer="0", role="merchandiser"), 403)["param"] == "role"


# Routes ----------------------------------------------------------------------------------------
OF_ONE = ("/v1/customers/0", "/v1/customers/0/recommendations", "/v1/customers/0/export")
OF_GROUPS = ("/v1/segments", "/v1/segments/1", "/v1/audience?kind=category&key=DIAPERS")


@pytest.mark.parametrize("path", [*OF_ONE, *OF_GROUPS, "/v1/models"])
@pytest.mark.parametrize("role", ["service", "merchandiser", "push", "admin", None])
def test_each_role_reaches_its_own_routes(api: Served, path: str, role: str | None):
    answer = api.call("GET", path, role)
    allowed = {
        "service": path in OF_ONE or path == "/v1/models",
        "merchandiser": path in OF_GROUPS or path == "/v1/models",
        "admin": True,
    }.get(role or "", False)
    if allowed:
        assert answer.status_code == 200
    elif role is None:
        assert error(answer, 401)["type"] == "authentication_error"
        assert answer.headers["www-authenticate"] == "Bearer"
    else:
        assert error(answer, 403)["allowed"].startswith(f"a {role} key ")


def test_recommendations_have_reasons_in_both_languages(api: Served):
    path = "/v1/customers/0/recommendations?n=3&category=尿布"
    found = api.call("GET", path, "service").json()["recommendations"]
    assert 0 < len(found) <= 3
    assert {one["category"] for one in found} == {"DIAPERS"}
    assert all(one["reason"]["en"] and one["reason"]["zh"] for one in found)


def test_a_customer_without_a_history_is_offered_something_and_asked(api: Served):
    found = api.call("GET", "/v1/newcomer?buys=猫粮&buys_not=DIAPERS&store=1&n=3", "service").json()
    assert {one["category"] for one in found["popular"]} <= {
        "CAT FOOD",
        "CAT LITTER",
        "CAT TOYS",
        "MILK",
        "BREAD",
        "EGGS",
    }
    assert all(one["reason"]["zh"] for one in found["popular"])
    assert 0 < found["agreeing"] < found["customers"] == 200
    assert not {one["category"] for one in found["questions"]} & {"CAT FOOD", "DIAPERS", "WINE"}
    assert error(api.call("GET", "/v1/newcomer?buys=MILK&buys_not=MILK", "service"), 422)
    assert error(api.call("GET", "/v1/newcomer?store=nowhere", "service"), 404)


def test_further_products_are_of_the_makers_that_a_customer_buys_from(api: Served):
    found = api.call("GET", "/v1/customers/0/family?product=p0&n=4", "service").json()["recommendations"]
    assert found
    assert all(int(one["product_id"][1:]) % 5 == 0 for one in found)  # the shop's own brand
    assert all("Red diapers" in one["reason"]["en"] for one in found)


def test_names_that_the_shop_does_not_have_are_answered_with_the_nearest(api: Served):
    told = error(api.call("GET", "/v1/audience?kind=category&key=dipers", "merchandiser"), 404)
    assert told["param"] == "category"
    assert "DIAPERS" in told["allowed"]
    assert error(api.call("GET", "/v1/audience", "merchandiser"), 422)
    assert error(api.call("GET", "/v1/segments/99", "merchandiser"), 404)
    assert error(api.call("GET", "/v1/customers/nobody", "service"), 404)


def test_a_group_is_shown_without_anybody_in_it(api: Served):
    segment = api.call("GET", "/v1/segments/1", "merchandiser").json()
    assert "examples" not in segment
    assert segment["size"] > 10
    members = api.call("GET", "/v1/audience?kind=category&key=diapers&n=7", "merchandiser").json()["members"]
    assert len(members) == 7
    assert [m["probability"] for m in members] == sorted((m["probability"] for m in members), reverse=True)


def test_health_readiness_and_the_documents_ask_for_no_key(api: Served):
    assert api.call("GET", "/health", None).json() == {"status": "ok"}
    assert api.call("GET", "/ready", None).json() == {"ready": True, "pending": 0, "agent": "open"}
    assert "/v1/ask" in api.call("GET", "/openapi.json", None).json()["paths"]
    page = api.call("GET", "/docs", None)
    assert "/v1/chat/completions" in page.text
    assert "http://" not in page.text.replace(api.url, "")
    assert "https://" not in page.text


# Feedback, export, erasure ---------------------------------------------------------------------
def test_feedback_is_kept_once_and_never_again_is_heeded():
    with served() as api:
        offered = api.call("GET", "/v1/customers/0/recommendations?n=3", "service").json()["recommendations"]
        first = offered[0]["product_id"]
        given = {"customer": "0", "product": first, "action": "never", "id": "f1",
                 "at": "2024-08-01T10:00:00+08:00"}  # fmt: skip
        answer = api.call("POST", "/v1/feedback", "service", json={"feedback": [given]})
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "repeated": 0})
        again = api.call("POST", "/v1/feedback", "push", json={"feedback": [given]})
        assert again.json() == {"accepted": 0, "repeated": 1}
        (kept,) = FeedbackStore(api.shop / FEEDBACK_FILE).of("0")
        assert (kept.action, kept.at) == ("never", datetime(2024, 8, 1, 2, tzinfo=UTC))
        later = api.call("GET", "/v1/customers/0/recommendations?n=20", "service").json()["recommendations"]
        assert first not in [one["product_id"] for one in later]
        mixed = [given | {"customer": c, "id": None} for c in ("0", "1")]
        assert error(api.call("POST", "/v1/feedback", "service", json={"feedback": mixed}), 403)["allowed"]
        unknown = {"feedback": [given | {"action": "liked"}]}
        assert (
            "feedback.0.action"
            in error(api.call("POST", "/v1/feedback", "push", json=unknown), 422)["message"]
        )


def test_export_and_an_erasure_whose_receipt_can_be_checked():
    with served() as api:
        api.agent.shop.notes.add("7", "prefers a call")
        api.call(
            "POST",
            "/v1/feedback",
            "push",
            json={"feedback": [{"customer": "7", "product": "p0", "action": "shown"}]},
        )
        ask(api, "service", "What should we offer them?", customer="7", session="s")
        held = api.call("GET", "/v1/customers/7/export", "service").json()
        assert held["kept"]["notes"][-1]["text"] == "prefers a call"
        assert held["records"]["events"][0]["customer_id"] == "7"
        assert held["kept"]["feedback"][0]["action"] == "shown"

        denied = error(api.call("DELETE", "/v1/customers/7", "service"), 403)
        assert "admin" in denied["message"]
        receipt = api.call("DELETE", "/v1/customers/7").json()
        assert receipt["erased"]["store"] >= len(held["records"]["events"])
        assert receipt["erased"]["feedback"] == 1
        assert receipt["erased"]["notes"] >= 1
        assert receipt["erased"]["conversations"] == 1
        assert set(receipt["remaining"]) == {"build 0001"}
        assert not receipt["complete"]
        assert "shopkeeper erase" in receipt["next_step"]
        for file in api.shop.rglob("*"):
            if file.suffix in (".sqlite", ".jsonl") or file.parent.name == "store":
                assert b"prefers a call" not in file.read_bytes()

        assert error(api.call("GET", "/v1/customers/7", "service"), 404)
        assert error(ask(api, "service", "hello", customer="7"), 404)
        audience = api.call("GET", "/v1/audience?kind=category&key=DIAPERS&n=5000", "merchandiser").json()
        assert "7" not in [m["customer_id"] for m in audience["members"]]
        checked = api.call("GET", "/v1/customers/7/erasure").json()
        assert [r["receipt"] for r in checked["receipts"]] == [receipt["receipt"]]
        assert checked["remaining"] == receipt["remaining"]
        assert error(api.call("GET", "/v1/customers/8/erasure"), 404)
        assert error(api.call("DELETE", "/v1/customers/nobody"), 404)
        assert api.call("GET", "/v1/customers/8", "service").status_code == 200


def test_a_new_build_is_served_without_a_restart_and_until_then_nobody_erased_comes_back(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(opened, "LOOK_SECONDS", 0.0)
    with served() as api:
        assert api.call("DELETE", "/v1/customers/7").status_code == 200
        before = versions.current(api.shop)
        partial = versions.begin(api.shop)
        shutil.copytree(before, partial, dirs_exist_ok=True)
        with duckdb.connect(str(partial / "shop.duckdb")) as con:
            con.execute("UPDATE segments SET name_en = 'Renamed'")
        (partial / "manifest.json").touch()
        monkeypatch.setattr(opened, "LOOK_SECONDS", 1e9)
        versions.publish(api.shop, partial)
        error(api.call("GET", "/v1/customers/7", "service"), 404)  # the build before is read, and holds them
        monkeypatch.setattr(opened, "LOOK_SECONDS", 0.0)
        for _ in range(400):
            names = [
                s["name"]["en"] for s in api.call("GET", "/v1/segments", "merchandiser").json()["segments"]
            ]
            if set(names) == {"Renamed"}:
                break
            time.sleep(0.05)
        assert set(names) == {"Renamed"}
        assert api.app.state.services.opened.agent.shop.version == versions.current(api.shop)
        assert (
            "$8.00"
            in ask(
                api, "service", "How much did customer 0 spend on milk in February 2024?", customer="0"
            ).text
        )


# Load, leaving, limits ---------------------------------------------------------------------------
class SlowAgent:
    """Answers when it is let; notes which questions were withdrawn."""

    def __init__(self, shop: Any) -> None:
        self.shop, self.go = shop, threading.Event()
        self.begun, self.withdrawn = threading.Semaphore(0), threading.Event()

    def stream(self, question: str, *_: Any, **__: Any) -> Iterator[Any]:
        cancel = _[3]
        yield StepEvent("thinking")
        self.begun.release()
        while not self.go.wait(0.01):
            if cancel.is_set():
                self.withdrawn.set()
                raise Cancelled("withdrawn")
        yield TokenEvent(question)
        yield FinalEvent(Reply(question, "en", "answer"))


@pytest.fixture
def slow(api: Served) -> Iterator[tuple[Served, SlowAgent]]:
    agent = SlowAgent(api.agent.shop)
    with served(
        agent=agent, turns=Turns(at_once=2, waiting=1), limits=Limits(most_bytes=5000, body_seconds=0.5)
    ) as s:
        yield s, agent
        agent.go.set()


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/ask/stream", "/v1/chat/completions", "/v1/responses"])
def test_a_caller_who_leaves_withdraws_the_question(slow: tuple[Served, SlowAgent], path: str):
    api, agent = slow
    body = {"question": "hello"} if "ask" in path else {"model": "shopkeeper", "stream": True}
    body |= {"messages": [{"role": "user", "content": "hello"}]} if "chat" in path else {}
    body |= {"input": "hello"} if "responses" in path else {}
    with pytest.raises(httpx.ReadTimeout), httpx.Client(trust_env=False, timeout=1) as client:
        client.post(api.url + path, json=body, headers=headers_of(api.keys["admin"]))
    assert agent.withdrawn.wait(20)
    for _ in range(400):
        if api.app.state.services.turns.taken == 0:
            break
        time.sleep(0.05)
    assert api.app.state.services.turns.taken == 0


def test_overload_is_answered_and_passes(slow: tuple[Served, SlowAgent]):
    api, agent = slow
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(api, "admin", "hello"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert agent.begun.acquire(timeout=20)
    while api.app.state.services.turns.taken < 3:
        time.sleep(0.01)
    refused = ask(api, "admin", "one too many")
    assert error(refused, 429)["code"] == "overload"
    assert int(refused.headers["retry-after"]) >= 1
    assert api.call("GET", "/health", None).status_code == 200
    agent.go.set()
    for thread in threads:
        thread.join(20)
    assert [a.status_code for a in answers] == [200] * 3
    assert ask(api, "admin", "now").status_code == 200


def test_bodies_that_are_too_large_or_too_slow_or_unreadable(slow: tuple[Served, SlowAgent]):
    api, _ = slow
    big = api.call("POST", "/v1/ask", content=b" " * 5001, headers={"Content-Type": "application/json"})
    assert error(big, 413)["code"] == "too_large"

    def endless() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    assert error(api.call("POST", "/v1/ask", content=endless()), 413)
    head = f"POST /v1/ask HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.keys['admin']}\r\nContent-Type: application/json\r\n"
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as caller:
        caller.sendall(head.encode() + b"Content-Length: 100\r\n\r\n{")
        assert caller.recv(100).startswith(b"HTTP/1.1 408 ")
    for content in (
        b'{"question": "\xff\xfe"}',
        b"{",
        b"[" * 4000,
        b'{"question": "\\ud800"}',
        b"[1]",
        b"",
        b'"x"',
    ):
        answer = api.call("POST", "/v1/ask", content=content, headers={"Content-Type": "application/json"})
        assert error(answer, answer.status_code)
        assert answer.status_code in (400, 422)
    assert b" 400 " in send_raw(api.url, b"\x00\xff\r\n\r\n").split(b"\r\n")[0]


def test_pages_and_methods_that_are_not_there_have_the_one_shape(api: Served):
    assert error(api.call("GET", "/v1/nothing"), 404)
    assert error(api.call("PUT", "/v1/ask"), 405)


def test_while_the_agent_opens_the_process_answers():
    ready = threading.Event()
    shop = copied()

    def opener() -> Any:
        ready.wait(30)
        return open_agent(shop)

    app = create_app(shop, OWNER_KEY, opener=opener, apply_seconds=None)
    with (
        running(app, wait_ready=False) as url,
        httpx.Client(trust_env=False, headers=headers_of(OWNER_KEY)) as client,
    ):
        assert client.get(url + "/health").status_code == 200
        assert client.get(url + "/ready").status_code == 503
        told = client.post(url + "/v1/ask", json={"question": "hello"})
        assert error(told, 503)["code"] == "opening"
        assert told.headers["retry-after"]
        ready.set()
        while client.get(url + "/ready").status_code != 200:
            time.sleep(0.05)
        assert client.post(url + "/v1/ask", json={"question": "hello"}).status_code == 200


def test_a_fault_of_ours_is_said_and_no_secret_is_logged(
    slow: tuple[Served, SlowAgent], caplog: pytest.LogCaptureFixture
):
    api, agent = slow
    agent.stream = lambda *_, **__: iter([1 / 0])
    caplog.set_level(logging.DEBUG)
    told = error(ask(api, "admin", "hello"), 500)
    assert "a fault of ours" in told["message"]
    assert "division" not in told["message"]
    everything = caplog.text
    assert all(key not in everything for key in api.keys.values())
