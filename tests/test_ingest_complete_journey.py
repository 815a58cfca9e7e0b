"""The Complete Journey adapter on a tiny sample with planted dirt and hand-counted answers."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customers.errors import BadInput
from customers.ingest import naming
from customers.ingest.complete_journey import ingest
from customers.ingest.quality import render_markdown, sources
from customers.schema import TABLES
from customers.stores.events import open_store

DAY = datetime(2017, 5, 1, 16, 0)
LINE = {
    "household_id": 1, "store_id": 9, "basket_id": 100, "product_id": 10, "quantity": 1, "sales_value": 2.0,
    "retail_disc": 0.5, "coupon_disc": 0.25, "coupon_match_disc": 0.25, "week": 18,
    "transaction_timestamp": DAY,
}  # fmt: skip
LINES = [
    LINE,
    LINE,  # an exact duplicate
    {**LINE, "basket_id": 101, "quantity": 4, "sales_value": 12.0},
    {**LINE, "basket_id": 102, "quantity": 0, "sales_value": 0.0},
    {**LINE, "basket_id": 103, "product_id": 77},  # not listed
    {**LINE, "basket_id": 104, "product_id": 77, "quantity": 0},  # both; filed under the first
    {**LINE, "basket_id": 105, "product_id": 20, "quantity": 9000},  # fuel
    {**LINE, "basket_id": 106, "product_id": 30},  # coupon
    {**LINE, "basket_id": 107, "household_id": None},
    {
        **LINE,
        "basket_id": 108,
        "transaction_timestamp": datetime(2018, 1, 1, 4, 1, 20),
    },  # still 2017 in New York
    {**LINE, "basket_id": 109, "transaction_timestamp": datetime(2018, 1, 1, 5, 0)},  # 2018 there too
    {**LINE, "basket_id": 110, "product_id": 11, "quantity": 100_000},  # absurd
    {**LINE, "basket_id": 111, "product_id": 11, "household_id": 2, "sales_value": 0.0},
]
PRODUCTS = [
    (10, 5, "GROCERY", "National", "FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY", "1 GA"),
    (11, 69, "GROCERY", "Private", "FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY", None),
    (12, 5, "GROCERY", "National", "FRZN NOVELTY", None, None),
    (20, 1, "FUEL", "National", "FUEL", "GASOLINE-REG UNLEADED", None),
    (30, 1, "COUPON", "National", "COUPON", "COUPON", None),
]
PRODUCT_COLUMNS = (
    "product_id", "manufacturer_id", "department", "brand", "product_category", "product_type",
    "package_size",
)  # fmt: skip


def write(path: Path, rows: list[dict], schema: dict | None = None) -> None:
    table = pa.Table.from_pylist(rows)
    for column, kind in (schema or {}).items():
        table = table.set_column(table.column_names.index(column), column, table[column].cast(kind))
    pq.write_table(table, path)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    where = tmp_path / "sample"
    where.mkdir()
    write(where / "transactions.parquet", LINES)
    write(where / "products.parquet", [dict(zip(PRODUCT_COLUMNS, p, strict=True)) for p in PRODUCTS])
    attributes = (
        "age",
        "income",
        "home_ownership",
        "marital_status",
        "household_size",
        "household_comp",
        "kids_count",
    )
    known = dict.fromkeys(attributes, "x") | {"age": "45-54", "income": None, "home_ownership": "NaN"}
    write(where / "demographics.parquet", [{"household_id": 1, **known}], {"income": pa.string()})
    write(where / "campaigns.parquet", [{"campaign_id": 18, "household_id": h} for h in (1, 2, 2)])
    start, end = datetime(2016, 11, 14), datetime(2017, 1, 16)
    described = {"campaign_id": 18, "campaign_type": "Type A", "start_date": start, "end_date": end}
    write(where / "campaign_descriptions.parquet", [described])
    coupons = [{"coupon_upc": 5, "product_id": p, "campaign_id": 18} for p in (10, 10, 30)]
    write(where / "coupons.parquet", coupons)
    redeemed = {
        "household_id": 1,
        "coupon_upc": 5,
        "campaign_id": 18,
        "redemption_date": datetime(2017, 1, 3),
    }
    write(where / "coupon_redemptions.parquet", [redeemed])
    shown = {"product_id": 10, "store_id": 1, "display_location": "9", "mailer_location": "0", "week": 3}
    promotions = [shown, shown, {**shown, "store_id": 2, "display_location": "0", "mailer_location": "A"}]
    write(where / "promotions.parquet", promotions)
    return where


@pytest.fixture
def store(data_dir: Path, tmp_path: Path):
    out = tmp_path / "store" / "shop.duckdb"
    ingest(data_dir, out)
    opened = open_store(out)
    yield opened
    opened.close()


def ask(store, sql: str) -> list[tuple]:
    return store.backend.con.execute(sql).fetchall()


def test_every_table_has_exactly_the_schemas_columns(store):
    assert store.tables() == set(TABLES)
    for name, columns in TABLES.items():
        assert store.table(name).columns == tuple(columns)


def test_lines_are_kept_or_filed_under_the_first_rule_they_break(store):
    counts = dict(ask(store, "SELECT rule, rows FROM quality WHERE source = 'transactions' AND rows > 0"))
    assert counts == {
        "read": 13, "kept": 4, "missing_customer": 1, "duplicate": 1, "quantity_zero": 2,
        "unknown_product": 1,
        "fuel": 1, "pseudo_product": 1, "outside_period": 1, "absurd_quantity": 1, "utc_clock": 1,
        "past_period": 1, "free": 1,
    }  # fmt: skip
    aside = ask(store, "SELECT rule, row FROM rejected WHERE source = 'transactions'")
    assert len(aside) == 9
    assert json.loads(dict(aside)["fuel"])["quantity"] == 9000


def test_a_row_filed_under_an_earlier_rule_is_still_told_of(store):
    reason = ask(
        store, "SELECT reason_en FROM quality WHERE rule = 'unknown_product' AND source = 'transactions'"
    )
    assert "1 more such rows" in reason[0][0]


def test_kept_and_rejected_add_up_to_what_was_read_in_every_source(store):
    aside = dict(ask(store, "SELECT source, count(*) FROM rejected GROUP BY 1"))
    for row in sources(store):
        assert row.kept + aside.get(row.source, 0) == row.read


def test_purchases_are_local_time_with_amount_and_all_discounts(store):
    rows = ask(
        store,
        "SELECT event_id, ts, quantity, amount, discount FROM events WHERE kind = 'purchase' ORDER BY 1",
    )
    assert rows[0] == ("p100-10", datetime(2017, 5, 1, 12, 0), 1.0, 2.0, 1.0)  # daylight time
    assert rows[2] == ("p108-10", datetime(2017, 12, 31, 23, 1, 20), 1.0, 2.0, 1.0)  # standard time
    shop = ask(store, "SELECT name, currency, first_day, last_day FROM shop")
    assert shop == [("Complete Journey", "$", date(2017, 5, 1), date(2017, 12, 31))]


def test_products_have_readable_names_and_the_median_price_paid(store):
    rows = dict(ask(store, "SELECT product_id, (name, price) FROM products"))
    assert set(rows) == {"10", "11", "12"}
    milk = naming.load_names(Path(naming.__file__).with_name("complete_journey_names.csv"))
    word = milk[("type", "FLUID MILK WHITE ONLY")].en
    assert rows["10"] == (f"{word}, 1 GA", 2.0)  # of 2, 12/4 and 2
    assert rows["11"][0] == f"{word} (private label)"
    assert rows["12"][0]
    assert rows["12"][1] is None


def test_exposures_redemptions_coupons_attributes_and_promotions(store):
    exposures = ask(
        store, "SELECT customer_id, ts, campaign_id FROM events WHERE kind = 'exposure' ORDER BY 1"
    )
    assert exposures == [(h, datetime(2016, 11, 14), "18") for h in ("1", "2")]
    assert ask(store, "SELECT customer_id, text FROM events WHERE kind = 'redemption'") == [("1", "5")]
    assert ask(store, "SELECT name, kind FROM campaigns") == [("Campaign 18", "Type A")]
    assert ask(store, "SELECT product_id FROM campaign_products ORDER BY 1") == [("10",), ("30",)]
    values = dict(ask(store, "SELECT attribute, value FROM attributes"))
    assert values["age"] == "45-54"
    assert "income" not in values
    assert "home_ownership" not in values
    assert ask(store, "SELECT * FROM promotions") == [("10", 3, 1, 1)]


def test_names_cover_every_key_once(store):
    keys = ask(store, "SELECT kind, key FROM names ORDER BY ALL")
    assert len(keys) == len(set(keys))
    assert ("category", "FRZN NOVELTY") in keys
    assert ("attribute_value", "age=45-54") in keys
    assert ("department", "FUEL") not in keys


def test_the_report_names_sources_counts_and_reasons_in_both_languages(store):
    english, chinese = render_markdown(store), render_markdown(store.path, "zh")
    assert "| transactions | 13 | 4 | 9 | 69.23% |" in english
    assert "fuel, sold by the unit" in english
    assert "燃油" in chinese


def test_two_runs_write_the_same(store, data_dir: Path, tmp_path: Path):
    ingest(data_dir, tmp_path / "again.duckdb")
    again = open_store(tmp_path / "again.duckdb")
    for name in TABLES:
        assert ask(store, f"FROM {name} ORDER BY ALL") == ask(again, f"FROM {name} ORDER BY ALL")
    again.close()


@pytest.mark.parametrize("broken", ["missing", "garbage", "column"])
def test_a_bad_file_is_named_and_leaves_the_old_store_whole(broken: str, data_dir: Path, tmp_path: Path):
    out = tmp_path / "shop.duckdb"
    out.write_bytes(before := b"the store that stood here before")
    path = data_dir / "coupons.parquet"
    if broken == "missing":
        path.unlink()
    elif broken == "garbage":
        path.write_bytes(b"PAR1 not really")
    else:
        write(path, [{"coupon_upc": 1, "campaign_id": 2}])
    with pytest.raises(BadInput, match=r"coupons\.parquet") as error:
        ingest(data_dir, out)
    assert "\n" not in str(error.value)
    assert out.read_bytes() == before
    left = {p.name for p in tmp_path.iterdir() if p.is_file()} - {"shop.duckdb.lock"}  # the lock stays
    assert left == {"shop.duckdb"}


def test_no_directory_is_bad_input(tmp_path: Path):
    with pytest.raises(BadInput, match="no such directory"):
        ingest(tmp_path / "nowhere", tmp_path / "out.duckdb")
