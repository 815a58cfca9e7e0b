"""The shop's names, indexed so that a question's words find what exists. No LLM.

Four levels of evidence, best first: the whole name, an everyday synonym, one part of a joined name
("bread" in "Bread, buns & rolls"), the head noun ("juices" in "Canned juices"). What matches on no
level is tried by spelling (difflib) and by meaning (text embedding).
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agent.prompts import word_list
from customers.ports import TextEncoder
from customers.shop import Shop
from customers.values import Name

WHOLE, SYNONYM, PART, HEAD = 3, 2, 1, 0
KINDS = ("category", "department", "brand", "segment", "attribute_value", "type")
_MEANT = ("category", "department")
_EN_TOKEN = re.compile(r"[a-z0-9$%+]+(?:['’][a-z]+)?")
_SPLIT_EN = re.compile(r"\s*(?:,|&|/|\(|\)|;|:|\band\b|\bor\b)\s*")
_SPLIT_ZH = re.compile(r"[与和、/（）()及，,;；·\s]+")
_JOINT = re.compile(r"\s*&\s*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_PREPOSITION = re.compile(r"\b(?:without|with|for|of|in|from)\b")
_AROUND_SEGMENT = re.compile(
    r"\bsegments?\b|\bgroups?\b|\bclusters?\b|\bshoppers\b|\bcrowd\b|\b(?:fans|lovers|bunch|folks)\b|分群|客群|群体|人群|[那这]群",
    re.IGNORECASE,
)
_VERBS = frozenset(
    "drink dip dish pet toy card cook bake snack".split()
)  # names' words that are verbs after a person
_SOMEBODY = re.compile(
    r"\b(?:who|s?he|they|customers?|people|households?|shoppers?|segment|group|band|bracket|class|everybody|everyone"
    r"|anybody|anyone|somebody|someone|to|does\s+\S+)\s+$",
    re.IGNORECASE,
)
_ALIKE = 6
"""How many places apart the common characters of one sound stand at most (see _sound_apart)."""
SPELLING, MEANING, MARGIN = 0.84, 0.62, 0.05
WORD_SPELLING, SHORT_SPELLING = SPELLING, 0.85
"""How like a word of the names a misspelt word must be (difflib's ratio), beginning with the same letter."""


class Named(NamedTuple):
    """A thing of the shop: its kind and key."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a stretch of text may mean: `things` of one level; several mean it is ambiguous."""

    things: tuple[Named, ...]
    level: int
    text: str
    span: tuple[int, int]


def stem(word: str) -> str:
    """Return an English word without its plural ending."""
    word = re.sub(r"['’]s?$", "", word)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(?:ss|sh|ch|x|o)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) else word


def _sound_apart(one: str, other: str) -> int:
    """How far apart two common characters stand in GB 2312, whose first level is in the order of their sounds."""
    places = []
    for character in (one, other):
        code = character.encode("gb2312", "ignore")
        if len(code) != 2 or not 0xB0 <= code[0] <= 0xD7:
            return _ALIKE + 1
        places.append((code[0] - 0xB0) * 94 + code[1] - 0xA1)
    return abs(places[0] - places[1])


def tokens(text: str) -> list[tuple[str, int, int]]:
    """Return lower-case English tokens with their positions."""
    return [(m.group(), m.start(), m.end()) for m in _EN_TOKEN.finditer(text.lower())]


def phrase(text: str) -> str:
    """Return a text's stemmed tokens joined by blanks: the form that names are looked up in."""
    return " ".join(stem(t) for t, _, _ in tokens(text) if t not in ("the", "a", "an"))


ORDINARY_AS_WRITTEN = frozenset(word_list("words_en"))
ORDINARY = frozenset(word_list("words_en")) | frozenset(stem(w) for w in word_list("words_en"))
"""The ordinary words of English questions, as written and stemmed."""


def _parts(name: Name) -> tuple[list[str], list[str]]:
    """The parts of a joined name in both languages; the English ones as phrases."""
    english = [phrase(_PREPOSITION.split(part)[0]) for part in _SPLIT_EN.split(name.en.lower()) if part]
    return english, [part for part in _SPLIT_ZH.split(name.zh) if part]


def _all_end(parts: Sequence[str], words: Iterable[str]) -> bool:
    """Whether every part is one of the words, or ends in it as a word of its own."""
    ends = tuple(word for word in words if word.startswith(" ") or _HAN.search(word))
    return bool(parts) and all(part in words or part.endswith(ends) for part in parts)


class Lexicon:
    """Names and synonyms of one shop in both languages, with spelling and meaning as a fallback."""

    def __init__(self, shop: Shop, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._english: dict[str, dict[Named, int]] = defaultdict(dict)
        self._chinese: dict[str, dict[Named, int]] = defaultdict(dict)
        self._whole: dict[str, dict[Named, int]] = defaultdict(dict)
        self._meaning: list[tuple[Named, str]] = []
        self._vectors: np.ndarray | None = None
        for kind in KINDS:
            for key in shop.keys(kind):
                name = shop.name(kind, key)
                self._add_name(Named(kind, key), name.en, name.zh)
        for kind, key, language, word in shop.synonyms():
            self._put(language, word, Named(kind, key), SYNONYM)
            if " and " in word:  # "fruit & vegetables"
                self._whole[phrase(word.replace(" and ", " "))][Named(kind, key)] = SYNONYM
        self._widen(shop)
        rows = shop.query("select type, arg_max(category, n) from (select type, category, count(*) n from products "
                          "where type is not null and category is not null group by all) group by type")  # fmt: skip
        self.category_of = {str(t): str(c) for t, c in rows}
        for named in (*self._english.items(), *self._chinese.items()):
            self._prefer_categories(*named)
        self._departments = {phrase(key): Named("department", key) for key in shop.keys("department")}
        self._longest_zh = max(map(len, self._chinese), default=0)
        self._words = sorted({p for p in self._english if len(p) > 3})
        self._tokens = sorted({t for p in self._english for t in p.split() if len(t) > 3 and t.isalpha()})
        self._token_set = frozenset(t for p in self._english for t in p.split())

    def _widen(self, shop: Shop) -> None:
        """A synonym of several categories ("wine": domestic, imported) is a word for a kind of goods: it means those
        too whose own names say nothing but that they are some of it ("Sparkling wine & other wine")."""
        groups: dict[tuple[Named, ...], list[str]] = defaultdict(list)
        for index in (self._english, self._chinese):
            for form, things in index.items():
                told = tuple(sorted(t for t, level in things.items() if level == SYNONYM))
                if (
                    len(told) > 1
                    and max(things.values()) == SYNONYM
                    and {t.kind for t in told} == {"category"}
                ):
                    groups[told].append(form)
        kinds = {key: _parts(shop.name("category", key)) for key in shop.keys("category")} if groups else {}
        for told, forms in groups.items():
            words = set(forms) | {f" {form}" for form in forms}
            more = [key for key, parts in kinds.items() if any(_all_end(each, words) for each in parts)]
            for form in forms:
                for index in (self._english, self._chinese):
                    if form in index:
                        index[form].update(
                            {Named("category", k): SYNONYM for k in more if Named("category", k) not in told}
                        )

    def _prefer_categories(self, form: str, things: dict[Named, int]) -> None:
        """Let a category have a name that a type bears too where it is the category's own key, or where
        the type belongs to no category of that name (cookies are not first a diet's)."""
        parents = {self.category_of.get(t.key) for t in things if t.kind == "type"}
        categories = {t: level for t, level in things.items() if t.kind == "category"}
        if not parents or not categories:
            return
        # by a part or the head of a joined name none of them is meant more than another
        least = max(categories.values()) if max(categories.values()) > PART else HEAD
        best = [t for t, level in categories.items() if level >= least]
        if parents & {t.key for t in categories}:
            best = [t for t in best if phrase(t.key) == form]
        things.update(dict.fromkeys(best, WHOLE))

    def _add_name(self, thing: Named, en: str, zh: str) -> None:
        if thing.kind in _MEANT:
            self._meaning += [(thing, en)] + ([(thing, zh)] if zh != en else [])
        self._put("en", en, thing, WHOLE)
        if thing.kind in ("category", "department", "type"):
            for form in self._spelt_out(thing, en):
                self._whole[form][thing] = WHOLE
        self._put("zh" if _HAN.search(zh) else "en", zh, thing, WHOLE)
        if thing.kind == "segment":
            # what its shoppers buy names it too, where the text speaks of a segment (see _best)
            self._put("en", _PREPOSITION.split(en, maxsplit=1)[-1], thing, PART)
            self._put("zh", re.sub(r"(?:偏好)?客群(?:（.*）)?$", "", zh), thing, PART)
        if thing.kind not in ("category", "department"):
            return
        for language, name, split in (("en", en, _SPLIT_EN), ("zh", zh, _SPLIT_ZH)):
            parts = [p for p in split.split(name.lower() if language == "en" else name) if p]
            if len(parts) > 1:
                for part in parts:
                    self._put(language, part, thing, PART)
        if thing.kind == "category":
            head = phrase(_PREPOSITION.split(_SPLIT_EN.split(en.lower())[0])[0])
            self._put("en", head.split(" ")[-1], thing, HEAD)

    def _spelt_out(self, thing: Named, en: str) -> Iterable[str]:
        """The other whole forms of a name: its joints as words ("toys and games" of "Toys & games"), and
        the shop's own key. They are looked up, but misspelt words are not read as theirs."""
        names = [en]
        if thing.kind == "category" and " " in thing.key:  # a word alone ("CHEESES") is no better a name
            names.append(thing.key)
        for name in names:
            yield phrase(name)
            yield phrase(_JOINT.sub(" and ", name))

    def _put(self, language: str, text: str, thing: Named, level: int) -> None:
        form = phrase(text) if language == "en" else text.strip()
        if len(form) < 2 or (language == "zh" and not _HAN.search(form)):
            return
        index = self._english if language == "en" else self._chinese
        index[form][thing] = max(level, index[form].get(thing, -1))

    def find(self, text: str, free: Sequence[bool], spelling: bool = False) -> list[Match]:
        """Return the names in a text; `free[i]` says whether character i may still be matched.
        Longer names win over shorter ones, and no two matches overlap. `spelling`: a word that is
        neither ordinary nor in any name is read as the word of the names that it is nearest to."""
        room = list(free)
        return sorted(
            [*self._find_zh(text, room), *self._find_en(text, room, spelling)], key=lambda m: m.span
        )

    def _spelt(self, word: str) -> str:
        """Return the word of the names that an unknown word is a misspelling of, else the word itself."""
        form = stem(word)
        if len(form) < 3 or not form.isalpha() or form in self._token_set or {form, word} & ORDINARY:
            return word
        near = [t for t in self._tokens if t[0] == form[0] and abs(len(t) - len(form)) <= 2]
        if swapped := next((t for t in near if sorted(t) == sorted(form)), None):
            return swapped
        cutoff = WORD_SPELLING if len(form) > 4 else SHORT_SPELLING
        close = difflib.get_close_matches(form, near, n=1, cutoff=cutoff)
        return close[0] if close else word

    def _find_en(self, text: str, room: list[bool], spelling: bool) -> Iterable[Match]:
        words = [t for t in tokens(text) if all(room[t[1] : t[2]])]
        if spelling:
            words = [(self._spelt(word), start, end) for word, start, end in words]
        for length in range(min(7, len(words)), 0, -1):
            for i in range(len(words) - length + 1):
                run = words[i : i + length]
                start, end = run[0][1], run[-1][2]
                if not all(room[start:end]):
                    continue
                form = " ".join(stem(w) for w, _, _ in run if w not in ("the", "a", "an"))
                named = self._english.get(form, {}) | self._whole.get(form, {})
                if length == 1 and run[0][0] in ORDINARY_AS_WRITTEN:
                    named = {t: level for t, level in named.items() if t.kind != "type"}  # a date, a fan
                match = self._best(named, text, start, end)
                if not match or (length == 1 and match.level <= PART and len(form) < 3):
                    continue
                if match.level <= PART and form in _VERBS and _SOMEBODY.search(text[:start]):
                    continue  # "who drinks"
                if match:
                    room[start:end] = [False] * (end - start)
                    yield match

    def _find_zh(self, text: str, room: list[bool]) -> Iterable[Match]:
        for length in range(min(self._longest_zh, len(text)), 1, -1):
            for start in range(len(text) - length + 1):
                end = start + length
                if not all(room[start:end]):
                    continue
                match = self._best(self._chinese.get(text[start:end]), text, start, end)
                if match:
                    room[start:end] = [False] * length
                    yield match

    def _best(self, things: dict[Named, int] | None, text: str, start: int, end: int) -> Match | None:
        if not things:
            return None
        after, around = text[end : end + 14].lower(), text[max(0, start - 14) : end + 14].lower()
        about_segment = _AROUND_SEGMENT.search(around)
        things = {t: v for t, v in things.items() if v == WHOLE or t.kind != "segment" or about_segment}
        if not things:
            return None
        if about_segment and any(t.kind == "segment" for t in things):
            things = {t: v for t, v in things.items() if t.kind == "segment"}
        if re.match(r"\W*(?:department|dept)", after) and (
            own := self._departments.get(phrase(text[start:end]))
        ):
            return Match((own,), WHOLE, text[start:end], (start, end))
        if "department" in after or after.startswith(("部门", "部")):
            kept = {t: v for t, v in things.items() if t.kind == "department"} or things
        elif re.search(r"\btypes?\b|类型", around):
            kept = {t: v for t, v in things.items() if t.kind == "type"} or things
        else:
            kept = things
        level = max(kept.values())
        best = [t for t, v in kept.items() if v == level]
        first = min(KINDS.index(t.kind) for t in best)
        best = [t for t in best if KINDS.index(t.kind) == first]
        return Match(tuple(best), level, text[start:end], (start, end))

    def nearest(self, term: str, *, goods: bool = False) -> tuple[tuple[Named, ...], float]:
        """Return what a term that is no name may mean: by spelling, else by meaning; the score of
        the best, and every thing within the margin of it. Nothing near enough gives (). goods: whether the
        term stands where a thing to buy stands; a Chinese one may then be written as another that sounds so."""
        if (
            goods
            and (meant := self._heard(term))
            and (found := self._best(self._chinese[meant], term, 0, len(term)))
        ):
            return found.things, 1.0
        close = difflib.get_close_matches(phrase(term), self._words, n=3, cutoff=SPELLING)
        if close:
            found = self._best(self._english[close[0]], term, 0, len(term))
            if found:
                return found.things, 1.0
        scored = self.ranked(term)
        if not scored or scored[0][1] < MEANING:
            return (), scored[0][1] if scored else 0.0
        best = scored[0][1]
        near = [(t, s) for t, s in scored if s >= max(MEANING, best - MARGIN)]
        kind = near[0][0].kind
        return tuple(t for t, _ in near if t.kind == kind)[:4], best

    def _heard(self, term: str) -> str:
        """The Chinese name that a term is but for one character that sounds alike ("酸乃" for 酸奶), "" where none is."""
        if not _HAN.search(term):
            return ""
        best, nearest = "", _ALIKE + 1
        for name in self._chinese:
            if len(name) != len(term):
                continue
            apart = [(a, b) for a, b in zip(term, name, strict=True) if a != b]
            if len(apart) == 1 and (far := _sound_apart(*apart[0])) < nearest:
                best, nearest = name, far
        return best

    def vectors(self) -> np.ndarray:
        """Return the embeddings of the names that can be found by meaning, encoded once."""
        if self._vectors is None:
            self._vectors = self._encoder.encode([text for _, text in self._meaning])
        return self._vectors

    def ranked(self, term: str, n: int = 8) -> list[tuple[Named, float]]:
        """Return the n things nearest in meaning to a term, with their cosines."""
        if not self._meaning:
            return []
        scores = self.vectors() @ self._encoder.encode([term])[0]
        best: dict[Named, float] = {}
        for i in np.argsort(-scores)[: 4 * n]:
            best.setdefault(self._meaning[int(i)][0], float(scores[i]))
        return list(best.items())[:n]
