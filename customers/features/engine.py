"""Where the feature expressions run: DuckDB in this process, or a Spark cluster, chosen by a setting.

    duckdb                                   this machine, out of core (the default)
    spark://host:7077, yarn, k8s://...       a Spark cluster, named by its master
    local[4], local-cluster[2,1,1024]        Spark on this machine, for trying it out
    spark                                    the session that spark-submit has made

The events come from a shop's store, or from a folder (or URL) of Parquet that `export_parquet` wrote.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from customers.errors import BadInput
from customers.features.kinds import last_day
from customers.features.lines import own_brand_keys
from customers.features.tables import feature_tables
from customers.stores.events import MEMORY, open_store

DUCKDB = "duckdb"
SUBMITTED = "spark"
SOURCES = ("events", "products", "names")
_MASTER = re.compile(r"spark://\S+|yarn|k8s://\S+|local(\[[\d*,]+\])?|local-cluster\[\d+,\d+,\d+\]")
# Spark on this machine: no page, no door to the network, few partitions.
_SMALL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
}
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Engine:
    """`backend` is the Ibis connection, which has the tables `SOURCES`; `session` Spark's, if it is Spark."""

    backend: Any
    session: Any = None

    def table(self, name: str) -> ir.Table:
        """One of `SOURCES`."""
        return self.backend.table(name)

    def hold(self, rows: ir.Table) -> ir.Table:
        """Compute `rows` once for this connection: spilled to disk by DuckDB, kept by Spark's workers."""
        name = f"held_{uuid.uuid4().hex}"
        if self.session is None:
            return self.backend.create_table(name, rows, temp=True)
        self.session.sql(self.backend.compile(rows)).cache().createTempView(name)
        return self.backend.table(name)

    def write(self, rows: ir.Table, folder: str) -> None:
        """Compute `rows` into a new folder (or URL) of Parquet files, on Spark by all workers at once.

        Columns get the types that the expression tells; engines count in narrower or wider ones."""
        if self.session is None:
            Path(folder).mkdir(parents=True)
            file = str(Path(folder) / "part-0.parquet").replace("'", "''")
            kind = self.backend.compiler.type_mapper.to_string
            columns = ", ".join(
                f'CAST("{name}" AS {kind(t)}) AS "{name}"' for name, t in rows.schema().items()
            )
            self.backend.con.execute(
                f"COPY (SELECT {columns} FROM ({self.backend.compile(rows)})) TO '{file}' (FORMAT parquet)"
            )
            return
        from ibis.backends.pyspark.datatypes import PySparkType

        found = self.session.sql(self.backend.compile(rows))
        columns = [
            found[name].cast("timestamp_ntz" if kind.is_timestamp() else PySparkType.from_ibis(kind))
            for name, kind in rows.schema().items()
        ]
        try:
            found.select(*columns).write.parquet(_spark_path(folder))
        except Exception as error:
            if "PATH_ALREADY_EXISTS" in str(error):
                raise BadInput(f"{folder} is there already; name a new folder") from error
            if type(error).__name__ == "Py4JJavaError":  # the cluster's fault or the place's, not the query's
                raise BadInput(f"Spark could not compute and write {folder}: {_first_line(error)}") from error
            raise


@contextmanager
def connect(engine: str, source: str) -> Iterator[Engine]:
    """Open `source` (a store's file, or a folder or URL of Parquet) on an engine.

    Raises BadInput for an engine that is not known or cannot be started, and for a source that it
    cannot read."""
    opened = Engine(_duckdb(source)) if engine == DUCKDB else _spark(engine, source)
    try:
        yield opened
    finally:
        opened.backend.disconnect()


def export_parquet(store: Path, folder: Path) -> None:
    """Write the tables that features start from as `events/`, `products/`, `names/` of Parquet.

    Raises BadInput where the folder holds anything already, NotBuilt where there is no store."""
    _require_new(folder)
    opened = open_store(store)
    try:
        with _whole(folder) as partial:
            for name in SOURCES:
                (partial / name).mkdir()
                opened.table(name).to_parquet(partial / name / "part-0.parquet")
    finally:
        opened.close()


def write_features(engine: Engine, out: str, as_of: date | None = None) -> dict[str, str]:
    """Compute every feature table as of a day (the last purchase's without one) into `out`/NAME.

    Returns name -> where it lies. Raises BadInput where `out` is taken, or nothing was bought."""
    day = as_of or last_day(engine.table("events"))
    if day is None:
        raise BadInput("the events hold no purchase; bring purchase events in with `shopkeeper data`")
    own = own_brand_keys(engine.table("names"))
    made = feature_tables(engine.table("events"), engine.table("products"), own, day, engine.hold)
    if _URL.match(out):
        for name, rows in made.items():
            engine.write(rows, f"{out.rstrip('/')}/{name}")
    else:
        _require_new(Path(out))
        with _whole(Path(out)) as partial:
            for name, rows in made.items():
                engine.write(rows, str(partial / name))
    return {name: f"{out.rstrip('/')}/{name}" for name in made}


def _duckdb(source: str) -> Any:
    path = Path(source)
    if path.is_file():
        return open_store(path).backend
    backend = ibis.duckdb.connect(memory_limit=MEMORY)
    try:
        for name in SOURCES:
            backend.read_parquet(f"{source.rstrip('/')}/{name}/*.parquet", table_name=name)
    except duckdb.Error as error:
        backend.disconnect()
        raise BadInput(_unreadable(source, error)) from error
    return backend


def _spark(engine: str, source: str) -> Engine:
    if engine != SUBMITTED and not _MASTER.fullmatch(engine):
        raise BadInput(
            f"{engine!r} is no engine: say duckdb, spark (under spark-submit), or a Spark master such as "
            "spark://host:7077, yarn, k8s://https://host:6443 or local-cluster[2,1,1024]"
        )
    if Path(source).is_file():
        raise BadInput(
            f"Spark reads Parquet, not {source}: run `shopkeeper export-events DIR` into a folder that all "
            "workers see, and pass --events DIR"
        )
    session = _session(engine)
    backend = ibis.pyspark.connect(session)
    try:
        for name in SOURCES:
            backend.read_parquet(_spark_path(f"{source.rstrip('/')}/{name}"), table_name=name)
    except Exception as error:  # Spark's errors have no common base that imports without it
        session.stop()
        raise BadInput(_unreadable(source, error)) from error
    return Engine(backend, session)


def _session(engine: str) -> Any:
    try:
        builder = import_module("pyspark.sql").SparkSession.builder.appName("shopkeeper")
    except ImportError as error:
        raise BadInput(
            f"the engine {engine} needs PySpark: install it with `pip install 'shopkeeper[spark]'`"
        ) from error
    if engine != SUBMITTED:
        builder = builder.master(engine)
    if engine.startswith("local"):
        for name, value in _SMALL.items():
            builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise BadInput(
            f"Spark could not be started as {engine}: it needs Java 17 and a master that answers "
            f"({_first_line(error)})"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    # Times are the shop's own clock, without a zone: read and written as they stand.
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def _spark_path(path: str) -> str:
    return path if _URL.match(path) else Path(path).absolute().as_uri()


def _require_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} holds something already; name a new folder")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its name when the block ends well, and goes when it does not."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except (OSError, duckdb.IOException) as error:
        raise BadInput(f"{folder} could not be written: {_first_line(error)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unreadable(source: str, error: Exception) -> str:
    return (
        f"{source} cannot be read: it should hold the folders {', '.join(SOURCES)} of Parquet that "
        f"`shopkeeper export-events` writes ({_first_line(error)})"
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[1] if lines[0].startswith("An error occurred while calling") and len(lines) > 1 else lines[0]
