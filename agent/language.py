"""Which language a text is in."""

from __future__ import annotations

import re

from agent.events import Language

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]{2,}")


def language_of(text: str) -> Language:
    """Return "zh" when Chinese carries the text: at least as many Han characters as Latin words."""
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_WORD.findall(text)) else "en"
