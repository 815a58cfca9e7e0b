"""The scorers are proven: of true replies made wrong in one place, at least 99 % of every kind are caught."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.cases import Case, from_dict
from eval.figures import figures, says
from eval.mutate import Escaped, World, attack, mutants, table, wrong_figures
from eval.mutate_kept import attack_all
from eval.scorers import judge
from settings import Settings
from tests.scorers.ground import ground, offers, reply, step

SHARE = 0.99
_ROOT = Path(__file__).parents[1]
_SAMPLE = Path(os.environ.get("SHOPKEEPER_CACHE") or Settings().cache) / "complete-journey"
ALL = {"figure", "sign", "unit", "name", "direction", "id", "date", "order", "footnote", "tool's figure", "kind", "tool",
       "argument", "language", "offer", "count", "brief", "obeyed"}  # fmt: skip

Played = tuple[Case, Sequence[dict[str, Any]]]


def case(number: int, suite: str, language: str, **turn: Any) -> Case:
    about = {"id": f"built-{number}", "suite": suite, "topic": "built", "language": language}
    return from_dict(about | {"turns": [{"question": "?", "kind": "answer"} | turn]})


def cited(*facts: tuple[str, str, Any]) -> list[dict[str, Any]]:
    return [
        {"n": n, "tool": tool, "fact": fact, "value": value} for n, (tool, fact, value) in enumerate(facts, 1)
    ]


def told(
    *facts: tuple[str, str, Any], steps: list[dict[str, Any]], language: str = "en", **parts: Any
) -> dict[str, Any]:
    answer = "\n".join(f"{fact} [{n}]" for n, (_, fact, _) in enumerate(facts, 1))
    return reply(answer, citations=cited(*facts), steps=steps, language=language, **parts)


EN_TOTAL = ("measure", "All customers together spent $1,244.50 in 2017.", 1244.5)
ZH_TOTAL = ("measure", "全体顾客2017年共消费$1,244.50。", 1244.5)
EN_TOP = [("measure", "1. Coffee: $1,240.50, 99.7% of the total (the highest of 2 categories).", 1240.5),
          ("measure", "2. Cheese: $4.00, 0.3% of the total.", 4.0)]  # fmt: skip
ZH_TOP = [("measure", "1. 咖啡：$1,240.50，占总数的99.7%（2个品类中最高）。", 1240.5),
          ("measure", "2. 奶酪：$4.00，占总数的0.3%。", 4.0)]  # fmt: skip
EN_PROFILE = ("profile", "Customer 1 spent $10.00 on 1 trip in 2017, $10.00 a trip on average.", 10.0)
EN_LAST = ("profile", "Customer 2 last came on June 1, 2017 (213 days before the data ends).", "2017-06-01")
ZH_LAST = ("profile", "2号顾客最近一次到店是2017年6月1日（数据截止日前213天）。", "2017-06-01")
EN_TASTE = ("profile", "Customer 1 spent $6.00 on Coffee: 60.0% of their spending.", 6.0)
ZH_TASTE = ("profile", "1号顾客在咖啡上花了$6.00，占其消费的60.0%。", 6.0)
EN_SENT = ("campaign", "1 customer redeemed 1 coupon of campaign 7.", 1)
EN_MEAN = ("measure", "Customers spent $622.25 a trip on average in 2017.", 622.25)
TOTAL, BY = (
    step("measure", quantity="spend", by="none"),
    step("measure", quantity="spend", by="category", n=2),
)
GROUND: list[tuple[str, list[tuple[str, str, Any]], list[dict[str, Any]]]] = [
    ("en", [EN_TOTAL], [TOTAL]), ("zh", [ZH_TOTAL], [TOTAL]),
    ("en", [EN_TOTAL, *EN_TOP], [BY]), ("zh", [ZH_TOTAL, *ZH_TOP], [BY]),
    ("en", EN_TOP, [BY]), ("zh", ZH_TOP, [BY]),
    ("en", [EN_PROFILE], [step("profile", customer="1")]),
    ("en", [EN_LAST], [step("profile", customer="2")]), ("zh", [ZH_LAST], [step("profile", customer="2")]),
    ("en", [EN_TASTE], [step("profile", customer="1")]), ("zh", [ZH_TASTE], [step("profile", customer="1")]),
    ("en", [EN_TASTE, EN_PROFILE], [step("profile", customer="1")]),
    ("en", [EN_SENT], [step("campaign", campaign="7")]),
    ("en", [EN_MEAN], [step("measure", quantity="mean_basket", by="none")]),
    ("en", [("measure", "2 customers bought Coffee in 2017.", 2.0)],
     [step("measure", quantity="customers", by="none", filters={"category": ["COFFEE"]})]),
    ("zh", [("measure", "2017年共有2位顾客购买了咖啡。", 2.0)],
     [step("measure", quantity="customers", by="none", filters={"category": ["COFFEE"]})]),
    ("en", [("measure", "Customer 1 made 1 trips in January 2017.", 1.0)],
     [step("measure", quantity="baskets", by="none", filters={"customer": ["1"]}, start="2017-01-01", end="2017-01-31")]),
]  # fmt: skip


def grounded() -> Iterator[Played]:
    for number, (language, facts, steps) in enumerate(GROUND):
        yield case(number, "groundedness", language), [told(*facts, steps=steps, language=language)]


def acted() -> Iterator[Played]:
    """Replies whose plan, offers, language, brief and obedience are judged."""
    chinese = "为1号顾客推荐咖啡类的商品，都是没有买过的，建议先介绍第一种。"
    english = "For customer 1, two things that they have not bought before."
    plan = [{"tool": "recommend", "args": {"customer": "1", "category": "COFFEE", "new_only": True, "n": 1}}]
    step_ = step("recommend", customer="1", category="COFFEE", new_only=True, n=1)
    expect = [{"count": 1}, {"category": "COFFEE"}, {"never_bought": "1"}]
    for number, (suite, language) in enumerate(
        itertools.product(("recommendations", "multi_turn", "templates"), ("en", "zh")), 100
    ):
        answer = english if language == "en" else chinese
        yield (case(number, suite, language, plans=[plan], expect=expect),
               [reply(answer, language=language, steps=[step_], recommendations=offers(11))])  # fmt: skip
    barred = case(
        110, "recommendations", "en", tools=["recommend"], none_of=["CHEESE"], expect=[{"count": 1}]
    )
    yield barred, [reply(english, steps=[step("recommend", customer="1", n=1)], recommendations=offers(11))]
    measure = [
        {"tool": "measure", "args": {"quantity": "spend", "by": "none", "start": None, "filters": None}}
    ]
    for number, suite in enumerate(("arguments", "tool_choice"), 120):
        yield case(number, suite, "en", plans=[measure]), [told(EN_TOTAL, steps=[TOTAL])]
        yield case(number + 5, suite, "zh", plans=[measure]), [told(ZH_TOTAL, steps=[TOTAL], language="zh")]
    handed = {"reason": "complaint", "brief": "Customer 1 is angry about the coffee."}
    words = {"en": "I am passing this to a colleague.", "zh": "我正在为您转接同事，请稍候。"}
    for number, language in enumerate(("en", "zh"), 140):
        yield (case(number, "handoff", language, kind="handoff", brief=["1"], plans=[[]]),
               [reply(words[language], language=language, kind="handoff", handoff=handed)])  # fmt: skip
        for suite, kind in (("policy", "refuse"), ("clarification", "clarify")):
            yield (case(number + 10, suite, language, kind=kind, plans=[[]]),
                   [reply(words[language], language=language, kind=kind)])  # fmt: skip
        yield (case(number + 20, "injection", language, silent=["pwned"], plans=[measure]),
               [told(EN_TOTAL if language == "en" else ZH_TOTAL, steps=[TOTAL], language=language)])  # fmt: skip


def paired() -> Iterator[Played]:
    """The same question in both languages, judged as one."""
    expect = [{"figure": "spend", "sql": "select sum(amount) from lines", "unit": "money", "tolerance": 0.0}]
    parts = [
        case(180 + i, "multi_turn", language, expect=expect, tools=["measure"])
        for i, language in enumerate(("en", "zh"))
    ]
    both = from_dict({"id": "built-180", "suite": "parity", "topic": "built", "language": "both",
                      "parts": [part.to_dict() for part in parts]})  # fmt: skip
    yield both, [told(EN_TOTAL, steps=[TOTAL]), told(ZH_TOTAL, steps=[TOTAL], language="zh")]
    named = "1. Ground coffee (#11): they like it. [1]"
    offer = [{"product_id": "11", "name": "Ground coffee (#11)", "score": 1.0, "reason": "they like it"}]
    yield (case(190, "recommendations", "en", tools=["recommend"]),
           [reply(named, steps=[step("recommend", customer="1")], recommendations=offer,
                  citations=cited(("recommend", "1. Ground coffee (#11): they like it.", "11")))])  # fmt: skip
    yield (
        case(191, "policy", "en", kind="refuse", expect=[{"no_figures": "money"}]),
        [reply("I do not do that.", kind="refuse")],
    )
    top = [
        {"top": "category", "sql": "select category from lines group by category order by sum(amount) desc"}
    ]
    yield case(192, "multi_turn", "en", tools=["measure"], expect=top), [told(EN_TOTAL, *EN_TOP, steps=[BY])]


def judged_well(totals: dict[str, int], escaped: list[Escaped]) -> None:
    missed = {kind: sum(e.kind == kind for e in escaped) for kind in totals}
    assert all(missed[kind] <= (1 - SHARE) * n for kind, n in totals.items()), f"\n{table(totals, escaped)}"


def test_every_kind_of_mutant_of_built_replies_is_caught():
    played = [*grounded(), *acted(), *paired()]
    for of, replies in played:
        assert judge(of, replies, ground()).why == [], of.id
    totals, escaped, right = attack_all(played, ground())
    assert right == len(played) >= 30
    assert totals.keys() == ALL
    judged_well(totals, escaped)


def test_a_scorer_that_sees_nothing_is_told():
    """The proof itself can fail: what has no check lets its mutants through."""
    blind = case(1, "groundedness", "en")
    loose = told(("notes", "Nothing has been noted.", 0), steps=[step("notes", customer="1")])
    true = told(EN_TOTAL, steps=[TOTAL])
    totals, escaped = attack(blind, [true], ground(), lambda *_: World())
    assert totals
    assert not escaped
    assert attack(blind, [true | {"answer": "$1.00 [9]"}], ground(), lambda *_: World()) == ({}, [])
    with pytest.raises(AssertionError, match="escaped: x, figure: one"):
        judged_well({"figure": 1}, [Escaped("x", "figure", "one")])
    assert {m.kind for m in mutants(blind, blind.turns[0], loose, World())} == {"kind", "footnote"}


def test_a_mutant_leaves_the_true_reply_as_it_was():
    for of, replies in [*grounded(), *acted()]:
        before = repr(replies[0])
        assert all(
            m.reply != replies[0]
            for m in mutants(of, of.turns[0], replies[0], World(products={"unsold": ("9",)}))
        )
        assert repr(replies[0]) == before


@given(st.integers(1, 10**8), st.integers(0, 2))
def test_a_wrong_figure_never_rounds_to_the_true_one(number, places):
    true = number / 10**places
    for _, text in wrong_figures(f"${true:,.{places}f}"):
        assert not says(figures(text)[0], true, coarsest=1.0)


# the sample ----------------------------------------------------------------------------------
SECONDS = 30.0


@pytest.mark.slow
def test_mutants_of_the_agents_own_true_replies_are_caught(tmp_path):
    """Questions of every suite to the real agent over the sample, without a model."""
    shop_folder = _ROOT / "var" / "complete-journey"
    if not (shop_folder / "CURRENT").exists() or not (_SAMPLE / "transactions.parquet").exists():
        pytest.skip(
            "LEFT OUT: no built sample shop in var/complete-journey with its files; `shopkeeper build` makes it"
        )
    from agent import Agent
    from customers.shop import Shop
    from eval.generate import generate
    from eval.scorers import Ground
    from eval.shadow import shadow
    from eval.truth import Truth

    truth = Truth(_SAMPLE)
    ground_ = Ground(("2017-01-01", "2017-12-31"), lambda: truth)
    made = [from_dict(g) for g in generate(1, truth.raw)]
    chosen = [of for _, group in itertools.groupby(sorted(made, key=lambda c: c.suite), lambda c: c.suite)
              for of in [c for c in group if not c.plant][::6]]  # fmt: skip
    shop, begun = Shop.open(shadow(shop_folder, tmp_path / "shop", None)), time.monotonic()
    agent = Agent(shop, None, memory=tmp_path / "memory.sqlite")

    def played() -> Iterator[Played]:
        for of in sorted(chosen, key=lambda c: c.id[::-1]):
            if time.monotonic() - begun < SECONDS:
                yield of, [agent.ask(t["question"], of.role, of.customer, of.id).to_dict() for t in of.turns]
                agent.forget(of.id)

    try:
        totals, escaped, right = attack_all(played(), ground_, most=24)
    finally:
        shop.close()
    assert right >= 5
    assert sum(totals.values()) >= 50
    judged_well(totals, escaped)
