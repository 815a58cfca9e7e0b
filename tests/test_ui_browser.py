"""The page as a person uses it, in a real browser on a real server, with a scripted agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: browser tests left out")
from playwright.sync_api import Browser, BrowserContext, Page, expect
from ui_browser import CHROMIUM, LEFT_OUT, browser, free_port, window
from ui_fakes import HOSTILE, FakeAgent

from ui.server import launch

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason=LEFT_OUT)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    report = tmp_path_factory.mktemp("report") / "report.md"
    report.write_text("# Build report\n\n| rule | rows |\n|---|---|\n| zero | 12 |\n\n<img src=x>", "utf-8")
    agent = FakeAgent()
    url = launch(agent, port=free_port(), open_browser=False, report=Path(report), block=False)
    yield SimpleNamespace(agent=agent, url=url)
    gr.close_all(verbose=False)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = window(chromium)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, served: SimpleNamespace) -> Iterator[Page]:
    opened = context.new_page()
    _open(opened, served.url)
    yield opened
    opened.close()


def _open(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#card .card")).to_be_visible()  # the load event has filled the page


def _ask(page: Page, question: str) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#send").click()


def test_an_example_question_is_answered_with_steps_facts_and_offers(page: Page) -> None:
    page.locator(".chip", has_text="What should we offer customer").click()
    expect(page.locator(".turn .steps li")).to_contain_text("Looking up customer 1007")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator(".turn.done .answer")).to_contain_text("spent $2,841.37")
    expect(page.locator(".turn .offers li")).to_have_count(2)
    expect(page.locator("#stop")).to_be_hidden()

    facts = page.locator(".turn details.facts")
    expect(facts.locator("li").first).to_be_hidden()
    page.locator(".cite").nth(1).click()
    expect(facts.locator("li.lit")).to_have_text("2Customer 1007 buys milk every 9 days. recommendations")
    page.locator(".turn details.steps summary").click()
    expect(page.locator(".turn details.steps li")).to_be_visible()


def test_the_panel_follows_the_customer_of_the_answer(page: Page) -> None:
    _ask(page, "Who is 1007?")
    expect(page.locator(".profile h3")).to_have_text("Customer 1007")
    expect(page.locator("#picker input")).to_have_value("1007")


def test_picking_a_customer_shows_card_and_plots_and_is_told_to_the_agent(
    page: Page, served: SimpleNamespace
) -> None:
    page.locator("#picker input").click()
    page.get_by_role("option", name="1003", exact=True).click()
    expect(page.locator(".profile h3")).to_have_text("Customer 1003")
    for plot in ("#plot-months", "#plot-categories", "#plot-map"):
        expect(page.locator(f"{plot} .js-plotly-plot .main-svg").first).to_be_visible()
    _ask(page, "What do they like?")
    expect(page.locator(".turn.done")).to_have_count(1)
    assert served.agent.asked[-1].customer == "1003"


def test_an_unknown_customer_gets_a_friendly_line(page: Page) -> None:
    page.locator("#picker input").fill("99<b>99")
    page.locator("#picker input").press("Enter")
    expect(page.locator("#card .notice")).to_contain_text("There is no customer “99<b>99”")
    expect(page.locator("#plot-months")).to_be_hidden()


def test_the_language_switch_changes_the_page_and_its_questions(page: Page) -> None:
    page.locator("#language label", has_text="中文").click()
    expect(page.get_by_role("tab", name="客群")).to_be_visible()
    expect(page.locator("#send")).to_have_text("提问")
    expect(page.locator("#card")).to_contain_text("店铺概览")
    page.locator(".chip").first.click()
    expect(page.locator(".turn.done .answer")).to_contain_text("顾客1007是常客")
    expect(page.locator(".turn.done .facts summary")).to_have_text("回答依据（2）")


def test_a_chinese_phone_opens_a_chinese_page_without_overflow(
    chromium: Browser, served: SimpleNamespace
) -> None:
    phone = window(chromium, locale="zh-CN", width=390, height=844)
    page = phone.new_page()
    _open(page, served.url)
    expect(page.get_by_role("tab", name="提问")).to_be_visible()
    expect(page.locator("#send")).to_be_in_viewport()
    page.locator(".chip").first.click()
    expect(page.locator(".turn.done .answer")).to_contain_text("顾客1007是常客")
    expect(page.locator("#plot-map .main-svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.close()


def test_the_role_changes_the_examples_and_is_told_to_the_agent(page: Page, served: SimpleNamespace) -> None:
    page.locator("#role label", has_text="Merchandiser").click()
    expect(page.locator(".chip").first).to_have_text("Which segments do we have?")
    page.locator(".chip").first.click()
    expect(page.locator(".turn.done")).to_have_count(1)
    assert served.agent.asked[-1].role == "merchandiser"


def test_stop_ends_the_turn_and_the_next_question_is_answered(page: Page) -> None:
    _ask(page, "slow please")
    expect(page.locator(".turn .answer")).to_contain_text("regular")
    page.locator("#stop").click()
    expect(page.locator(".turn.stopped")).to_contain_text("Stopped.")
    expect(page.locator("#send")).to_be_visible()
    _ask(page, "and now?")
    expect(page.locator(".turn.done")).to_have_count(1)


def test_a_new_conversation_is_empty_and_has_a_session_of_its_own(
    page: Page, served: SimpleNamespace
) -> None:
    _ask(page, "first")
    expect(page.locator(".turn.done")).to_have_count(1)
    page.locator("#new").click()
    expect(page.locator(".turn")).to_have_count(0)
    _ask(page, "second")
    expect(page.locator(".turn.done")).to_have_count(1)
    first, second = (asked.session for asked in served.agent.asked[-2:])
    assert first != second
    assert served.agent.forgotten[-1] == first


def test_a_failure_is_one_friendly_line(page: Page) -> None:
    _ask(page, "please fail")
    expect(page.locator(".turn.failed")).to_contain_text("Something went wrong on our side")
    assert "secret" not in page.content()
    _ask(page, "there is no model")
    expect(page.locator(".turn.failed").last).to_contain_text("does not answer; start it with")
    assert "Traceback" not in page.content()


def test_hostile_text_stays_text_everywhere(context: BrowserContext, served: SimpleNamespace) -> None:
    page = context.new_page()
    abroad: list[str] = []
    dialogs: list[str] = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((served.url, "data:", "blob:")) else abroad.append(r.url),
    )
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    _open(page, served.url)
    page.locator("#picker input").fill("hostile")
    page.locator("#picker input").press("Enter")
    expect(page.locator("#card .profile")).to_contain_text("onerror=")
    expect(page.locator("#plot-categories .main-svg").first).to_be_visible()
    _ask(page, "attack " + HOSTILE)
    expect(page.locator(".turn.done .answer")).to_contain_text("javascript:alert(1)")
    page.locator(".turn.done .facts summary").click()
    for place in ("#chat", "#card"):
        for markup in ("img", "script", "a", "code", ".katex"):
            expect(page.locator(f"{place} {markup}")).to_have_count(0)
    assert page.locator("#plot-categories .main-svg a").count() == 0
    page.wait_for_timeout(300)
    assert page.title() != "PWNED"
    assert dialogs == []
    assert abroad == []
    page.close()


def test_segments_and_build_report_have_their_tabs(page: Page) -> None:
    page.get_by_role("tab", name="Segments").click()
    expect(page.locator(".segments tbody tr")).to_have_count(3)
    expect(page.locator("#segment-map .main-svg").first).to_be_visible()
    expect(page.locator("#segment-sizes .main-svg").first).to_be_visible()
    expect(page.locator(".segment-card")).to_have_count(3)
    for plot in ("#plot-interests", "#plot-chances", "#plot-reliability"):
        expect(page.locator(f"{plot} .main-svg").first).to_be_visible()
    for markup in ("img", "script", "a"):
        expect(page.locator(f"#segment-cards {markup}")).to_have_count(0)
    expect(page.locator("#plot-interests .main-svg a")).to_have_count(0)
    page.get_by_role("tab", name="Data & build").click()
    expect(page.locator("#report td").first).to_have_text("zero")
    expect(page.locator("#report img")).to_have_count(0)
