"""Questions that the wording alone decides: they need no model, and nothing else is taken for one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import Agent
from agent.subject import Subject
from agent.worded import items
from tests import corner
from tests.fakes import ScriptedLLM
from tests.test_plan import about

LAST, LEFT = {"tool": "last_purchase"}, {"tool": "profile", "about": "visits"}
PLAN = {"tool": "audience"}
BEST = {"tool": "measure", "quantity": "spend", "by": "customer"}
OFFERS, ASK = {"tool": "newcomer", "part": "offers"}, {"tool": "newcomer", "part": "questions"}
RISK, BEFORE = {"tool": "at_risk"}, {"tool": "last_purchase", "before": 1}
STOPPED = {
    "tool": "stopped_buying",
    "bought": ["2024-07-01", "2024-07-31"],
    "missed": ["2024-08-01", "2024-08-27"],
}
WEEKEND, WORKDAYS = {"tool": "visit_days", "days": "weekend"}, {"tool": "visit_days", "days": "workdays"}

WORDED = [
    ("What did customer 88 buy last?", [LAST]), ("What did customer 88 last buy?", [LAST]),
    ("What was on 88's last receipt?", [LAST]), ("Show me customer 88's latest order", [LAST]),
    ("How much did customer 88 spend on the last trip?", [LAST]), ("88号顾客最近一次买了什么？", [LAST]),
    ("看看88号顾客的上一单", [LAST]), ("88号顾客最后一次购物花了多少钱", [LAST]),
    ("Is customer 88 worth a call, or lost?", [LEFT]), ("Should we try to win customer 88 back?", [LEFT]),
    ("88号顾客还值得打电话吗，还是已经流失了？", [LEFT]),
    ("A new customer came in, what do we offer her?", [OFFERS, ASK]), ("来了一位新顾客，给她推荐什么？", [OFFERS, ASK]),
    ("A new customer came in today, what do we offer them?", [OFFERS, ASK]),
    ("What should I ask a new customer first?", [ASK]), ("新顾客应该先问什么？", [ASK]),
    ("A new customer buys milk but no wine, what can we offer?", [OFFERS | {"buys": ["MILK"], "buys_not": ["WINE"]}]),
    ("Which other things of the brands customer 88 buys could he like?", [{"tool": "family"}]),
    ("88号顾客常买的品牌还有哪些商品他可能喜欢？", [{"tool": "family"}]),
    ("Which customers only come on weekends?", [WEEKEND]), ("哪些顾客只在周末来?", [WEEKEND]),
    ("Plan a coupon for milk with a budget of $200", [PLAN]), ("给牛奶做一个优惠券活动，预算300美元", [PLAN]),
    ("Which coupons did customer 88 use?", [{"tool": "coupons"}]), ("88号顾客用过哪些优惠券？", [{"tool": "coupons"}]),
    ("Who are our VIP customers?", [BEST]), ("VIP客户有哪些？", [BEST]),
    ("Run a promotion on wine", [PLAN]),
    ("How many shoppers never come at weekends?", [WORKDAYS]), ("有多少顾客只在工作日来？", [WORKDAYS]),
    ("Who is about to leave us?", [RISK]), ("哪些顾客可能快要流失了", [RISK]), ("Which customers might we lose?", [RISK]),
    ("Which customers have not been in for 30 days?", [{"tool": "absent", "of": "visits", "days": 30}]),
    ("哪些老顾客好久没来了", [{"tool": "absent", "of": "visits", "days": 60}]), ("买牛奶的人里哪些快跑了", [RISK]),
    ("Did customer 88 ever use a coupon?", [{"tool": "coupons"}]), ("88号顾客说从没收到过券，是真的吗", [{"tool": "coupons"}]),
    ("Which segment reacted best to campaign 1?", [{"tool": "measure", "quantity": "redemptions", "by": "segment"}]),
    ("What did customer 88 buy on July 4?", [{"tool": "last_purchase", "day": "2024-07-04"}]),
    ("88号顾客7月4号买了什么", [{"tool": "last_purchase", "day": "2024-07-04"}]),
    ("Who bought milk in July but not in August?", [STOPPED]), ("7月买过牛奶8月没买的顾客有哪些", [STOPPED]),
    ("What did customer 88 buy on the visit before last?", [BEFORE]), ("88号顾客上上次买了什么", [BEFORE]),
]  # fmt: skip
OTHERS = [
    "How did the campaign for milk run in March?", "3月的牛奶活动做得怎么样？", "How much do we spend on milk?",
    "What did customer 88 buy last month?", "When did customer 88 last buy milk?", "What did customer 88 buy in March?",
    "88号顾客上个月买了什么", "88号顾客上次什么时候来的", "What sold best recently?", "最近卖得最好的是什么",
    "How many new customers did we get in March?", "Which new products could customer 88 try?", "给88号顾客推荐新品",
    "Which brands does customer 88 like?", "What other brands does customer 88 buy?", "How much do we sell at weekends?",
    "Has customer 88 lost his receipt?", "周末卖了多少牛奶？", "How many customers buy milk only on weekends?",
    "How many coupons has customer 88 used?", "Why don't we sell coffee?", "Which customers have not bought milk?",
    "How much did customer 88 spend on July 4?", "Which coupon should we send customer 88?",
    "Which segment is about to leave us?", "Who left a review?", "哪些顾客不买牛奶？", "How much did we lose on milk?",
]  # fmt: skip


@pytest.mark.parametrize(("question", "calls"), WORDED)
def test_the_wording_decides(question: str, calls: list[dict[str, object]]):
    assert items(about(question)) == calls


def test_what_was_paid_for_it_is_of_the_last_purchase():
    last = [{"tool": "last_purchase", "args": {"customer": "88"}}]
    asked = Subject(about("And what did she pay for it altogether?").links, ["88"], [])
    assert (items(asked, last), items(asked)) == ([LAST], [])


@pytest.mark.parametrize("question", OTHERS)
def test_the_plan_decides(question: str):
    assert items(about(question)) == []


def test_a_newcomer_is_nobody_that_was_spoken_of_before(tmp_path: Path):
    llm = ScriptedLLM()
    asked = Agent(corner.shop(), None, llm=llm, memory=tmp_path / "m.sqlite")  # type: ignore[arg-type]
    told = [
        asked.ask(question, session="s")
        for question in ("What did customer 0 buy last?", "A new customer came in, what do we offer her?",
                         "She buys milk.", "What did she buy last?")
    ]  # fmt: skip
    assert [[s.tool for s in reply.steps] for reply in told[:3]] == [
        ["last_purchase"],
        ["newcomer"] * 2,
        ["newcomer"],
    ]
    assert told[2].steps[0].args["buys"] == ["MILK"]
    assert told[3].kind == "clarify"
    assert not any(reply.usage.llm_calls for reply in told[:3])
    assert all(reply.grounding.claims == reply.grounding.supported for reply in told)


@pytest.mark.parametrize(
    "turns",
    [("When was customer 0 last here?", "When was she here before that?", "and before that?"),
     ("0号顾客最近一次什么时候来的？", "再之前呢？", "再往前一次呢")],
)  # fmt: skip
def test_the_visits_before_the_last_are_told_one_by_one(tmp_path: Path, turns: tuple[str, ...]):
    llm = ScriptedLLM([{"calls": [LEFT]}])
    asked = Agent(corner.shop(), None, llm=llm, memory=tmp_path / "m.sqlite")  # type: ignore[arg-type]
    told = [asked.ask(question, session="s") for question in turns]
    assert [reply.steps[0].args.get("before") for reply in told] == [None, 1, 2]
    assert len({reply.citations[0].value for reply in told}) == 3


@pytest.mark.parametrize(
    ("most", "send", "what"),
    [("Show me the three of them who come most", "send them a coupon", "milk"),
     ("给我看看他们中来得最多的三位", "给他们发优惠券", "牛奶")],
)  # fmt: skip
def test_a_question_goes_on_from_the_whole_list_before(tmp_path: Path, most: str, send: str, what: str):
    asked = Agent(corner.shop(), None, memory=tmp_path / "m.sqlite")
    listed = asked.ask("Which customers only come on workdays?", session="s").steps[0]
    risky = asked.ask("Which of them are about to leave?", session="s").steps[0]
    assert (listed.tool, risky.tool) == ("visit_days", "at_risk")
    asked.ask("Which customers only come on workdays?", session="t")
    back, answer = asked.ask(send, session="t"), asked.ask(what, session="t")
    assert (back.kind, answer.steps[0].args["category"]) == ("clarify", "MILK")
    assert answer.steps[0].args["among"] == risky.args["among"]
    ranked = asked.ask(most, session="t").steps[0]
    assert (ranked.args["quantity"], ranked.args["n"]) == ("baskets", 3)
    assert len(ranked.args["among"]) <= len(risky.args["among"])
