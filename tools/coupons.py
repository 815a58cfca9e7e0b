"""coupons: which campaigns one customer was sent, and which coupons they redeemed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

_SENT = """
    SELECT campaign_id, min(ts)::DATE AS day FROM events WHERE kind = 'exposure' AND customer_id = ?
      AND campaign_id IS NOT NULL GROUP BY campaign_id ORDER BY day DESC, campaign_id"""
_USED = """
    SELECT campaign_id, count(*), max(ts)::DATE AS day FROM events WHERE kind = 'redemption' AND customer_id = ?
    GROUP BY campaign_id ORDER BY day DESC, campaign_id"""
_NAMED = 5


class CouponsTool:
    """What a customer was sent, and what became of it."""

    name = "coupons"
    access = Access.READ
    describe = "which campaigns one customer was sent and which coupons they redeemed"
    busy = both(en="Looking up the coupons of customer {customer}", zh="正在查看顾客 {customer} 的优惠券记录")
    parameters = {"customer": {"type": "string", "x-entity": "customer"}}
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return how many campaigns were sent and which last, and how many coupons were redeemed and of which."""
        customer = str(args["customer"])
        sent = [(str(key), day) for key, day in shop.query(_SENT, [customer])]
        used = [(key, int(many), day) for key, many, day in shop.query(_USED, [customer])]
        facts = (_sent(shop, customer, sent), _used(shop, customer, used))
        return ToolResult(facts, found={"campaign": tuple(key for key, _ in sent)}, full=(sent, used))


def _sent(shop: Shop, customer: str, sent: list[tuple[str, date]]) -> Fact:
    who, when = names.customer(customer), _when(shop)
    if not sent:
        en = f"No campaign was sent to {who.en} {when['en']}"
        zh = f"{who.zh}{when['zh']}没有收到过任何营销活动"
    else:
        called = [names.campaign(shop, key) for key, _ in sent[:_NAMED]]
        en = f"{_cap(who.en)} was sent {words.plural(len(sent), 'campaign')} {when['en']}"
        zh = f"{who.zh}{when['zh']}共收到{words.number(len(sent))}次营销活动"
        last = sent[0][1]
        en += f", the last of them {called[0].en} on {words.day(last, 'en')}"
        zh += f"，最近一次是{words.day(last, 'zh')}的{called[0].zh}"
    return Fact(who.en, "campaigns_received", len(sent), "campaigns", both(en=f"{en}.", zh=f"{zh}。"),
                period=when["en"], names=names.campaign(shop, sent[0][0]).all if sent else ())  # fmt: skip


def _used(shop: Shop, customer: str, used: list[tuple[Any, int, date]]) -> Fact:
    who, when, total = names.customer(customer), _when(shop), sum(many for _, many, _ in used)
    called: list[names.Called] = []
    if not used:
        en = f"{_cap(who.en)} redeemed no coupon {when['en']}"
        zh = f"{who.zh}{when['zh']}没有兑换过优惠券"
    else:
        en = f"{_cap(who.en)} redeemed {words.plural(total, 'coupon')} {when['en']}, the last on {words.day(used[0][2], 'en')}"
        zh = f"{who.zh}{when['zh']}共兑换优惠券{words.number(total)}张，最近一次是{words.day(used[0][2], 'zh')}"
        known = [(names.campaign(shop, str(key)), many) for key, many, _ in used[:_NAMED] if key is not None]
        called = [one for one, _ in known]
        if known:
            some_en, some_zh = ("", "") if len(known) == len(used) else ("among them ", "其中")
            en += f" ({some_en}{words.listing((f'{words.number(n)} of {one.en}' for one, n in known), 'en')})"
            zh += f"（{some_zh}{words.listing((f'{one.zh}{words.number(n)}张' for one, n in known), 'zh')}）"
    used_names = tuple(name for one in called for name in one.all)
    return Fact(who.en, "coupons_redeemed", total, "coupons", both(en=f"{en}.", zh=f"{zh}。"),
                period=when["en"], names=used_names)  # fmt: skip


def _when(shop: Shop) -> Mapping[str, str]:
    return {lang: words.period(shop.info.first_day, shop.info.last_day, lang) for lang in words.LANGUAGES}


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]
