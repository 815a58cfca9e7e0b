"""What the wording of a question speaks for: which tools, which quantity, which breakdown.

Cues narrow the turn's grammar, so that an option can only be what the question says; the model
chooses among what is left. A question without any cue leaves everything open. The patterns stand in
prompts/wording.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agent.prompts import pattern, patterns

_TOOLS, _QUANTITIES = patterns("tools"), patterns("quantities")
_DIMENSIONS, _ATTRIBUTES, _ABOUT = patterns("dimensions"), patterns("attributes"), patterns("about")
_GROUPING, _SHARE, _SEVERAL = pattern("grouping"), pattern("share"), pattern("several")
_AFTER_EN, _BEFORE_EN = pattern("thing_after_en"), pattern("thing_before_en")
_AFTER_ZH, _BEFORE_ZH = pattern("thing_after_zh"), pattern("thing_before_zh")
_SUPERLATIVE, _RANKING = pattern("superlative"), pattern("ranking")
_ASKS_ONE, _WHY = pattern("asks_one"), pattern("asks_why")
_JOINED, _POINTS_BACK = pattern("joined"), pattern("points_back")
_DIFFERENCE = pattern("difference")
_EVER, _WHICH = pattern("ever_bought"), pattern("which_thing")
_THEY, _ONE = pattern("each_of_them"), pattern("one_person")
_SHORT_WORDS, _SHORT_HAN = 7, 14
_OF_LIST, _BY_VISITS = pattern("of_the_list"), pattern("by_visits")
_MOST = re.compile(
    r"\b(?:most|least|best|top|highest|lowest|biggest|largest|fewest|rank|sort|order\s+(?:them|these|those))\b|最|前[\d一二三四五六七八九十]|排",
    re.IGNORECASE,
)
_AMENDS, _STOCK, _COUNTS_GOODS = pattern("amends"), pattern("asks_stock"), pattern("counts_goods")
_WORDED, _STILL_THERE = patterns("worded"), pattern("still_there")
_ASKS_KIND = re.compile(r"\b(?:which|what|who|by|per|each|every)\b|[哪谁各按每]", re.IGNORECASE)
_STRICT = pattern("beside_strict")
_COMPLAINT, _GROWTH, _SHOP_WIDE = pattern("complaint"), pattern("growth"), pattern("shop_wide")


def asks_why(text: str) -> bool:
    """Whether a text asks for the reason of something."""
    return bool(_WHY.search(text))


def is_complaint(text: str) -> bool:
    """Whether a text tells of a matter that staff must settle."""
    return bool(_COMPLAINT.search(text))


def asks_of_records(text: str) -> bool:
    """Whether a text asks what complaints and returns there were, of one customer or of all: no live complaint."""
    return bool(_STRICT.search(text) or _WORDED["said"].search(text))


def owes_amends(text: str) -> bool:
    """Whether something is owed to the customer that a text is about: an offer then comes with an apology."""
    return is_complaint(text) or bool(_AMENDS.search(text))


def asks_stock(text: str) -> bool:
    """Whether a text asks if something is sold here at all."""
    return bool(_STOCK.search(text))


def counts_goods(text: str) -> bool:
    """Whether a text asks how many of something were sold ("卖了多少鸡蛋"), not for how much money."""
    return bool(_COUNTS_GOODS.search(text))


def tools(text: str) -> set[str]:
    """Return the tools that the wording speaks for; `measure` where it names a quantity. A superlative
    alone ("which wine suits her best") names none where another tool is spoken for."""
    found = {name for name, cue in _TOOLS.items() if cue.search(text)}
    if not quantities(text) or "measure" in found:
        return found
    ranks = _RANKING.search(text) or quantities(_SUPERLATIVE.sub(" ", text))
    return found | {"measure"} if ranks or not found else found


def worded(text: str) -> set[str]:
    """Return the tools that the wording alone asks for, where what they need is named (see `agent.worded`)."""
    found = {name for name in ("last_purchase", "family", "said") if _WORDED[name].search(text)}
    return found | ({"last_purchase"} if asks_before(text) else set())


def asks_before(text: str) -> bool:
    """Whether a text asks for the visit before one that was told."""
    return any(_WORDED[name].search(text) for name in ("visit_before", "visit_before_last"))


def quantities(text: str) -> list[str]:
    """Return the quantities that the wording names; a mean rules the plain sum out."""
    found = [name for name, cue in _QUANTITIES.items() if cue.search(text)]
    if any(name.startswith("mean_") for name in found):
        found = [name for name in found if name.startswith("mean_")]
    special = [
        name for name in found if name in ("redemptions", "received", "customers", "baskets", "products")
    ]
    if special and set(found) - set(special) <= {"spend", "units"}:
        strong = _QUANTITIES["spend"].search(
            re.sub(r"\bhow\s+much\b|\btop\b|\bshare\b|\bmoney\b|占\w?", "", text)
        )
        return special if not strong else found
    return found


def about(text: str) -> list[str]:
    """Return the parts of a profile that the wording asks for; [] where it names none."""
    return [name for name, cue in _ABOUT.items() if cue.search(text)]


def breakdowns(
    text: str, linked: Iterable[str], several: Sequence[str], attributes: Sequence[str]
) -> list[str]:
    """Return what a figure may be broken down by, as the question says it; ["none"] for one figure.

    linked: dimensions of which something is named (a share of it may be asked). several: those of
    which two or more things are named (a comparison). attributes: the shop's customer attributes.
    """
    if several and _GROUPING.search(text):
        return list(several)
    if not _GROUPING.search(text):
        return ["none"]
    found = [name for name, cue in _DIMENSIONS.items() if cue.search(text)]
    found += [
        a
        for a in attributes
        if (_ATTRIBUTES.get(a) or re.compile(re.escape(a.replace("_", " ")), re.IGNORECASE)).search(text)
    ]
    if asks_share(text):
        found += [d for d in linked if d not in found]
        return [*found, "none"]
    return found or ["none"]


def asked_first(text: str, kinds: Sequence[str]) -> str:
    """Return the dimension of `kinds` that a text asks for: the first named behind "which", "by" or "each"."""
    marker = _ASKS_KIND.search(text)
    start = marker.start() if marker else 0

    def place(kind: str) -> int:
        cue = _DIMENSIONS.get(kind) or _ATTRIBUTES.get(kind)
        found = cue.search(text, start) if cue else None
        return found.start() if found else len(text)

    return min(kinds, key=place)


def names_product(text: str) -> bool:
    """Whether a text speaks of single products."""
    return bool(_DIMENSIONS["product"].search(text))


def counts_people(text: str) -> bool:
    """Whether a text asks how many people."""
    form = r"\bhow\s+many\s+(?:of\s+(?:our|the)\s+)?(?:customers|people|shoppers|households)\b|多少(?:位|个|名)?(?:人|顾客|客户|家庭|会员)"
    return bool(re.search(form, text, re.IGNORECASE))


def compares(text: str) -> bool:
    """Whether a text holds one thing against another."""
    return bool(re.search(r"\b(?:vs\.?|versus|against|compared)(?!\w)|对比|相比|哪个", text, re.IGNORECASE))


def asks_difference(text: str) -> bool:
    """Whether a text asks how two figures differ."""
    return bool(_DIFFERENCE.search(text))


def names_month(text: str) -> bool:
    """Whether a text speaks of months as such."""
    return bool(re.search(r"\bmonth(?:s|ly)?\b|逐月|[每各按哪]个?月|月度", text, re.IGNORECASE))


def asks_share(text: str) -> bool:
    """Whether a text asks what part of a whole something is."""
    return bool(_SHARE.search(text))


def is_shop_wide(text: str) -> bool:
    """Whether a text speaks of the whole shop."""
    return bool(_SHOP_WIDE.search(text))


def asks_one(text: str) -> bool:
    """Whether a text may ask for one figure."""
    return bool(_ASKS_ONE.search(text))


def asks_growth(text: str) -> bool:
    """Whether a text asks what grows or shrinks."""
    return bool(_GROWTH.search(text))


def is_thing(text: str, term: str) -> bool:
    """Whether an unknown term stands where a thing to buy stands ("how much did we sell of TERM")."""
    place = text.find(term)
    before, after = text[: max(place, 0)], text[place + len(term) :]
    chinese = bool(re.search(r"[\u3400-\u9fff]", term))
    leads, follows = (_AFTER_ZH, _BEFORE_ZH) if chinese else (_AFTER_EN, _BEFORE_EN)
    return place >= 0 and bool(leads.search(before) or follows.search(after))


def asks_ever(text: str) -> bool:
    """Whether a text asks if something was ever bought."""
    return bool(_EVER.search(text))


def asks_still_there(text: str) -> bool:
    """Whether a text asks if somebody is lost, or still a customer."""
    return bool(_STILL_THERE.search(text))


def asks_which(text: str) -> bool:
    """Whether a text asks which thing is meant."""
    return bool(_WHICH.search(text))


def points_back(text: str) -> bool:
    """Whether a text points to a thing that it has asked for itself ("there", "in that category")."""
    return bool(_POINTS_BACK.search(text))


def points_to_several(text: str) -> bool:
    """Whether a text's pronouns mean several ("them", "those")."""
    return bool(_THEY.search(text)) and not _ONE.search(text)


def counts_things(text: str) -> bool:
    """Whether a text asks how many of something there are."""
    return bool(re.search(r"\bhow\s+(?:many|much)\b|多少|几[张次个]", text, re.IGNORECASE))


def names_groups(text: str) -> bool:
    """Whether a text asks for segments rather than for customers."""
    return bool(_DIMENSIONS["segment"].search(text)) and bool(_WHICH.search(text))


def ranks(text: str) -> bool:
    """Whether a text puts things in an order."""
    return bool(_MOST.search(text))


def ranks_by_visits(text: str) -> bool:
    """Whether how often somebody comes decides that order."""
    return bool(_BY_VISITS.search(text))


def of_the_list(text: str) -> bool:
    """Whether a text asks of a list at hand ("which of them")."""
    return bool(_OF_LIST.search(text))


def is_short(text: str) -> bool:
    """Whether a text is too short to be a question of its own."""
    han = len(re.findall(r"[\u3400-\u9fff]", text))
    return han <= _SHORT_HAN if han else len(text.split()) <= _SHORT_WORDS


def asks_several(text: str) -> bool:
    """Whether a text asks for more than one thing."""
    joined = len(quantities(text)) > 1 and bool(set(quantities(text)) - {"spend", "units"})
    return bool(_SEVERAL.search(text)) or (joined and bool(_JOINED.search(text)))
