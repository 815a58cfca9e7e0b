"""Offers to customers without a history and within a brand's family: planted answers, and what serving makes of them."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pytest

from customers.recommend.family import NO_MAKER, Bought, Family
from customers.recommend.onboarding import Crowd, agreeing, questions, wanted
from eval import bench_recommend
from tests.shops import write_store

BREAD, CATS, BABIES = 0, 1, 2
PEOPLE = 400


def planted() -> Crowd:
    """Everybody buys item 0. Half keep cats (items 10-19) and half do not (items 20-29), whoever buys bread; babies
    (items 30-39) are with a quarter, half of them with cats. Bread, which most buy, tells nothing."""
    who = np.arange(PEOPLE)
    cats, babies, bread = who % 2 == 0, who % 8 < 2, who % 5 != 0
    bought = np.zeros((PEOPLE, 40), np.float32)
    bought[:, 0] = 1
    bought[cats, 10:20] = 1
    bought[~cats, 20:30] = 1
    bought[babies, 30:40] = 1
    return Crowd.of(np.column_stack([bread, cats, babies]), bought)


def test_the_question_that_tells_most_comes_first_and_one_that_tells_nothing_never() -> None:
    known = planted()
    assert questions(known, 3) == [CATS, BABIES]
    assert questions(known, 3, [(CATS, True)]) == [BABIES]
    assert questions(known, 3, without=np.array([False, True, False])) == [BABIES]


def test_offers_follow_the_answers_and_few_customers_move_them_little() -> None:
    known = planted()
    assert len(agreeing(known, [(CATS, True), (BABIES, True)])) == PEOPLE / 8
    assert set(np.argsort(-wanted(known, [(CATS, True)]))[:11]) == {0, *range(10, 20)}
    assert set(np.argsort(-wanted(known, [(CATS, False)]))[:11]) == {0, *range(20, 30)}
    few = known.some(np.flatnonzero(known.buys[:, CATS])[:3])
    both = Crowd(*(np.r_[a, b] for a, b in zip(
        (known.buys[~known.buys[:, CATS]], known.bought[~known.buys[:, CATS]], known.worth[~known.buys[:, CATS]]),
        (few.buys, few.bought, few.worth), strict=True)))  # fmt: skip
    assert set(np.argsort(-wanted(both, [(CATS, True)]))[:11]) == {0, *range(20, 30)}


def test_a_trait_that_is_known_moves_the_offers() -> None:
    known = planted()
    share = wanted(known, [], [known.buys[:, BABIES]])
    assert share[30] == pytest.approx(2 * wanted(known, [])[30], rel=1e-3)
    assert share[10] == pytest.approx(wanted(known, [])[10], rel=1e-3)


def test_a_familys_products_are_of_the_maker_and_of_no_type_that_is_bought_from_it() -> None:
    """Products 0-5 are of types A A B B C D; maker 0 makes 0, 2, 4, 5, maker 1 makes 1 and 3, and 6 has none."""
    types, makers = np.array([0, 0, 1, 1, 2, 3, 1]), np.array([0, 1, 0, 1, 0, 0, NO_MAKER])
    # Customer 0 bought A of maker 0 and B of maker 1; four others buy A with C; eight buy D alone.
    rows = [[0, 3], *[[0, 4]] * 4, *[[5]] * 8]
    start, product = np.cumsum([0, *map(len, rows)]), np.array([p for row in rows for p in row])
    model = Family(
        Bought(start, product, np.ones(len(product)), types, makers, np.full(7, 4.0), np.arange(7) != 6)
    )
    # Those who are most alike buy C; B is bought from others already; D is neither.
    assert model.ranked(0, 0)[0].tolist() == [4, 2, 5]
    assert set(model.ranked(0, None)[0].tolist()) == {1, 2, 4, 5}  # A of maker 1, too
    assert model.ranked(None, 0)[0].tolist() == [4, 2, 5]
    assert model.ranked(0, 6)[0].tolist() == model.ranked(None, 6)[0].tolist() == []


def test_measures_of_both_scenarios_find_what_was_planted(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    write_store(tmp_path / "store" / "shop.duckdb")
    with duckdb.connect(str(tmp_path / "store" / "shop.duckdb")) as con:
        con.execute("UPDATE products SET manufacturer = 'The only maker'")
    bench_recommend.run(tmp_path, scenarios=True, as_json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    of = {(row["way"], row.get("answers"), row["level"]): row for row in rows}
    ours, lot = (of[way, 3, "product"] for way in ("our three questions", "three drawn by lot"))
    assert ours["gain_low"] > 0
    assert ours["over_lot_low"] > 0
    assert ours["ndcg"] > lot["ndcg"] > of["popular of late", 0, "product"]["ndcg"]
