"""A question, read: what it names, and what the turn is about, with what was said before it."""

from __future__ import annotations

import re

from agent import conversation, describe, policy
from agent.dictation import find_note
from agent.events import Language, Role
from agent.link import Linker
from agent.links import Links
from agent.subject import Subject


def read_question(
    question: str,
    linker: Linker,
    memory: conversation.Memory,
    role: Role,
    picked: str | None,
    language: Language,
    *,
    descriptions: bool = True,
) -> tuple[Links, Subject]:
    """Return a question's links, and its subject after memory and the picked customer were merged in. What others
    are quoted to have said is not read, except in a note that the asker dictates. descriptions: whether what the
    wording describes ("our best customer") is found by rules; a tuned planner chains the calls itself."""
    asked = question
    if find_note(question) is None:
        asked = without_reports(policy.own_words(question), linker)
    links = conversation.resume(asked, memory, linker)
    reading = describe.read(links.text, linker, memory, role, picked, language) if descriptions else None
    links = conversation.point_to_listed(reading.links if reading else links, memory, linker)
    described = reading.described if reading else {}
    return links, conversation.subject(links, memory, role, picked, described)


_REPORT = re.compile(r"(?:^|(?<=[.!?。！？]))[^.!?。！？]*?“…”\s*[.!?。！？]")
_POINTS = re.compile(r"[?？]|[\u3400-\u9fff]{4}|\w+\s+\w+")


def without_reports(text: str, linker: Linker) -> str:
    """Return a question without the sentences that only tell what others said ("A leaflet reads “…”."): they ask for
    nothing, and would sway the plan. The customers whom they name are kept for what follows."""
    for m in _REPORT.finditer(text):
        rest = text[m.end() :].strip()
        if not _POINTS.search(rest):
            continue
        told = linker.link(m.group())
        if told.unknown or told.attributes or any(told.things.values()):
            continue
        if told.pronoun and not told.customers and not linker.link(rest).pronoun:
            continue
        han = bool(re.search(r"[\u3400-\u9fff]", rest))
        whom = ("、" if han else ", ").join(
            f"{key}号顾客" if han else f"customer {key}" for key in told.customers
        )
        lead = (f"{whom}：" if han else f"About {whom}: ") if whom else ""
        return without_reports(f"{text[: m.start()].rstrip()} {lead}{rest}".strip(), linker)
    return text
