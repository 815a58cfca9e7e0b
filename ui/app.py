"""The page: wiring of components and handlers. What is shown is rendered beside it (`render`, `cards`, `plots`);
what runs is in `turns`; `server` serves it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before the import: gradio reads it there

import gradio as gr

from agent.errors import AgentError
from agent.events import Reply, Role
from customers.errors import CustomersError
from ui import build_tab, cards, render
from ui.feedback_bar import FeedbackBar
from ui.label_tab import LabelTab, shop_dir_of
from ui.panel import Panel
from ui.ports import Assistant
from ui.texts import CHIPS, examples, of_browser, of_question, text
from ui.turns import Conversation, Conversations, Turn, TurnView

log = logging.getLogger(__name__)

_CLOSED: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_MOST_QUESTION = 2000
_ANSWERING_AT_ONCE = 4


class Page:
    """All components of the page, and what happens when they are used."""

    def __init__(self, agent: Assistant, model: str, report: Path | None) -> None:
        self.agent, self.shop, self.model, self.report = agent, agent.shop, model, report
        self.conversations = Conversations()
        self.panel = Panel(self.shop)
        self.feedback = FeedbackBar(self.shop)
        self.label = LabelTab(shop_dir_of(self.shop))

    # layout ----------------------------------------------------------------------------------
    def build(self) -> gr.Blocks:
        """Lay out the page and wire it."""
        with gr.Blocks(title=text("title", "en"), analytics_enabled=False, fill_width=True) as blocks:
            self.session = gr.State(None)
            self._header()
            with gr.Tabs():
                with gr.Tab(text("tab_ask", "en")) as self.tab_ask, gr.Row(elem_id="ask-row"):
                    with gr.Column(scale=3, min_width=320):
                        self._chat()
                    with gr.Column(scale=2, min_width=320, elem_id="panel"):
                        self.panel.layout()
                with gr.Tab(text("tab_segments", "en"), elem_id="segments") as self.tab_segments:
                    self.panel.layout_segments()
                with gr.Tab(text("tab_label", "en"), elem_id="label-tab") as self.tab_label:
                    self.label.layout()
                with gr.Tab(text("tab_build", "en")) as self.tab_build:
                    self.report_text = gr.Markdown(elem_id="report", sanitize_html=True)
                    self.report_plots = gr.HTML()
            self._wire(blocks)
        self.panel.show(self.panel.example[0], "en")  # fills what is kept: the first visitor does not wait
        return blocks.queue(max_size=64, default_concurrency_limit=8, api_open=False)

    def _header(self) -> None:
        with gr.Row(elem_id="head"):
            self.brand = gr.HTML(self._brand("en"), elem_id="brand")
            self.role = gr.Radio(
                self._roles("en"), value="service", show_label=False, container=False, elem_id="role"
            )
            self.language = gr.Radio(
                [("English", "en"), ("中文", "zh")],
                value="en",
                show_label=False,
                container=False,
                elem_id="language",
            )

    def _chat(self) -> None:
        self.chat = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            placeholder=text("welcome", "en"),
            sanitize_html=True,
            allow_tags=False,
            latex_delimiters=[],
            line_breaks=False,
            buttons=[],
            feedback_options=None,
            layout="bubble",
            group_consecutive_messages=False,
            allow_file_downloads=False,
        )
        self.feedback.layout()
        with gr.Row(elem_id="ask-bar"):
            self.question = gr.Textbox(
                placeholder=text("question_hint", "en"),
                label=text("question", "en"),
                show_label=False,
                container=False,
                lines=1,
                max_lines=5,
                max_length=_MOST_QUESTION,
                scale=1,
                elem_id="question",
                autofocus=True,
            )
            self.send = gr.Button(text("send", "en"), elem_id="send", variant="primary")
            self.stop = gr.Button(text("stop", "en"), elem_id="stop", visible=False)
        with gr.Row(elem_id="chips"):
            self.chips = [
                gr.Button(question, size="sm", elem_classes="chip")
                for question in self._examples("service", "en")
            ]
        with gr.Row(elem_id="under"):
            self.status = gr.HTML(self._status("en"), elem_id="status")
            self.new = gr.Button(text("new", "en"), elem_id="new", size="sm")

    # wiring ----------------------------------------------------------------------------------
    def _wire(self, blocks: gr.Blocks) -> None:
        answered = [self.chat, self.question, self.send, self.stop, self.panel.picker, self.session]
        answered += self.feedback.shown()
        context = [self.role, self.panel.picker, self.session]
        ask: dict[str, Any] = {
            "outputs": answered,
            "concurrency_limit": _ANSWERING_AT_ONCE,
            "concurrency_id": "ask",
            **_CLOSED,
        }
        gr.on([self.send.click, self.question.submit], self._ask, [self.question, *context], **ask)
        for chip in self.chips:
            chip.click(self._ask, [chip, *context], **ask)
        self.stop.click(self._stop, [self.session], None, queue=False, **_CLOSED)
        self.new.click(self._new, [self.session], answered, queue=False, **_CLOSED)

        self.feedback.wire(self.language, _CLOSED)

        shown = self.panel.shown()
        self.panel.picker.change(
            self.panel.show, [self.panel.picker, self.language], shown, trigger_mode="always_last", **_CLOSED
        )
        labelled = [*self._labelled(), *shown]
        segments: dict[str, Any] = {
            "fn": self.panel.show_segments,
            "inputs": [self.language],
            "outputs": self.panel.segment_views(),
            **_CLOSED,
        }
        self.tab_segments.select(**segments)
        self.language.input(**segments)
        chosen = [self.language, self.role, self.panel.picker]
        self.language.input(self._relabel, chosen, labelled, **_CLOSED)
        self.role.input(self._chips_of, [self.language, self.role], self.chips, **_CLOSED)
        self.tab_build.select(self._show_report, None, [self.report_text, self.report_plots], **_CLOSED)
        self.label.wire(self.tab_label, self.language, _CLOSED)
        blocks.load(self._load, None, [self.language, self.session, *labelled], **_CLOSED)

    def _load(self, request: gr.Request) -> dict[Any, Any]:
        language = of_browser(request.headers.get("accept-language"))
        return {
            self.language: language,
            self.session: self.conversations.open().session,
            **self._relabel(language, "service", None),
        }

    # texts -----------------------------------------------------------------------------------
    def _labelled(self) -> list[Any]:
        return [
            self.brand,
            self.role,
            self.tab_ask,
            self.tab_segments,
            self.tab_label,
            self.tab_build,
            self.chat,
            self.question,
            self.send,
            self.stop,
            self.new,
            self.status,
            self.panel.picker,
            *self.chips,
            *self.feedback.labelled("en"),
        ]

    def _relabel(self, language: str, role: str, customer: str | None) -> dict[Any, Any]:
        """Return every text of the page in `language`."""
        return {
            self.brand: self._brand(language),
            self.role: gr.update(choices=self._roles(language), value=role),
            self.tab_ask: gr.update(label=text("tab_ask", language)),
            self.tab_segments: gr.update(label=text("tab_segments", language)),
            self.tab_label: gr.update(label=text("tab_label", language)),
            self.tab_build: gr.update(label=text("tab_build", language)),
            self.chat: gr.update(placeholder=text("welcome", language)),
            self.question: gr.update(
                placeholder=text("question_hint", language), label=text("question", language)
            ),
            self.send: gr.update(value=text("send", language)),
            self.stop: gr.update(value=text("stop", language)),
            self.new: gr.update(value=text("new", language)),
            self.status: self._status(language),
            self.panel.picker: gr.update(label=text("picker", language), info=text("picker_hint", language)),
            **self.feedback.labelled(language),
            **dict(zip(self.chips, self._chips_of(language, role), strict=True)),
            **dict(zip(self.panel.shown(), self.panel.show(customer, language), strict=True)),
        }

    def _chips_of(self, language: str, role: str) -> list[Any]:
        return [gr.update(value=question) for question in self._examples(role, language)]

    def _examples(self, role: str, language: str) -> list[str]:
        customer, category = self.panel.example
        found = examples(role, language, customer, category)
        return (found + [""] * sum(CHIPS))[: sum(CHIPS)]

    @staticmethod
    def _roles(language: str) -> list[tuple[str, str]]:
        return [(text(f"role_{role}", language), role) for role in ("service", "merchandiser")]

    @staticmethod
    def _brand(language: str) -> str:
        return (
            f'<div class="brand"><div class="logo" aria-hidden="true">S</div>'
            f"<div><h1>{text('title', language)}</h1><p>{text('tagline', language)}</p></div></div>"
        )

    def _status(self, language: str) -> str:
        info = self.shop.info
        parts = [
            text("status_period", language, shop=info.name, first=info.first_day, last=info.last_day),
        ]
        if info.simulated:
            parts.append(text("status_simulated", language, events=f"{info.simulated:,}"))
        if self.model:
            parts.insert(0, text("status_model", language, model=self.model))
        return f'<p class="status-line">{" · ".join(map(cards.inert, parts))}</p>'

    # turns -----------------------------------------------------------------------------------
    def _ask(
        self, question: str, role: Role, customer: str | None, session: str | None
    ) -> Iterator[dict[Any, Any]]:
        """Answer one question, redrawing the chat as events arrive."""
        question = (question or "").strip()[:_MOST_QUESTION]
        conversation = self.conversations.get(session)
        if not question:
            gr.Info(text("empty_question", "en") + " " + text("empty_question", "zh"))
            yield {self.session: conversation.session}
            return
        known = customer if customer and self.shop.has_customer(str(customer)) else None
        view = TurnView(question, of_question(question))
        stream = partial(self.agent.stream, question, role, known, conversation.session)
        turn = conversation.begin(view, stream)
        try:
            yield self._drawn(conversation) | {
                self.question: "",
                self.send: gr.update(visible=False),
                self.stop: gr.update(visible=True),
                self.session: conversation.session,
            }
            yield from self._follow(turn, view, conversation)
            yield self._finished(turn, view, conversation)
        finally:
            turn.stop()  # also when the tab was closed in the middle

    def _follow(self, turn: Turn, view: TurnView, conversation: Conversation) -> Iterator[dict[Any, Any]]:
        try:
            for batch in turn.batches():
                for event in batch:
                    view.take(event)
                yield self._drawn(conversation)
        except (AgentError, CustomersError) as error:  # said on purpose: one line that says how to mend it
            view.status, view.trouble = "failed", str(error)
        except Exception:
            log.exception("a turn failed")
            view.status = "failed"
        if view.status in ("waiting", "running"):
            view.status = "stopped" if turn.stopped else "failed"

    def _drawn(self, conversation: Conversation) -> dict[Any, Any]:
        return {self.chat: render.messages(conversation.turns)}

    def _finished(self, turn: Turn, view: TurnView, conversation: Conversation) -> dict[Any, Any]:
        if conversation.current is not turn:  # a newer turn, or a new conversation, owns the page
            return self._drawn(conversation) if conversation.turns else {self.session: gr.skip()}
        update = self._drawn(conversation) | self._buttons() | self.feedback.after(view.reply)
        about = self._customer_of(view.reply)
        return update | {self.panel.picker: about} if about else update

    def _buttons(self) -> dict[Any, Any]:
        return {self.send: gr.update(visible=True), self.stop: gr.update(visible=False)}

    def _customer_of(self, reply: Reply | None) -> str | None:
        """Return the customer that the answer is about: the last one a step was asked for."""
        for step in reversed(reply.steps if reply else ()):
            for key in ("customer", "customer_id"):
                value = step.args.get(key)
                if isinstance(value, str) and self.shop.has_customer(value):
                    return value
        return None

    def _stop(self, session: str | None) -> None:
        self.conversations.get(session).stop()

    def _new(self, session: str | None) -> dict[Any, Any]:
        if session:
            self.conversations.close(session)
            self.agent.forget(session)
        return (
            self._buttons()
            | self.feedback.after(None)
            | {
                self.chat: [],
                self.question: "",
                self.panel.picker: None,
                self.session: self.conversations.open().session,
            }
        )

    def _show_report(self) -> tuple[str, str]:
        return build_tab.text_of(self.report), build_tab.plots_of(self.report)


def make_app(agent: Assistant, *, model: str = "", report: Path | None = None) -> gr.Blocks:
    """Return the page of an agent.

    model: what the status line says answers ("" leaves it out). report: the build's report.md,
    whose folder also holds its plots as PNG; by default the one that the shop's version names.
    """
    model = model or str(getattr(agent, "model", "") or "")
    if report is None:
        report = build_tab.report_of(agent.shop)
    return Page(agent, model, report).build()
