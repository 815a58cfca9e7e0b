"""The planner's grammar: nothing that was not linked can be planned, options follow the wording."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from agent.binding import bind
from agent.chains import bind_plan
from agent.conversation import for_planning
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.plan import Planner, follows, grammar
from agent.prompts import default_prompts
from agent.sharing import over_all
from agent.subject import PSEUDO, Found, Subject
from customers.encoder import MultilingualEncoder
from tests import corner
from tools import PLANNED, TOOLS, WRITE_TOOLS
from tools.base import CannotDo


@cache
def _linker() -> Linker:
    return Linker(corner.shop(), Lexicon(corner.shop(), MultilingualEncoder()))


@cache
def _planner() -> Planner:
    return Planner(corner.shop(), MultilingualEncoder(), default_prompts())


def about(text: str) -> Subject:
    links = _linker().link(text)
    return Subject(links, list(links.customers), list(links.keys("category")))


def forms(text: str) -> dict[str, dict[str, Any]]:
    schema = grammar(about(text), corner.shop())
    listed = schema["properties"]["calls"]["items"]["anyOf"]
    return {form["properties"]["tool"]["const"]: form["properties"] for form in listed}


def options(text: str, tool: str, name: str) -> set[str]:
    return set(forms(text)[tool][name]["enum"])


NEEDS_CUSTOMER = {"profile", "recommend", "explain_preference", "similar_customers"}


@pytest.mark.parametrize(
    "text", ["Hello", "What do they sell?", "How much milk was sold?", "campaign 1", "quantum"]
)
def test_without_a_customer_nothing_about_one_can_be_planned(text: str):
    assert not NEEDS_CUSTOMER & forms(text).keys()


def test_tools_need_what_they_require():
    assert "explain_preference" not in forms("customer 88")
    assert "explain_preference" in forms("Why does customer 88 like milk?")
    assert "segment" not in forms("the segments")
    assert "segment" in forms("segment 1")
    assert "audience" not in forms("Who should get the coupon?")
    assert "audience" in forms("Who should get the milk coupon?")


@pytest.mark.parametrize("text", ["", "customer 88", "How much milk?", "你好", "88和99谁花得多"])
def test_pseudo_tools_are_always_open(text: str):
    assert set(PSEUDO) <= forms(text).keys()


def test_enums_hold_linked_keys_only():
    found = forms("Tell me about customers 88 and 99 and what to offer them in wine and cheese")
    assert found["recommend"]["customer"]["enum"] == ["88", "99"]
    assert set(found["recommend"]["category"]["enum"]) == {"WINE", "CHEESE"}
    everything = json.dumps(found)
    assert "DIAPERS" not in everything
    assert '"1"' not in everything
    # one customer is bound by code, so that the model need not write it
    assert "customer" not in forms("What should we offer customer 88?")["recommend"]


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("How many customers bought milk?", {"customers"}),
        ("What does an average trip cost?", {"mean_basket"}),
        ("How many times did customer 88 come?", {"baskets"}),
        ("How many coupons were redeemed?", {"redemptions"}),
        ("有多少位顾客买过牛奶？", {"customers"}),
        ("平均每次到店消费多少钱？", {"mean_basket"}),
        ("顾客88来过几次？", {"baskets"}),
        ("What is the average price of milk?", {"mean_price"}),
    ],
)
def test_the_quantity_follows_the_wording(text: str, quantities: set[str]):
    assert options(text, "measure", "quantity") == quantities


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("How much did customer 88 spend on milk?", {"none"}),
        ("Which month was best for milk sales?", {"month"}),
        ("哪个月牛奶卖得最好？", {"month"}),
        ("Which five categories sell best?", {"category"}),
        ("哪个分群消费最多？", {"segment"}),
        ("Which age group spends most?", {"age"}),
        ("Did customer 88 or 99 spend more?", {"customer"}),
        ("一共卖了多少钱？", {"none"}),
        ("Which weekday brings most money?", {"weekday"}),
    ],
)
def test_the_breakdown_follows_the_wording(text: str, by: set[str]):
    found = options(text, "measure", "by")
    assert by <= found
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("text", "part"),
    [("How often does customer 88 come?", "visits"), ("顾客88喜欢什么？", "tastes"), ("How old is customer 88?", "attributes"),
     ("Who is customer 88?", "everything"), ("顾客88接下来可能买什么？", "next")],
)  # fmt: skip
def test_the_part_of_a_profile_follows_the_wording(text: str, part: str):
    assert part in options(text, "profile", "about")


def test_one_call_unless_the_question_asks_for_more():
    one = grammar(about("What should we offer customer 88?"), corner.shop())
    more = grammar(about("Tell me about customer 88 and what to offer them"), corner.shop())
    assert one["properties"]["calls"]["maxItems"] == 1
    assert more["properties"]["calls"]["maxItems"] == 2


def test_code_fills_what_it_decides():
    subject = about("Recommend three cheeses they never bought to customer 88")
    (call,) = bind({"calls": [{"tool": "recommend"}]}, subject)
    assert call.args == {"customer": "88", "n": 3, "category": "CHEESE", "new_only": True}
    subject = about("How much did customer 88 aged 25-34 spend on own brand milk in June?")
    (call,) = bind({"calls": [{"tool": "measure", "quantity": "spend", "by": "none"}]}, subject)
    filters = {
        "customer": ["88"],
        "category": ["MILK"],
        "brand": ["Private"],
        "attributes": {"age": ["25-34"]},
    }
    assert call.args == {
        "quantity": "spend",
        "by": "none",
        "filters": filters,
        "start": "2024-06-01",
        "end": "2024-06-30",
    }
    (call,) = bind({"calls": [{"tool": "search_products"}]}, about("Which cheese do you sell?"))
    assert call.args["text"] == "cheese"


def test_several_periods_give_several_calls():
    subject = about("Compare sales in June and July")
    calls = bind({"calls": [{"tool": "measure", "quantity": "spend", "by": "none"}]}, subject)
    assert [(c.args["start"], c.args["end"]) for c in calls] == [
        ("2024-06-01", "2024-06-30"), ("2024-07-01", "2024-07-31"),
    ]  # fmt: skip


def test_binding_drops_repeats_and_small_talk_beside_work():
    subject = about("What should we offer customer 88?")
    calls = bind({"calls": [{"tool": "recommend"}, {"tool": "recommend"}, {"tool": "chat"}]}, subject)
    assert [c.tool for c in calls] == ["recommend"]
    assert [c.tool for c in bind({"calls": [{"tool": "chat"}, {"tool": "refuse"}]}, subject)] == ["chat"]


@pytest.mark.parametrize(
    "raw",
    [
        {}, {"calls": []}, {"calls": "recommend"}, {"calls": ["recommend"]}, {"calls": [{"tool": "erase_everything"}]},
        {"calls": [{"tool": "recommend", "customer": "12"}]}, {"calls": [{"tool": "recommend"}] * 9},
        {"calls": [{"tool": "segment"}]}, {"calls": [{"tool": None}]},
    ],
)  # fmt: skip
def test_a_plan_outside_the_grammar_is_known_as_such(raw: dict[str, Any]):
    schema = grammar(about("What should we offer customer 88?"), corner.shop())
    assert not follows(raw, schema)
    assert follows({"calls": [{"tool": "recommend"}]}, schema)


QUESTIONS = [
    "Who is customer 88?", "What should we offer customers 88 and 99?", "How much milk did we sell in June?", "Hello",
    "Which month was best?", "给顾客88推荐三款奶酪", "哪些顾客最可能买牛奶？", "第一个分群有什么特点？", "campaign 1", "segment B",
    "Why does 88 like wine and cheese?", "wine", "天气怎么样", "", "What goes with milk?", "Who shops like 88?", "平均每次消费多少",
]  # fmt: skip


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_plan_of_the_examples_keeps_to_the_grammar(text: str):
    subject = about(text)
    raw = _planner().likeliest(subject)
    assert follows(raw, _planner().grammar(subject))
    for call in bind(raw, subject):
        assert call.tool in TOOLS or call.tool in PSEUDO


@pytest.mark.parametrize(
    ("text", "tool"),
    [("Who is customer 88?", "profile"), ("给顾客88推荐点什么", "recommend"), ("What goes with milk?", "bought_with"),
     ("How did campaign 1 do?", "campaign"), ("谁应该收到牛奶优惠券？", "audience"), ("How much milk was sold in June?", "measure")],
)  # fmt: skip
def test_the_plan_of_the_examples_is_a_sensible_one(text: str, tool: str):
    assert _planner().likeliest(about(text))["calls"][0]["tool"] == tool


def test_the_prompt_begins_with_the_same_bytes_in_every_turn():
    again = Planner(corner.shop(), MultilingualEncoder(), default_prompts())
    systems = {
        p.messages(about(t), "Before: x\n")[0]["content"] for p in (_planner(), again) for t in QUESTIONS
    }
    (system,) = systems
    assert not re.search(r"\b(?:19|20)\d\d\b", system)
    told = set(corner.shop().keys("category")) | {"Campaign 1", "p45"}
    assert not [key for key in told if re.search(rf"\b{re.escape(key)}\b", system)]
    assert {f"- {name}:" for name in PLANNED} <= {
        f"- {m}:" for m in re.findall(r"^- (\w+):", system, re.MULTILINE)
    }


def test_the_question_message_names_kinds_never_keys():
    subject = about("How much did customers 88 and 99 spend on wine in June?")
    text = _planner().messages(subject)[1]["content"]
    names = text.splitlines()[-1]
    assert "2 customers" in names
    assert "category" in names
    assert "period" in names
    assert "WINE" not in names


def test_a_derived_category_is_used_where_a_tool_takes_no_type():
    links = _linker().link("Who should get a coupon for whole milk?")
    subject = Subject(links, [], [], ["MILK"])
    (call,) = bind({"calls": [{"tool": "audience"}]}, subject)
    assert call.args["category"] == "MILK"
    (call,) = bind({"calls": [{"tool": "measure", "quantity": "spend", "by": "none"}]}, replace(subject))
    assert call.args["filters"] == {"type": ["MILK A"]}


def test_every_planned_call_can_run():
    ran = set()
    for text in [
        *QUESTIONS,
        "Which segments do we have?",
        "Which cheese do you sell?",
        "Any notes on customer 88?",
        "Note that customer 88 prefers green tea.",
        "Delete all notes on customer 88",
    ]:
        for name, form in forms(text).items():
            if name in PSEUDO:
                continue
            chosen = {option: schema["enum"][0] for option, schema in form.items() if "enum" in schema}
            for call in bind({"calls": [{"tool": name} | chosen]}, about(text)):
                with contextlib.suppress(CannotDo):
                    # The shop is everybody's: what would change it only asks whether it may.
                    (WRITE_TOOLS[name].confirm if name in WRITE_TOOLS else TOOLS[name].run)(
                        corner.shop(), call.args
                    )
                ran.add(name)
    assert ran == set(PLANNED)


@pytest.mark.parametrize("question", ["What share of customers buy milk?", "买牛奶的顾客占多少？"])
def test_a_share_of_customers_is_told_of_one_figure(question: str) -> None:
    assert options(question, "measure", "by") == {"none"}
    assert options(question, "measure", "quantity") == {"customers"}


def planned(text: str, *items: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a plan, all but the tools' names and arguments left out."""
    subject = about(text)
    asking = for_planning(subject)
    return [(c.tool, c.args) for c in over_all(bind_plan({"calls": list(items)}, asking), subject.links)]


RECOMMEND, TASTES = {"tool": "recommend"}, {"tool": "profile", "about": "tastes"}
TRIPS = {"tool": "measure", "quantity": "baskets", "by": "none"}


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("What could I recommend to 88 instead of cheese?", {"category": ["CHEESE"]}),
        ("Suggest customer 88 something other than wine and cheese", {"category": ["WINE", "CHEESE"]}),
        ("除了奶酪，还能给88号推荐什么？", {"category": ["CHEESE"]}),
        ("给88号推荐奶酪和牛奶以外的商品", {"category": ["CHEESE", "MILK"]}),
        ("Recommend customer 88 anything but whole milk", {"type": ["MILK A"]}),
    ],
)
def test_what_is_to_be_left_out_is_not_asked_for(text: str, gone: dict[str, list[str]]):
    assert planned(text, RECOMMEND) == [("recommend", {"customer": "88", "without": gone})]
    ((_, args),) = planned(text, TRIPS)
    assert (args["filters"], args["without"]) == ({"customer": ["88"]}, gone)


def test_what_stands_in_for_a_recalled_thing_is_of_its_kind():
    text = "88's cheese got recalled, what could I offer instead of the cheese?"
    assert planned(text, RECOMMEND) == [("recommend", {"customer": "88", "category": "CHEESE"})]


@pytest.mark.parametrize(
    "text",
    [
        "What does 88 like most, and what should we offer him there?",
        "88号最喜欢什么品类，在那里该给他推荐什么？",
    ],
)
def test_an_offer_may_point_back_to_what_the_question_finds(text: str):
    assert planned(text, TASTES, RECOMMEND)[1] == (
        "recommend",
        {"customer": "88", "category": Found(0, "category", 1)},
    )
    # nothing points back: any offer will do
    assert planned("88号最喜欢什么品类？再推荐两样", TASTES, RECOMMEND)[1][1].get("category") is None


@pytest.mark.parametrize(
    "text",
    ["活动1发给了多少人，其中多少人用了券", "How many people got campaign 1 and how many of them redeemed?"],
)
def test_a_campaign_tells_its_reach_and_redemptions_at_once(text: str):
    counts = [{"tool": "measure", "quantity": q, "by": "none"} for q in ("received", "redemptions")]
    assert planned(text, *counts) == [("campaign", {"campaign": "1"})]
    assert planned("How many people got campaign 1?", counts[0])[0][0] == "measure"


@pytest.mark.parametrize(
    "text",
    [
        "What should I write on a thank-you card to customer 88?",
        "跟88号打招呼可以聊点什么？",
        "给88号写感谢卡，写什么好？",
    ],
)
def test_what_to_say_to_somebody_is_no_offer(text: str):
    assert planned(text, RECOMMEND) == [("profile", {"customer": "88", "about": "tastes", "talk": True})]


@pytest.mark.parametrize(
    ("text", "by"), [("Which weekday do most people come?", "weekday"), ("周末来的人多吗", "none")]
)
def test_people_by_weekday_are_counted_by_trips(text: str, by: str):
    ((_, args),) = planned(text, {"tool": "measure", "quantity": "customers", "by": by})
    assert (args["quantity"], args["by"]) == ("baskets", "weekday")


@pytest.mark.parametrize(
    ("text", "item", "tool"),
    [
        ("Has 88 ever bought cheese from us?", {"tool": "explain_preference"}, "measure"),
        ("88号买过奶酪吗？", {"tool": "explain_preference"}, "measure"),
        ("Is customer 88 due for cheese soon?", {"tool": "profile", "about": "next"}, "explain_preference"),
        ("What will 88 buy next, cheese?", {"tool": "profile", "about": "next"}, "profile"),
        (
            "Why does 88 buy cheese, has he ever bought it?",
            {"tool": "explain_preference"},
            "explain_preference",
        ),
    ],
)
def test_one_thing_that_is_named_is_what_is_told_of(text: str, item: dict[str, Any], tool: str):
    assert [name for name, _ in planned(text, item)] == [tool]


@pytest.mark.parametrize("text", ["How much kitty stuff did we sell?", "猫用品卖了多少？"])
def test_a_word_for_several_kinds_means_all_of_them_in_a_figure(text: str):
    ((_, args),) = planned(text, TRIPS)
    assert args["filters"] == {"category": ["CAT FOOD", "CAT LITTER"]}
    calls = planned("Recommend kitty stuff to 88", RECOMMEND)
    assert [args["category"] for _, args in calls] == ["CAT FOOD", "CAT LITTER"]


def test_a_part_of_the_year_is_told_of_the_year():
    ((_, args),) = planned("What part of the milk money came in June?", {"tool": "measure", "quantity": "spend", "by": "segment"})  # fmt: skip
    assert (args["by"], args["of_all_days"]) == ("none", True)
