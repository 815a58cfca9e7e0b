"""Rows kept aside are listed and put back: exactly those rows, once, and for good."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import cli
from customers.errors import BadInput
from customers.ingest import files, put_back
from customers.ingest.mapping import guess_mapping
from customers.ingest.quality import sources
from customers.stores.events import open_store

HEAD = ["event_id", "event", "customer_id", "time", "sku", "qty", "amount"]
START = datetime(2024, 5, 1, 9)


def events_file(where: Path) -> Path:
    """Sixty good sales, one of 70,000 pieces, one of 80,000 at an absurd price, a row twice, and a robot."""
    rows = [[f"e{n}", "purchase", f"c{n % 9}", f"{START + timedelta(hours=n)}", f"p{n % 4}", "1", "5.00"]
            for n in range(60)]  # fmt: skip
    rows.append(["big", "purchase", "c1", "2024-05-02 10:00:00", "p1", "70000", "350000"])
    rows.append(["dear", "purchase", "c1", "2024-05-02 11:00:00", "p1", "80000", "99999999999"])
    rows.append(["e3", "purchase", "c3", f"{START + timedelta(hours=3)}", "p3", "1", "5.00"])
    rows.append(["none", "purchase", "", "2024-05-02 11:00:00", "p1", "1", "5.00"])
    rows += [[f"r{n}", "browse", "bot", f"{START + timedelta(seconds=n)}", "p1", "", ""] for n in range(50)]
    path = where / "log.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    return path


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("loaded")
    path = events_file(where)
    files.ingest([path], guess_mapping([path]), where / "shop" / "store" / "shop.duckdb", "Corner shop")
    return where


@pytest.fixture
def shop(loaded: Path, tmp_path: Path) -> Path:
    """A shop of this test's own."""
    shutil.copytree(loaded, tmp_path, dirs_exist_ok=True)
    return tmp_path / "shop"


def store_of(shop: Path) -> Path:
    return shop / "store" / "shop.duckdb"


def ask(shop: Path, sql: str) -> list[tuple]:
    opened = open_store(store_of(shop))
    try:
        return opened.backend.con.execute(sql).fetchall()
    finally:
        opened.close()


def aside(shop: Path) -> dict[str, int]:
    return dict(ask(shop, "SELECT rule, count(*) FROM rejected GROUP BY 1 ORDER BY 1"))


def balanced(shop: Path) -> bool:
    opened = open_store(store_of(shop))
    (source,) = sources(opened)
    opened.close()
    ((kept,),) = ask(shop, "SELECT count(*) FROM events")
    return source.kept == kept and source.dropped == sum(aside(shop).values())


def test_what_was_kept_aside_to_begin_with(shop: Path):
    assert aside(shop) == {"absurd_quantity": 2, "duplicate": 1, "missing_customer": 1, "robot": 50}
    assert balanced(shop)


def test_rows_put_back_are_events_and_one_that_breaks_another_rule_is_kept_aside_under_it(shop: Path):
    done = put_back.put_back(store_of(shop), "absurd_quantity")
    assert done == put_back.PutBack(rows=2, restored=1, again=1, repeated=0)
    assert aside(shop)["absurd_amount"] == 1
    assert ask(shop, "SELECT quantity, amount, source FROM events WHERE event_id = 'purchase:big'") == [
        (70000.0, 350000.0, "log.csv")
    ]
    assert "absurd_quantity" not in aside(shop)
    assert balanced(shop)


def test_put_back_is_remembered_by_the_next_load(shop: Path, tmp_path: Path):
    for rule in ("absurd_quantity", "duplicate", "robot"):
        put_back.put_back(store_of(shop), rule)
    before = ask(shop, "FROM events ORDER BY ALL")
    left = aside(shop)
    path = tmp_path / "log.csv"
    with path.open("a", encoding="utf-8", newline="") as file:  # the same file, grown
        csv.writer(file).writerow(["new", "purchase", "c1", "2024-05-03 10:00:00", "p1", "1", "5.00"])
    loaded = files.ingest([path], guess_mapping([path]), store_of(shop))
    assert loaded.new == 1
    assert aside(shop) == left
    assert ask(shop, "FROM events WHERE event_id <> 'purchase:new' ORDER BY ALL") == before


def test_a_duplicate_put_back_is_an_event_of_its_own(shop: Path):
    done = put_back.put_back(store_of(shop), "duplicate")
    assert (done.restored, done.again, done.repeated) == (1, 0, 0)
    found = ask(shop, "SELECT event_id, customer_id, quantity FROM events WHERE event_id LIKE 'purchase:e3%'"
                " AND length(event_id) <> 12 ORDER BY 1")  # fmt: skip
    assert found == [("purchase:e3", "c3", 1.0), ("purchase:e3#2", "c3", 1.0)]
    assert balanced(shop)


def test_a_robot_comes_back_exactly_as_it_was_read(shop: Path, tmp_path: Path):
    put_back.put_back(store_of(shop), "robot", customer="bot")
    path = tmp_path / "log.csv"
    plain = tmp_path / "plain" / "shop.duckdb"
    files.ingest([path], guess_mapping([path]), plain, waive=frozenset({"robot"}))
    opened = open_store(plain)
    expected = opened.backend.con.execute("FROM events WHERE customer_id = 'bot' ORDER BY ALL").fetchall()
    opened.close()
    assert len(expected) == 50
    assert ask(shop, "FROM events WHERE customer_id = 'bot' ORDER BY ALL") == expected
    assert "robot" not in aside(shop)
    assert balanced(shop)


@pytest.mark.parametrize(
    ("rule", "options", "says"),
    [
        ("missing_customer", {}, "an event needs a customer; mend the source"),
        (
            "outside_period",
            {},
            r"no rows are kept aside under rule 'outside_period'; there are: absurd_quantity",
        ),
        ("absurd_quantity", {"source": "other.csv"}, "and source 'other.csv'"),
        ("robot", {"customer": "nobody"}, "was not taken for a robot"),
        ("duplicate", {"customer": "c1"}, "only to put back what was taken for a robot"),
    ],
)
def test_what_cannot_be_put_back_is_said_and_changes_nothing(shop: Path, rule: str, options: dict, says: str):
    before = aside(shop)
    with pytest.raises(BadInput, match=says) as error:
        put_back.put_back(store_of(shop), rule, **options)
    assert "\n" not in str(error.value)
    assert aside(shop) == before


def test_a_put_back_that_fails_halfway_changes_nothing(shop: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise RuntimeError("power cut")

    before = aside(shop), ask(shop, "FROM events ORDER BY ALL"), ask(shop, "FROM quality ORDER BY ALL")
    monkeypatch.setattr(put_back.refresh, "write_shop", fails)
    for rule in ("absurd_quantity", "robot"):
        with pytest.raises(RuntimeError):
            put_back.put_back(store_of(shop), rule)
    assert (
        aside(shop),
        ask(shop, "FROM events ORDER BY ALL"),
        ask(shop, "FROM quality ORDER BY ALL"),
    ) == before


# The command ---------------------------------------------------------------------------------


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main(["rejected", "--shop", str(shop), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_the_command_lists_writes_and_puts_back(run: Callable[..., tuple[int, str, str]], tmp_path: Path):
    code, out, _ = run("--limit", "1", "--rule", "absurd_quantity")
    assert code == 0
    assert "log.csv  absurd_quantity: 2 rows" in out
    assert "数量远超" in out
    assert "event_id=big" in out
    assert "1 more" in out
    rows = json.loads(run("--json", "--rule", "duplicate")[1])
    assert [row["row"]["event_id"] for row in rows] == ["e3"]
    assert run("--csv", str(tmp_path / "aside.csv"))[0] == 0
    with (tmp_path / "aside.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 54
    code, out, _ = run("--put-back", "duplicate")
    assert code == 0
    assert "1 row of rule duplicate: 1 put back" in out
    code, _, err = run("--put-back", "duplicate")
    assert code == 2
    assert err.count("\n") == 1


def test_rows_of_a_source_with_fixed_rules_point_to_those_that_can_go_back(shop: Path):
    with duckdb.connect(str(store_of(shop))) as con:
        con.execute("INSERT INTO rejected VALUES ('coupons', 'duplicate', '{\"coupon_upc\": 1}')")
        con.execute("UPDATE shop SET source = 'complete-journey'")
    with pytest.raises(BadInput, match=r"rules are fixed; put back others with --source log\.csv"):
        put_back.put_back(store_of(shop), "duplicate")
    assert put_back.put_back(store_of(shop), "duplicate", "log.csv").restored == 1
    assert ask(shop, "SELECT source FROM rejected WHERE rule = 'duplicate'") == [("coupons",)]
