"""Connections to databases: DuckDB by its own library, every other engine through SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import duckdb
import sqlalchemy
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection

from customers.errors import BadInput
from customers.ingest.database import BATCH_ROWS, Reader, TableOf, engine_errors, masked
from customers.ingest.database_values import as_text

# Engine, as people write it -> SQLAlchemy's name with the driver that the extra `db` installs.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_CONNECT_SECONDS = 10


@contextmanager
def connect(url: str) -> Iterator[Reader]:
    """Open a database to read it. Raises BadInput, the password masked, where that cannot be."""
    scheme, _, place = url.partition("://")
    if scheme.lower() == "duckdb":
        with _duckdb(url, Path(unquote(place.split("?", 1)[0].removeprefix("/")))) as reader:
            yield reader
        return
    engine = _engine(url)
    try:
        with engine_errors(url, (exc.SQLAlchemyError,)):
            connection = engine.connect()
        with connection:
            yield _Sql(url, _reading_only(url, connection))
    finally:
        engine.dispose()


def _engine(url: str) -> sqlalchemy.Engine:
    try:
        parsed = sqlalchemy.make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername.lower(), parsed.drivername))
        if parsed.get_backend_name() == "sqlite":
            return sqlalchemy.create_engine("sqlite://", creator=_sqlite(url, parsed))
        known = parsed.get_backend_name() in ("postgresql", "mysql", "mariadb")
        waits = known and "connect_timeout" not in parsed.query
        return sqlalchemy.create_engine(
            parsed, connect_args={"connect_timeout": _CONNECT_SECONDS} if waits else {}
        )
    except ModuleNotFoundError as error:
        raise BadInput(
            f"{masked(url)}: the driver {error.name} is not installed; "
            f"run `pip install {_package(url, str(error.name))}`"
        ) from None
    except exc.NoSuchModuleError:
        raise BadInput(
            f"{masked(url)}: {url.partition('://')[0]!r} is no kind of database that is known; write postgresql, "
            "mysql, sqlite, duckdb, or another that SQLAlchemy has a dialect for"
        ) from None
    except (exc.ArgumentError, ValueError, TypeError):
        raise BadInput(
            f"{masked(url)}: not a sound connection string; write for example "
            "postgresql://user:password@host:5432/database, special signs of the password as %40 (@), %3A (:)"
        ) from None


def _package(url: str, module: str) -> str:
    scheme = url.partition("://")[0].lower()
    return "'shopkeeper[db]'" if scheme in _DRIVERS or module in ("psycopg", "pymysql") else module


def _sqlite(url: str, parsed: URL) -> Any:
    """How to open an SQLite file that is there, to read only; texts in GB18030 are understood."""
    path = Path(parsed.database or "")
    if not path.is_file():
        raise BadInput(f"{masked(url)}: there is no file {str(path)!r}; check the path")

    def open_file() -> sqlite3.Connection:
        place = f"file:{quote(str(path.absolute()))}?mode=ro"
        connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        connection.text_factory = as_text
        return connection

    return open_file


def _reading_only(url: str, connection: Connection) -> Connection:
    """Make the connection's transactions read-only, each of one moment, where the engine can."""
    with engine_errors(url, (exc.SQLAlchemyError,)):
        if connection.dialect.name == "postgresql":
            return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        if connection.dialect.name in ("mysql", "mariadb"):
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.rollback()
        return connection


class _Sql(Reader):
    """Any engine that SQLAlchemy speaks."""

    def __init__(self, url: str, connection: Connection) -> None:
        self._url, self._connection = url, connection

    def tables(self) -> list[str]:
        with self._errors():
            return sorted(sqlalchemy.inspect(self._connection).get_table_names())

    def quoted(self, name: str) -> str:
        return self._connection.dialect.identifier_preparer.quote(name)

    def columns(self, wanted: TableOf) -> list[str]:
        with self._errors():
            if wanted.table is not None:
                self._require_table(wanted)
            result = self._connection.execute(_select(wanted).limit(0))
            with result:
                return list(result.keys())

    def _require_table(self, wanted: TableOf) -> None:
        inspector = sqlalchemy.inspect(self._connection)
        if not inspector.has_table(str(wanted.table), schema=wanted.schema):
            have = [*inspector.get_table_names(wanted.schema), *inspector.get_view_names(wanted.schema)]
            raise BadInput(_no_table(self._url, wanted, have))

    def rows(
        self, wanted: TableOf, since: tuple[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        query = _select(wanted)
        if since is not None:
            query = query.where(sqlalchemy.column(since[0]) >= since[1])
        if limit is not None:
            query = query.limit(limit)
        with self._errors():
            streamed = self._connection.execution_options(stream_results=True, yield_per=BATCH_ROWS)
            with streamed.execute(query) as result:
                for batch in result.partitions():
                    yield [tuple(row) for row in batch]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with engine_errors(self._url, (exc.SQLAlchemyError, sqlite3.Error)):
                yield
        except BadInput:
            self._connection.rollback()  # so that the next table can be read
            raise


def _select(wanted: TableOf) -> sqlalchemy.Select[Any]:
    every = sqlalchemy.select(sqlalchemy.text("*"))
    if wanted.query is not None:
        query = wanted.query.replace(":", "\\:")  # a colon of the query's own, no parameter of ours
        return every.select_from(sqlalchemy.text(f"({query}) AS shopkeeper_rows"))
    return every.select_from(sqlalchemy.table(str(wanted.table), schema=wanted.schema))


def _no_table(url: str, wanted: TableOf, have: list[str]) -> str:
    place = f" in {wanted.schema}" if wanted.schema else ""
    told = f"it has {', '.join(sorted(have))}" if have else "it has none"
    return f"{masked(url)}: no table {wanted.table!r}{place}; {told}"


@contextmanager
def _duckdb(url: str, path: Path) -> Iterator[Reader]:
    if not path.is_file():
        raise BadInput(f"{masked(url)}: there is no file {str(path)!r}; check the path")
    with engine_errors(url, (duckdb.Error,)):
        connection = duckdb.connect(str(path), read_only=True)
    with connection:
        yield _Duck(url, connection)


class _Duck(Reader):
    """A DuckDB file."""

    def __init__(self, url: str, connection: duckdb.DuckDBPyConnection) -> None:
        self._url, self._connection = url, connection

    def tables(self) -> list[str]:
        found = self._names("duckdb_tables() WHERE NOT internal AND schema_name = current_schema()")
        return sorted(found)

    def _names(self, source: str) -> list[str]:
        column = "table_name" if source.startswith("duckdb_tables") else "view_name"
        return [name for (name,) in self._connection.execute(f"SELECT {column} FROM {source}").fetchall()]

    def quoted(self, name: str) -> str:
        return _quoted(name)

    def columns(self, wanted: TableOf) -> list[str]:
        with engine_errors(self._url, (duckdb.Error,)):
            try:
                found = self._connection.execute(f"SELECT * FROM {_source(wanted)} LIMIT 0").description
            except duckdb.CatalogException as error:
                if wanted.table is None:
                    raise
                have = [*self.tables(), *self._names("duckdb_views() WHERE NOT internal")]
                raise BadInput(_no_table(self._url, wanted, have)) from error
        return [column[0] for column in found or []]

    def rows(
        self, wanted: TableOf, since: tuple[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        where = f" WHERE {_quoted(since[0])} >= ?" if since is not None else ""
        most = f" LIMIT {limit}" if limit is not None else ""
        with engine_errors(self._url, (duckdb.Error,)):
            cursor = self._connection.cursor()
            cursor.execute(
                f"SELECT * FROM {_source(wanted)}{where}{most}", [since[1]] if since is not None else []
            )
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield batch


def _source(wanted: TableOf) -> str:
    if wanted.query is not None:
        return f"({wanted.query})"
    return ".".join(_quoted(part) for part in (wanted.schema, wanted.table) if part)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
