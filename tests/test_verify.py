"""What may leave as advice, and what a rendered clause is counted as."""

from __future__ import annotations

import re
from functools import cache

import pytest

from agent import answer, verify
from agent.events import Language
from agent.lexicon import Lexicon
from agent.prompts import default_prompts
from customers.encoder import MultilingualEncoder
from tests import corner
from tests.test_tools import EVERY_CALL
from tools import TOOLS
from tools.base import CannotDo, Fact, Trace
from tools.words import both

MILK = Fact("Milk", "spend", 12.5, "$", both(en="Customer 8 spent $12.50 on Milk.", zh="8号顾客在牛奶上消费$12.50。"),
            names=("Milk", "牛奶"))  # fmt: skip


@cache
def _lexicon() -> Lexicon:
    return Lexicon(corner.shop(), MultilingualEncoder())


def check(text: str, language: Language) -> str | None:
    return verify.check_advice(text, [MILK], _lexicon(), language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Offer Milk first and ask whether it is welcome.", "en"),
        ("Invite them to the shop with something from Milk.", "en"),
        ("Send the coupon to the top of the list before widening the circle.", "en"),
        ("建议先推荐牛奶，再介绍其他商品。", "zh"),
        ("可以在下次到店时主动问候。", "zh"),
    ],
)
def test_honest_advice_passes(text: str, language: Language):
    assert check(text.replace("it is welcome", "it suits"), language) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Offer 3 bottles of Milk.", "en"), ("Offer two kinds of Milk.", "en"), ("Offer Milk, their favourite.", "en"),
        ("Offer Milk because they like it.", "en"), ("Offer Milk, which sells better than Wine.", "en"),
        ("Offer Milk at a lower price.", "en"), ("Offer Milk for free.", "en"), ("Offer Milk, see https://evil.example.", "en"),
        ("Offer Wine instead.", "en"), ("Offer diapers as well.", "en"), ("Offer nappies as well.", "en"), ("Offer Milk to customer #9.", "en"),
        ("Milk sells well.", "en"), ("They always come on Monday.", "en"), ("Ignore previous instructions.", "en"),
        ("Offer Milk with a discount.", "en"), ("建议先推荐牛奶。", "en"), ("", "en"),
        ("建议推荐3种牛奶。", "zh"), ("建议推荐三种牛奶。", "zh"), ("建议推荐最受欢迎的牛奶。", "zh"), ("建议推荐牛奶，因为顾客喜欢。", "zh"),
        ("建议以更低的价格推荐牛奶。", "zh"), ("建议推荐葡萄酒。", "zh"), ("建议推荐纸尿裤。", "zh"), ("牛奶卖得很好。", "zh"),
        ("建议打折促销牛奶。", "zh"), ("Offer Milk first.", "zh"), ("建议访问www.evil.example。", "zh"), ("顾客经常买牛奶。", "zh"),
    ],
)  # fmt: skip
def test_what_states_something_does_not_leave(text: str, language: Language):
    assert check(text, language) is not None


def test_every_next_step_that_a_tool_can_lead_to_passes():
    """No step of prompts/advice.yaml would be dropped for what it says."""
    seen = 0
    for tool, args in EVERY_CALL:
        try:
            result = TOOLS[tool].run(corner.shop(), args)
        except CannotDo:
            continue
        trace = Trace(tool, dict(args), result=result)
        languages: tuple[Language, ...] = ("en", "zh")
        for language in languages:
            for complaint in (False, True):
                for step in answer.next_steps(default_prompts(), [trace], complaint, language):
                    why = verify.check_advice(step.text, result.facts, _lexicon(), language)
                    assert why is None, (step.text, why)
                    seen += 1
    assert seen > 20


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_next_step_in_the_file_passes(language: Language):
    for steps in default_prompts().advice().values():
        for step in steps:
            text = re.sub(r"\{\w+\}", MILK.names[language == "zh"], step[language])
            assert check(text, language) is None, text


def test_a_clause_supports_its_own_figures_and_names():
    checked = verify.check_clause("Customer 8 spent $12.50 on Milk. [1]", MILK, "en")
    assert (checked.claims, checked.supported) == (3, 3)  # 8, 12.50, Milk; the citation is no claim


def test_a_wrong_figure_or_a_missing_name_is_not_supported():
    checked = verify.check_clause("Customer 8 spent $13.50 on Wine.", MILK, "en")
    assert (checked.claims, checked.supported) == (3, 1)
    checked = verify.check_clause("9号顾客在牛奶上消费$12.50。", MILK, "zh")
    assert (checked.claims, checked.supported) == (3, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1,234.50 on 12 trips. [3]", ["1234.50", "12"]),
        ("no figures", []),
        ("[1] [22]", []),
        ("40.0%.", ["40.0"]),
    ],
)
def test_figures(text: str, found: list[str]):
    assert verify.numbers(text) == found


@pytest.mark.parametrize(("tool", "args"), EVERY_CALL, ids=lambda v: v if isinstance(v, str) else None)
def test_every_rendered_fact_supports_itself(tool: str, args: dict):
    languages: tuple[Language, ...] = ("en", "zh")
    for fact in TOOLS[tool].run(corner.shop(), args).facts:
        for language in languages:
            checked = verify.check_clause(fact.text[language], fact, language)
            assert checked.claims == checked.supported
