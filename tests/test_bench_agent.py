"""The bench of our agent against LangChain's, with a scripted server and model over the small shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.lexicon import Lexicon
from agent.serving import Endpoint
from customers.encoder import MultilingualEncoder
from eval import bench_agent
from eval.bench_agent import ScriptedModel, Turn, evenly, figures, sessions, table
from eval.peer import MAX_STEPS, Peer, kinds, written_calls
from eval.peer_tools import Toolbox
from tests import corner
from tests.fakes import Fails, Says, ScriptedServer
from tools import PLANNED, WRITE_TOOLS
from tools.base import TryAgain


@cache
def lexicon() -> Lexicon:
    return Lexicon(corner.shop(), MultilingualEncoder())


def call(name: str, **arguments: Any) -> Says:
    return Says("```json\n" + json.dumps({"name": name, "arguments": arguments}) + "\n```")


@contextmanager
def peer(*script: Says | Fails) -> Iterator[tuple[Peer, ScriptedServer]]:
    with ScriptedServer(list(script)).running() as server:
        asked = Peer(corner.shop(), lexicon(), Endpoint(server.url, server.key, "scripted"))
        try:
            yield asked, server
        finally:
            asked.close()


def test_the_peer_calls_a_tool_and_answers():
    script = (
        call("measure", quantity="spend", by="none", customer=0, category="Milk", start="2024-02-01", end="2024-02-29"),
        Says("Customer 0 spent $8.00 on milk in February 2024 [1]."),
    )  # fmt: skip
    with peer(*script) as (asked, server):
        reply = asked.ask("How much did customer 0 spend on milk in February 2024?")
    assert reply["answer"] == "Customer 0 spent $8.00 on milk in February 2024 [1]."
    assert reply["steps"][0]["args"] == {
        "quantity": "spend", "by": "none", "start": "2024-02-01", "end": "2024-02-29",
        "filters": {"customer": ["0"], "category": ["MILK"]},
    }  # fmt: skip
    assert next(c for c in reply["citations"] if c["n"] == 1)["value"] == pytest.approx(8.0)
    assert reply["usage"] == {
        "llm_calls": 2, "prompt_tokens": 20, "cached_tokens": 8,
        "completion_tokens": sum(len(s.words) for s in script),
    }  # fmt: skip
    told = {t["function"]["name"] for t in server.requests[0]["tools"]}
    assert told >= {*(PLANNED.keys() - WRITE_TOOLS.keys()), "find_name", "clarify"}
    assert not told & WRITE_TOOLS.keys()  # nobody would be asked before they run
    assert "$8.00" in json.dumps(server.requests[1]["messages"])
    assert 0 < reply["timings_ms"]["llm"] <= reply["timings_ms"]["total"]


def test_recommendations_are_handed_on_in_the_askers_language():
    with peer(call("recommend", customer="0", n=3), Says("推荐这三款 [1][2][3]。")) as (asked, _):
        reply = asked.ask("给顾客0推荐三款商品")
    assert [r["name"] for r in reply["recommendations"]] == [
        corner.shop().product_name(r["product_id"]) for r in reply["recommendations"]
    ]
    assert len(reply["recommendations"]) == 3
    assert all(r["reason"] and "：" not in r["reason"] for r in reply["recommendations"])
    assert reply["language"] == "zh"


@pytest.mark.parametrize("kind", ["clarify", "refuse", "handoff"])
def test_a_turn_may_end_without_an_answer(kind: str):
    with peer(call(kind, message="Which customer do you mean?")) as (asked, server):
        reply = asked.ask("What does she like?")
    assert (reply["kind"], reply["answer"]) == (kind, "Which customer do you mean?")
    assert len(server.requests) == 1


def test_what_does_not_exist_is_told_to_the_peer():
    script = (call("profile", customer="999", about="spending"), Says("There is no customer 999."))
    with peer(*script) as (asked, server):
        reply = asked.ask("What does customer 999 buy?")
    assert reply["steps"] == []
    assert "there is no customer 999" in json.dumps(server.requests[1]["messages"][-1])


def test_arguments_of_a_wrong_kind_are_told_to_the_peer():
    script = (call("measure", quantity="profit", by="none", start="soon"), Says("I do not know."))
    with peer(*script) as (asked, server):
        reply = asked.ask("What is our profit?")
    assert reply["steps"] == []
    told = json.dumps(server.requests[1]["messages"][-1])
    assert "quantity: Input should be" in told
    assert "start: Input should be" in told


def test_a_peer_that_goes_round_in_circles_is_stopped():
    again = [call("profile", customer="0", about="spending")] * 20
    with peer(*again) as (asked, server):
        reply = asked.ask("How much did customer 0 spend?")
    assert len(server.requests) == reply["usage"]["llm_calls"] == MAX_STEPS
    assert "have this result already" in json.dumps(server.requests[2]["messages"][-1])


def test_a_failure_or_the_end_of_its_time_is_a_reply():
    with peer(Fails(500), Says("late")) as (asked, server):
        failed = asked.ask("How much did customer 0 spend?")
        late = asked.ask("How much did customer 0 spend?", limit_s=0)
        assert len(server.requests) == 1
    assert failed["answer"].startswith("(no answer: ")
    assert late["answer"] == "(no answer within the time limit)"


def test_sessions_of_the_peer_are_kept_apart():
    with peer(Says("One."), Says("Two."), Says("Three.")) as (asked, server):
        asked.ask("first question", session="a")
        asked.ask("second question", session="a")
        asked.ask("third question", session="b")
    told = [json.dumps(r["messages"]) for r in server.requests]
    assert "first question" in told[1]
    assert "first question" not in told[2]


def test_names_in_either_language_are_keys():
    box = Toolbox(corner.shop(), lexicon())
    assert [box.resolve("category", w) for w in ("milk", "牛奶", "Bread, buns & rolls")] == ["MILK", "MILK", "BREAD"]  # fmt: skip
    with pytest.raises(TryAgain, match="CHEESE"):
        box.resolve("category", "cheezes")


def test_schemas_are_plain_and_typed():
    tools = {t.name: t for t in Toolbox(corner.shop(), lexicon()).tools()}
    schema = convert_to_openai_tool(tools["measure"])["function"]["parameters"]
    assert "anyOf" not in json.dumps(schema)
    assert schema["required"] == ["quantity", "by"]
    assert "kids_count" in schema["properties"]["by"]["enum"]
    assert schema["properties"]["age"]["items"]["enum"] == ["25-34", "65+"]
    assert schema["properties"]["start"]["format"] == "date"
    assert schema["properties"]["category"]["type"] == "array"


def test_find_name():
    found = next(t for t in Toolbox(corner.shop(), lexicon()).tools() if t.name == "find_name")
    assert "category DIAPERS" in found.invoke({"words": "nappies"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{{"name": "segments", "arguments": {}}}', ["segments"]),
        ('<tool_call>\n{"name": "segments", "arguments": {}}', ["segments"]),
        ('{"name": "segments", "arguments": {}} {"name": "profile", "parameters": {"a": {"b": 1}}}', ["segments", "profile"]),
        ('{"name": "unknown", "arguments": {}}', []),
        ('{"name": "segments", "arguments": ', []),
        ("There are 6 segments {1}.", []),
    ],
)  # fmt: skip
def test_calls_written_as_text(text: str, names: list[str]):
    assert [c["name"] for c in written_calls(text, frozenset({"segments", "profile"}))] == names


@given(st.text(alphabet='{}[]":, name1\n') | st.text())
def test_any_text_is_read(text: str):
    assert all(c["name"] == "segments" for c in written_calls(text, frozenset({"segments"})))


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("Sorry, I cannot do that.", "refuse"),
        ("请提供顾客编号。", "clarify"),
        ("Which customer?", "clarify"),
        ("我会为您转接人工客服。", "handoff"),
    ],
)
def test_what_words_amount_to(text: str, also: str):
    assert kinds({"kind": "answer", "answer": text}) == {"answer", also}
    assert kinds({"kind": "answer", "answer": "Customer 1 spent $8.00."}) == {"answer"}


def turn(language: str, right: bool, seconds: float, prompt: int, cached: int, calls: int) -> Turn:
    usage = {"llm_calls": calls, "prompt_tokens": prompt, "cached_tokens": cached, "completion_tokens": 1}
    wrong = [] if right else ["figure"]
    return Turn({"language": language, "id": "x"}, {"usage": usage}, wrong, wrong, seconds, seconds - 0.01)


def test_figures_are_what_they_say():
    ours = [
        turn("en", True, 1.0, 100, 60, 1),
        turn("zh", True, 3.0, 100, 40, 2),
        turn("zh", False, 2.0, 0, 0, 0),
    ]
    theirs = [turn("en", False, 10.0, 500, 300, 3), turn("zh", True, 6.0, 500, 380, 2), turn("zh", False, 8.0, 500, 0, 4)]  # fmt: skip
    found = figures(ours, theirs)
    assert (found["right_ours"], found["right_peer"]) == (0.6667, 0.3333)
    assert (found["right_en_ours"], found["right_zh_ours"], found["right_zh_peer"]) == (1.0, 0.5, 0.5)
    assert found["right_points_above_peer"] == pytest.approx(33.3, abs=0.1)
    assert found["uncached_prompt_tokens_median_ours"] == 40
    assert found["uncached_prompt_tokens_median_peer"] == 200
    assert found["uncached_prompt_tokens_ratio"] == 0.2
    assert (found["llm_calls_mean_ours"], found["llm_calls_mean_peer"]) == (1.0, 3.0)
    assert found["seconds_ratio_of_medians"] == 0.25
    assert found["seconds_ratio_median_by_case"] == 0.25
    assert found["own_ms_median"] == pytest.approx(10.0)
    people = table(found | {"sessions": 100, "session_errors": 0, "session_crosstalk": 0})
    assert "right answers" in people
    assert "0.6667    0.3333" in people


def test_a_limit_takes_both_languages_in_order():
    cases = [{"language": language, "id": i} for i, language in enumerate(["en"] * 5 + ["zh"] * 3)]
    assert [c["id"] for c in evenly(cases, 4)] == [0, 1, 5, 6]
    assert [c["id"] for c in evenly(cases, 7)] == [0, 1, 2, 3, 5, 6, 7]
    assert evenly(cases, None) == cases


def test_many_sessions_keep_to_their_own_customer():
    assert sessions(corner.shop(), 20) == {"sessions": 20, "session_errors": 0, "session_crosstalk": 0}


def test_sessions_that_fail_are_counted():
    class Broken(ScriptedModel):
        def text(self, messages: Any, **_: Any) -> Any:
            raise RuntimeError("planted")

    assert sessions(corner.shop(), 5, llm=Broken())["session_errors"] == 10


def test_a_session_that_speaks_of_another_customer_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_agent, "named", lambda args: ["planted"])
    assert sessions(corner.shop(), 3)["session_crosstalk"] == 6
