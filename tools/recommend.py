"""recommend: products for one customer, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.recommend.rules import Offered
from customers.values import Recommendation
from tools import left_out, names, new_categories, words
from tools.base import Access, CannotDo, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class RecommendTool:
    """The best products for a customer; in a category, or only ones never bought before."""

    name = "recommend"
    access = Access.READ
    describe = "products to offer one customer, with reasons; optionally in a category or never bought before"
    busy = both(en="Choosing products for customer {customer}", zh="正在为顾客 {customer} 挑选商品")
    parameters = {
        "customer": {"type": "string", "x-entity": "customer"},
        "n": {"type": "integer", "x-count": True},
        "category": {"type": "string", "x-entity": "category"},
        "new_only": {"type": "boolean", "x-modifier": "new_only"},
        "without": {"type": "object", "x-excluded": True, "x-derived": True},
        "talk": {"type": "boolean", "x-modifier": "talk", "x-derived": True},
    }
    required = ("customer",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return up to n recommendations, one fact each, the best first. `without`: keys by kind that are not asked
        for ("instead of coffee"). `talk`: they are to be mentioned to the customer, so nothing for adults only."""
        customer, category = args["customer"], args.get("category")
        wanted = min(int(args.get("n") or 5), 20)
        new_only = bool(args.get("new_only", False))
        exclude = tuple(args.get("exclude", ()))  # set by the conversation, never by a plan
        without: Mapping[str, Any] = args.get("without") or {}
        kept_out = {kind: list(keys) for kind, keys in without.items()}
        if args.get("talk"):
            kept_out["category"] = [*kept_out.get("category", ()), *shop.for_adults]
        offered = shop.offer(
            customer, n=wanted, category=category, new_only=new_only, exclude=exclude, without=kept_out
        )
        found = offered.recommendations
        if not found:
            raise CannotDo(
                _because(_nothing(shop, customer, category, new_only, bool(exclude)), shop, customer, offered)
            )
        facts = tuple(
            offer_fact(shop, names.customer(customer), rank, rec) for rank, rec in enumerate(found, 1)
        )
        if new_only and category is None and not exclude and not kept_out:
            facts += new_categories.facts(shop, customer, len(found))
        facts += left_out.facts(shop, customer, offered.left_out)
        # a next step speaks of nothing for adults only: what they buy anyway is listed, not talked up
        plain = [rec for rec in found if rec.category not in shop.for_adults]
        slots = {place: _plain(shop, rec) for place, rec in zip(("first", "second"), plain, strict=False)}
        cases = {"new" if new_only else (plain or found)[0].reason, "two" if len(plain) > 1 else "one"}
        return ToolResult(
            facts,
            recommendations=found,
            lead=_lead(shop, customer, category, new_only, without),
            slots=slots,
            cases=frozenset(cases),
            found={"product": tuple(rec.product_id for rec in found)},
            full=offered,
        )


def _lead(
    shop: Shop, customer: str, category: str | None, new_only: bool, without: Mapping[str, Any]
) -> Mapping[str, str]:
    who, inside = names.customer(customer), names.category(shop, category) if category else None
    if without:
        left = names.kept_out(shop, without)
        bought_en, bought_zh = (", not bought before", "没买过的") if new_only else ("", "")
        in_en, in_zh = (f", in {inside.en}", inside.zh) if inside else ("", "")
        return both(en=f"For {who.en}{in_en}, other than {left.en}{bought_en}:",
                    zh=f"为{who.zh}推荐{bought_zh}{left.zh}以外的{in_zh}商品：")  # fmt: skip
    new_en, new_zh = (", not bought before", "没买过的") if new_only else ("", "")
    in_en, in_zh = (f", in {inside.en}", f"{inside.zh.removesuffix('类')}类") if inside else ("", "")
    return both(en=f"For {who.en}{in_en}{new_en}:", zh=f"为{who.zh}推荐{new_zh}{in_zh}商品：")


def _plain(shop: Shop, rec: Recommendation) -> Mapping[str, str]:
    name = names.called(shop.name("product", rec.product_id))
    return both(en=name.en, zh=name.zh)


def _nothing(
    shop: Shop, customer: str, category: str | None, new_only: bool, more: bool
) -> Mapping[str, str]:
    inside = names.category(shop, category) if category else None
    en = (" else" if more else "") + (f" in {inside.en}" if inside else "")
    zh = (f"{inside.zh}中" if inside else "") + ("再也" if more else "")
    if new_only:
        return both(en=f"There is nothing{en} to recommend to customer {customer} that they have not bought before.",
                    zh=f"{zh}没有可以推荐给{customer}号顾客的、从未买过的商品。")  # fmt: skip
    return both(en=f"There is nothing{en} to recommend to customer {customer}.",
                zh=f"{zh}没有可以推荐给{customer}号顾客的商品。")  # fmt: skip


def _because(text: Mapping[str, str], shop: Shop, customer: str, offered: Offered) -> Mapping[str, str]:
    """The text, and what rules held back where they are why nothing is left."""
    why = left_out.facts(shop, customer, offered.left_out)
    return both(en=" ".join([text["en"], *(f.text["en"] for f in why)]),
                zh="".join([text["zh"], *(f.text["zh"] for f in why)]))  # fmt: skip


def offer_fact(shop: Shop, who: names.Called, rank: int, rec: Recommendation) -> Fact:
    """Return one offer as a fact: its place, the product, and why it is offered."""
    product, why = names.product(shop, rec.product_id), reason(shop, rec)
    return Fact(
        who.en, "recommended", rec.product_id, "product",
        both(en=f"{rank}. {product.en}: {why['en']}.", zh=f"{rank}. {product.zh}：{why['zh']}。"),
        names=(*product.all, *_others(shop, rec)),
    )  # fmt: skip


def _others(shop: Shop, rec: Recommendation) -> tuple[str, ...]:
    """The names that the reason holds beside the product's own."""
    if rec.reason in ("together", "family"):
        return names.product(shop, str(rec.evidence["because"])).all
    if rec.reason == "alike":
        return names.category(shop, str(rec.evidence["category"])).all
    return ()


def reason(shop: Shop, rec: Recommendation) -> Mapping[str, str]:
    """Return why a product is recommended, from the evidence's own figures."""
    e = rec.evidence
    match rec.reason:
        case "repeat":
            often_en = often_zh = ""
            if e.get("every_days"):
                often_en = f", about every {words.plural(round(float(e['every_days'])), 'day')}"
                often_zh = f"，约每{words.number(round(float(e['every_days'])))}天一次"
            ago = int(e["days_since"])
            return both(
                en=f"bought on {words.plural(float(e['baskets']), 'trip')}{often_en}, last {words.days_ago(ago, 'en')}",
                zh=f"买过{words.number(float(e['baskets']))}次{often_zh}，上次在{words.days_ago(ago, 'zh')}",
            )
        case "together":
            other = names.product(shop, str(e["because"]))
            return both(
                en=f"goes with {other.en}, which they buy; {words.plural(float(e['baskets']), 'basket')} in the shop held both",
                zh=f"与其购买过的{other.zh}搭配；全店有{words.number(float(e['baskets']))}个购物篮同时包含两者",
            )
        case "alike":
            inside = names.category(shop, str(e["category"]))
            share = words.percent(float(e["share_of_similar"]), 0)
            return both(
                en=f"{share} of the customers most like this one bought it ({inside.en})",
                zh=f"最相似的顾客中有{share}买过（{inside.zh}）",
            )
        case "popular":
            count = float(e["customers"])
            return both(en=f"popular: {words.plural(count, 'customer')} bought it",
                        zh=f"热门商品：{words.number(count)}位顾客买过")  # fmt: skip
        case "crowd" | "reduced" | "family":
            return _scenario(shop, rec)
    raise ValueError(f"unknown reason {rec.reason!r}")


def _scenario(shop: Shop, rec: Recommendation) -> Mapping[str, str]:
    """The reason of an offer to somebody without a history, or within a brand's family."""
    e = rec.evidence
    if rec.reason == "reduced":
        off, lines = words.percent(float(e["share"]), 0), float(e["lines"])
        days = words.number(float(e["days"]))
        return both(
            en=f"{off} off the list price, over {words.plural(lines, 'purchase')} in the data's last {days} days",
            zh=f"比标价便宜{off}（数据最后{days}天的{words.number(lines)}笔购买）",
        )
    count = float(e["customers"])
    if rec.reason == "crowd":
        of, days = words.number(float(e["of"])), words.number(float(e["days"]))
        alike_en, alike_zh = (" who answer alike", "回答相同的") if e["answers"] else ("", "")
        return both(
            en=f"{words.number(count)} of {of} customers{alike_en} bought it in the data's last {days} days",
            zh=f"数据最后{days}天，{of}位{alike_zh}顾客中有{words.number(count)}位买过",
        )
    other, trips = names.product(shop, str(e["because"])), float(e.get("baskets", 0))
    own_en = f", which they bought on {words.plural(trips, 'trip')}" if trips else ""
    own_zh = f"其买过{words.number(trips)}次的" if trips else ""
    return both(
        en=f"from the maker of {other.en}{own_en}; {words.plural(count, 'customer')} bought it",
        zh=f"与{own_zh}{other.zh}同一厂商；{words.number(count)}位顾客买过",
    )
