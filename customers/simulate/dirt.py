"""Dirt with a known place: rows of event files made wrong on purpose, each written down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customers.simulate.catalogue import Frame

UNREADABLE = ("2025-13-45 25:61:00", "yesterday evening", "0000-00-00 00:00:00", "??", "31/31/2025")
SALES = ("simulated_purchases", "simulated_returns")
WITH_PRODUCT = ("simulated_click", "simulated_cart", *SALES, "simulated_reviews")


@dataclass(frozen=True, slots=True)
class Dirty:
    """A file's rows with dirt in them, `planted` (event_id, dirt) of what was done, and the numbers
    of the rows that the file's writer has to break as lines."""

    rows: Frame
    planted: Frame
    malformed: np.ndarray


def kinds_for(name: str, columns: list[str], file_format: str) -> list[str]:
    """The sorts of dirt that a file of this name, with these columns and in this format can have."""
    kinds = ["duplicate", "missing_customer", "missing_time", "future_time", "epoch_time"]
    if file_format != "parquet":
        kinds.append("unreadable_time")
    if file_format == "csv":
        kinds.append("malformed_line")
    if "product_id" in columns:
        kinds.append("unknown_product")
    if name in WITH_PRODUCT:
        kinds.append("missing_product")
    if name in SALES:
        kinds += ["zero_quantity", "absurd_quantity", "negative_amount"]
    if name == "simulated_purchases":
        kinds.append("negative_quantity")
    if "rating" in columns:
        kinds.append("rating_out_of_range")
    return kinds


def spoil(
    name: str,
    rows: Frame,
    share: float,
    file_format: str,
    spare: np.ndarray,
    rng: np.random.Generator,
) -> Dirty:
    """Make a share of a file's rows wrong, each in one way; rows flagged in `spare` are left alone.

    `rows` has text times in "ts" ("csv" and "jsonl") or timestamps ("parquet").
    """
    open_rows = np.flatnonzero(~spare)
    picked = rng.permutation(open_rows)[: round(share * len(open_rows))]
    kinds = kinds_for(name, list(rows.columns), file_format)
    # In turn, so that even a small file has every kind.
    of = np.array([kinds[n % len(kinds)] for n in range(len(picked))], dtype=object)
    planted = pd.DataFrame({"event_id": rows["event_id"].to_numpy()[picked], "dirt": of})
    spoiled = rows.copy()
    for kind in kinds:
        _spoil(spoiled, kind, picked[of == kind], file_format, rng)
    lines = np.arange(len(rows))
    order = np.sort(np.concatenate([lines, picked[of == "duplicate"]]), kind="stable")
    malformed = np.flatnonzero(np.isin(order, picked[of == "malformed_line"]))
    return Dirty(spoiled.iloc[order].reset_index(drop=True), planted.sort_values("event_id"), malformed)


def _spoil(rows: Frame, kind: str, at: np.ndarray, file_format: str, rng: np.random.Generator) -> None:
    def put(column: str, values: object) -> None:
        rows.iloc[at, rows.columns.get_indexer([column])[0]] = values

    if not len(at):
        return
    if kind == "missing_customer":
        put("customer_id", None)
    elif kind == "missing_product":
        put("product_id", None)
    elif kind == "unknown_product":
        put("product_id", [f"X{number}" for number in rng.integers(10_000, 99_999, len(at))])
    elif kind == "missing_time":
        put("ts", None)
    elif kind == "unreadable_time":
        put("ts", [UNREADABLE[n % len(UNREADABLE)] for n in range(len(at))])
    elif kind in ("future_time", "epoch_time"):
        text = "2099-01-01 00:00:00" if kind == "future_time" else "1970-01-01 00:00:00"
        put("ts", text if file_format != "parquet" else pd.Timestamp(text))
    elif kind == "zero_quantity":
        put("quantity", 0)
    elif kind == "absurd_quantity":
        put("quantity", rng.integers(20_000, 90_000, len(at)))
    elif kind == "negative_quantity":
        put("quantity", -rows["quantity"].to_numpy()[at])
    elif kind == "negative_amount":
        put("amount", -rows["amount"].to_numpy()[at])
    elif kind == "rating_out_of_range":
        put("rating", [(9.0, -1.0)[n % 2] for n in range(len(at))])
