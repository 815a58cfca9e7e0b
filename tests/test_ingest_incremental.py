"""Data brought in again: only what is new is added, and a broken file stops nothing."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from customers.errors import BadInput
from customers.ingest import files
from customers.ingest.files import Loaded
from customers.ingest.mapping import FileMapping, Mapping
from customers.stores import events
from customers.stores.events import open_store

FIELDS = ("customer_id", "ts", "product_id", "quantity", "amount")
ENTRIES = {
    "orders.csv": FileMapping("orders.csv", "events", {f: f for f in FIELDS}, kind="purchase"),
    "more.csv": FileMapping("more.csv", "events", {f: f for f in FIELDS}, kind="purchase"),
    "web.jsonl": FileMapping("web.jsonl", "events", {f: f for f in FIELDS}, kind="purchase"),
    "lines.parquet": FileMapping("lines.parquet", "events", {f: f for f in FIELDS}, kind="purchase"),
    "products.csv": FileMapping(
        "products.csv", "products", {f: f for f in ("product_id", "name", "category", "price")}
    ),
    "members.csv": FileMapping(
        "members.csv", "customers", {"customer_id": "customer_id"}, attributes=("city",)
    ),
}
MAPPING = Mapping(tuple(ENTRIES.values()))


def row(day: int, customer: str = "c1", product: str = "p1", amount: str = "2.50") -> tuple[str, ...]:
    return customer, f"2024-03-{day:02d} 10:00:00", product, "1", amount


def write(path: Path, rows: list[tuple[str, ...]], fields: tuple[str, ...] = FIELDS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([fields, *rows])
    return path


def load(out: Path, *paths: Path, add: bool = True) -> Loaded:
    return files.ingest(list(paths), MAPPING, out, "Corner shop", add=add)


def ask(path: Path, sql: str) -> list[tuple]:
    store = open_store(path)
    try:
        return store.backend.con.execute(sql).fetchall()
    finally:
        store.close()


def quality(out: Path, source: str) -> dict[str, int]:
    return dict(ask(out, f"SELECT rule, rows FROM quality WHERE source = '{source}' AND rows > 0"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "store" / "shop.duckdb"


def test_a_file_that_grew_adds_only_what_is_new(tmp_path: Path, out: Path):
    bad = ("", "2024-03-04 10:00:00", "p1", "1", "2.00")
    assert load(out, write(tmp_path / "orders.csv", [row(1), row(2), bad])).new == 2
    grown = write(tmp_path / "orders.csv", [row(1), row(2), bad, row(3, amount="4.50"), bad[:1] + row(5)[1:]])
    assert load(out, grown) == Loaded(new=1, repeated=3, rejected=1)
    assert ask(out, "SELECT ts FROM events ORDER BY ts") == [(datetime(2024, 3, d, 10),) for d in (1, 2, 3)]
    # Kept aside once, though it was read twice; rows read are those kept, kept aside and repeated.
    assert quality(out, "orders.csv") == {"read": 8, "kept": 3, "missing_customer": 2, "repeated": 3}
    assert ask(out, "SELECT count(*) FROM rejected") == [(2,)]
    assert ask(out, "SELECT price FROM products") == [(2.5,)]
    assert ask(out, "SELECT CAST(last_day AS VARCHAR) FROM shop") == [("2024-03-03",)]
    loads = "SELECT load_id, rows_read, rows_new, rows_repeated, rows_rejected FROM loads ORDER BY 1"
    assert ask(out, loads) == [(1, 3, 2, 0, 1), (2, 5, 1, 3, 1)]


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, out: Path):
    path = write(tmp_path / "orders.csv", [row(1), row(2)])
    load(out, path)
    before = ask(out, "FROM events ORDER BY event_id"), ask(out, "FROM quality ORDER BY ALL")
    assert load(out, path) == Loaded(unchanged=("orders.csv",))
    assert (ask(out, "FROM events ORDER BY event_id"), ask(out, "FROM quality ORDER BY ALL")) == before
    assert load(out, path, write(tmp_path / "more.csv", [row(9)])) == Loaded(new=1, unchanged=("orders.csv",))


def test_the_same_events_from_another_kind_of_file_are_known(tmp_path: Path, out: Path):
    load(out, write(tmp_path / "orders.csv", [row(1), row(2)]))
    lines = [dict(zip(FIELDS, values, strict=True)) for values in (row(2), row(3))]
    web = tmp_path / "web.jsonl"
    web.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert load(out, web) == Loaded(new=1, repeated=1)
    typed = [
        {
            "customer_id": "c1",
            "ts": datetime(2024, 3, d, 10),
            "product_id": "p1",
            "quantity": 1,
            "amount": 2.5,
        }
        for d in (3, 4)
    ]
    pq.write_table(pa.Table.from_pylist(typed), tmp_path / "lines.parquet")
    assert load(out, tmp_path / "lines.parquet") == Loaded(new=1, repeated=1)
    assert ask(out, "SELECT source, count(*) FROM events GROUP BY ALL ORDER BY ALL") == [
        ("lines.parquet", 1), ("orders.csv", 2), ("web.jsonl", 1),
    ]  # fmt: skip


def test_late_events_are_welcome(tmp_path: Path, out: Path):
    year = [("c1", f"2023-{m:02d}-05 10:00:00", "p1", "1", "2.50") for m in range(1, 13)]
    load(out, write(tmp_path / "orders.csv", year))
    late = ("c2", "2023-02-07 09:00:00", "p1", "1", "2.50")
    today = [(f"c{n}", f"2023-12-30 1{n}:00:00", "p1", "1", "2.50") for n in range(8)]
    assert load(out, write(tmp_path / "more.csv", [*today, late])) == Loaded(new=9)


def test_what_is_listed_anew_holds(tmp_path: Path, out: Path):
    listed = ("product_id", "name", "category", "price")
    products = write(tmp_path / "products.csv", [("p1", "Tea", "Drinks", "3.00")], listed)
    members = write(tmp_path / "members.csv", [("c1", "York"), ("c2", "Leeds")], ("customer_id", "city"))
    load(out, products, members, write(tmp_path / "orders.csv", [row(1), row(2, product="p2")]))
    write(products, [("p1", "Green tea", "", "3.20"), ("p2", "Milk", "Dairy", "")], listed)
    write(members, [("c1", "Hull"), ("c2", "Leeds")], ("customer_id", "city"))
    load(out, products, members)
    assert ask(out, "SELECT product_id, name, category, price FROM products ORDER BY 1") == [
        ("p1", "Green tea", "Drinks", 3.2), ("p2", "Milk", "Dairy", 2.5),
    ]  # fmt: skip
    assert ask(out, "FROM attributes ORDER BY ALL") == [("c1", "city", "Hull"), ("c2", "city", "Leeds")]
    assert quality(out, "products.csv")["updated"] == 1
    assert quality(out, "members.csv")["updated"] == 1
    assert {key for (key,) in ask(out, "SELECT key FROM names WHERE kind = 'category'")} == {
        "Drinks",
        "Dairy",
    }


def test_replacing_starts_anew(tmp_path: Path, out: Path):
    load(out, write(tmp_path / "orders.csv", [row(1), row(2)]))
    assert load(out, write(tmp_path / "more.csv", [row(3)]), add=False) == Loaded(new=1)
    assert ask(out, "SELECT count(*) FROM events") == [(1,)]


def test_one_writer_at_a_time(tmp_path: Path, out: Path):
    path = write(tmp_path / "orders.csv", [row(1)])
    load(out, path)
    more = write(tmp_path / "more.csv", [row(2)])
    with events.lock(out), pytest.raises(BadInput, match="in use by another run") as error:
        load(out, more)
    assert "\n" not in str(error.value)
    with events.lock(out, shared=True), pytest.raises(BadInput, match="in use by another run"):
        load(out, more)
    with events.lock(out), pytest.raises(BadInput, match="is being written"):
        events.copy(out, tmp_path / "copy.duckdb")
    assert load(out, more) == Loaded(new=1)


def test_garbage_among_good_files_is_one_line(tmp_path: Path, out: Path):
    garbage = tmp_path / "lines.parquet"
    garbage.write_bytes(b"PAR1 not really")
    loaded = load(out, garbage, write(tmp_path / "orders.csv", [row(1)]))
    assert loaded.new == 1
    (line,) = loaded.unreadable
    assert "lines.parquet" in line
    assert "\n" not in line
    assert quality(out, "lines.parquet") == {"unreadable_file": 1}
    stood = out.read_bytes()
    with pytest.raises(BadInput, match=r"lines\.parquet"):
        load(out, garbage)
    assert out.read_bytes() == stood


def test_lines_that_are_no_object_are_kept_aside(tmp_path: Path, out: Path):
    good = json.dumps(dict(zip(FIELDS, row(1), strict=True)))
    (tmp_path / "web.jsonl").write_text(f'{good}\n[1, 2]\n{{"customer_id": \n\n"text"\n', encoding="utf-8")
    assert load(out, tmp_path / "web.jsonl") == Loaded(new=1, rejected=3)
    kept = {json.loads(text) for (text,) in ask(out, "SELECT row FROM rejected")}
    assert kept == {"[1, 2]", '{"customer_id": ', '"text"'}
    assert quality(out, "web.jsonl") == {"read": 4, "kept": 1, "malformed_line": 3}


def test_a_store_of_an_earlier_release_is_added_to(tmp_path: Path, out: Path):
    load(out, write(tmp_path / "orders.csv", [row(1)]))
    import duckdb

    con = duckdb.connect(str(out))
    for change in (
        "DROP TABLE loads",
        "ALTER TABLE events DROP source",
        "ALTER TABLE products DROP listed_price",
    ):
        con.execute(change)
    con.close()
    assert load(out, write(tmp_path / "more.csv", [row(2)])) == Loaded(new=1)
    assert ask(out, "SELECT source FROM events ORDER BY ts") == [(None,), ("more.csv",)]


# Broken bytes -------------------------------------------------------------------------------


def _whole(ending: str) -> bytes:
    """A sound file of the ending, as bytes to break."""
    rows = [row(day, f"c{day % 3}") for day in range(1, 9)]
    with tempfile.TemporaryDirectory() as where:
        path = Path(where) / f"file{ending}"
        if ending == ".csv":
            write(path, rows)
        elif ending == ".jsonl":
            lines = [json.dumps(dict(zip(FIELDS, values, strict=True))) for values in rows]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            pq.write_table(pa.Table.from_pylist([dict(zip(FIELDS, r, strict=True)) for r in rows]), path)
        return path.read_bytes()


NAMES = {".csv": "more.csv", ".jsonl": "web.jsonl", ".parquet": "lines.parquet"}
WHOLE = {ending: _whole(ending) for ending in NAMES}
breaks = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=6)), min_size=1, max_size=3
)


def attempt(out: Path, path: Path) -> tuple[Loaded | None, str]:
    try:
        return load(out, path), ""
    except BadInput as error:
        return None, str(error)


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store with one event."""
    where = tmp_path_factory.mktemp("stood")
    load(where / "shop.duckdb", write(where / "orders.csv", [row(1, "c9")]))
    return (where / "shop.duckdb").read_bytes()


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(NAMES)), breaks, st.booleans())
@example(".parquet", [(65532, b"\x80")], False)  # a text that is no UTF-8
def test_broken_bytes_never_harm(stood: bytes, ending: str, broken: list[tuple[int, bytes]], cut: bool):
    data = bytearray(WHOLE[ending])
    for at, piece in broken:
        at %= len(data)
        data[at : at + len(piece)] = piece
    if cut:
        del data[broken[0][0] % len(data) :]
    with tempfile.TemporaryDirectory() as where:
        out = Path(where) / "shop.duckdb"
        out.write_bytes(stood)
        path = Path(where) / NAMES[ending]
        path.write_bytes(bytes(data))
        loaded, said = attempt(out, path)
        if loaded is None:
            assert "\n" not in said
            assert out.read_bytes() == stood
            assert not [name for name in os.listdir(where) if "partial" in name or "spill" in name]
            return
        read, new, again, rejected = ask(
            out, "SELECT rows_read, rows_new, rows_repeated, rows_rejected FROM loads WHERE load_id = 2"
        )[0]
        assert read == new + again + rejected
        assert (loaded.new, loaded.repeated, loaded.rejected) == (new, again, rejected)
        assert ask(out, "SELECT count(*) FROM events") == [(1 + new,)]
        assert ask(out, "SELECT count(*) FROM rejected") == [(rejected,)]


def test_two_tills_that_count_from_one_lose_nothing(tmp_path: Path):
    fields = ("event_id", *FIELDS)
    named = {f: f for f in fields}
    mapping = Mapping(tuple(FileMapping(n, "events", named, kind="purchase") for n in ("one.csv", "two.csv")))
    out = tmp_path / "shop.duckdb"
    one = write(tmp_path / "one.csv", [("1", *row(1, "c1")), ("2", *row(2, "c1"))], fields)
    two = write(tmp_path / "two.csv", [("1", *row(1, "c2")), ("2", *row(2, "c1"))], fields)
    loaded = files.ingest([one, two], mapping, out, "Corner shop")
    assert (loaded.new, loaded.repeated) == (3, 1)  # the second row of both is the same event
    two = write(tmp_path / "two.csv", [("1", *row(1, "c2")), ("3", *row(3, "c2"))], fields)
    loaded = files.ingest([one, two], mapping, out, "Corner shop")
    assert (loaded.new, loaded.repeated) == (1, 1)
    assert ask(out, "SELECT event_id, customer_id FROM events ORDER BY 1") == [
        ("purchase:1", "c1"), ("purchase:1@two.csv", "c2"), ("purchase:2", "c1"), ("purchase:3", "c2"),
    ]  # fmt: skip
