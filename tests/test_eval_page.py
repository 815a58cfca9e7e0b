"""The comparison's page: all of it there, nothing fetched, and nothing from data that becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eval import page, page_plots, records
from eval.compare import compare
from tests.eval_runs import regression, result
from tests.eval_runs import run as made


class _Page(HTMLParser):
    """What a browser would make of the page: its tags, attributes and text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


EVIL = (
    "</style></title><script>alert(1)</script><img src=x onerror='alert(2)'>\" autofocus onfocus=\"alert(3)"
)


def _evil_runs(words: str) -> list[records.Run]:
    said: dict[str, Any] = {
        "topic": words, "question": words, "why": [words], "kind": words, "failed": "", "pair": words,
        "steps": [{"tool": words, "args": {words: words}}], "aspects": {words: True},
    }  # fmt: skip
    about = {"model": words, "prompts": words, "prompts_digest": words, "started": words}
    sides = []
    for name, score in (("a", 1.0), ("b", 0.0)):
        several = [
            result(words + case, score, words + suite, language, answer=f"{words} {name}", **said)
            for case in "12"
            for suite in "st"
            for language in (words, "en")
        ]
        sides.append(made(words + name, [*several, result("only" + name, 1.0, words + "s")], **about))
    return sides


def test_nothing_from_data_becomes_markup() -> None:
    harmless = _Page(page.render(compare(*_evil_runs("harmless"))))
    found = _Page(page.render(compare(*_evil_runs(EVIL))))
    assert found.tags == harmless.tags
    assert {name for name, _ in found.attributes} == {name for name, _ in harmless.attributes}
    assert not any(name.startswith("on") for name, _ in found.attributes)
    assert found.words.count(EVIL) > 20


def test_what_differs_between_answers_is_marked_and_still_escaped() -> None:
    a = made("a", [result("x", 1.0, answer="She spent $12.40 on <b> milk")])
    b = made("b", [result("x", 0.0, answer="She spent $14.20 on <b> milk <i>")])
    source = page.render(compare(a, b))
    assert "She spent $<mark>12.40</mark> on &lt;b&gt; milk" in source
    assert "She spent $<mark>14.20</mark> on &lt;b&gt; milk<mark> &lt;i&gt;</mark>" in source


def test_the_page_fetches_nothing_and_runs_only_its_own_script() -> None:
    source = page.render(compare(*regression()))
    assert not re.search(r"(?:https?:)?//[a-z]|url\(|@import", source)
    for kind in ("style", "script"):
        (own,) = re.findall(rf"<{kind}>(.*?)</{kind}>", source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in source
    assert "default-src 'none'" in source
    assert "style=" not in source


def test_the_page_shows_every_row_and_every_flip() -> None:
    found = compare(*regression(), price=1.0)
    read = _Page(page.render(found))
    assert read.tags.count("article") == len(found.flips) == 24
    assert read.tags.count("circle") == len(found.rows)
    for words in ("B is worse than A", "−60.0", "Cost a right answer", "Gate: closed"):
        assert words in read.words


def test_a_half_character_does_not_keep_the_page_from_being_written(tmp_path: Path) -> None:
    a = made("a", [result("x", 1.0, answer="half \ud800")])
    page.write(compare(a, made("b", [result("x", 0.0)])), tmp_path / "page.html")
    assert "half ?" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("values", [[], [0.0], [-1.0, 1.0], [0.001], [-0.3, 0.02]])
def test_an_axis_holds_zero_and_few_round_ticks(values: list[float]) -> None:
    axis = page_plots.scale(values)
    assert 0.0 in axis.ticks
    assert 1 <= len(axis.ticks) <= 8
    assert all(axis.low <= v <= axis.high for v in [0.0, *values, *axis.ticks])


def test_a_page_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        page.write(compare(*regression()), tmp_path)
