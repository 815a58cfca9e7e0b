"""The Label tab: what it shows and does, and one round of it in a real browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from label_shops import HOSTILE, write
from ui_fakes import FakeAgent

from customers import labels
from ui.label_tab import LabelTab, shop_dir_of
from ui.label_texts import LABEL_TEXTS
from ui.texts import text

TASK = "review-sentiment"
REVIEWS = ["good", "bad", "so so", "还行"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(tmp_path / "shop", {"review": REVIEWS})


@pytest.fixture
def tab(shop: Path) -> LabelTab:
    return _tab(shop)


def _tab(shop: Path | None) -> LabelTab:
    made = LabelTab(shop)
    with gr.Blocks(analytics_enabled=False), gr.Tab("Label") as within:
        made.layout()
        made.wire(within, gr.Radio(["en", "zh"], value="en"), {})
    return made


def _drawn(tab: LabelTab, name: str = "Ann", language: str = "en") -> dict[Any, Any]:
    return tab.draw_sample(10, TASK, name, None, language)


@pytest.fixture
def pressed(tab: LabelTab) -> Any:
    """Presses the label of a place, "s" or "b" on the tab that shows something."""
    from ui import label_tab

    acts = {
        "s": label_tab._skip,
        "b": label_tab._back,
        **{n: (lambda sitting, store, n=n: label_tab._give(n, sitting, store)) for n in range(3)},
    }
    return lambda key, shown: tab._acts(acts[key])(
        shown[tab.sitting], shown[tab.looking_at], TASK, "Ann", "en"
    )


def _visible(shown: dict[Any, Any], components: list[Any]) -> list[str]:
    return [shown[c].get("value", "") for c in components if shown[c].get("visible")]


def test_every_text_is_there_in_both_languages() -> None:
    for key, (en, zh) in LABEL_TEXTS.items():
        assert en != zh, key
        assert any("\u4e00" <= c <= "\u9fff" for c in zh) or key == "label_pair", key


def test_without_a_sample_it_offers_to_draw_one(tab: LabelTab) -> None:
    shown = tab.open(TASK, "Ann", None, "zh")
    assert text("label_no_sample", "zh") in shown[tab.card]
    assert shown[tab.draw]["visible"] is True
    assert shown[tab.task]["value"] == TASK
    assert ("评价情感", TASK) in shown[tab.task]["choices"]
    assert _visible(shown, tab.choices) == []


def test_without_a_name_nothing_can_be_labelled(tab: LabelTab) -> None:
    shown = _drawn(tab, name=" ")
    assert "Type your name" in shown[tab.card]
    assert _visible(shown, tab.choices) == []


def test_a_press_labels_what_is_shown_and_the_next_one_comes(tab: LabelTab, pressed: Any) -> None:
    shown = _drawn(tab)
    assert _visible(shown, tab.choices) == ["1 · Negative", "2 · Mixed", "3 · Positive"]
    first = shown[tab.looking_at]
    after = pressed(2, shown)
    assert after[tab.looking_at] != first
    assert "1 of 4 labelled by Ann" in after[tab.progress]
    (kept,) = labels.LabelStore.of(tab.shop_dir or Path()).annotations(TASK)
    assert (kept.unit_id, kept.label, kept.labeller) == (first, "positive", labels.person("Ann"))
    again = pressed("b", after)
    assert again[tab.looking_at] == first
    assert "You said&#58; Positive" in again[tab.card]


def test_a_second_press_on_an_old_picture_labels_nothing(tab: LabelTab, pressed: Any) -> None:
    shown = _drawn(tab)
    old = {tab.sitting: shown[tab.sitting], tab.looking_at: shown[tab.looking_at]}
    pressed(2, old)
    after = pressed(0, old)  # the browser still shows the first one
    assert [a.label for a in labels.LabelStore.of(tab.shop_dir or Path()).annotations(TASK)] == ["positive"]
    assert "1 of 4" in after[tab.progress]


def test_at_the_end_it_says_so_and_skipped_ones_come_again(tab: LabelTab, pressed: Any) -> None:
    shown = pressed("s", _drawn(tab))
    for _ in range(3):
        shown = pressed(1, shown)
    assert "1 that you skipped" in shown[tab.card]
    assert _visible(shown, tab.choices) == []
    shown = pressed(1, tab.open(TASK, "Ann", None, "en"))
    assert "whole sample" in shown[tab.card]


def test_agreement_with_a_model_is_shown(tab: LabelTab, pressed: Any) -> None:
    shown = _drawn(tab)
    assert "Nobody has labelled yet" in shown[tab.report]
    machine = labels.Labeller("llm", "tiny@1", "tiny")
    store = labels.LabelStore.of(tab.shop_dir or Path())
    for unit, key in zip(store.units(TASK), ("negative", "positive", "mixed", "mixed"), strict=True):
        store.put(TASK, unit.unit_id, key, machine)
    for place in (0, 2, 1, 0):
        shown = pressed(place, shown)
    assert "3 of 4 the same" in shown[tab.report].replace("&#37;", "%")
    # 0.75 alike, 0.3125 by chance: (0.75 - 0.3125) / (1 - 0.3125)
    assert "kappa 0&#46;64" in shown[tab.report]


def test_a_unit_that_was_erased_meanwhile_is_passed_over(tab: LabelTab, pressed: Any) -> None:
    shown = _drawn(tab)
    first = shown[tab.looking_at]
    labels.forget(tab.shop_dir or Path(), f"c{first.partition(':')[2]}")
    after = pressed(0, shown)
    assert "no longer in the sample" in after[tab.card]
    assert after[tab.looking_at] not in ("", first)
    assert labels.LabelStore.of(tab.shop_dir or Path()).annotations(TASK) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_shop_without_such_texts_is_told_how_to_bring_them(tab: LabelTab, language: str) -> None:
    shown = tab.draw_sample(10, "inquiry-intent", "Ann", None, language)
    assert text("label_unit_inquiry", language) in shown[tab.card]
    assert "shopkeeper data" in shown[tab.card]


def test_a_broken_task_file_is_one_friendly_line(tab: LabelTab) -> None:
    folder = (tab.shop_dir or Path()) / "label-tasks"
    folder.mkdir()
    (folder / "mine.yaml").write_text("name: [", encoding="utf-8")
    assert "mine&#46;yaml" in tab.open(TASK, "Ann", None, "en")[tab.card]


def test_when_all_is_drawn_it_says_so(tab: LabelTab) -> None:
    _drawn(tab)
    shown = _drawn(tab)
    assert "nothing more to draw" in shown[tab.card]
    assert _visible(shown, tab.choices) == ["1 · Negative", "2 · Mixed", "3 · Positive"]


def test_a_page_without_a_shop_folder_says_so() -> None:
    tab = _tab(shop_dir_of(FakeAgent().shop))
    assert text("label_no_shop", "zh") in tab.open(None, "Ann", None, "zh")[tab.card]


def test_hostile_text_and_names_stay_text(tmp_path: Path) -> None:
    tab = _tab(write(tmp_path, {"review": [HOSTILE]}))
    shown = tab.draw_sample(1, TASK, HOSTILE[:55], None, "en")
    everything = "".join(value for value in shown.values() if isinstance(value, str))
    assert "onerror" in everything
    assert "<img" not in everything


# in a browser ----------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.slow
def test_labelling_by_keyboard_on_a_chinese_phone(shop: Path) -> None:
    pytest.importorskip("playwright", reason="Playwright is not installed: browser tests left out")
    from playwright.sync_api import expect
    from ui_browser import CHROMIUM, LEFT_OUT, browser, free_port, window

    from ui.server import launch

    if CHROMIUM is None:
        pytest.skip(LEFT_OUT)
    agent = FakeAgent()
    agent.shop = SimpleNamespace(  # pyright: ignore[reportAttributeAccessIssue]
        **{name: getattr(agent.shop, name) for name in dir(agent.shop) if not name.startswith("__")},
        version=shop / "versions" / "0001",
    )
    url = launch(agent, port=free_port(), open_browser=False, block=False)
    with browser() as opened:
        page = window(opened, locale="zh-CN", width=390, height=844).new_page()
        page.goto(url)
        expect(page.locator("#card .card")).to_be_visible()
        page.get_by_role("tab", name="标注").click()
        page.locator("#label-task input").click()
        page.get_by_role("option", name="评价情感").click()
        page.locator("#label-draw").click()
        name = page.locator("#label-name input, #label-name textarea").first
        name.fill("s1b")  # typing a name is no command
        name.press("Enter")
        first = page.locator(".label-unit blockquote").inner_text()
        page.locator("h1").click()
        page.keyboard.press("3")
        expect(page.locator("#label-progress")).to_contain_text("s1b 已标注 1 / 4")
        expect(page.locator(".label-unit blockquote")).not_to_have_text(first)
        page.keyboard.press("b")
        expect(page.locator(".label-unit")).to_contain_text("你之前选了：好评")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    gr.close_all(verbose=False)
    (kept,) = labels.LabelStore.of(shop).annotations(TASK)
    assert (kept.label, kept.labeller.name) == ("positive", "s1b")
