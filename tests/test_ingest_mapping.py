"""Guessing what a column is, and the mapping's YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.errors import BadInput
from customers.ingest import headers
from customers.ingest.file_mapping import FIELDS_OF, FileMapping
from customers.ingest.guessing import match_columns
from customers.ingest.mapping import Mapping, guess_mapping
from customers.schema import EventKind

DATA = Path(__file__).parent / "data"


def guess(tmp_path: Path, name: str, text: str) -> FileMapping:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return guess_mapping([path]).files[0]


def test_a_folder_of_english_files_is_recognised():
    mapping = guess_mapping([DATA / "plain"])
    tables = {entry.path: entry.table for entry in mapping.files}
    assert tables == {"orders.csv": "events", "products.csv": "products", "customers.csv": "customers"}
    orders = mapping.for_file(Path("orders.csv"))
    assert orders.kind == "purchase"
    assert orders.columns["amount"] == "Total"
    assert orders.columns["ts"] == "Order Date"
    customers = mapping.for_file(Path("customers.csv"))
    assert customers.attributes == ("age", "city")
    assert customers.left_out == ("name",)
    assert mapping.currency == "$"


def test_chinese_headers_in_gb18030_are_recognised():
    mapping = guess_mapping([DATA / "plain_zh"])
    (orders,) = mapping.files
    assert orders.columns == {
        "customer_id": "会员号", "ts": "下单时间", "product_id": "商品编码", "quantity": "数量",
        "amount": "金额",
        "basket_id": "订单号", "name": "商品名称", "category": "品类",
    }  # fmt: skip
    assert orders.kind == "purchase"
    assert mapping.currency == "¥"
    assert "下单时间" in mapping.table()
    assert "-> ts" in mapping.table()


@pytest.mark.parametrize(
    ("times", "written"),
    [
        (["2024-01-31", "2024-02-01"], "year-first"),
        (["13/02/2024", "01/02/2024"], "day-first"),
        (["02/13/2024", "02/01/2024"], "month-first"),
        (["01/02/2024"], "month-first"),
        (["1704448800"], "epoch-seconds"),
        (["1704448800000"], "epoch-milliseconds"),
    ],
)
def test_how_times_are_written_is_seen_from_the_values(tmp_path: Path, times: list[str], written: str):
    rows = "".join(f"u,{at},p,1\n" for at in times)
    assert guess(tmp_path, "orders.csv", "user_id,time,item_id,qty\n" + rows).time == written


def test_a_kind_column_maps_its_known_values(tmp_path: Path):
    head = "user_id,timestamp,item_id,behavior_type\n"
    text = head + "".join(f"u,2024-01-01,p,{kind}\n" for kind in ("pv", "buy", "加购"))
    entry = guess(tmp_path, "log.csv", text)
    assert entry.kind is None
    assert entry.kinds == {"pv": "browse", "buy": "purchase", "加购": "cart"}


@pytest.mark.parametrize(
    ("name", "kind"), [("product_views.csv", "browse"), ("returns.csv", "return"), ("商品评论.csv", "review")]
)
def test_the_file_name_tells_the_kind(tmp_path: Path, name: str, kind: str):
    assert guess(tmp_path, name, "user_id,time,sku\nu,2024-01-01,p\n").kind == kind


def test_semicolons_and_decimal_commas(tmp_path: Path):
    entry = guess(tmp_path, "sales.csv", "customer;date;sku;amount\nc;2024-01-01;p;1.234,50\n")
    assert entry.decimal == ","


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("orders.csv", "", "empty"),
        ("orders.csv", "user_id,time\n", "no rows"),
        ("orders.csv", "user_id,colour\nu,red\n", r"the time \(ts\)"),
        ("things.csv", "user_id,time\nu,2024-01-01\n", "nothing says"),
        ("orders.csv", "user_id,user_id\n1,2\n", "named twice"),
        ("orders.parquet", "not parquet", "Parquet"),
        ("orders.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("orders.xls", "a", "not a kind of file"),
    ],
)
def test_what_cannot_be_guessed_names_the_file_in_one_line(tmp_path: Path, name: str, text: str, says: str):
    with pytest.raises(BadInput, match=says) as error:
        guess(tmp_path, name, text)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_bad_input(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"user_id,time\n\xff\xff\xff,1\n")
    with pytest.raises(BadInput, match="neither UTF-8 nor GB18030"):
        guess_mapping([path])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("files: [", "YAML"),
        ("a: 1", "no list `files`"),
        ("files: [{table: events}]", "no `path`"),
        ("files: [{path: a.csv, table: stuff}]", "events, products, customers or names"),
        (
            "files: [{path: a.csv, table: products, columns: {colour: x, product_id: y}}]",
            "colour is no field",
        ),
        ("files: [{path: a.csv, table: products, columns: [x]}]", "NAME: VALUE"),
        (
            "files: [{path: a.csv, table: events, columns: {customer_id: c}, kind: purchase}]",
            "no column for ts",
        ),
        ("files: [{path: a.csv, table: events, columns: {customer_id: c, ts: t}}]", "neither `kind`"),
        (
            "files: [{path: a.csv, table: events, columns: {customer_id: c, ts: t}, kind: theft}]",
            "no event kind",
        ),
        ("timezone: Mars/Base\nfiles: []", "not a time zone"),
    ],
)
def test_an_unsound_mapping_says_what_is_wrong(text: str, says: str):
    with pytest.raises(BadInput, match=says):
        Mapping.from_yaml(text, "map.yaml")


# Properties ---------------------------------------------------------------------------------

GUESSED = ("customers", "events", "products")
"""The tables whose columns go by many names."""
names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(st.data())
def test_any_synonym_in_any_spelling_and_order_is_found(data: st.DataObject):
    table = data.draw(st.sampled_from(GUESSED))
    fields = data.draw(st.lists(st.sampled_from(FIELDS_OF[table]), min_size=1, max_size=4, unique=True))
    chosen = {f: headers.FIELDS[f][0] for f in fields}
    spell = st.sampled_from(
        [str.upper, str.title, lambda w: w.replace(" ", "_"), lambda w: w.replace(" ", "-")]
    )
    columns = [data.draw(spell)(word) for word in chosen.values()]
    shuffled = data.draw(st.permutations(columns))
    assert match_columns(shuffled, FIELDS_OF[table]) == dict(
        sorted(zip(fields, columns, strict=True), key=lambda pair: FIELDS_OF[table].index(pair[0]))
    )


@given(st.lists(names, unique=True, max_size=8), st.sampled_from(GUESSED))
def test_a_column_means_one_thing_and_columns_are_never_made_up(columns: list[str], table: str):
    found = match_columns(columns, FIELDS_OF[table])
    assert set(found.values()) <= set(columns)
    assert len(set(found.values())) == len(found)


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    texts = st.dictionaries(names, st.sampled_from([kind.value for kind in EventKind]), max_size=3)
    events = FileMapping(
        path=draw(names),
        table="events",
        columns={"customer_id": draw(names), "ts": draw(names)},
        kind=draw(st.sampled_from([kind.value for kind in EventKind])),
        kinds=draw(texts),
        time=draw(st.sampled_from(["year-first", "day-first", "epoch-seconds"])),
        decimal=draw(st.sampled_from([".", ","])),
        left_out=tuple(draw(st.lists(names, max_size=2))),
    )
    people = FileMapping(
        draw(names),
        "customers",
        {"customer_id": draw(names)},
        attributes=tuple(draw(st.lists(names, max_size=3))),
    )
    zone = draw(st.sampled_from([None, "Asia/Shanghai"]))
    return Mapping((events, people), currency=draw(st.sampled_from(["$", "¥", "€"])), timezone=zone)


@given(mappings())
def test_yaml_brings_a_mapping_back_as_it_was(mapping: Mapping):
    assert Mapping.from_yaml(mapping.to_yaml()) == mapping
