"""Data in a prompt: text written by others, kept between marks that it cannot imitate."""

from __future__ import annotations

import re
import secrets
import unicodedata

_OPENS, _CLOSES = "<＜‹«", ">＞›»"
_SPEAKERS = r"(?:(?:answer|question|reply|system|user|assistant|tool|data|end)\b|回答|问题)"
_IMITATED = re.compile(
    rf"[{_OPENS}]{{1,3}}\s*[|/]?\s*{_SPEAKERS}[^{_OPENS}{_CLOSES}\n]{{0,80}}[{_CLOSES}]{{1,3}}"
    rf"|[{_OPENS}]\|[^|{_OPENS}{_CLOSES}\n]{{0,40}}\|[{_CLOSES}]|\[/?INST\]",
    re.IGNORECASE,
)
_BRACKETS = str.maketrans("<＜>＞", "‹‹››")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def visible(text: str) -> str:
    """Return a text without what no reader sees: control and zero-width characters, lone surrogates."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _UNSEEN)


def clean(text: str) -> str:
    """Return a text that can stand between marks: what imitates a mark or a chat template's own tokens is taken
    out, and no angle bracket is left to make another of."""
    text = visible(text)
    while (shorter := _IMITATED.sub(" ", text)) != text:  # what is left may close up to a new imitation
        text = shorter
    return text.translate(_BRACKETS).strip()


def clipped(text: str, limit: int) -> str:
    """Return at most about `limit` characters of a text: its beginning and its end."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit * 2 // 3], text[-(limit // 3) :]
    return f"{head} […] {tail}"


def fenced(kind: str, text: str) -> str:
    """Return a text, cleaned, between two marks that hold a fresh random word."""
    word = secrets.token_hex(6)
    return f"<<{kind} {word}>>\n{clean(text)}\n<</{kind} {word}>>"
