"""Step 1, link: find in the question what exists. Deterministic; no LLM.

Everything that a plan may name comes from here: a customer, category, period or count that was not
linked cannot be planned with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from agent import vocabulary
from agent.amounts import find_amounts
from agent.bands import BandFinder
from agent.counts import find_counts
from agent.dictation import find_note, find_note_number
from agent.lexicon import Lexicon, Match
from agent.links import Links
from agent.periods import Period, chinese_number, find_periods
from agent.prompts import pattern
from customers.errors import Unknown
from customers.shop import Shop

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
_AHEAD = pattern("ahead")
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
_RANGE = re.compile(
    r"(?<![\d.])(?P<low>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan0>万))?\s*(?:-|–|to|至|到)\s*"
    r"(?P<high>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan>万))?(?:元|美元)?")  # fmt: skip
_CHAIN = re.compile(
    r"\s*(?:,|，|、|and|or|vs\.?|versus|&|和|与|跟|及|还是)\s*#?(\d{1,3}|[A-Z])(?![A-Za-z0-9_%.])"
    r"(?=\s*(?:$|[^\w\s]|(?:and|or|vs|versus|in|on|to|for|by|do|did|does|perform|compare|differ|better|more|spend|buy)\b|[和与跟及还谁哪的相比对中在花买号]))"
)
_KIDS = re.compile(
    r"\b(?:with|have|having)\s+(?:kids|children)\b|(?<![没没无])有(?:孩子|小孩|子女)", re.IGNORECASE
)
_PRONOUN = pattern("pronoun")
_SAME_THING = pattern("same_thing")
_NEW_ONLY = pattern("new_only")
_ASCENDING = pattern("ascending")

_GOODS = ("category", "type", "product")
_HAN = re.compile(r"[\u3400-\u9fff]")
_FIGURES = ("money", "baskets", "units", "customers", "share", "")
Span = tuple[int, int]


class Linker:
    """Links questions to one shop."""

    def __init__(self, shop: Shop, lexicon: Lexicon) -> None:
        self._shop, self._lexicon = shop, lexicon
        self._campaigns = set(shop.keys("campaign"))
        self._campaign_kinds = _kinds(str(k) for (k,) in shop.query("select distinct kind from campaigns"))
        self._segments = list(shop.keys("segment"))
        self._attribute_values = list(shop.keys("attribute_value"))
        self._bands = BandFinder(self._attribute_values)
        rows = shop.query("select type, arg_max(category, n) from (select type, category, count(*) n from products "
                          "where type is not null and category is not null group by all) group by type")  # fmt: skip
        self._category_of = {str(t): str(c) for t, c in rows}

    def link(self, text: str) -> Links:
        """Return what the text names; each stretch of it is used once, ids before names."""
        links, free = Links(text), [True] * len(text)
        self._dictated(links, free)
        self._customers(links, free)
        if links.note:
            _use(free, 0, len(text))  # a command, not a question: it names a customer and nothing else
        self._numbered(links, free)
        _taken(_AHEAD, text, free)
        self._ranges(links, free)
        self._bounded(links, free)
        self._periods(links, free)
        self._durations(links, free)
        self._modifiers(links, free)
        matches = self._compounds(text, self._lexicon.find(text, free, spelling=True))
        for match in matches:
            self._name(links, match, free)
        self._persons(links, free)
        self._counts(links, free)
        self._bare_customers(links, free)
        self._terms(links, free, matches)
        return links

    def _dictated(self, links: Links, free: list[bool]) -> None:
        """A note's own words; only the customers before them are linked."""
        if found := find_note_number(links.text):
            links.note_number, span = found
            _use(free, *span)
        note = find_note(links.text)
        if note is None or found:
            return
        links.note = note.text
        _use(free, *note.span)
        for written in note.customers:
            place = links.text.find(written)
            self._customer(links, written, (place, place + len(written)))
            _use(free, place, place + len(written))

    def _bounded(self, links: Links, free: list[bool]) -> None:
        """Numbers that bound something: an attribute's bands, or a figure of what was bought."""
        for meant in self._bands.find(links.text, free):
            for value in meant.values:
                links.add("attribute_value", f"{meant.attribute}={value}", meant.span)
            if len(meant.values) > 1:
                links.joined.add(meant.attribute)
            _use(free, *meant.span)
        for amount in find_amounts(links.text, free):
            if amount.bounded and amount.unit in _FIGURES:
                links.amounts.append(amount)
                _use(free, *amount.span)
            elif amount.unit in ("money", "share"):
                _use(free, *amount.span)

    def _durations(self, links: Links, free: list[bool]) -> None:
        """ "For more than 30 days": no period, and 30 counts nothing."""
        for amount in find_amounts(links.text, free):
            if amount.bounded and amount.unit == "time":
                _use(free, *amount.span)

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
                    place = links.text.find(customer, m.start())
                    self._customer(links, customer, (place, place + len(customer)))
                _use(free, m.start(), m.end())

    def _customer(self, links: Links, written: str, span: Span) -> None:
        plain = written.lstrip("0")
        if self._shop.has_customer(written):
            links.add("customer", written, span)
        elif plain and self._shop.has_customer(plain):
            links.add("customer", plain, span)
        elif ("customer", written) not in links.unknown:
            links.unknown.append(("customer", written))

    def _numbered(self, links: Links, free: list[bool]) -> None:
        for m in [
            *(_taken(self._campaign_kinds, links.text, free) if self._campaign_kinds else ()),
            *_taken(_CAMPAIGN, links.text, free),
        ]:
            self._campaign(links, next(g for g in m.groups() if g), m.span())
            for key, span in _chained(links.text, m.end(), free):
                self._campaign(links, key, span)
        for m in _taken(_PRODUCT, links.text, free):
            self._product(links, next(g for g in m.groups() if g), m.span())
        for m in _taken(_SEGMENT, links.text, free):
            self._segment(links, next(g for g in m.groups() if g), m.span())
            for key, span in _chained(links.text, m.end(), free):
                self._segment(links, key, span)

    def _campaign(self, links: Links, key: str, span: Span) -> None:
        if key in self._campaigns:
            links.add("campaign", key, span)
        else:
            links.unknown.append(("campaign", key))

    def _product(self, links: Links, key: str, span: Span) -> None:
        try:
            self._shop.product_name(key)
        except Unknown:
            links.unknown.append(("product", key))
        else:
            links.add("product", key, span)

    def _segment(self, links: Links, written: str, span: Span) -> None:
        place = (
            chinese_number(written) if not written.isalpha() or not written.isascii() else ord(written) - 64
        )
        by_place = self._segments[place - 1] if place and 0 < place <= len(self._segments) else None
        key = written if written in self._segments else by_place
        if key is not None:
            links.add("segment", key, span)
        else:
            links.unknown.append(("segment", written))

    def _ranges(self, links: Links, free: list[bool]) -> None:
        """Attribute values written as their own ranges ("45-54", "45 to 54"), and children."""
        for m in _RANGE.finditer(links.text):
            wanted = [str(n) for n in _bounds(m)]
            for key in self._attribute_values:
                if re.findall(r"\d+", key.partition("=")[2]) == wanted and all(free[m.start() : m.end()]):
                    links.add("attribute_value", key, m.span())
                    _use(free, m.start(), m.end())
        for m in _taken(_KIDS, links.text, free):
            links.joined.add("kids_count")
            for key in self._attribute_values:
                if re.fullmatch(r"kids_count=[1-9]\+?", key):
                    links.add("attribute_value", key, m.span())

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
        asked = links.text.replace(links.note, " ") if links.note else links.text
        links.pronoun = bool(_PRONOUN.search(asked))
        links.same_thing = bool(_SAME_THING.search(asked))

    def _name(self, links: Links, match: Match, free: list[bool]) -> None:
        if match.text.lower() in vocabulary.NEVER_NAMES:
            return
        _use(free, *match.span)
        kinds = {t.kind for t in match.things}
        if len(match.things) > 1 and kinds != {"attribute_value"}:
            links.ambiguous.append((match.text, match.things[:5]))
            return
        for thing in match.things:
            links.add(thing.kind, thing.key, match.span)
            if len(match.things) > 1:
                links.joined.add(thing.key.partition("=")[0])

    def _compounds(self, text: str, matches: list[Match]) -> list[Match]:
        """Two goods right beside each other are one noun ("almond milk"): the whole of it by meaning
        where something is near enough, else its head, the last in either language."""
        kept: list[Match] = []
        for match in matches:
            before = kept[-1] if kept else None
            if before is None or not _one_noun(text, before, match):
                kept.append(match)
                continue
            span = (before.span[0], match.span[1])
            whole = text[slice(*span)]
            things, _score = self._lexicon.nearest(whole)
            head = things if len(things) == 1 else match.things
            kept[-1] = Match(head, match.level, whole, span)
        return kept

    def _persons(self, links: Links, free: list[bool]) -> None:
        """Small numbers that the sentence treats as a person; they would be taken as counts."""
        chained = -1
        for m in _BARE_ID.finditer(links.text):
            if not all(free[m.start() : m.end()]) or not self._shop.has_customer(m.group(1)):
                continue
            before, after = links.text[: m.start()], links.text[m.end() :]
            goes_on = chained >= 0 and _PERSON_CHAIN.fullmatch(links.text[chained : m.start()])
            if (goes_on or _PERSON.search(before)) and _PERSON_NEXT.match(after):
                links.add("customer", m.group(1), m.span(1))
                _use(free, m.start(), m.end())
                chained = m.end()

    def _counts(self, links: Links, free: list[bool]) -> None:
        for count in find_counts(links.text, free, self._shop.has_customer):
            _use(free, *count.span)
            if count.value:
                links.counts.append(count.value)
                links.counted.append(count.counted)

    def _bare_customers(self, links: Links, free: list[bool]) -> None:
        """A number that is left over, counts nothing and is a customer's id, is that customer."""
        for m in _BARE_ID.finditer(links.text):
            if not all(free[m.start() : m.end()]):
                continue
            if self._shop.has_customer(m.group(1)):
                links.add("customer", m.group(1), m.span(1))
                _use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{5,}", m.group(1)):
                self._product(links, m.group(1), m.span(1))
                _use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{3,}", m.group(1)):
                links.unknown.append(("customer", m.group(1)))
                _use(free, m.start(), m.end())
        if not links.customers and links.counts and re.fullmatch(r"\W*\d+\W*", links.text):
            written = re.findall(r"\d+", links.text)[0]
            links.counts.clear()
            links.counted.clear()
            place = links.text.find(written)
            self._customer(links, written, (place, place + len(written)))

    def _terms(self, links: Links, free: list[bool], matches: list[Match]) -> None:
        for term, start, end in vocabulary.content_terms(links.text, free):
            things, _score = self._lexicon.nearest(term)
            if _qualifies(links.text, (start, end), matches):
                links.terms.append(term)
            elif len(things) == 1:
                links.add(things[0].kind, things[0].key, (start, end))
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


def _one_noun(text: str, a: Match, b: Match) -> bool:
    gap = text[a.span[1] : b.span[0]]
    goods = all(t.kind in _GOODS for t in (*a.things, *b.things))
    return goods and (gap in (" ", "-") or (gap == "" and bool(_HAN.search(b.text))))


def _qualifies(text: str, term: Span, matches: list[Match]) -> bool:
    """Whether an unknown word only qualifies the goods right behind it ("kitchen towels", "冷冻比萨")."""
    return any(
        text[term[1] : m.span[0]] in ("", " ", "-") and m.things[0].kind in _GOODS
        for m in matches
        if m.span[0] >= term[1]
    )


def _kinds(kinds: Iterable[str]) -> re.Pattern[str] | None:
    """A campaign named by its kind and number ("TypeA 18", "type A no. 18")."""
    spaced = [
        r"[\s-]?".join(map(re.escape, re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\da-zA-Z]+", kind)))
        for kind in kinds
    ]
    forms = "|".join(sorted(filter(None, spaced), key=len, reverse=True))
    return (
        re.compile(rf"(?:{forms})\s*(?:campaigns?|活动)?\s*(?:number|no\.?|#)?\s*(\d+)\b", re.IGNORECASE)
        if forms
        else None
    )


def _chained(text: str, at: int, free: list[bool]) -> Iterable[tuple[str, Span]]:
    """The further numbers of a list ("campaigns 8 and 13"), which are used up; no count of what follows."""
    while (m := _CHAIN.match(text, at)) and all(free[m.start() : m.end()]):
        _use(free, m.start(), m.end())
        yield m.group(1), m.span(1)
        at = m.end()


def _bounds(m: re.Match[str]) -> tuple[int, int]:
    """The two ends of a range, in thousands where it is written in ten thousands (万)."""
    scale = 10 if m["wan"] or m["wan0"] else 1
    return round(float(m["low"]) * scale), round(float(m["high"]) * scale)


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
