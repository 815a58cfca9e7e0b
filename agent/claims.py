"""What a text claims: its names, figures, dates and meanings, and the words that nothing explains.

The vocabulary is closed (prompts/claims.yaml): a word is a name, part of a figure, a word for a known
meaning, a word that claims nothing, or it is reported as unexplained. A fact's own sentence and a sentence
of a model are read by the same code, so that they can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from agent.claim_words import joined, vocabulary
from agent.events import Language
from agent.figures import Day, Figure, find_days, find_figures
from agent.lexicon import PART, SYNONYM, Lexicon
from tools.base import Fact

BLANK = "\x00"
_ID = r"[A-Za-z_-]*\d[\w-]*"
_CUSTOMER_EN = re.compile(
    rf"\bcustomers?\s+(?:no\.?\s*|number\s+|#)?((?a:{_ID})(?:(?:,\s*(?:and\s+)?|\s+and\s+)(?a:{_ID}))*)(?![\d.,]*\d|\s?%)", re.I
)  # fmt: skip
_CUSTOMER_ZH = re.compile(rf"((?a:{_ID})(?:(?:、|,|，|和)\s*(?a:{_ID}))*)号(?:的)?(?:顾客|客户|会员)?")
_CUSTOMER_ZH_AFTER = re.compile(rf"(?:顾客|客户)\s*#?((?a:{_ID}))(?![\d.,%％次位名天件张种个元倍]|号)")
_EACH_ID = re.compile(rf"(?a:{_ID})")
_PRODUCT_ID = re.compile(r"\s*[（(]?#((?a:\w+))[)）]?")
_PRODUCT = re.compile(r"\s*[（(]#((?a:\w+))[)）]$")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+|[A-Za-z][A-Za-z'’-]*|[<>=+*/&@~^%$€£¥]")
_EN_WORD = re.compile(r"[A-Za-z][A-Za-z]*(?:['’][a-z]+)?|[\u3400-\u9fff]+|[<>=+*/@~^%$€£¥]")
_RANGE = re.compile(r"(?<![\d.])\d+\s?[-–~]\s?\d+(?![\d.])|(?<![\d.,])\d+\+")
_ARTICLE = re.compile(r"^(?:the|an?)\s+")
_GENERIC = re.compile(r"^(?:all )?customers\b(?! ?\d)")


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing found in a text: what it may be (`keys`), and where."""

    keys: frozenset[str]
    start: int
    end: int


@dataclass(slots=True)
class Reading:
    """A text taken apart. `rest` is the text with everything that was explained blanked out, and
    `open` the text with names, figures and dates blanked out, where meanings are looked for."""

    text: str
    language: Language
    names: list[Mark] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    meanings: list[Mark] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    open: str = ""
    short: bool = False
    """Whether a product is named without its size: fit to offer it, too loose for a figure."""

    def has(self, *meanings: str) -> bool:
        """Whether the text has any of these meanings."""
        return any(m.keys & set(meanings) for m in self.meanings)

    @property
    def keys(self) -> frozenset[str]:
        """Everything that the text names."""
        return frozenset(k for n in self.names for k in n.keys)

    @property
    def meant(self) -> frozenset[str]:
        """Every meaning of the text."""
        return frozenset(k for m in self.meanings for k in m.keys)


@cache
def _meanings(language: Language) -> list[tuple[str, re.Pattern[str]]]:
    concepts: dict[str, dict[str, list[str]]] = vocabulary()["concepts"]
    return [(name, re.compile(joined(c[language], language), re.I)) for name, c in concepts.items()]


@cache
def _neutral(language: Language) -> frozenset[str] | re.Pattern[str]:
    words = vocabulary()["neutral"][language].split()
    if language == "en":
        return frozenset(w.strip(",").lower() for w in words) | {"s"}
    return re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))


@cache
def _ranks(language: Language) -> tuple[re.Pattern[str], dict[str, int], re.Pattern[str]]:
    words: dict[str, int] = vocabulary()["ordinals"][language]
    # "first bought", 第一次: the first time, not the first of a ranking
    no_time = r"(?!\s+(?:bought|came|visit\w*|trips?|times?|\d))" if language == "en" else "(?!次)"
    by_word = re.compile(joined(sorted(words, key=len, reverse=True), language) + no_time, re.I)
    return re.compile(vocabulary()["ranks"][language], re.I), words, by_word


@cache
def plain_words() -> frozenset[str]:
    """English words that may coincide with a name of the shop without naming it ("shop", "product")."""
    vocab = vocabulary()
    words = set(vocab["neutral"]["en"].split()) | set(vocab["opening_words"]["en"].split())
    return frozenset(words) | {
        "shop",
        "store",
        "product",
        "products",
        "customer",
        "customers",
        "item",
        "items",
    }


class Names:
    """The names that some facts hold, and the shop's others, found in text of either language."""

    def __init__(self, facts: Iterable[Fact], lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._forms: dict[str, set[str]] = {}
        self._short: dict[str, set[str]] = {}
        self._cache: dict[tuple[str, Language], Reading] = {}
        for fact in facts:
            self._learn(fact)
        for form in self._forms.keys() & self._short.keys():
            del self._short[form]  # the whole name of something else
        self._forms |= self._short
        forms = sorted(self._forms, key=len, reverse=True)
        parts = [rf"(?<![A-Za-z\d]){re.escape(f)}(?![\d]|(?a:[a-z]))" if f.isascii() else
                 rf"(?<!\d){re.escape(f)}(?![\d])" for f in forms]  # fmt: skip
        self._pattern = re.compile("|".join(parts), re.I) if parts else None

    def _learn(self, fact: Fact) -> None:
        names = list(fact.names)
        skip = False
        for i, name in enumerate(names):
            if skip:
                skip = False
                continue
            after = names[i + 1] if i + 1 < len(names) else ""
            pair = bool(after) and _is_pair(name, after, fact)
            self._add((name, after) if pair else (name,))
            skip = pair
        if not _GENERIC.match(fact.subject):
            self._add((fact.subject,))

    def _add(self, forms: Sequence[str]) -> None:
        keys: set[str] = set()
        for form in forms:
            keys |= self._forms.get(form.lower(), set()) or self._keys_of(form)
        for form in forms:
            for written in {form, _PRODUCT.sub("", form), form.replace("&", "and")}:
                short = written.split(",")[0].lower()
                if _PRODUCT.search(form) and 2 < len(short) < len(written):
                    self._short.setdefault(short, set()).update(keys)
                if len(written) > 1:
                    self._forms.setdefault(written.lower(), set()).update(keys)

    def _keys_of(self, form: str) -> set[str]:
        if m := _PRODUCT.search(form):
            return {f"#{m[1].lower()}"}
        if ids := _customers(form):
            return {key for mark in ids for key in mark.keys}
        found = self._lexicon.find(form, [True] * len(form))
        if len(found) == 1 and found[0].level >= SYNONYM and len(found[0].text) >= len(form) - 2:
            return {f"{t.kind}:{t.key}" for t in found[0].things}
        return {form.lower()}

    def subject(self, fact: Fact) -> frozenset[str]:
        """Return the keys of what a fact is about; none for customers in general."""
        if _GENERIC.match(fact.subject):
            return frozenset()
        ids = [k for mark in _customers(fact.subject) for k in mark.keys]
        return frozenset(ids) or frozenset(self._forms.get(fact.subject.lower(), ()))

    def held(self, fact: Fact) -> frozenset[str]:
        """Return the keys of everything that a fact names."""
        keys = {k for name in fact.names for k in self._forms.get(name.lower(), ())}
        for language in ("en", "zh"):
            if language in fact.text:
                keys |= self.read(fact.text[language], language).keys
        return frozenset(keys) | self.subject(fact)

    def read(self, text: str, language: Language) -> Reading:
        """Take a text apart. Readings are remembered, for a fact is compared many times."""
        if (text, language) not in self._cache:
            self._cache[text, language] = self._read(text, language)
        return self._cache[text, language]

    def _read(self, text: str, language: Language) -> Reading:
        reading = Reading(text, language)
        rest = list(text)
        self._find_names(reading, rest)
        for m in _RANGE.finditer("".join(rest)):
            reading.literals.append(re.sub(r"\s", "", m.group()))
            _blank(rest, m.start(), m.end())
        reading.days = find_days("".join(rest), language)
        for d in reading.days:
            _blank(rest, d.start, d.end)
        _find_ranks(reading, rest)
        reading.figures = find_figures("".join(rest), language)
        for f in reading.figures:
            _blank(rest, f.start, f.end)
        reading.open = "".join(rest)
        for name, pattern in _meanings(language):
            for m in pattern.finditer("".join(rest)):
                reading.meanings.append(Mark(frozenset({name}), m.start(), m.end()))
                _blank(rest, m.start(), m.end())
        reading.meanings.sort(key=lambda m: m.start)
        _explain(reading, "".join(rest))
        return reading

    def _find_names(self, reading: Reading, rest: list[str]) -> None:
        def take(keys: Iterable[str], start: int, end: int) -> None:
            reading.names.append(Mark(frozenset(keys), start, end))
            _blank(rest, start, end)

        for mark in _customers("".join(rest)):
            take(mark.keys, mark.start, mark.end)
        if self._pattern:
            for m in self._pattern.finditer("".join(rest)):
                end = m.end()
                keys = self._forms.get(m.group().lower(), {m.group().lower()})
                if own := _PRODUCT_ID.match("".join(rest), end):
                    keys, end = {f"#{own[1].lower()}"} & keys or {f"#{own[1].lower()}?"}, own.end()
                reading.short |= m.group().lower() in self._short and end == m.end()
                take(keys, m.start(), end)
        for m in re.finditer(r"#((?a:\w+))", "".join(rest)):
            take({f"#{m[1].lower()}"}, m.start(), m.end())
        text = "".join(rest)
        for match in self._lexicon.find(text, [c != BLANK for c in text]):
            start, end = match.span
            if BLANK in text[start:end] or _ARTICLE.sub("", match.text.lower()) in plain_words():
                continue
            if match.level < PART or (match.level == PART and len(match.things) > 1):
                continue
            take({f"{t.kind}:{t.key}" for t in match.things}, start, end)
        reading.names.sort(key=lambda n: n.start)


def _is_pair(name: str, after: str, fact: Fact) -> bool:
    """Whether two neighbouring names of a fact are one thing's names in English and in Chinese."""
    if _PRODUCT.search(name) or _PRODUCT.search(after):
        return False
    en, zh = fact.text.get("en", "").lower(), fact.text.get("zh", "")
    return name.lower() in en and after in zh and name not in zh


def _customers(text: str) -> list[Mark]:
    found: list[Mark] = []
    for pattern in (_CUSTOMER_EN, _CUSTOMER_ZH, _CUSTOMER_ZH_AFTER):
        for m in pattern.finditer(text):
            if not any(f.start < m.end() and m.start() < f.end for f in found):
                ids = list(_EACH_ID.finditer(text, m.start(1), m.end(1)))
                for i, one in enumerate(ids):  # a mark for each, so that a list can be told apart
                    start = m.start() if i == 0 else one.start()
                    end = m.end() if i + 1 == len(ids) else one.end()
                    found.append(Mark(frozenset({f"customer:{one.group().lower()}"}), start, end))
    return found


def _find_ranks(reading: Reading, rest: list[str]) -> None:
    numbered, words, by_word = _ranks(reading.language)
    for m in numbered.finditer("".join(rest)):
        reading.ranks.append(int(m[1]))
        _blank(rest, m.start(), m.end())
    for m in by_word.finditer("".join(rest)):
        reading.ranks.append(words[m.group().lower()])
        _blank(rest, m.start(), m.end())


def _explain(reading: Reading, rest: str) -> None:
    """Keep the words that neither a meaning nor the list of neutral words explains."""
    neutral = _neutral(reading.language)
    if isinstance(neutral, frozenset):
        reading.unexplained = [w for w in _EN_WORD.findall(rest) if w.lower() not in neutral]
    else:
        reading.unexplained = _HAN_RUN.findall(neutral.sub(" ", rest))


def _blank(rest: list[str], start: int, end: int) -> None:
    rest[start:end] = BLANK * (end - start)
