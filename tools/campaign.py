"""campaign: what one campaign brought, or all of them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.values import CampaignResult
from tools import names, words
from tools.base import Access, CannotDo, Fact, Table, ToolResult
from tools.words import both, label

if TYPE_CHECKING:
    from customers.shop import Shop


class CampaignTool:
    """Who received a campaign, who redeemed, and what; without a campaign, all ranked."""

    name = "campaign"
    access = Access.READ
    describe = "results of one campaign, or which campaigns did best: reach, redemption rate"
    busy = both(en="Reading the campaign results", zh="正在读取活动结果")
    parameters = {
        "campaign": {"type": "string", "x-entity": "campaign"},
        "n": {"type": "integer", "x-count": True},
    }
    required = ()

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return one campaign's facts, or the ranking by redemption rate."""
        if args.get("campaign"):
            return _one(shop, shop.campaign(args["campaign"]))
        found = [shop.campaign(key) for key in shop.keys("campaign")]
        ranked = sorted((c for c in found if c.received), key=lambda c: (-_rate(c), c.campaign_id))
        if not ranked:
            raise CannotDo(both(en="The data holds no campaigns.", zh="数据中没有营销活动。"))
        return _all(ranked, min(int(args.get("n") or 5), 20))


def _rate(c: CampaignResult) -> float:
    return c.redeemers / c.received if c.received else 0.0


def _called(c: CampaignResult) -> names.Called:
    return names.Called(label(c.name), f"活动{label(c.campaign_id)}")


def _one(shop: Shop, c: CampaignResult) -> ToolResult:
    name, kind = _called(c), label(c.kind)
    dates = {lang: words.period(c.start_day, c.end_day, lang) for lang in words.LANGUAGES}
    facts = [
        Fact(
            name.en, "received", c.received, "customers",
            both(en=f"{name.en} ({kind}) ran {dates['en']} and was sent to {words.plural(c.received, 'customer')}, "
                 f"with {words.plural(c.coupons, 'coupon')} for {words.plural(c.products, 'product')}.",
                 zh=f"{name.zh}（{kind}）于{dates['zh']}进行，发送给{words.number(c.received)}位顾客，"
                 f"含{words.number(c.coupons)}张优惠券，涉及{words.number(c.products)}种商品。"),
            period=dates["en"], names=name.all,
        ),
        Fact(
            name.en, "redeemers", c.redeemers, "customers",
            both(en=f"{words.plural(c.redeemers, 'customer')} redeemed {words.plural(c.redemptions, 'coupon')}, "
                 f"a redemption rate of {words.percent(_rate(c))} of those who received it.",
                 zh=f"{words.number(c.redeemers)}位顾客共兑换{words.number(c.redemptions)}张优惠券，"
                 f"占收到者的{words.percent(_rate(c))}。"),
            names=name.all,
        ),
    ]  # fmt: skip
    for key, count in c.top_categories[:3]:
        category = names.category(shop, key)
        facts.append(
            Fact(name.en, "redeemed_in", count, "coupons",
                 both(en=f"Redeemed coupons that covered {category.en}: {words.number(count)}.",
                      zh=f"适用于{category.zh}的已兑换优惠券：{words.number(count)}张。"),
                 names=(*name.all, *category.all))
        )  # fmt: skip
    return ToolResult(tuple(facts), full=c)


def _all(ranked: list[CampaignResult], n: int) -> ToolResult:
    facts = []
    for rank, c in enumerate(ranked[:n], 1):
        name = _called(c)
        facts.append(
            Fact(
                name.en, "redemption_rate", _rate(c), "share",
                both(en=f"{rank}. {name.en} ({label(c.kind)}): {words.percent(_rate(c))} of {words.plural(c.received, 'customer')} redeemed "
                     f"({words.plural(c.redemptions, 'coupon')}).",
                     zh=f"{rank}. {name.zh}（{label(c.kind)}）：{words.number(c.received)}位顾客中有{words.percent(_rate(c))}兑换"
                     f"（{words.number(c.redemptions)}张优惠券）。"),
                names=name.all,
            )
        )  # fmt: skip
    rows = {
        lang: tuple(
            (_called(c)[lang], label(c.kind), words.number(c.received), words.percent(_rate(c)))
            for c in ranked
        )
        for lang in words.LANGUAGES
    }
    titles = {
        "en": ("Campaign", "Kind", "Received", "Redeemed"),
        "zh": ("活动", "类型", "收到人数", "兑换率"),
    }
    lead = both(en="Campaigns by redemption rate:", zh="按兑换率排列的活动：")
    keys = {"campaign": tuple(c.campaign_id for c in ranked)}
    return ToolResult(tuple(facts), lead=lead, found=keys, full=ranked, table=Table(titles, rows))
