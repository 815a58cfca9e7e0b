"""The same feature expressions on DuckDB and on a Spark cluster of two workers, equal in every column.

Spark takes an extra (`make test-spark` installs it) and Java 17; without them the tests are left out.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from customers.errors import BadInput
from customers.features import behaviour, kinds, lines
from customers.features.engine import DUCKDB, Engine, connect, export_parquet, write_features
from customers.ingest import parsing
from customers.ingest.clock import to_local
from customers.profiles import summary
from customers.schema import EventKind
from customers.stores.events import create

CLUSTER = "local-cluster[2,1,1024]"
AS_OF = date(2024, 3, 20)
FIRST = datetime(2023, 12, 25)
# For tables this small, Java's and Spark's compilers take longer than they save.
QUICK_START = """
spark.sql.codegen.wholeStage    false
spark.driver.extraJavaOptions   -XX:TieredStopAtLevel=1
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1
"""

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_spark_runs_on_two_workers(engines: tuple[Engine, Engine]) -> None:
    session = engines[1].session
    assert session.sparkContext.master == CLUSTER
    executors = session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1  # less the driver
    assert executors == 2


def test_what_features_start_from_is_the_same(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    for one, other, name in _both(engines, tmp_path, _tables):
        assert one.num_rows > 5, name
        _equal(one, other, name)


def test_every_feature_table_is_the_same(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    wrote = [write_features(engine, str(tmp_path / str(i))) for i, engine in enumerate(engines)]
    assert list(wrote[0]) == list(wrote[1])
    for name, folder in wrote[0].items():
        one, other = _read(Path(folder)), _read(Path(wrote[1][name]))
        assert one.num_rows > 5, name
        _equal(one, other, name)
    # The day is the last purchase's; what came after it is not seen.
    assert set(_read(Path(wrote[1]["customer_features"]))["as_of"].to_pylist()) == {_last_purchase()}
    with pytest.raises(BadInput, match="holds something already"):
        write_features(engines[1], str(tmp_path / "1"))


def test_texts_of_plain_files_are_read_the_same(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    for one, other, name in _both(engines, tmp_path, _parsed):
        _equal(one, other, name)
    read = {row["text"]: row["year_first"] for row in _read(tmp_path / "1" / "times").to_pylist()}
    assert read["2024-02-29T23:59:59"] == datetime(2024, 2, 29, 23, 59, 59)
    assert read["2024-02-30"] is None


@pytest.mark.parametrize(
    ("engine", "source", "words"),
    [
        (CLUSTER, "shop.duckdb", "export-events"),
        ("sparc://host", "events", "is no engine: say duckdb"),
        (DUCKDB, "nowhere", "should hold the folders events, products, names"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, engine: str, source: str, words: str) -> None:
    (tmp_path / "shop.duckdb").touch()
    with pytest.raises(BadInput, match=words) as said, connect(engine, str(tmp_path / source)):
        pass
    assert "\n" not in str(said.value)


def _tables(engine: Engine) -> dict[str, Any]:
    events, products = engine.table("events"), engine.table("products")
    own = lines.own_brand_keys(engine.table("names"))
    bought = lines.purchase_lines(events, products)
    baskets, trips = lines.baskets(bought, own), lines.trips(bought, "category")
    totals = summary.category_totals(bought)
    return {
        "purchase_lines": bought,
        "activity": kinds.activity(events, products),
        "trips": trips,
        "baskets": baskets,
        "baskets_without_own": lines.baskets(bought, []),
        "buyers_after": behaviour.buyers_after(trips, AS_OF - timedelta(days=30), 30),
        "customer_summary": summary.customer_summary(baskets, behaviour.contacts(events, AS_OF), AS_OF),
        "customer_months": summary.customer_months(bought),
        "category_totals": totals,
        "customer_categories": summary.customer_categories(trips, totals, AS_OF),
    }


TEXTS = [
    "", " ", "nan", "无", "12.0", " 12 ", "1,234.50", "1.234,50", "¥5", "(5)", "1e5", "1e400", "abc", "-3", "+.5",
    "٣", "2024-02-29T23:59:59", "2024-02-30", "2024/3/1 7:05", "20240301", "20240301 120000", "01/02/2024",
    "13.2.2024 11:59 pm", "2024年3月1日 下午3时20分", "1709164800", "1709164800000", "-1", "12/31/2024 12:05 AM",
    "2024-01-01T00:00:00+08:00", "2024-01-01 00:00:00-0530", "N/A", "0012.0", "4/5", "4,5 stars", "★★★☆☆", "四星", None,
]  # fmt: skip


def _parsed(engine: Engine) -> dict[str, Any]:
    rows = engine.table("texts")
    text = rows.text
    written = ("epoch-seconds", "epoch-milliseconds", "year-first", "month-first", "day-first")
    return {
        "texts": rows.select("text", filled=parsing.filled(text), id=parsing.identifier(text)),
        "numbers": rows.select(
            "text",
            point=parsing.number(text, "."),
            comma=parsing.number(text, ","),
            offset=parsing.offset_seconds(text),
            stars=parsing.rating(text),
        ),
        "clocks": engine.table("events").select(
            "event_id",
            local=to_local(engine.table("events").ts, "America/New_York", FIRST.date(), date(2024, 4, 5)),
        ),
        "times": rows.select("text", **{w.replace("-", "_"): parsing.time(text, w) for w in written}),
    }


def _both(engines: tuple[Engine, Engine], out: Path, made: Any) -> Iterator[tuple[pa.Table, pa.Table, str]]:
    tables = [made(engine) for engine in engines]
    for name in tables[0]:
        for i, engine in enumerate(engines):
            engine.write(tables[i][name], str(out / str(i) / name))
        yield _read(out / "0" / name), _read(out / "1" / name), name


def _read(folder: Path) -> pa.Table:
    return ds.dataset(folder, format="parquet", exclude_invalid_files=True).to_table()


def _equal(one: pa.Table, other: pa.Table, name: str) -> None:
    """Whole numbers, texts and times exactly; floats to 12 digits, which is what the order of adding costs."""
    types = [[(field.name, field.type) for field in table.schema] for table in (one, other)]
    assert types[0] == types[1], name
    floats = [field.name for field in one.schema if pa.types.is_floating(field.type)]
    keys = [field.name for field in one.schema if field.name not in floats]
    one, other = (table.sort_by([(key, "ascending") for key in keys + floats]) for table in (one, other))
    for key in keys:
        assert one[key].to_pylist() == other[key].to_pylist(), f"{name}.{key}"
    for key in floats:
        assert one[key].is_null().equals(other[key].is_null()), f"{name}.{key}"
        values = (pc.fill_null(table[key], 0.0).to_numpy() for table in (one, other))
        np.testing.assert_allclose(*values, rtol=1e-12, atol=1e-12, err_msg=f"{name}.{key}")


# a shop that has every kind of event, and what engines disagree about: nulls, midnight, ties, signs, weekends
def _products() -> list[dict[str, Any]]:
    named = [(f"p{i}", f"Good {i}", f"C{i % 7}", f"T{i % 13}", f"B{i % 5}") for i in range(40)]
    named += [("bare", "Bare", None, None, None), ("无类", "没有类别", None, None, "B1")]
    columns = ("product_id", "name", "category", "type", "brand")
    return [dict(zip(columns, row, strict=True)) | {"department": "D"} for row in named]


def _events() -> list[dict[str, Any]]:
    chance = random.Random(7)
    goods = [row["product_id"] for row in _products()] + ["unknown", None]
    rows = []
    for number in range(3000):
        kind = chance.choice(list(EventKind))
        day = FIRST + timedelta(days=chance.randrange(100))
        when = day + chance.choice(
            [timedelta(), timedelta(days=1, microseconds=-1), timedelta(seconds=chance.randrange(86400))]
        )
        customer = chance.choice([f"k{chance.randrange(60)}", "客户"])
        paid = chance.choice([None, 0.0, 0.1, 0.2, 0.3, chance.randrange(10_000) / 100])
        rows.append({
            "event_id": str(number), "kind": kind.value, "customer_id": customer, "ts": when,
            "product_id": chance.choice(goods), "quantity": 1.0,
            "amount": None if paid is None else -paid if kind is EventKind.RETURN and number % 2 else paid,
            "discount": chance.choice([None, 0.0, 0.05]),
            "basket_id": chance.choice([None, f"{customer}-{day:%j}"]),
            "store_id": chance.choice([None, "1", "2"]), "campaign_id": chance.choice([None, "a", "b"]),
            "rating": float(chance.randrange(1, 6)) if kind is EventKind.REVIEW and number % 3 else None,
        })  # fmt: skip
    return rows


def _last_purchase() -> date:
    return max(row["ts"] for row in _events() if row["kind"] == "purchase").date()


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    pyspark = pytest.importorskip(
        "pyspark", reason="LEFT OUT: PySpark is not installed; `make test-spark` installs it"
    )
    if shutil.which("java") is None:
        pytest.skip("LEFT OUT: Spark needs Java 17, and none was found")
    scratch = tmp_path_factory.mktemp("spark")
    with create(scratch / "shop.duckdb") as store:
        store.write("events", ibis.memtable(pa.Table.from_pylist(_events())))
        store.write("products", ibis.memtable(pa.Table.from_pylist(_products())))
        names = [
            {"kind": "brand", "key": f"B{i}", "name_en": "Store brand" if i == 1 else None} for i in range(5)
        ]
        store.write_rows("names", names)
    source = scratch / "events"
    export_parquet(scratch / "shop.duckdb", source)
    texts = scratch / "texts.parquet"
    pq.write_table(pa.table({"text": pa.array(TEXTS, pa.string())}), texts)
    (scratch / "spark-defaults.conf").write_text(QUICK_START, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(scratch))
        with connect(DUCKDB, str(source)) as duck, connect(CLUSTER, str(source)) as spark:
            duck.backend.read_parquet(texts, table_name="texts")
            spark.backend.read_parquet(texts, table_name="texts")
            kept = Path(pyspark.__file__).parent / "work" / spark.session.sparkContext.applicationId
            yield duck, spark
    shutil.rmtree(kept, ignore_errors=True)  # the workers' logs
