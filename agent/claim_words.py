"""prompts/claims.yaml, read once: what the words of a free answer claim."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import yaml

from agent.events import Language


@cache
def vocabulary() -> dict[str, Any]:
    """Return the whole file."""
    return yaml.safe_load((resources.files("prompts") / "claims.yaml").read_text(encoding="utf-8"))


def joined(alternatives: Iterable[str], language: Language) -> str:
    """Return alternatives as one regular expression, whole words in English."""
    parts = "|".join(alternatives)
    return rf"(?<![\w])(?:{parts})(?![\w])" if language == "en" else f"(?:{parts})"
