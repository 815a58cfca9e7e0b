"""Every tool over the small shop: true values (against plain SQL on the shop's source), both languages,
and names that attack whoever shows or obeys them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.errors import Unknown
from customers.values import Label, Name
from tests import corner
from tests.corner import planted
from tools import TOOLS, WRITE_TOOLS, names, words
from tools.base import Access, CannotDo, Fact, ToolResult, TryAgain

EVERY_CALL: list[tuple[str, dict[str, Any]]] = [
    *(("profile", {"customer": "0", "about": about}) for about in TOOLS["profile"].parameters["about"]["enum"]),
    ("profile", {"customer": "7", "about": "everything"}),
    ("recommend", {"customer": "0", "n": 3}),
    ("recommend", {"customer": "0", "category": "MILK", "n": 2}),
    ("recommend", {"customer": "0", "new_only": True}),
    ("recommend", {"customer": "0", "without": {"category": ["MILK"], "type": ["MILK A"]}}),
    ("profile", {"customer": "0", "about": "tastes", "talk": True}),
    ("measure", {"quantity": "baskets", "by": "weekday", "weekend": True}),
    ("measure", {"quantity": "spend", "by": "segment", "filters": {"category": ["MILK"]}, "without": {"type": ["MILK B"]}}),
    ("measure", {"quantity": "spend", "by": "none", "start": "2024-02-01", "end": "2024-02-29", "of_all_days": True}),
    ("explain_preference", {"customer": "0", "category": "DIAPERS"}),
    ("similar_customers", {"customer": "0", "n": 2}),
    ("segments", {}),
    *(("segment", {"segment": key}) for key in "123"),
    ("audience", {"category": "MILK", "n": 1}),
    ("audience", {"product": "p0", "n": 30, "segment": "1"}),
    ("search_products", {"text": "milk", "n": 3}),
    ("search_products", {"text": "牛奶", "category": "MILK"}),
    ("bought_with", {"category": "DIAPERS", "n": 3}),
    ("bought_with", {"product": "p0"}),
    ("bought_with", {"category": "WINE", "with": "CHEESE"}),
    ("bought_with", {"category": "DIAPERS", "with": "CAT FOOD"}),
    ("bought_with", {"product": "p1", "with": "p2"}),
    ("campaign", {"campaign": "1"}),
    ("campaign", {}),
    *(
        ("measure", {"quantity": quantity, "by": "none", "filters": {"category": ["MILK"], "customer": ["0", "1"]}})
        for quantity in TOOLS["measure"].parameters["quantity"]["enum"]
    ),
    *(
        ("measure", {"quantity": "spend", "by": by, "n": 4})
        for by in [*TOOLS["measure"].parameters["by"]["enum"], "age"]
    ),
    *(("measure", {"quantity": quantity, "by": "campaign"}) for quantity in ("redemptions", "received")),
    *(
        ("measure", {"quantity": quantity, "by": by, "amount": {"low": low, "high": None, "strict_low": True}})
        for quantity in TOOLS["measure"].parameters["quantity"]["enum"]
        for by, low in (("none", 0), ("none", 1e9), ("segment", 1), ("month", 0), ("age", 1))
    ),
    ("measure", {"quantity": "customers", "by": "none", "filters": {"segment": ["1"], "category": ["MILK"]},
                 "amount": {"low": 1, "high": 50.5, "unit": "money"}}),
    ("measure", {"quantity": "spend", "by": "department", "amount": {"low": 0.1, "high": None, "unit": "share"}}),
    ("last_purchase", {"customer": "0"}),
    ("last_purchase", {"customer": "0", "category": "MILK", "n": 1}),
    ("newcomer", {"part": "offers", "buys": ["MILK"], "buys_not": ["WINE"]}),
    ("newcomer", {"part": "questions"}),
    ("visit_days", {"days": "workdays", "segment": "1"}),
    ("visit_days", {"days": "weekend", "start": "2024-02-01", "amount": {"low": 1, "high": 4, "strict_high": True}}),
    ("profile", {"customer": "0", "about": "visits", "lost": True}),
    ("changes", {"by": "category", "why": True}), ("changes", {"by": "customer", "direction": "down", "category": "MILK"}),
    ("changes", {"by": "product", "direction": "up", "rank": "rate", "segment": "1"}),
    ("bought_not", {"bought": [[{"kind": "category", "key": "MILK"}]], "bought_not": [{"kind": "category", "key": "WINE"}], "segment": "1"}),
    ("absent", {"of": "visits", "start": "2024-08-01", "category": "MILK", "segment": "1"}),
    ("absent", {"of": "coupons", "amount": {"low": 5, "strict_low": True, "unit": "baskets"}}),
    ("top_share", {"category": "MILK", "segment": "1"}),
    ("at_risk", {"n": 3}),
    ("at_risk", {"segment": "1", "among": ["0", "1"]}),
    ("last_purchase", {"customer": "0", "before": 1}),
    ("at_risk", {"category": "MILK"}), ("absent", {"of": "visits", "days": 9, "among": ["0", "1", "7"]}),
    ("coupons", {"customer": "0"}),
    ("coupons", {"customer": "7"}),
    ("stopped_buying", {"category": "MILK", "bought": ["2024-03-01", "2024-03-31"], "missed": ["2024-08-01", "2024-08-27"],
                        "segment": "1", "n": 2}),
    ("audience", {"category": "MILK", "among": ["0", "1", "7"]}),
    ("visit_days", {"days": "workdays", "among": ["0", "1", "7"]}),
    ("measure", {"quantity": "customers", "by": "none", "filters": {"category": ["MILK"]}, "among": list("1234567")}),
]  # fmt: skip


def run(tool: str, **args: Any) -> ToolResult:
    return TOOLS[tool].run(corner.shop(), args)


def one(facts: tuple[Fact, ...], predicate: str) -> Fact:
    (fact,) = [f for f in facts if f.predicate == predicate]
    return fact


def measured(quantity: str, by: str = "none", **more: Any) -> Fact:
    return run("measure", quantity=quantity, by=by, **more).facts[0]


def written(facts: tuple[Fact, ...]) -> str:
    return "\n".join(f.text[language] for f in facts for language in ("en", "zh"))


@pytest.mark.parametrize(("tool", "args"), EVERY_CALL, ids=lambda v: v if isinstance(v, str) else None)
def test_every_call_speaks_both_languages_in_whole_sentences(tool: str, args: dict[str, Any]):
    result = run(tool, **args)
    assert result.facts
    for fact in result.facts:
        en, zh = fact.text["en"], fact.text["zh"]
        assert re.search(r"[.!]$", en)
        assert not re.search(r"[\u3400-\u9fff]", en)
        assert zh.endswith("。")
        assert re.search(r"[\u3400-\u9fff]", zh)
        for text in (en, zh):
            assert not re.search(r"[{}]|\bNone\b|\bnan\b|  |\binf\b", text)
        assert not re.search(r"\b1 (?:trips|baskets|coupons|customers|units|products|days)\b", en)
        assert not re.search(r"s's\b", en)
        assert re.findall(r"\d[\d,.]*%", en) == re.findall(r"\d[\d,.]*%", zh)
    if result.table:
        for language in ("en", "zh"):
            assert {len(r) for r in result.table.rows[language]} == {len(result.table.titles[language])}


def test_profile_of_a_customer():
    facts = run("profile", customer="0", about="everything").facts
    ((spend, trips, last),) = planted(
        "SELECT sum(amount), count(DISTINCT basket_id), max(ts)::DATE FROM events"
        " WHERE kind = 'purchase' AND customer_id = '0'"
    )
    fact = one(facts, "spend")
    assert fact.value == pytest.approx(spend)
    assert words.money(spend, "$") in fact.text["en"]
    assert words.money(spend, "$") in fact.text["zh"]
    assert f"{trips} trips" in fact.text["en"]
    assert f"到店{trips}次" in fact.text["zh"]
    assert words.money(spend / trips, "$") in fact.text["en"]
    assert one(facts, "last_visit").value == last.isoformat()
    assert one(facts, "attributes").value == {"age": "25-34"}
    assert corner.shop().segment(one(facts, "segment").value).size == 80


def test_profile_tells_the_top_categories():
    facts = run("profile", customer="0", about="tastes").facts
    top = planted(
        "SELECT p.category, sum(amount), sum(amount) / sum(sum(amount)) OVER () FROM events e"
        " JOIN products p USING (product_id) WHERE kind = 'purchase' AND customer_id = '0'"
        " GROUP BY ALL ORDER BY 2 DESC LIMIT 3"
    )
    tastes = [f for f in facts if f.predicate == "category_spend"]
    assert [f.value for f in tastes] == pytest.approx([spend for _, spend, _ in top])
    for fact, (_, _, share) in zip(tastes, top, strict=True):
        assert words.percent(share) in fact.text["en"]


def test_profile_tells_searches_and_reviews_where_the_shop_has_them(monkeypatch: pytest.MonkeyPatch):
    def made(kind: str, en: str, zh: str) -> Label:
        return Label(kind, en, Name(f"{en} (simulated)", f"{zh}（模拟）"), "2", "", 1.0, date(2024, 1, 1))

    found = [made("need", "oat milk", "燕麦奶"), made("opinion", "Likes Milk", "喜欢牛奶")]
    monkeypatch.setattr(corner.shop(), "labels", lambda customer_id, kinds: found)
    facts = run("profile", customer="0", about="tastes").facts
    assert one(facts, "searched_for").text["en"] == "Customer 0 searched for oat milk (simulated)."
    assert one(facts, "reviewed").text["zh"] == "0号顾客的评价：喜欢牛奶（模拟）。"
    talk = run("profile", customer="0", about="tastes", talk=True).facts
    assert not {"searched_for", "reviewed"} & {fact.predicate for fact in talk}


def test_the_last_purchase_is_told_with_its_goods_the_most_costly_first():
    day, _ = planted("SELECT max(ts), 0 FROM events WHERE kind = 'purchase' AND customer_id = '0'")[0]
    goods = planted(
        "SELECT product_id, sum(amount) FROM events WHERE kind = 'purchase' AND customer_id = '0' AND basket_id ="
        " (SELECT arg_max(basket_id, ts) FROM events WHERE kind = 'purchase' AND customer_id = '0')"
        " GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    last, *items = run("last_purchase", customer="0").facts
    assert last.value == day.date().isoformat()
    assert words.money(sum(paid for _, paid in goods), "$") in last.text["zh"]
    assert [f.value for f in items] == [key for key, _ in goods][:5]
    ((milk,),) = planted(
        "SELECT max(ts)::DATE FROM events JOIN products USING (product_id) WHERE customer_id = '0' AND category = 'MILK'"
    )
    assert run("last_purchase", customer="0", category="MILK").facts[0].value == milk.isoformat()


def test_the_purchase_before_the_last():
    days = [day for day, _ in planted(
        "SELECT DISTINCT ts::DATE, 0 FROM events WHERE kind = 'purchase' AND customer_id = '0' ORDER BY 1 DESC")]  # fmt: skip
    told = [run("last_purchase", customer="0", before=n).facts[0] for n in (1, 2)]
    assert [f.value for f in told] == [day.isoformat() for day in days[1:3]]
    assert all(words.day(day, "zh") in f.text["zh"] for day, f in zip(days, told, strict=False))
    with pytest.raises(CannotDo, match="before"):
        run("last_purchase", customer="0", before=len(days))


def test_what_was_bought_on_a_day():
    ((day, trips),) = planted(
        "SELECT ts::DATE, count(DISTINCT basket_id) FROM events WHERE kind = 'purchase' AND customer_id = '0'"
        " GROUP BY 1 ORDER BY 1 LIMIT 1"
    )
    told = run("last_purchase", customer="0", day=day.isoformat()).facts[0]
    assert (told.value, "no other purchase" in told.text["en"]) == (day.isoformat(), trips == 1)
    with pytest.raises(CannotDo, match=words.day(day, "en")):
        run("last_purchase", customer="0", day=(day - timedelta(days=1)).isoformat())


def test_what_a_customer_was_sent_and_used():
    for customer in ("0", "1", "2"):
        ((sent, used),) = planted(
            "SELECT count(DISTINCT campaign_id) FILTER (kind = 'exposure'), count(*) FILTER (kind = 'redemption')"
            f" FROM events WHERE customer_id = '{customer}'"
        )
        assert [f.value for f in run("coupons", customer=customer).facts] == [sent, used]


def test_who_bought_in_one_period_and_not_in_another():
    rows = dict(planted(
        "SELECT customer_id, bool_or(month(ts) = 8) FROM events JOIN products USING (product_id) WHERE kind = 'purchase'"
        " AND category = 'CAT LITTER' GROUP BY 1 HAVING bool_or(month(ts) = 7)"
    ))  # fmt: skip
    found = run("stopped_buying", category="CAT LITTER", bought=["2024-07-01", "2024-07-31"],
                missed=["2024-08-01", "2024-08-31"])  # fmt: skip
    assert set(found.found["customer"]) == {key for key, still in rows.items() if not still}
    assert f"of {len(rows)} customers" in found.facts[0].text["en"]
    assert 0 < len(found.found["customer"]) < len(rows)


def test_who_has_not_come_for_some_days():
    rows = planted("SELECT customer_id, max(ts)::DATE FROM events WHERE kind = 'purchase' GROUP BY 1")
    last = max(day for _, day in rows)
    away = {key for key, day in rows if (last - day).days >= 10}
    assert set(run("absent", of="visits", days=10).found["customer"]) == away


def test_who_may_leave_and_who_would_be_missed_most():
    known = "SELECT customer_id FROM customer_predictions WHERE churn"
    risky = [str(key) for (key,) in corner.shop().query(f"{known} >= 0.25")]
    found = run("at_risk")
    assert set(found.found["customer"]) == set(risky)
    assert found.facts[0].value == len(risky)
    usual = [one.chance * one.usual for one in found.full]
    assert usual == sorted(usual, reverse=True)
    safe = [str(key) for (key,) in corner.shop().query(f"{known} < 0.2 LIMIT 4")]
    none, likeliest = run("at_risk", among=safe).facts
    assert (none.value, likeliest.value < 0.2) == (0, True)
    assert run("at_risk", among=[*safe, *risky]).found["customer"] == found.found["customer"]


def test_figures_of_a_list_rank_its_customers_alone():
    among = ["3", "4", "5", "6", "7", "8"]
    top = planted("SELECT customer_id, count(DISTINCT basket_id) FROM events WHERE kind = 'purchase' AND customer_id IN"
                  " ('3', '4', '5', '6', '7', '8') GROUP BY 1 ORDER BY 2 DESC, 1")  # fmt: skip
    total, *rows = run("measure", quantity="baskets", by="customer", among=among, n=2).facts
    assert [f.value for f in rows] == [trips for _, trips in top[:2]]
    assert "These 6 customers" in total.text["en"]
    assert "of 6 customers" in rows[0].text["en"]


def test_customers_who_come_on_some_days_only():
    rows = planted(
        "SELECT customer_id, count(DISTINCT basket_id) FROM events WHERE kind = 'purchase' GROUP BY 1"
        " HAVING bool_and(isodow(ts) < 6) AND count(DISTINCT basket_id) >= 3 ORDER BY 2 DESC"
    )
    found = run("visit_days", days="workdays", amount={"low": 3, "high": None, "unit": "baskets"})
    assert found.facts[0].value == len(rows)
    assert set(found.found["customer"]) == {key for key, _ in rows}
    assert "with at least 3 trips" in found.facts[0].text["en"]


def test_offers_to_a_newcomer_follow_what_they_said():
    offers, told = run("newcomer", part="offers"), run("newcomer", part="offers", buys=["MILK"], n=3)
    assert {rec.reason for rec in offers.recommendations} <= {"crowd", "reduced"}
    assert told.lead
    assert "Milk" in told.lead["en"]
    assert all("answer alike" in f.text["en"] or "list price" in f.text["en"] for f in told.facts)


def test_profile_says_when_nothing_is_known():
    (fact,) = run("profile", customer="7", about="attributes").facts
    assert fact.value is None


@pytest.mark.parametrize(
    ("quantity", "sql"),
    [
        ("spend", "sum(amount)"), ("units", "sum(quantity)"), ("baskets", "count(DISTINCT basket_id)"),
        ("customers", "count(DISTINCT customer_id)"), ("products", "count(DISTINCT product_id)"),
        ("mean_basket", "sum(amount) / count(DISTINCT basket_id)"),
        ("mean_spend", "sum(amount) / count(DISTINCT customer_id)"), ("mean_price", "sum(amount) / sum(quantity)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("args", "where"),
    [
        ({}, "true"),
        ({"filters": {"category": ["MILK"]}}, "category = 'MILK'"),
        ({"filters": {"category": ["WINE", "CHEESE"], "brand": ["Private"]}}, "category IN ('WINE', 'CHEESE') AND brand = 'Private'"),
        ({"filters": {"customer": ["5"]}, "start": "2024-03-01", "end": "2024-03-31"},
         "customer_id = '5' AND ts >= '2024-03-01' AND ts < '2024-04-01'"),
        ({"filters": {"attributes": {"age": ["25-34"]}}}, "customer_id IN (SELECT customer_id FROM attributes WHERE value = '25-34')"),
    ],
)  # fmt: skip
def test_measured_figures(quantity: str, sql: str, args: dict[str, Any], where: str):
    ((true,),) = planted(
        f"SELECT {sql} FROM events JOIN products USING (product_id) WHERE kind = 'purchase' AND {where}"
    )
    fact = measured(quantity, **args)
    assert fact.value == pytest.approx(true)
    money = quantity in ("spend", "mean_basket", "mean_spend", "mean_price")
    shown = words.money(fact.value, "$") if money else words.number(fact.value)
    assert shown in fact.text["en"]
    assert shown in fact.text["zh"]


def test_a_figure_tells_its_filters_and_its_share():
    facts = run("measure", quantity="spend", by="none", filters={"customer": ["0"], "category": ["MILK"]},
                start="2024-02-01", end="2024-02-29").facts  # fmt: skip
    assert "ustomer 0" in facts[0].text["en"]
    assert "Milk in February 2024" in facts[0].text["en"]
    assert all(part in facts[0].text["zh"] for part in ("0", "牛奶", "2024年2月"))
    ((milk, all_of_it),) = planted(
        "SELECT sum(amount) FILTER (category = 'MILK'), sum(amount) FROM events JOIN products USING (product_id)"
        " WHERE kind = 'purchase' AND customer_id = '0' AND month(ts) = 2"
    )
    assert facts[1].value == pytest.approx(milk / all_of_it)


def test_a_share_of_customers_stays_within_the_group_asked_about():
    facts = run("measure", quantity="customers", by="none",
                filters={"category": ["WINE"], "attributes": {"age": ["25-34"]}}).facts  # fmt: skip
    assert facts[1].value == pytest.approx(facts[0].value / 50)
    assert "Aged 25-34" in facts[1].text["en"]
    assert "25-34岁" in facts[1].text["zh"]


def test_things_named_together_are_told_one_by_one_too():
    facts = run("measure", quantity="customers", by="none", filters={"category": ["MILK", "WINE"]}).facts
    bought = (
        "SELECT DISTINCT customer_id FROM events JOIN products USING (product_id) WHERE kind = 'purchase'"
    )
    milk, wine = (f"{bought} AND category = '{category}'" for category in ("MILK", "WINE"))
    ((either, of_milk, of_wine, of_both),) = planted(
        f"SELECT (SELECT count(*) FROM ({milk} UNION {wine})), (SELECT count(*) FROM ({milk})),"
        f" (SELECT count(*) FROM ({wine})), (SELECT count(*) FROM ({milk} INTERSECT {wine}))"
    )
    counts = [f for f in facts if f.predicate == "customers"]
    assert [f.value for f in counts] == [either, of_milk, of_wine, of_both]
    assert "Milk or Wine" in counts[0].text["en"]
    assert "牛奶或" in counts[0].text["zh"]
    assert "both Milk and Wine" in counts[3].text["en"]


def test_customers_named_together_are_told_one_by_one_too():
    facts = run("measure", quantity="spend", by="none", filters={"customer": ["0", "1"]}).facts
    together, *each = [f.value for f in facts if f.predicate == "spend"]
    assert len(each) == 2
    assert sum(each) == pytest.approx(together)


@pytest.mark.parametrize("quantity", ["spend", "baskets", "mean_basket"])
def test_a_campaign_narrows_purchases_to_who_was_sent_it(quantity: str):
    fact = measured(quantity, filters={"campaign": ["1"]})
    assert "who were sent Campaign 1" in fact.text["en"]
    assert "收到活动1的顾客" in fact.text["zh"]


@pytest.mark.parametrize("quantity", ["redemptions", "received"])
def test_coupons_for_a_category_say_so(quantity: str):
    fact = measured(quantity, filters={"category": ["DIAPERS"], "campaign": ["1"]})
    assert fact.value == {"redemptions": 20, "received": 200}[quantity]
    assert "Diapers & disposables" in fact.text["en"]
    assert "尿布与一次性用品" in fact.text["zh"]
    assert measured(quantity, filters={"category": ["MILK"]}).value == 0


@pytest.mark.parametrize(
    ("by", "expression"),
    [("category", "category"), ("brand", "brand"), ("type", '"type"'), ("product", "product_id"), ("customer", "customer_id"),
     ("month", "strftime(ts, '%Y-%m')"), ("weekday", "dayname(ts)")],
)  # fmt: skip
@pytest.mark.parametrize("ascending", [False, True])
def test_rankings(by: str, expression: str, ascending: bool):
    order = "ASC" if ascending else "DESC"
    rows = planted(f"SELECT {expression}, sum(quantity) AS n FROM events JOIN products USING (product_id)"
                   f" WHERE kind = 'purchase' GROUP BY 1 ORDER BY n {order}")  # fmt: skip
    result = run("measure", quantity="units", by=by, n=3, ascending=ascending)
    total, *stated = result.facts
    assert total.value == sum(n for _, n in rows)
    assert [f.value for f in stated] == [n for _, n in rows[:3]]
    assert words.percent(stated[0].value / total.value) in stated[0].text["en"]
    assert len(rows) == result.full.groups
    assert f"{len(rows)} " in stated[0].text["en"]


def test_what_is_asked_about_is_stated_even_at_the_bottom():
    result = run("measure", quantity="spend", by="category", filters={"category": ["WINE", "MILK"]})
    named = {f.subject: f.value for f in result.facts[1:]}
    true = dict(planted("SELECT category, sum(amount) FROM events JOIN products USING (product_id)"
                        " WHERE category IN ('WINE', 'MILK') AND kind = 'purchase' GROUP BY 1"))  # fmt: skip
    assert named == {"Wine": pytest.approx(true["WINE"]), "Milk": pytest.approx(true["MILK"])}


@pytest.mark.parametrize("quantity", ["customers", "spend", "baskets"])
@pytest.mark.parametrize("by", ["none", "customer"])
def test_a_threshold_counts_the_customers_who_pass_it(quantity: str, by: str):
    spend = [float(v) for (v,) in planted("SELECT sum(amount) FROM events WHERE kind = 'purchase' GROUP BY customer_id ORDER BY 1 DESC")]  # fmt: skip
    limit = round(spend[9], 2)  # the tenth's own figure, so that "more than" and "at least" differ
    shown = words.number(limit, 0 if limit.is_integer() else 2)
    for strict, passing in ((True, sum(v > limit for v in spend)), (False, sum(v >= limit for v in spend))):
        amount = {"low": limit, "high": None, "strict_low": strict, "strict_high": False, "unit": "money"}
        result = run("measure", quantity=quantity, by=by, amount=amount)
        count, together, *first = result.facts
        assert (count.value, count.unit) == (passing, "customers")
        assert together.value == pytest.approx(sum(spend[:passing]))
        assert f"{passing} of the {words.number(len(spend))} customers" in count.text["en"]
        assert f"{'more than' if strict else 'at least'} ${shown}" in count.text["en"]
        assert f"{'超过' if strict else '至少'}${shown}" in count.text["zh"]
        assert [f.value for f in first] == pytest.approx(spend[:5])
        assert len(result.found["customer"]) == passing


def test_a_threshold_on_trips_and_on_what_few_bought():
    trips = [n for (n,) in planted("SELECT count(DISTINCT basket_id) FROM events JOIN products USING (product_id)"
                                   " WHERE kind = 'purchase' AND category = 'MILK' GROUP BY customer_id")]  # fmt: skip
    limit = sorted(trips)[len(trips) // 2]
    result = run("measure", quantity="customers", by="none", filters={"category": ["MILK"]},
                 amount={"low": None, "high": limit, "strict_high": True, "unit": "baskets"})  # fmt: skip
    assert result.facts[0].value == sum(n < limit for n in trips)
    assert "fewer than" in result.facts[0].text["en"]
    assert "不到" in result.facts[0].text["zh"]


def test_a_named_customer_is_held_against_the_threshold():
    for low, holds, word in (
        (0.5, True, "That is more than $0.50."),
        (1e6, False, "That is not more than $1,000,000."),
    ):
        result = run("measure", quantity="spend", by="none", filters={"customer": ["0"]},
                     amount={"low": low, "strict_low": True, "unit": "money"})  # fmt: skip
        assert result.facts[-1].value is holds
        assert result.facts[-1].text["en"] == word


def test_a_share_threshold_only_where_shares_add_up():
    rows = planted("SELECT sum(amount) FROM events JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY category")  # fmt: skip
    total = sum(v for (v,) in rows)
    amount = {"low": 0.1, "high": None, "strict_low": True, "unit": "share"}
    assert run("measure", quantity="spend", by="category", amount=amount).facts[0].value == sum(
        v / total > 0.1 for (v,) in rows
    )
    with pytest.raises(CannotDo):
        run("measure", quantity="customers", by="category", amount=amount)


def test_weekdays_and_months_in_chinese():
    assert re.search(r"星期[一二三四五六日]", written(run("measure", quantity="baskets", by="weekday").facts))
    assert "2024年7月" in written(run("measure", quantity="spend", by="month").facts)


@pytest.mark.parametrize("quantity", ["mean_basket", "mean_spend", "mean_price"])
def test_a_mean_of_nothing_is_not_zero(quantity: str):
    with pytest.raises(CannotDo) as error:
        measured(
            quantity, filters={"customer": ["5"], "category": ["WINE"]}, start="2024-01-01", end="2024-01-01"
        )
    assert set(error.value.text) == {"en", "zh"}


def test_segments_add_up():
    result = run("segments")
    assert result.facts[0].value == 3
    sizes = [f.value for f in result.facts[1:]]
    assert sorted(sizes) == [60, 60, 80]
    assert sizes[0] == 80
    assert "40.0%" in result.facts[1].text["zh"]


def test_segment_figures():
    shop = corner.shop()
    for key in shop.keys("segment"):
        members = tuple(str(c) for c, s, *_ in shop.segment_map() if s == key)
        ((spend, trips),) = planted(
            f"SELECT sum(amount) / {len(members)}, count(DISTINCT basket_id) / {len(members)} FROM events"
            f" WHERE kind = 'purchase' AND customer_id IN {members}"
        )
        facts = run("segment", segment=key).facts
        assert one(facts, "size").value == len(members)
        assert one(facts, "mean_spend").value == pytest.approx(spend)
        assert f"{trips:.1f} trips" in one(facts, "mean_spend").text["en"]


def test_recommendations_come_with_reasons_and_respect_their_options():
    bought = {
        p
        for (p,) in planted(
            "SELECT DISTINCT product_id FROM events WHERE customer_id = '0' AND kind = 'purchase'"
        )
    }
    cheese = {p for (p,) in planted("SELECT product_id FROM products WHERE category = 'CHEESE'")}
    result = run("recommend", customer="0", n=4)
    assert len(result.facts) == len(result.recommendations) == 4
    assert [f.value for f in result.facts] == [r.product_id for r in result.recommendations]
    assert {f.value for f in run("recommend", customer="0", category="CHEESE").facts} <= cheese
    assert not {f.value for f in run("recommend", customer="0", new_only=True).facts} & bought


def test_a_repeat_is_told_with_its_true_figures():
    repeats = [(f, r) for f, r in _zipped(run("recommend", customer="0", n=10)) if r.reason == "repeat"]
    assert repeats
    for fact, rec in repeats:
        ((trips, since),) = planted(
            "SELECT count(DISTINCT basket_id), DATE '2024-08-27' - max(ts)::DATE FROM events"
            " WHERE customer_id = '0' AND product_id = ? AND kind = 'purchase'", rec.product_id
        )  # fmt: skip
        assert f"bought on {trips} trip" in fact.text["en"]
        assert f"买过{trips}次" in fact.text["zh"]
        assert words.days_ago(since, "en") in fact.text["en"]


def _zipped(result: ToolResult) -> list[tuple[Fact, Any]]:
    return list(zip(result.facts, result.recommendations, strict=True))


def test_nothing_left_to_recommend_is_said():
    known = planted("SELECT customer_id FROM events JOIN products USING (product_id) WHERE category = 'MILK'"
                    " AND kind = 'purchase' GROUP BY 1 HAVING count(DISTINCT product_id) = 5 LIMIT 1")  # fmt: skip
    with pytest.raises(CannotDo) as error:
        run("recommend", customer=known[0][0], category="MILK", new_only=True)
    assert "Milk" in error.value.text["en"]
    assert "牛奶" in error.value.text["zh"]


def test_preference_explained():
    head, *why, change = run("explain_preference", customer="0", category="DIAPERS").facts
    assert head.value > 0.9
    assert change.predicate == "would_change"
    assert "left out" in change.text["en"]
    assert "没有买" in change.text["zh"]
    trips = planted("SELECT count(DISTINCT basket_id) FROM events JOIN products USING (product_id)"
                    " WHERE customer_id = '0' AND category = 'DIAPERS' AND kind = 'purchase'")[0][0]  # fmt: skip
    assert f"{trips} trips" in written(tuple(why))
    assert all(("raises" in f.text["en"]) == (f.value > 0) for f in why)
    assert all(("提高" in f.text["zh"]) == (f.value > 0) for f in why)


def test_similar_customers_share_the_taste():
    result = run("similar_customers", customer="0", n=5)
    assert len(result.facts) == 5
    assert all(int(f.value) < 80 for f in result.facts)  # the planted baby customers
    assert "0" not in [f.value for f in result.facts]


def test_audience():
    result = run("audience", category="DIAPERS", n=15)
    assert result.facts[0].value == 15
    members = [f for f in result.facts if f.predicate == "buys_within_30_days"]
    assert len(members) == 10
    assert result.table is not None
    assert len(result.table.rows["en"]) == 5
    assert [m.value for m in members] == sorted((m.value for m in members), reverse=True)
    for fact in members:
        customer = fact.subject.split()[-1]
        ((trips,),) = planted("SELECT count(DISTINCT basket_id) FROM events JOIN products USING (product_id)"
                              " WHERE customer_id = ? AND category = 'DIAPERS' AND kind = 'purchase'", customer)  # fmt: skip
        assert f"{trips} trip" in fact.text["en"]
        assert f"{trips}次" in fact.text["zh"]


def test_bought_with():
    for fact in run("bought_with", category="DIAPERS", n=5).facts:
        ((both_, first, second, baskets),) = planted(
            "WITH b AS (SELECT basket_id, bool_or(category = 'DIAPERS') AS x, bool_or(category = ?) AS y FROM events"
            " JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY 1)"
            " SELECT count(*) FILTER (x AND y), count(*) FILTER (x), count(*) FILTER (y), count(*) FROM b", fact.value
        )  # fmt: skip
        assert words.plural(both_, "basket") in fact.text["en"]
        assert words.percent(both_ / first) in fact.text["zh"]
        assert f"{both_ * baskets / first / second:.1f} times" in fact.text["en"]


def test_campaigns():
    facts = run("campaign", campaign="1").facts
    assert one(facts, "received").value == 200
    assert one(facts, "redeemers").value == 20
    assert "10.0%" in one(facts, "redeemers").text["en"]
    assert "January 31, 2024 to March 1, 2024" in one(facts, "received").text["en"]
    (ranked,) = run("campaign").facts
    assert ranked.value == pytest.approx(0.1)


def test_search_finds_the_category_in_both_languages():
    for text in ("milk", "牛奶"):
        hits = [f.value for f in run("search_products", text=text, n=3).facts]
        assert set(hits) <= {"p45", "p46", "p47", "p48", "p49"}


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("profile", {"customer": "999", "about": "everything"}), ("recommend", {"customer": "999"}),
        ("recommend", {"customer": "0", "category": "NOPE"}), ("explain_preference", {"customer": "0", "category": "NOPE"}),
        ("similar_customers", {"customer": "999"}), ("segment", {"segment": "9"}), ("audience", {"category": "NOPE"}),
        ("audience", {"product": "nope"}), ("audience", {"category": "MILK", "segment": "9"}),
        ("bought_with", {"category": "NOPE"}), ("bought_with", {"product": "nope"}), ("campaign", {"campaign": "9"}),
        ("measure", {"quantity": "spend", "by": "none", "filters": {"category": ["NOPE"]}}),
        ("measure", {"quantity": "spend", "by": "none", "filters": {"customer": ["999"]}}),
        ("measure", {"quantity": "spend", "by": "none", "filters": {"attributes": {"shoe_size": ["9"]}}}),
        ("search_products", {"text": "milk", "category": "NOPE"}),
    ],
)  # fmt: skip
def test_unknown_ids(tool: str, args: dict[str, Any]):
    with pytest.raises(Unknown):
        run(tool, **args)


@pytest.mark.parametrize("tool", ["audience", "bought_with"])
def test_a_missing_thing_can_be_mended_by_the_planner(tool: str):
    with pytest.raises(TryAgain):
        run(tool)


def test_every_tool_says_what_it_does_and_whether_it_writes():
    for name, tool in TOOLS.items():
        assert tool.name == name
        assert tool.access is (Access.WRITE if name in WRITE_TOOLS else Access.READ)
        assert tool.describe
        assert set(tool.busy) == {"en", "zh"}
        assert set(tool.required) <= set(tool.parameters)


# names that attack -----------------------------------------------------------------------------
DANGEROUS = re.compile(r"[<>\[\]`|*_\\{}~\x00-\x1f\u200b-\u200f\u2028-\u202e]|://|!\[")


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("profile", {"customer": "0", "about": "everything"}), ("recommend", {"customer": "0", "n": 8}),
        ("explain_preference", {"customer": "0", "category": "MILK"}), ("similar_customers", {"customer": "0"}),
        ("segments", {}), ("segment", {"segment": "1"}), ("audience", {"product": "p0", "segment": "1", "n": 12}),
        ("search_products", {"text": "milk"}), ("bought_with", {"category": "MILK"}), ("bought_with", {"product": "p0"}),
        ("campaign", {"campaign": "1"}), ("campaign", {}), ("measure", {"quantity": "spend", "by": "category"}),
        ("measure", {"quantity": "spend", "by": "brand"}), ("measure", {"quantity": "spend", "by": "product", "n": 20}),
        ("measure", {"quantity": "spend", "by": "segment"}), ("measure", {"quantity": "redemptions", "by": "campaign"}),
        ("measure", {"quantity": "spend", "by": "none",
                     "filters": {"category": ["MILK"], "segment": ["1"], "brand": ["Private"], "product": ["p45"], "campaign": ["1"]}}),
    ],
)  # fmt: skip
def test_hostile_names_are_plain_text(tool: str, args: dict[str, Any]):
    result = TOOLS[tool].run(corner.hostile(), args)
    texts = [f.text[language] for f in result.facts for language in ("en", "zh")]
    texts += [n for f in result.facts for n in f.names]
    if result.table:
        texts += [cell for language in ("en", "zh") for row in result.table.rows[language] for cell in row]
    assert any("Ignore previous" in t for t in texts) or tool in ("similar_customers", "bought_with")
    for text in texts:
        assert not DANGEROUS.search(text.replace(">99%", "").replace("<1%", "")), text


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from("<b> [x](y) ` | * _ # \n \x00 \u202e http:// ![ {0} a 名".split(" ")), max_size=12).map("".join)))  # fmt: skip
def test_a_label_is_inert_one_line_and_short(text: str):
    shown = words.label(text)
    assert not DANGEROUS.search(shown)
    assert "#" not in shown
    assert len(shown.splitlines()) <= 1
    assert len(shown) <= 80
    assert words.label(shown) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0.00"), (3.5, "$3.50"), (-12, "-$12.00"), (1234.5, "$1,234.50"), (77079.4, "$77,079")],
)
def test_money(value: float, text: str):
    assert words.money(value, "$") == text


def test_numbers_plurals_listings():
    assert words.number(1234) == "1,234"
    assert words.number(2.25) == "2.2"
    assert words.plural(1, "trip") == "1 trip"
    assert words.plural(2, "category", "categories") == "2 categories"
    assert words.percent(0.1234) == "12.3%"
    assert words.listing(["a", "b", "c"], "en") == "a, b and c"
    assert words.listing(["甲", "乙", "丙"], "zh") == "甲、乙和丙"
    assert words.listing([], "en") == ""


def test_goods_that_are_left_out_do_not_count():
    whole, but = measured("spend").value, measured("spend", without={"category": ["MILK"]}).value
    assert but == pytest.approx(whole - measured("spend", filters={"category": ["MILK"]}).value)
    assert (
        measured("baskets", without={"category": ["MILK"]}).value
        == planted(
            "SELECT count(DISTINCT basket_id) FROM events JOIN products USING (product_id)"
            " WHERE kind = 'purchase' AND category <> 'MILK'"
        )[0][0]
    )
    offered = run("recommend", customer="0", n=10, without={"category": ["MILK"]})
    assert "MILK" not in {rec.category for rec in offered.recommendations}
    assert "other than" in str(offered.lead)


def test_nothing_for_adults_only_is_a_topic(monkeypatch: pytest.MonkeyPatch):
    taste = corner.shop().profile("0").top_categories[0].category
    monkeypatch.setitem(corner.shop().__dict__, "for_adults", frozenset({taste}))
    asked, said = (
        run("profile", customer="0", about="tastes"),
        run("profile", customer="0", about="tastes", talk=True),
    )
    assert taste in asked.found["category"]
    assert taste not in said.found["category"]
    assert "segment" not in said.found
    name = corner.shop().name("category", taste).en
    assert name not in written(said.facts)
    for about in ("tastes", "everything"):
        assert run("profile", customer="0", about=about, talk=True).slots["taste"]["en"] != name
    assert run("profile", customer="0", about="everything").slots["taste"]["en"] != name
    offered = run("recommend", customer="0", n=5, talk=True).recommendations
    assert taste not in {rec.category for rec in offered}


def test_weekends_add_up_and_trips_are_said_to_be_trips():
    result = run("measure", quantity="baskets", by="weekday", weekend=True)
    whole, at_weekend, other = (fact.value for fact in result.facts[:3])
    assert at_weekend + other == whole
    assert (
        at_weekend
        == planted("SELECT count(DISTINCT basket_id) FROM events WHERE kind = 'purchase' AND isodow(ts) > 5")[
            0
        ][0]
    )
    assert "trips" in (result.lead or {})["en"]


def test_an_attribute_without_names_is_called_by_its_values():
    class Nameless:
        def name(self, kind: str, key: str) -> Any:
            raise Unknown(f"there is no {kind} {key!r}")

    assert names.attribute_value(Nameless(), "tier_level", "gold*").all == ("gold·",)  # type: ignore[arg-type]
    assert names.attribute(Nameless(), "tier_level").zh == "tier level"  # type: ignore[arg-type]


def test_a_group_s_share_says_what_it_is_a_share_of():
    row = run("measure", quantity="spend", by="segment", filters={"category": ["MILK"]}).facts[1]
    assert "of the money spent on" in row.text["en"]
    assert (
        "of the customers who bought"
        in run("measure", quantity="customers", by="segment", filters={"category": ["MILK"]})
        .facts[1]
        .text["en"]
    )


def test_when_a_thing_was_last_bought_comes_first():
    bought = run("profile", customer="0", about="visits", of=["MILK"]).facts[0]
    (last, trips, spent) = planted(
        "SELECT max(ts)::DATE, count(DISTINCT basket_id), sum(amount) FROM events JOIN products USING (product_id)"
        " WHERE kind = 'purchase' AND customer_id = '0' AND category = 'MILK'"
    )[0]
    assert bought.value == last.isoformat()
    assert all(
        f"{trips}" in bought.text[lang] and f"{spent:,.2f}" in bought.text[lang] for lang in ("en", "zh")
    )
    never = next(c for c in corner.shop().keys("category") if corner.shop().category_history("0", c) is None)
    assert "bought nothing" in run("profile", customer="0", about="visits", of=[never]).facts[0].text["en"]
