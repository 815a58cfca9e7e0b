"""Counts in a question ("top 5 categories", "三款商品", "two hundred people"): the number, and what the noun
beside it counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.amounts import han_value
from agent.prompts import pattern, patterns

_WORDS = {w: i for i, w in enumerate(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split(), 1)} | {
    w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)} | {
    "a": 1, "half a": 0.5}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "dozen": 12, "couple of": 2}
_SCALE = r"hundred|thousand|dozen|couple\s+of(?!\s+(?:days|weeks|weekends|months|quarters|years)\b)"
_WORD = "|".join(w for w in _WORDS if w not in ("a", "half a"))
_EN = re.compile(
    r"(?<![\w.$#第-])(?<!\d,)(?:(?P<figures>\d{1,3}(?:,\d{3})+|\d{1,4})(?:[\s-](?P<times>hundred|thousand|dozen)s?)?"
    rf"|(?:(?P<base>{_WORD}|half\s+a|a)[\s-])?(?P<scale>{_SCALE})(?:\s+(?:and\s+)?(?P<rest>{_WORD})(?:-(?P<rest_ones>{_WORD}))?)?"
    rf"|(?P<word>{_WORD})(?:[\s-](?P<ones>{_WORD}))?)"
    r"(?![\w%-]|[.,]\d|\s?(?:[万千百亿岁元¢]|cents?\b))",
    re.IGNORECASE | re.ASCII,
)
_ZH = re.compile(
    r"(?<![第\d.])(?:(?P<n>\d{1,4}|[一二两三四五六七八九十百千]{1,6})(?:来|多|几)?\s*"
    r"(?P<of>个人(?!均|群)|人(?![均群口气家数次])|个|种|位|名|款|样|件|类|大|条|户|份|张|封)"
    r"|(?<=前)\s*(?P<top>\d{1,4}|[一二两三四五六七八九十百]{1,4})(?![\d.%％个天日周年月次期季分小半一二两三四五六七八九十百千]|\s*星期))"
)
_NOUNS = patterns("counted")
_BETWEEN_EN = r"(?:[\s-]+(?:of\s+(?:our|the|my|their|these|those)\b|(?!(?:to|for|of|in|with|who|that|and|or|from|by|on|at|per)\b)[a-z'’&-]+)){0,4}?[\s-]+"
_BETWEEN_ZH = r"[^，。、给和与跟？?,]{0,8}?"
_FOLLOWS = {
    kind: re.compile(f"(?:{_BETWEEN_EN}|{_BETWEEN_ZH})(?P<noun>{noun.pattern})", re.IGNORECASE)
    for kind, noun in _NOUNS.items()
}
_ADJOINS = re.compile(
    r"\s*(?:(?:more|other|further|new|best|top|most|likely|likeliest|biggest|largest)\s+){0,2}"
    rf"(?:{'|'.join(noun.pattern for noun in _NOUNS.values())})|\s*[个种位名款件条人]",
    re.IGNORECASE,
)
_MEASURE_WORDS = {"位": "customer", "名": "customer", "个人": "customer", "人": "customer", "户": "customer",
                  "款": "product"}  # fmt: skip
_ONE_EACH = pattern("one_each")
_LIKELY = re.compile(r"\s*(?:best|most|top|likely|likeliest)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Count:
    """A count, the kind of thing that it counts ("" where no noun tells), and where it stands."""

    value: int
    counted: str
    span: tuple[int, int]


def find_counts(text: str, free: Sequence[bool], is_customer: Callable[[str], bool]) -> list[Count]:
    """Return the counts of a text in order. A figure of three digits or more that is a customer's id
    counts something only where a noun says so; `free[i]` says whether character i may be used. One of
    anything is no count, but one for each of several people is ("one product each", "各推荐一款")."""
    room, found = list(free), []
    for count in [*_one_each(text), *_chinese(text), *_english(text, is_customer)]:
        start, end = count.span
        if all(room[start:end]):
            room[start:end] = [False] * (end - start)
            found.append(count)
    return sorted(found, key=lambda c: c.span)


def counts_what_follows(text: str, at: int) -> bool:
    """Whether a number that ends at `at` has what it counts right behind it ("3 more products")."""
    return bool(_ADJOINS.match(text, at))


def _one_each(text: str) -> Iterable[Count]:
    for m in _ONE_EACH.finditer(text):
        start, end = next(m.span(name) for name, said in m.groupdict().items() if said)
        yield Count(1, _noun(text, end) or "product", (start, end))


def _chinese(text: str) -> Iterable[Count]:
    for m in _ZH.finditer(text):
        written, measure = m["n"] or m["top"], m["of"]
        value = int(written) if written.isdigit() else int(han_value(written) or 0)
        if not value:
            continue
        # 一位顾客 is any one of them; 1位 is a count
        counts = value > 1 or written.isdigit()
        kind = _MEASURE_WORDS.get(measure) or _noun(text, m.end())
        yield Count(value if counts else 0, kind, m.span())


def _english(text: str, is_customer: Callable[[str], bool]) -> Iterable[Count]:
    for m in _EN.finditer(text):
        value = _value(m)
        if value < 2 and not m["figures"]:
            continue
        an_id = m["figures"] and not m["times"] and value >= 100 and is_customer(str(value))
        if not an_id or counts_what_follows(text, m.end()) or _LIKELY.match(text, m.end()):
            yield Count(value, _noun(text, m.end()), m.span())


def _value(m: re.Match[str]) -> int:
    """The number that is written in figures, words, or both ("20", "two hundred", "3 dozen")."""

    def of(group: str) -> float:
        return _WORDS.get(" ".join((m[group] or "").lower().split()), 0)

    if m["figures"]:
        return int(m["figures"].replace(",", "")) * _SCALES.get((m["times"] or "").lower(), 1)
    if m["scale"]:
        scale = _SCALES[" ".join(m["scale"].lower().split())]
        return int((of("base") or 1) * scale + of("rest") + of("rest_ones"))
    return int(of("word") + of("ones"))


def _noun(text: str, at: int) -> str:
    """The kind of the noun that comes first after a number."""
    found = {kind: m for kind, form in _FOLLOWS.items() if (m := form.match(text, at))}
    # of two that begin at one place the longer tells ("商品类型", not "商品")
    return min(found, key=lambda kind: (found[kind].start("noun"), -found[kind].end()), default="")
