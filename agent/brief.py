"""What a colleague should know who takes over: who the customer is, what they want, what was tried, and what next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from agent.events import Language
from customers.errors import CustomersError
from customers.shop import Shop
from tools import TOOLS
from tools.base import CannotDo, Fact
from tools.words import LANGUAGES, label

Mood = Literal["angry", "upset", "calm", "pleased"]
Text = Mapping[str, str]
_CARD = ("segment", "spend", "last_visit", "category_spend", "attributes")
_LONGEST = 400


@cache
def service() -> dict[str, Any]:
    """Return the words of the desk, prompts/service.yaml."""
    return yaml.safe_load((resources.files("prompts") / "service.yaml").read_text(encoding="utf-8"))


def say(name: str, language: str) -> str:
    """Return a fixed text of the desk."""
    return service()[name][language]


@dataclass(frozen=True, slots=True)
class Tried:
    """Something that was said in the conversation: how ("sent", "drafted" or "failed") and what."""

    how: Literal["sent", "drafted", "failed"]
    text: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What the colleague reads. Texts by language are rendered by code from tools' facts; `wrote` and `draft` are in
    the customer's language. customer: five lines, none where the customer is not known. offer: None where none suits."""

    wrote: str
    customer: tuple[Text, ...] = ()
    wants: Text | None = None
    tried: tuple[Tried, ...] = ()
    mood: Mood = "calm"
    step: Text | None = None
    facts: tuple[Text, ...] = ()
    offer: Text | None = None
    draft: str = ""
    before: str = ""
    """What was asked before."""

    def text(self, language: Language) -> str:
        """Return the brief as plain lines, for a private note."""
        words = {name: told[language] for name, told in service()["brief"].items()}
        colon = "：" if language == "zh" else ": "
        lines = [words["who"] + colon + (self.customer[0][language] if self.customer else words["unknown"])]
        lines += [f"- {line[language]}" for line in self.customer[1:]]
        lines.append(words["wants"] + colon + (self.wants[language] if self.wants else words["unclear"]))
        lines.append(words["wrote"] + colon + label(self.wrote, _LONGEST))
        if self.before:
            lines.append(words["before"] + colon + label(self.before, _LONGEST))
        lines.append(words["tried"] + colon + ("" if self.tried else words["nothing"]))
        lines += [f"- {words[t.how]}{colon}{label(t.text, _LONGEST)}" for t in self.tried]
        lines.append(words["mood"] + colon + service()["moods"][self.mood][language])
        if self.facts:
            lines.append(words["facts"] + colon.rstrip())
            lines += [f"- {fact[language]}" for fact in self.facts]
        lines.append(words["step"] + colon + (self.step[language] if self.step else words["find_out"]))
        if self.offer:
            lines.append(words["offer"] + colon + self.offer[language])
        if self.draft:
            lines.append(words["draft"] + colon + self.draft)
        return "\n".join(lines)


def card(shop: Shop, customer: str) -> tuple[Text, ...]:
    """Return who a customer is in five lines at most: segment, spending, last visit, taste, and what is known of them."""
    facts = TOOLS["profile"].run(shop, {"customer": customer, "about": "everything"}).facts
    lines = [next((f for f in facts if f.predicate == predicate), None) for predicate in _CARD]
    return tuple(f.text for f in lines if f is not None)


def offer(shop: Shop, customer: str) -> Text | None:
    """Return what could be offered to a customer, with the reason, or None."""
    try:
        found = TOOLS["recommend"].run(shop, {"customer": customer, "n": 1})
    except (CannotDo, CustomersError):  # a brief without an offer is better than none
        return None
    return _unnumbered(found.facts)


def _unnumbered(facts: Sequence[Fact]) -> Text | None:
    told = next((f for f in facts if f.predicate == "recommended"), None)
    return {lang: told.text[lang].removeprefix("1. ") for lang in LANGUAGES} if told else None


def texts(facts: Iterable[Fact]) -> tuple[Text, ...]:
    """Return facts' sentences by language."""
    return tuple(f.text for f in facts)
