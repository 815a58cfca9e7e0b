"""Plain files as they come: which of them can be read, how they are encoded, what is in them."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from customers.errors import BadInput
from customers.ingest.line_ends import Ends

FORMATS = {
    ".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv", ".txt": "csv", ".parquet": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonl.gz": "jsonl",
}  # fmt: skip
ENCODINGS = ("utf-8-sig", "gb18030")
SAMPLE_ROWS = 200
DELIMITERS = ",;\t|"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's columns and its first rows as text; None where a value is missing."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def values(self, column: str) -> list[str]:
        """Return the column's values that are there."""
        at = self.columns.index(column)
        return [text for row in self.rows if (text := (row[at] or "").strip())]


def file_format(path: Path) -> str | None:
    """Return "csv", "parquet" or "jsonl" by the file's ending, or None where it is none of them."""
    name = path.name.lower()
    endings = sorted((ending for ending in FORMATS if name.endswith(ending)), key=len)
    return FORMATS[endings[-1]] if endings else None


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return the data files that the paths name, directories replaced by the files in them.

    Raises BadInput for a path that does not exist, a file of an unknown kind, or nothing to read.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.is_file() and file_format(p))
        elif not path.exists():
            raise BadInput(f"{path}: no such file or directory; check the path")
        elif file_format(path) is None:
            raise BadInput(f"{path}: not a kind of file that can be read; give {_kinds()}")
        else:
            found.append(path)
    if not found:
        where = ", ".join(map(str, paths)) or "no path"
        raise BadInput(f"{where}: holds no data files; give {_kinds()}")
    return list(dict.fromkeys(found))


def _kinds() -> str:
    return "CSV, TSV, CSV.gz, Parquet or JSONL files"


def sample(path: Path) -> Sample:
    """Read a file's columns and first rows. Raises BadInput where it cannot be read or is empty."""
    kind = file_format(path)
    if kind is None:
        raise BadInput(f"{path}: not a kind of file that can be read; give {_kinds()}")
    try:
        if path.stat().st_size == 0:
            raise BadInput(f"{path}: the file is empty; give one with a header line and rows")
        found = {"csv": _sample_csv, "parquet": _sample_parquet, "jsonl": _sample_jsonl}[kind](path)
    except (OSError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); check the file and its permissions") from error
    _check_columns(found)
    return found


def _check_columns(found: Sample) -> None:
    if not found.rows:
        raise BadInput(f"{found.path}: has a header but no rows; give a file with data")
    names = [column.strip() for column in found.columns]
    if len(set(names)) < len(names) or not all(names):
        raise BadInput(f"{found.path}: a column is unnamed or named twice; mend the header line")


def encoding(path: Path) -> str:
    """Return "utf-8-sig" (with or without the mark) or "gb18030", whichever the whole file fits."""
    return written(path)[0]


def written(path: Path) -> tuple[str, bool]:
    """A text file's encoding, and whether its lines end in more than one way."""
    try:
        there = path.stat()
        return _looked_at(path, there.st_size, there.st_mtime_ns)
    except (OSError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); check that the file is whole") from error


@lru_cache(maxsize=64)
def _looked_at(path: Path, size: int, mtime_ns: int) -> tuple[str, bool]:
    """As `written`; a file that has not changed since is not looked at again."""
    for candidate in ENCODINGS:
        decoder, ends = codecs.getincrementaldecoder(candidate)(), Ends()
        try:
            with _bytes(path) as file:
                while chunk := file.read(CHUNK):
                    decoder.decode(chunk)
                    ends.see(chunk)
                decoder.decode(b"", final=True)
            return candidate, ends.mixed
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{path}: is neither UTF-8 nor GB18030 text; save it as UTF-8 and try again")


def _bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def open_text(path: Path) -> io.TextIOWrapper:
    """Open a text file, packed or not, in the encoding that it is written in."""
    written = encoding(path)
    return io.TextIOWrapper(_bytes(path), encoding=written, newline="")


def delimiter(path: Path) -> str:
    """Return the sign that separates the header's columns (comma, semicolon, tab or bar)."""
    with open_text(path) as file:
        header = file.readline()
    if "\x00" in header:
        raise BadInput(f"{path}: is not a text file; give {_kinds()}")
    return max(DELIMITERS, key=header.count)


def _sample_csv(path: Path) -> Sample:
    mark = delimiter(path)
    with open_text(path) as file:
        rows = csv.reader(file, delimiter=mark)
        try:
            columns = tuple(column.strip() for column in next(rows, []))
            body = [row for row in islice(rows, SAMPLE_ROWS) if row]
        except csv.Error as error:
            raise BadInput(f"{path}: not a readable CSV file ({error}); check its quotes") from error
    width = len(columns)
    filled = (tuple((row + [""] * width)[:width]) for row in body)
    return Sample(path, columns, tuple(filled))


def _sample_parquet(path: Path) -> Sample:
    try:
        file = pq.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=SAMPLE_ROWS), None)
        rows = batch.to_pylist() if batch is not None else []
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        # ValueError: texts that are no UTF-8, times beyond the calendar
        raise BadInput(f"{path}: not a readable Parquet file; write it again") from error
    columns = tuple(file.schema_arrow.names)
    return Sample(path, columns, tuple(tuple(_text(row[c]) for c in columns) for row in rows))


def _sample_jsonl(path: Path) -> Sample:
    rows, bad = [], 0
    with open_text(path) as file:
        for number, line in enumerate(islice(file, SAMPLE_ROWS), 1):
            if line.strip():
                row = _object(line)
                bad = bad or (0 if row is not None else number)
                rows += [row] if row else []
    if not rows:
        raise BadInput(f"{path}: line {bad or 1} is not a JSON object; write one object a line")
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Sample(path, columns, tuple(tuple(_text(row.get(c)) for c in columns) for row in rows))


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
