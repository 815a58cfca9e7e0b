"""Loads what stands in prompts/: templates with named variables, examples, fixed replies."""

from __future__ import annotations

import json
import re
import string
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from agent.errors import PromptError
from agent.events import Language


class Prompts:
    """The prompt files of one folder (default: the package's own)."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(str(resources.files("prompts")))
        self._advice: dict[str, list[dict[str, str]]] = yaml.safe_load(self._read("advice.yaml"))
        self._replies: dict[str, dict[str, str]] = yaml.safe_load(self._read("replies.yaml"))

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise PromptError(
                f"the prompt file {self._folder / name} cannot be read: {error.strerror}"
            ) from error

    def fill(self, name: str, **variables: str) -> str:
        """Return prompt `name` with its variables filled in; PromptError names a missing one."""
        text = self._read(f"{name}.md")
        return _fill(text, f"{name}.md", variables)

    def examples(self, name: str) -> list[dict[str, Any]]:
        """Return the demonstrations in `name`.jsonl."""
        return [json.loads(line) for line in self._read(f"{name}.jsonl").splitlines() if line.strip()]

    def bank(self) -> list[dict[str, Any]]:
        """Return the planner's examples that are looked up and not shown: all plan_bank_*.jsonl."""
        names = sorted(path.stem for path in self._folder.glob("plan_bank_*.jsonl"))
        return [example for name in names for example in self.examples(name)]

    def advice(self) -> dict[str, list[dict[str, str]]]:
        """Return the next steps by tool: id, when (optional), en, zh."""
        return self._advice

    def reply(self, name: str, language: Language, **variables: str) -> str:
        """Return a fixed reply in a language."""
        return _fill(self._replies[name][language], f"replies.yaml:{name}", variables)


def _fill(text: str, name: str, variables: dict[str, str]) -> str:
    wanted = {field for _, field, _, _ in string.Formatter().parse(text) if field}
    missing = sorted(wanted - variables.keys())
    if missing:
        raise PromptError(f"prompt {name} needs the variable {missing[0]!r}, which was not given")
    return text.format(**variables)


@cache
def _wording() -> dict[str, Any]:
    return yaml.safe_load((resources.files("prompts") / "wording.yaml").read_text(encoding="utf-8"))


def pattern(name: str) -> re.Pattern[str]:
    """Return one wording pattern, its alternatives joined; case is ignored."""
    return re.compile("|".join(_wording()[name]), re.IGNORECASE)


def patterns(name: str) -> dict[str, re.Pattern[str]]:
    """Return a group of wording patterns by name."""
    return {key: re.compile("|".join(parts), re.IGNORECASE) for key, parts in _wording()[name].items()}


def word_list(name: str) -> list[str]:
    """Return the words of a list in prompts/."""
    return (resources.files("prompts") / f"{name}.txt").read_text(encoding="utf-8").split()


@cache
def default_prompts() -> Prompts:
    """Return the package's own prompts, read once."""
    return Prompts()
