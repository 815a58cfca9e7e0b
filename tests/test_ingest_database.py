"""A database by its connection string: real engines, read only, the password never told."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
from customers.errors import BadInput
from customers.ingest import database, incremental
from customers.ingest.database_values import as_text
from customers.pipeline import STORE

PASSWORD = "s3cret/p@ss:word?x"
QUOTED = "s3cret%2Fp%40ss%3Aword%3Fx"
BINARIES = Path("/usr/lib/postgresql/15/bin")

SCHEMA = """
CREATE TABLE orders (id INTEGER, member_id INTEGER, sku VARCHAR(9), qty INTEGER, total NUMERIC(9, 2),
                     paid_at TIMESTAMP);
CREATE TABLE products (id VARCHAR(9), title VARCHAR(40), category VARCHAR(40), price NUMERIC(9, 2));
CREATE TABLE members (id INTEGER, name VARCHAR(40), city VARCHAR(40));
CREATE TABLE migrations (version INTEGER, applied_at TIMESTAMP);
CREATE TABLE reviews (user_id INTEGER, product_id VARCHAR(9), stars INTEGER, comment VARCHAR(200), created_at TIMESTAMP);
INSERT INTO orders VALUES (1, 7, '0012', 2, 5.00, '2024-01-05 10:00:00'), (2, 7, '0013', 1, 3.50, '2024-01-06 11:30:00'),
                          (3, 8, '0012', 1, 2.50, '2024-02-01 09:15:00');
INSERT INTO products VALUES ('0012', '绿茶', '茶', 2.50), ('0013', 'Oat milk', 'Milk', 3.50);
INSERT INTO members VALUES (7, 'Ann', 'Leeds'), (8, 'Bo', '上海');
INSERT INTO migrations VALUES (1, '2023-01-01 00:00:00');
INSERT INTO reviews VALUES (8, '0012', 4, '很好喝', '2024-02-03 08:00:00');
CREATE VIEW sold AS SELECT member_id, sku, qty, total, paid_at FROM orders WHERE qty > 1;
"""
LATER = "INSERT INTO orders VALUES (4, 8, '0013', 2, 7.00, '2024-03-01 12:00:00')"
EVENTS = "SELECT kind, customer_id, product_id, quantity, amount, CAST(ts AS VARCHAR), rating, text FROM events ORDER BY ts"
LOADED = [
    ("purchase", "7", "0012", 2.0, 5.0, "2024-01-05 10:00:00", None, None),
    ("purchase", "7", "0013", 1.0, 3.5, "2024-01-06 11:30:00", None, None),
    ("purchase", "8", "0012", 1.0, 2.5, "2024-02-01 09:15:00", None, None),
    ("review", "8", "0012", None, None, "2024-02-03 08:00:00", 4.0, "很好喝"),
]


def ask(shop: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        return con.execute(sql).fetchall()


# Engines ------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own, on a free port, with one user whose password is hard to write."""
    if not (BINARIES / "initdb").exists():
        pytest.skip("PostgreSQL 15 is not installed here (/usr/lib/postgresql/15/bin)")
    try:
        owner = pwd.getpwnam("postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    home = Path(tempfile.mkdtemp(prefix="shopkeeper-pg-"))
    (home / "password").write_text(PASSWORD)
    for path in (home, home / "password"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, user = home / "data", owner.pw_uid if os.geteuid() == 0 else None

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [BINARIES / program, *arguments], user=user, check=True, cwd=home, stdout=subprocess.DEVNULL
        )

    call("initdb", "-D", str(data), "-U", "shop", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync",
         f"--pwfile={home / 'password'}", "--no-locale")  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off -c timezone=UTC"
    call("pg_ctl", "-D", str(data), "-o", options, "-l", str(home / "log"), "-w", "start")
    url = f"postgresql://shop:{QUOTED}@127.0.0.1:{port}/postgres"
    try:
        _postgres_run(url, SCHEMA)
        yield url
    finally:
        call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(home)


def _postgres_run(url: str, sql: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(sql)  # type: ignore[arg-type]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "till.db") as connection:
        connection.executescript(SCHEMA)
    connection.close()
    return f"sqlite:///{tmp_path}/till.db"


@pytest.fixture
def duck(tmp_path: Path) -> str:
    with duckdb.connect(str(tmp_path / "lake.duckdb")) as connection:
        connection.execute(SCHEMA)
    return f"duckdb:///{tmp_path}/lake.duckdb"


@pytest.fixture(params=["sqlite", "duck", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


# Reading ------------------------------------------------------------------------------------
def test_a_whole_database_is_understood_and_loaded(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    shop = tmp_path / "shop"
    assert cli.main(["data", url, "--yes", "--shop", str(shop)]) == 0
    assert ask(shop, EVENTS) == LOADED
    assert ask(shop, "SELECT product_id, name, category FROM products ORDER BY 1") == [
        ("0012", "绿茶", "茶"), ("0013", "Oat milk", "Milk"),
    ]  # fmt: skip
    assert ask(shop, "SELECT customer_id, attribute, value FROM attributes ORDER BY 1") == [
        ("7", "city", "Leeds"), ("8", "city", "上海"),
    ]  # fmt: skip
    told = capfd.readouterr().err
    assert "migrations: left out" in told
    assert "sold" not in told
    assert PASSWORD not in told
    assert QUOTED not in told


def test_loading_again_adds_nothing(sqlite: str, tmp_path: Path):
    shop = str(tmp_path / "shop")
    for _ in range(2):
        assert cli.main(["data", sqlite, "--yes", "--shop", shop]) == 0
    assert ask(Path(shop), EVENTS) == LOADED


def test_tables_views_and_queries_are_read_by_name(url: str, tmp_path: Path):
    fetched = database.fetch(url, ["sold", "buyers=SELECT DISTINCT member_id FROM orders;"], tmp_path)
    assert [path.name for path in fetched.files] == ["sold.parquet", "buyers.parquet"]
    assert fetched.rows == {"sold": 1, "buyers": 2}
    (row,) = pq.read_table(tmp_path / "sold.parquet").to_pylist()
    assert (row["member_id"], row["sku"], row["qty"]) == ("7", "0012", "2")
    assert row["paid_at"].startswith("2024-01-05 10:00:00")


def test_a_schema_may_be_named(postgres: str, tmp_path: Path):
    assert database.fetch(postgres, ["public.orders"], tmp_path).rows == {"orders": 3}


def test_since_reads_only_later_rows_and_a_little_before(
    url: str, request: pytest.FixtureRequest, tmp_path: Path
):
    first = database.fetch(url, ["orders"], tmp_path, since="paid_at")
    assert first.rows == {"orders": 3}
    _run(url, LATER)
    try:
        again = database.fetch(url, ["orders"], tmp_path, since="paid_at", marks=first.marks)
        assert again.rows == {"orders": 2}  # the new order, and the last one of before
        assert again.marks != first.marks
        assert not any(PASSWORD in text or QUOTED in text for text in again.marks)
    finally:
        _run(url, "DELETE FROM orders WHERE id = 4")


def _run(url: str, sql: str) -> None:
    if url.startswith("postgresql"):
        _postgres_run(url, sql)
        return
    path = url.partition("///")[2]
    if url.startswith("duckdb"):
        with duckdb.connect(path) as connection:
            connection.execute(sql)
        return
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


def test_since_is_kept_with_the_store_and_nothing_new_is_no_fault(
    sqlite: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    shop = tmp_path / "shop"
    command = [
        "data", sqlite, "--table", "orders", "--table", "products", "--since", "paid_at", "--yes",
        "--shop", str(shop),
    ]  # fmt: skip
    assert cli.main(command) == 0
    assert (shop / "store" / incremental.MARKS).is_file()
    _run(sqlite, LATER)
    assert cli.main(command) == 0
    assert "orders: 2 rows" in capfd.readouterr().err
    assert ask(shop, "SELECT COUNT(*) FROM events") == [(4,)]
    _run(sqlite, "DELETE FROM orders")
    assert cli.main(command) == 0
    assert ask(shop, "SELECT COUNT(*) FROM events") == [(4,)]


def test_a_clock_that_runs_ahead_does_not_end_the_reading():
    highest = incremental.Highest("at", None)
    highest.see([datetime(2024, 5, 1), datetime(2999, 1, 1), None])
    mark = highest.mark()
    assert mark == {"type": "datetime", "value": "2024-05-01T00:00:00"}
    assert incremental.Highest("at", mark).start() == ("at", datetime(2024, 4, 30))


def test_sqlite_is_not_written_and_text_in_gb18030_is_read(tmp_path: Path):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE 订单 (会员号 TEXT, 商品编号 TEXT, 数量 TEXT, 下单时间 TEXT)")
        connection.execute(
            "INSERT INTO 订单 VALUES (CAST(? AS TEXT), 'a1', '2', '2024-01-05')", ["张三".encode("gb18030")]
        )
    connection.close()
    before = path.read_bytes()
    path.chmod(0o400)
    fetched = database.fetch(f"sqlite:///{path}", [], tmp_path)
    assert pq.read_table(fetched.files[0])["会员号"].to_pylist() == ["张三"]
    assert path.read_bytes() == before


def test_the_connection_cannot_write(postgres: str, tmp_path: Path):
    _postgres_run(postgres, "CREATE SEQUENCE IF NOT EXISTS counted")
    with pytest.raises(BadInput, match="read-only"):
        database.fetch(postgres, ["x=SELECT nextval('counted') AS n"], tmp_path)


ORDERS_AND_LINES = """
CREATE TABLE orders (id INTEGER, customer_id INTEGER, ordered_at TIMESTAMP, status VARCHAR(9));
CREATE TABLE order_items (order_id INTEGER, product_id VARCHAR(9), quantity INTEGER, price NUMERIC(9, 2));
INSERT INTO orders VALUES (1, 7, '2024-01-05 10:00:00', 'paid'), (2, 8, '2024-02-01 09:15:00', 'paid');
INSERT INTO order_items VALUES (1, '0012', 2, 2.50), (1, '0013', 1, 3.50), (2, '0012', 1, 2.50);
"""


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_lines_and_orders_in_two_tables_are_read_together(engine: str, tmp_path: Path):
    path = tmp_path / "two.db"
    if engine == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.execute(ORDERS_AND_LINES)
    else:
        with sqlite3.connect(path) as connection:
            connection.executescript(ORDERS_AND_LINES)
        connection.close()
    fetched = database.fetch(f"{engine}:///{path}", [], tmp_path)
    assert fetched.rows == {"order_items": 3}
    assert "read with order_items" in fetched.left_out["orders"]
    rows = pq.read_table(fetched.files[0]).to_pylist()
    assert sorted((row["order_id"], row["customer_id"], row["product_id"]) for row in rows) == [
        ("1", "7", "0012"), ("1", "7", "0013"), ("2", "8", "0012"),
    ]  # fmt: skip


# Mistakes -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace(QUOTED, "wrong-one"), "password authentication failed"),
        (lambda url: re.sub(r":\d+/postgres", ":1/postgres", url), "check the host"),
        (
            lambda url: url.removesuffix("postgres") + "nowhere",
            "does not exist",
        ),
        (lambda url: url.replace("postgresql", "delphi"), "no kind of database"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:port"), "not a sound connection string"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_without_the_password(
    postgres: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], change, says: str
):
    changed = change(postgres)
    assert cli.main(["data", changed, "--yes", "--shop", str(tmp_path / "shop")]) == 2
    told = capfd.readouterr().err.strip().splitlines()[-1]
    assert says in told
    assert all(secret not in told for secret in (PASSWORD, QUOTED, "wrong-one"))
    assert not (tmp_path / "shop" / STORE).exists()


def test_a_missing_table_is_named_with_those_there_are(url: str, tmp_path: Path):
    with pytest.raises(BadInput, match=r"no table 'order'; it has .*orders"):
        database.fetch(url, ["order"], tmp_path)
    with pytest.raises(BadInput, match="check --since"):
        database.fetch(url, ["products"], tmp_path, since="updated_at")


def test_a_missing_file_is_not_made(tmp_path: Path):
    for scheme in ("sqlite", "duckdb"):
        with pytest.raises(BadInput, match="there is no file"):
            database.fetch(f"{scheme}:///{tmp_path}/none.db", [], tmp_path)
    assert not (tmp_path / "none.db").exists()


def test_a_missing_driver_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(BadInput, match=r"pip install 'shopkeeper\[db\]'") as error:
        database.fetch(f"postgresql://shop:{QUOTED}@127.0.0.1/x", [], tmp_path)
    assert QUOTED not in str(error.value)


def test_a_database_without_anything_for_us(tmp_path: Path):
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE migrations (version INTEGER)")
    connection.close()
    with pytest.raises(BadInput, match=r"none of its tables \(migrations\)"):
        database.fetch(f"sqlite:///{tmp_path}/x.db", [], tmp_path)


# The password ------------------------------------------------------------------------------
def test_the_password_is_nowhere_in_the_shop(postgres: str, tmp_path: Path):
    shop = tmp_path / "shop"
    command = ["data", postgres, "--table", "orders", "--since", "id", "--yes", "--shop", str(shop)]
    assert cli.main(command) == 0
    for path in shop.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content, path
            assert QUOTED.encode() not in content, path
    loads = str(ask(shop, "SELECT * FROM loads"))
    assert "s3cret" not in loads


secrets = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=6, max_size=12)


@given(secrets.filter(lambda s: "shop" not in s and "host" not in s))
def test_no_spelling_of_a_password_outlives_the_mask(secret: str):
    from urllib.parse import quote

    for written in (quote(secret, safe=""), secret):
        url = f"postgresql://shop:{written}@host/db"
        assert secret not in database.masked(url)
        assert written not in database.masked(url)
        message = database.without_secrets(url, f"could not use {url} nor {secret} nor {written}")
        assert secret not in message
        assert written not in message


@given(st.one_of(st.text(), st.binary(), st.decimals(allow_nan=False), st.datetimes(), st.booleans()))
def test_any_value_becomes_text_that_a_file_can_hold(value):
    text = as_text(value)
    assert text is not None
    assert "\x00" not in text
    text.encode("utf-8")


def test_values_read_back_as_they_were():
    assert as_text(None) is None
    assert as_text(Decimal("1E+2")) == "100"
    assert as_text(Decimal("12.50")) == "12.50"
    assert as_text(datetime(2024, 1, 5, 10, tzinfo=UTC)) == "2024-01-05 10:00:00+00:00"
    assert as_text(date(2024, 1, 5)) == "2024-01-05"
    assert as_text("张三".encode("gb18030")) == "张三"
    assert as_text({"a": [1, "茶"]}) == '{"a": [1, "茶"]}'
