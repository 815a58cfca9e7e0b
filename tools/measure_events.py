"""What `measure` says of searches, views, reviews and whatever else customers do beside buying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from customers.graph.needs import LEAST_CUSTOMERS
from customers.measure import EVENTS, Dimension, Measure, Quantity
from customers.measure_events import BAD, GOOD, KINDS
from tools import names, words
from tools.base import CannotDo, Fact
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop
    from tools.measure_words import Scope

COUNTS = tuple(q for q in EVENTS if q is not Quantity.MEAN_RATING)
GOODS = (Dimension.DEPARTMENT, Dimension.CATEGORY, Dimension.TYPE, Dimension.PRODUCT, Dimension.BRAND)
LEAST_RATERS = 5
"""A mean of fewer customers' ratings is not ranked: one angry customer would decide it."""
_RATED = (Quantity.GOOD_REVIEWS, Quantity.BAD_REVIEWS, Quantity.MEAN_RATING)

_CALLED = {
    Quantity.SEARCHES: both(en="searches", zh="搜索"),
    Quantity.VIEWS: both(en="records of what customers looked at", zh="浏览或点击"),
    Quantity.CART_ADDS: both(en="records of what went into carts", zh="加购"),
    Quantity.REVIEWS: both(en="reviews", zh="评价"),
    Quantity.INQUIRIES: both(en="inquiries", zh="咨询"),
    Quantity.RETURNS: both(en="returns", zh="退货"),
} | dict.fromkeys(_RATED, both(en="ratings", zh="评分"))

# {of}, {on}: what it is about, with its preposition or without; "" where all is meant. {times}: time or times.
_SAID_EN = {
    Quantity.SEARCHES: "{who} made {v} {noun}{for_} {when}.",
    Quantity.VIEWS: "{who} looked at or clicked on {what} {v} {times} {when}.",
    Quantity.CART_ADDS: "{who} put {what} into the cart {v} {times} {when}.",
    Quantity.REVIEWS: "{who} wrote {v} {noun}{of} {when}.",
    Quantity.GOOD_REVIEWS: "{who} wrote {v} {noun}{of} {when} (rated {good} of {scale} or better).",
    Quantity.BAD_REVIEWS: "{who} wrote {v} {noun}{of} {when} (rated {bad} of {scale} or worse).",
    Quantity.MEAN_RATING: "{who} rated {what} {v} of {scale} on average {when}.",
    Quantity.INQUIRIES: "{who} made {v} {noun}{about} {when}.",
    Quantity.RETURNS: "{who} returned {what} {v} {times} {when}.",
}
_SAID_ZH = {
    Quantity.SEARCHES: "{who}{when}共搜索{on}{v}次。",
    Quantity.VIEWS: "{who}{when}共浏览或点击{what}{v}次。",
    Quantity.CART_ADDS: "{who}{when}共将{what}加入购物车{v}次。",
    Quantity.REVIEWS: "{who}{when}共写下{v}条{of}评价。",
    Quantity.GOOD_REVIEWS: "{who}{when}共写下{v}条{of}好评（{good}分及以上，满分{scale}分）。",
    Quantity.BAD_REVIEWS: "{who}{when}共写下{v}条{of}差评（{bad}分及以下，满分{scale}分）。",
    Quantity.MEAN_RATING: "{who}{when}对{what}的平均评分为{v}分（满分{scale}分）。",
    Quantity.INQUIRIES: "{who}{when}共{about}咨询{v}次。",
    Quantity.RETURNS: "{who}{when}共退回{what}{v}次。",
}
# Who is counted at all, before a threshold: "12 of the 940 customers who searched".
_DID_EN = {
    Quantity.SEARCHES: "searched{for_}", Quantity.VIEWS: "looked at {what}",
    Quantity.CART_ADDS: "put {what} into the cart", Quantity.REVIEWS: "reviewed {what}",
    Quantity.GOOD_REVIEWS: "wrote a good review{of}", Quantity.BAD_REVIEWS: "wrote a bad review{of}",
    Quantity.MEAN_RATING: "rated {what}", Quantity.INQUIRIES: "made an inquiry{about}",
    Quantity.RETURNS: "returned {what}",
}  # fmt: skip
_DID_ZH = {
    Quantity.SEARCHES: "搜索过{on}", Quantity.VIEWS: "浏览或点击过{what}", Quantity.CART_ADDS: "将{what}加入过购物车",
    Quantity.REVIEWS: "评价过{what}", Quantity.GOOD_REVIEWS: "写过{of}好评", Quantity.BAD_REVIEWS: "写过{of}差评",
    Quantity.MEAN_RATING: "给{what}打过分", Quantity.INQUIRIES: "{about}咨询过", Quantity.RETURNS: "退回过{what}",
}  # fmt: skip
_WROTE = (Quantity.REVIEWS, Quantity.GOOD_REVIEWS, Quantity.BAD_REVIEWS)


def statement(shop: Shop, quantity: Quantity, s: Scope, v: str, noun: str) -> Mapping[str, str]:
    """Return the sentence that states one value, written as `v`, in its scope; `noun` is its English noun."""
    en, zh = _parts_en(s), _parts_zh(s)
    scale = shop.rating_scale
    more = {"v": v, "scale": scale, "good": f"{GOOD * scale:g}", "bad": f"{BAD * scale:g}"}
    who = s.who.en[:1].upper() + s.who.en[1:]
    times = "time" if v == "1" else "times"
    return both(
        en=_SAID_EN[quantity].format(who=who, when=s.when.en, noun=noun, times=times, **en, **more),
        zh=_SAID_ZH[quantity].format(who=s.who.zh, when=s.when.zh, **zh, **more),
    )


def _parts_en(s: Scope) -> dict[str, str]:
    what = s.what.en
    prepositions = {"for_": "for", "of": "of", "about": "about"}
    return {"what": what or "products"} | {k: f" {p} {what}" if what else "" for k, p in prepositions.items()}


def _parts_zh(s: Scope) -> dict[str, str]:
    what = s.what.zh
    return {"what": what or "商品", "on": what, "of": what, "about": f"就{what}" if what else ""}


def did(quantity: Quantity, s: Scope) -> Mapping[str, str]:
    """What makes somebody count at all: "searched for “milk”"."""
    return both(en=_DID_EN[quantity].format(**_parts_en(s)), zh=_DID_ZH[quantity].format(**_parts_zh(s)))


def reached(quantity: Quantity, bounds: str) -> str:
    """What somebody did, with a threshold: "made more than 10 searches"."""
    if quantity is Quantity.MEAN_RATING:
        return f"rated {bounds} on average"
    return f"{'wrote' if quantity in _WROTE else 'made'} {bounds}"


def searched_for(spec: Measure) -> names.Called:
    """The words that searches are narrowed to, quoted; empty where they are not."""
    told = [words.label(word, 40) for word in spec.where.get(Dimension.QUERY, ())]
    en, zh = (words.listing((f"“{word}”" for word in told), lang, either=True) for lang in words.LANGUAGES)
    return names.Called(en, zh)


def as_searched(shop: Shop, spec: Measure, said: Sequence[str]) -> Measure:
    """A search is of no product: goods that it was asked for become the words that are looked for in its text, `said` as
    the asker wrote them, else the names of the goods."""
    if spec.quantity is not Quantity.SEARCHES:
        return spec
    goods = [(d, key) for d, keys in spec.where.items() if d in GOODS for key in keys]
    where = {d: keys for d, keys in spec.where.items() if d not in GOODS}
    if sought := tuple(dict.fromkeys(said or _names(shop, goods))):
        where[Dimension.QUERY] = sought
    return replace(spec, where=where, without={})


def _names(shop: Shop, goods: Iterable[tuple[Dimension, str]]) -> list[str]:
    found: list[str] = []
    for dimension, key in goods:
        if dimension is Dimension.PRODUCT:
            found.append(shop.product_name(key))
        else:
            name = shop.name(dimension.value, key)
            found += [name.en, name.zh]
    return found


def least(spec: Measure) -> int:
    """How many customers must stand behind a group: no one person's words are told, and no one person's rating ranks."""
    if spec.by is Dimension.QUERY and Dimension.CUSTOMER not in spec.where:
        return LEAST_CUSTOMERS
    return LEAST_RATERS if spec.quantity is Quantity.MEAN_RATING and spec.by in GOODS else 1


def lead(shop: Shop, spec: Measure, many: str, group_zh: str) -> Mapping[str, str] | None:
    """What is said before the figures: that records were made up, and what was too rare to be ranked."""
    if spec.quantity not in EVENTS:
        return None
    en, zh, called = [], [], _CALLED[spec.quantity]
    kinds = ", ".join(f"'{kind}'" for kind in KINDS[spec.quantity])
    made = "event_id LIKE 'simulated:%'"
    some, every = shop.query(f"SELECT bool_or({made}), bool_and({made}) FROM events WHERE kind IN ({kinds})")[
        0
    ]
    if some:
        en.append(f"{'These are' if every else 'Counted as well are'} simulated {called['en']}.")
        zh.append(f"{'以下均为' if every else '以下包含'}模拟的{called['zh']}数据。")
    if spec.least_customers > 1:
        did_en, did_zh = ("used", "用") if spec.by is Dimension.QUERY else ("rated", "评")
        en.append(f"Ranked are {many} that at least {spec.least_customers} customers {did_en}.")
        zh.append(f"仅对至少{spec.least_customers}位顾客{did_zh}过的{group_zh}排名。")
    return both(en=" ".join(en), zh="".join(zh)) if en else None


def require_records(shop: Shop, quantity: Quantity) -> None:
    """Raise CannotDo where the shop has no record of the kind at all: that is not a figure of 0."""
    counted = Quantity.MEAN_RATING if quantity in _RATED else quantity
    if quantity in EVENTS and not shop.measure(Measure(counted)).total:
        called = _CALLED[quantity]
        raise CannotDo(
            both(en=f"This shop's data has no {called['en']}, so there is nothing to count.",
                 zh=f"本店数据中没有{called['zh']}记录，无法统计。")
        )  # fmt: skip


def of_all_reviews(shop: Shop, spec: Measure, s: Scope, part: float) -> list[Fact]:
    """What part of the reviews of the same the good or the bad ones are."""
    if spec.quantity not in (Quantity.GOOD_REVIEWS, Quantity.BAD_REVIEWS):
        return []
    whole = shop.measure(replace(spec, quantity=Quantity.REVIEWS)).total
    if not whole:
        return []
    share = words.percent(part / whole)
    text = both(
        en=f"That is {share} of the {words.plural(whole, 'review')}.",
        zh=f"占{words.number(whole)}条评价的{share}。",
    )
    return [Fact(s.who.en, "share_of_reviews", part / whole, "share", text,
                 period=s.when.en, population=s.who.en, names=s.names)]  # fmt: skip


def nothing(spec: Measure) -> CannotDo | None:
    """Why there is no group of search texts though there are searches: too few customers wrote the same."""
    if spec.by is not Dimension.QUERY or spec.least_customers == 1:
        return None
    return CannotDo(
        both(en=f"No search text was used by {spec.least_customers} or more customers here, and rarer ones are not told.",
             zh=f"没有{spec.least_customers}位及以上顾客使用过的搜索词，更少见的不予列出。")
    )  # fmt: skip


def doers(shop: Shop, spec: Measure, s: Scope) -> Fact | None:
    """How many customers stand behind a figure, for "how many people searched" asks that; None where they are named."""
    if spec.quantity not in EVENTS or Dimension.CUSTOMER in spec.where:
        return None
    count = shop.measure(replace(spec, by=Dimension.CUSTOMER, top=1)).groups
    if not count:
        return None
    text = both(
        en=f"{words.plural(count, 'different customer')} {did(spec.quantity, s)['en']}.",
        zh=f"{did(spec.quantity, s)['zh']}的顾客共{words.number(count)}位。",
    )
    return Fact(s.who.en, "customers_behind", count, "customers", text,
                period=s.when.en, population=s.who.en, names=s.names)  # fmt: skip
