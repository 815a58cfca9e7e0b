"""The suite of plans: its judge, its figures, its questions, and a run of it over the small shop."""

from __future__ import annotations

import io
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
from agent import Agent
from agent.language import language_of
from eval.plans import SPLITS, Fault, Outcome, figures, judge, run_cases, spread, table
from eval.truth import load_cases
from tests import corner
from tests.fakes import ScriptedLLM, ScriptedServer
from tools import PLANNED, TOOLS

CASES = Path(__file__).parents[1] / "eval" / "cases"
DAYS = ("2024-01-01", "2024-08-27")
OF_88 = {"tool": "recommend", "args": {"customer": "88", "category": None, "n": 2}}
OF_89 = {"tool": "recommend", "args": {"customer": "89", "category": None}}
SALES = {
    "tool": "measure",
    "args": {
        "quantity": "spend", "by": "none", "filters": {"category": ["MILK", "BREAD"]},
        "start": None, "end": "2024-03-31", "amount": None,
    },
}  # fmt: skip


def case(*plans: list[dict[str, Any]], kind: str = "answer", **more: Any) -> dict[str, Any]:
    return {"id": "p001-en", "topic": "t", "language": "en", "role": "service", "question": "?",
            "kind": kind, "plans": list(plans)} | more  # fmt: skip


def ran(tool: str, **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args, "ms": 1.0, "facts": 2}


def wrong(asked: dict[str, Any], *steps: dict[str, Any], kind: str = "answer") -> Fault:
    fault = judge(asked, kind, steps, DAYS)
    assert fault is not None
    return fault


# the judge -----------------------------------------------------------------------------------
def test_a_plan_in_any_order_and_any_acceptable_plan_is_right():
    asked = case([OF_88, OF_89], [{"tool": "segments", "args": {}}])
    both = [ran("recommend", customer="89"), ran("recommend", customer="88", n=2, new_only=True)]
    assert judge(asked, "answer", both, DAYS) is None
    assert judge(asked, "answer", [ran("segments")], DAYS) is None


def test_what_another_build_finds_elsewhere_is_any_but_none():
    found = case([{"tool": "measure", "args": {"quantity": "spend", "filters": {"segment": ["*"], "category": ["MILK"]}}},
                  {"tool": "segment", "args": {"segment": "*"}}])  # fmt: skip
    milk = {"category": ["MILK"]}
    of = ran("measure", quantity="spend", filters=milk | {"segment": ["4"]})
    assert judge(found, "answer", [of, ran("segment", segment="4")], DAYS) is None
    assert wrong(found, of, ran("segment")).args == ("segment",)
    for filters in (
        milk,
        {"category": ["WINE"], "segment": ["4"]},
        milk | {"segment": ["4"], "brand": ["b"]},
    ):
        assert wrong(
            found, ran("measure", quantity="spend", filters=filters), ran("segment", segment="4")
        ).args == ("filters",)


def test_an_order_that_was_asked_for_is_kept():
    asked = case([{"tool": "segments", "args": {}}, OF_89], ordered=True)
    steps = [ran("segments"), ran("recommend", customer="89")]
    assert judge(asked, "answer", steps, DAYS) is None
    assert wrong(asked, *reversed(steps)).args == ("order",)


@pytest.mark.parametrize("steps", [[], [ran("segments")], [ran("recommend", customer="89"), ran("segments")]])
def test_missing_other_and_further_calls_are_a_wrong_tool(steps: list[dict[str, Any]]):
    assert wrong(case([OF_89]), *steps).step == "tool"


def test_the_arguments_that_differ_are_named():
    fault = wrong(case([OF_88, OF_89]), ran("recommend", customer="89", category="MILK"), ran("recommend", customer="88"))  # fmt: skip
    assert (fault.step, sorted(fault.args)) == ("args", ["category", "n"])
    assert "recommend(customer=88, n=2)" in fault.detail


def test_the_kind_comes_first():
    fault = wrong(case([OF_89]), kind="clarify")
    assert fault.step == "kind"
    assert fault.detail == "clarify (no call) instead of answer (recommend(customer=89))"


def test_asking_back_runs_nothing():
    asked = case([], kind="clarify")
    assert judge(asked, "clarify", [], DAYS) is None
    assert wrong(asked, ran("add_note", customer="88"), kind="clarify").step == "tool"


@pytest.mark.parametrize(
    "args",
    [
        {"filters": {"category": ["BREAD", "MILK"]}, "end": "2024-03-31"},
        {"filters": {"category": ["BREAD", "MILK"], "brand": []}, "end": "2024-03-31", "start": "2024-01-01", "by": "none"},
        {"filters": {"category": ("MILK", "BREAD")}, "end": "2024-03-31", "ascending": True, "n": 3},
    ],
)  # fmt: skip
def test_what_means_the_same_is_the_same(args: dict[str, Any]):
    assert judge(case([SALES]), "answer", [ran("measure", quantity="spend", **args)], DAYS) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantity", "units"),
        ("by", "month"),
        ("filters", {"category": ["MILK"]}),
        ("filters", {"category": ["MILK", "BREAD"], "customer": ["88"]}),
        ("filters", {}),
        ("start", "2024-01-02"),
        ("end", "2024-08-27"),
        ("amount", {"low": 5}),
    ],
)
def test_each_argument_of_a_measure_counts(name: str, value: Any):
    args = deepcopy(SALES["args"]) | {name: value}
    assert wrong(case([SALES]), ran("measure", **args)).args == (name,)


def test_of_an_amount_the_named_bounds_are_compared():
    asked = case([{"tool": "measure", "args": {"amount": {"low": 5000, "high": None, "strict_low": True}}}])
    amount = {"low": 5000.0, "high": None, "strict_low": True, "strict_high": True, "unit": "money"}
    assert judge(asked, "answer", [ran("measure", amount=amount)], DAYS) is None
    for change in ({"low": 500.0}, {"high": 6000.0}, {"strict_low": False}):
        assert wrong(asked, ran("measure", amount=amount | change)).args == ("amount",)
    assert wrong(asked, ran("measure")).args == ("amount",)


_VALUES = st.sampled_from((None, True, False, 3, "", "88", "none", "2024-01-01", ["88", "1"], [], {"low": 1}))
_CALLS = st.builds(
    lambda tool, args: {"tool": tool, "args": args},
    st.sampled_from(sorted(TOOLS)),
    st.dictionaries(st.sampled_from(("customer", "n", "start", "by", "amount")), _VALUES),
)


@given(st.lists(_CALLS, max_size=4), st.data())
def test_a_plan_is_right_as_itself_and_wrong_with_one_call_more(
    plan: list[dict[str, Any]], data: st.DataObject
):
    steps = [ran(c["tool"], **c["args"]) for c in data.draw(st.permutations(plan))]
    assert judge(case(plan), "answer", steps, DAYS) is None
    assert wrong(case(plan), *steps, ran("segments")).step == "tool"


# a run ---------------------------------------------------------------------------------------
MILK = {"tool": "measure", "args": {"quantity": "spend", "by": "none", "filters": {"customer": ["0"], "category": ["MILK"]}}}  # fmt: skip


def test_a_run_judges_keeps_and_forgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    llm = ScriptedLLM([RuntimeError("planted")])
    memory = tmp_path / "memory.sqlite"
    cases = [
        case([MILK], question="How much did customer 0 spend on milk?"),
        case([MILK], question="What did we earn with customer 1, and on what?", id="p001-zh", language="zh"),
        case(
            [], kind="clarify", question="What should I offer customer 99999?", topic="unclear", id="p002-en"
        ),
    ]
    kept = io.StringIO()
    with Agent(corner.shop(), None, llm=llm, memory=memory) as agent:  # type: ignore[arg-type]
        outcomes = run_cases(agent, cases, kept)
    assert [o.fault and o.fault.step for o in outcomes] == [None, "failed", None]
    lines = [json.loads(line) for line in kept.getvalue().splitlines()]
    assert [line["id"] for line in lines] == ["p001-en", "p001-zh", "p002-en"]
    assert lines[0]["reply"]["steps"][0]["tool"] == "measure"
    assert lines[1]["wrong"]["detail"] == "RuntimeError: planted"
    assert b"99999" not in memory.read_bytes()
    assert "[3/3, 2 right, 0:00 left] right" in capsys.readouterr().err


def outcome(identity: str, fault: Fault | None, calls: int = 1) -> Outcome:
    language = identity.rpartition("-")[2]
    reply = {"usage": {"llm_calls": calls}}
    return Outcome(
        case([], id=identity, language=language, topic="t1" if "1" in identity else "t2"), reply, fault, 2.0
    )


def test_figures_are_what_they_say():
    faults = Fault("args", "a instead of b", ("n", "n", "by")), Fault("kind", "c instead of d")
    found = figures([
        outcome("p1-en", None), outcome("p1-zh", faults[0]), outcome("p2-en", None, 2), outcome("p2-zh", faults[1], 0),
    ])  # fmt: skip
    assert (found["questions"], found["right"], found["score"]) == (4, 2, 0.5)
    assert (found["score_en"], found["score_zh"]) == (1.0, 0.0)
    assert found["topics"]["t1"] == {"en": {"right": 1, "total": 1}, "zh": {"right": 0, "total": 1}}
    assert found["failed_step"] == {"args": 1, "kind": 1}
    assert found["failed_args"] == {"n": 1, "by": 1}
    assert (found["seconds_median"], found["llm_calls_mean"]) == (2.0, 1.0)
    people = table(found)
    assert re.search(r"t1 +1 / +1 +0 / +1", people)
    assert "p1-zh: ?\n  args n,n,by: a instead of b" in people


def test_no_questions_have_figures():
    assert figures([])["score"] == 0.0
    assert table(figures([]))


def test_a_limit_is_spread_and_takes_whole_meanings():
    cases = [{"id": f"p{i:03d}-{language}"} for i in range(10) for language in ("en", "zh")]
    assert [c["id"] for c in spread(cases, 4)] == ["p000-en", "p000-zh", "p005-en", "p005-zh"]
    assert len(spread(cases, 1)) == 2
    assert spread(cases, None) == spread(cases, 99) == cases


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("SHOPKEEPER_LLM_KEY", "secret")
    with ScriptedServer([]).running() as server:
        told = cli.main(
            ["eval", "plans", "--limit", "1", "--json", "--shop", str(corner.copied()), "--url", server.url]
        )
    assert told == 0
    found = json.loads(capsys.readouterr().out)
    assert found["questions"] == 2
    assert found["topics"]["profile"]["en"]["total"] == 1
    kept = tmp_path / "var" / "eval" / "plans-dev.jsonl"
    assert [json.loads(line)["id"] for line in kept.read_text(encoding="utf-8").splitlines()] == [
        "p001-en",
        "p001-zh",
    ]


# the questions -------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    return [asked for split in SPLITS for asked in load_cases(CASES / f"questions_{split}.jsonl")]


def test_each_meaning_is_asked_in_both_languages_and_lies_in_one_half(questions: list[dict[str, Any]]):
    meanings: dict[str, list[dict[str, Any]]] = {}
    for asked in questions:
        meanings.setdefault(asked["id"].rpartition("-")[0], []).append(asked)
    assert len(meanings) >= 130
    for meaning, pair in meanings.items():
        assert [asked["language"] for asked in pair] == ["en", "zh"], meaning
        half = "dev" if int(meaning[1:]) % 2 else "test"
        assert {asked["split"] for asked in pair} == {"fresh" if meaning.startswith("q") else half}
        assert pair[0]["plans"] == pair[1]["plans"]
    assert len({asked["question"] for asked in questions}) == len(questions)


def test_questions_are_in_their_language(questions: list[dict[str, Any]]):
    assert [asked["id"] for asked in questions if language_of(asked["question"]) != asked["language"]] == []


def test_plans_are_calls_that_the_tools_take(questions: list[dict[str, Any]]):
    for asked in questions:
        assert asked["plans"], asked["id"]
        assert asked["kind"] == "answer" or asked["plans"] == [[]], asked["id"]
        for call in (call for plan in asked["plans"] for call in plan):
            parameters = TOOLS[call["tool"]].parameters
            assert call["args"].keys() <= parameters.keys(), asked["id"]
            for name, value in call["args"].items():
                allowed = parameters[name].get("enum")
                assert allowed is None or value in allowed or "x-add" in parameters[name], (asked["id"], name)


def test_the_questions_are_varied(questions: list[dict[str, Any]]):
    calls = [call for asked in questions for plan in asked["plans"] for call in plan]
    assert {call["tool"] for call in calls} >= {
        name for name, tool in PLANNED.items() if tool.access == "read"
    }
    args = [call["args"] for call in calls]
    filters = [a.get("filters") or {} for a in args]
    for kind in ("customer", "category"):
        named = {a[kind] for a in args if a.get(kind)} | {key for f in filters for key in f.get(kind, ())}
        assert len(named) >= 60, kind
    assert {a["quantity"] for a in args if "quantity" in a} == set(
        TOOLS["measure"].parameters["quantity"]["enum"]
    )
    assert {asked["kind"] for asked in questions} == {"answer", "clarify", "refuse", "handoff"}
