"""The load bench: what it counts as wrong, its figures, and a short run against the real server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eval import bench_serve
from eval.bench_serve import Asked, Load, Measured, figures, kept, table
from eval.bench_serve_model import Delays, ScriptedModel, answer, customers_in
from settings import Settings
from tests import corner


def reply(customer: str, text: str = "fine") -> dict[str, Any]:
    cited = [{"fact": f"Customer {customer} spent $3"}]
    return {
        "answer": text,
        "steps": [{"tool": "profile", "args": {"customer": customer}}],
        "citations": cited,
    }


def load(*replies: httpx.Response) -> Load:
    left = list(replies)
    client = httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(lambda _: left.pop(0)))
    return Load(client, ScriptedModel())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("response", "wrong"),
    [
        (httpx.Response(200, json=reply("7")), ""),
        (httpx.Response(200, json=reply("8")), "cross-talk"),
        (
            httpx.Response(200, json=reply("7") | {"citations": [{"fact": "Customer 8 spent $3"}]}),
            "cross-talk",
        ),
        (httpx.Response(200, json=reply("7") | {"citations": [{"fact": "8号顾客"}]}), "cross-talk"),
        (httpx.Response(200, json=reply("7", "Customer 8 is meant")), "cross-talk"),
        (httpx.Response(200, json=reply("7") | {"steps": []}), "no facts"),
        (httpx.Response(200, json=reply("7") | {"citations": []}), "no facts"),
        (httpx.Response(200, json=reply("7", "other")), "another answer than alone"),
        (httpx.Response(503), "status 503"),
    ],
)
async def test_what_is_wrong_with_a_reply_is_told(response: httpx.Response, wrong: str):
    asking = load(response)
    asking.alone["7", 0] = "fine"
    timed, _ = await asking.ask("7", 0)
    assert timed.wrong == wrong


@pytest.mark.anyio
async def test_own_time_is_without_the_models():
    model = ScriptedModel()

    def answered(_: httpx.Request) -> httpx.Response:
        model.waited["7"] += 100.0
        model.waited["8"] += 5.0
        return httpx.Response(200, json=reply("7"))

    client = httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(answered))
    timed, _ = await Load(client, model).ask("7", 0)
    assert timed.own_ms == pytest.approx(timed.total_ms - 100_000.0)


def test_figures_of_a_known_run():
    asked = [Asked(1000.0 + i, float(i)) for i in range(101)] + [
        Asked(9.0, 9.0, "cross-talk"),
        Asked(0, 0, "status 500"),
    ]
    found = figures(
        Measured(asked, [90.0] * 3 + [100.0] * 3 + [104.0] * 3, cpu_s=30.0, seconds=60.0), 200, 1.0
    )
    assert (found["requests"], found["errors"], found["crosstalk"]) == (103, 1, 1)
    assert (found["own_ms_median"], found["own_ms_p95"], found["own_ms_p99"]) == (50.0, 95.0, 99.0)
    assert (found["total_ms_median"], found["cpu_share_of_a_core"]) == (1050.0, 0.5)
    assert found["memory_growth"] == 0.04
    over = {
        "overload_refused_429": 3,
        "recovered": True,
        "overload_without_retry_after": 0,
        "overload_other": 0,
    }
    assert list(kept(found | over).values()) == [False, True, True, True, True]
    assert list(kept(found | over | {"overload_without_retry_after": 1, "memory_growth": 0.06}).values())[
        3:
    ] == [False, False]
    assert "MISSED  no error, no cross-talk" in table(found | over)


def test_nothing_measured_is_no_crash():
    assert figures(Measured(), 0, 0.0)["requests"] == 0


def test_the_scripted_model_gives_what_its_schema_asks_for():
    tools = [{"type": "object", "properties": {"tool": {"const": name}}} for name in ("chat", "profile")]
    schema = {"type": "object", "properties": {"calls": {"type": "array", "items": {"anyOf": tools}}}}
    asked = {"response_format": {"json_schema": {"schema": schema}}}
    assert json.loads(answer(asked)) == {"calls": [{"tool": "profile"}]}
    assert "{" not in answer({})
    assert customers_in("Customer 12 and 34号顾客, 56, customer C001") == {"12", "34", "C001"}


@pytest.mark.slow
def test_a_short_run_against_the_real_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(bench_serve, "SMALL", (3, 2))
    monkeypatch.setattr(bench_serve, "BURST", 60)
    settings = replace(Settings(), shop=corner.copied())
    bench_serve.run(
        settings, conversations=4, minutes=0.05, think_s=0.2, delays=Delays((0.01, 0.03), 0.001), as_json=True
    )
    found = json.loads(capsys.readouterr().out)
    assert found["requests"] > 4
    assert (found["errors"], found["crosstalk"]) == (0, 0), found
    assert found["held_against_alone"] == found["requests"]
    assert found["overload_refused_429"] > 0
    assert found["overload_without_retry_after"] == found["overload_other"] == 0
    assert found["recovered"] is True
    assert not list(settings.shop.glob("memory*")), "the shop's own files are left alone"
