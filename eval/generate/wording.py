"""Wordings: what a question may be put like, in both languages, and their filling with names and figures.

They stand in `wordings/*.yaml`: a kind of question -> language -> six or more ways to ask it, with slots in braces.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LANGUAGES = ("en", "zh")
FEWEST = 6
"""So many ways to ask, at least, has every kind of question in every language."""
_FOLDER = Path(__file__).parent / "wordings"
_DATA = ("goods", "attacks")


class Both(NamedTuple):
    """The same thing in English and in Chinese."""

    en: str
    zh: str

    def within(self, language: str) -> str:
        """Return it in one language."""
        return self.zh if language == "zh" else self.en


def same(text: object) -> Both:
    """Return what is written alike in both languages."""
    return Both(str(text), str(text))


@cache
def data(name: str) -> Any:
    """Return a file of `wordings/`, as it stands."""
    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def wordings() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return "file.kind" -> language -> wordings. Raises ValueError where a kind has fewer than FEWEST, or where it
    is paired and its lists differ in length."""
    found = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.stem in _DATA:
            continue
        for kind, by_language in data(path.stem).items():
            found[f"{path.stem}.{kind}"] = {x: tuple(by_language[x]) for x in LANGUAGES}
            if any(len(set(by_language[x])) < FEWEST for x in LANGUAGES):
                raise ValueError(
                    f"{path.name}: {kind} needs {FEWEST} different wordings a language; add some"
                )
            if by_language.get("paired") and len(by_language["en"]) != len(by_language["zh"]):
                raise ValueError(
                    f"{path.name}: {kind} is paired, so it needs a Chinese wording for each English one"
                )
    return found


def _paired(kind: str) -> bool:
    """Whether a kind's wordings ask for different things, so that both languages must take the same one."""
    file, name = kind.split(".")
    return bool(data(file)[name].get("paired"))


class Deck:
    """Deals the wordings of a kind so that none comes twice before each came once; the order is the seed's."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._left: dict[tuple[str, str, bool | None], list[str]] = {}

    def deal(self, kind: str, language: str, picked: bool | None = None) -> str:
        """Return the next wording. picked: only those that leave the customer to the page (True) or name it
        (False); None takes all."""
        hand = self._left.setdefault((kind, language, picked), [])
        if not hand:
            among = [w for w in wordings()[kind][language] if picked is None or picked != ("{c}" in w)]
            order = "" if _paired(kind) else language
            random.Random(f"{self._seed}/{kind}/{order}/{picked}").shuffle(among)
            hand.extend(among)
        hand.append(hand.pop(0))  # dealt again once all the others were
        return hand[-1]


def leaves_to_page(kind: str) -> bool:
    """Whether a kind has, in both languages, wordings that leave the customer to the page."""
    return all(any("{c}" not in w for w in wordings()[kind][language]) for language in LANGUAGES)


def fill(wording: str, slots: Mapping[str, Both], language: str) -> str:
    """Return a wording with its slots filled and the blanks that an empty slot leaves taken out."""
    text = ""
    for literal, name, _, _ in string.Formatter().parse(wording):
        text += literal
        if name is not None:
            value = slots[name].within(language)
            # "顾客1842" and "5月" side by side would read as one number.
            text += " " + value if text[-1:].isdigit() and value[:1].isdigit() else value
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\s+([?.,;:!？。，])", r"\1", text)
