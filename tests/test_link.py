"""What a question names, found in a small shop whose names are known (see tests/corner.py)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.lexicon import Lexicon
from agent.link import Linker, Links
from customers.encoder import MultilingualEncoder
from tests import corner

_LINKERS: list[Linker] = []


def linker() -> Linker:
    if not _LINKERS:
        shop = corner.shop()
        _LINKERS.append(Linker(shop, Lexicon(shop, MultilingualEncoder())))
    return _LINKERS[0]


def link(text: str) -> Links:
    return linker().link(text)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Who is customer 88?", ["88"]),
        ("customer #88", ["88"]),
        ("Customer no. 88 and 99", ["88", "99"]),
        ("customers 12, 13 and 14", ["12", "13", "14"]),
        ("household 150", ["150"]),
        ("shopper id: 150", ["150"]),
        ("Customer88's tastes", ["88"]),
        ("customer 0088", ["88"]),
        ("顾客88", ["88"]),
        ("给顾客88推荐三款奶酪", ["88"]),
        ("88号顾客多久来一次？", ["88"]),
        ("顾客编号：88", ["88"]),
        ("客户#88", ["88"]),
        ("顾客12、13、14", ["12", "13", "14"]),
        ("顾客12和13谁花得多", ["12", "13"]),
        # without a cue word
        ("What does 150 like?", ["150"]),
        ("88", ["88"]),
        ("And what about 88?", ["88"]),
        ("那88呢？", ["88"]),
        ("给13推荐什么", ["13"]),
        ("Why does 88 like milk?", ["88"]),
        ("Did 88 or 99 spend more?", ["88", "99"]),
        ("compare 12 vs 13", ["12", "13"]),
        ("Recommend 12 products to 88", ["88"]),
        ("帮我看看150这个人", ["150"]),
    ],
)
def test_customers(text: str, ids: list[str]):
    found = link(text)
    assert found.customers == ids
    assert found.unknown == []


@pytest.mark.parametrize(
    ("text", "kind", "written"),
    [
        ("customer 999", "customer", "999"),
        ("顾客999最喜欢什么？", "customer", "999"),
        ("customer ABC12", "customer", "ABC12"),
        ("customer 2024", "customer", "2024"),  # after the cue it is an id, not a year
        ("1842", "customer", "1842"),
        ("campaign 9", "campaign", "9"),
        ("活动9", "campaign", "9"),
        ("segment 9", "segment", "9"),
        ("product 12345", "product", "12345"),
    ],
)
def test_ids_that_do_not_exist(text: str, kind: str, written: str):
    found = link(text)
    assert found.unknown == [(kind, written)]
    assert found.customers == []


@pytest.mark.parametrize(
    ("text", "counts", "customers"),
    [
        ("top 5 categories", [5], []),
        ("our five best customers", [5], []),
        ("前十名顾客", [10], []),
        ("最好的3个品类", [3], []),
        ("Recommend 12 products to customer 88", [12], ["88"]),
        ("给最可能买牛奶的20位顾客发券", [20], []),
        ("100 customers most likely to buy milk", [100], []),
        ("the top 12", [12], []),
        # durations, amounts, percentages, decimals and years count nothing and are nobody
        ("bought within 30 days", [], []),
        ("未来30天内", [], []),
        ("spent $50 on milk", [], []),
        ("花了50元", [], []),
        ("20% of sales", [], []),
        ("收入在5万到7.4万", [], []),
        ("in 2024", [], []),
        ("aged 25-34", [], []),
    ],
)
def test_counts_are_not_ids_and_units_are_neither(text: str, counts: list[int], customers: list[str]):
    found = link(text)
    assert found.counts == counts
    assert found.customers == customers
    assert found.unknown == []


@pytest.mark.parametrize(
    ("text", "things"),
    [
        # by name, plural, part of a name, head noun, synonym, spelling, in both languages
        ("milk sales", {"category": ["MILK"]}),
        ("wine and cheese", {"category": ["WINE", "CHEESE"]}),
        ("BABY FOODS", {"category": ["BABY FOOD"]}),
        ("how many buns", {"category": ["BREAD"]}),
        ("olives", {"category": ["OLIVES"]}),
        ("nappies", {"category": ["DIAPERS"]}),
        ("infant formla", {"category": ["INFANT FORMULA"]}),
        ("disposibles", {"category": ["DIAPERS"]}),
        ("牛奶卖了多少", {"category": ["MILK"]}),
        ("小面包", {"category": ["BREAD"]}),
        ("买纸尿裤的人", {"category": ["DIAPERS"]}),
        ("芝士和葡萄酒", {"category": ["CHEESE", "WINE"]}),
        # by meaning
        ("kitten chow", {"category": ["CAT FOOD"]}),
        ("the SHOP department", {"department": ["SHOP"]}),
        ("own brand milk", {"brand": ["Private"], "category": ["MILK"]}),
        ("自有品牌", {"brand": ["Private"]}),
        ("whole milk", {"type": ["MILK A"]}),
        ("燕麦奶", {"type": ["MILK B"]}),
        ("campaign 1", {"campaign": ["1"]}),
        ("第2期活动", {"campaign": ["2"]}),
        ("segment 1", {"segment": ["1"]}),
        ("segment B", {"segment": ["2"]}),
        ("第二个分群", {"segment": ["2"]}),
        ("分群3", {"segment": ["3"]}),
        ("product p1", {"product": ["p1"]}),
        ("商品p12", {"product": ["p12"]}),
    ],
)
def test_things(text: str, things: dict[str, list[str]]):
    found = link(text)
    assert {k: v for k, v in found.things.items() if v} == things
    assert found.ambiguous == []
    assert found.terms == []


def test_a_type_brings_its_category_along():
    assert link("全脂牛奶").parents == {"MILK A": "MILK"}


def test_segments_by_their_own_name():
    shop = corner.shop()
    for key in shop.keys("segment"):
        for language in ("en", "zh"):
            assert link(f"“{shop.name('segment', key)[language]}”").things["segment"] == [key]


@pytest.mark.parametrize("text", ["kitty stuff", "How much kitty stuff?", "猫用品卖了多少"])
def test_what_may_mean_two_things_is_not_guessed(text: str):
    ((_, among),) = link(text).ambiguous
    assert {thing.key for thing in among} == {"CAT FOOD", "CAT LITTER"}
    assert not link(text).things.get("category")


@pytest.mark.parametrize(
    ("text", "term"),
    [("How much steak?", "steak"), ("牛肉卖了多少", "牛肉"), ("quantum computers", "quantum computers")],
)
def test_what_the_shop_has_not_is_an_unknown_term(text: str, term: str):
    found = link(text)
    assert found.terms == [term]
    assert not found.things.get("category")


@pytest.mark.parametrize(
    "text",
    [
        "What are our best sellers?", "How's business lately?", "Give me a rundown of customer 88",
        "顾客12和13谁花得多", "我们的顾客分成哪几类？", "顾客88去过几次店？", "88号顾客多久来一次？",
        "哪些顾客好久没来了？", "Which day of the week is busiest?", "谁最可能流失？",
    ],
)  # fmt: skip
def test_ordinary_words_are_no_terms(text: str):
    assert link(text).terms == []
    assert not link(text).things.get("category")


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("customers aged 25-34", {"age": ["25-34"]}),
        ("aged 25 to 34", {"age": ["25-34"]}),
        ("25到34岁的顾客", {"age": ["25-34"]}),
        ("people over 65", {"age": ["65+"]}),
        ("65岁以上的顾客", {"age": ["65+"]}),
        ("families with children", {"kids_count": ["1", "3+"]}),
        ("有孩子的顾客", {"kids_count": ["1", "3+"]}),
        ("aged 25-34 with kids", {"age": ["25-34"], "kids_count": ["1", "3+"]}),
    ],
)
def test_attributes(text: str, attributes: dict[str, list[str]]):
    assert link(text).attributes == attributes


@pytest.mark.parametrize(
    ("text", "modifiers"),
    [("something they never bought", {"new_only"}), ("没买过的奶酪", {"new_only"}), ("the least popular", {"ascending"}),
     ("销量最低的品类", {"ascending"}), ("最常买的", set())],
)  # fmt: skip
def test_modifiers(text: str, modifiers: set[str]):
    assert link(text).modifiers == modifiers


@pytest.mark.parametrize(
    "text", ["What does she like?", "她喜欢什么", "这位顾客喜欢什么", "tell me about this customer"]
)
def test_pronouns(text: str):
    assert link(text).pronoun


@pytest.mark.parametrize(
    "text", ["What do the customer segments look like?", "她们买什么", "Who are our customers?"]
)
def test_groups_are_no_pronoun(text: str):
    assert not link(text).pronoun


def test_a_thing_pointed_at():
    assert link("Who buys this category?").same_thing
    assert link("这个品类谁买").same_thing


def test_periods_end_where_the_data_ends():
    (period,) = link("sales this year").periods
    assert (str(period.start), str(period.end)) == ("2024-01-01", "2024-08-27")
    (outside,) = link("sales in 2023").periods
    assert str(outside.end) == "2023-12-31"


def test_each_stretch_is_used_once():
    found = link("How much did customer 88 spend on milk in June 2024?")
    assert found.customers == ["88"]
    assert found.things == {"category": ["MILK"]}
    assert len(found.periods) == 1
    assert found.counts == []


PIECES = st.sampled_from(
    "customer 顾客 88 999 12 milk 牛奶 kitty stuff # 2024 和 and , 给 呢 segment 分群 第 一 campaign 活动 product p1 % $ 5 25-34"
    " 有孩子 最低 never bought she 她 June 6月 [x](y) <b> \n 万 cheeze 天气 -".split(" ")
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=10).map("".join), st.lists(PIECES, max_size=10).map(" ".join)))  # fmt: skip
def test_any_text_can_be_linked_and_only_to_what_exists(text: str):
    found, shop = link(text), corner.shop()
    assert all(shop.has_customer(c) for c in found.customers)
    for kind, keys in found.things.items():
        assert len(keys) == len(set(keys))
        if kind == "product":
            assert all(shop.product_name(k) for k in keys)
        else:
            assert set(keys) <= set(shop.keys(kind))
    for attribute, values in found.attributes.items():
        assert {f"{attribute}={v}" for v in values} <= set(shop.keys("attribute_value"))
