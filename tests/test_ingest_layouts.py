"""The layouts that shops really have, loaded as they are: three files, Chinese exports, odd values."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import duckdb
import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from customers.errors import BadInput
from customers.ingest import headers, parsing, remembered
from customers.ingest.file_mapping import FileMapping
from customers.ingest.guessing import guess_file
from customers.ingest.mapping import Mapping, guess_mapping
from customers.ingest.reading import Sample
from customers.pipeline import STORE
from customers.schema import EventKind

DATA = Path(__file__).parent / "data" / "three-files"


def load(shop: Path, *arguments: str | Path) -> None:
    assert cli.main(["data", *map(str, arguments), "--yes", "--shop", str(shop)]) == 0


def ask(shop: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(shop / STORE), read_only=True) as con:
        return con.execute(sql).fetchall()


def guess(name: str, header: str, *rows: str) -> FileMapping:
    """What a file of that name, header and rows is taken for; | separates. (Nothing is opened.)"""
    body = tuple(tuple(row.split("|")) for row in rows or ("|".join("x" for _ in header.split("|")),))
    return guess_file(Sample(Path(name).with_suffix(".parquet"), tuple(header.split("|")), body))


# Whole layouts ------------------------------------------------------------------------------
def test_the_three_file_layout_loads_as_it_is(tmp_path: Path):
    load(tmp_path / "shop", DATA)
    assert ask(
        tmp_path / "shop",
        "SELECT kind, customer_id, product_id, CAST(ts AS VARCHAR), quantity, amount, rating, text FROM events ORDER BY ts",
    ) == [
        ("browse", "u1", "p1", "2024-03-01 10:00:00", None, None, None, None),
        ("browse", "u1", "p2", "2024-03-01 10:02:00", None, None, None, None),
        ("purchase", "u1", "p1", "2024-03-01 10:05:00", 2.0, 25.0, None, None),
        ("browse", "u2", "p1", "2024-03-02 09:30:00", None, None, None, None),
        ("purchase", "u2", "p1", "2024-03-02 09:45:00", 1.0, 12.5, None, None),
        ("browse", "u3", "p3", "2024-03-03 20:15:30", None, None, None, None),
        ("purchase", "u3", "p3", "2024-03-04 08:00:00", 1.0, 1299.0, None, None),
        ("review", "u1", "p1", "2024-03-05 12:00:00", None, None, 5.0, "Lovely, fresh tea"),
        ("review", "u2", "p1", "2024-03-06 21:10:00", None, None, 4.0, "味道不错"),
        ("review", "u3", "p3", "2024-03-07 07:00:00", None, None, 2.0, "Broke after\none day"),
    ]
    assert ask(tmp_path / "shop", "SELECT currency FROM shop") == [("¥",)]


CHINESE = {
    "用户浏览.csv": "用户编号,商品编号,浏览时间,浏览时长\nu1,p1,2024年3月1日 10:00,35\n",
    "购买记录.csv": "用户编号,商品编号,购买时间,价格,数量,支付金额\nu1,p1,2024/3/1 10:05,￥12.50,2,25元\n",
    "商品评价.csv": "用户编号,商品编号,评分,评价内容,评价时间\nu1,p1,4星,味道不错,2024-03-05 下午 1:30\n",
    "搜索日志.csv": "用户编号,搜索词,搜索时间\nu1,绿茶,1709258400\nu2,咖啡,1709258460\n",
    "客服工单.csv": "用户编号,标题,正文,提交时间\nu1,退款,什么时候到账?,2024-03-06 09:00\n",
}


def test_chinese_files_in_gb18030_load_as_they_are(tmp_path: Path):
    folder = tmp_path / "导出"
    folder.mkdir()
    for name, text in CHINESE.items():
        (folder / name).write_bytes(text.encode("gb18030"))
    load(tmp_path / "shop", folder)
    assert ask(
        tmp_path / "shop", "SELECT kind, CAST(ts AS VARCHAR), amount, rating, text FROM events ORDER BY ts, customer_id"
    ) == [
        ("search", "2024-03-01 02:00:00", None, None, "绿茶"),
        ("search", "2024-03-01 02:01:00", None, None, "咖啡"),
        ("browse", "2024-03-01 10:00:00", None, None, None),
        ("purchase", "2024-03-01 10:05:00", 25.0, None, None),
        ("review", "2024-03-05 13:30:00", None, 4.0, "味道不错"),
        ("inquiry", "2024-03-06 09:00:00", None, None, "退款\n什么时候到账?"),
    ]  # fmt: skip


def test_absolute_times_of_chinese_files_become_chinas(tmp_path: Path):
    path = tmp_path / "浏览.csv"
    path.write_text(
        "用户编号,商品编号,浏览时间\nu1,p1,2024-03-01T02:00:00Z\nu2,p1,2024-03-01T11:00:00+09:00\n",
        encoding="utf-8",
    )
    assert guess_mapping([path]).timezone == "Asia/Shanghai"
    load(tmp_path / "shop", path)
    assert ask(tmp_path / "shop", "SELECT DISTINCT ts FROM events") == [(datetime(2024, 3, 1, 10),)]


def test_a_file_without_times_is_taken_as_of_the_day_it_was_written_and_says_so(tmp_path: Path):
    path = tmp_path / "user_review_data.csv"
    path.write_text("user_id,product_id,rating,review_text\nu1,p1,5,good\nu2,p1,1,bad\n", encoding="utf-8")
    at = datetime(2024, 3, 9, 15).timestamp()

    os.utime(path, (at, at))
    mapping = guess_mapping([path])
    assert mapping.files[0].at == "2024-03-09"
    assert "all taken as of 2024-03-09" in mapping.table()
    assert Mapping.from_yaml(mapping.to_yaml()) == mapping
    load(tmp_path / "shop", path)
    assert ask(tmp_path / "shop", "SELECT DISTINCT ts FROM events") == [(datetime(2024, 3, 9),)]
    assert ask(tmp_path / "shop", "SELECT rows FROM quality WHERE rule = 'time_assumed'") == [(2,)]


def test_a_review_of_the_shop_needs_no_product(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("user_id,stars,comment,date\nu1,3,slow,2024-03-01\n", encoding="utf-8")
    load(tmp_path / "shop", path)
    assert ask(tmp_path / "shop", "SELECT kind, product_id, rating, text FROM events") == [
        ("review", None, 3.0, "slow")
    ]


# The saved mapping --------------------------------------------------------------------------
def test_the_mapping_used_is_kept_and_used_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    shop, path, mapping = tmp_path / "shop", tmp_path / "orders.csv", tmp_path / "m.yaml"
    path.write_text("who,when,what,n\nu1,01/02/2024,p1,1\n", encoding="utf-8")
    with pytest.raises(BadInput):
        guess_mapping([path])
    mapping.write_text(
        "currency: €\nfiles:\n- {path: orders.csv, table: events, kind: purchase, time: day-first, "
        "columns: {customer_id: who, ts: when, product_id: what}, left_out: [n]}\n",
        encoding="utf-8",
    )
    load(shop, path, "--mapping", mapping)
    path.write_text("n,who,when,what\n1,u2,03/02/2024,p1\n", encoding="utf-8")
    capfd.readouterr()
    load(shop, path)
    assert (
        "orders.csv: events (every row is of kind purchase; times day-first; decimal sign .), as before"
        in capfd.readouterr().err
    )
    assert ask(shop, "SELECT customer_id, CAST(ts AS DATE)::VARCHAR FROM events ORDER BY 1") == [
        ("u1", "2024-02-01"), ("u2", "2024-02-03"),
    ]  # fmt: skip
    kept = remembered.read(shop / STORE)
    assert kept is not None
    assert kept.currency == "€"
    assert [entry.path for entry in kept.files] == ["orders.csv"]


def test_a_file_whose_columns_changed_is_guessed_anew(tmp_path: Path):
    store = tmp_path / "shop.duckdb"
    store.touch()
    path = tmp_path / "returns.csv"
    path.write_text("user_id,product_id,return_date\nu1,p1,2024-01-01\n", encoding="utf-8")
    remembered.remember(guess_mapping([path]), store)
    assert remembered.recall([path], store)[1] == {"returns.csv"}
    path.write_text("user_id,product_id,return_date,reason\nu1,p1,2024-01-01,x\n", encoding="utf-8")
    mapping, before = remembered.recall([path], store)
    assert before == frozenset()
    assert mapping.files[0].left_out == ("reason",)


# Guesses ------------------------------------------------------------------------------------
BY_NAME = {
    EventKind.BROWSE: ("user_browse_data.csv", "page_views.csv", "浏览记录.csv", "访问日志.csv"),
    EventKind.CLICK: ("clicks.csv", "user_click_log.csv", "点击日志.csv"),
    EventKind.SEARCH: ("search_log.csv", "queries.csv", "搜索记录.csv"),
    EventKind.CART: ("add_to_cart.csv", "cart_events.csv", "加购.csv"),
    EventKind.PURCHASE: ("user_purchase_data.csv", "orders.csv", "购买记录.csv", "订单.csv"),
    EventKind.RETURN: ("returns.csv", "refund_list.csv", "退货单.csv"),
    EventKind.REVIEW: ("user_review_data.csv", "product_ratings.csv", "商品评价.csv"),
    EventKind.INQUIRY: ("inquiries.csv", "support_tickets.csv", "客服咨询.csv"),
    EventKind.EXPOSURE: ("ad_impressions.csv", "exposures.csv", "曝光.csv"),
    EventKind.REDEMPTION: ("coupon_redemptions.csv", "核销记录.csv"),
}


@pytest.mark.parametrize(("name", "kind"), [(n, k) for k, names in BY_NAME.items() for n in names])
def test_a_files_name_tells_its_kind(name: str, kind: EventKind):
    entry = guess(name, "user_id|time|product_id|campaign_id")
    assert (entry.table, entry.kind) == ("events", kind.value)


BY_HEADER = {
    EventKind.BROWSE: ("user_id|product_id|browse_time", "uid|item_id|page_url|timestamp", "用户编号|商品编号|浏览时间"),
    EventKind.CLICK: ("user_id|product_id|click_time", "用户编号|商品编号|点击时间"),
    EventKind.SEARCH: ("user_id|query|time", "user_id|search_keyword|created_at", "用户编号|搜索词|时间"),
    EventKind.CART: ("user_id|product_id|added_at", "user_id|sku|add_time|quantity", "用户编号|商品编号|加购时间|数量"),
    EventKind.PURCHASE: ("user_id|product_id|purchase_time|price|quantity", "会员号|商品编码|下单时间|金额"),
    EventKind.RETURN: ("user_id|product_id|return_date|quantity", "customer|sku|date|refund_amount", "用户编号|商品编号|退货时间|退款金额"),
    EventKind.REVIEW: ("user_id|product_id|rating|review_text|review_time", "用户编号|评分|评价内容|评价时间"),
    EventKind.INQUIRY: ("customer_id|subject|body|created_at", "用户编号|咨询内容|咨询时间"),
    EventKind.EXPOSURE: ("user_id|campaign_id|exposure_time", "user_id|campaign|sent_at", "用户编号|活动编号|曝光时间"),
    EventKind.REDEMPTION: ("user_id|coupon_id|redeemed_at", "用户编号|优惠券编号|核销时间"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "kind"), [(h, k) for k, hs in BY_HEADER.items() for h in hs])
def test_headers_tell_the_kind_where_the_name_does_not(header: str, kind: EventKind):
    entry = guess("export.csv", header)
    assert (entry.table, entry.kind) == ("events", kind.value)
    assert {"customer_id", "ts"} <= set(entry.columns)


def test_a_returns_own_date_is_taken_before_the_orders():
    assert guess("export.csv", "user_id|sku|order_date|return_date|quantity").columns["ts"] == "return_date"


def test_a_subject_and_its_body_are_one_text():
    entry = guess("tickets.csv", "ticket_id|customer_id|Body|Subject|created_at|status")
    assert (entry.columns["text"], entry.more_text) == ("Subject", ("Body",))
    assert entry.left_out == ("status",)
    review = guess("reviews.csv", "user_id|product_id|title|text|date|rating")
    assert (review.columns["text"], review.more_text) == ("title", ("text",))
    assert "name" not in review.columns


def test_an_id_by_itself_is_the_key_of_a_list_of_products_or_customers():
    assert guess("products.csv", "id|name|price").columns["product_id"] == "id"
    assert guess("members.csv", "ID|city").columns["customer_id"] == "ID"
    with pytest.raises(BadInput):
        guess("things.csv", "id|name|price")


@st.composite
def files_of(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A file's name and columns that are known, in English or Chinese."""
    kind = draw(st.sampled_from(list(EventKind)))
    fields = ["customer_id", "product_id", "text", "rating", "quantity", "campaign_id", "basket_id"]
    chosen = draw(st.lists(st.sampled_from(fields[1:]), max_size=4, unique=True))
    words = [draw(st.sampled_from(headers.FIELDS[field])) for field in ["customer_id", *chosen]]
    words.append(draw(st.sampled_from(headers.OWN_TIMES[kind])))
    unique = {headers.plain(word): word for word in [*words, "colour", "note 7"]}
    name = draw(st.sampled_from(["export.csv", *BY_NAME[kind]]))
    return name, list(unique.values())


@given(files_of(), st.data())
def test_order_and_capitals_of_headers_make_no_difference(file: tuple[str, list[str]], data: st.DataObject):
    name, columns = file
    spell = st.sampled_from(
        [str.upper, str.title, str.lower, lambda w: w.replace(" ", "_"), lambda w: w.title().replace(" ", "")]
    )
    spelled = {data.draw(spell)(column): column for column in columns}
    shuffled = data.draw(st.permutations(list(spelled)))
    before, after = _meaning(name, columns), _meaning(name, shuffled)
    assert before == after


def _meaning(name: str, columns: list[str]) -> object:
    """A guess with its columns as `plain` has them; the reason's first words where there is none."""
    try:
        entry = guess(name, "|".join(columns))
    except BadInput as error:
        return str(error).split(" among ")[0]
    plain = {field: headers.plain(column) for field, column in entry.columns.items()}
    more, left = map(headers.plain, entry.more_text), map(headers.plain, entry.left_out)
    return entry.table, entry.kind, plain, list(more), sorted(left)


# Values -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ("4", 4.0), ("4.5", 4.5), ("4 stars", 4.0), ("3 Stars!", 3.0), ("4/5", 4.0), ("4 out of 5 stars", 4.0),
        ("评分:4星", 4.0), ("5分", 5.0), ("四星", 4.0), ("five stars", 5.0), ("★★★★☆", 4.0), ("4,5", 4.5),
        ("bad", None), ("", None), ("2024-01-01", None), ("abc4", None), ("N/A", None), ("-1", -1.0),
    ],
)  # fmt: skip
def test_ratings_are_read_in_the_ways_they_are_written(text: str, stars: float | None):
    rows = ibis.memtable({"text": [text]})
    (found,) = rows.select(stars=parsing.rating(rows.text)).to_pyarrow()["stars"].to_pylist()
    assert found == stars


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0, 100).map(lambda x: round(x, 2)),
    st.sampled_from(["{}", "{} stars", "{}/100", "评分:{}", "{}分"]),
)
def test_a_rating_is_the_number_that_was_written(stars: float, written: str):
    rows = ibis.memtable({"text": [written.format(stars)]})
    (found,) = rows.select(stars=parsing.rating(rows.text)).to_pyarrow()["stars"].to_pylist()
    assert found == stars


def test_the_rejected_row_of_an_inquiry_keeps_its_text(tmp_path: Path):
    path = tmp_path / "inquiries.csv"
    path.write_text(
        "customer,subject,body,date\nu1,Late,Where is it?,2024-03-01\nu2,Refund,When?,not a day\n",
        encoding="utf-8",
    )
    load(tmp_path / "shop", path)
    assert ask(tmp_path / "shop", "SELECT text FROM events") == [("Late\nWhere is it?",)]
    ((row,),) = ask(tmp_path / "shop", "SELECT row FROM rejected")
    assert json.loads(row)["subject"] == "Refund"
