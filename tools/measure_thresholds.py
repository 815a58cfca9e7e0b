"""`measure` with a threshold: how many groups pass it, what they come to together, and which they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from customers.measure import EVENTS, Dimension, Measure, MeasureResult, Quantity
from tools import measure_events, words
from tools.base import CannotDo, Fact
from tools.measure_words import GROUPS, MANY, QUANTITIES, Scope, noun_of, shown
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_MONEY = (Quantity.SPEND, Quantity.MEAN_BASKET, Quantity.MEAN_SPEND, Quantity.MEAN_PRICE)
_MEANS = (Quantity.MEAN_BASKET, Quantity.MEAN_SPEND, Quantity.MEAN_PRICE, Quantity.MEAN_RATING)
_OF_CUSTOMERS = (Quantity.CUSTOMERS, Quantity.RECEIVED, Quantity.MEAN_SPEND)
_BUYERS = (Dimension.CUSTOMER, Dimension.SEGMENT, Dimension.ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class Amount:
    """A threshold as it was asked: bounds (None: open), whether each leaves its own value out, and
    what it counts: money, baskets, units, customers, share (0..1), or "" where that was not said."""

    low: float | None
    high: float | None
    strict_low: bool = False
    strict_high: bool = False
    unit: str = ""

    @classmethod
    def of(cls, argument: Mapping[str, Any] | None) -> Amount | None:
        """Read a tool's argument; None where it bounds nothing."""
        if not argument or (argument.get("low") is None and argument.get("high") is None):
            return None
        return cls(
            argument.get("low"), argument.get("high"), bool(argument.get("strict_low")),
            bool(argument.get("strict_high")), str(argument.get("unit") or ""),
        )  # fmt: skip

    def holds(self, value: float) -> bool:
        """Whether a value lies within the bounds."""
        value = round(value, 6)
        above = self.low is None or (value > self.low if self.strict_low else value >= self.low)
        below = self.high is None or (value < self.high if self.strict_high else value <= self.high)
        return above and below

    def scaled(self, by: float) -> Amount:
        """The bounds times a number."""
        low, high = (None if bound is None else bound * by for bound in (self.low, self.high))
        return replace(self, low=low, high=high)


def counted_by(spec: Measure, amount: Amount) -> Measure:
    """Return `spec` with what the threshold is on: the unit beside the number decides ("spent more
    than $500" is on spend, though customers are counted), and a figure for no group is one a customer."""
    by = spec.by or Dimension.CUSTOMER
    quantity = spec.quantity
    if quantity in EVENTS:
        return replace(
            spec, by=by
        )  # "searched more than ten times" bounds searches, whatever "times" counts elsewhere
    of_customers = by is Dimension.CUSTOMER and quantity in _OF_CUSTOMERS
    match amount.unit:
        case "money" if quantity not in _MONEY or of_customers:
            quantity = Quantity.SPEND
        case "baskets":
            quantity = Quantity.BASKETS
        case "units" if quantity not in (Quantity.UNITS, Quantity.PRODUCTS, Quantity.REDEMPTIONS):
            quantity = Quantity.UNITS
        case "customers" if by is not Dimension.CUSTOMER:
            quantity = Quantity.CUSTOMERS
        case _ if of_customers:
            quantity = Quantity.SPEND
    return replace(spec, by=by, quantity=quantity)


def bounded(shop: Shop, spec: Measure, amount: Amount) -> Measure:
    """Return `spec` with its thresholds set; a threshold on shares becomes one on the quantity itself.

    Raises CannotDo where shares of the quantity mean nothing because its groups overlap.
    """
    if amount.unit == "share":
        whole = shop.measure(spec)
        if whole.rows and whole.rows[0].share is None:
            raise CannotDo(_no_shares(spec))
        amount = amount.scaled(whole.total)
    return replace(
        spec,
        more_than=amount.low if amount.strict_low else None,
        at_least=None if amount.strict_low else amount.low,
        less_than=amount.high if amount.strict_high else None,
        at_most=None if amount.strict_high else amount.high,
    )


def _no_shares(spec: Measure) -> Mapping[str, str]:
    noun = QUANTITIES[spec.quantity]
    many, group = MANY[spec.by or Dimension.CUSTOMER], GROUPS.get(spec.by or Dimension.CUSTOMER)
    return both(
        en=f"A threshold in percent needs figures that add up to a whole; {noun.title_en.lower()} of {many} overlap"
        " or are averages. Ask with an amount instead.",
        zh=f"百分比门槛要求各组数值可以相加；各{group.zh if group else '组'}的{noun.title_zh}相互重叠或是平均值，请改用具体数值提问。",
    )


def facts(shop: Shop, result: MeasureResult, amount: Amount, where: Scope, group_zh: str) -> list[Fact]:
    """Return how many groups pass the threshold and, where that adds up, what they come to together."""
    spec = result.spec
    text = both(
        en=_count_en(shop, result, amount, where), zh=_count_zh(shop, result, amount, where, group_zh)
    )
    found = [Fact(where.who.en, "groups_within", result.groups, MANY[spec.by or Dimension.CUSTOMER], text,
                  period=where.when.en, population=where.who.en, names=where.names)]  # fmt: skip
    shares = [row.share for row in result.rows]
    if result.groups > 1 and all(share is not None for share in shares):
        found.append(_together(shop, result, where))
    return found


def _together(shop: Shop, result: MeasureResult, where: Scope) -> Fact:
    quantity, noun = result.spec.quantity, QUANTITIES[result.spec.quantity]
    value = sum(row.value for row in result.rows)
    share = words.percent(value / result.total)
    none = not float(share[:-1])  # too small a part to be told in percent
    who_en, who_zh = (where.who.en, where.who.zh) if where.narrowed else ("all customers", "全体顾客")
    of_en, of_zh = (f" on {where.what.en}", f"在{where.what.zh}上") if where.what.en else ("", "")
    text = both(
        en=f"Together they come to {shown(shop, quantity, value)}{noun.unit_en(value)}"
        + (
            f" {where.when.en}."
            if none
            else f": {share} of the {noun.whole_en}{of_en} of {who_en} {where.when.en}."
        ),
        zh=f"{where.when.zh if none else ''}合计{shown(shop, quantity, value)}{noun.unit_zh}"
        + ("。" if none else f"，占{who_zh}{where.when.zh}{of_zh}{noun.whole_zh}的{share}。"),
    )
    return Fact(where.who.en, f"{quantity.value}_together", value, noun.unit(shop), text,
                period=where.when.en, population=where.who.en, names=where.names)  # fmt: skip


def _count_en(shop: Shop, result: MeasureResult, amount: Amount, where: Scope) -> str:
    spec = result.spec
    by, what = spec.by or Dimension.CUSTOMER, where.what.en
    one = by is Dimension.CUSTOMER and result.of == 1
    k, n = words.number(result.groups), words.number(result.of)
    bought = (
        measure_events.did(spec.quantity, where)["en"]
        if spec.quantity in EVENTS
        else f"bought {what or 'anything'}"
    )
    who = where.who.en.replace("customers", "customer", 1) if one else where.who.en
    if by is Dimension.CUSTOMER and spec.quantity is not Quantity.REDEMPTIONS:
        return f"{k} of the {n} {who} who {bought} {where.when.en} {_did_en(shop, spec, amount, what)}."
    many = who if by is Dimension.CUSTOMER else _many(shop, spec)
    of_what = f" of {what}" if what else ""
    campaign = (
        f" of {where.campaign.en}" if where.campaign.en and spec.quantity is Quantity.REDEMPTIONS else ""
    )
    if by in _BUYERS:
        return f"{k} of {n} {many} {_did_en(shop, spec, amount, what)}{campaign} {where.when.en}."
    whose = f" from {who}" if where.narrowed else ""
    had = _had_en(shop, spec, amount)
    had = had.replace("have", "has", 1) if result.groups == 1 else had
    return f"{k} of {n} {many}{of_what} {had}{campaign}{whose} {where.when.en}."


def _many(shop: Shop, spec: Measure) -> str:
    by = spec.by or Dimension.CUSTOMER
    if by is not Dimension.ATTRIBUTE:
        return MANY[by]
    return f"{words.label(shop.name('attribute', spec.attribute or '').en).lower()} {MANY[by]}"


def _count_zh(shop: Shop, result: MeasureResult, amount: Amount, where: Scope, group_zh: str) -> str:
    spec = result.spec
    by, what = spec.by or Dimension.CUSTOMER, where.what.zh
    k, n, v = words.number(result.groups), words.number(result.of), _bounds_zh(shop, spec, amount)
    noun = QUANTITIES[spec.quantity]
    if by is Dimension.CUSTOMER:
        bought = f"购买过{what}" if what else "有过购买"
        if spec.quantity in EVENTS:
            bought = measure_events.did(spec.quantity, where)["zh"]
        among = f"兑换过优惠券的{n}位{where.who.zh}" if spec.quantity is Quantity.REDEMPTIONS else (
            f"{bought}的{n}位{where.who.zh}")  # fmt: skip
        on = f"在{what}上" if what and noun.money else ""
        return f"{where.when.zh}{among}中，{on}{noun.title_zh}{v}的有{k}位。"
    who = f"（{where.who.zh}）" if where.narrowed else ""
    of_what = f"（{what}）" if what else ""
    group = f"{group_zh}组" if by is Dimension.ATTRIBUTE else group_zh
    return f"{where.when.zh}的{n}个{group}{of_what}中，{noun.title_zh}{who}{v}的有{k}个。"


def _did_en(shop: Shop, spec: Measure, amount: Amount, what: str) -> str:
    """What buyers did, with the threshold: "spent more than $500 on milk"."""
    v, of = _bounds_en(shop, spec, amount), f" of {what}" if what else ""
    on = f" on {what}" if what else ""
    match spec.quantity:
        case Quantity.SPEND | Quantity.MEAN_SPEND:
            each = " each on average" if spec.quantity is Quantity.MEAN_SPEND else ""
            return f"spent {v}{on}{each}"
        case Quantity.MEAN_BASKET:
            return f"spent {v} a trip on average{on}"
        case Quantity.MEAN_PRICE:
            return f"paid {v} a unit on average{f' for {what}' if what else ''}"
        case Quantity.BASKETS:
            return f"made {v}{f' with {what} in the basket' if what else ''}"
        case Quantity.REDEMPTIONS:
            return f"redeemed {v}{f' for {what}' if what else ''}"
        case Quantity.CUSTOMERS | Quantity.RECEIVED:
            return f"hold {v}"
        case quantity if quantity in EVENTS:
            return measure_events.reached(quantity, v)
        case _:
            return f"bought {v}{of}"


def _had_en(shop: Shop, spec: Measure, amount: Amount) -> str:
    """What holds for things and times, with the threshold: "have sales of less than $500"."""
    v = _bounds_en(shop, spec, amount)
    match spec.quantity:
        case Quantity.SPEND:
            return f"have sales of {v}"
        case quantity if quantity in _MEANS:
            return f"have a mean {QUANTITIES[spec.quantity].title_en.lower()} of {v}"
        case Quantity.CUSTOMERS:
            return f"have {v} who bought"
        case Quantity.RECEIVED:
            return f"reached {v}"
        case Quantity.REDEMPTIONS:
            return f"have {v} redeemed"
        case _:
            return f"have {v}"


def _bounds_en(shop: Shop, spec: Measure, amount: Amount) -> str:
    low, high = amount.low, amount.high
    if low is not None and low == high:
        return f"exactly {_value_en(shop, spec, amount, low)}"
    counted = not QUANTITIES[spec.quantity].money and spec.quantity not in _MEANS
    few = "fewer" if counted and amount.unit != "share" else "less"
    above, below = (
        "more than" if amount.strict_low else "at least",
        f"{few} than" if amount.strict_high else "at most",
    )
    parts = [f"{word} {_value_en(shop, spec, amount, bound, last)}"
             for word, bound, last in ((above, low, high is None), (below, high, True)) if bound is not None]  # fmt: skip
    return " and ".join(parts)


def _bounds_zh(shop: Shop, spec: Measure, amount: Amount) -> str:
    low, high = amount.low, amount.high
    if low is not None and low == high:
        return f"正好为{_value_zh(shop, spec, amount, low)}"
    above, below = "超过" if amount.strict_low else "至少", "不到" if amount.strict_high else "不超过"
    parts = [f"{word}{_value_zh(shop, spec, amount, bound)}"
             for word, bound in ((above, low), (below, high)) if bound is not None]  # fmt: skip
    return "且".join(parts)


def _bare(shop: Shop, spec: Measure, amount: Amount, bound: float) -> str:
    """A bound without its noun; whole amounts of money without cents, as they were asked."""
    if amount.unit == "share":
        return f"{100 * bound:g}%"
    if QUANTITIES[spec.quantity].money:
        return f"{shop.info.currency}{words.number(bound, 0 if float(bound).is_integer() else 2)}"
    return words.number(bound)


def _value_en(shop: Shop, spec: Measure, amount: Amount, bound: float, last: bool = True) -> str:
    noun = noun_of(shop, spec.quantity)
    if amount.unit == "share":
        return f"{_bare(shop, spec, amount, bound)}{f' of all {noun.whole_en}' if last else ''}"
    return f"{_bare(shop, spec, amount, bound)}{noun.unit_en(bound) if last else ''}"


def _value_zh(shop: Shop, spec: Measure, amount: Amount, bound: float) -> str:
    noun = QUANTITIES[spec.quantity]
    if amount.unit == "share":
        return f"{noun.whole_zh}的{_bare(shop, spec, amount, bound)}"
    # the measure word alone: what is counted stands before the threshold
    return f"{_bare(shop, spec, amount, bound)}{noun.unit_zh[:1]}"


def compared(shop: Shop, spec: Measure, amount: Amount, where: Scope, value: float) -> Fact:
    """Say whether one customer's figure lies within the bounds that were asked."""
    holds = amount.holds(value)
    text = both(
        en=f"That is {'' if holds else 'not '}{_bounds_en(shop, spec, amount)}.",
        zh=f"即{'确实' if holds else '并非'}{_bounds_zh(shop, spec, amount)}。",
    )
    return Fact(where.who.en, f"{spec.quantity.value}_within", holds, "", text,
                period=where.when.en, population=where.who.en, names=where.names)  # fmt: skip
