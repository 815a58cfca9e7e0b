"""Plans and rules over a real shop: the command, the tools, the question's own amounts, and the page's buttons."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from shops import built

from agent.budget import terms, with_budget
from agent.events import Grounding, Offer, Reply, Step, Usage
from agent.links import Links
from agent.subject import Call, Subject
from cli import main
from customers.recommend.campaigning import Campaigning
from customers.recommend.plan import Terms
from customers.recommend.rules import Rules
from customers.shop import Shop
from customers.stores.feedback import FeedbackEvent, FeedbackStore
from tools import TOOLS
from tools.base import CannotDo
from ui.feedback_bar import FeedbackBar


# who is left out, on a hand-made shop ----------------------------------------------------------
@pytest.fixture
def campaigning(tmp_path: Path):
    """Six customers who buy tea every tenth day; c0, c1 said no and nothing of consent, c2 got two campaigns of late."""
    con = duckdb.connect()
    con.execute("""CREATE TABLE events AS SELECT 'purchase' AS kind, 'c' || c AS customer_id, 'tea' AS product_id,
        TIMESTAMP '2024-01-01' + INTERVAL (d * 10) DAY AS ts, 5.0 AS amount, 0.0 AS discount, NULL::VARCHAR AS campaign_id
        FROM range(6) AS cs(c), range(20) AS ds(d)""")
    for campaign in ("k1", "k2"):
        con.execute(
            "INSERT INTO events VALUES ('exposure', 'c2', NULL, TIMESTAMP '2024-07-01', NULL, NULL, ?)",
            [campaign],
        )
    con.execute("CREATE TABLE products AS SELECT 'tea' AS product_id, 'TEA' AS category")
    con.execute("CREATE TABLE campaigns (campaign_id VARCHAR, start_day DATE, end_day DATE)")
    con.execute("CREATE TABLE campaign_products (campaign_id VARCHAR, product_id VARCHAR)")
    con.execute("CREATE TABLE attributes (customer_id VARCHAR, attribute VARCHAR, value VARCHAR)")
    yield Campaigning(con, tmp_path, FeedbackStore(tmp_path / "feedback.sqlite")), con
    con.close()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def members(found) -> set[str]:
    return {c.customer_id for c in found.contacts}


def test_without_any_rule_everybody_may_be_written_to(campaigning) -> None:
    found = campaigning[0].plan(["tea"], "Tea", Terms(), Rules())
    assert members(found) == {f"c{n}" for n in range(6)}
    assert (found.stopped, found.learnt) == ("everybody", False)


def test_consent_contacts_and_never_leave_customers_out(campaigning, tmp_path: Path) -> None:
    asked, con = campaigning
    con.executemany(
        "INSERT INTO attributes VALUES (?, 'marketing_consent', ?)",
        [("c0", "no"), *((f"c{n}", "yes") for n in range(2, 6))],
    )
    store = FeedbackStore(tmp_path / "feedback.sqlite")
    store.record(FeedbackEvent("e", "c3", "tea", "never", datetime(2026, 1, 1, tzinfo=UTC)))
    found = asked.plan(["tea"], "Tea", Terms(most_contacts=2, contact_days=30), Rules(), product_id="tea")
    assert members(found) == {"c4", "c5"}
    assert found.left_out == {"consent": 2, "contacts": 1, "never": 1}
    assert members(asked.plan(["tea"], "Tea", Terms(most_contacts=3), Rules())) == {"c2", "c3", "c4", "c5"}


# the amounts of a question ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who should get the milk coupon with $200?", {"budget": 200}),
        ("预算200元，哪些顾客应该收到牛奶优惠券？", {"budget": 200}),
        ("用300元给谁发猫粮优惠券最好", {"budget": 300}),
        ("a $1 coffee coupon, budget of $150, $0.50 per letter, at most 300 customers",
         {"coupon": 1, "budget": 150, "contact_cost": 0.5, "capacity": 300}),
        ("面值2元的咖啡优惠券，预算500元，每封0.5元，最多300位顾客，发给谁？",
         {"coupon": 2, "budget": 500, "contact_cost": 0.5, "capacity": 300}),
        ("Plan a coupon for coffee with a budget of $200, at most 300 letters", {"budget": 200, "capacity": 300}),
        ("Run me a promotion on soup, $150, 25 cents a letter", {"budget": 150, "contact_cost": 0.25}),
        ("每封信2毛钱，预算300元，最多发200封做汤品促销", {"budget": 300, "contact_cost": 0.2, "capacity": 200}),
        ("Who should get our 200 letters about soup?", {}),
        ("Who redeemed 3 coupons or more?", {}),
        ("who should get our $2 off coupon for milk", {}),
        ("Which customers who spent more than $500 should get our coupon for diapers?", {}),
        ("Which 15 customers should get our coupon for diapers?", {}),
    ],
)  # fmt: skip
def test_a_question_allows_a_campaign_what_it_says(question: str, expected: dict) -> None:
    assert terms(question) == expected


def test_only_an_audience_takes_them_and_how_many_becomes_the_capacity() -> None:
    subject = Subject(Links("Which 50 customers should get the milk coupon with $200?"), [], ["MILK"], [])
    calls = [Call("audience", {"category": "MILK", "n": 50}), Call("bought_with", {"category": "MILK"})]
    assert with_budget(calls, subject) == [
        Call("audience", {"category": "MILK", "capacity": 50, "budget": 200.0}), calls[1],
    ]  # fmt: skip


# a built shop -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("campaigning") / "shop"
    shutil.copytree(built(), folder)
    opened = Shop.open(folder)
    yield opened
    opened.close()


@pytest.mark.slow
def test_the_audience_tool_plans_where_a_budget_is_given(shop: Shop) -> None:
    found = TOOLS["audience"].run(shop, {"category": "DIAPERS", "budget": 20.0, "coupon": 1.0})
    assert found.full.cost <= 20
    assert found.cases == {"plan"}
    assert found.found["customer"] == tuple(c.customer_id for c in found.full.contacts)
    assert {int(key) < 80 for key in found.found["customer"]} == {True}  # the planted buyers of baby goods
    text = found.facts[0].text
    assert f"{len(found.full.contacts)} customers" in text["en"]
    assert f"{len(found.full.contacts)}位顾客" in text["zh"]
    with pytest.raises(CannotDo):
        TOOLS["audience"].run(shop, {"category": "DIAPERS", "budget": 0.0})


@pytest.mark.slow
def test_never_again_is_obeyed_at_once_and_the_reason_is_a_fact(shop: Shop) -> None:
    tool = TOOLS["recommend"]
    before = tool.run(shop, {"customer": "3", "n": 3}).recommendations
    unwanted = before[0].product_id
    shop.feedback.record(FeedbackEvent("n1", "3", unwanted, "never", datetime.now(UTC)))
    after = tool.run(shop, {"customer": "3", "n": 3})
    assert unwanted not in {rec.product_id for rec in after.recommendations}
    assert len(after.recommendations) == 3
    (why,) = [fact for fact in after.facts if fact.predicate == "left_out:never"]
    assert "never wants offered again" in why.text["en"]
    assert "不再推荐" in why.text["zh"]
    shop.feedback.record(FeedbackEvent("n2", "3", unwanted, "again", datetime.now(UTC)))
    assert tool.run(shop, {"customer": "3", "n": 3}).recommendations == before
    assert shop.feedback.erase_customer("3") == 2


@pytest.mark.slow
def test_the_shops_rules_hold_and_are_facts_too(shop: Shop) -> None:
    first = shop.recommend("3", n=2)
    rules = shop.folder / "rules.yaml"
    rules.write_text(
        f"out_of_stock: [{first[0].product_id}]\nexclude: {{categories: [{first[1].category}]}}\n", "utf-8"
    )
    try:
        found = TOOLS["recommend"].run(shop, {"customer": "3", "n": 3})
    finally:
        rules.unlink()
    assert first[0].product_id not in {rec.product_id for rec in found.recommendations}
    assert first[1].category not in {rec.category for rec in found.recommendations}
    assert {"left_out:stock", "left_out:excluded"} <= {fact.predicate for fact in found.facts}


@pytest.mark.slow
def test_feedback_moves_the_order_and_without_it_the_recommenders_own_stands(shop: Shop) -> None:
    before = shop.recommend("9", n=5)
    last = before[-1].product_id
    now = datetime.now(UTC)
    events = []
    for n in range(60):
        events += [
            FeedbackEvent(f"s{n}{rec.product_id}", "9", rec.product_id, "shown", now) for rec in before
        ]
        events.append(FeedbackEvent(f"b{n}", "9", last, "bought", now))
    assert shop.feedback.record_all(events) == len(events)
    assert shop.recommend("9", n=5)[0].product_id == last
    shop.feedback.erase_customer("9")
    assert shop.recommend("9", n=5) == before


@pytest.mark.slow
def test_the_command_writes_the_plan_and_refuses_in_one_line(shop: Shop, tmp_path: Path, capsys) -> None:
    out, where = tmp_path / "plan.csv", ["--shop", str(shop.folder)]
    assert main(["campaign", "plan", *where, "--category", "尿布", "--capacity", "4", "--out", str(out)]) == 0
    assert "4 customers" in capsys.readouterr().out
    rows = rows_of(out)
    assert len(rows) == 4
    assert all("Diapers" in row["reason_en"] and "尿布" in row["reason_zh"] for row in rows)
    for wrong, said in ((["--category", "hummus"], "no category"), (["--budget", "5"], "--category"),
                        (["--category", "DIAPERS", "--margin", "2"], "margin")):  # fmt: skip
        assert main(["campaign", "plan", *where, *wrong]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1


@pytest.mark.slow
def test_lookalikes_of_a_planted_taste_share_it(shop: Shop, tmp_path: Path, capsys) -> None:
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("\n".join(str(n) for n in range(100, 115)), encoding="utf-8")  # buyers of cat goods
    assert main(["campaign", "lookalikes", "--shop", str(shop.folder), "--like", str(seeds), "-n", "20"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    found = [int(row["customer_id"]) for row in rows]
    assert len(found) == 20
    assert sum(80 <= c < 140 for c in found) >= 18


# the page's buttons ------------------------------------------------------------------------------
def reply(*steps: Step, offers: tuple[Offer, ...] = ()) -> Reply:
    return Reply(
        answer="", language="en", kind="answer", steps=steps, citations=(), recommendations=offers, handoff=None,
        grounding=Grounding(0, 0, 0), usage=Usage(), timings_ms={},
    )  # fmt: skip


@pytest.mark.slow
def test_the_bar_keeps_what_was_shown_and_what_a_button_says_once(shop: Shop) -> None:
    bar = FeedbackBar(shop)
    found = bar._offers(
        reply(Step("recommend", {"customer": "5"}, 1.0, 1), offers=(Offer("p1", "Milk", 0.5, ""),))
    )
    assert found is not None
    assert "never" in bar.keep("never", found, "p1", "en")
    assert "不再" in bar.keep("never", found, "p1", "zh")
    assert bar.keep("never", found, "p2", "en") == ""
    assert [e.action for e in shop.feedback.of("5")] == ["never", "shown"]
    assert bar._offers(reply()) is None
    shop.feedback.erase_customer("5")


@pytest.mark.slow
def test_the_bar_offers_a_planned_campaign_as_a_file(shop: Shop) -> None:
    bar = FeedbackBar(shop)
    assert bar._plan(reply(Step("audience", {"category": "DIAPERS"}, 1.0, 1))) is None
    path = bar._plan(reply(Step("audience", {"category": "DIAPERS", "capacity": 3}, 1.0, 1)))
    assert path is not None
    assert len(rows_of(Path(path))) == 3
    risky = shop.query("SELECT count(*) FROM customer_predictions WHERE churn >= 0.25")[0][0]
    path = bar._at_risk(reply(Step("at_risk", {"n": 1}, 1.0, 1)))
    assert len(rows_of(Path(path)) if path else []) == risky
