"""Plain files into the store: known answers, and the promise that no row is lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from datetime import datetime
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.errors import BadInput
from customers.ingest import files, parsing
from customers.ingest.line_ends import Ends, unified
from customers.ingest.mapping import FileMapping, Mapping, guess_mapping
from customers.ingest.quality import render_markdown, sources
from customers.ingest.raw import read_file
from customers.schema import TABLES
from customers.stores import events as store_files
from customers.stores.events import open_store

DATA = Path(__file__).parent / "data"


def ask(path: Path, sql: str) -> list[tuple]:
    store = open_store(path)
    try:
        return store.backend.con.execute(sql).fetchall()
    finally:
        store.close()


def ingest(paths: list[Path], out: Path, mapping: Mapping | None = None) -> Path:
    files.ingest(paths, mapping or guess_mapping(paths), out, name="Corner shop")
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest([DATA / "plain"], tmp_path_factory.mktemp("plain") / "shop.duckdb")


def test_every_planted_fault_is_found_once(plain: Path):
    found = ask(plain, "SELECT rule, rows FROM quality WHERE source = 'orders.csv' AND rows > 0")
    assert dict(found) == {
        "read": 17, "kept": 6, "malformed_line": 1, "missing_customer": 1, "missing_time": 1,
        "unreadable_time": 1,
        "missing_product": 1, "duplicate": 1, "unreadable_number": 1, "quantity_zero": 1, "future_time": 1,
        "outside_period": 1, "absurd_quantity": 1, "negative_quantity": 1, "quantity_assumed": 1,
        "unknown_product": 1,
    }  # fmt: skip


def test_the_events_that_remain_are_right(plain: Path):
    rows = ask(
        plain, "SELECT basket_id, kind, ts, product_id, quantity, amount FROM events ORDER BY ts, product_id"
    )
    assert rows == [
        ("o1", "purchase", datetime(2024, 1, 5, 10), "p1", 2.0, 5.0),
        ("o1", "purchase", datetime(2024, 1, 5, 10), "p2", 1.0, 3.5),
        ("o2", "purchase", datetime(2024, 2, 10, 18, 30), "p1", 1.0, 2.5),
        ("o7", "purchase", datetime(2024, 3, 2, 12), "p9", 1.0, 1009.9),
        ("o9", "return", datetime(2024, 3, 4, 12), "p1", 1.0, 2.5),
        ("o13", "purchase", datetime(2024, 3, 6, 12), "p2", 1.0, 3.5),
    ]


def test_rejected_rows_keep_the_files_own_text(plain: Path):
    rows = dict(ask(plain, "SELECT rule, row FROM rejected WHERE source = 'orders.csv'"))
    assert json.loads(rows["unreadable_number"])["Qty"] == "many"
    assert json.loads(rows["malformed_line"]) == "o14,c2,2024-03-07 12:00:00"


def test_products_attributes_names_and_shop(plain: Path):
    assert ask(plain, "SELECT product_id, name, price FROM products ORDER BY 1") == [
        ("p1", "Green tea", 2.5), ("p2", "Oat milk", 3.5), ("p9", "p9", 1009.9),
    ]  # fmt: skip
    attributes = ask(plain, "SELECT * FROM attributes ORDER BY ALL")
    assert attributes == [
        ("c1", "age", "25-34"), ("c1", "city", "Leeds"), ("c2", "city", "York"), ("c3", "age", "45-54"),
    ]  # fmt: skip
    assert ("category", "Tea", "Tea", "Tea") in ask(plain, "FROM names")
    shop = ask(
        plain, "SELECT name, currency, CAST(first_day AS VARCHAR), CAST(last_day AS VARCHAR) FROM shop"
    )
    assert shop == [("Corner shop", "$", "2024-01-05", "2024-03-06")]
    assert {name for (name,) in ask(plain, "SELECT table_name FROM duckdb_tables()")} == set(TABLES)


def test_the_report_of_plain_files(plain: Path):
    report = render_markdown(plain, "zh")
    assert "| orders.csv | 17 | 6 | 11 |" in report
    assert "数量或金额不是数字" in report


def test_chinese_files_in_gb18030(tmp_path: Path):
    out = ingest([DATA / "plain_zh"], tmp_path / "shop.duckdb")
    rows = ask(out, "SELECT customer_id, ts, amount FROM events ORDER BY ts")
    assert rows == [
        ("张1", datetime(2024, 1, 5, 10, 30), 10.0),
        ("李2", datetime(2024, 2, 6), 6.5),
        ("李2", datetime(2024, 2, 7, 8, 5, 9), 15.0),
    ]
    assert ask(out, "SELECT name, category, price FROM products ORDER BY 1") == [
        ("绿茶", "茶叶", 5.0), ("酸奶", "乳品", 6.5),
    ]  # fmt: skip


ROWS = [
    {
        "user_id": 1,
        "time": "2024-07-01T02:00:00Z",
        "item_id": 7,
        "behavior_type": "buy",
        "qty": 2,
        "amount": 3.5,
    },
    {
        "user_id": 2,
        "time": "2024-01-01T02:00:00Z",
        "item_id": 8,
        "behavior_type": "pv",
        "qty": None,
        "amount": None,
    },
    {
        "user_id": 2,
        "time": "2024-01-01T02:00:00Z",
        "item_id": 8,
        "behavior_type": "juggle",
        "qty": 1,
        "amount": 1.0,
    },
]


def write_as(ending: str, where: Path) -> Path:
    path = where / f"log{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif ending.startswith(".jsonl"):
        text = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        path.write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    else:
        lines = [list(ROWS[0]), *([("" if v is None else v) for v in row.values()] for row in ROWS)]
        mark = "\t" if ".tsv" in ending else ","
        text = "\ufeff" + "".join(mark.join(map(str, line)) + "\r\n" for line in lines)
        path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("ending", [".csv.gz", ".tsv", ".parquet", ".jsonl"])
def test_every_format_says_the_same(ending: str, tmp_path: Path):
    path = write_as(ending, tmp_path)
    guessed = guess_mapping([path])
    mapping = Mapping(guessed.files, guessed.currency, timezone="America/New_York")
    out = ingest([path], tmp_path / "shop.duckdb", mapping)
    assert ask(
        out, "SELECT kind, customer_id, ts, product_id, quantity, amount FROM events ORDER BY kind"
    ) == [
        ("browse", "2", datetime(2023, 12, 31, 21), "8", None, None),  # standard time
        ("purchase", "1", datetime(2024, 6, 30, 22), "7", 2.0, 3.5),  # daylight time
    ]
    assert ask(out, "SELECT rule FROM rejected") == [("unknown_kind",)]


@pytest.mark.parametrize(
    ("written", "time", "text"),
    [
        ("year-first", "2024-03-09 14:05:00", "2024/3/9 14:05"),
        ("year-first", "2024-03-09 14:05:00", "2024年3月9日 下午2:05"),
        ("year-first", "2024-03-09 14:05:00", "20240309140500"),
        ("day-first", "2024-03-09 14:05:00", "09/03/2024 2:05 PM"),
        ("month-first", "2024-03-09 00:05:00", "3/9/2024 12:05 am"),
        ("epoch-seconds", "2024-03-09 14:05:00", "1709993100"),
        ("epoch-milliseconds", "2024-03-09 14:05:00", "1709993100000"),
    ],
)
def test_times_in_every_way_of_writing(written: str, time: str, text: str):
    read = parsing.time(ibis.memtable({"at": [text]}).at, written).cast("string")
    assert ibis.duckdb.connect().execute(read).tolist() == [time]


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("$1,234.50", ".", 1234.5), ("1.234,50 €", ",", 1234.5), ("(5)", ".", -5.0), ("15元", ".", 15.0),
        ("USD 3", ".", 3.0), ("1e3", ".", 1000.0), ("many", ".", None), ("1-2", ".", None), ("", ".", None),
    ],
)  # fmt: skip
def test_numbers_as_shops_write_them(text: str, decimal: str, value: float | None):
    read = parsing.number(ibis.memtable({"at": [text]}).at, decimal)
    found = ibis.duckdb.connect().to_pyarrow(read).to_pylist()
    assert found == [value]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"customer_id": "user_id", "ts": "when"},
            r"log\.csv: lacks the column\(s\) when; it has user_id, time",
        ),
        ({"customer_id": "qty", "ts": "amount"}, "no usable event is left"),
    ],
)
def test_a_wrong_mapping_changes_nothing(columns: dict[str, str], says: str, tmp_path: Path):
    out = tmp_path / "shop.duckdb"
    out.write_bytes(b"what stood here before")
    entry = FileMapping("log.csv", "events", columns, kind="browse")
    with pytest.raises(BadInput, match=says) as error:
        files.ingest([write_as(".csv", tmp_path)], Mapping((entry,)), out, add=False)
    assert "\n" not in str(error.value)
    assert out.read_bytes() == b"what stood here before"
    left = {p.name for p in tmp_path.iterdir()} - {"shop.duckdb.lock"}  # the lock stays
    assert left == {"log.csv", "shop.duckdb"}


def test_files_without_events_and_unknown_paths(tmp_path: Path):
    with pytest.raises(BadInput, match="none of the files holds events"):
        ingest([DATA / "plain" / "products.csv"], tmp_path / "shop.duckdb")
    with pytest.raises(BadInput, match="no such file"):
        guess_mapping([tmp_path / "nothing.csv"])
    with pytest.raises(BadInput, match="is not in the mapping"):
        ingest([DATA / "plain"], tmp_path / "shop.duckdb", Mapping(()))


# Property: whatever the rows hold, each is kept or kept aside -------------------------------

cells = st.one_of(
    st.sampled_from(
        ["", "c1", "c2", "nan", "2024-05-01", "2024-05-02 10:00:00", "1e400", "-3", "0", "7", "1,000"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8),
)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells, cells, cells), min_size=10, max_size=40))
def test_no_row_is_lost(rows: list[tuple[str, ...]]):
    with tempfile.TemporaryDirectory() as where:
        path = Path(where) / "orders.csv"
        good = ("c9", "2024-05-01 09:00:00", "p9", "1", "2.00")
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("customer_id", "order date", "sku", "qty", "amount"), good, *rows])
        out = ingest([path], Path(where) / "shop.duckdb")
        store = open_store(out)
        (source,) = sources(store)
        counts = store.backend.con.execute(
            "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rejected)"
        ).fetchall()
        store.close()
    assert source.read == len(rows) + 1
    assert (source.kept, source.dropped) == counts[0]
    assert source.kept + source.dropped == source.read


breaking = st.text(st.sampled_from('a,"\r\n中'), max_size=6)
endings = st.sampled_from(["\r\n", "\n", "\r"])


def as_csv(rows: list[tuple[str, ...]], ends: list[str]) -> str:
    quoted = [
        ['"' + cell.replace('"', '""') + '"' if {*cell} & {*',"\r\n'} else cell for cell in row]
        for row in rows
    ]
    return "".join(",".join(row) + end for row, end in zip(quoted, ends, strict=True))


@given(st.lists(st.tuples(st.tuples(breaking, breaking), endings), min_size=1, max_size=8), st.integers(1, 9))
def test_lines_end_in_one_way_and_fields_keep_their_own_breaks(drawn: list[tuple], piece: int):
    rows, ends = [row for row, _ in drawn], [end for _, end in drawn]
    text = as_csv(rows, ends)
    assert "".join(unified(io.StringIO(text, newline=""), ",")) == as_csv(rows, ["\n"] * len(rows))
    told = Ends()
    for at in range(0, len(text.encode()), piece):
        told.see(text.encode()[at : at + piece])
    assert told.mixed or len({*ends}) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_file_whose_lines_end_in_three_ways_loads_whole(encoding: str, tmp_path: Path):
    rows = [("n", "text"), *((str(n), f'say "{n}",\r\n好\n再见\r') for n in range(1, 7))]
    texts = [json.dumps({"n": n, "text": text}) for n, text in rows[1:]]
    ends = ["\n", "\r\n", "\r", "\r\n", "\n", "\r", "\r\n"]
    (tmp_path / "rows.csv").write_text(as_csv(rows, ends), encoding, newline="")
    lines = "".join(text + end for text, end in zip(texts, ends, strict=False))
    (tmp_path / "rows.jsonl").write_text(lines, encoding, newline="")
    with store_files.create(tmp_path / "shop.duckdb") as store:
        for name in ("rows.csv", "rows.jsonl"):
            raw = read_file(store, tmp_path / name, tmp_path / "scratch", ["n", "text"])
            found = raw.table.order_by("row_n").select("n", "text").to_pyarrow().to_pylist()
            assert [tuple(row.values()) for row in found] == rows[1:]
            assert raw.malformed == []


def test_a_quote_that_is_never_closed_takes_no_row_before_it_along(tmp_path: Path):
    good = "c1,2024-05-01 09:00,p1,1,2.00\r\nc2,2024-05-02 09:00,p1,1,2.00\n"
    path = tmp_path / "orders.csv"
    path.write_text(
        "customer_id,order date,sku,qty,amount\n" + good + 'c3,"2024-05-03 09:00,p1,1,2.00\n', newline=""
    )
    out = ingest([path], tmp_path / "shop.duckdb")
    assert ask(out, "SELECT customer_id FROM events ORDER BY 1") == [("c1",), ("c2",)]
    assert ask(out, "SELECT rule FROM rejected") == [("malformed_line",)]


def test_a_file_of_names_says_what_keys_are_called_in_the_other_language(tmp_path: Path):
    orders = tmp_path / "orders.csv"
    orders.write_text(
        "customer_id,product_id,product_name,category,date,quantity,amount\n"
        "c1,p1,Oat milk,Dairy,2024-01-05,1,2\nc2,p2,Brie,Dairy,2024-01-06,1,3\nc2,p3,Rye,Bakery,2024-01-07,1,3\n"
    )
    names = tmp_path / "names.csv"
    names.write_text(
        "kind,key,name_en,name_zh\ncategory,Dairy,,乳制品\nproduct,p1,Oat milk 1 L,燕麦奶\ncategory,Fish,Fish,鱼\n"
        "category,Dairy,Milk things,\ncategory,Bakery,,\n,Bakery,,烘焙\n",
        encoding="utf-8",
    )
    out = ingest([orders, names], tmp_path / "shop.duckdb")
    named = "SELECT kind, key, name_en, name_zh FROM names WHERE kind IN ('category', 'product') ORDER BY kind, key"
    assert ask(out, named) == [
        ("category", "Bakery", "Bakery", "Bakery"), ("category", "Dairy", "Dairy", "乳制品"),
        ("product", "p1", "Oat milk 1 L", "燕麦奶"),
    ]  # fmt: skip
    found = ask(out, "SELECT rule, rows FROM quality WHERE source = 'names.csv' AND rows > 0")
    assert dict(found) == {
        "read": 6, "kept": 2, "missing_key": 1, "no_name": 1, "unknown_key": 1, "duplicate": 1,
    }  # fmt: skip
    orders.write_text(orders.read_text() + "c3,p4,Cod,Fish,2024-01-08,1,9\n")
    ingest([orders, names], out)  # what they name has come since
    assert ("category", "Fish", "Fish", "鱼") in ask(out, named)
    assert ask(out, "SELECT count(*) FROM names WHERE key = 'Dairy'") == [(1,)]
