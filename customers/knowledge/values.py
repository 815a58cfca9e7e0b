"""Plain values of the knowledge of a service desk."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]{2,}")


def language_of(text: str) -> Language:
    """Return "zh" where Chinese carries the text: at least as many Han characters as Latin words."""
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_WORD.findall(text)) else "en"


_NUMBERED = re.compile(r"(?<![A-Za-z\d])[A-Za-z]{0,4}[-_#]?\d[\d-]{3,}(?!\d)")


def masked(text: str) -> str:
    """Return a text with one number for every order number and the like: which one it is says nothing of the intent."""
    return _NUMBERED.sub("1234", text)


def intent_of(label: str) -> str:
    """Return the intent of a label, which is an intent ("stock") or one of its answers ("stock.restock")."""
    return label.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question that a customer asked.

    label: what it is about, an intent or an answer of one; "" where nobody said. answer: what a person answered, ""
    where that is not known. faq: the answer is meant for everybody, not one customer's. good: whether the answer
    helped; None where nobody said.
    """

    text: str
    language: Language
    label: str = ""
    answer: str = ""
    customer: str = ""
    faq: bool = False
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A reply to an answer of an intent. `rank`: its place among the answer's replies, the best first. human: a person
    takes over once it is said."""

    key: str
    label: str
    language: Language
    text: str
    human: bool = False
    rank: int = 0

    @property
    def slots(self) -> frozenset[str]:
        """The names in braces, which code fills from facts."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.text) if name)


@dataclass(frozen=True, slots=True)
class Policy:
    """Something that the shop states of itself, by language: "how long goods can be returned" -> "30 days"."""

    key: str
    en: str
    zh: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Intent:
    """What customers want: its title and the colleague's next step by language. human: a person always takes it.
    offer: something to make up for it suits. label: the label of `inquiry-intent` that it falls under."""

    key: str
    title: dict[str, str]
    step: dict[str, str]
    label: str = "other"
    human: bool = False
    offer: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """How often a reply worked and failed."""

    worked: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """The expected share of times that it works: the mean of a Beta posterior whose prior is 4 successes in 5."""
        return (self.worked + 4) / (self.worked + self.failed + 5)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file held."""

    inquiries: tuple[Inquiry, ...] = ()
    templates: tuple[Template, ...] = ()
    policies: tuple[Policy, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows that were left out, by reason."""
