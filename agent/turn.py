"""One turn, as five steps over a Turn: link, plan, act, answer, verify."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict

from agent import answer, conversation, cues, policy, verify
from agent.conversation import Memory
from agent.errors import Cancelled, LLMError
from agent.events import (
    Event,
    FactEvent,
    Grounding,
    Handoff,
    Kind,
    Language,
    Reply,
    Role,
    Step,
    StepEvent,
    TokenEvent,
    Usage,
)
from agent.language import language_of
from agent.lexicon import Lexicon
from agent.link import Linker, Links
from agent.llm import LLM
from agent.plan import PSEUDO, Call, Planner, Subject, bind, follows, grammar
from agent.prompts import Prompts
from customers.shop import Shop
from tools import TOOLS
from tools.base import CannotDo, Trace, TryAgain
from tools.words import both, day, label, listing

Emit = Callable[[Event], None]
PLAN_TOKENS, ADVICE_TOKENS = 160, 20
_FOREIGN = 0.45
"""A term whose nearest name is further than this (cosine) has nothing to do with the shop."""
_NEEDS_THING = frozenset({"measure", "audience", "bought_with", "explain_preference"})


class Said(TypedDict, total=False):
    """What a finished turn leaves for the next (see conversation.Memory)."""

    memory: Memory


@dataclass(slots=True)
class Turn:
    """Everything about one question while it is answered; never stored."""

    question: str
    role: Role
    customer: str | None
    emit: Emit
    cancel: threading.Event
    memory: Memory
    language: Language = "en"
    links: Links = field(default_factory=lambda: Links(""))
    subject: Subject = field(default_factory=lambda: Subject(Links(""), [], []))
    calls: list[Call] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    draft: answer.Draft = field(default_factory=answer.Draft)
    advice: str = ""
    kind: Kind = "answer"
    fixed: str = ""
    """A fixed reply that ends the turn early."""
    pending: dict[str, Any] | None = None
    handoff: Handoff | None = None
    dropped: int = 0
    usage: Usage = field(default_factory=Usage)
    timings: dict[str, float] = field(default_factory=dict)

    def end(self, kind: Kind, text: str, pending: dict[str, Any] | None = None) -> None:
        """Answer with a fixed reply and skip what is left of the turn."""
        self.kind, self.fixed, self.pending = kind, text, pending


@dataclass(frozen=True, slots=True)
class Services:
    """What the steps work with: one shop's data and names, the planner and the model."""

    shop: Shop
    lexicon: Lexicon
    linker: Linker
    planner: Planner
    prompts: Prompts
    llm: LLM | None


@contextmanager
def _timed(turn: Turn, step: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        turn.timings[step] = turn.timings.get(step, 0.0) + 1000 * (time.perf_counter() - begun)


class Steps:
    """The five steps. Each reads and extends the Turn; a turn that has a fixed reply goes no further."""

    def __init__(self, services: Services) -> None:
        self._s = services

    # 1 link --------------------------------------------------------------------------------
    def link(self, turn: Turn) -> None:
        """Find what the question names; settle what needs no plan (policy, unknown ids, clarifying)."""
        with _timed(turn, "link"):
            turn.language = conversation.language(turn.question, turn.memory, language_of(turn.question))
            if decided := policy.decide(turn.question):
                self._decided(turn, decided)
                return
            if policy.is_thanks(turn.question):
                turn.end("answer", self._say(turn, "thanks"))
                return
            turn.links = conversation.resume(turn.question, turn.memory, self._s.linker)
            turn.subject = conversation.subject(turn.links, turn.memory, turn.role, turn.customer)
            self._settle(turn)
            if not turn.fixed:
                turn.calls = conversation.follow_up(turn.subject, turn.memory)

    def _decided(self, turn: Turn, decided: policy.Policy) -> None:
        if decided != "handoff":
            turn.end("refuse", self._say(turn, decided))
            return
        turn.links = self._s.linker.link(turn.question)
        turn.links.pronoun = True  # whoever asks for a human speaks of the customer at hand
        turn.subject = conversation.subject(turn.links, turn.memory, turn.role, turn.customer)
        self._hand_over(turn)

    def _settle(self, turn: Turn) -> None:
        links, shop = turn.links, self._s.shop
        for kind, written in links.unknown:
            known = {
                "campaign": ", ".join(shop.keys("campaign")) if kind == "campaign" else "",
                "segment": self._segments(turn.language),
            }.get(kind, "")
            pending = {"need": "customer", "question": links.text} if kind == "customer" else None
            turn.end("clarify", self._say(turn, f"unknown_{kind}", id=label(written), known=known), pending)
            return
        outside = [p for p in links.periods if p.end < shop.info.first_day or (p.start > shop.info.last_day)]
        stated = [p for p in outside if not p.future or any(c.isdigit() for c in p.text)]
        if stated:
            self._outside(turn, stated[0].text)
        elif links.pronoun and not turn.subject.customers:
            turn.end(
                "clarify", self._say(turn, "which_customer"), {"need": "customer", "question": links.text}
            )

    def _outside(self, turn: Turn, asked: str) -> None:
        info = self._s.shop.info
        first, last = day(info.first_day, turn.language), day(info.last_day, turn.language)
        turn.end("clarify", self._say(turn, "outside_period", first=first, last=last, asked=label(asked)))

    # 2 plan --------------------------------------------------------------------------------
    def plan(self, turn: Turn) -> None:
        """Choose the calls: one LLM call under this turn's grammar, or the nearest example without one."""
        with _timed(turn, "plan"):
            if not turn.calls:
                asking = conversation.for_planning(turn.subject)
                turn.emit(
                    StepEvent(self._text(turn, both(en="Working out what to look up", zh="正在分析问题")))
                )
                turn.calls = bind(self._raw_plan(turn, asking), asking)
            self._review(turn)

    def _raw_plan(self, turn: Turn, asking: Subject) -> dict[str, Any]:
        if self._s.llm is None:
            return self._s.planner.nearest(asking)
        messages = self._s.planner.messages(asking, conversation.before(asking, turn.memory))
        schema = grammar(asking, self._s.shop)
        try:
            raw, usage = self._s.llm.plan(messages, schema, max_tokens=PLAN_TOKENS, cancel=turn.cancel)
        except Cancelled:
            raise
        except LLMError:
            return self._s.planner.nearest(asking)
        turn.usage = add_usage(turn.usage, usage)
        return raw if follows(raw, schema) else self._s.planner.nearest(asking)

    def _review(self, turn: Turn) -> None:
        """End the turn where the plan needs what was not, or not clearly, named."""
        links, names = turn.links, {c.tool for c in turn.calls}
        first = turn.calls[0].tool if turn.calls else "clarify"
        if names & _NEEDS_THING or (names & {"recommend"} and links.ambiguous):
            if links.ambiguous:
                term, things = links.ambiguous[0]
                shown = [label(self._s.shop.name(t.kind, t.key)[turn.language]) for t in things]
                turn.end("clarify", self._say(turn, "which_thing", term=label(term), choices=answer.choices(shown, turn.language)),
                         {"need": "choice", "question": links.text, "things": [list(t) for t in things]})  # fmt: skip
                return
            if links.terms and not any(
                links.keys(k) for k in ("category", "department", "type", "product", "brand", "segment")
            ):
                self._unknown_term(turn)
                return
        if first == "search_products" and links.terms and self._foreign(turn):
            turn.end("refuse", self._say(turn, "refuse_other"))
            return
        if cues.asks_growth(links.text) and any(
            c.tool == "measure" and c.args.get("by") not in ("none", "month") for c in turn.calls
        ):
            turn.end("clarify", self._say(turn, "growth"))
            return
        ahead = [p for p in links.periods if p.future]
        if ahead and names & {"measure", "campaign"}:
            self._outside(turn, ahead[0].text)
        elif first in PSEUDO:
            self._pseudo(turn, first)

    def _foreign(self, turn: Turn) -> bool:
        """Whether the question names nothing of the shop, nor anything near it."""
        links, ranked = turn.links, self._s.lexicon.ranked(turn.links.terms[0], 1)
        named = links.customers or any(links.things.values()) or links.attributes or links.unknown
        return not named and (not ranked or ranked[0][1] < _FOREIGN)

    def _unknown_term(self, turn: Turn) -> None:
        term = turn.links.terms[0]
        if self._foreign(turn):
            turn.end("refuse", self._say(turn, "refuse_other"))
            return
        near = [thing for thing, _ in self._s.lexicon.ranked(term, 3)]
        shown = [label(self._s.shop.name(t.kind, t.key)[turn.language]) for t in near]
        turn.end("clarify", self._say(turn, "unknown_term", term=label(term), choices=answer.choices(shown, turn.language)),
                 {"need": "choice", "question": turn.links.text, "things": [list(t) for t in near]})  # fmt: skip

    def _pseudo(self, turn: Turn, name: str) -> None:
        if name == "handoff":
            self._hand_over(turn)
        elif name == "refuse":
            turn.end("refuse", self._say(turn, "refuse_other"))
        elif name == "chat":
            turn.end("answer", self._say(turn, "chat"))
        elif turn.links.terms:
            self._unknown_term(turn)
        else:
            example = str(self._s.shop.keys("customer")[0])
            turn.end(
                "clarify",
                self._say(turn, "cannot_understand", example=example),
                {"need": "customer", "question": turn.links.text},
            )

    def _hand_over(self, turn: Turn) -> None:
        customers = turn.subject.customers
        lines = [f"{turn.question}"]
        if customers:
            result = TOOLS["profile"].run(self._s.shop, {"customer": customers[0], "about": "everything"})
            lines += [f.text[turn.language] for f in result.facts[:5]]
        asked = turn.memory.get("question")
        if asked:
            lines.append(f"{'之前的问题' if turn.language == 'zh' else 'Asked before'}: {asked}")
        turn.handoff = Handoff(reason=label(turn.question, 200), brief="\n".join(lines))
        turn.end("handoff", self._say(turn, "handoff"))

    # 3 act ---------------------------------------------------------------------------------
    def act(self, turn: Turn) -> None:
        """Run the calls, side by side where there are several."""
        with _timed(turn, "act"):
            for call in turn.calls:
                turn.emit(StepEvent(answer.busy_text(TOOLS[call.tool].busy, call.args, turn.language)))
            if len(turn.calls) == 1:
                turn.traces = [self._run(turn.calls[0])]
            else:
                with ThreadPoolExecutor(len(turn.calls)) as pool:
                    turn.traces = list(pool.map(self._run, turn.calls))
            for trace in turn.traces:
                turn.emit(
                    StepEvent(
                        answer.busy_text(TOOLS[trace.tool].busy, trace.args, turn.language), _step(trace)
                    )
                )

    def _run(self, call: Call) -> Trace:
        trace, begun = Trace(call.tool, dict(call.args)), time.perf_counter()
        try:
            trace.result = TOOLS[call.tool].run(self._s.shop, call.args)
        except CannotDo as error:
            trace.failed = error.text
        except TryAgain:
            trace.failed = {lang: self._s.prompts.reply("which_category", lang) for lang in ("en", "zh")}
        trace.ms = 1000 * (time.perf_counter() - begun)
        return trace

    # 4 answer ------------------------------------------------------------------------------
    def answer(self, turn: Turn) -> None:
        """State the facts at once, then ask the model for one piece of advice where that helps."""
        with _timed(turn, "answer"):
            turn.draft = answer.compose(turn.traces, turn.language)
            if note := self._wider(turn):
                turn.draft.lines[:0] = [note, ""]
            for citation in turn.draft.citations:
                turn.emit(FactEvent(citation))
            for line in turn.draft.text.splitlines(keepends=True):
                turn.emit(TokenEvent(line))
            turn.advice = self._advice(turn)

    def _wider(self, turn: Turn) -> str:
        """Say so where a category had to stand in for the product type that was asked about."""
        used = {t.args.get("category") for t in turn.traces if t.result} & set(turn.subject.derived)
        if not used:
            return ""
        types = [
            label(self._s.shop.name("type", t)[turn.language])
            for t, c in turn.links.parents.items()
            if c in used
        ]
        category = label(self._s.shop.name("category", sorted(map(str, used))[0])[turn.language])
        return self._say(turn, "wider", type=listing(types, turn.language), category=category)

    def _advice(self, turn: Turn) -> str:
        """Return the next step that suits: the only one, or the model's choice among several."""
        complaint = cues.is_complaint(turn.question)
        steps = answer.next_steps(self._s.prompts, turn.traces, complaint, turn.language)
        if not steps or len(steps) == 1 or self._s.llm is None:
            return steps[0].text if steps else ""
        messages = answer.advice_messages(
            self._s.prompts, turn.question, turn.draft.facts, steps, turn.language
        )
        turn.emit(StepEvent(self._text(turn, both(en="Thinking of a next step", zh="正在考虑下一步建议"))))
        try:
            raw, usage = self._s.llm.plan(
                messages,
                answer.advice_schema(steps),
                max_tokens=ADVICE_TOKENS,
                cancel=turn.cancel,
                slot="answer",
            )
        except Cancelled:
            raise
        except LLMError:
            return steps[0].text
        turn.usage = add_usage(turn.usage, usage)
        return next(
            (s.text for s, letter in zip(steps, "abcdefgh", strict=False) if letter == raw.get("step")),
            steps[0].text,
        )

    # 5 verify ------------------------------------------------------------------------------
    def verify(self, turn: Turn) -> None:
        """Drop what the cited facts do not support; the rendered clauses remain."""
        with _timed(turn, "verify"):
            if not turn.advice:
                return
            why = verify.check_advice(turn.advice, turn.draft.facts, self._s.lexicon, turn.language)
            if why is None:
                turn.emit(TokenEvent(f"\n\n{label(turn.advice, 200)}"))
            else:
                turn.advice, turn.dropped = "", turn.dropped + 1

    def reply(self, turn: Turn) -> Reply:
        """Return the finished reply."""
        if turn.fixed:
            turn.emit(TokenEvent(turn.fixed))
            text, checked = turn.fixed, verify.Checked(0, 0)
        else:
            parts = [
                turn.draft.text or self._say(turn, "lost_facts"),
                label(turn.advice, 200) if turn.advice else "",
            ]
            text, checked = "\n\n".join(p for p in parts if p), self._checked(turn)
        return Reply(
            answer=text, language=turn.language, kind=turn.kind,
            steps=tuple(_step(t) for t in turn.traces),
            citations=tuple(turn.draft.citations),
            recommendations=answer.offers(turn.traces, turn.language) if not turn.fixed else (),
            handoff=turn.handoff,
            grounding=Grounding(checked.claims, checked.supported, turn.dropped),
            usage=turn.usage,
            timings_ms={k: round(v, 1) for k, v in turn.timings.items()},
        )  # fmt: skip

    def _checked(self, turn: Turn) -> verify.Checked:
        found = [
            verify.check_clause(citation.fact, fact, turn.language)
            for citation, fact in zip(turn.draft.citations, turn.draft.facts, strict=True)
        ]
        return verify.Checked(sum(c.claims for c in found), sum(c.supported for c in found))

    # words ---------------------------------------------------------------------------------
    def _say(self, turn: Turn, name: str, **variables: str) -> str:
        return self._s.prompts.reply(name, turn.language, **variables)

    def _text(self, turn: Turn, text: Any) -> str:
        return text[turn.language]

    def _segments(self, language: Language) -> str:
        shop = self._s.shop
        return ", ".join(
            f"{i}. {label(shop.name('segment', k)[language])}" for i, k in enumerate(shop.keys("segment"), 1)
        )


def _step(trace: Trace) -> Step:
    return Step(trace.tool, trace.args, round(trace.ms, 2), len(trace.result.facts) if trace.result else 0)


def add_usage(a: Usage, b: Usage) -> Usage:
    """Return the sum of two usages."""
    return Usage(
        a.llm_calls + b.llm_calls, a.prompt_tokens + b.prompt_tokens,
        a.cached_tokens + b.cached_tokens, a.completion_tokens + b.completion_tokens,
    )  # fmt: skip
