"""Why two things go together: the knowledge graph's evidence as facts. Used by `bought_with`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from customers.errors import BadInput, Unknown
from customers.values import Evidence, Why
from tools import names, words
from tools.base import CannotDo, Fact, ToolResult, TryAgain
from tools.words import both

if TYPE_CHECKING:
    from customers.shop import Shop

Sentence = Mapping[str, str]


def explain(shop: Shop, kind: str, first: str, second: str) -> ToolResult:
    """Facts on what ties two categories, or two products. Raises TryAgain and CannotDo."""
    try:
        why = shop.why_together((kind, first), (kind, second))
    except (BadInput, Unknown) as error:
        raise TryAgain(str(error)) from error
    ends = (_called(shop, kind, first), _called(shop, kind, second))
    a, b = ends
    if not why.evidence:
        raise CannotDo(both(en=f"Nobody bought both {a.en} and {b.en}, and nothing else ties them.",
                            zh=f"没有顾客同时买过{a.zh}和{b.zh}，也没有其他关联。"))  # fmt: skip
    made = shop.info.filled
    facts = [_fact(kind, second, ends, evidence, why, made) for evidence in why.evidence]
    facts.sort(key=lambda fact: fact.quoted)  # what customers wrote comes last
    return ToolResult(
        tuple(facts),
        lead=both(en=f"What ties {a.en} and {b.en}:", zh=f"{a.zh}与{b.zh}的关联："),
        slots={"first": both(en=a.en, zh=a.zh), "second": both(en=b.en, zh=b.zh)},
        found={kind: (first, second)},
        full=why,
    )


def _called(shop: Shop, kind: str, key: str) -> names.Called:
    return names.product(shop, key) if kind == "product" else names.category(shop, key)


def _fact(
    kind: str, key: str, ends: tuple[names.Called, names.Called], evidence: Evidence, why: Why, made: bool
) -> Fact:
    """`made`: searches were made up for a shop that has none."""
    a, b = ends
    third = names.called(evidence.name) if evidence.name else None
    if third and made and evidence.kind == "need":
        third = names.Called(f"{third.en} (simulated)", f"{third.zh}（模拟）")
    predicate, sentence = _SENTENCES[evidence.kind]
    if evidence.kind == "next" and evidence.key == key:
        a, b = b, a
    text = sentence(a, b, third or a, evidence.figures)
    of_third = third.all if third and evidence.kind != "next" else ()
    value = evidence.figures.get("lift", evidence.key or why.lift)
    return Fact(
        ends[0].en, predicate, value, "times" if "lift" in evidence.figures else kind, text,
        names=(*a.all, *b.all, *of_third), quoted=evidence.kind == "need",
    )  # fmt: skip


def _baskets(a: names.Called, b: names.Called, _: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"{b.en}: in {words.percent(f['share'])} of the baskets with {a.en} "
        f"({words.plural(f['both'], 'basket')}), {words.number(f['lift'], 1)} times as often as in all baskets.",
        zh=f"{b.zh}：出现在{words.percent(f['share'])}的含{a.zh}的购物篮中"
        f"（{words.number(f['both'])}个购物篮），是在全部购物篮中出现频率的{words.number(f['lift'], 1)}倍。",
    )


def _buyers(a: names.Called, b: names.Called, _: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"{words.plural(f['both'], 'customer')} bought both: {words.percent(f['share'])} of the customers who "
        f"bought {a.en} also bought {b.en}, {words.number(f['lift'], 1)} times the share among all customers.",
        zh=f"{words.number(f['both'])}位顾客两者都买过：买过{a.zh}的顾客中有{words.percent(f['share'])}也买过{b.zh}，"
        f"是全部顾客中占比的{words.number(f['lift'], 1)}倍。",
    )


def _next(a: names.Called, b: names.Called, _: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"After a trip with {a.en} and without {b.en}, the next trip has {b.en} in {words.percent(f['share'])} of "
        f"cases, {words.number(f['lift'], 1)} times as often as after other trips without it.",
        zh=f"买了{a.zh}而没买{b.zh}之后，下一次到店有{words.percent(f['share'])}会买{b.zh}，"
        f"是其他未买{b.zh}的到店之后的{words.number(f['lift'], 1)}倍。",
    )


def _segment(a: names.Called, b: names.Called, third: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"Both stand out in the segment “{third.en}”: it spends {words.number(f['lift_first'], 1)} times the usual "
        f"share on {a.en} and {words.number(f['lift_second'], 1)} times on {b.en}.",
        zh=f"两者在“{third.zh}”分群中都突出：该分群在{a.zh}上的消费占比是一般顾客的{words.number(f['lift_first'], 1)}倍，"
        f"在{b.zh}上是{words.number(f['lift_second'], 1)}倍。",
    )


def _need(a: names.Called, b: names.Called, third: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"Within a week of searching “{third.en}”, customers buy {a.en} {words.number(f['lift_first'], 1)} times and "
        f"{b.en} {words.number(f['lift_second'], 1)} times as often as after other searches.",
        zh=f"搜索“{third.zh}”后一周内，顾客购买{a.zh}的频率是其他搜索后的{words.number(f['lift_first'], 1)}倍，"
        f"购买{b.zh}的频率是{words.number(f['lift_second'], 1)}倍。",
    )


def _of(noun_en: str, noun_zh: str) -> Callable[..., Sentence]:
    def sentence(a: names.Called, b: names.Called, third: names.Called, _: Mapping[str, float]) -> Sentence:
        return both(
            en=f"{a.en} and {b.en} are both of the {noun_en} {third.en}.",
            zh=f"{a.zh}和{b.zh}同属{third.zh}{noun_zh}。",
        )

    return sentence


def _through(a: names.Called, b: names.Called, third: names.Called, f: Mapping[str, float]) -> Sentence:
    return both(
        en=f"Both share baskets with {third.en}: {third.en} and {a.en} are bought together "
        f"{words.number(f['lift_first'], 1)} times as often as chance would have it, {third.en} and {b.en} "
        f"{words.number(f['lift_second'], 1)} times.",
        zh=f"两者都常与{third.zh}同篮：{third.zh}和{a.zh}同篮的频率是随机情况的{words.number(f['lift_first'], 1)}倍，"
        f"{third.zh}和{b.zh}是{words.number(f['lift_second'], 1)}倍。",
    )


_SENTENCES: Mapping[str, tuple[str, Callable[..., Sentence]]] = {
    "baskets": ("bought_with", _baskets),
    "buyers": ("shared_buyers", _buyers),
    "next": ("next_trip", _next),
    "segment": ("shared_segment", _segment),
    "need": ("shared_need", _need),
    "category": ("shared_category", _of("category", "品类")),
    "department": ("shared_department", _of("department", "部门")),
    "brand": ("shared_brand", _of("brand", "品牌")),
    "through": ("shared_companion", _through),
}
