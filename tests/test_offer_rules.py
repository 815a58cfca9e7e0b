"""Rules of what may be offered: each holds its product back, says why, and lets the next best in."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from customers.errors import BadInput
from customers.recommend.plan import Contact, Terms
from customers.recommend.rules import LeftOut, RuleName, Rules, may_address, obey, read_rules
from customers.shop import Shop
from customers.values import Recommendation
from tests import corner
from tools import TOOLS

SHELF = [
    Recommendation(f"p{n}", f"Product {n}", category, 1 - n / 100, "popular", {"customers": 1.0})
    for n, category in enumerate(["TEA", "TEA", "TEA", "JAM", "JAM", "OIL", "OIL", "SALT"])
]
BRANDS = {f"p{n}": "Own" if n % 2 else "Other" for n in range(8)}
NOW = datetime(2026, 5, 1, tzinfo=UTC)


NO_RULES = Rules()


def offered(rules: Rules = NO_RULES, n: int = 3, down: dict | None = None, capped: bool = True):
    def ask(wanted: int, without):
        return [rec for rec in SHELF if rec.product_id not in without][:wanted]

    return obey(ask, n, rules, down or {}, lambda key: BRANDS[key], capped=capped)


def kept(found) -> list[str]:
    return [rec.product_id for rec in found.recommendations]


def test_without_rules_the_list_stands() -> None:
    found = offered()
    assert kept(found) == ["p0", "p1", "p2"]
    assert found.left_out == ()


@pytest.mark.parametrize("action", ["never", "dismissed"])
def test_what_was_turned_down_is_not_offered_and_the_next_takes_its_place(action: RuleName) -> None:
    found = offered(down={"p1": (action, NOW)})
    assert kept(found) == ["p0", "p2", "p3"]
    assert found.left_out == (LeftOut("p1", "Product 1", action, at=NOW),)


@pytest.mark.parametrize(
    ("rules", "what", "rule", "expected"),
    [
        (Rules(out_of_stock=frozenset({"p0"})), "", "stock", ["p1", "p2", "p3"]),
        (Rules(products=frozenset({"p0"})), "product", "excluded", ["p1", "p2", "p3"]),
        (Rules(brands=frozenset({"Other"})), "brand", "excluded", ["p1", "p3", "p5"]),
    ],
)
def test_the_shops_rules_hold_products_back_and_name_themselves(rules, what, rule, expected) -> None:
    found = offered(rules)
    assert kept(found) == expected
    first = found.left_out[0]
    assert (first.product_id, first.rule, first.what) == ("p0", rule, what)


def test_an_excluded_category_is_passed_over_whole() -> None:
    found = offered(Rules(categories=frozenset({"TEA", "JAM"})))
    assert kept(found) == ["p5", "p6", "p7"]
    assert {(one.rule, one.what) for one in found.left_out} == {("excluded", "category")}


def test_caps_bound_a_category_and_a_brand_in_one_list() -> None:
    by_category = offered(Rules(category_cap=1), n=4)
    assert kept(by_category) == ["p0", "p3", "p5", "p7"]
    assert by_category.left_out[0] == LeftOut("p1", "Product 1", "category_cap", "TEA", 1)
    by_brand = offered(Rules(brand_cap=2), n=4)
    assert kept(by_brand) == ["p0", "p1", "p2", "p3"]
    assert kept(offered(Rules(brand_cap=1), n=4)) == ["p0", "p1"]


def test_no_cap_on_the_category_that_was_asked_for() -> None:
    assert kept(offered(Rules(category_cap=1), capped=False)) == ["p0", "p1", "p2"]


def test_rules_are_read_from_the_shops_file(tmp_path: Path) -> None:
    assert read_rules(tmp_path) == Rules()
    (tmp_path / "rules.yaml").write_text(
        "out_of_stock: [123]\nexclude: {categories: [TEA], brands: [Own]}\ncaps: {category: 2}\nconsent: ads\n",
        encoding="utf-8",
    )
    assert read_rules(tmp_path) == Rules(
        frozenset({"123"}),
        categories=frozenset({"TEA"}),
        brands=frozenset({"Own"}),
        category_cap=2,
        consent="ads",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("caps: {category: 0}", "1 or more"),
        ("caps: [1]", "caps may hold"),
        ("exclude: {kind: [A]}", "kind"),
        ("exclude: {brands: Own}", "list of ids"),
        ("blocked: [1]", "blocked"),
        ("- 1", "may hold"),
        ("caps: {category: [", "cannot be read"),
    ],
)
def test_a_wrong_rules_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        read_rules(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "recorded", "rules", "may"),
    [
        ({}, (), Rules(), True),
        ({"consent": "yes"}, ("consent",), Rules(), True),
        ({"consent": "No"}, ("consent",), Rules(), False),
        ({}, ("consent",), Rules(), False),
        ({"consent": "拒绝"}, ("consent",), Rules(), False),
        ({"ads": "同意"}, (), Rules(consent="ads"), True),
        ({"consent": "yes"}, ("consent",), Rules(consent="ads"), False),
    ],
)
def test_only_a_yes_is_consent_where_consent_is_kept(attributes, recorded, rules, may) -> None:
    assert may_address(rules, attributes, recorded) is may


def test_no_price_comes_from_a_profile() -> None:
    """A recommendation holds no price, and a plan one coupon for all."""
    assert not {f.name for f in fields(Recommendation)} & {"price", "discount", "coupon"}
    assert not {f.name for f in fields(Contact)} & {"price", "discount", "coupon"}
    assert isinstance(Terms().coupon, float)


def test_tobacco_is_offered_only_where_it_is_asked_for() -> None:
    path = corner.copied()
    with duckdb.connect(str(corner.version(path) / "shop.duckdb")) as con:
        con.execute("UPDATE products SET \"type\" = 'TOBACCO' WHERE category = 'MILK'")
    shop = Shop.open(path)
    assert shop.tobacco == {"MILK"}
    assert "MILK" not in {rec.category for rec in shop.recommend("0", n=20)}
    assert {rec.category for rec in shop.recommend("0", n=3, category="MILK")} == {"MILK"}
    (shop.folder / "rules.yaml").write_text("offer_tobacco: true", encoding="utf-8")
    assert "MILK" in {rec.category for rec in shop.recommend("0", n=20)}
    assert TOOLS["profile"].run(shop, {"customer": "0", "about": "tastes"}).found["category"][0] != "MILK"
    shop.close()
