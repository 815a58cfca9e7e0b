"""Step 5, verify: no statement leaves that a cited fact does not support.

Rendered clauses carry their fact's own sentence, so their figures are compared with the fact they
cite. Free prose is split at its citations, and each segment is held against the facts that it cites
and no others (agent/support.py). A sentence without a citation may say what to do but state nothing:
figures, quantities in words, comparisons, superlatives, reasons, links and names that no fact holds
each make it unsupported.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from agent.claim_words import joined, vocabulary
from agent.claims import Names, Reading
from agent.compare import compared, counted
from agent.events import Language
from agent.evidence import Evidence, evidence
from agent.language import language_of
from agent.lexicon import PART, Lexicon
from agent.prompts import pattern
from agent.sentences import CITED, Segment, list_mark, segments, split
from agent.support import Said, after, unsupported
from tools.base import Fact

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CITATION = re.compile(r"\s?\[(\d+)\]")
_STATES_EN = pattern("states_en")
_STATES_ZH = pattern("states_zh")
_URGES_EN = pattern("urges_en")
_URGES_ZH = pattern("urges_zh")


TABLE = "rows"
_PARTS, _CITED = 10, 6
"""A segment of more clauses, or one that cites more facts, is refused: it cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a free answer. `claims`: the names, figures, dates and meanings that it states;
    `why` is what was wrong with it, "" when it is supported."""

    text: str
    claims: tuple[str, ...] = ()
    cited: tuple[int, ...] = ()
    why: str = ""

    @property
    def supported(self) -> bool:
        """Whether every claim is a cited fact's own."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Checked:
    """Claims found in a text and how many are supported."""

    claims: int
    supported: int


def numbers(text: str) -> list[str]:
    """Return the figures of a text, thousands separators removed, citations left out."""
    return [m.replace(",", "").rstrip(".") for m in _NUMBER.findall(_CITATION.sub("", text))]


def check_clause(line: str, fact: Fact, language: Language) -> Checked:
    """Compare a rendered clause with the fact that it cites: its figures and its names."""
    text = fact.text[language]
    known = numbers(text)
    found = numbers(line)
    names = [n for n in fact.names if n in text]
    supported = sum(f in known for f in found) + sum(n in line for n in names)
    return Checked(len(found) + len(names), supported)


def check_advice(advice: str, facts: Sequence[Fact], lexicon: Lexicon, language: Language) -> str | None:
    """Return why a piece of advice may not leave, or None when it may."""
    text = advice.strip()
    if language_of(text) != language:
        return "language"
    if not (_URGES_ZH if language == "zh" else _URGES_EN).match(text):
        return "not advice"
    rest = _without_names(text, facts)
    if (_STATES_ZH if language == "zh" else _STATES_EN).search(rest):
        return "states something"
    for match in lexicon.find(rest, [True] * len(rest)):
        if match.level >= PART and match.things[0].kind in ("category", "segment", "brand", "type"):
            return f"names {match.text}"
    if re.search(r"#|No\.", rest):
        return "names an id"
    return None


def _without_names(text: str, facts: Iterable[Fact]) -> str:
    """Blank out what the facts name: whole names first, then the same names without their ids."""
    whole = {n for f in facts for n in f.names}
    bare = {re.sub(r"\s*[（(]#\w+[)）]$", "", name) for name in whole}
    for names in (whole, bare):
        for name in sorted(names, key=len, reverse=True):
            text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
    return text


def check_text(
    text: str, facts: Mapping[int, Fact], lexicon: Lexicon, language: Language, question: str
) -> list[Sentence]:
    """Return the sentences of a free answer over numbered facts, each with what was wrong with it.

    A sentence is checked after those before it, since it may go on about whom they were about; one that is
    not supported is not gone on from.
    """
    verifier = Verifier(Grounds(facts, lexicon), language, question)
    return [verifier.check(sentence) for sentence in split(text)]


class Grounds:
    """Numbered facts, read once: what the sentences of answers are held against."""

    def __init__(self, facts: Mapping[int, Fact], lexicon: Lexicon) -> None:
        self.facts, self.lexicon = dict(facts), lexicon
        self.names = Names(self.facts.values(), lexicon)
        given = list(self.facts.values())
        self.proofs = {
            n: evidence(fact, self.names, given)
            for n, fact in self.facts.items()
            if not fact.quoted and fact.predicate != TABLE  # somebody's own words, or many facts in one
        }


class Verifier:
    """Checks the sentences of one answer, in order, as they come."""

    def __init__(self, grounds: Grounds, language: Language, question: str) -> None:
        self._grounds = grounds
        self._language: Language = language
        self._names, self._proofs = grounds.names, grounds.proofs
        asked = self._names.read(question, language_of(question)).keys
        subjects = {s for p in self._proofs.values() if (s := p.subject)}
        sole = next(iter(subjects)) if len(subjects) == 1 else frozenset()
        self._said = Said(asked=asked | sole)

    def check(self, sentence: str) -> Sentence:
        """Check one sentence; a supported one is what the next may go on from."""
        found, said = self._check(sentence, self._said)
        if found.supported:
            self._said = said
        return found

    def citing(self, sentence: str) -> Sentence | None:
        """Return a sentence with the numbers of the facts that support it in the place of its own, checked
        like any other: the first one fact that does, else those of everything it names; else None."""
        sentence = CITED.sub("", sentence)
        body = sentence.rstrip()
        end = re.search(r"[.!?。！？]*$", body)
        stem, stop = (body[: end.start()], body[end.start() :]) if end else (body, "")
        tail = sentence[len(body) :]
        if not self._claims(segments(f"{stem} [0]")):
            return None
        for numbers in self._candidates(sentence):
            written = f"{stem} {''.join(f'[{n}]' for n in numbers)}{stop}{tail}"
            found, said = self._check(written, self._said)
            if found.supported:
                self._said = said
                return found
        return None

    def _candidates(self, sentence: str) -> list[list[int]]:
        keys = self._names.read(sentence, self._language).keys
        named = [n for n, p in self._proofs.items() if p.own & keys]
        return [*([n] for n in self._proofs), *([named] if 1 < len(named) <= _CITED else [])]

    def _check(self, sentence: str, said: Said) -> tuple[Sentence, Said]:
        number, body = list_mark(sentence.strip())
        parts = segments(body)
        cited = tuple(n for p in parts for n in p.cited)
        claims = self._claims(parts)
        if unknown := [n for n in cited if n not in self._proofs]:
            return Sentence(
                sentence, claims, cited, f"cites [{unknown[0]}], which is no fact that can be cited"
            ), said
        if not cited:
            return Sentence(sentence, (), (), self._uncited(body) or ""), said
        why = self._marked(number, parts[0]) if number is not None else None
        for part in parts:
            if why is None:
                why, said = self._segment(part, said)
        return Sentence(sentence, claims, cited, why or ""), said

    def _claims(self, parts: Sequence[Segment]) -> tuple[str, ...]:
        claims: list[str] = []
        for part in parts:
            r = self._names.read(part.text, self._language)
            spans = [*r.names, *r.figures, *r.days, *r.meanings]
            claims += [r.text[s.start : s.end].strip() for s in sorted(spans, key=lambda s: s.start)]
        return tuple(claims)

    def _uncited(self, body: str) -> str | None:
        if not re.search(r"\w", body):
            return None
        if self._opens(body):
            return None
        why = check_advice(body, list(self._grounds.facts.values()), self._grounds.lexicon, self._language)
        return None if why is None else "states something without citing a fact"

    def _opens(self, body: str) -> bool:
        """Whether a sentence only announces what follows, naming nothing but what was asked about."""
        r = self._names.read(body, self._language)
        if not re.match(vocabulary()["openings"][self._language], body.strip(), re.I):
            return False
        if r.figures or r.days or r.ranks or r.literals or not r.keys <= self._said.asked:
            return False
        rest = _opening_words(self._language).sub(" ", _blanked(body, r))
        return not re.search(r"[^\W_]", rest)

    def _marked(self, number: int, part: Segment) -> str | None:
        """A list's number may not give a ranked fact another rank."""
        own = self._proofs[part.cited[0]].ranks if part.cited else set()
        return f"lists as number {number} what is not" if own and number not in own else None

    def _segment(self, part: Segment, said: Said) -> tuple[str | None, Said]:
        reading = self._names.read(part.text, self._language)
        if not part.cited:
            empty = not (
                reading.names or reading.figures or reading.days or reading.meanings or reading.unexplained
            )
            return (None if empty else "states something after its citation"), said
        proofs = [self._proofs[n] for n in dict.fromkeys(part.cited)]
        whys = []
        for proof in proofs:
            why = unsupported(reading, proof, said)
            if why is None:
                return None, after(reading, proof, said)
            whys.append(why)
        if len(proofs) == 1 or len(proofs) > _CITED:
            return whys[0], said
        return self._several(part.text, proofs, said, whys[0])

    def _several(self, text: str, proofs: list[Evidence], said: Said, why: str) -> tuple[str | None, Said]:
        """Support a segment by several facts: a comparison of two, or stretch by stretch."""
        reading = self._names.read(text, self._language)
        if reading.has("more", "less"):
            if len(proofs) == 2 and compared(reading, proofs[0], proofs[1]):
                return None, replace(said, subject=frozenset(), keys=reading.keys)
            return "compares what the facts do not, or the other way round", said
        text = _each_customer(counted(reading, proofs), self._names)
        reading = self._names.read(text, self._language)
        if reading.has("high", "low") and {min(p.ranks, default=0) for p in proofs} != set(
            range(1, len(proofs) + 1)
        ):
            return "says the highest of what is not the first of a ranking", said
        parts = _parts(text, reading)
        if len(parts) > _PARTS:
            return why, said
        reached = self._cover(parts, 0, proofs, said)
        return (None, reached) if reached else (why, said)

    def _cover(self, parts: list[str], at: int, proofs: list[Evidence], said: Said) -> Said | None:
        if at == len(parts):
            return said
        for end in range(len(parts), at, -1):
            reading = self._names.read("".join(parts[at:end]), self._language)
            for proof in proofs:
                if unsupported(reading, proof, said) is None:
                    reached = self._cover(parts, end, proofs, after(reading, proof, said))
                    if reached is not None:
                        return reached
        return None


def _each_customer(text: str, names: Names) -> str:
    """ "Customers 5 and 45" as "Customers 5 and customer 45", for a list is taken apart."""
    for mark in reversed(names.read(text, "en").names):
        if any(k.startswith("customer:") for k in mark.keys) and text[mark.start : mark.end][:1].isdigit():
            bare = re.fullmatch(r"[\w-]+", text[mark.start : mark.end], re.A)
            text = f"{text[: mark.start]}customer {text[mark.start :]}" if bare else text
    return text


def _parts(text: str, reading: Reading) -> list[str]:
    """Split a segment where its clauses and lists do, never inside a name or a figure."""
    held = [(s.start, s.end) for s in (*reading.names, *reading.figures, *reading.days)]
    cuts = [m.end() for m in re.finditer(r"[,;:，；：、。]|\band\b|\bwhile\b|\bwhereas\b|以及|和|而", text)]
    cuts = [c for c in cuts if not any(a < c < b for a, b in held)]
    edges = [0, *cuts, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges) if b > a]


@cache
def _opening_words(language: Language) -> re.Pattern[str]:
    words = (vocabulary()["opening_words"][language] + " " + vocabulary()["neutral"][language]).split()
    extra = [vocabulary()["openings"][language].removeprefix("^")]
    ordered = sorted((re.escape(w) for w in words), key=len, reverse=True)
    return re.compile("|".join([*extra, joined(ordered, language)]), re.I)


def _blanked(text: str, reading: Reading) -> str:
    kept = list(text)
    for name in reading.names:
        kept[name.start : name.end] = " " * (name.end - name.start)
    return "".join(kept)
