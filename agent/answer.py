"""Step 4, answer: the facts' own sentences, cited, in the asker's language, plus one piece of advice.

The sentences are rendered by code (tools); the model, when it is a small one, contributes advice
only, and only where advice is wanted: a question for a figure is answered by the figure.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.events import Citation, Language, Offer
from agent.prompts import Prompts
from agent.verify import TABLE
from tools.base import Fact, Table, Trace

_RANKED = re.compile(r"^\d+\. ")
_DIGEST, _DIGEST_CHARS = 2, 240
_PARAGRAPH = 3


@dataclass(slots=True)
class Draft:
    """The answer as it grows: its lines, the fact behind each citation number."""

    lines: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


def compose(traces: Sequence[Trace], language: Language) -> Draft:
    """Render the results of a turn's calls, in order, as cited Markdown lines."""
    draft = Draft()
    for trace in traces:
        if trace.failed is not None:
            _block(draft, [trace.failed[language]])
        elif trace.result is not None:
            _state(draft, trace, language)
    return draft


def _state(draft: Draft, trace: Trace, language: Language) -> None:
    result = trace.result
    assert result is not None
    sentences: list[str] = []
    ranked: list[str] = []
    for fact in result.facts:
        n = len(draft.citations) + 1
        text = fact.text[language]
        draft.citations.append(Citation(n, trace.tool, text, fact.value))
        draft.facts.append(fact)
        (ranked if _RANKED.match(text) else sentences).append(f"{text} [{n}]")
    lead = [result.lead[language]] if result.lead else []
    if len(sentences) > _PARAGRAPH:
        lead += [f"- {s}" for s in sentences]
    elif sentences:
        lead.append((" " if language == "en" else "").join(sentences))
    _block(draft, lead)
    _block(draft, ranked)
    if result.table is not None:
        n, cells = len(draft.citations) + 1, result.table.rows[language]
        text = "; ".join(" – ".join(row) for row in cells)
        draft.citations.append(Citation(n, trace.tool, text, [list(row) for row in cells]))
        draft.facts.append(Fact("table", TABLE, None, "", {language: text}))
        _block(draft, [*table_lines(result.table, language), "", f"[{n}]"])


def beside_prose(traces: Sequence[Trace], draft: Draft, language: Language) -> list[str]:
    """Return what stands below an answer in the model's own words: what could not be done, what others
    wrote (no model sees it), and the tables."""
    lines: list[str] = []
    for trace in traces:
        if trace.failed is not None:
            lines += ["", trace.failed[language]]
    for n, fact in enumerate(draft.facts, 1):
        if fact.quoted:
            lines += ["", f"{fact.text[language]} [{n}]"]
    tables = [t.result.table for t in traces if t.result and t.result.table]
    places = [n for n, fact in enumerate(draft.facts, 1) if fact.predicate == TABLE]
    for table, n in zip(tables, places, strict=True):
        lines += ["", *table_lines(table, language), "", f"[{n}]"]
    return lines


def _block(draft: Draft, lines: Iterable[str]) -> None:
    block = list(lines)
    if block:
        if draft.lines:
            draft.lines.append("")
        draft.lines += block


def table_lines(table: Table, language: Language) -> list[str]:
    """Return a Markdown table; its cells are plain text already."""
    titles = table.titles[language]
    rule = ["---"] * len(titles)
    return [f"| {' | '.join(row)} |" for row in (titles, rule, *table.rows[language])]


@dataclass(frozen=True, slots=True)
class NextStep:
    """A next step that suits a result, rendered; `tool` is the one whose result it is for."""

    tool: str
    text: str


def next_steps(
    prompts: Prompts, traces: Sequence[Trace], complaint: bool, language: Language
) -> list[NextStep]:
    """Return the steps of prompts/advice.yaml that suit the last result that has any; where something
    went wrong, those that are meant for it alone."""
    for trace in reversed(traces):
        result = trace.result
        if result is None or not result.facts:
            continue
        cases = result.cases | ({"complaint"} if complaint else set())
        slots = {name: text[language] for name, text in result.slots.items()}
        found, owed = [], []
        for step in prompts.advice().get(trace.tool, ()):
            wanted = {f for _, f, _, _ in string.Formatter().parse(step[language]) if f}
            if step.get("when", "") in {"", *cases} and wanted <= slots.keys():
                told = owed if step.get("when") == "complaint" else found
                told.append(NextStep(trace.tool, step[language].format(**slots)))
        if found or owed:
            return owed or found
    return []


def advice_messages(
    prompts: Prompts, question: str, facts: Sequence[Fact], steps: Sequence[NextStep], language: Language
) -> list[dict[str, str]]:
    """Return the chat messages that ask which next step suits."""
    own = [f for f in facts if not f.quoted]  # what others wrote never gets into a prompt
    digest = " ".join(_RANKED.sub("", f.text[language]) for f in own[:_DIGEST])
    listed = "\n".join(
        f"{letter}. {step.text}" for letter, step in zip(string.ascii_lowercase, steps, strict=False)
    )
    user = prompts.fill("advise_question", facts=digest[:_DIGEST_CHARS], question=question, steps=listed)
    return [{"role": "system", "content": prompts.fill("advise_system")}, {"role": "user", "content": user}]


def advice_schema(steps: Sequence[NextStep]) -> dict[str, Any]:
    """Return the schema of the choice: one of the steps' letters."""
    letters = list(string.ascii_lowercase[: len(steps)])
    return {
        "type": "object",
        "properties": {"step": {"type": "string", "enum": letters}},
        "required": ["step"],
        "additionalProperties": False,
    }


def offers(traces: Sequence[Trace], language: Language) -> tuple[Offer, ...]:
    """Return the recommendations of a turn with their reasons in the asker's language."""
    found: list[Offer] = []
    for trace in traces:
        if trace.result is None or not trace.result.recommendations:
            continue
        offered = [fact for fact in trace.result.facts if fact.predicate == "recommended"]
        for rec, fact in zip(trace.result.recommendations, offered, strict=True):
            told, between = (
                _RANKED.sub("", fact.text[language]).rstrip(".。"),
                "：" if language == "zh" else ": ",
            )
            # a name may have a colon of its own ("Pies: tarts")
            whole = (n for n in sorted(fact.names, key=len, reverse=True) if told.startswith(n + between))
            name = next(whole, told.split(between, 1)[0])
            reason = told[len(name + between) :]
            found.append(Offer(rec.product_id, name, rec.score, reason))
    return tuple(found)


def choices(names: Sequence[str], language: Language) -> str:
    """Join names as alternatives."""
    shown = [f"“{n}”" for n in names]
    if len(shown) < 2:
        return "".join(shown)
    return (
        ("、".join(shown[:-1]) + "还是" + shown[-1])
        if language == "zh"
        else (", ".join(shown[:-1]) + " or " + shown[-1])
    )


def busy_text(busy: Mapping[str, str], args: Mapping[str, Any], language: Language) -> str:
    """Return what the asker reads while a tool runs."""
    return busy[language].replace("{customer}", str(args.get("customer", "")))
