"""Counts in a question ("top 5 categories", "三款商品"): the number, and what the noun beside it counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.periods import chinese_number
from agent.prompts import patterns

_WORDS = {w: i for i, w in enumerate(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(), 2)} | {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12}  # fmt: skip
_EN = re.compile(
    r"(?<![\w.$#-])(\d{1,4}|" + "|".join(_WORDS) + r")(?![\w%-]|\.\d|\s?[万千百亿岁元])",
    re.IGNORECASE | re.ASCII,
)
_ZH = re.compile(
    r"(?:前|最\w{0,2}的)?\s*(?P<n>\d{1,4}|[一二两三四五六七八九十]{1,3})\s*(?P<of>个|种|位|名|款|样|件|类|大|条)"
)
_NOUNS = patterns("counted")
_BETWEEN_EN = r"(?:[\s-]+(?:of\s+(?:our|the|my|their|these|those)\b|(?!(?:to|for|of|in|with|who|that|and|or|from|by|on|at|per)\b)[a-z'’&-]+)){0,4}?[\s-]+"
_BETWEEN_ZH = r"[^，。、给和与跟？?,]{0,8}?"
_FOLLOWS = {
    kind: re.compile(f"(?:{_BETWEEN_EN}|{_BETWEEN_ZH})(?:{noun.pattern})", re.IGNORECASE)
    for kind, noun in _NOUNS.items()
}
_MEASURE_WORDS = {"位": "customer", "名": "customer", "款": "product"}


@dataclass(frozen=True, slots=True)
class Count:
    """A count, the kind of thing that it counts ("" where no noun tells), and where it stands."""

    value: int
    counted: str
    span: tuple[int, int]


def find_counts(text: str, free: Sequence[bool], is_customer: Callable[[str], bool]) -> list[Count]:
    """Return the counts of a text in order. A figure of three digits or more that is a customer's id
    counts something only where a noun says so; `free[i]` says whether character i may be used."""
    room, found = list(free), []
    for m in _ZH.finditer(text):
        value = chinese_number(m["n"])
        if not value or not all(room[m.start() : m.end()]):
            continue
        room[m.start() : m.end()] = [False] * (m.end() - m.start())
        # 一位顾客 is any one of them; 1位 is a count
        counts = not (value == 1 and not m["n"].isdigit())
        kind = _MEASURE_WORDS.get(m["of"]) or _noun(text, m.end())
        found.append(Count(value if counts else 0, kind, m.span()))
    for m in _EN.finditer(text):
        word = m.group(1).lower()
        value, kind = _WORDS.get(word) or int(word), _noun(text, m.end())
        if not all(room[m.start() : m.end()]):
            continue
        if value < 100 or not is_customer(str(value)) or _is_counted(text, m.end()):
            found.append(Count(value, kind, m.span()))
    return sorted(found, key=lambda c: c.span)


def _noun(text: str, at: int) -> str:
    """The kind of the noun that comes first after a number."""
    ends = {kind: m.end() for kind, form in _FOLLOWS.items() if (m := form.match(text, at))}
    return min(ends, key=lambda kind: ends[kind]) if ends else ""


def _is_counted(text: str, end: int) -> bool:
    return bool(
        re.match(
            r"\s*(?:best|most|top|likely|customers?|households?|people|products?|items?|shoppers?|个|位|名)",
            text[end : end + 24].lower(),
        )
    )
