"""Things that a question describes instead of naming, and things pointed to in an earlier list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Reply
from agent.acting import run_all
from agent.subject import Call, Found
from customers.measure import Dimension, Measure, Quantity
from tests import corner
from tests.fakes import ScriptedLLM


def plan(*tools: str, **options: Any) -> dict[str, Any]:
    return {"calls": [{"tool": tool} | options for tool in tools]}


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Any]:
    """Ask in one session; the model plans from the script that comes with the question."""
    opened: list[Agent] = []

    def ask(question: str, *script: Any, **more: Any) -> Reply:
        model: Any = ScriptedLLM([*script, *[{"step": "a"}] * 5])
        agent = Agent(corner.shop(), None, memory=tmp_path / "memory.sqlite", llm=model)
        opened.append(agent)
        options: dict[str, Any] = {"role": "merchandiser"} | more
        return agent.ask(question, session="s", **options)

    yield ask
    for agent in opened:
        agent.close()


def called(reply: Reply) -> list[tuple[str, Any]]:
    return [(s.tool, s.args.get("customer") or s.args.get("category")) for s in reply.steps]


def spenders(n: int, category: str | None = None, segment: str | None = None) -> list[str]:
    where = {Dimension.CATEGORY: (category,)} if category else {}
    where |= {Dimension.SEGMENT: (segment,)} if segment else {}
    asked = Measure(Quantity.SPEND, by=Dimension.CUSTOMER, where=where, top=n)
    return [row.key for row in corner.shop().measure(asked).rows]


@pytest.mark.parametrize(
    ("question", "n"),
    [
        ("Recommend something to our three best customers", 3),
        ("What should we offer our biggest spender?", 1),
        ("What could I offer the two customers who spend the most?", 2),
        ("给我们最好的三位顾客各推荐点什么", 3),
        ("给消费最高的两位顾客推荐商品", 2),
    ],
)
def test_the_best_customers_are_found_first(ask: Any, question: str, n: int):
    reply = ask(question, plan("recommend"))
    first, *others = called(reply)
    assert first[0] == "measure"
    assert others == [("recommend", customer) for customer in spenders(n)]
    assert all(f"ustomer {c}" in reply.answer or f"{c}号" in reply.answer for c in spenders(n))


@pytest.mark.parametrize("question", ["Recommend cheese to the two customers who spend most on milk",
                                      "给在牛奶上花钱最多的两位顾客推荐奶酪"])  # fmt: skip
def test_each_category_goes_where_it_stands(ask: Any, question: str):
    reply = ask(question, plan("recommend"))
    assert reply.steps[0].args["filters"] == {"category": ["MILK"]}
    assert [s.args["category"] for s in reply.steps[1:]] == ["CHEESE", "CHEESE"]
    assert [s.args["customer"] for s in reply.steps[1:]] == spenders(2, "MILK")


def test_of_a_segment(ask: Any):
    segment = corner.shop().keys("segment")[1]
    reply = ask("Recommend something to the three best customers of segment B", plan("recommend"))
    assert [s.args["customer"] for s in reply.steps[1:]] == spenders(3, segment=segment)


def test_the_likeliest_and_the_most_alike(ask: Any):
    likely = [m.customer_id for m in corner.shop().audience(category="MILK", n=2).members]
    reply = ask("给最可能买牛奶的两位顾客各推荐一款商品", plan("recommend"))
    assert called(reply) == [("audience", "MILK"), *(("recommend", c) for c in likely)]
    assert all(s.args["n"] == 1 for s in reply.steps[1:])
    alike = [s.customer_id for s in corner.shop().similar_customers("7", 3)]
    reply = ask("What can I offer the customers most like 7?", plan("recommend"))
    assert called(reply) == [("similar_customers", "7"), *(("recommend", c) for c in alike)]


def test_one_description_may_rest_on_another(ask: Any):
    reply = ask("Why does our best customer like what he likes most?", plan("explain_preference"))
    (best,) = spenders(1)
    taste = corner.shop().profile(best).top_categories[0].category
    assert [s.tool for s in reply.steps] == ["measure", "profile", "explain_preference"]
    assert reply.steps[2].args == {"customer": best, "category": taste}


def test_a_figure_of_a_described_customer(ask: Any):
    reply = ask(
        "How often did our best customer come in February 2024?",
        plan("measure", quantity="baskets", by="none"),
    )
    assert reply.steps[1].args["filters"] == {"customer": spenders(1)}
    assert reply.steps[1].args["start"] == "2024-02-01"
    assert "start" not in reply.steps[0].args


@pytest.mark.parametrize("question", ["Who are our three best customers?", "Which customers spent the most?", "谁是我们最好的顾客？",
                                      "消费最高的三位顾客是谁"])  # fmt: skip
def test_asking_who_they_are_describes_nobody(ask: Any, question: str):
    reply = ask(question, plan("measure", quantity="spend", by="customer"))
    assert [s.tool for s in reply.steps] == ["measure"]


def test_what_they_are_ranked_by_and_when_belongs_to_the_description(ask: Any):
    reply = ask(
        "top two buyers of milk by spend from June to July", plan("measure", quantity="spend", by="customer")
    )
    (step,) = reply.steps
    assert (step.args["n"], step.args["filters"]) == (2, {"category": ["MILK"]})
    assert (step.args["start"], step.args["end"]) == ("2024-06-01", "2024-07-31")


def test_a_group_of_so_many_is_nobody_s_segment(ask: Any):
    (step,) = ask("Target group of 12 customers for milk", plan("audience")).steps
    assert (step.args["n"], "segment" in step.args) == (12, False)


def test_a_described_customer_comes_before_the_picked_one(ask: Any):
    reply = ask("What should we offer our biggest spender?", plan("recommend"), role="service", customer="9")
    assert reply.steps[-1].args["customer"] == spenders(1)[0] != "9"


def test_what_depends_on_nothing_found_is_left_out():
    calls = [Call("measure", {"quantity": "spend", "by": "customer", "filters": {"category": ["MILK"]},
                              "start": "1999-01-01", "end": "1999-01-02"}),
             Call("recommend", {"customer": Found(0, "customer", 3)})]  # fmt: skip
    traces = run_all(corner.shop(), calls)
    assert [t.tool for t in traces] == ["measure"]
    assert traces[0].failed


@pytest.mark.parametrize("question", ["Tell me about the second one", "介绍一下第二位顾客"])
def test_one_of_a_list_by_its_place(ask: Any, question: str):
    ask("Who are our three best customers?", plan("measure", quantity="spend", by="customer"))
    reply = ask(question, plan("profile", about="everything"))
    assert reply.steps[0].args["customer"] == spenders(2)[1]


@pytest.mark.parametrize("question", ["What should we offer them?", "给他们分别推荐什么？"])
def test_all_of_a_list(ask: Any, question: str):
    ask("Who are our three best customers?", plan("measure", quantity="spend", by="customer"))
    assert called(ask(question, plan("recommend"))) == [("recommend", c) for c in spenders(3)]


def test_a_place_beyond_the_list_names_nobody(ask: Any):
    ask("Who are our two best customers?", plan("measure", quantity="spend", by="customer"))
    reply = ask("Recommend something for the fifth one", plan("clarify"))
    assert not reply.steps


@pytest.mark.parametrize(
    "question",
    [
        "What is customer 0's favourite category? And recommend two things.",
        "0号顾客最爱的品类是哪个？再给他推荐两样。",
    ],
)
def test_a_thing_that_one_sentence_asks_for_is_not_described_to_the_next(ask: Any, question: str) -> None:
    reply = ask(question, plan("profile", "recommend"))
    assert {s.tool for s in reply.steps} == {"profile", "recommend"}
    assert reply.recommendations
