"""A note that the asker dictates ("Note that customer 88 prefers oat milk"): its own words, and whom it
is about. What is said inside a note is nobody's question, so nothing in it is linked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.periods import chinese_number
from agent.prompts import pattern

_COMMAND, _LEAD, _NUMBER = pattern("note_command"), pattern("note_lead"), pattern("note_number")
_QUOTED = re.compile(r"[“\"‘「『](?P<said>[^“”\"‘「」『』]{2,})[”\"’」』]")
_ASKS = re.compile(r"(?:[?？]|吗\W*)\s*$")
_POLITE = re.compile(r"^\W*(?:please\s+)?(?:can|could|would)\s+you\b|^\W*(?:能不能|可以)", re.IGNORECASE)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_ENDS = " \t\r\n,，:：;；。.!！?？"


@dataclass(frozen=True, slots=True)
class Dictation:
    """The words of a note, where they stand, and the customers' ids that were written before them."""

    text: str
    span: tuple[int, int]
    customers: tuple[str, ...]


def find_note(text: str) -> Dictation | None:
    """Return the note that a text dictates, or None where it dictates nothing."""
    command = _COMMAND.match(text)
    if command is None or (_ASKS.search(text) and not _POLITE.search(text)):
        return None
    start, ids = _after_lead(text, command.end())
    ids = (*re.findall(r"[A-Za-z]{0,4}\d[\w-]*", command.groupdict().get("whom") or "", re.ASCII), *ids)
    if quoted := _QUOTED.search(text, command.end()):
        rest = f"{text[command.end() : quoted.start()]} {text[quoted.end() :]}"
        if _after_lead(rest, 0)[0] >= len(rest.rstrip(_ENDS)) or quoted.start() <= start:
            return _made(text, *quoted.span("said"), ids)
    return _made(text, start, len(text), ids)


def _made(text: str, start: int, end: int, ids: tuple[str, ...]) -> Dictation | None:
    said = text[start:end].rstrip(_ENDS)
    return Dictation(said, (start, start + len(said)), ids) if len(said) > 1 else None


def _after_lead(text: str, at: int) -> tuple[int, tuple[str, ...]]:
    """Where the note's own words begin, and the ids on the way there."""
    ids: list[str] = []
    while at < len(text) and (m := _LEAD.match(text, at)) and m.end() > at:
        ids += [g.lstrip("#") for name, g in m.groupdict().items() if g and name.startswith("id")]
        at = m.end()
    return at, tuple(ids)


def find_note_number(text: str) -> tuple[int, tuple[int, int]] | None:
    """Return the number of the note that is to go ("delete note 3"), and where it stands."""
    m = _NUMBER.search(text)
    if m is None:
        return None
    written, place = next((g, m.span(name)) for name, g in m.groupdict().items() if g)
    number = _ORDINALS.get(written.lower()) or chinese_number(written)
    return (number, place) if number else None
