"""Simulated rows as plain files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from customers.simulate.catalogue import Frame

FORMATS = ("csv", "parquet", "jsonl")


def write(path: Path, rows: Frame, file_format: str, malformed: np.ndarray | None = None) -> Path:
    """Write rows to `path` with the format's ending and return where; the same rows give the same
    bytes. `malformed` numbers the rows of a CSV that get columns too many."""
    target = path.with_name(f"{path.name}.{file_format}")
    if file_format == "parquet":
        pq.write_table(_arrow(rows), target)
    elif file_format == "jsonl":
        rows.to_json(target, orient="records", lines=True, force_ascii=False)
    else:
        pacsv.write_csv(_arrow(rows), target, pacsv.WriteOptions(quoting_style="needed"))
        if malformed is not None and len(malformed):
            _break_lines(target, malformed)
    return target


def _arrow(rows: Frame) -> pa.Table:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return table.replace_schema_metadata(None)


def _break_lines(path: Path, malformed: np.ndarray) -> None:
    """Add columns to lines; no text of ours holds a line's end, so that rows are lines."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for row in malformed:
        lines[row + 1] += ",,broken,line"
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
