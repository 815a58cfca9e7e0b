"""What the page shows, as pure functions: nothing that came from outside may be markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ui_fakes import HOSTILE, FakeAgent, FakeShop

from agent.events import Citation, FinalEvent, Handoff, Reply, Step, StepEvent, TokenEvent
from customers.values import SegmentMove
from ui import build_tab, cards, escape, plots, render, segment_cards, texts
from ui.turns import TurnView

_OURS = {
    "answer": {
        "p",
        "br",
        "ul",
        "ol",
        "li",
        "strong",
        "button",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    },
    "inline": {"strong", "button"},
}


class _Tags(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


@given(st.text())
def test_inert_text_reads_as_it_was_and_holds_no_markup(value: str) -> None:
    parsed = _Tags(escape.inert(value))
    assert parsed.tags == []
    assert parsed.words == value
    assert not re.search(r"[<>\[\]()*_`$!]", re.sub(r"&#\d+;", "", escape.inert(value)))


_markup = st.text(alphabet=st.sampled_from(list("<>/&;#[]()!*\\`ab1\n -=\"'$:|")), max_size=80)


@given(_markup)
def test_an_answer_holds_only_our_tags_and_one_line(text: str) -> None:
    html = escape.answer(text)
    parsed = _Tags(html)
    assert set(parsed.tags) <= _OURS["answer"]
    assert parsed.attributes <= {"type", "class", "title"}
    assert "\n" not in html


def test_an_answer_s_markdown_becomes_markup() -> None:
    html = escape.answer("Spent **$5** [1].\n\n- milk [2, 3]\n- eggs\n\n1. one\n\n2. two")
    assert html == (
        '<p>Spent <strong>&#36;5</strong> <button type="button" class="cite" title="1">1</button>&#46;</p>'
        '<ul><li>milk <button type="button" class="cite" title="2">2</button>'
        '<button type="button" class="cite" title="3">3</button></li><li>eggs</li></ul>'
        "<ol><li>one</li><li>two</li></ol>"
    )
    assert escape.answer("| Who | Trips |\n| --- | --- |\n| 7 | **3** |\n\nOr | not |") == (
        '<div class="rows"><table><thead><tr><th>Who</th><th>Trips</th></tr></thead>'
        "<tbody><tr><td>7</td><td><strong>3</strong></td></tr></tbody></table></div><p>Or &#124; not &#124;</p>"
    )
    assert escape.answer("| no table |") == "<p>&#124; no table &#124;</p>"


@pytest.mark.parametrize("escaped", [r"2 \* 3 \[x\]", "2 &#42; 3 &#91;x&#93;", "2 * 3 [x]"])
def test_data_that_the_agent_escaped_reads_as_it_was(escaped: str) -> None:
    assert _Tags(escape.answer(escaped)).words == "2 * 3 [x]"


def test_a_report_keeps_tables_and_loses_html_links_and_images() -> None:
    shown = escape.report("# R\n\n![p](a.png)\n\n| a | b |\n|---|---|\n| [x](javascript:1) | <b>y</b> |\n")
    assert shown == "# R\n\n\n\n| a | b |\n|---|---|\n| x | &lt;b>y&lt;/b> |\n"


def _played(question: str) -> TurnView:
    view = TurnView(question, texts.of_question(question))
    for event in FakeAgent(pause_s=0).stream(question):
        view.take(event)
    return view


def test_a_finished_turn_shows_steps_answer_offers_facts_and_grounding() -> None:
    html = render.turn(_played("What should we offer customer 1007?"))
    words = _Tags(html).words
    for expected in (
        "1 step · 1.2 s",
        "Looking up customer 1007…",
        "spent $2,841.37",
        "Milk, 1 gal (private label)",
        "Facts behind this answer (2)",
        "Customer 1007 buys milk every 9 days.",
        "customer profile",
        "3 of 3 claims checked against facts",
    ):
        assert expected in words
    assert "\n" not in html


def test_a_chinese_turn_is_chinese() -> None:
    words = _Tags(render.turn(_played("该给顾客1007推荐什么？"))).words
    assert "回答依据（2）" in words
    assert "推荐商品" in words
    assert "Facts" not in words


def test_a_hostile_turn_is_text() -> None:
    parsed = _Tags(render.turn(_played("attack")) + render.question(HOSTILE))
    assert not {"img", "script", "a", "code"} & set(parsed.tags)
    assert not {name for name in parsed.attributes if name.startswith("on") or name in ("href", "src")}
    assert HOSTILE in parsed.words


def test_parallel_steps_end_in_any_order() -> None:
    view = TurnView("q", "en")
    for name in ("a", "b"):
        view.take(StepEvent(name))
    view.take(StepEvent("b", Step("t", {}, 1.0, 1)))
    assert [(line.text, line.done) for line in view.steps] == [("a", False), ("b", True)]
    assert "busy" in render.turn(view)
    assert "1 fact" in _Tags(render.turn(view)).words


def test_the_final_reply_overrules_the_tokens() -> None:
    view = TurnView("q", "en")
    view.take(TokenEvent("draft"))
    view.take(FinalEvent(Reply("final", "en", "answer", citations=(Citation(1, "t", "f", 1),))))
    words = _Tags(render.turn(view)).words
    assert "final" in words
    assert "draft" not in words


def test_a_handoff_says_why_and_what_to_know() -> None:
    view = TurnView("q", "en")
    view.take(FinalEvent(Reply("ok", "en", "handoff", handoff=Handoff("asked <b>", "line 1\nline 2"))))
    words = _Tags(render.turn(view)).words
    assert "A colleague takes over" in words
    assert "asked <b>" in words
    assert "line 2" in words


@pytest.mark.parametrize(("status", "words"), [("failed", "Something went wrong"), ("stopped", "Stopped.")])
def test_an_unfinished_turn_says_so(status: str, words: str) -> None:
    assert words in _Tags(render.turn(TurnView("q", "en", status=status))).words


def test_the_profile_card_holds_the_profile_s_figures() -> None:
    shop = FakeShop()
    words = _Tags(cards.customer(shop.profile("1007"), shop, "en")).words
    for expected in (
        "Customer 1007",
        "Baby & diapers",
        "$2,841",
        "$29.60",
        "2017-12-28",
        "3 days before the data ends",
        "3.5 days",
        "3.2× the usual share",
        "about the usual share",
        "below the usual share (0.6×)",
        "93%",
        "Age45–54",
    ):
        assert expected in words
    assert "年龄" in cards.customer(shop.profile("1007"), shop, "zh")


def test_a_hostile_profile_and_note_are_text() -> None:
    shop = FakeShop()
    html = cards.customer(shop.profile("hostile"), shop, "en")
    html += cards.note("unknown_customer", "en", customer=HOSTILE)
    parsed = _Tags(html)
    assert not {"img", "script", "a"} & set(parsed.tags)
    assert HOSTILE in parsed.words


@pytest.mark.parametrize(
    ("probability", "words"), [(0.996, ">99%"), (0.93, "93%"), (0.004, "<1%"), (0.0, "<1%"), (1.0, ">99%")]
)
def test_a_chance_is_never_a_false_certainty(probability: float, words: str) -> None:
    assert cards.chance(probability) == words


@pytest.mark.parametrize(
    ("lift", "words"),
    [(3.24, "3.2× the usual share"), (12.3, "12× the usual share"), (1.1, "about"), (0.5, "below")],
)
def test_lift_in_words(lift: float, words: str) -> None:
    assert words in cards.lift_words(lift, "en")


def test_plots_hold_the_profile_s_figures_and_no_markup() -> None:
    profile = FakeShop().profile("hostile")
    months = plots.months(profile, "$", "en").to_dict()["data"][0]
    assert list(months["y"]) == [spend for _, spend in profile.spend_by_month]
    shown = plots.categories(profile, "$", "en").to_json()
    assert shown is not None
    assert "<img" not in shown
    assert "<script" not in shown
    assert "\\u003cimg" not in shown


def test_the_customer_stands_on_the_map_even_when_the_map_is_a_sample() -> None:
    rows = [(str(i), "s1" if i % 2 else "gone", float(i), float(-i)) for i in range(5000)]
    points = plots.points(rows, {"s1", "s2", "s3"})
    figure = plots.customer_map(points, FakeShop().segments(), "4999", "en").to_dict()
    assert sum(len(trace["x"]) for trace in figure["data"]) < 1000
    assert figure["data"][-1]["x"] == [4999.0]
    assert figure["data"][-1]["y"] == [-4999.0]


def test_segments_table_has_every_segment_and_none_is_said() -> None:
    shop = FakeShop()
    words = _Tags(cards.segments(shop.segments(), shop.info, "zh")).words
    assert all(segment.name.zh in words for segment in shop.segments())
    assert "婴儿食品" in words
    assert "no segments" in cards.segments([], shop.info, "en")


def test_a_segment_s_card_tells_who_is_in_it_what_goes_together_and_how_it_moved() -> None:
    shop = FakeShop()
    html = segment_cards.cards(shop.segments(), shop, "en")
    first, second, third = html.split('class="card segment-card"')[1:]
    words = _Tags(first).words
    for expected in (
        "Everyday family shoppers",
        "52 customers, 52.0% of all",
        "Milk 1.4×",
        "Milk → Baby food",
        "46% · 3.2×",
        "Age45–54 40%, usual 25%",
        "1001",
        "50 → 52 customers",
        "45 stayed, 5 left, 4 from " + HOSTILE + ", 3 new to the shop",
        "It was called Families.",
    ):
        assert expected in words
    assert "New: no segment" in _Tags(second).words
    assert "Nothing known about these customers differs" in _Tags(third).words
    assert not {"img", "script", "a"} & set(_Tags(html).tags)
    assert "50 → 52位顾客" in _Tags(segment_cards.cards(shop.segments(), shop, "zh")).words
    assert segment_cards.cards([], shop, "en") == ""


def test_a_first_build_has_nothing_to_compare_its_segments_with() -> None:
    shop = FakeShop()
    only = [replace(one, moves=(), size_before=None) for one in shop.segments()]
    assert _Tags(segment_cards.cards(only, shop, "en")).words.count("No build before this one") == 3


def test_a_segment_that_kept_all_its_customers_says_so() -> None:
    shop = FakeShop()
    stayed = SegmentMove(shop.segments()[2].name, 17, True)
    only = [replace(shop.segments()[2], moves=(stayed,), size_before=17)]
    assert "The same 17 customers" in _Tags(segment_cards.cards(only, shop, "en")).words


def test_what_may_come_next_is_said_as_an_estimate() -> None:
    shop = FakeShop()
    profile = shop.profile("1007")
    words = _Tags(cards.customer(profile, shop, "en")).words
    for expected in (
        "about 2018-01-04",
        "8 times in 10: 2018-01-01 – 2018-01-12",
        "4%",
        "about $712",
        "8 times in 10: $401 – $1,034",
        "Estimates from what was known on 2017-12-31, not facts.",
    ):
        assert expected in words
    assert profile.outlook is not None
    late = replace(profile, outlook=replace(profile.outlook, next_order=None, next_high=None))
    assert "probably later than 90 days8 times in 10: 2018-01-01 – later than 90 days" in _Tags(cards.customer(late, shop, "en")).words  # fmt: skip
    assert "估计，并非事实" in _Tags(cards.customer(profile, shop, "zh")).words
    assert "not facts" not in cards.customer(replace(profile, outlook=None), shop, "en")


def test_plots_of_all_customers_hold_what_was_counted_and_no_markup() -> None:
    shop = FakeShop()
    held = shop.interest_spread()
    bars = plots.interests(held, "zh").to_dict()
    assert list(bars["data"][0]["x"]) == [12, 40]  # the most common on top
    assert list(bars["layout"]["yaxis"]["ticktext"]) == ["啤酒", "牛奶"]
    shown = plots.interests(held, "en").to_json() or ""
    assert "<img" not in shown
    assert "\\u003cimg" not in shown
    line, middle_half, dots = plots.chances(shop.chance_spread(), "en").to_dict()["data"]
    assert [line["x"][:2], middle_half["x"][:2], dots["x"]] == [[0.1, 0.9], [0.2, 0.7], [0.5]]
    seen = plots.reliability(shop.reliability(), "en").to_dict()
    assert (seen["data"][1]["x"], seen["data"][1]["y"]) == ([0.1, 0.6], [0.12, 0.55])
    assert "off by 3.5 points" in str(seen["layout"]["title"])


def test_every_text_is_in_both_languages_with_the_same_values() -> None:
    for key, (en, zh) in texts.TEXTS.items():
        names = [set(re.findall(r"\{(\w+)\}", one)) for one in (en, zh)]
        assert en, key
        assert zh, key
        assert names[0] == names[1], key


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de-DE,zh;q=0.5,en;q=0.3", "zh"),
        ("fr", "en"),
        ("zh;q=x", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_browser_s_first_language_among_ours(header: str | None, language: str) -> None:
    assert texts.of_browser(header) == language


def test_examples_come_in_both_languages_and_name_what_the_shop_has() -> None:
    for role in texts.EXAMPLES:
        found = texts.examples(role, "zh", "1007", ("Milk", "牛奶"))
        assert [texts.of_question(q) for q in found] == ["zh"] * 4 + ["en"] * 2
        assert not any("{" in question for question in found)


def test_a_report_s_folder_gives_text_and_plots(tmp_path) -> None:
    (tmp_path / "report.md").write_text("# Built\n\n<script>x</script>", encoding="utf-8")
    (tmp_path / "k.png").write_bytes(b"\x89PNG")
    assert build_tab.text_of(tmp_path / "report.md") == "# Built\n\n&lt;script>x&lt;/script>"
    assert 'src="data:image/png;base64,iVBORw=="' in build_tab.plots_of(tmp_path / "report.md")
    assert "no report" in build_tab.text_of(None)
    assert build_tab.plots_of(None) == ""
