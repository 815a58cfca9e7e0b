"""The declared rules for events, on planted rows: each finds its own and leaves good rows alone."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from customers.errors import BadInput
from customers.ingest import dirt_score, files, quality_page
from customers.ingest.cleaning import with_quantity_score
from customers.ingest.dirt_score import DirtScore, score
from customers.ingest.mapping import guess_mapping
from customers.ingest.quality import rules, sources
from customers.ingest.quality_days import by_day
from customers.stores.events import open_store

HEAD = ("event_id", "event", "customer_id", "time", "sku", "qty", "amount", "session_id", "campaign_id",
        "rating", "text")  # fmt: skip
NOON = datetime(2024, 3, 5, 12)


def row(number: int, kind: str, **cells: object) -> list[str]:
    said = {"event_id": f"e{number}", "event": kind, "customer_id": f"c{number % 7}",
            "time": (NOON + timedelta(hours=number, seconds=number * 7)).isoformat(sep=" ")}  # fmt: skip
    if kind in ("click", "cart", "purchase", "return", "review"):
        said["sku"] = f"p{number % 3}"
    if kind in ("purchase", "return"):
        said |= {"qty": "1", "amount": "10.00"}
    said |= {"search": {"text": "tea"}, "review": {"text": "fine", "rating": "4"},
             "inquiry": {"text": "where?"}, "exposure": {"campaign_id": "k1"},
             "redemption": {"campaign_id": "k1"}}.get(kind, {})  # fmt: skip
    said |= {key: str(value) for key, value in cells.items()}
    return [said.get(column, "") for column in HEAD]


def good(many: int = 70) -> list[list[str]]:
    kinds = ("browse", "click", "search", "cart", "purchase", "return", "review", "inquiry", "exposure",
             "redemption")  # fmt: skip
    return [row(n, kinds[n % len(kinds)]) for n in range(many)]


def write(where: Path, rows: list[list[str]], name: str = "events.csv") -> Path:
    path = where / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    return path


def load(where: Path, rows: list[list[str]]) -> Path:
    path, out = write(where, rows), where / "store" / "shop.duckdb"
    files.ingest([path], guess_mapping([path]), out, "Corner shop")
    return out


def broken(store: Path) -> dict[str, int]:
    opened = open_store(store)
    try:
        return {rule.rule: rule.rows for rule in rules(opened) if rule.action == "dropped"}
    finally:
        opened.close()


def test_good_rows_of_every_kind_are_all_kept(tmp_path: Path):
    assert broken(load(tmp_path, good())) == {}


PLANTED = [
    ("search", {"text": ""}, "empty_search"),
    ("review", {"text": "", "rating": ""}, "empty_review"),
    ("inquiry", {"text": ""}, "empty_inquiry"),
    ("redemption", {"campaign_id": ""}, "missing_campaign"),
    ("review", {"rating": "55"}, "rating_out_of_scale"),
    ("click", {"sku": ""}, "missing_product"),
    ("purchase", {"amount": "-10"}, "negative_amount"),
    ("purchase", {"qty": "0"}, "quantity_zero"),
    ("purchase", {"qty": "99999", "amount": "999990"}, "absurd_quantity"),
    ("cart", {"qty": "-2"}, "impossible_quantity"),
    ("purchase", {"amount": "1000"}, "absurd_amount"),
    ("browse", {"time": "1970-01-01 00:00:00"}, "outside_period"),
    ("browse", {"time": "1900-01-01 00:00:00"}, "outside_period"),
    ("browse", {"time": "2999-01-01 00:00:00"}, "future_time"),
    ("browse", {"customer_id": ""}, "missing_customer"),
    ("browse", {"time": ""}, "missing_time"),
    ("browse", {"time": "soon"}, "unreadable_time"),
    ("juggle", {}, "unknown_kind"),
    ("purchase", {"amount": "many"}, "unreadable_number"),
]


def test_each_rule_finds_its_rows_and_no_other(tmp_path: Path):
    """Every planted row is kept aside under its own rule, and no good row is; mended rows are said."""
    at = NOON.isoformat(sep=" ")
    dirty = [row(900 + n, kind, **{"time": at, **cells}) for n, (kind, cells, _) in enumerate(PLANTED)]
    mended = [row(990, "return", amount="-10", qty="-1"), row(991, "purchase", amount="-10", qty="-1"),
              row(992, "review", sku="")]  # fmt: skip
    opened = open_store(load(tmp_path, [*good(), *dirty, *mended]))
    found = opened.backend.con.execute("SELECT row->>'event_id', rule FROM rejected").fetchall()
    kept = {r.rule: (r.action, r.rows) for r in rules(opened) if r.action != "dropped"}
    returns = opened.backend.con.execute("SELECT DISTINCT quantity, amount FROM events WHERE kind = 'return'")
    assert returns.fetchall() == [(1.0, 10.0)]
    opened.close()
    assert dict(found) == {f"e{900 + n}": rule for n, (_, _, rule) in enumerate(PLANTED)}
    assert kept == {"signed_return": ("repaired", 1), "negative_quantity": ("repaired", 1),
                    "review_of_no_product": ("noted", 1)}  # fmt: skip


def test_what_a_file_has_no_column_for_no_row_lacks(tmp_path: Path):
    path = tmp_path / "searches.csv"
    path.write_text("customer_id,time\nc1,2024-05-01 10:00:00\nc2,2024-05-02 11:00:00\n", encoding="utf-8")
    files.ingest([path], guess_mapping([path]), tmp_path / "shop.duckdb")
    assert broken(tmp_path / "shop.duckdb") == {}


def test_clocks_that_stood_still_or_left_their_session(tmp_path: Path):
    """Batches at one second and a click hours from its visit are found; campaigns sent at once, bare
    dates and a session of many days are no clock errors."""
    batch = [row(1000 + n, "browse", customer_id=f"x{n}", time="2024-03-05 13:00:05") for n in range(40)]
    at = [NOON + timedelta(minutes=n) for n in range(8)]
    visit = [row(100 + n, "browse", customer_id="v", session_id="s1", time=t) for n, t in enumerate(at)]
    off = row(120, "click", customer_id="v", session_id="s1", time=NOON + timedelta(hours=9))
    sent = [row(2000 + n, "exposure", customer_id=f"x{n}", time="2024-03-05 13:00:05") for n in range(40)]
    bare = [row(3000 + n, "browse", customer_id=f"x{n}", time="2024-03-05") for n in range(40)]
    days = [row(4000 + n, "browse", customer_id="v", session_id="s2", time=NOON + timedelta(days=n))
            for n in range(9)]  # fmt: skip
    store = load(tmp_path, [*good(), *batch, *visit, off, *sent, *bare, *days])
    assert broken(store) == {"one_instant": 40, "session_clock": 1}


def test_a_price_below_zero_is_taken_as_not_given(tmp_path: Path):
    (tmp_path / "products.csv").write_text("sku,product name,category,price\np0,Tea,T,-3\np1,Milk,M,4\n")
    events = write(tmp_path, good())
    paths = [tmp_path / "products.csv", events]
    files.ingest(paths, guess_mapping(paths), tmp_path / "shop.duckdb")
    opened = open_store(tmp_path / "shop.duckdb")
    found = {(r.rule, r.action, r.rows) for r in rules(opened) if r.source == "products.csv"}
    price = opened.backend.con.execute("SELECT price FROM products WHERE product_id = 'p0'").fetchone()
    opened.close()
    assert ("negative_price", "repaired", 1) in found
    assert price == (10.0,)  # what was paid


# Properties ----------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 3, 5, 8, 13, 400, 5000]), min_size=12, max_size=30),
       st.sampled_from([0.01, 3.0, 1000.0]))  # fmt: skip
def test_the_quantity_fence_is_invariant_to_scale(quantities: list[int], factor: float):
    con = ibis.duckdb.connect()

    def scores(times: float) -> list[float]:
        rows = ibis.memtable({"g": ["a"] * len(quantities), "n": list(range(len(quantities))),
                              "quantity": [q * times for q in quantities]})  # fmt: skip
        scored = with_quantity_score(rows, "g", ibis.literal(True)).order_by("n")
        return con.to_pyarrow(scored)["quantity_score"].to_pylist()

    np.testing.assert_allclose(scores(1.0), scores(factor), atol=1e-9)


cells = st.sampled_from(["", "c1", "nan", "2024-03-06", "2024-03-06 10:00:00", "-3", "0", "7", "1e9", "search",
                         "review", "purchase", "cart", "p1"])  # fmt: skip


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(st.lists(cells, min_size=11, max_size=11), min_size=5, max_size=25))
def test_rows_read_are_rows_kept_and_rows_kept_aside(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
):
    store = load(tmp_path_factory.mktemp("any"), [*good(10), *rows])
    opened = open_store(store)
    (source,) = sources(opened)
    count = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rejected)"
    kept, aside = opened.backend.con.execute(count).fetchone()
    opened.close()
    assert (source.read, source.kept, source.dropped) == (len(rows) + 10, kept, aside)
    assert kept + aside == source.read


# The page ------------------------------------------------------------------------------------


def test_the_page_says_what_was_found_in_both_languages_and_runs_nothing(tmp_path: Path):
    dirty = row(901, "search", text="", customer_id="<script>alert(1)</script>", time="2024-03-06 10:00:00")
    store = load(tmp_path, [*good(), dirty, row(902, "purchase", qty="70000")])
    page = quality_page.write(store, [DirtScore("robot", 10, 9, 9, 9)])
    assert page == store.with_name("quality.html")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    for said in ("search without the words", "搜索事件缺少搜索词", "72", "fence 256", "界限 256", "0.900"):
        assert said in text
    assert text.count("<svg") == 8  # four plots, twice
    assert [p.name for p in page.parent.glob("*.partial")] == []
    opened = open_store(store)
    days = {day: (kept, aside) for day, kept, aside in by_day(opened)}
    opened.close()
    assert sum(kept for kept, _ in days.values()) == 70
    assert days["2024-03-06"][1] == 1


# Planted dirt --------------------------------------------------------------------------------


def test_precision_and_recall_by_hand():
    planted = [
        ("f", "1", "robot"),
        ("f", "2", "robot"),
        ("f", "3", "epoch_time"),
        ("f", "4", "zero_quantity"),
    ]
    flagged = [
        ("f", "1", "robot"),
        ("f", "9", "robot"),
        ("f", "3", "outside_period"),
        ("f", "7", "duplicate"),
    ]
    found = {s.kind: s for s in score(planted, flagged)}
    assert (found["robot"].recall, found["robot"].precision) == (0.5, 0.5)
    assert (found["epoch_time"].recall, found["epoch_time"].precision) == (1.0, 1.0)
    assert (found["zero_quantity"].recall, found["zero_quantity"].precision) == (0.0, None)
    assert score([], flagged) == []


def test_a_store_is_scored_against_the_truth_beside_its_source(tmp_path: Path):
    store = load(tmp_path, [*good(), row(901, "search", text=""), row(902, "review", rating="55")])
    assert dirt_score.score_store(store, tmp_path) == []
    (tmp_path / "truth").mkdir()
    truth = {
        "file": ["events.csv"] * 2,
        "event_id": ["e901", "e902"],
        "dirt": ["empty_search", "rating_out_of_range"],
    }
    ibis.duckdb.connect().to_parquet(ibis.memtable(truth), tmp_path / "truth" / "dirt.parquet")
    found = dirt_score.score_store(store, tmp_path)
    assert [(s.kind, s.precision, s.recall) for s in found] == [
        ("empty_search", 1.0, 1.0),
        ("rating_out_of_range", 1.0, 1.0),
    ]
    assert "| rating_out_of_range | 1 | 1 | 1 | 1.000 | 1.000 |" in dirt_score.render(found)
    (tmp_path / "truth" / "dirt.parquet").write_text("no table")
    with pytest.raises(BadInput, match="simulate the shop again"):
        dirt_score.score_store(store, tmp_path)
