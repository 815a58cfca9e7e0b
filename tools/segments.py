"""segments: the groups of customers that buy alike, and one of them in detail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customers.values import Segment
from tools import names, words
from tools.base import Access, Fact, ToolResult
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop


class SegmentsTool:
    """All segments with their sizes and what sets them apart."""

    name = "segments"
    access = Access.READ
    describe = "the list of all customer segments, with sizes"
    busy = both(en="Listing the customer segments", zh="正在列出顾客分群")
    parameters: Mapping[str, Mapping[str, Any]] = {}
    required = ()

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return one fact a segment, the largest first."""
        found = sorted(shop.segments(), key=lambda s: -s.size)
        total = sum(s.size for s in found)
        head = Fact(
            "all customers", "segment_count", len(found), "segments",
            both(en=f"The {words.number(total)} customers fall into {words.plural(len(found), 'segment')}.",
                 zh=f"{words.number(total)}位顾客分为{words.number(len(found))}个分群。"),
        )  # fmt: skip
        facts = (head, *(_line(rank, s) for rank, s in enumerate(found, 1)))
        return ToolResult(facts, found={"segment": tuple(s.segment_id for s in found)}, full=found)


class SegmentTool:
    """One segment in detail."""

    name = "segment"
    access = Access.READ
    describe = "one segment in detail: size, spending, what sets it apart"
    busy = both(en="Looking at the segment", zh="正在查看该分群")
    parameters = {"segment": {"type": "string", "x-entity": "segment"}}
    required = ("segment",)

    def run(self, shop: Shop, args: Mapping[str, Any]) -> ToolResult:
        """Return size, spending, the defining categories, who its customers are, how it moved, examples."""
        s = shop.segment(args["segment"])
        top = [names.called(t.name) for t in s.top if t.category not in shop.for_adults]
        slots = {"taste": both(en=top[0].en, zh=top[0].zh)} if top else {}
        keys = {"category": tuple(t.category for t in s.top)}
        facts = (_size(s), _habits(shop, s), *_tastes(s), *_traits(shop, s), *_moves(s), *_examples(s))
        return ToolResult(facts, slots=slots, found=keys, full=s)


def _line(rank: int, s: Segment) -> Fact:
    name = names.called(s.name)
    tops = [names.called(t.name) for t in s.top[:3]]
    marks_en = f"; sets itself apart by {words.listing((t.en for t in tops), 'en')}" if tops else ""
    marks_zh = f"；突出品类：{words.listing((t.zh for t in tops), 'zh')}" if tops else ""
    return Fact(
        name.en, "size", s.size, "customers",
        both(
            en=f"{rank}. {name.en}: {words.plural(s.size, 'customer')} ({words.percent(s.share)}){marks_en}.",
            zh=f"{rank}. {name.zh}：{words.number(s.size)}位顾客（{words.percent(s.share)}）{marks_zh}。",
        ),
        names=(*name.all, *(n for t in tops for n in t.all)),
    )  # fmt: skip


def _size(s: Segment) -> Fact:
    name = names.called(s.name)
    return Fact(
        name.en, "size", s.size, "customers",
        both(en=f"The segment “{name.en}” has {words.plural(s.size, 'customer')}, {words.percent(s.share)} of all.",
             zh=f"“{name.zh}”分群有{words.number(s.size)}位顾客，占全部的{words.percent(s.share)}。"),
        names=name.all,
    )  # fmt: skip


def _habits(shop: Shop, s: Segment) -> Fact:
    name, currency = names.called(s.name), shop.info.currency
    when = {lang: words.period(shop.info.first_day, shop.info.last_day, lang) for lang in words.LANGUAGES}
    return Fact(
        name.en, "mean_spend", s.mean_spend, currency,
        both(
            en=f"Its customers spent {words.money(s.mean_spend, currency)} each on average {when['en']}, "
            f"on {words.number(s.mean_baskets, 1)} trips, and last came {words.number(s.mean_recency_days, 1)} days before the data ends.",
            zh=f"该分群顾客{when['zh']}人均消费{words.money(s.mean_spend, currency)}，人均到店{words.number(s.mean_baskets, 1)}次，"
            f"最近一次到店平均在数据截止日前{words.number(s.mean_recency_days, 1)}天。",
        ),
        period=when["en"],
    )  # fmt: skip


def _tastes(s: Segment) -> list[Fact]:
    name, facts = names.called(s.name), []
    for taste in s.top[:5]:
        category = names.called(taste.name)
        facts.append(
            Fact(
                name.en, "category_lift", taste.lift, "times",
                both(
                    en=f"{category.en} makes {words.percent(taste.share)} of its spending, "
                    f"{words.number(taste.lift, 1)} times the share over all customers.",
                    zh=f"{category.zh}占其消费的{words.percent(taste.share)}，是全体顾客占比的{words.number(taste.lift, 1)}倍。",
                ),
                names=category.all,
            )
        )  # fmt: skip
    return facts


def _traits(shop: Shop, s: Segment) -> list[Fact]:
    """Who its customers are more often than others, by a test; never of fewer than ten."""
    name, facts = names.called(s.name), []
    for trait in s.traits[:3]:
        attribute = names.attribute(shop, trait.attribute)
        value = names.attribute_value(shop, trait.attribute, trait.value)
        facts.append(
            Fact(
                name.en, "trait_share", trait.share, "share of customers",
                both(
                    en=f"{attribute.en} “{value.en}” holds for {words.percent(trait.share)} of its customers whose {attribute.en} "
                    f"is known, against {words.percent(trait.usual)} of all such customers.",
                    zh=f"在{attribute.zh}已知的顾客中，该分群有{words.percent(trait.share)}为“{value.zh}”，"
                    f"全体为{words.percent(trait.usual)}。",
                ),
                names=(*attribute.all, *value.all),
            )
        )  # fmt: skip
    return facts


def _moves(s: Segment) -> list[Fact]:
    """How it changed since the last build; nothing where there was none."""
    if not s.moves:
        return []
    name = names.called(s.name)
    if s.size_before is None:
        text = both(
            en="It is new: no segment of the last build goes on in it.",
            zh="这是新分群：上一次构建中没有与之对应的分群。",
        )
        return [Fact(name.en, "size_before", 0, "customers", text)]
    came = sum(move.customers for move in s.moves if not move.matched)
    left = s.size_before - (s.size - came)
    return [
        Fact(
            name.en, "size_before", s.size_before, "customers",
            both(
                en=f"At the last build it had {words.plural(s.size_before, 'customer')}; since then {words.number(came)} "
                f"joined and {words.number(left)} left.",
                zh=f"上一次构建时该分群有{words.number(s.size_before)}位顾客；此后新增{words.number(came)}位，离开{words.number(left)}位。",
            ),
        )
    ]  # fmt: skip


def _examples(s: Segment) -> list[Fact]:
    if not s.examples:
        return []
    name, shown = names.called(s.name), [words.label(customer) for customer in s.examples]
    return [
        Fact(
            name.en, "example_customers", ", ".join(shown), "customers",
            both(
                en=f"Typical of it: {words.listing((f'customer {c}' for c in shown), 'en')}.",
                zh=f"其典型顾客：{words.listing((f'顾客{c}' for c in shown), 'zh')}。",
            ),
            names=tuple(shown),
        )
    ]  # fmt: skip
