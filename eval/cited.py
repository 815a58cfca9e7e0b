"""Cited: whether an answer says what the facts say that it cites there, statement by statement.

A statement is the text before a footnote, on its line or in its table. Its figures (and what they count), its names,
ids, dates and directions must be those of the facts it cites. Nothing here reads the data: whether the facts are true
is eval/audit.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eval.figures import Unit, Written, figures, says

Reply = Mapping[str, Any]
Names = Mapping[tuple[str, str], tuple[str, str]]

FOOTNOTE = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
PRODUCT_ID = re.compile(r"[(（]#(\d+)[)）]")
NUMBERED = re.compile(r"^\s*(\d+)[.)、]\s")
ID = re.compile(
    r"(?:[Cc]ustomers?|[Hh]ouseholds?|[Cc]ampaigns?|顾客|客户|会员|活动)\s*#?(\d+)|(\d+)\s*号(?:顾客|客户|会员)|#(\d+)"
)
MONTHS = {name: number for number, name in enumerate(
    ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
     "December"), 1)}  # fmt: skip
_DATE = re.compile(
    rf"\b({'|'.join(MONTHS)})\s+(?:(\d{{1,2}}),\s*)?(\d{{4}})\b|(\d{{4}})\s*年(?:\s*(\d{{1,2}})\s*月(?:\s*(\d{{1,2}})\s*日)?)?"
    r"|\b(\d{4})-(\d\d)(?:-(\d\d))?\b"
)
OPPOSITES = (
    ("highest", "lowest"), ("most", "least"), ("at least", "at most"), ("more than", "less than"), ("above", "below"),
    ("raises", "lowers"), ("rose", "fell"), ("higher", "lower"), ("more", "fewer"), ("High-spend", "Low-spend"),
    ("最高", "最低"), ("最多", "最少"), ("超过", "不到"), ("至少", "至多"), ("高于", "低于"), ("多于", "少于"), ("提高", "降低"),
    ("上升", "下降"), ("增长", "减少"), ("高消费", "低消费"),
)  # fmt: skip
_COUNTED = (
    ("customers", r"customers?\b|shoppers?\b|households?\b|people\b|members?\b|位|名"),
    ("trips", r"(?:shopping )?trips?\b|visits?\b|baskets?\b|次|个购物篮|回"),
    ("products", r"(?:different )?products?\b|items?\b|种|个商品|款"),
    ("coupons", r"coupons?\b|张"),
    ("units", r"units?\b|件"),
    ("days", r"days?\b|天"),
    ("times", r"times\b|倍"),
)
_COUNTED_FORMS = tuple((kind, re.compile(rf"\s*(?:{form})", re.IGNORECASE)) for kind, form in _COUNTED)


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of an answer and the numbers of the facts it cites; `rows` are the rows of a table without its head."""

    text: str
    cites: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...] = ()


def statements(answer: str) -> list[Statement]:
    """Return the pieces of an answer that cite something, in order."""
    found, table = [], []
    for line in answer.split("\n"):
        bare = line.strip()
        if bare.startswith("|") and not FOOTNOTE.search(bare):
            table.append(bare)
            continue
        begin = 0
        for mark in _groups(line):
            text = line[begin : mark[0]]
            rows = _rows(table) if not text.strip() else ()
            found.append(Statement("\n".join(table) if rows else text, mark[2], rows))
            begin = mark[1]
        if bare:
            table = []
    return found


def _groups(line: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Footnotes that stand side by side are one: where they begin and end, and their numbers."""
    for marks in re.finditer(rf"{FOOTNOTE.pattern}(?:\s*{FOOTNOTE.pattern})*", line):
        yield marks.start(), marks.end(), tuple(int(n) for n in re.findall(r"\d+", marks.group()))


def _rows(table: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]
    head = next((i for i, row in enumerate(rows) if all(re.fullmatch(r":?-+:?", c) for c in row)), -1)
    return tuple(rows[head + 1 :])


class Citing:
    """Checks answers against the facts they cite; `names` are (kind, key) -> names in both languages."""

    def __init__(self, names: Names) -> None:
        self._names = names

    @cached_property
    def _form(self) -> re.Pattern[str]:
        latin, chinese = set[str](), set[str]()
        for (kind, _), (english, han) in self._names.items():
            if kind in ("category", "department"):
                latin.add(english)
                chinese.add(han)
        ordered = [sorted(some - {""}, key=len, reverse=True) for some in (latin, chinese)]
        forms = [
            rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered[0]))})(?!\w)",
            "|".join(map(re.escape, ordered[1])),
        ]
        return re.compile(
            "|".join(form for form, some in zip(forms, ordered, strict=True) if some) or r"(?!)"
        )

    def named(self, text: str) -> list[str]:
        """Return the names of categories and departments in a text, the longest at each place."""
        return [found.group() for found in self._form.finditer(text)]

    def check(self, reply: Reply) -> list[str]:
        """Return one line for each thing that an answer says and the facts it cites there do not."""
        facts = {int(c["n"]): str(c["fact"]) for c in reply.get("citations", ())}
        if not facts:
            return []
        args = _told(reply)
        answer, wrong = str(reply["answer"]).replace("\\", ""), []
        for piece in statements(answer):
            cited = "\n".join(facts[n] for n in piece.cites if n in facts).replace("\\", "")
            if cited:
                wrong += self._statement(piece, cited, args)
        everything = "\n".join(facts.values()).replace("\\", "")
        wrong += self._called(answer, everything, args, "no fact")
        wrong += _signed(answer, everything)
        return list(dict.fromkeys([*wrong, *_misordered(answer, facts), *misnamed(reply)]))

    def _statement(self, piece: Statement, cited: str, args: str) -> list[str]:
        place = "".join(f"[{n}]" for n in piece.cites)
        if piece.rows:
            return [line for row in piece.rows for line in _row(row, cited, place)]
        wrong = _figures(piece.text, cited, place) + _turned(piece.text, cited, place)
        return wrong + self._called(piece.text, cited, args, f"{place} does not")

    def _called(self, text: str, facts: str, args: str, who: str) -> list[str]:
        """Names, ids and dates of a text that neither the facts nor what the tools were given hold."""
        allowed = f"{facts}\n{args}"
        wrong = []
        if strange := [name for name in self.named(text) if name not in allowed]:
            known = {key for name in self.named(facts) for key in self._keys(name)}
            wrong = [n for n in strange if not self._keys(n) & known and not self._given(n, args)]
        ids = {number for found in ID.findall(facts) for number in found if number} | set(
            re.findall(r"\d+", args)
        )
        ids |= set(re.findall(r"(?<![\d.,$])\d+(?![\d.,%])", facts))
        wrong += [number for found in ID.findall(text) for number in found if number and number not in ids]
        dates = list(_dates(allowed))
        wrong += [_written(date) for date in _dates(text) if not any(_agree(date, other) for other in dates)]
        return [f"the answer tells of {what}, {who}" for what in dict.fromkeys(wrong)]

    def _keys(self, name: str) -> set[str]:
        return {key for (_, key), both in self._names.items() if name in both}

    def _given(self, name: str, args: str) -> bool:
        return any(f"'{key}'" in args for key in self._keys(name))


def misnamed(reply: Reply) -> list[str]:
    """Return the products that an answer calls by another name than the offer of that id has."""
    answer, wrong = str(reply["answer"]).replace("\\", ""), []
    for offer in reply.get("recommendations", ()):
        name = PRODUCT_ID.sub("", str(offer["name"]).replace("\\", "")).strip()
        for mark in PRODUCT_ID.finditer(answer):
            if mark[1] == str(offer["product_id"]) and not answer[: mark.start()].rstrip().endswith(name):
                wrong.append(f"product {mark[1]} is {name}, and the answer calls it something else")
    return wrong


def _told(reply: Reply) -> str:
    return "\n".join(f"{step['args']}" for step in reply.get("steps", ()))


def _figures(text: str, cited: str, place: str) -> list[str]:
    """Figures of a statement that its facts do not state, or state of something else."""
    clean = PRODUCT_ID.sub(lambda m: " " * len(m.group()), text)
    stated = list(counts(PRODUCT_ID.sub(" ", cited)))
    wrong = []
    for number, counted in counts(clean):
        alike = [(w, c) for w, c in stated if w.unit == number.unit and says(number, w.value)]
        same = [c for w, c in alike if w.value == number.value] or [c for _, c in alike]
        if not same:
            wrong.append(f"{number.text} is not what {place} says")
        elif counted and all(c and c != counted for c in same):
            wrong.append(f"{number.text} {counted}: {place} counts {same[0]}")
    return wrong


def _signed(answer: str, facts: str) -> list[str]:
    """Percents that the answer takes away and no fact does; the dash of a range is no sign."""
    form = r"(?<![A-Za-z0-9_%％.–-])(?<![–-] )[-−]\s*(\d[\d,.]*\s*[%％])"
    told = {found.replace(" ", "") for found in re.findall(form, facts)}
    return [
        f"-{said} has a sign that no fact has"
        for said in re.findall(form, answer)
        if said.replace(" ", "") not in told
    ]


def counts(text: str) -> Iterator[tuple[Written, str]]:
    """Each figure of a text with what it counts, "" where that is not told."""
    begin = 0
    for number in figures(text):
        place = text.find(number.text, begin)
        begin = max(place, begin - 1) + (len(number.text) if place >= 0 else 1)
        yield number, next((kind for kind, form in _COUNTED_FORMS if form.match(text, begin)), "")


def _turned(text: str, cited: str, place: str) -> list[str]:
    """Directions of a statement that are the opposite of its facts'."""
    wrong = []
    for pair in OPPOSITES:
        said, told = [{word for word in pair if _has(word, of)} for of in (text, cited)]
        if len(said) == 1 and len(told) == 1 and said != told:
            wrong.append(f"says {said.pop()}, {place} says {told.pop()}")
    return wrong


def _has(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    # "at least" is no "least".
    return re.search(rf"(?<!\w)(?<!\bat ){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _row(row: Sequence[str], cited: str, place: str) -> list[str]:
    """What of a table's row its fact does not hold; a fact has its rows apart by semicolons."""
    parts = [part.strip() for part in re.split(r";|\n", cited)]
    own = [part for part in parts if row[0] and row[0] in part]
    if any(all(cell in part for cell in row) for part in own):
        return []
    return [f"the row {' | '.join(row)} is not what {place} says"]


def _misordered(answer: str, facts: Mapping[int, str]) -> list[str]:
    """A numbered list whose facts have numbers of their own keeps to their order."""
    before: tuple[int, int] | None = None
    for line in answer.split("\n"):
        own, cited = NUMBERED.match(line), FOOTNOTE.search(line)
        if not own or not cited:
            before = before if not line.strip() else None
            continue
        of_fact = NUMBERED.match(facts.get(int(cited[1].split(",")[0]), ""))
        if not of_fact:
            continue
        here = int(own[1]), int(of_fact[1])
        if before and here[0] > before[0] and here[1] < before[1]:
            return [
                f"number {here[0]} of the list is number {here[1]} of its ranking, after number {before[1]}"
            ]
        before = here
    return []


def _dates(text: str) -> Iterable[tuple[int, int, int]]:
    """The dates of a text: year, month and day, 0 where it does not tell."""
    for m in _DATE.finditer(text):
        if m[1]:
            yield int(m[3]), MONTHS[m[1]], int(m[2] or 0)
        else:
            yield int(m[4] or m[7]), int(m[5] or m[8] or 0), int(m[6] or m[9] or 0)


def _agree(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return all(not a or not b or a == b for a, b in zip(one, other, strict=True)) and (
        not one[1] or bool(other[1])
    )


def _written(date: tuple[int, int, int]) -> str:
    return "-".join(f"{part:02}" for part in date if part)


def footnotes(reply: Reply) -> list[str]:
    """Footnotes of an answer that cite nothing."""
    known = {int(c["n"]) for c in reply.get("citations", ())}
    used = {
        int(n) for group in re.findall(r"\[(\d+(?:\s*,\s*\d+)*)\]", reply["answer"]) for n in group.split(",")
    }
    return [f"[{n}] stands in the answer and cites nothing" for n in sorted(used - known)]


def loose_figures(reply: Reply) -> list[str]:
    """Figures of an answer that no cited fact states (money and percents always; plain numbers too
    where the answer cites anything at all)."""
    facts = "\n".join(str(c["fact"]) for c in reply.get("citations", ()))
    supported = figures(facts)
    wrong = []
    for w in figures(PRODUCT_ID.sub("", reply["answer"])):
        if not facts and w.unit is Unit.PLAIN:
            continue
        if not any(s.unit == w.unit and says(w, s.value) for s in supported) and w.value != len(
            reply.get("recommendations", ())
        ):
            wrong.append(f"{w.text} stands in the answer and in no cited fact")
    return wrong
