"""The five steps of a turn: link, plan, act, answer, verify. Each reads and extends the Turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from agent import (
    acting,
    answer,
    budget,
    conversation,
    cues,
    endings,
    follow_up,
    lines,
    policy,
    prose,
    unused,
    verify,
    worded,
)  # fmt: skip
from agent.chains import bind_plan
from agent.dictation import find_note
from agent.errors import Cancelled, LLMError
from agent.events import FactEvent, Grounding, Reply, Step, StepEvent, TokenEvent, Usage
from agent.language import language_of
from agent.plan import follows, without
from agent.reading import read_question
from agent.sharing import over_all
from agent.subject import Call, Subject
from agent.turn import Services, Turn
from tools import TOOLS
from tools.base import Access, Trace
from tools.measure_compare import add_difference
from tools.words import both, label, listing

PLAN_TOKENS, ADVICE_TOKENS = 160, 20


@contextmanager
def _timed(turn: Turn, step: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        turn.timings[step] = turn.timings.get(step, 0.0) + 1000 * (time.perf_counter() - begun)


class Steps:
    """The five steps; a turn that has a fixed reply goes no further."""

    def __init__(self, services: Services) -> None:
        self._s = services

    @property
    def _tuned(self) -> bool:
        """Whether plans come from a model that was tuned to plan."""
        return self._s.llm is not None and self._s.llm.plans_in_lines

    # 1 link --------------------------------------------------------------------------------
    def link(self, turn: Turn) -> None:
        """Find what the question names; settle what needs no plan (policy, unknown ids, clarifying)."""
        with _timed(turn, "link"):
            turn.language = conversation.language(turn.question, turn.memory, language_of(turn.question))
            if endings.names_others(self._s, turn):
                return
            if (agreed := conversation.confirmed(turn.question, turn.memory)) is not None:
                self._agreed(turn, agreed)
                return
            dictated = find_note(turn.question) is not None
            decided = None if dictated else policy.decide(policy.own_words(turn.question))
            sure = decided in policy.HARD or policy.asks_for_person(policy.own_words(turn.question))
            if decided and (sure or not self._tuned):
                endings.decide(self._s, turn, decided)
                return
            turn.leaning = decided
            if policy.is_thanks(turn.question):
                turn.end("answer", self._s.say(turn, "thanks"))
                return
            turn.links, turn.subject = read_question(
                turn.question, self._s.linker, turn.memory, turn.role, turn.customer, turn.language
            )
            waiting = conversation.waits_on(turn.links, turn.memory)
            if waiting and not turn.subject.has("customer"):
                pending = {"need": "customer", "question": waiting}
                turn.end("clarify", self._s.say(turn, "which_customer"), pending)
                return
            attributes = self._s.shop.keys("attribute")
            turn.worded = worded.items(turn.subject, turn.memory.get("calls") or (), attributes)
            if worded.is_newcomer(turn.worded):
                turn.subject = replace(turn.subject, customers=[])  # "her" is the new customer
            endings.settle(self._s, turn, of_whom=not self._tuned and not turn.worded)
            if not turn.fixed and not turn.subject.described and not turn.worded:
                turn.calls = follow_up.follow_up(turn.subject, turn.memory)

    def _agreed(self, turn: Turn, agreed: bool) -> None:
        """Run the changes that waited for the asker's yes, or leave everything as it is."""
        if not agreed:
            turn.end("answer", self._s.say(turn, "left_alone"))
            return
        pending = turn.memory.get("pending") or {}
        turn.calls = [Call(c["tool"], dict(c["args"])) for c in pending["calls"]]
        turn.confirmed = True

    # 2 plan --------------------------------------------------------------------------------
    def plan(self, turn: Turn) -> None:
        """Choose the calls: one LLM call under this turn's grammar, or none where the examples leave
        no doubt, or no model answers."""
        with _timed(turn, "plan"):
            if not turn.calls:
                asking = conversation.for_planning(turn.subject)
                turn.emit(StepEvent(turn.words(both(en="Working out what to look up", zh="正在分析问题"))))
                raw = self._wanted(turn, asking)
                turn.calls = over_all(bind_plan(raw, asking), turn.links)
            turn.calls = follow_up.without_offered(turn.calls, turn.subject, turn.memory)
            turn.calls = budget.with_budget(turn.calls, turn.subject)
            if endings.exceeds_scope(turn):
                return
            if turn.unserved and turn.leaning:
                endings.decide(self._s, turn, turn.leaning)
            else:
                endings.review(self._s, turn)

    def _wanted(self, turn: Turn, asking: Subject) -> dict[str, Any]:
        """Return the plan: what the wording alone decides, else the planner's."""
        if not turn.worded:
            return self._raw_plan(turn, asking)
        sure = turn.leaning is None
        return worded.plan(turn.worded, asking, lambda: self._raw_plan(turn, asking), sure)

    def _raw_plan(self, turn: Turn, asking: Subject, failed: Trace | None = None) -> dict[str, Any]:
        """Return a plan that keeps to the turn's grammar; `failed` is a call that is to be replaced."""
        planner, barred = self._s.planner, failed.tool if failed else ""
        if self._tuned:
            found = self._plan_in_lines(turn, asking, barred)
        elif self._s.llm is not None:
            found = self._plan_in_objects(turn, asking, failed)
        else:
            found = None
        return found or planner.likeliest(asking, barred)

    def _plan_in_objects(self, turn: Turn, asking: Subject, failed: Trace | None) -> dict[str, Any] | None:
        """Return the plan where the examples leave no doubt, else the model's among what the wording leaves open;
        None where it has none."""
        planner, llm = self._s.planner, self._s.llm
        assert llm is not None
        schema = planner.grammar(asking)
        if failed is None and (sure := planner.certain(schema, asking)) is not None:
            return sure
        before = conversation.before(asking, turn.memory)
        if failed is not None:
            schema = without(schema, failed.tool)
            before += self._s.prompts.fill("plan_repair", tool=failed.tool, why=failed.again)
        messages = planner.messages(asking, before)
        raw = _of_model(turn, lambda: llm.plan(
            messages, schema, max_tokens=PLAN_TOKENS, cancel=turn.cancel, on_progress=_telling(turn)
        ))  # fmt: skip
        return raw if raw and follows(raw, schema) else None

    def _plan_in_lines(self, turn: Turn, asking: Subject, barred: str) -> dict[str, Any] | None:
        """Return the plan of a model that was tuned to plan, a choice among all calls that can be made; None where it
        has none. barred: a tool that is out of the question."""
        planner, llm = self._s.planner, self._s.llm
        assert llm is not None
        choices = planner.open_calls(asking, barred)
        messages = planner.tuned_messages(asking, conversation.before(asking, turn.memory, in_lines=True))
        text = _of_model(turn, lambda: llm.text(
            messages, schema=lines.schema(choices), max_tokens=PLAN_TOKENS, slot="plan",
            cancel=turn.cancel, on_progress=_telling(turn),
        ))  # fmt: skip
        calls = lines.read(text, choices) if text else None
        return {"calls": calls} if calls else None

    # 3 act ---------------------------------------------------------------------------------
    def act(self, turn: Turn) -> None:
        """Run the calls; where a tool says how its call may be mended, plan once more."""
        with _timed(turn, "act"):
            self._run(turn)
        failed = next((t for t in turn.traces if t.again), None)
        if failed is not None:
            self._repair(turn, failed)

    def _run(self, turn: Turn) -> None:
        for call in turn.calls:
            if not any(isinstance(v, acting.Found) for v in call.args.values()):
                turn.emit(StepEvent(answer.busy_text(TOOLS[call.tool].busy, call.args, turn.language)))
        turn.traces = acting.run_all(self._s.shop, turn.calls)
        if cues.asks_difference(turn.links.text):
            add_difference(self._s.shop, turn.traces)
        for trace in turn.traces:
            text = answer.busy_text(TOOLS[trace.tool].busy, trace.args, turn.language)
            turn.emit(StepEvent(text, _step(trace)))

    def _repair(self, turn: Turn, failed: Trace) -> None:
        """One more plan, without the call that failed; what fails again is said honestly."""
        with _timed(turn, "plan"):
            asking = conversation.for_planning(turn.subject)
            planned = over_all(bind_plan(self._raw_plan(turn, asking, failed), asking), turn.links)
            # Nobody was asked about what this plan would change, so it may only read.
            turn.calls = [c for c in planned if c.tool in TOOLS and TOOLS[c.tool].access is Access.READ]
            turn.calls = endings.within_scope(turn)
        kept = [t for t in turn.traces if not t.again]
        with _timed(turn, "act"):
            self._run(turn)
        mended = [t for t in turn.traces if not t.again]
        turn.traces = [
            *kept,
            *(t for t in mended if (t.tool, t.args) not in [(k.tool, k.args) for k in kept]),
        ]

    # 4 answer ------------------------------------------------------------------------------
    def answer(self, turn: Turn) -> None:
        """State the facts at once, then ask the model for one piece of advice where that helps."""
        with _timed(turn, "answer"):
            turn.draft = answer.compose(turn.traces, turn.language)
            notes = [self._s.say(turn, "unserved")] if turn.unserved else []
            notes += (
                [self._s.say(turn, "complaints")] if unused.complaints(turn.question, turn.traces) else []
            )
            notes += [note for note in (self._wider(turn), self._unused(turn)) if note]
            for note in reversed(notes):
                turn.draft.lines[:0] = [note, ""]
            for citation in turn.draft.citations:
                turn.emit(FactEvent(citation))
            if not self._write(turn):
                for line in turn.draft.text.splitlines(keepends=True):
                    turn.emit(TokenEvent(line))
            turn.advice = self._advice(turn)

    def _write(self, turn: Turn) -> bool:
        """Have a model that has earned it answer in its own words; False where the rendered facts stand."""
        llm, draft = self._s.llm, turn.draft
        if not self._s.prose or llm is None or turn.unserved or not any(t.result for t in turn.traces):
            return False
        turn.emit(StepEvent(turn.words(both(en="Writing the answer", zh="正在撰写回答"))))
        turn.written = prose.write(
            llm, self._s.prompts, self._s.lexicon, turn.question, draft.facts, turn.language,
            cancel=turn.cancel, on_text=lambda text: turn.emit(TokenEvent(text)),
        )  # fmt: skip
        turn.spend(turn.written.usage)
        turn.dropped += turn.written.dropped
        if not turn.written.text:
            return False
        draft.lines = [turn.written.text, *answer.beside_prose(turn.traces, draft, turn.language)]
        for line in draft.lines[1:]:
            turn.emit(TokenEvent(f"\n{line}"))
        return True

    def _wider(self, turn: Turn) -> str:
        """Say so where a category had to stand in for the product type that was asked about."""
        used = {t.args.get("category") for t in turn.traces if t.result} & set(turn.subject.derived)
        if not used:
            return ""
        types = [
            label(turn.words(self._s.shop.name("type", t)))
            for t, c in turn.links.parents.items()
            if c in used
        ]
        category = label(turn.words(self._s.shop.name("category", sorted(map(str, used))[0])))
        return self._s.say(turn, "wider", type=listing(types, turn.language), category=category)

    def _unused(self, turn: Turn) -> str:
        """Say so where something that was named limited nothing."""
        shop, info = self._s.shop, self._s.shop.info
        left = [label(turn.words(shop.name(*thing))) for thing in unused.things(turn.subject, turn.traces)]
        if "weekend" in turn.links.modifiers and unused.weekends(turn.traces):
            left.append(turn.words(both(en="weekends", zh="周末")))
        left += [turn.words(kind) for kind in unused.beside_purchases(turn.question, turn.traces)]
        left += [
            label(p.text) for p in unused.periods(turn.subject, turn.traces, info.first_day, info.last_day)
        ]
        return self._s.say(turn, "unused", things=listing(left, turn.language)) if left else ""

    def _advice(self, turn: Turn) -> str:
        """Return the next step that suits: the only one, or the model's choice among several."""
        owed = cues.owes_amends(policy.own_words(turn.question))
        steps = answer.next_steps(self._s.prompts, turn.traces, owed, turn.language)
        if not steps or len(steps) == 1 or self._s.llm is None or turn.unserved:
            return steps[0].text if steps else ""
        messages = answer.advice_messages(
            self._s.prompts, turn.question, turn.draft.facts, steps, turn.language
        )
        turn.emit(StepEvent(turn.words(both(en="Thinking of a next step", zh="正在考虑下一步建议"))))
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
        turn.spend(usage)
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
                turn.draft.text or self._s.say(turn, "lost_facts"),
                label(turn.advice, 200) if turn.advice else "",
            ]
            text = "\n\n".join(p for p in parts if p)
            told = turn.written if turn.written and turn.written.text else None
            checked = verify.Checked(told.claims, told.supported) if told else self._checked(turn)
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


T = TypeVar("T")


def _of_model(turn: Turn, ask: Callable[[], tuple[T, Usage]]) -> T | None:
    """Return what the model says, at the turn's cost; None, noted in the turn, where no model answers."""
    try:
        said, usage = ask()
    except Cancelled:
        raise
    except LLMError:
        turn.unserved = True
        return None
    turn.spend(usage)
    return said


def _telling(turn: Turn) -> Callable[[Mapping[str, str]], None]:
    """What is called when the asker has to wait for the server."""
    return lambda text: turn.emit(StepEvent(turn.words(text)))


def _step(trace: Trace) -> Step:
    return Step(trace.tool, trace.args, round(trace.ms, 2), len(trace.result.facts) if trace.result else 0)
