"""A text as sentences and cited segments, also while it still arrives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_ONE = r"[\[【][ \t]*\d+(?:[ \t]*[,，、][ \t]*\d+)*[ \t]*[\]】]"
_JOINED = rf"{_ONE}(?:[ \t]*(?:,? and|[,，、和])?[ \t]*{_ONE})*"
CITED = re.compile(rf"\s*{_JOINED}")
_NUMBER = re.compile(r"\d+")
# A sentence ends at a full stop after which no citation comes any more, or at a line's end.
_END = re.compile(rf"(?:[.](?=\s)|[!?。！？][”\"’）)]*)(?:[ \t]*{_JOINED})?[。.]?")
_LIST_MARK = re.compile(r"^\s*(?:(\d+)[.、)](?=\s|\D)|[-•–]\s)\s*")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a sentence and the numbers of the facts that it cites; a tail cites none."""

    text: str
    cited: tuple[int, ...]


def segments(sentence: str) -> list[Segment]:
    """Split a sentence at its citations: each belongs to what stands before it."""
    found, at = [], 0
    for m in CITED.finditer(sentence):
        numbers = tuple(int(n) for n in _NUMBER.findall(m.group()))
        found.append(Segment(sentence[at : m.start()], numbers))
        at = m.end()
    return [*found, Segment(sentence[at:], ())] if sentence[at:].strip() else found


def list_mark(sentence: str) -> tuple[int | None, str]:
    """Return the number of a list item (None where there is none) and the sentence without its mark."""
    m = _LIST_MARK.match(sentence)
    if not m:
        return None, sentence
    return (int(m[1]) if m[1] else None), sentence[m.end() :]


def split(text: str) -> list[str]:
    """Return the sentences of a whole text, line ends kept with the sentence before them."""
    return [s for s in stream([text]) if s.strip()]


def stream(pieces: Iterable[str]) -> Iterator[str]:
    """Yield each sentence as soon as it is known to be whole: what follows it has begun, and is no
    citation. A line's end closes a sentence."""
    held = ""
    for piece in pieces:
        held += piece
        while (cut := _cut(held)) is not None:
            yield held[:cut]
            held = held[cut:]
    if held.strip():
        yield held


def _cut(held: str) -> int | None:
    start = len(held) - len(held.lstrip())
    mark = _LIST_MARK.match(held)
    start = max(start, mark.end() if mark else 0)
    line = held.find("\n", start)
    for m in _END.finditer(held, start):
        if 0 <= line < m.start():
            break
        rest = held[m.end() :]
        follows = rest.lstrip(" \t")
        if not follows:
            break  # a citation may still come
        if follows[0] in "[【":
            continue
        return m.end() + len(rest) - len(follows) if follows[0] != "\n" else _after_lines(held, m.end())
    return _after_lines(held, line) if line >= 0 else None


def _after_lines(held: str, at: int) -> int | None:
    m = re.compile(r"\s*\n\s*").match(held, at)
    end = m.end() if m else at
    return end if end < len(held) else None
