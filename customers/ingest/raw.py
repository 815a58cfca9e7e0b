"""A plain file's rows in the store, as the file has them: what is there is asked of DuckDB."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from customers.errors import BadInput
from customers.ingest import parsing
from customers.ingest.line_ends import unified
from customers.ingest.reading import CHUNK, delimiter, file_format, open_text, sample, written
from customers.stores.events import EventStore, Table

_DICTIONARIES = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}


@dataclass(frozen=True, slots=True)
class Raw:
    """A file that can be read: `table` has the columns asked for and `row_n`, the row's number.

    `in_file`: a view of a Parquet file, with its own types; otherwise held by the store as text.
    `malformed` are the lines that are no rows. `coded` are the text columns that the file has as
    numbers into a list of texts, so that their different texts are found without reading each row's.
    """

    store: EventStore
    table: Table
    rows: int
    malformed: list[str]
    in_file: bool
    coded: frozenset[str] = frozenset()

    def careful(self, columns: Sequence[str]) -> frozenset[str]:
        """Return the text columns in which some text is missing in words, or has blanks around it."""
        texts = [c for c in columns if self.table[c].type().is_string()]
        return frozenset(self._where(texts, f"bool_or(regexp_matches({{}}, '{parsing.UNTIDY}'))"))

    def texts(self, column: str) -> list[str]:
        """Return the different texts of a column."""
        quoted = _quoted(column)
        rows = self._ask(f"SELECT DISTINCT {quoted} FROM {self._name} WHERE {quoted} IS NOT NULL")
        return [text for (text,) in rows]

    def finite(self, columns: Sequence[str]) -> frozenset[str]:
        """Return the numeric columns without an infinite number, and without what is no number."""
        floating = [c for c in columns if self.table[c].type().is_floating()]
        odd = self._where(floating, "bool_or(NOT isfinite({}))")
        return frozenset(c for c in columns if self.table[c].type().is_numeric()) - frozenset(odd)

    def negative(self, columns: Sequence[str]) -> bool:
        """Whether one of the columns, all of numbers, has one below zero."""
        return bool(self._where(columns, "min({}) < 0"))

    def every(self, column: str) -> bool:
        """Whether every row says something in this column."""
        return self._ask(f"SELECT count({_quoted(column)}) FROM {self._name}")[0][0] == self.rows

    def _where(self, columns: Sequence[str], true: str) -> list[str]:
        """The columns of which an aggregate is true."""
        if not columns:
            return []
        plain = {c: true.format(_quoted(c)) for c in columns if c not in self.coded}
        coded = {c: f"SELECT DISTINCT {_quoted(c)} FROM {self._name}" for c in columns if c in self.coded}
        asked = [f"SELECT {', '.join(plain.values())} FROM {self._name}"] if plain else []
        asked += [f"SELECT {true.format(_quoted(c))} FROM ({query})" for c, query in coded.items()]
        found = [answer for query in asked for answer in self._ask(query)[0]]
        return [column for column, answer in zip([*plain, *coded], found, strict=True) if answer]

    @property
    def _name(self) -> str:
        return f'temp.main."{self.table.op().name}"'

    def _ask(self, query: str) -> list[tuple]:
        return self.store.backend.con.execute(query).fetchall()

    def release(self) -> None:
        """Free what the store holds of it."""
        if self.in_file:
            self.store.backend.con.execute(f"DROP VIEW {self._name}")
        else:
            self.store.release(self.table)


def read_file(store: EventStore, path: Path, scratch: Path, columns: Sequence[str]) -> Raw:
    """Return a file's columns, and its malformed lines.

    A text in another encoding, or whose lines end now in one way and now in another, is first
    written again in the directory `scratch`. Raises BadInput where the file as a whole cannot be read.
    """
    kind = file_format(path)
    source = str(path)
    if kind != "parquet" and written(path) != ("utf-8-sig", False):
        source = str(_plainly(path, scratch, delimiter(path) if kind == "csv" else None))
    try:
        if kind == "csv":
            return _read_csv(store, source, path)
        if kind == "jsonl":
            return _read_jsonl(store, source, list(dict.fromkeys(columns)))
        return _read_parquet(store, source, list(dict.fromkeys(columns)))
    except duckdb.Error as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise BadInput(f"{path}: cannot be read as {kind} ({reason}); mend the file") from error


def _plainly(path: Path, scratch: Path, mark: str | None) -> Path:
    """The text in UTF-8, its lines ending in one way; `mark` separates the columns of a CSV file."""
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / f"{path.name.removesuffix('.gz')}.{len(list(scratch.iterdir()))}"
    mixed = written(path)[1]
    with open_text(path) as file, target.open("w", encoding="utf-8", newline="") as out:
        out.writelines(unified(file, mark) if mixed else iter(lambda: file.read(CHUNK), ""))
    return target


def _read_csv(store: EventStore, source: str, path: Path) -> Raw:
    """DuckDB's own look at the first rows fails where a quote among them is never closed; the header
    tells the columns then."""
    told = ", ".join(
        f"'{column.replace(chr(39), chr(39) * 2)}': 'VARCHAR'" for column in sample(path).columns
    )
    try:
        return _split(store, source, path, "all_varchar=true, auto_detect=true, sample_size=1000")
    except duckdb.Error:
        return _split(store, source, path, f"columns={{{told}}}, auto_detect=false")


def _split(store: EventStore, source: str, path: Path, how: str) -> Raw:
    reader = (
        "SELECT * FROM read_csv(?, header=true, delim=?, quote='\"', escape='\"', store_rejects=true, "
        f"rejects_limit=0, null_padding=false, skip=0, {how})"
    )
    con = store.backend.con
    try:
        table = _hold(store, reader, [source, delimiter(path)])
        lines = con.execute("SELECT DISTINCT line, csv_line FROM reject_errors ORDER BY line").fetchall()
    finally:
        _forget_rejects(store)
    return Raw(store, table, _rows(table), [text or "" for _, text in lines], in_file=False)


def _forget_rejects(store: EventStore) -> None:
    for table in ("reject_errors", "reject_scans"):
        store.backend.con.execute(f"DROP TABLE IF EXISTS {table}")


def _read_jsonl(store: EventStore, source: str, columns: list[str]) -> Raw:
    """Each line is read as text first, so that one that is no object is kept aside alone."""
    reader = (
        "SELECT line FROM read_csv(?, columns={'line': 'VARCHAR'}, header=false, auto_detect=false, "
        "delim='\x01', quote='', escape='', max_line_size=67108864, strict_mode=false, "
        "null_padding=true, ignore_errors=true) WHERE trim(line, ' \t\r\n') <> ''"
    ).replace("\\x01", "\x01")
    lines = _hold(store, reader, [source])
    name = f'temp.main."{lines.op().name}"'
    con = store.backend.con
    good = "CASE WHEN json_valid(line) THEN json_type(line) END = 'OBJECT'"
    malformed = con.execute(f"SELECT line FROM {name} WHERE ({good}) IS NOT TRUE ORDER BY row_n").fetchall()
    paths = ["$." + json.dumps(column, ensure_ascii=False) for column in columns]
    picked = ", ".join(f"json_extract_string(line, ?) AS {_quoted(column)}" for column in columns)
    table = _hold(store, f"SELECT {picked} FROM (SELECT line FROM {name} WHERE {good} ORDER BY row_n)", paths)
    store.release(lines)
    return Raw(store, table, _rows(table), [line for (line,) in malformed], in_file=False)


def _read_parquet(store: EventStore, source: str, columns: list[str]) -> Raw:
    name = f"file_{uuid.uuid4().hex}"
    picked = ", ".join(map(_quoted, columns))
    literal = source.replace("'", "''")
    con = store.backend.con
    con.execute(
        f'CREATE TEMP VIEW "{name}" AS SELECT {picked}, file_row_number AS row_n '
        f"FROM read_parquet('{literal}', file_row_number=true)"
    )
    looked = ", ".join(f"count({_quoted(column)})" for column in columns)
    rows = con.execute(f'SELECT count(*), {looked} FROM "{name}"').fetchall()[0][0]
    table = store.backend.table(name, database=("temp", "main"))
    return Raw(store, table, int(rows), [], in_file=True, coded=_coded(source))


def _coded(source: str) -> frozenset[str]:
    """The columns of a Parquet file that are dictionaries throughout."""
    told = pq.read_metadata(source)
    groups = [told.row_group(n) for n in range(told.num_row_groups)]
    chunks = [[group.column(n) for group in groups] for n in range(told.num_columns)]
    return frozenset(
        some[0].path_in_schema for some in chunks
        if some and all(_DICTIONARIES & {*chunk.encodings} and "PLAIN" not in chunk.encodings for chunk in some)
    )  # fmt: skip


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _rows(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def _hold(store: EventStore, query: str, parameters: list[str]) -> Table:
    """Hold what a query gives in a numbered table, in the file's order."""
    name = f"file_{uuid.uuid4().hex}"
    con = store.backend.con
    con.execute("SET preserve_insertion_order = true")
    try:
        con.execute(
            f'CREATE TEMP TABLE "{name}" AS SELECT *, row_number() OVER () - 1 AS row_n FROM ({query})',
            parameters,
        )
    finally:
        con.execute("SET preserve_insertion_order = false")
    return store.backend.table(name, database=("temp", "main"))
