"""The judge is judged: right answers pass, and each kind of wrong answer is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.figures import Unit, figures, says, states
from eval.truth import Truth, load_cases

CASES = Path(__file__).parents[1] / "eval" / "cases" / "first.jsonl"
TOOLS = {"profile", "explain_preference", "recommend", "similar_customers", "segments", "segment", "audience",
         "search_products", "bought_with", "campaign", "measure", "changes"}  # fmt: skip

PRODUCTS = [
    (10, 1, "GROCERY", "National", "COFFEE", "GROUND COFFEE", "12 OZ"),
    (11, 1, "GROCERY", "Private", "COFFEE", "GROUND COFFEE", "12 OZ"),
    (12, 1, "GROCERY", "National", "SOFT DRINKS", "SFT DRNK 2 LITER BTL CARB INCL", "2 LTR"),
    (13, 1, "FUEL", "Private", "FUEL", "GASOLINE-REG UNLEADED", None),
    (14, 1, "GROCERY", "National", "CHEESE", "SHREDDED CHEESE", "8 OZ"),
]
# customer, store, basket, product, quantity, sales_value, UTC time; 10.00 + 1.50 for customer 1.
LINES = [
    (1, 1, 100, 10, 1, 6.00, "2017-01-05 15:00"),
    (1, 1, 100, 12, 2, 4.00, "2017-01-05 15:00"),
    (1, 1, 101, 12, 1, 1.50, "2017-03-01 02:00"),  # still the last of February in New York
    (1, 1, 102, 13, 9000, 30.00, "2017-03-02 15:00"),  # fuel
    (1, 1, 103, 14, 0, 2.00, "2017-03-03 15:00"),  # nothing was bought
    (1, 1, 104, 99, 1, 50.00, "2017-03-04 15:00"),  # no such product
    (2, 1, 200, 11, 1, 1234.50, "2017-06-01 15:00"),
    (2, 1, 200, 14, 1, 20.00, "2017-06-01 15:00"),
]


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> Truth:
    folder = tmp_path_factory.mktemp("sample")
    con = duckdb.connect()

    def write(name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        con.execute(f"create or replace table t ({columns})")
        if rows:
            con.executemany(f"insert into t values ({', '.join('?' * len(rows[0]))})", rows)
        con.execute(f"copy t to '{folder}/{name}.parquet' (format parquet)")

    write("transactions", "household_id bigint, store_id bigint, basket_id bigint, product_id bigint,"
          " quantity bigint, sales_value double, transaction_timestamp timestamp", LINES)  # fmt: skip
    write("products", "product_id bigint, manufacturer_id bigint, department varchar, brand varchar,"
          " product_category varchar, product_type varchar, package_size varchar", PRODUCTS)  # fmt: skip
    write("demographics", "household_id bigint, age varchar", [(1, "45-54"), (2, "65+")])
    write("campaigns", "campaign_id bigint, household_id bigint", [(7, 1), (7, 2)])
    write("coupon_redemptions", "household_id bigint, coupon_upc bigint, campaign_id bigint,"
          " redemption_date timestamp", [(2, 500, 7, "2017-06-01")])  # fmt: skip
    write("coupons", "coupon_upc bigint, product_id bigint, campaign_id bigint", [(500, 11, 7), (500, 11, 7)])
    write("campaign_descriptions", "campaign_id bigint, campaign_type varchar, start_date timestamp,"
          " end_date timestamp", [(7, "Type A", "2017-05-01", "2017-07-01")])  # fmt: skip
    return Truth(folder)


def reply(answer: str, **parts: Any) -> dict[str, Any]:
    return {"answer": answer, "language": "en", "kind": "answer", "steps": [], "citations": [],
            "recommendations": [], **parts}  # fmt: skip


def case(*expect: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"id": "t", "language": "en", "kind": "answer", "tools": [], "expect": list(expect), **parts}


SPEND_2 = {"figure": "spend", "sql": "select sum(amount) from lines where customer = '2'", "unit": "money",
           "tolerance": 0.005}  # fmt: skip


def test_exclusions_and_local_time(truth):
    assert truth.raw.value("select sum(amount) from lines where customer = '1'") == pytest.approx(11.5)
    assert truth.raw.value("select count(*) from lines") == 5
    assert truth.raw.value("select sum(amount) from lines where month = '2017-02'") == pytest.approx(1.5)


@pytest.mark.parametrize(
    "written",
    ["$1,254.50", "1254.5 dollars", "$1,255", "$1.25 thousand", "1,254.50美元", "0.125万元", "about $1254"],
)
def test_right_figures_pass(truth, written):
    assert truth.check(case(SPEND_2), reply(f"Customer 2 spent {written} in 2017 [1].")) == []


@pytest.mark.parametrize(
    "written",
    [
        "$1,354.50",
        "$1,245.50",
        "$12,545.00",
        "$125.45",
        "1,254.50%",
        "1254.5",
        "$1 thousand",
        "0.135万元",
        "nothing",
    ],
)
def test_wrong_figures_fail(truth, written):
    assert truth.check(case(SPEND_2), reply(f"Customer 2 spent {written} in 2017 [1]."))


def test_years_ids_and_footnotes_are_no_figures():
    text = "Customer 1228 and 900 came on March 3, 2017 [12]. 顾客 1842 在2017年12月31日来过，45-54岁。"
    assert figures(text + "\n3. Beef (#9876)") == []
    assert figures("Income $100K-124K; income under $15K; 年收入10万-12.4万美元；年收入低于1.5万美元") == []
    assert [w.value for w in figures("1. Coffee: $6.00, 60.0% of the total\n2. 汽水：5.50美元，占40%")] == [
        6.0, pytest.approx(0.6), 5.5, pytest.approx(0.4)]  # fmt: skip


def test_scales():
    values = {w.text: w.value for w in figures("1.2万 3亿 百分之五十 89.0% 百分之12.5 2.5 million 7k")}
    assert values["1.2万"] == 12_000
    assert values["3亿"] == 3e8
    assert values["89.0%"] == pytest.approx(0.89)
    assert values["12.5%"] == pytest.approx(0.125)
    assert values["2.5 million"] == 2.5e6
    assert values["7k"] == 7000


@given(st.floats(0.01, 1e7), st.integers(0, 3))
def test_any_rounding_that_keeps_the_figure_is_accepted(value, decimals):
    text = f"${value:,.{decimals}f}"
    if 0.5 * 10.0**-decimals <= 0.05 * value:
        assert states(f"They spent {text} there.", value, Unit.MONEY)


@given(st.floats(100, 1e7), st.floats(0.02, 0.9))
def test_a_figure_that_is_off_is_never_accepted(value, off):
    for wrong in (value * (1 + off), value * (1 - off)):
        assert not states(f"${wrong:,.2f}", value, Unit.MONEY, tolerance=0.005)


def test_a_hair_of_rounding_either_way():
    assert all(says(w, 12.345) for w in figures("12.34 12.35"))
    assert not says(figures("12.37")[0], 12.345)


def test_top_wants_all_names_in_order(truth):
    check = {"top": "category", "sql": "select category from lines where customer = '1' group by category"
             " order by sum(amount) desc"}  # fmt: skip
    assert truth.check(case(check), reply("1. coffee: $6.00. 2. Soft drinks: $5.50.")) == []
    assert truth.check(case(check), reply("1. Soft drinks: $5.50. 2. Coffee: $6.00."))
    assert truth.check(case(check), reply("Coffee: $6.00."))
    zh = reply("咖啡和汽水饮料", language="zh")
    assert truth.check(case(check, language="zh"), zh) == []


def offers(*products: str, reason: str = "popular") -> dict[str, Any]:
    return {
        "recommendations": [{"product_id": p, "name": p, "score": 1.0, "reason": reason} for p in products]
    }


def test_recommendations_are_checked_against_the_products(truth):
    expect = case({"count": 1}, {"category": "COFFEE"}, {"never_bought": "1"})
    assert truth.check(expect, reply("This one.", **offers("11"))) == []
    assert truth.check(expect, reply("This one.", **offers("10"))) == ["bought before: 10"]
    assert any("not of COFFEE" in w for w in truth.check(expect, reply("This one.", **offers("14"))))
    assert any("1 asked for" in w for w in truth.check(expect, reply("Two.", **offers("11", "11"))))
    assert any("never sold" in w for w in truth.check(expect, reply("Invented.", **offers("77777"))))
    assert truth.check(expect, reply("None."))


def test_kind_language_tools_and_words(truth):
    assert truth.check(case(kind="refuse"), reply("Sure."))
    assert truth.check(case(kind=["refuse", "answer"]), reply("Sure.")) == []
    assert truth.check(case(), reply("好的", language="zh"))
    assert truth.check(case(), reply("好的"))
    step = {"tool": "segments", "args": {}, "ms": 1.0, "facts": 1}
    assert truth.check(case(tools=["measure"]), reply("Done.", steps=[step]))
    assert truth.check(case(tools=["segments"]), reply("Done.", steps=[step])) == []
    assert truth.check(case({"mentions": ["pears"]}), reply("Pearls."))
    assert truth.check(case({"silent": ["pears"]}), reply("Pears."))
    assert truth.check(case({"no_figures": "money"}), reply("It was $5 in 2019."))
    assert truth.check(case({"no_figures": "money"}), reply("Only 2017 is known.")) == []
    with pytest.raises(ValueError, match="unknown check"):
        truth.check(case({"guess": 1}), reply("Hm."))


def test_members_must_exist(truth):
    check = case({"members": 2})
    assert truth.check(check, reply("Address these 2 customers: Customer 1, Customer 2.")) == []
    assert truth.check(check, reply("Address these 2 customers: Customer 1, Customer 8."))
    assert truth.check(check, reply("Address these 3 customers: Customer 1."))


def measured(answer: str, fact: str, value: float, **args: Any) -> dict[str, Any]:
    step = {"tool": "measure", "args": {"quantity": "spend", "by": "none", **args}, "ms": 1.0, "facts": 1}
    return reply(answer, steps=[step], citations=[{"n": 1, "tool": "measure", "fact": fact, "value": value}])


def test_audit_recomputes_measures(truth):
    fact = "Customers spent $1,240.50 on coffee in 2017."
    filters = {"category": ["COFFEE"]}
    assert truth.audit(measured(f"{fact} [1]", fact, 1240.5, filters=filters)) == []
    assert truth.audit(measured("It was $1,340.50 [1].", fact, 1240.5, filters=filters))
    wrong = fact.replace("1,240", "1,340")
    assert truth.audit(measured(f"{wrong} [1]", wrong, 1340.5, filters=filters))
    assert truth.audit(measured(f"{wrong} [1]", wrong, 1240.5, filters=filters))
    assert truth.audit(measured(f"{fact} [2]", fact, 1240.5, filters=filters))
    assert truth.audit(measured(f"{fact} [1]", fact, 1240.5, filters={"category": ["CHEESE"]}))


def test_audit_recomputes_breakdowns_shares_and_periods(truth):
    fact = "1. Coffee: $1,240.50, 98.0% of the total."
    assert truth.audit(measured(f"{fact} [1]", fact, 1240.5, by="category")) == []
    fact = "Customers aged 65 and over spent $1,254.50."
    assert truth.audit(measured(f"{fact} [1]", fact, 1254.5, by="age")) == []
    fact = "Customers spent $1.50 from February 2017 to March 2017."
    period = {"start": "2017-02-01", "end": "2017-03-31"}
    assert truth.audit(measured(f"{fact} [1]", fact, 1.5, **period)) == []
    assert truth.audit(measured(f"{fact} [1]", fact, 1.5))


def test_audit_checks_profiles_campaigns_baskets_and_reasons(truth):
    def of(tool: str, args: dict[str, Any], fact: str, value: Any) -> list[str]:
        step = {"tool": tool, "args": args, "ms": 1.0, "facts": 1}
        cited = [{"n": 1, "tool": tool, "fact": fact, "value": value}]
        return truth.audit(reply(f"{fact} [1]", steps=[step], citations=cited))

    one = {"customer": "1"}
    assert (
        of("profile", one, "Customer 1 spent $11.50 on 2 trips in 2017, $5.75 a trip on average.", 11.5) == []
    )
    assert of("profile", one, "Customer 1 spent $12.50 on 2 trips in 2017.", 12.5)
    expected = "Customer 1 is expected to spend about $30 within 90 days (8 times in 10 between $20 and $41)."
    assert of("profile", one, expected, 30) == []
    assert of("profile", one, expected, 35)
    assert of("profile", one, "Customer 1 last came on February 28, 2017.", "2017-02-28") == []
    assert of("profile", one, "Customer 1 last came on March 4, 2017.", "2017-03-04")
    assert of("campaign", {"campaign": "7"}, "It was sent to 2 customers.", 2) == []
    assert of("campaign", {"campaign": "7"}, "It was sent to 3 customers.", 3)
    coffee = {"category": "COFFEE"}
    assert of("bought_with", coffee, "Soft drinks: in 50.0% of the baskets.", "SOFT DRINKS") == []
    assert of("bought_with", coffee, "Soft drinks: in 70.0% of the baskets.", "SOFT DRINKS")
    step = {"tool": "recommend", "args": one, "ms": 1.0, "facts": 1}
    assert truth.audit(reply("Offer this.", steps=[step], **offers("12", reason="bought on 2 trips"))) == []
    assert truth.audit(reply("Offer this.", steps=[step], **offers("12", reason="bought on 5 trips")))


def test_cases_are_well_formed():
    cases = load_cases(CASES)
    assert len({c["id"] for c in cases}) == len(cases) >= 24
    assert sum(c["language"] == "en" for c in cases) >= 12
    assert sum(c["language"] == "zh" for c in cases) >= 12
    for c in cases:
        assert set(c["tools"]) <= TOOLS
        assert c["role"] in ("service", "merchandiser")
        kinds = [c["kind"]] if isinstance(c["kind"], str) else c["kind"]
        assert set(kinds) <= {"answer", "clarify", "refuse", "handoff"}


def test_case_queries_run_and_broken_case_files_are_named(truth, tmp_path):
    for c in load_cases(CASES):
        for check in c["expect"]:
            if "sql" in check:
                truth.raw.rows(check["sql"])
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"id": "a"}) + "\n{oops\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        load_cases(bad)


def test_wrong_directory_is_said_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="name the sample's data directory"):
        Truth(tmp_path)
