"""Tables of a database brought into Parquet files, to be read like any other file.

Only reading: the connection is read-only where the engine has such a thing. Rows are streamed, so a
table may be larger than memory. The password of the connection string is never part of a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from customers.errors import BadInput
from customers.ingest import incremental
from customers.ingest.database_orders import join_orders
from customers.ingest.database_values import as_text
from customers.ingest.guessing import guess_file
from customers.ingest.reading import SAMPLE_ROWS, Sample
from customers.ports import Progress

BATCH_ROWS = 10_000
_QUERY = re.compile(r"^(?P<name>[^\s=.]+)=\s*(?P<sql>(select|with)\b.*)$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class TableOf:
    """A table to be read, or a query under a name; `name` is also the name of its file."""

    name: str
    table: str | None = None
    schema: str | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read: a Parquet file a table that has rows; tables left out, with the reason;
    and the highest values to read on from next time (see `incremental`)."""

    files: tuple[Path, ...]
    rows: dict[str, int]
    left_out: dict[str, str]
    marks: dict[str, dict[str, str]]


class Reader:
    """An open connection to a database; see `database_engines`. Errors of the engine come out as BadInput."""

    def tables(self) -> list[str]:
        """Return the names of the tables (not the views) that a connection sees first."""
        raise NotImplementedError

    def quoted(self, name: str) -> str:
        """Return a name as the engine's SQL has it."""
        raise NotImplementedError

    def columns(self, wanted: TableOf) -> list[str]:
        """Return the columns of a table or query, in order."""
        raise NotImplementedError

    def rows(
        self, wanted: TableOf, since: tuple[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield batches of rows; with `since` (column, value) only those at or above the value."""
        raise NotImplementedError


def is_connection(source: str) -> bool:
    """Whether a source is a connection string rather than a path."""
    return "://" in source


def masked(url: str) -> str:
    """Return a connection string without its password, nor anything after a question mark."""
    scheme, _, rest = url.partition("://")
    user, host = _halves(rest)
    shown = f"{user.split(':', 1)[0]}:***@" if ":" in user else f"{user}@" if user else ""
    return f"{scheme}://{shown}{host.split('?', 1)[0]}"


def _halves(rest: str) -> tuple[str, str]:
    """What stands before and after the last @ of a place; a password may hold a question mark."""
    before, at, _ = rest.partition("?")[0].rpartition("@")
    if not at:
        before, at, _ = rest.rpartition("@") if ":" in rest.partition("@")[0] else ("", "", rest)
    return before, rest[len(before) + len(at) :]


def fetch(
    url: str,
    tables: Sequence[str],
    scratch: Path,
    progress: Progress | None = None,
    *,
    since: str | None = None,
    marks: Mapping[str, Mapping[str, str]] | None = None,
) -> Fetched:
    """Read tables of the database at `url` into Parquet files in the directory `scratch`.

    `tables` names them ("orders", "sales.orders", or "NAME=SELECT ..."); without any, every table
    that can be understood as events, products or customers is read. `since` is a column: of a table
    that has it, only rows from a little below the value in `marks` on are read. Raises BadInput
    where the database cannot be reached or read, or holds nothing to read.
    """
    from customers.ingest.database_engines import connect

    marks = marks or {}
    with connect(url) as reader:
        named = [_wanted(name) for name in tables]
        _require_distinct(named)
        chosen, left_out = (named, {}) if named else _understood(reader, url)
        if since is not None and not any(since in reader.columns(wanted) for wanted in chosen):
            raise BadInput(f"{masked(url)}: no table that is read has a column {since!r}; check --since")
        files, counts, found = [], {}, dict(marks)
        for wanted in chosen:
            if progress is not None:
                progress.stage(f"Reading table {wanted.name}")
            key = incremental.key(masked(url), wanted.name, since)
            path = scratch / f"{wanted.name}.parquet"
            highest = incremental.Highest(since, marks.get(key))
            counts[wanted.name] = _write(reader, wanted, path, highest, progress)
            if counts[wanted.name]:
                files.append(path)
            else:
                path.unlink()
            if (mark := highest.mark()) is not None:
                found[key] = mark
    return Fetched(tuple(files), counts, left_out, {key: dict(mark) for key, mark in found.items()})


@contextmanager
def engine_errors(url: str, kinds: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Turn an engine's errors into one line without the password.

    The cause is left off on purpose: an engine's error may carry the whole connection string.
    """
    try:
        yield
    except kinds as error:
        raise BadInput(f"{masked(url)}: {without_secrets(url, _reason(error))}; {_mend(error)}") from None


def without_secrets(url: str, text: str) -> str:
    """Return a message with the connection string's password, in any spelling, blotted out."""
    from urllib.parse import unquote, unquote_plus

    rest = url.partition("://")[2]
    users = (_halves(rest)[0], rest.rpartition("@")[0])  # an unescaped @ or ? leaves two readings
    secrets = [
        *(user.partition(":")[2] for user in users),
        *re.findall(r"(?:password|passwd|pwd|sslpassword)=([^&]*)", url, re.I),
    ]
    spelled = {spelling for s in secrets for spelling in (s, unquote(s), unquote_plus(s)) if spelling}
    for secret in sorted(spelled, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text.replace(url, masked(url))


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    told = cause.args[-1] if len(cause.args) == 2 and isinstance(cause.args[-1], str) else cause
    text = str(told).strip()
    return " ".join((text.splitlines() or [type(error).__name__])[0].split()).rstrip(".;")


def _mend(error: BaseException) -> str:
    text = str(error).lower()
    if "password" in text or "access denied" in text or "authentication" in text:
        return "check the user and the password"
    if any(word in text for word in ("connect", "resolve", "timeout", "timed out", "refused")):
        return "check the host, the port and that the database runs"
    if "does not exist" in text or "no such" in text or "doesn't exist" in text or "unknown database" in text:
        return "check the name"
    return "check the connection string and the table"


def _wanted(name: str) -> TableOf:
    query = _QUERY.match(name)
    if query is not None:
        return TableOf(query["name"], query=query["sql"].strip().rstrip(";"))
    schema, _, table = name.rpartition(".")
    return TableOf(table, table=table, schema=schema or None)


def _require_distinct(named: Sequence[TableOf]) -> None:
    names = [wanted.name for wanted in named]
    for name in names:
        if not name or "/" in name or "\\" in name or name.startswith("."):
            raise BadInput(f"{name!r} is no name for a table; write --table TABLE or NAME=SELECT ...")
        if names.count(name) > 1:
            raise BadInput(f"two tables are called {name!r}; give one another name with NAME=SELECT ...")


def _understood(reader: Reader, url: str) -> tuple[list[TableOf], dict[str, str]]:
    """The tables that can be guessed, and why the others cannot."""
    chosen, left_out = [], {}
    names = reader.tables()
    joins = join_orders({name: reader.columns(TableOf(name, table=name)) for name in names}, reader.quoted)
    queries = {joined.lines: joined for joined in joins}
    for name in names:
        joined = queries.get(name)
        wanted = TableOf(name, query=joined.query) if joined is not None else TableOf(name, table=name)
        try:
            guess_file(_sample(reader, wanted))
            chosen.append(wanted)
        except BadInput as error:
            left_out[name] = str(error).removeprefix(f"{name}.parquet: ")
    for joined in joins:
        if joined.orders in left_out:
            left_out[joined.orders] = f"its customers and times are read with {joined.lines}"
    if not chosen:
        told = f"none of its tables ({', '.join(left_out)})" if left_out else "it has no tables: nothing"
        raise BadInput(
            f"{masked(url)}: {told} can be understood as events, products or customers; "
            "name one with --table, or write a query: --table 'orders=SELECT ...'"
        )
    return chosen, left_out


def _sample(reader: Reader, wanted: TableOf) -> Sample:
    """The first rows of a table as the first rows of a file; BadInput where it is empty."""
    columns = reader.columns(wanted)
    batch = next(reader.rows(wanted, limit=SAMPLE_ROWS), [])
    if not batch:
        raise BadInput("it is empty")
    rows = tuple(tuple(as_text(value) for value in row) for row in batch)
    return Sample(Path(f"{wanted.name}.parquet"), tuple(columns), rows)


def _write(
    reader: Reader,
    wanted: TableOf,
    path: Path,
    highest: incremental.Highest,
    progress: Progress | None,
) -> int:
    """Stream a table into a Parquet file of text columns; return the rows written."""
    columns = reader.columns(wanted)
    at = columns.index(highest.column) if highest.column in columns else None
    schema = pa.schema([(column, pa.string()) for column in columns])
    since = highest.start() if at is not None else None
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for batch in reader.rows(wanted, since=since):
            if at is not None:
                highest.see([row[at] for row in batch])
            texts = [
                pa.array([as_text(v) for v in values], pa.string()) for values in zip(*batch, strict=True)
            ]
            out.write_batch(pa.record_batch(texts, schema=schema))
            count += len(batch)
            if progress is not None:
                progress.step(count, count)
    return count
