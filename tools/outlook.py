"""What is expected of a customer, as facts: always an estimate, with the range that it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customers.profiles.forecast import CHURN_DAYS, ORDER_DAYS, VALUE_DAYS
from customers.values import Outlook, Profile
from tools import names, words
from tools.base import Fact
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


def next_order(p: Profile) -> list[Fact]:
    """When the next order is expected; [] where the data was too short to learn from."""
    if p.outlook is None:
        return []
    who, out = names.customer(p.customer_id), p.outlook
    if out.next_order is None:
        en = f"{who.en} is less likely than not to come within {ORDER_DAYS} days after the data ends"
        zh = f"预计{who.zh}在数据截止后{ORDER_DAYS}天内多半不会再来"
    else:
        en = f"{who.en} is expected again around {words.day(out.next_order, 'en')}{_range_en(out)}"
        zh = f"预计{who.zh}下次到店在{words.day(out.next_order, 'zh')}前后{_range_zh(out)}"
    value = out.next_order.isoformat() if out.next_order else None
    return [
        Fact(who.en, "expected_next_order", value, "day", both(en=f"{en[:1].upper()}{en[1:]}.", zh=f"{zh}。"))
    ]


def churn(p: Profile) -> list[Fact]:
    """How likely it is that nothing is bought for a while."""
    if p.outlook is None:
        return []
    who, chance = names.customer(p.customer_id), words.chance(p.outlook.churn)
    return [
        Fact(
            who.en, f"no_purchase_within_{CHURN_DAYS}_days", p.outlook.churn, "probability",
            both(
                en=f"The chance that {who.en} buys nothing within {CHURN_DAYS} days after the data ends is {chance}.",
                zh=f"{who.zh}在数据截止后{CHURN_DAYS}天内不再购买的概率为{chance}。",
            ),
        )
    ]  # fmt: skip


def alive(p: Profile) -> list[Fact]:
    """How likely it is that somebody has not left for good."""
    if p.outlook is None:
        return []
    who, chance = names.customer(p.customer_id), words.chance(p.outlook.alive)
    return [
        Fact(
            who.en, "still_a_customer", p.outlook.alive, "probability",
            both(
                en=f"The chance that {who.en} still buys here, and has not left for good, is {chance}.",
                zh=f"{who.zh}仍是本店顾客（没有彻底流失）的概率为{chance}。",
            ),
        )
    ]  # fmt: skip


def value(shop: Shop, p: Profile) -> list[Fact]:
    """How much money is expected, to the whole unit of currency: more digits would claim too much."""
    if p.outlook is None:
        return []
    who, out, currency = names.customer(p.customer_id), p.outlook, shop.info.currency
    about, low, high = (
        f"{currency}{words.number(round(x), 0)}" for x in (out.value, out.value_low, out.value_high)
    )
    told = who.en[:1].upper() + who.en[1:]
    return [
        Fact(
            who.en, f"expected_spend_within_{VALUE_DAYS}_days", round(out.value), currency,
            both(
                en=f"{told} is expected to spend about {about} within {VALUE_DAYS} days after the data ends "
                f"(8 times in 10 between {low} and {high}).",
                zh=f"预计{who.zh}在数据截止后{VALUE_DAYS}天内消费约{about}（10次中有8次在{low}至{high}之间）。",
            ),
        )
    ]  # fmt: skip


def guesses(shop: Shop, p: Profile) -> list[Fact]:
    """Attributes that nobody told, as "probably … (62%)": [] unless the build was asked to guess."""
    who, facts = names.customer(p.customer_id), []
    for attribute, guess in p.guesses.items():
        title = names.attribute(shop, attribute)
        parts = [names.attribute_value(shop, attribute, part) for part in guess.value.split(" / ")]
        en, zh = " or ".join(_low(part.en) for part in parts), "或".join(part.zh for part in parts)
        chance = words.chance(guess.probability)
        likely = ("probably", "很可能") if guess.probability > 0.5 else ("perhaps", "也许")
        facts.append(
            Fact(
                who.en, f"probable_{attribute}", guess.probability, "probability",
                both(
                    en=f"Nobody told the {_low(title.en)} of {who.en}; going by behaviour it is {likely[0]} {en} ({chance}).",
                    zh=f"{who.zh}的{title.zh}未知；按其行为推测，{likely[1]}是{zh}（{chance}）。",
                ),
                names=tuple(name for part in parts for name in part.all),
            )
        )  # fmt: skip
    return facts


def _low(name: str) -> str:
    """A name inside a sentence: "Aged 25-34" without its capital, "USA" as it is."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def _range_en(out: Outlook) -> str:
    if out.next_low is None:
        return ""
    if out.next_high is None:
        return f" (9 times in 10 not before {words.day(out.next_low, 'en')})"
    return f" (8 times in 10 between {words.day(out.next_low, 'en')} and {words.day(out.next_high, 'en')})"


def _range_zh(out: Outlook) -> str:
    if out.next_low is None:
        return ""
    if out.next_high is None:
        return f"（10次中有9次不早于{words.day(out.next_low, 'zh')}）"
    return f"（10次中有8次在{words.day(out.next_low, 'zh')}至{words.day(out.next_high, 'zh')}之间）"
