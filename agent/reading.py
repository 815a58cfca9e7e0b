"""A question, read: what it names, and what the turn is about, with what was said before it."""

from __future__ import annotations

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
    asked = question if find_note(question) is not None else policy.own_words(question)
    links = conversation.resume(asked, memory, linker)
    reading = describe.read(links.text, linker, memory, role, picked, language) if descriptions else None
    links = conversation.point_to_listed(reading.links if reading else links, memory, linker)
    described = reading.described if reading else {}
    return links, conversation.subject(links, memory, role, picked, described)
