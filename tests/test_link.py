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
        # who is likely to, not how many are
        ("what is 150 likely to buy", ["150"]),
        ("is 12 going to buy milk", ["12"]),
        ("150可能会买什么", ["150"]),
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
        ("20 likely buyers of milk", [20], []),
        ("100 likely to buy milk", [100], []),
        # numbers in words
        ("two hundred people", [200], []),
        ("a hundred customers", [100], []),
        ("one hundred and fifty shoppers", [150], []),
        ("twenty-five households", [25], []),
        ("three dozen products", [36], []),
        ("1,000 customers", [1000], []),
        ("the last couple of weeks", [], []),
        ("两百人", [200], []),
        ("一百位顾客", [100], []),
        ("五十来位顾客", [50], []),
        ("三十个人", [30], []),
        ("一个人花了多少", [], []),
        ("前十品类", [10], []),
        ("销售额前五", [5], []),
        ("前10%的顾客", [], []),
        ("销售额最低的五个部门", [5], []),
        # one for each is a count, any one is none
        ("recommend one product each", [1], []),
        ("one product to each of them", [1], []),
        ("offer every shopper one item", [1], []),
        ("各推荐一款商品", [1], []),
        ("每人推荐一个", [1], []),
        ("一人一款", [1], []),
        ("any cheese will do - just one.", [1], []),
        ("随便哪款奶酪，一款就行", [1], []),
        ("give me one product", [], []),
        ("which one is best", [], []),
        ("推荐一款商品", [], []),
        # durations, amounts, percentages, decimals and years count nothing and are nobody
        ("bought within 30 days", [], []),
        ("未来30天内", [], []),
        ("spent $50 on milk", [], []),
        ("花了50元", [], []),
        ("20% of sales", [], []),
        ("收入在5万到7.4万", [], []),
        ("in 2024", [], []),
        ("aged 25-34", [], []),
        # nor do ages, months, sizes and what is given away make a number somebody behind a word for customers
        ("customers 25 to 34", [], []),
        ("55-64岁顾客2月到5月的人均消费", [], []),
        ("顾客2-5月的消费", [], []),
        ("会员30天内来了几次", [], []),
        ("送150份试用装，选一下收件的顾客", [150], []),
        ("Offer customer 88, 3 products", [3], ["88"]),
        ("Is 88 among our top customers?", [], ["88"]),
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
    [("something they never bought", {"new_only"}), ("which products are new to 12?", {"new_only"}),
     ("new to customer 12", {"new_only"}), ("没买过的奶酪", {"new_only"}), ("the least popular", {"ascending"}),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Which customers spent more than $5,000?", (5000, None, True, False, "money")),
        ("How many customers spent over $1,000 in June?", (1000, None, True, False, "money")),
        ("消费超过5000元的顾客有多少？", (5000, None, True, False, "money")),
        ("customers with at least 50 trips", (50, None, False, False, "baskets")),
        ("categories under $500", (None, 500, False, True, "money")),
        ("between 100 and 200 dollars", (100, 200, False, False, "money")),
        ("消费在100到200元之间", (100, 200, False, False, "money")),
        ("fewer than 3 visits", (None, 3, False, True, "baskets")),
        ("花了5千以上", (5000, None, False, False, "money")),
        ("消费1.5万元以上", (15000, None, False, False, "money")),
        ("一万五以上的消费", (15000, None, False, False, "")),
        ("spent over 3k", (3000, None, True, False, "money")),
        ("who spent more than 2000", (2000, None, True, False, "money")),  # no year
        ("spent two thousand dollars or more", (2000, None, False, False, "money")),
        ("no more than 3 trips", (None, 3, False, False, "baskets")),
        ("不超过三百五十元", (None, 350, False, False, "money")),
        ("只来过一次的顾客", (1, 1, False, False, "baskets")),
        ("who only came once", (1, 1, False, False, "baskets")),
        ("more than 5% of sales", (0.05, None, True, False, "share")),
        ("categories with more than 30 buyers", (30, None, True, False, "customers")),
        ("sold fewer than 10 units", (None, 10, False, True, "units")),
    ],
)
def test_amounts(text: str, expected: tuple[float | None, float | None, bool, bool, str]):
    (amount,) = link(text).amounts
    low, high, strict_low, strict_high, unit = expected
    assert amount.as_argument() == {
        "low": low, "high": high, "strict_low": strict_low, "strict_high": strict_high, "unit": unit
    }  # fmt: skip
    assert link(text).counts == []
    assert link(text).periods == [] or "June" in text


@pytest.mark.parametrize(
    "text",
    ["spent $50 on milk", "20% of sales", "sales over 2024", "people over 65", "in the last 30 days", "aged 25-34",
     "not here for more than 30 days", "超过30天没来", "recommend at least 3 products to customer 88", "compare 12 to 13"],
)  # fmt: skip
def test_no_threshold(text: str):
    assert link(text).amounts == []


@pytest.mark.parametrize(
    ("text", "counts", "counted"),
    [
        ("recommend two products to the three best customers", [2, 3], ["product", "customer"]),
        ("给前三位顾客各推荐两款商品", [3, 2], ["customer", "product"]),
        ("top 5 categories", [5], ["category"]),
        ("our five most loyal shoppers", [5], ["customer"]),
        ("最好的3个品类", [3], ["category"]),
        ("20 of our customers", [20], ["customer"]),
        ("the top 12", [12], [""]),
        ("send it to 20 people and tell me 2 campaigns", [20, 2], ["customer", "campaign"]),
        ("销量最好的三个月份", [3], ["month"]),
        ("the two largest segments", [2], ["segment"]),
        ("one product each", [1], ["product"]),
        ("每人推荐一个", [1], ["product"]),
        ("找两百人", [200], ["customer"]),
        ("五个商品类型", [5], ["type"]),
        ("销售额最低的五个部门", [5], ["department"]),
    ],
)
def test_counts_know_what_they_count(text: str, counts: list[int], counted: list[str]):
    assert (link(text).counts, link(text).counted) == (counts, counted)


def test_where_things_stand():
    text = "Does customer 88 buy milk or cheese from campaign 1, aged 25-34, product p1?"
    found = link(text)
    shown = {key: text[slice(*span)] for key, span in found.spans.items()}
    assert shown == {
        ("customer", "88"): "88", ("category", "MILK"): "milk", ("category", "CHEESE"): "cheese",
        ("campaign", "1"): "campaign 1", ("attribute_value", "age=25-34"): "25-34", ("product", "p1"): "product p1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "note", "customers"),
    [
        ("Note that customer 88 prefers oat milk", "prefers oat milk", ["88"]),
        ("Remember for 150: allergic to nuts", "allergic to nuts", ["150"]),
        ("add a note to customer 12: call back on Monday in June", "call back on Monday in June", ["12"]),
        ("记一下，顾客88对坚果过敏", "对坚果过敏", ["88"]),
        ("给150号顾客加个备注：喜欢无糖", "喜欢无糖", ["150"]),
        ("给150加个备注：喜欢牛奶", "喜欢牛奶", ["150"]),
        ("Add “wants cheese for 12 people” to customer 88's notes", "wants cheese for 12 people", ["88"]),
        ("note: she likes wine", "likes wine", []),
        ("请记住：这位顾客不吃辣", "不吃辣", []),
    ],
)
def test_a_notes_words_are_the_askers_own_and_not_linked(text: str, note: str, customers: list[str]):
    found = link(text)
    assert (found.note, found.customers) == (note, customers)
    assert not any(found.things.values())
    assert (found.periods, found.counts, found.amounts, found.terms, found.ambiguous) == ([], [], [], [], [])


@pytest.mark.parametrize(
    "text", ["Do you remember customer 88?", "What notes do we have for 88?", "note the difference in milk", "顾客88有什么备注？"]
)  # fmt: skip
def test_no_note(text: str):
    assert link(text).note == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [("delete note 3", 3), ("remove the 2nd note of customer 88", 2), ("删除第3条备注", 3), ("把第三条备注删了", 3),
     ("delete customer 88's notes", None), ("show note 3", None)],
)  # fmt: skip
def test_the_number_of_a_note(text: str, number: int | None):
    assert link(text).note_number == number
    assert link(text).counts == ([3] if text == "show note 3" else [])


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("campaigns 1 and 2", {"campaign": ["1", "2"]}),
        ("segments 1, 2 and 3", {"segment": ["1", "2", "3"]}),
        ("分群1和2哪个花得多", {"segment": ["1", "2"]}),
        ("campaigns 1 and 2 compared", {"campaign": ["1", "2"]}),
        ("compare campaign 1 with 2", {"campaign": ["1", "2"]}),
        ("活动1和2的对比", {"campaign": ["1", "2"]}),
        ("campaign 1 and 2 products", {"campaign": ["1"]}),
        ("Segment 2: who are these people?", {"segment": ["2"]}),
        ("Groups A and B compared", {"segment": ["1", "2"]}),
        ("how do groups a and b differ", {}),
        ("groups I should look at", {}),
        ("第二类客群", {"segment": ["2"]}),
        # a misspelt word inside a name of several
        ("infant formla and bred", {"category": ["INFANT FORMULA", "BREAD"]}),
        ("cat foood", {"category": ["CAT FOOD"]}),
        ("在起司和奶烙上花了多少", {"category": ["CHEESE"]}),  # 奶酪, as it sounds
        # what is taken back is not meant
        ("how many buy milk... no wait, cheese", {"category": ["CHEESE"]}),
        ("多少人买牛奶……不对，买奶酪", {"category": ["CHEESE"]}),
        ("campaign 1, sorry, I mean campaign 2", {"campaign": ["2"]}),
        ("do they buy milk, not cheese", {"category": ["MILK", "CHEESE"]}),
    ],
)
def test_lists_and_misspelt_words(text: str, things: dict[str, list[str]]):
    assert {k: v for k, v in link(text).things.items() if v} == things


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("customers over 60", {"age": ["65+"]}),
        ("30 years old", {"age": ["25-34"]}),
        ("35岁以下的顾客", {"age": ["25-34"]}),
        ("seniors", {"age": ["65+"]}),
        ("家里有一个孩子的", {"kids_count": ["1"]}),
        ("more than 2 kids", {"kids_count": ["3+"]}),
        ("65 and over", {"age": ["65+"]}),
        ("customers of 65 and over", {"age": ["65+"]}),
        ("our customers 65 or older", {"age": ["65+"]}),
        ("the over-65s", {"age": ["65+"]}),
        ("under 35s", {"age": ["25-34"]}),
        ("65岁及以上", {"age": ["65+"]}),
        ("categories with 65 and over buyers", {}),
        ("spent 65 and over", {}),
    ],
)
def test_numbers_that_fall_into_bands(text: str, values: dict[str, list[str]]):
    assert link(text).attributes == values


@pytest.mark.parametrize(
    "text",
    [
        "in a nutshell, who is customer 88?", "what sells at the till", "what sells like hot cakes", "any low-hanging fruit?",
        "a pie chart of sales", "小菜一碟", "打酱油的顾客", "用饼图看看", "pls list avg spend per bracket",
        "any prospects at the counter?", "要选20位顾客", "十分感谢，介绍一下顾客88", "麻烦问下，上次发放的券核销了几张",
        "咱们的潜在顾客有多少", "顾客来一趟平均下几单", "想挑几位顾客发券", "他们给我们带来多少",
    ],
)  # fmt: skip
def test_manners_of_speaking_name_nothing(text: str):
    found = link(text)
    assert found.terms == []
    assert not any(found.things.values())
    assert found.ambiguous == []


def test_one_character_is_a_thing_to_buy_where_it_names_goods_or_is_bought():
    assert link("有什么茶").terms == ["茶"]
    assert link("买钟的顾客").terms == ["钟"]
    assert link("钟").terms == []


@pytest.mark.parametrize(
    ("text", "customers", "years"),
    [
        ("why 2051 buys milk", ["2051"], []),
        ("what would 2051 like", ["2051"], []),
        ("recommend milk to 2024", ["2024"], []),
        ("sales for 2024", [], ["2024"]),
        ("sales in 2051", [], ["2051"]),
        ("is 2024 better than 2023", [], ["2024", "2023"]),
        ("why 2052 buys milk", [], ["2052"]),  # no customer has this id
    ],
)
def test_a_customers_id_may_look_like_a_year(text: str, customers: list[str], years: list[str]):
    known = {"2051", "2024"}
    shop = corner.shop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shop, "has_customer", lambda written: written in known)
        found = link(text)
    assert found.customers == customers
    assert [p.text for p in found.periods] == years


def test_the_days_of_a_month_are_no_amount():
    found = link("units of milk sold from 18 to 24 June")
    assert found.amounts == []
    (period,) = found.periods
    assert (str(period.start), str(period.end)) == ("2024-06-18", "2024-06-24")


PIECES = st.sampled_from(
    "customer 顾客 88 999 12 milk 牛奶 kitty stuff # 2024 和 and , 给 呢 segment 分群 第 一 campaign 活动 product p1 % $ 5 25-34"
    " 有孩子 最低 never bought she 她 June 6月 [x](y) <b> \n 万 cheeze 天气 - more than between $ 3k 以上 超过 两百元 note that 记一下 delete".split(
        " "
    )
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
    assert len(found.counts) == len(found.counted)
    assert all(0 <= start < end <= len(text) for start, end in found.spans.values())
    assert all(a.low is not None or a.high is not None for a in found.amounts)
    assert found.note in text
    for attribute, values in found.attributes.items():
        assert {f"{attribute}={v}" for v in values} <= set(shop.keys("attribute_value"))


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("Did we sell more milk in June than the month before?", ["06", "05"]),
        ("6月的牛奶比前一个月卖得多吗？", ["06", "05"]),
        ("How much milk the month before?", []),
        ("the day before, in June", ["06"]),
    ],
)
def test_a_period_may_be_the_one_before_another(text: str, months: list[str]):
    assert [p.start.isoformat()[5:7] for p in link(text).periods] == months


@pytest.mark.parametrize("text", ["the segment and band that drinks the most", "Which group drinks most?"])
def test_what_somebody_does_names_no_goods(text: str):
    assert link(text).things.get("category") is None
