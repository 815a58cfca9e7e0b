"""The bilingual names and everyday words of the Complete Journey sample."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from customers.product_names import chinese, split
from customers.values import Name

INGEST = Path(__file__).parents[1] / "customers" / "ingest"
HAN = re.compile(r"[\u4e00-\u9fff]")
# Words that are written in capitals in running English.
CAPITALS = {"BBQ", "DVD", "TV", "DXM", "PSE"}


def read(name: str) -> list[dict[str, str]]:
    with (INGEST / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def names() -> list[dict[str, str]]:
    return read("complete_journey_names.csv")


@pytest.fixture(scope="module")
def synonyms() -> list[dict[str, str]]:
    return read("complete_journey_synonyms.csv")


def test_every_department_category_brand_and_attribute_is_named(names):
    counts = Counter(row["kind"] for row in names)
    assert counts["department"] == 32
    assert counts["category"] == 303
    assert counts["brand"] == 2
    assert counts["attribute"] == 7
    values = Counter(row["key"].split("=")[0] for row in names if row["kind"] == "attribute_value")
    assert values == {
        "age": 6, "income": 12, "home_ownership": 4, "marital_status": 2, "household_size": 5,
        "household_comp": 4, "kids_count": 4,
    }  # fmt: skip
    assert set(values) == {row["key"] for row in names if row["kind"] == "attribute"}
    assert counts["type"] >= 400


@pytest.mark.parametrize("column", ["key", "name_en", "name_zh"])
def test_names_are_unique_within_a_kind(names, column):
    uses = Counter((row["kind"], row[column].casefold()) for row in names)
    assert [use for use, n in uses.items() if n > 1] == []


def test_english_reads_as_written_by_people(names):
    for row in names:
        name = row["name_en"]
        assert name == name.strip()
        assert "  " not in name
        assert name[0].isupper() or name[0].isdigit(), row
        assert not HAN.search(name), row
        shouted = [w for w in re.findall(r"[A-Z]{3,}", name) if w not in CAPITALS]
        assert not shouted, row


def test_chinese_is_chinese(names):
    for row in names:
        assert HAN.search(row["name_zh"]), row
        assert row["name_zh"] == row["name_zh"].strip()


@pytest.mark.parametrize(
    ("kind", "key", "en", "zh"),
    [
        ("category", "FLUID MILK PRODUCTS", "Milk", "牛奶"),
        ("category", "CHEESE", "Cheese", "奶酪"),
        ("category", "CHEESES", "Deli cheese", "熟食奶酪"),
        ("category", "FRZN MEAT/MEAT DINNERS", "Frozen meat & meat dinners", "冷冻肉类正餐"),
        ("category", "CHRISTMAS  SEASONAL", "Christmas merchandise", "圣诞用品"),
        ("type", "SFT DRNK 2 LITER BTL CARB INCL", "Soft drinks, 2-liter bottle", "2升瓶装汽水"),
        ("brand", "Private", "Private label", "自有品牌"),
        ("attribute_value", "age=45-54", "Aged 45-54", "45-54岁"),
    ],
)
def test_known_names(names, kind, key, en, zh):
    found = {(row["kind"], row["key"]): (row["name_en"], row["name_zh"]) for row in names}
    assert found[kind, key] == (en, zh)


def test_synonyms_point_to_named_things_in_their_language(names, synonyms):
    known = {(row["kind"], row["key"]) for row in names}
    for row in synonyms:
        assert (row["kind"], row["key"]) in known, row
        assert row["language"] == ("zh" if HAN.search(row["synonym"]) else "en"), row
        assert row["synonym"] == row["synonym"].strip().casefold(), row


def test_only_truly_ambiguous_words_mean_two_categories(synonyms):
    keys = defaultdict(set)
    for row in synonyms:
        if row["kind"] != "attribute_value":  # "high income" is several bands together, no ambiguity
            keys[row["synonym"]].add(row["key"])
    assert {word for word, of in keys.items() if len(of) > 1} == {
        "candy", "sweets", "糖果", "juice", "果汁", "wine", "葡萄酒", "红酒", "seafood", "海鲜", "饼干",
    }  # fmt: skip
    assert max(len(of) for of in keys.values()) == 2


def test_a_synonym_never_takes_another_categorys_own_name(names, synonyms):
    own = {
        row[c].casefold(): row["key"]
        for row in names
        if row["kind"] == "category"
        for c in ("name_en", "name_zh")
    }
    taken = [row for row in synonyms if own.get(row["synonym"], row["key"]) != row["key"]]
    assert taken == []


@pytest.mark.parametrize(
    ("word", "key"),
    [("pop", "SOFT DRINKS"), ("nappies", "DIAPERS & DISPOSABLES"), ("tp", "BATH TISSUES"),
     ("尿布", "DIAPERS & DISPOSABLES"), ("可乐", "SOFT DRINKS"),
     ("卫生纸", "BATH TISSUES"), ("啤酒", "BEERS/ALES")],
)  # fmt: skip
def test_everyday_words(synonyms, word, key):
    assert {row["key"] for row in synonyms if row["synonym"] == word} == {key}


@pytest.mark.parametrize(
    ("name", "kind", "called"),
    [
        ("Cream cheese, 8 oz", Name("Cream cheese", "奶油奶酪"), "奶油奶酪，8盎司"),
        (
            "Medium eggs, 1 dozen (private label)",
            Name("Medium eggs", "中号鸡蛋"),
            "中号鸡蛋，1打（自有品牌）",
        ),
        ("Beer, 6 pack/12 oz", Name("Beer", "啤酒"), "啤酒，6连包/12盎司"),
        ("Bananas", Name("Bananas", "香蕉"), "香蕉"),
        ("Tinsel, 6 ft", Name("Tinsel", "Tinsel"), "Tinsel, 6 ft"),  # the kind has no Chinese name
        ("Milk chocolate", Name("Milk", "牛奶"), "Milk chocolate"),  # another thing than the kind's name says
        ("Red diapers", Name("Diapers", "尿布"), "Red diapers"),
    ],
)
def test_a_product_goes_by_its_kind_in_chinese(name, kind, called):
    assert chinese(name, kind) == called


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Oak Milk, regular · 橡木牛奶(标准装)", Name("Oak Milk, regular", "橡木牛奶(标准装)")),
        ("橡木牛奶 | Oak Milk", Name("Oak Milk", "橡木牛奶")),
        ("Salt / Pepper", None),
        ("牛奶 · 1L", None),  # a size is no English name
        ("Oak Milk", None),
    ],
)
def test_a_name_in_both_languages_is_two_names(name, called):
    assert split(name) == called
