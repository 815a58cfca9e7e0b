"""The sentences of `measure`: each quantity with its unit, period and population, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from customers.measure import EVENTS, Dimension, Measure, Quantity
from tools import measure_events, names, words
from tools.names import Called
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

MANY = {
    Dimension.CUSTOMER: "customers",
    Dimension.DEPARTMENT: "departments",
    Dimension.CATEGORY: "categories",
    Dimension.TYPE: "product types",
    Dimension.PRODUCT: "products",
    Dimension.BRAND: "brands",
    Dimension.SEGMENT: "segments",
    Dimension.CAMPAIGN: "campaigns",
    Dimension.MONTH: "months",
    Dimension.WEEKDAY: "weekdays",
    Dimension.ATTRIBUTE: "groups",
    Dimension.QUERY: "search texts",
}
GROUPS = {
    Dimension.CUSTOMER: Called("customer", "顾客"),
    Dimension.DEPARTMENT: Called("department", "部门"),
    Dimension.CATEGORY: Called("category", "品类"),
    Dimension.TYPE: Called("product type", "商品类型"),
    Dimension.PRODUCT: Called("product", "商品"),
    Dimension.BRAND: Called("brand", "品牌"),
    Dimension.SEGMENT: Called("segment", "分群"),
    Dimension.CAMPAIGN: Called("campaign", "活动"),
    Dimension.MONTH: Called("month", "月份"),
    Dimension.WEEKDAY: Called("weekday", "星期"),
    Dimension.QUERY: Called("search text", "搜索词"),
}


@dataclass(frozen=True, slots=True)
class Noun:
    """How a quantity is named: its table title, what the whole of it is called, its counted unit."""

    title_en: str
    title_zh: str
    whole_en: str
    whole_zh: str
    one: str = ""
    many: str = ""
    unit_zh: str = ""
    money: bool = False
    decimals: int | None = None

    def unit_en(self, value: float) -> str:
        return f" {self.one if value == 1 else self.many}" if self.one else ""

    def unit(self, shop: Shop) -> str:
        return shop.info.currency if self.money else self.many


QUANTITIES = {
    Quantity.SPEND: Noun("Spend", "消费额", "spending", "总消费额", money=True),
    Quantity.UNITS: Noun("Units", "件数", "units", "总件数", "unit", "units", "件"),
    Quantity.BASKETS: Noun("Trips", "到店次数", "trips", "总到店次数", "trip", "trips", "次"),
    Quantity.CUSTOMERS: Noun("Customers", "顾客数", "customers", "顾客总数", "customer", "customers", "位顾客"),
    Quantity.PRODUCTS: Noun("Products", "商品数", "products", "商品总数", "product", "products", "种商品"),
    Quantity.MEAN_BASKET: Noun("Spend a trip", "每次消费", "", "", money=True),
    Quantity.MEAN_SPEND: Noun("Spend a customer", "人均消费", "", "", money=True),
    Quantity.MEAN_PRICE: Noun("Spend a unit", "平均单价", "", "", money=True),
    Quantity.REDEMPTIONS: Noun("Coupons redeemed", "兑换张数", "coupons redeemed", "兑换总数", "coupon", "coupons", "张优惠券"),
    Quantity.RECEIVED: Noun("Customers reached", "触达人数", "customers reached", "触达总人数", "customer", "customers", "位顾客"),
    Quantity.SEARCHES: Noun("Searches", "搜索次数", "searches", "总搜索次数", "search", "searches", "次搜索"),
    Quantity.VIEWS: Noun("Views and clicks", "浏览和点击次数", "views and clicks", "总浏览和点击次数", "view or click", "views and clicks", "次浏览或点击"),
    Quantity.CART_ADDS: Noun("Put into the cart", "加购次数", "additions to the cart", "总加购次数", "addition to the cart", "additions to the cart", "次加购"),
    Quantity.REVIEWS: Noun("Reviews", "评价数", "reviews", "评价总数", "review", "reviews", "条评价"),
    Quantity.GOOD_REVIEWS: Noun("Good reviews", "好评数", "good reviews", "好评总数", "good review", "good reviews", "条好评"),
    Quantity.BAD_REVIEWS: Noun("Bad reviews", "差评数", "bad reviews", "差评总数", "bad review", "bad reviews", "条差评"),
    Quantity.MEAN_RATING: Noun("Rating", "平均评分", "", "", "of 5", "of 5", "分", decimals=2),
    Quantity.INQUIRIES: Noun("Inquiries", "咨询次数", "inquiries", "总咨询次数", "inquiry", "inquiries", "次咨询"),
    Quantity.RETURNS: Noun("Returns", "退货次数", "returns", "总退货次数", "return", "returns", "次退货"),
}  # fmt: skip


WEEKDAYS = {
    "Monday": "星期一", "Tuesday": "星期二", "Wednesday": "星期三", "Thursday": "星期四", "Friday": "星期五",
    "Saturday": "星期六", "Sunday": "星期日",
}  # fmt: skip
_CONTACTS = (Quantity.REDEMPTIONS, Quantity.RECEIVED)
_EITHER = (Quantity.CUSTOMERS, Quantity.BASKETS, Quantity.RECEIVED)
"""Counted once who or what has any of several things: "bought coffee or tea"."""
_NAMED = 5
"""How many customers at most are named one by one."""
_SUMS = (Quantity.SPEND, Quantity.UNITS, Quantity.BASKETS, Quantity.PRODUCTS, Quantity.REDEMPTIONS,
         *measure_events.COUNTS)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom, what and when a figure is about. `narrowed`: not simply all customers."""

    who: Called
    what: Called
    when: Called
    campaign: Called
    narrowed: bool
    names: tuple[str, ...]
    named: bool = False
    """Whether the customers are named one by one."""


def noun_of(shop: Shop, quantity: Quantity) -> Noun:
    """Return how a quantity is named in this shop: a rating goes with its scale."""
    noun = QUANTITIES[quantity]
    if quantity is not Quantity.MEAN_RATING:
        return noun
    scale = f"of {shop.rating_scale}"
    return replace(noun, one=scale, many=scale)


def shown(shop: Shop, quantity: Quantity, value: float) -> str:
    """Write a value of a quantity, without its counted noun."""
    noun = QUANTITIES[quantity]
    return words.money(value, shop.info.currency) if noun.money else words.number(value, noun.decimals)


def _join(shop: Shop, spec: Measure, dimension: Dimension) -> tuple[str, str, tuple[str, ...]]:
    keys = spec.where.get(dimension, ())
    if dimension is Dimension.PRODUCT:
        found = [names.product(shop, k) for k in keys]
    elif dimension is Dimension.CUSTOMER:
        found = [Called(k, k) for k in keys]
    elif dimension is Dimension.CAMPAIGN:
        found = [names.campaign(shop, k) for k in keys]
    else:
        found = [names.called(shop.name(dimension.value, k)) for k in keys]
    either = dimension is not Dimension.CUSTOMER and (
        spec.quantity in _EITHER or (dimension is Dimension.CAMPAIGN and spec.quantity not in _CONTACTS)
    )
    en, zh = (words.listing((c[lang] for c in found), lang, either=either) for lang in words.LANGUAGES)
    return en, zh, tuple(n for c in found for n in c.all)


def _who(shop: Shop, spec: Measure) -> tuple[Called, bool, tuple[str, ...]]:
    used: list[str] = []
    en, zh, narrowed = "customers", "顾客", False
    if spec.where.get(Dimension.CUSTOMER):
        many = len(spec.where[Dimension.CUSTOMER])
        ids_en, ids_zh, _ = _join(shop, spec, Dimension.CUSTOMER) if many <= _NAMED else ("", "", ())
        en, zh = f"customer{'s' if many > 1 else ''} {ids_en}", f"{ids_zh}号顾客"
        if many > _NAMED:
            en, zh = f"these {words.number(many)} customers", f"这{words.number(many)}位顾客"
        narrowed = True
    if spec.where.get(Dimension.SEGMENT):
        seg_en, seg_zh, found = _join(shop, spec, Dimension.SEGMENT)
        used += found
        en, zh, narrowed = f"{en} in the segment “{seg_en}”", f"“{seg_zh}”分群的{zh}", True
    for attribute, values in spec.attributes.items():
        shown_values = [names.attribute_value(shop, attribute, v) for v in values]
        title = names.attribute(shop, attribute)
        used += [n for c in shown_values for n in c.all]
        plain = all(
            c.en == v for c, v in zip(shown_values, values, strict=True)
        )  # a bare value needs its title
        en = f"{en} ({title.en.lower() + ': ' if plain else ''}{words.listing((c.en for c in shown_values), 'en')})"
        zh = f"{title.zh}为{words.listing((c.zh for c in shown_values), 'zh')}的{zh}"
        narrowed = True
    if spec.where.get(Dimension.CAMPAIGN) and spec.quantity not in _CONTACTS:
        # On purchases a campaign means the customers who were sent it.
        sent_en, sent_zh, found = _join(shop, spec, Dimension.CAMPAIGN)
        used += found
        en, zh, narrowed = f"{en} who were sent {sent_en}", f"收到{sent_zh}的{zh}", True
    return Called(en, zh), narrowed, tuple(used)


def _what(shop: Shop, spec: Measure) -> tuple[Called, tuple[str, ...]]:
    en, zh, used = [], [], []
    for dimension in (Dimension.PRODUCT, Dimension.TYPE, Dimension.CATEGORY, Dimension.DEPARTMENT):
        part_en, part_zh, found = _join(shop, spec, dimension)
        if part_en:
            en.append(part_en)
            zh.append(part_zh)
            used += found
    if spec.without:
        left = names.kept_out(shop, {d.value: keys for d, keys in spec.without.items()})
        en, zh = (
            [f"{words.listing(en, 'en') or 'anything'} but {left.en}"],
            [f"{left.zh}以外的{words.listing(zh, 'zh') or '商品'}"],
        )
        used += left.all
    brand_en, brand_zh, found = _join(shop, spec, Dimension.BRAND)
    what_en, what_zh = words.listing(en, "en"), words.listing(zh, "zh")
    if brand_en:
        what_en = f"{what_en} ({brand_en})" if what_en else f"{brand_en} products"
        what_zh = f"{what_zh}（{brand_zh}）" if what_zh else f"{brand_zh}商品"
        used += found
    if spec.where.get(Dimension.QUERY):
        return measure_events.searched_for(spec), tuple(used)
    return Called(what_en, what_zh), tuple(used)


def scope(shop: Shop, spec: Measure) -> Scope:
    """Return the words for a specification's filters and period."""
    who, narrowed, who_names = _who(shop, spec)
    what, what_names = _what(shop, spec)
    start, end = spec.start or shop.info.first_day, spec.end or shop.info.last_day
    when = Called(words.period(start, end, "en"), words.period(start, end, "zh"))
    c_en, c_zh, c_names = _join(shop, spec, Dimension.CAMPAIGN)
    return Scope(who, what, when, Called(c_en, c_zh), narrowed, (*who_names, *what_names, *c_names),
                 bool(spec.where.get(Dimension.CUSTOMER)))  # fmt: skip


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def statement(shop: Shop, quantity: Quantity, s: Scope, value: float) -> Mapping[str, str]:
    """Return the sentence that states one value in its scope."""
    v = shown(shop, quantity, value)
    if not s.narrowed and quantity in _SUMS:
        s = replace(s, who=Called("all customers together", "全体顾客"))
    if quantity in EVENTS:
        return measure_events.statement(shop, quantity, s, v, noun_of(shop, quantity).unit_en(value).strip())
    who, what_en, what_zh = _upper(s.who.en), s.what.en, s.what.zh
    on_en = f" on {what_en}" if what_en else ""
    of_en = f" of {what_en}" if what_en else ""
    in_zh = f"在{what_zh}上" if what_zh else ""
    when_en, when_zh = s.when.en, s.when.zh
    ads_en, ads_zh = (f" of {s.campaign.en}", f"{s.campaign.zh}的") if s.campaign.en else ("", "")
    match quantity:
        case Quantity.SPEND:
            return both(en=f"{who} spent {v}{on_en} {when_en}.", zh=f"{s.who.zh}{when_zh}{in_zh}共消费{v}。")
        case Quantity.UNITS:
            units = "unit" if value == 1 else "units"
            return both(en=f"{who} bought {v} {units}{of_en} {when_en}.",
                        zh=f"{s.who.zh}{when_zh}共购买{what_zh or '商品'}{v}件。")  # fmt: skip
        case Quantity.BASKETS:
            trips = "trip" if value == 1 else "trips"
            with_en = f" with {what_en} in the basket" if what_en else ""
            with_zh = f"，购物篮中含{what_zh}" if what_zh else ""
            return both(
                en=f"{who} made {v} {trips}{with_en} {when_en}.",
                zh=f"{s.who.zh}{when_zh}共到店{v}次{with_zh}。",
            )
        case Quantity.CUSTOMERS:
            if s.named:
                return _buyers_among(s, v)
            noun = s.who.en.replace("customers", "customer", 1) if value == 1 else s.who.en
            return both(en=f"{v} {noun} bought {what_en or 'something'} {when_en}.",
                        zh=f"{when_zh}共有{v}位{s.who.zh}购买了{what_zh or '商品'}。")  # fmt: skip
        case Quantity.PRODUCTS:
            products = "product" if value == 1 else "different products"
            return both(en=f"{who} bought {v} {products}{of_en} {when_en}.",
                        zh=f"{s.who.zh}{when_zh}共购买了{v}种不同的{what_zh or ''}商品。")  # fmt: skip
        case Quantity.MEAN_BASKET:
            return both(en=f"{who} spent {v} a trip on average{on_en} {when_en}.",
                        zh=f"{s.who.zh}{when_zh}平均每次到店{in_zh}消费{v}。")  # fmt: skip
        case Quantity.MEAN_SPEND:
            buyers_en = " (among those who bought it)" if what_en else ""
            buyers_zh = "（仅计购买者）" if what_zh else ""
            return both(en=f"{who} spent {v} each on average{on_en}{buyers_en} {when_en}.",
                        zh=f"{s.who.zh}{when_zh}{in_zh}人均消费{v}{buyers_zh}。")  # fmt: skip
        case Quantity.MEAN_PRICE:
            return both(en=f"{who} paid {v} a unit on average{(' for ' + what_en) if what_en else ''} {when_en}.",
                        zh=f"{s.who.zh}{when_zh}购买{what_zh or '商品'}的平均单价为{v}。")  # fmt: skip
        case Quantity.REDEMPTIONS:
            coupons = "coupon" if value == 1 else "coupons"
            for_en, for_zh = (f" for {what_en}", f"适用于{what_zh}的") if what_en else ("", "")
            return both(
                en=f"{who} redeemed {v} {coupons}{ads_en}{for_en} {when_en}.",
                zh=f"{s.who.zh}{when_zh}共兑换{ads_zh}{for_zh}优惠券{v}张。",
            )
        case Quantity.RECEIVED:
            got = s.campaign.en or "a campaign"
            for_en, for_zh = (f" with coupons for {what_en}", f"含{what_zh}优惠券的") if what_en else ("", "")
            noun = s.who.en.replace("customers", "customer", 1) if value == 1 else s.who.en
            return both(
                en=f"{v} {noun} received {got}{for_en} {when_en}.",
                zh=f"{when_zh}共有{v}位{s.who.zh}收到{for_zh}{s.campaign.zh or '营销活动'}。",
            )
        case _:
            raise AssertionError(f"no sentence for {quantity}")


def bought_both(shop: Shop, spec: Measure, count: float) -> Mapping[str, str]:
    """How many customers bought each of the two things that `spec` names, not only one of them."""
    s, n = scope(shop, replace(spec, quantity=Quantity.SPEND)), words.number(count)  # which joins with "and"
    who = s.who.en.replace("customers", "customer", 1) if count == 1 else s.who.en
    return both(
        en=f"{n} {who} bought both {s.what.en} {s.when.en}.",
        zh=f"{s.when.zh}有{n}位{s.who.zh}两者都买过：{s.what.zh}。",
    )


def _buyers_among(s: Scope, count: str) -> Mapping[str, str]:
    """How many of the customers that were named bought something."""
    what_en, what_zh = s.what.en or "something", s.what.zh or "商品"
    return both(
        en=f"Of {s.who.en}, {count} bought {what_en} {s.when.en}.",
        zh=f"{s.who.zh}中，{s.when.zh}购买了{what_zh}的有{count}位。",
    )
