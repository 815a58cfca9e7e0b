"""Step 1, link: find in the question what exists. Deterministic; no LLM.

Everything that a plan may name comes from here: a customer, category, period or count that was not
linked cannot be planned with.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from agent import cues, ids, vocabulary
from agent.amounts import find_amounts
from agent.bands import BandFinder
from agent.corrected import corrected
from agent.counts import find_counts
from agent.crowds import Crowds
from agent.dictation import find_note, find_note_number
from agent.earlier import earlier
from agent.ids import Span, taken, use
from agent.left_out import left_out
from agent.lexicon import SYNONYM, Lexicon, Match
from agent.links import Links
from agent.periods import Period, find_periods
from agent.prompts import pattern
from customers.errors import Unknown
from customers.shop import Shop

_AHEAD = pattern("ahead")
_IDIOMS = pattern("idioms")
_RANGE = re.compile(
    r"(?<![\d.])(?P<low>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan0>万))?\s*(?:-|–|to|至|到)\s*"
    r"(?P<high>\d+(?:\.\d+)?)\s?(?:[kK]|岁|(?P<wan>万))?(?:元|美元)?")  # fmt: skip
_KIDS = re.compile(
    r"\b(?:with|have|having)\s+(?:kids|children)\b|(?<![没没无])有(?:孩子|小孩|子女)", re.IGNORECASE
)
_DATED = re.compile(r"(?<!\d)\d{1,2}(?!\d).*(?:[A-Za-z]{3}|月)|[A-Za-z]{3}.*(?<!\d)\d{1,2}(?!\d)")
_IN_YEAR = re.compile(r"\b(?:in|during|since|until|till|before|after|by|year)\s*$", re.IGNORECASE)
_YEARS_AWAY, _FEW_ALIKE, _SOME_ALIKE = 3, 3, 5
_ONE_CUSTOMER = re.compile(r"(?:customer|client|shopper|household|member|user)\b", re.IGNORECASE)
_PRONOUN = pattern("pronoun")
_SAME_THING = pattern("same_thing")
_NEW_ONLY = pattern("new_only")
_ASCENDING = pattern("ascending")
_UNMARRIED, _SINGLE = pattern("unmarried"), frozenset({"unmarried", "single", "未婚", "单身"})
_WEEKEND, _SMALL_TALK = pattern("weekend"), pattern("small_talk")

_GOODS = ("category", "type", "product")
_HAN = re.compile(r"[\u3400-\u9fff]")
_MADE_OF = tuple("饮汁酱醋奶酒")
_FIGURES = ("money", "baskets", "units", "customers", "share", "")


class Linker:
    """Links questions to one shop."""

    def __init__(self, shop: Shop, lexicon: Lexicon) -> None:
        self._shop, self._lexicon = shop, lexicon
        self._campaigns = set(shop.keys("campaign"))
        self._campaign_kinds = ids.campaign_kinds(
            str(k) for (k,) in shop.query("select distinct kind from campaigns")
        )
        self._segments = list(shop.keys("segment"))
        self._attribute_values = list(shop.keys("attribute_value"))
        self._bands = BandFinder(self._attribute_values)
        self._crowds = Crowds(shop, lexicon)

    def periods(self, text: str) -> list[Period]:
        """Return the periods that a text names."""
        return find_periods(text, self._shop.info.first_day, self._shop.info.last_day)

    def link(self, text: str) -> Links:
        """Return what the text names; each stretch of it is used once, ids before names. What the asker takes
        back ("ice ... no wait, crackers") is not read."""
        links = self._read(text)
        told = corrected(links)
        return self._read(told) if told else links

    def _read(self, text: str) -> Links:
        links, free = Links(text), [True] * len(text)
        self._dictated(links, free)
        self._customers(links, free)
        if links.note:
            use(free, 0, len(text))  # a command, not a question: it names a customer and nothing else
        self._numbered(links, free)
        taken(_IDIOMS, text, free)
        taken(_AHEAD, text, free)
        self._periods(links, free, dated=True)
        self._ranges(links, free)
        self._bounded(links, free)
        self._periods(links, free)
        self._durations(links, free)
        self._modifiers(links, free)
        matches = self._compounds(text, self._lexicon.find(text, free, spelling=True))
        matches = self._crowds.joined(text, matches)
        for match in matches:
            self._name(links, match, free)
        self._persons(links, free)
        self._counts(links, free)
        self._bare_customers(links, free)
        self._terms(links, free, matches)
        links.left_out = left_out(links)
        return links

    def _dictated(self, links: Links, free: list[bool]) -> None:
        """A note's own words; only the customers before them are linked."""
        if found := find_note_number(links.text):
            links.note_number, span = found
            use(free, *span)
        note = find_note(links.text)
        if note is None or found:
            return
        links.note = note.text
        use(free, *note.span)
        for written in note.customers:
            place = links.text.find(written)
            self._customer(links, written, (place, place + len(written)))
            use(free, place, place + len(written))

    def _bounded(self, links: Links, free: list[bool]) -> None:
        """Numbers that bound something: an attribute's bands, or a figure of what was bought."""
        for meant in self._bands.find(links.text, free):
            for value in meant.values:
                links.add("attribute_value", f"{meant.attribute}={value}", meant.span)
            if len(meant.values) > 1:
                links.joined.add(meant.attribute)
            use(free, *meant.span)
        for amount in find_amounts(links.text, free):
            if amount.bounded and amount.unit in _FIGURES:
                links.amounts.append(amount)
                use(free, *amount.span)
            elif amount.unit in ("money", "share"):
                use(free, *amount.span)

    def _durations(self, links: Links, free: list[bool]) -> None:
        """ "For more than 30 days": no period, and 30 counts nothing."""
        for amount in find_amounts(links.text, free):
            if amount.bounded and amount.unit == "time":
                use(free, *amount.span)

    def _customers(self, links: Links, free: list[bool]) -> None:
        for written, span in ids.customers(links.text, free, self._is_range):
            self._customer(links, written, span)

    def _is_range(self, customers: re.Match[str]) -> bool:
        """Whether what stands behind "customers" is a range: one of an attribute's ("customers 25 to 34"), or
        numbers that are nobody's id ("2-5月")."""
        text, at = customers.string, customers.start(1)
        if (m := _RANGE.match(text, at)) and not _ONE_CUSTOMER.match(customers.group()):
            wanted = [str(n) for n in _bounds(m)]
            if any(re.findall(r"\d+", key.partition("=")[2]) == wanted for key in self._attribute_values):
                return True
        written = customers.group(1)
        return bool(ids.NUMBERS_RANGE.fullmatch(written)) and not self._shop.has_customer(written)

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
            *(taken(self._campaign_kinds, links.text, free) if self._campaign_kinds else ()),
            *taken(ids.CAMPAIGN, links.text, free),
        ]:
            self._campaign(links, next(g for g in m.groups() if g), m.span())
            for key, span in ids.chained(links.text, m, free, self._campaigns):
                self._campaign(links, key, span)
        for m in taken(ids.PRODUCT, links.text, free):
            self._product(links, next(g for g in m.groups() if g), m.span())
        for written, span in ids.segments(links.text, free, self._segments):
            self._segment(links, written, span)

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
        place = ids.place(written)
        by_place = self._segments[place - 1] if place and place <= len(self._segments) else None
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
                    use(free, m.start(), m.end())
        for m in taken(_UNMARRIED, links.text, free):
            for key in self._attribute_values:
                if key.partition("=")[2].lower() in _SINGLE:
                    links.add("attribute_value", key, m.span())
        for m in taken(_KIDS, links.text, free):
            links.joined.add("kids_count")
            for key in self._attribute_values:
                if re.fullmatch(r"kids_count=[1-9]\+?", key):
                    links.add("attribute_value", key, m.span())

    def _periods(self, links: Links, free: list[bool], dated: bool = False) -> None:
        """`dated`: only days of months ("18-24 December"), whose numbers would be taken as amounts."""
        info = self._shop.info
        for period in self.periods(links.text):
            if not all(free[slice(*period.span)]) or (dated and not _DATED.search(period.text)):
                continue
            if self._is_person(links.text, period):
                continue
            links.periods.append(_inside(period, info.first_day, info.last_day))
            use(free, *period.span)
        if len(links.periods) == 1 and (before := earlier(links.text, links.periods[0], info.first_day)):
            links.periods.append(_inside(before, info.first_day, info.last_day))
            use(free, *before.span)
        links.periods.sort(key=lambda p: p.span)
        covers = [p for p in links.periods if p.start <= info.first_day and p.end >= info.last_day]
        if len(links.periods) == 1 and not covers and cues.asks_share(links.text):
            links.modifiers.add("of_all_days")

    def _is_person(self, text: str, period: Period) -> bool:
        """Whether what reads like a year is a customer: an id far from the years of the data, or one
        where a person stands."""
        if not re.fullmatch(r"\d{4}", period.text) or not self._shop.has_customer(period.text):
            return False
        first, last = self._shop.info.first_day.year, self._shop.info.last_day.year
        near = first - _YEARS_AWAY <= int(period.text) <= last + _YEARS_AWAY
        if _IN_YEAR.search(text[: period.span[0]]):
            return False
        return not near or ids.stands_for_a_person(text, period.span)

    def _modifiers(self, links: Links, free: list[bool]) -> None:
        if taken(_NEW_ONLY, links.text, free):
            links.modifiers.add("new_only")
        if taken(_ASCENDING, links.text, free):
            links.modifiers.add("ascending")
        if taken(_WEEKEND, links.text, free):
            links.modifiers.add("weekend")
        if _SMALL_TALK.search(links.text):
            links.modifiers.add("talk")
        if cues.asks_still_there(links.text):
            links.modifiers.add("lost")
        asked = links.text.replace(links.note, " ") if links.note else links.text
        links.pronoun = bool(_PRONOUN.search(asked))
        links.same_thing = bool(_SAME_THING.search(asked))

    def _name(self, links: Links, match: Match, free: list[bool]) -> None:
        if match.text.lower() in vocabulary.NEVER_NAMES:
            return
        use(free, *match.span)
        kinds = {t.kind for t in match.things}
        if len(match.things) > 1 and kinds != {"attribute_value"}:
            links.ambiguous.append((match.text, match.things[:_SOME_ALIKE]))
            few = _SOME_ALIKE if match.level == SYNONYM else _FEW_ALIKE
            if match.level >= SYNONYM and len(match.things) <= few and kinds <= {"category", "type"}:
                links.alike[match.text] = match.span
            return
        for thing in match.things:
            links.add(thing.kind, thing.key, match.span)
            if len(match.things) > 1:
                links.joined.add(thing.key.partition("=")[0])

    def _compounds(self, text: str, matches: list[Match]) -> list[Match]:
        """Two goods right beside each other are one noun ("almond milk"): the whole of it by meaning
        where something is near enough, else its head, the last in either language."""
        kept: list[Match] = []
        for match in (m for m in matches if not self._only_qualifies(text, m, matches)):
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

    def _only_qualifies(self, text: str, match: Match, matches: list[Match]) -> bool:
        """Whether a Chinese name is only what another thing is made of: the 燕麦 of 燕麦饮 is no cereal."""
        end = match.span[1]
        return (
            match.things[0].kind in _GOODS
            and text[end : end + 1] in _MADE_OF
            and bool(_HAN.search(match.text))
            and not any(m.span[0] <= end < m.span[1] for m in matches)
        )

    def _persons(self, links: Links, free: list[bool]) -> None:
        """Numbers that the sentence treats as a person; they would be taken as counts."""
        for customer, span in ids.persons(links.text, free, self._shop.has_customer):
            links.add("customer", customer, span)

    def _counts(self, links: Links, free: list[bool]) -> None:
        for count in find_counts(links.text, free, self._shop.has_customer):
            use(free, *count.span)
            if count.value:
                links.counts.append(count.value)
                links.counted.append(count.counted)

    def _bare_customers(self, links: Links, free: list[bool]) -> None:
        """A number that is left over, counts nothing and is a customer's id, is that customer."""
        for m in ids.BARE.finditer(links.text):
            if not all(free[m.start() : m.end()]):
                continue
            if self._shop.has_customer(m.group(1)):
                links.add("customer", m.group(1), m.span(1))
                use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{5,}", m.group(1)):
                self._product(links, m.group(1), m.span(1))
                use(free, m.start(), m.end())
            elif re.fullmatch(r"\d{3,}", m.group(1)):
                links.unknown.append(("customer", m.group(1)))
                use(free, m.start(), m.end())
        if not links.customers and links.counts and re.fullmatch(r"\W*\d+\W*", links.text):
            written = re.findall(r"\d+", links.text)[0]
            links.counts.clear()
            links.counted.clear()
            place = links.text.find(written)
            self._customer(links, written, (place, place + len(written)))

    def _terms(self, links: Links, free: list[bool], matches: list[Match]) -> None:
        asked: list[str] = []
        for term, start, end in vocabulary.content_terms(links.text, free):
            goods = cues.is_thing(links.text, term)
            things, _score = self._lexicon.nearest(term, goods=goods)
            if goods or cues.asks_stock(links.text):
                asked.append(term)
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
        parent = self._lexicon.category_of
        links.parents = {t: parent[t] for t in links.keys("type") if t in parent}
        links.topic = " ".join(dict.fromkeys([*named, *links.terms, *asked])).strip()


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


def _bounds(m: re.Match[str]) -> tuple[int, int]:
    """The two ends of a range, in thousands where it is written in ten thousands (万)."""
    scale = 10 if m["wan"] or m["wan0"] else 1
    return round(float(m["low"]) * scale), round(float(m["high"]) * scale)


def _inside(period: Period, first: date, last: date) -> Period:
    """A period that the data covers in part, as far as it does; others as they are."""
    if period.end < first or period.start > last:
        return period
    return replace(period, start=max(period.start, first), end=min(period.end, last))
