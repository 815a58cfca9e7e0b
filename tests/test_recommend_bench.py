"""The comparison of recommenders: its protocol on known answers, and the whole of it on a small shop."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from customers.errors import BadInput
from customers.recommend.blend import Candidates
from customers.recommend.next_item import NextItem, unseen
from eval import bench_recommend
from eval.recommend import page, sequences
from eval.recommend.coverage import widened
from eval.recommend.protocol import Split, interval, measure, read, split
from tests.shops import write_store
from tests.test_recommend_models import DAYS, PEOPLE, shop


def one_split() -> Split:
    history = shop()
    return Split("product", 70, history.before(70), history.bought(70, 99))


def test_measures_of_a_known_list() -> None:
    one = one_split()
    found = measure([np.array([0, 4, 1]) for _ in range(PEOPLE)], one, "repeats")
    gains = 1 / np.log2([2, 3, 4])
    wanted = one.bought[4].indices
    assert set(wanted) == {0, 1, 2, 3}
    ideal = (1 / np.log2(np.arange(2, 6))).sum()
    assert found.ndcg[4] == pytest.approx((gains[0] + gains[2]) / ideal)
    assert found.recall[4] == pytest.approx(2 / 4)
    assert found.coverage == pytest.approx(3 / 9)
    # Products 0 and 1 are of one category, 4 of another: four of the six ordered pairs differ.
    assert found.diversity == pytest.approx(4 / 6)


def test_a_list_like_the_own_taste_is_nearer_to_it() -> None:
    one = one_split()
    tea = measure([np.array([0, 1, 2]) for _ in range(PEOPLE)], one, "repeats")
    own = measure([np.array([0, 1, 2]) + 4 * (c % 2) for c in range(PEOPLE)], one, "repeats")
    assert own.calibration < tea.calibration


def test_customers_without_a_target_do_not_count() -> None:
    one = one_split()
    new = measure([np.array([3])] * PEOPLE, one, "never bought")
    assert np.isnan(new.ndcg[4])
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0, 1.0)
    assert interval(np.array([np.nan])) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_mean_and_narrows_with_more_customers() -> None:
    draw = np.random.default_rng(1)
    few, many = interval(draw.normal(0.5, 1, 50)), interval(draw.normal(0.5, 1, 5000))
    assert few[1] < few[0] < few[2]
    assert many[2] - many[1] < (few[2] - few[1]) / 5


def test_types_are_told_once_a_basket() -> None:
    history = shop()
    told = split(history, 70, "type").history
    types = history.catalogue.types
    expected = {
        (b, int(types[p]))
        for b, p, d in zip(history.basket, history.product, history.day, strict=True)
        if d < 70
    }
    assert sorted(zip(told.basket.tolist(), told.product.tolist(), strict=True)) == sorted(expected)
    assert told.shape == (PEOPLE, 5)
    assert told.cut == 70 < DAYS


def test_what_nobody_is_offered_is_left_out(tmp_path: Path) -> None:
    store = tmp_path / "shop.duckdb"
    write_store(store)
    with duckdb.connect(str(store)) as con:
        con.execute("UPDATE products SET department = 'FUEL' WHERE category = 'MILK'")
        milk = {
            row[0]
            for row in con.execute("SELECT product_id FROM products WHERE category = 'MILK'").fetchall()
        }
        con.execute("UPDATE events SET quantity = 0 WHERE product_id = 'p45'")
        con.execute("UPDATE events SET ts = ts - INTERVAL 120 DAY WHERE customer_id = '3'")
    kept = set(read(store).catalogue.products.tolist())
    assert milk
    assert not kept & (milk | {"p45"})


def test_a_shop_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="shopkeeper data"):
        read(tmp_path / "none.duckdb")


def cycle(users: int = 300, items: int = 40, length: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Every user walks up the items from a place of his own."""
    draw = np.random.default_rng(0)
    start = draw.integers(0, items, users)
    user = np.repeat(np.arange(users), length)
    return user, (start[user] + np.tile(np.arange(length), users)) % items


def test_the_blend_of_links_learns_what_follows() -> None:
    user, item = cycle()
    model = NextItem(rounds=30, negatives=20).fit(user, item, 300, 40)
    who = np.arange(300)
    right = (item[user.searchsorted(who, side="right") - 1] + 1) % 40
    others = unseen(who, np.r_[user, who], np.r_[item, right], 40, 15, np.random.default_rng(1))
    scores = model.score(who, np.c_[right, others])
    assert (scores.argmax(axis=1) == 0).mean() > 0.9
    np.testing.assert_allclose(model.score(who[5:6], np.c_[right, others][5:6]), scores[5:6], rtol=1e-5)


def test_negatives_are_none_of_the_customers_own() -> None:
    user, item = cycle()
    found = unseen(np.arange(300), user, item, 40, 25, np.random.default_rng(0))
    owned = set(zip(user.tolist(), item.tolist(), strict=True))
    assert not owned & {(u, int(i)) for u in range(300) for i in found[u]}


def test_a_file_of_sequences_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user, item = cycle()
    path = tmp_path / "walks.txt"
    path.write_text("".join(f"{u + 1} {i + 1}\n" for u, i in zip(user, item, strict=True)))
    bench_recommend.run(tmp_path, sequences=path, quick=True, as_json=True)
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows[NextItem.name]["hr"] > 0.9 > rows["popularity"]["hr"]


def test_equal_scores_earn_nothing() -> None:
    assert sequences._figures(np.zeros((5, 101)))["hr"] == 0
    best = np.zeros((5, 101))
    best[:, 0] = 1
    assert sequences._figures(best)["ndcg"] == 1


@pytest.mark.parametrize("text", ["", "1 2 3\n" * 200, "a b\n" * 200, "1 2\n" * 5])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"bad\.txt"):
        sequences.read(path)


@pytest.mark.slow
def test_the_whole_comparison_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "store").mkdir()
    write_store(tmp_path / "store" / "shop.duckdb")
    bench_recommend.run(tmp_path, quick=True, as_json=True, months=2)
    rows = json.loads(capsys.readouterr().out)["rows"]
    models = {row["model"] for row in rows}
    assert {
        "blend",
        "quick LightGBM reference",
        "TIFU-KNN",
        "implicit ALS",
        "implicit BPR",
        "personal repeat, due",
    } <= models
    assert {(row["level"], row["task"]) for row in rows} == {
        (level, task) for level in ("product", "type") for task in ("repeats", "never bought")
    }
    by = {(row["level"], row["task"], row["model"]): row["ndcg"] for row in rows}
    assert by["product", "repeats", "blend"] > by["product", "repeats", "popularity"]
    html = (tmp_path / "bench" / "recommend.html").read_text()
    assert html.count("<img") == 4
    assert "TIFU-KNN" in bench_recommend.table(rows)


def test_the_page_escapes_names() -> None:
    row = {
        "window": "2020-01-01", "level": "product", "task": "repeats", "model": "<b>", "ndcg": 0.1, "ndcg_low": 0.0,
        "ndcg_high": 0.2, "coverage": 0.1,
    }  # fmt: skip
    assert "<b>" not in page.render([row])


def test_last_places_go_where_the_least_is_given_up() -> None:
    """Two customers are shown the same ten products of fourteen. Two more are to be shown: the first customer gives up
    its tenth for product 10 (a chance of .01 less), the second its ninth for 11; nobody's first half is touched."""
    first = np.linspace(0.9, 0.1, 10)
    chances = np.r_[first, 0.09, 0.02, 0.01, 0.005, first, 0.08, 0.07, 0.001, 0.001]
    people, product = np.repeat([0, 1], 14), np.tile(np.arange(14), 2)
    candidates = Candidates(people, product, np.ones(28, bool), np.zeros((28, 0)), ())
    lists = [np.arange(10), np.arange(10)]
    found = widened(lists, candidates, chances, 12)
    assert found[0].tolist() == [*range(9), 10]
    assert found[1].tolist() == [*range(8), 11, 9]  # 9 is shown nowhere else now
    assert lists[0].tolist() == list(range(10))  # those given stay as they are
    everything = widened(lists, candidates, chances, 14)
    assert {p for own in everything for p in own.tolist()} == set(range(14))
    assert all(own[:5].tolist() == list(range(5)) for own in everything)
    assert [own.tolist() for own in widened(lists, candidates, chances, 10)] == [
        own.tolist() for own in lists
    ]
