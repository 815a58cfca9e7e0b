"""Step 1, link: find in the question what exists. Deterministic; no LLM.

Everything that a plan may name comes from here: a customer, category, period or count that was not
linked cannot be planned with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from agent import vocabulary
from agent.lexicon import Lexicon, Match, Named
from agent.periods import Period, chinese_number, find_periods
from agent.prompts import pattern
from customers.errors import Unknown
from customers.shop import Shop

_COUNT_WORDS = {w: i for i, w in enumerate(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(), 2)} | {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12}  # fmt: skip
_ID = r"#?\s?([A-Za-z]{0,4}[-_]?\d[\w-]*)"
_CUSTOMER = re.compile(
    rf"\b(?:customers?|clients?|shoppers?|households?|members?|users?)(?:\s+(?:numbers?|no\.?|ids?))?\s*:?\s*{_ID}"
    rf"((?:\s*(?:,|and|or|&|vs\.?|versus|to|with)\s*(?:customer\s+)?#?[A-Za-z]{{0,4}}[-_]?\d[\w-]*)*)", re.IGNORECASE | re.ASCII)  # fmt: skip
_CUSTOMER_ZH = re.compile(
    r"(?:顾客|客户|用户|会员|家庭)(?:编号|号码|号|ID|id)?\s*[:：为是]?\s*#?\s?([A-Za-z]{0,4}[-_]?\d[A-Za-z0-9_-]*)"
    r"((?:\s*(?:、|，|,|和|与|跟|及|或)\s*(?:顾客|客户|用户|会员)?\s*#?\d[A-Za-z0-9_-]*)*)")  # fmt: skip
_CUSTOMER_ZH_AFTER = re.compile(r"(\d[A-Za-z0-9_-]*)\s*号?(?:这[位个])?(?:顾客|客户|用户|会员)")
_CAMPAIGN = re.compile(r"\bcampaigns?\s*(?:number|no\.?|#)?\s*(\d+)|(?:活动|营销活动|促销)\s*#?\s?(\d+)|(?:第\s*)?(\d+)\s*[号期]\s*(?:营销)?活动", re.IGNORECASE)  # fmt: skip
_PRODUCT = re.compile(r"\b(?:products?|items?|sku)\s*(?:number|no\.?|id)?\s*:?\s*#?\s?(\d{3,}|[A-Za-z]{1,4}[-_]?\d[\w-]*)|(?:商品|产品)(?:编号|号)?\s*[:：]?\s*#?\s?(\d{3,}|[A-Za-z]{1,4}[-_]?\d[A-Za-z0-9_-]*)|#(\d{5,})", re.IGNORECASE)  # fmt: skip
_SEGMENT = re.compile(r"\b(?:segments?|groups?|clusters?)\s*(?:number|no\.?|#)?\s*(\d{1,2}|[A-Z])\b|(?:分群|群体|人群|细分)\s*#?\s?(\d{1,2}|[A-Z])|第([一二三四五六七八九十\d]+)个?(?:分群|群体|人群)")  # fmt: skip
_AMOUNT = re.compile(
    r"[$￥¥€£]\s?\d[\d,.]*|\d[\d,.]*\s?(?:dollars?|usd|美元|元|块钱?)|\d+(?:\.\d+)?\s?[%％]", re.IGNORECASE
)
_AHEAD = pattern("ahead")
_COUNT_EN = re.compile(
    r"(?<![\w.$#-])(\d{1,4}|" + "|".join(_COUNT_WORDS) + r")(?![\w%-]|\.\d|\s?[万千百亿岁元])",
    re.IGNORECASE | re.ASCII,
)
_BARE_ID = re.compile(r"(?<![\w.-])#?([A-Za-z]{0,4}[-_]?\d[\w-]*)(?![\w%]|\.\d|\s?[万千百亿岁元])", re.ASCII)
# A small number is a customer where the sentence makes it one: "what about 12?", "does 12 buy", "给12推荐".
_PERSON = re.compile(
    r"(?:^\W*|\b(?:about|does|did|do|is|was|has|will|would|for|offer|give|like|resembles?|compare|customers?|(?:recommend|send|sell|suggest|show)\b.*\bto)|给|那|为|和|跟|与|像|对|比|换成)\s*$",
    re.IGNORECASE)  # fmt: skip
_PERSON_CHAIN = re.compile(r"\s*(?:,|，|、|and|or|vs\.?|versus|和|与|跟|还是)\s*", re.IGNORECASE)
_PERSON_NEXT = re.compile(
    r"\s*(?:[?？!.。]?$|(?:呢|号|推荐|最|喜欢|会|花|买|更|谁|哪个|的)|(?:or|and|vs\.?|versus|、|,|和|与|跟|还是)\s*\d|"
    r"(?:like|likes|buy|buys|spend|spends|want|wants|need|needs|prefer|love|in|on|instead|more|most|less|next|to|come|last|usually|shop|be|going|differ|compare)\b|['’]s\b)",
    re.IGNORECASE)  # fmt: skip
_COUNT_ZH = re.compile(
    r"(?:前|最\w{0,2}的)?\s*(\d{1,4}|[一二两三四五六七八九十]{1,3})\s*(?:个|种|位|名|款|样|件|类|大|条)"
)
_RANGE = re.compile(
    r"(?<![\d.])(?P<low>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan0>万))?\s*(?:-|–|to|至|到)\s*"
    r"(?P<high>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan>万))?(?:元|美元)?")  # fmt: skip
_KIDS = re.compile(r"\b(?:with|have|having)\s+(?:kids|children)\b|有孩子|有小孩|有子女", re.IGNORECASE)
_PRONOUN = pattern("pronoun")
_SAME_THING = pattern("same_thing")
_NEW_ONLY = pattern("new_only")
_ASCENDING = pattern("ascending")


@dataclass(slots=True)
class Links:
    """What was found in one question. Lists keep the order of the text, without repeats."""

    text: str
    customers: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    """Ids that do not exist: (kind, id as written)."""
    things: dict[str, list[str]] = field(default_factory=dict)
    """Kind (category, department, type, brand, segment, campaign, product) -> keys."""
    attributes: dict[str, list[str]] = field(default_factory=dict)
    periods: list[Period] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    """What each of the counts counts (customer, product, category ...), "" where the text does not say."""
    amounts: list[Any] = field(default_factory=list)
    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    note: str = ""
    """The asker's own words of a note that is to be written."""
    note_number: int | None = None
    modifiers: set[str] = field(default_factory=set)
    ambiguous: list[tuple[str, tuple[Named, ...]]] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    """Content words that name nothing the shop has."""
    topic: str = ""
    """The asker's own words for what they look for (names and terms), for product search."""
    parents: dict[str, str] = field(default_factory=dict)
    """The category that each linked product type belongs to."""
    joined: set[str] = field(default_factory=set)
    """Attributes whose several values were named by one word ("with kids"): no comparison."""
    pronoun: bool = False
    same_thing: bool = False

    def keys(self, kind: str) -> list[str]:
        """Return the linked keys of a kind."""
        return self.customers if kind == "customer" else self.things.get(kind, [])

    def add(self, kind: str, key: str) -> None:
        """Note a linked thing once."""
        if kind == "attribute_value":
            attribute, _, value = key.partition("=")
            kept = self.attributes.setdefault(attribute, [])
            if value not in kept:
                kept.append(value)
            return
        kept = self.customers if kind == "customer" else self.things.setdefault(kind, [])
        if key not in kept:
            kept.append(key)

    def any(self) -> bool:
        """Whether the text named anything at all."""
        return bool(
            self.customers or any(self.things.values()) or self.attributes or self.periods or self.unknown
        )


class Linker:
    """Links questions to one shop."""

    def __init__(self, shop: Shop, lexicon: Lexicon) -> None:
        self._shop, self._lexicon = shop, lexicon
        self._campaigns = set(shop.keys("campaign"))
        self._segments = list(shop.keys("segment"))
        self._attribute_values = list(shop.keys("attribute_value"))
        rows = shop.query("select type, arg_max(category, n) from (select type, category, count(*) n from products "
                          "where type is not null and category is not null group by all) group by type")  # fmt: skip
        self._category_of = {str(t): str(c) for t, c in rows}

    def link(self, text: str) -> Links:
        """Return what the text names; each stretch of it is used once, ids before names."""
        links, free = Links(text), [True] * len(text)
        self._customers(links, free)
        self._numbered(links, free)
        for unused in (_AMOUNT, _AHEAD):
            _taken(unused, text, free)
        self._ranges(links, free)
        self._periods(links, free)
        self._modifiers(links, free)
        matches = self._lexicon.find(text, free)
        for match in matches:
            self._name(links, match, free)
        self._persons(links, free)
        self._counts(links, free)
        self._bare_customers(links, free)
        self._terms(links, free, matches)
        return links

    def _customers(self, links: Links, free: list[bool]) -> None:
        for form in (_CUSTOMER_ZH, _CUSTOMER, _CUSTOMER_ZH_AFTER):
            for m in form.finditer(links.text):
                if not all(free[m.start() : m.end()]):
                    continue
                if (
                    m.group(1)
                    and re.fullmatch(r"\d{1,2}", m.group(1))
                    and re.match(r"\s*(?:个|种|位|days?|best|most|times)", links.text[m.end() :])
                ):
                    continue
                ids = [
                    m.group(1),
                    *re.findall(r"[A-Za-z]{0,4}[-_]?\d[\w-]*", m.group(2) if m.re.groups > 1 else ""),
                ]
                for customer in ids:
                    self._customer(links, customer)
                _use(free, m.start(), m.end())

    def _customer(self, links: Links, written: str) -> None:
        if self._shop.has_customer(written):
            links.add("customer", written)
        elif written.lstrip("0") and self._shop.has_customer(written.lstrip("0")):
            links.add("customer", written.lstrip("0"))
        else:
            links.unknown.append(("customer", written))

    def _numbered(self, links: Links, free: list[bool]) -> None:
        for m in _taken(_CAMPAIGN, links.text, free):
            key = next(g for g in m.groups() if g)
            if key in self._campaigns:
                links.add("campaign", key)
            else:
                links.unknown.append(("campaign", key))
        for m in _taken(_PRODUCT, links.text, free):
            self._product(links, next(g for g in m.groups() if g))
        for m in _taken(_SEGMENT, links.text, free):
            self._segment(links, next(g for g in m.groups() if g))

    def _product(self, links: Links, key: str) -> None:
        try:
            self._shop.product_name(key)
        except Unknown:
            links.unknown.append(("product", key))
        else:
            links.add("product", key)

    def _segment(self, links: Links, written: str) -> None:
        place = (
            chinese_number(written) if not written.isalpha() or not written.isascii() else ord(written) - 64
        )
        by_place = self._segments[place - 1] if place and 0 < place <= len(self._segments) else None
        key = written if written in self._segments else by_place
        if key is not None:
            links.add("segment", key)
        else:
            links.unknown.append(("segment", written))

    def _ranges(self, links: Links, free: list[bool]) -> None:
        """Attribute values written as ranges ("45-54", "45 to 54"), over and under, and children."""
        for m in _RANGE.finditer(links.text):
            wanted = [str(n) for n in _bounds(m)]
            for key in self._attribute_values:
                if re.findall(r"\d+", key.partition("=")[2]) == wanted and all(free[m.start() : m.end()]):
                    links.add("attribute_value", key)
                    _use(free, m.start(), m.end())
        for m in re.finditer(
            r"(?:over|above|older than)\s+(\d\d)\b|(\d\d)\s?\+|(\d\d)岁(?:及)?以上", links.text
        ):
            number = next(g for g in m.groups() if g)
            key = next((k for k in self._attribute_values if k.endswith(f"={number}+")), None)
            if key and all(free[m.start() : m.end()]):
                links.add("attribute_value", key)
                _use(free, m.start(), m.end())
        if _taken(_KIDS, links.text, free):
            links.joined.add("kids_count")
            for key in self._attribute_values:
                if re.fullmatch(r"kids_count=[1-9]\+?", key):
                    links.add("attribute_value", key)

    def _periods(self, links: Links, free: list[bool]) -> None:
        info = self._shop.info
        for period in find_periods(links.text, info.first_day, info.last_day):
            if all(free[slice(*period.span)]):
                links.periods.append(_inside(period, info.first_day, info.last_day))
                _use(free, *period.span)

    def _modifiers(self, links: Links, free: list[bool]) -> None:
        if _taken(_NEW_ONLY, links.text, free):
            links.modifiers.add("new_only")
        if _taken(_ASCENDING, links.text, free):
            links.modifiers.add("ascending")
        links.pronoun = bool(_PRONOUN.search(links.text))
        links.same_thing = bool(_SAME_THING.search(links.text))

    def _name(self, links: Links, match: Match, free: list[bool]) -> None:
        if match.text.lower() in vocabulary.NEVER_NAMES:
            return
        _use(free, *match.span)
        kinds = {t.kind for t in match.things}
        if len(match.things) > 1 and kinds != {"attribute_value"}:
            links.ambiguous.append((match.text, match.things[:5]))
            return
        for thing in match.things:
            links.add(thing.kind, thing.key)
            if len(match.things) > 1:
                links.joined.add(thing.key.partition("=")[0])

    def _persons(self, links: Links, free: list[bool]) -> None:
        """Small numbers that the sentence treats as a person; they would be taken as counts."""
        chained = -1
        for m in _BARE_ID.finditer(links.text):
            if not all(free[m.start() : m.end()]) or not self._shop.has_customer(m.group(1)):
                continue
            before, after = links.text[: m.start()], links.text[m.end() :]
            goes_on = chained >= 0 and _PERSON_CHAIN.fullmatch(links.text[chained : m.start()])
            if (goes_on or _PERSON.search(before)) and _PERSON_NEXT.match(after):
                links.add("customer", m.group(1))
                _use(free, m.start(), m.end())
                chained = m.end()

    def _counts(self, links: Links, free: list[bool]) -> None:
        for m in _taken(_COUNT_ZH, links.text, free):
            value = chinese_number(m.group(1))
            if value and not (value == 1 and not m.group(1).isdigit()):
                links.counts.append(value)
        for m in _COUNT_EN.finditer(links.text):
            if not all(free[m.start() : m.end()]):
                continue
            word = m.group(1).lower()
            value = _COUNT_WORDS.get(word) or int(word)
            if value < 100 or not self._shop.has_customer(str(value)) or _counted(links.text, m.end()):
                links.counts.append(value)
                _use(free, m.start(), m.end())

    def _bare_customers(self, links: Links, free: list[bool]) -> None:
        """A number that is left over, counts nothing and is a customer's id, is that customer."""
        for m in _BARE_ID.finditer(links.text):
            if not all(free[m.start() : m.end()]):
                continue
            if self._shop.has_customer(m.group(1)):
                links.add("customer", m.group(1))
                _use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{5,}", m.group(1)):
                self._product(links, m.group(1))
                _use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{3,}", m.group(1)):
                links.unknown.append(("customer", m.group(1)))
                _use(free, m.start(), m.end())
        if not links.customers and links.counts and re.fullmatch(r"\W*\d+\W*", links.text):
            written = re.findall(r"\d+", links.text)[0]
            links.counts.clear()
            self._customer(links, written)

    def _terms(self, links: Links, free: list[bool], matches: list[Match]) -> None:
        for term, _start, _end in vocabulary.content_terms(links.text, free):
            things, _score = self._lexicon.nearest(term)
            if len(things) == 1:
                links.add(things[0].kind, things[0].key)
            elif things:
                links.ambiguous.append((term, things))
            else:
                links.terms.append(term)
        named = [
            re.sub(r"^(?:the|an?)\s+", "", m.text, flags=re.IGNORECASE)
            for m in matches
            if m.things[0].kind in ("category", "type", "department")
            and m.text.lower() not in vocabulary.NEVER_NAMES
        ]
        links.parents = {t: self._category_of[t] for t in links.keys("type") if t in self._category_of}
        links.topic = " ".join(dict.fromkeys([*named, *links.terms])).strip()


def _bounds(m: re.Match[str]) -> tuple[int, int]:
    """The two ends of a range, in thousands where it is written in ten thousands (万)."""
    scale = 10 if m["wan"] or m["wan0"] else 1
    return round(float(m["low"]) * scale), round(float(m["high"]) * scale)


def _counted(text: str, end: int) -> bool:
    after = text[end : end + 24].lower()
    return bool(
        re.match(
            r"\s*(?:best|most|top|likely|customers?|households?|people|products?|items?|shoppers?|个|位|名)",
            after,
        )
    )


def _inside(period: Period, first: date, last: date) -> Period:
    """A period that the data covers in part, as far as it does; others as they are."""
    if period.end < first or period.start > last:
        return period
    return replace(period, start=max(period.start, first), end=min(period.end, last))


def _use(free: list[bool], start: int, end: int) -> None:
    free[start:end] = [False] * (end - start)


def _taken(form: re.Pattern[str], text: str, free: list[bool]) -> list[re.Match[str]]:
    """Return the matches in what is still free of a text, and use it up."""
    found = []
    for m in form.finditer(text):
        if all(free[m.start() : m.end()]):
            _use(free, m.start(), m.end())
            found.append(m)
    return found
