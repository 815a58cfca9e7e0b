"""Texts whose lines end in more than one way: told by a look at the bytes, and written again with one.

A line break inside a quoted field is the field's own and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LIMIT = 1 << 20  # characters that a quoted field may have; what is longer was never closed
_CLOSED = re.compile(r'(?:[^"]++|"")*+"')


class Ends:
    """Counts how the lines of a text end, bytes by bytes."""

    def __init__(self) -> None:
        self._both = self._feeds = self._returns = 0
        self._last = b""

    def see(self, some: bytes) -> None:
        self._both += some.count(b"\r\n") + (self._last == b"\r" and some[:1] == b"\n")
        self._feeds += some.count(b"\n")
        self._returns += some.count(b"\r")
        self._last = some[-1:] or self._last

    @property
    def mixed(self) -> bool:
        """Whether lines end in more than one of the three ways."""
        ways = (self._both, self._feeds - self._both, self._returns - self._both)
        return sum(way > 0 for way in ways) > 1


def unified(lines: Iterable[str], delimiter: str | None) -> Iterator[str]:
    """The lines (each with its end, as a file opened with `newline=""` gives them), all ending in a line feed.

    `delimiter` separates fields, which may be quoted; None where quotes mean nothing.
    """
    held: list[str] = []  # lines since a quote was opened
    size = 0
    for line in lines:
        if delimiter is None or not (held or '"' in line):
            yield _ended(line)
        elif _open_after(line, delimiter, inside=bool(held)):
            held.append(line)
            size += len(line)
            if size > LIMIT:
                yield from map(_ended, held)  # no other quote is in them
                held, size = [], 0
        else:
            yield from held
            yield _ended(line)
            held, size = [], 0
    yield from map(_ended, held)


def _ended(line: str) -> str:
    return line.rstrip("\r\n") + "\n" if line.endswith(("\r", "\n")) else line


def _open_after(line: str, delimiter: str, inside: bool) -> bool:
    """Whether a quoted field is still open at the line's end; `inside`: one is open at its beginning."""
    at = 0
    while True:
        if not inside:
            while line[at : at + 1] == " ":
                at += 1
            inside = line[at : at + 1] == '"'
            at += inside
        if inside:
            closed = _CLOSED.match(line, at)
            if closed is None:
                return True
            at, inside = closed.end(), False
        at = line.find(delimiter, at) + 1
        if not at:
            return False
