"""Questions on why two things go together: what is planned, and the facts that are told."""

from __future__ import annotations

from functools import cache

import pytest

from agent.binding import bind
from agent.lexicon import Lexicon
from agent.link import Linker
from agent.subject import Subject
from customers.encoder import MultilingualEncoder
from tests import corner
from tests.corner import planted
from tools import TOOLS, words
from tools.base import ToolResult, TryAgain


@cache
def _linker() -> Linker:
    return Linker(corner.shop(), Lexicon(corner.shop(), MultilingualEncoder()))


def planned(text: str) -> list[dict[str, object]]:
    links = _linker().link(text)
    subject = Subject(links, list(links.customers), list(links.keys("category")))
    return [call.args for call in bind({"calls": [{"tool": "bought_with"}]}, subject)]


def run(**args: object) -> ToolResult:
    return TOOLS["bought_with"].run(corner.shop(), args)


@pytest.mark.parametrize("text", ["Why do wine and cheese go together?", "葡萄酒和奶酪为什么搭配？"])
def test_a_question_why_two_go_together_is_one_call_on_both(text: str):
    (args,) = planned(text)
    assert {args["category"], args["with"]} == {"WINE", "CHEESE"}


def test_what_goes_with_two_things_stays_a_call_for_each():
    calls = planned("What is bought together with wine and with cheese?")
    assert [args["category"] for args in calls] == ["WINE", "CHEESE"]
    assert not any("with" in args for args in calls)


def test_why_with_one_thing_is_answered_with_its_companions():
    (args,) = planned("Why is wine bought together with others?")
    assert args == {"category": "WINE"}


def test_the_facts_state_the_counted_figures_in_both_languages():
    facts = {f.predicate: f for f in run(category="WINE", **{"with": "CHEESE"}).facts}
    ((both, wine, share),) = planted(
        "SELECT count(*) FILTER (w AND c), count(*) FILTER (w), count(*) FILTER (w AND c) / count(*) FILTER (w) FROM"
        " (SELECT customer_id, bool_or(category = 'WINE') w, bool_or(category = 'CHEESE') c FROM events"
        " JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY 1)"
    )
    assert wine >= both > 0
    for language in words.LANGUAGES:
        assert words.percent(share) in facts["shared_buyers"].text[language]
        assert words.number(both) in facts["shared_buyers"].text[language]
    assert facts["bought_with"].value > 1
    assert {"shared_segment", "shared_department"} <= facts.keys()


def test_products_are_told_by_number_and_share_their_brand():
    result = run(product="p1", **{"with": "p2"})
    told = {f.predicate: f.text["en"] for f in result.facts}
    assert "#p1" in told["shared_brand"]
    assert "National brand" in told["shared_brand"]
    assert result.found == {"product": ("p1", "p2")}


def test_what_the_graph_lacks_may_be_mended():
    with pytest.raises(TryAgain):
        run(category="WINE", **{"with": "NOTHING"})
    with pytest.raises(TryAgain):
        run(category="WINE", **{"with": "WINE"})


def test_new_products_come_with_new_categories_and_what_leads_to_them():
    result = TOOLS["recommend"].run(corner.shop(), {"customer": "0", "new_only": True, "n": 2})
    told = [f for f in result.facts if f.predicate == "new_category"]
    own = {
        k for (k,) in corner.shop().query("SELECT category FROM customer_categories WHERE customer_id = '0'")
    }
    assert [f.value for f in told] == [
        new.category for new in corner.shop().cross_category("0", 6) if new.because_name
    ][:3]
    assert not own & {f.value for f in told}
    without = TOOLS["recommend"].run(corner.shop(), {"customer": "0", "n": 2})
    assert not any(f.predicate == "new_category" for f in without.facts)
