"""Features of every kind of event and their encoding, written into a version.

Two encodings are kept: `encoding_held_out.json` is fitted on what was known before the held-out 30
days, as the scored preference models are, and `encoding.json` on everything up to the last day, for
the profiles that are served.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from customers.features import kinds
from customers.features.encoding import AS_OF, Encoding, fit_encoding
from customers.features.tables import kind_tables
from customers.profiles.workspace import Workspace

SERVED, HELD_OUT = "encoding.json", "encoding_held_out.json"
# An attribute with more values than this is hashed.
_ONE_HOT_MOST = 30
_HASHED = ("main_category", "main_brand")


def write_encoded(work: Workspace, cut: date, last_day: date) -> None:
    """Write kind_rhythm*, kind_ratios*, customer_features and the encodings.

    customer_features has a row a customer and number known: feature, raw, z, minmax (by the served
    encoding)."""
    activities = work.hold("held_activities", kinds.activity(work.table("events"), work.table("products")))
    for name, rows in kind_tables(activities, last_day).items():
        work.keep(name, rows.order_by("customer_id"))
    earlier, now = (_features(work, activities, day) for day in (cut, last_day))
    if len(earlier):
        _fit(earlier, cut).save(work.out / HELD_OUT)
    encoding = _fit(now, last_day)
    encoding.save(work.out / SERVED)
    _keep_features(work, encoding, now)


def _features(work: Workspace, activities, as_of: date) -> pd.DataFrame:
    """The wide features with the customers' attributes, a column each, customers in text order."""
    wide = kinds.customer_features(activities, as_of).order_by("customer_id").to_pandas()
    rows = work.con.execute("SELECT customer_id, attribute, value FROM attributes").fetchall()
    told = pd.DataFrame(rows, columns=["customer_id", "attribute", "value"])
    columns = told.drop_duplicates(["customer_id", "attribute"]).pivot(
        index="customer_id", columns="attribute", values="value"
    )
    return wide.join(columns.add_prefix("attribute:"), on="customer_id")


def _fit(table: pd.DataFrame, until: date) -> Encoding:
    attributes = sorted(name for name in table.columns if name.startswith("attribute:"))
    few = [name for name in attributes if len(set(table[name].dropna())) <= _ONE_HOT_MOST]
    many = [name for name in attributes if name not in few]
    told = {"customer_id", AS_OF, *_HASHED, *attributes}
    numbers = [name for name in table.columns if name not in told]
    return fit_encoding(table, until, numbers, few, [*_HASHED, *many])


def _keep_features(work: Workspace, encoding: Encoding, table: pd.DataFrame) -> None:
    """Long form, without the numbers that are not known, and without those that are 0 for everybody (of
    kinds of event that the shop does not record)."""
    names = list(encoding.numbers)
    raw = table[names].to_numpy(dtype=float, na_value=np.nan)
    used = (np.array(encoding.low) != 0) | (np.array(encoding.high) != 0)
    row, column = np.nonzero(~np.isnan(raw) & used)
    text, number = pa.string(), pa.float64()
    kinds_of = {"customer_id": text, "feature": text, "raw": number, "z": number, "minmax": number}
    work.keep_rows(
        "customer_features",
        pa.schema(kinds_of),
        {
            "customer_id": table["customer_id"].to_numpy(dtype=object)[row],
            "feature": np.array(names, dtype=object)[column],
            "raw": raw[row, column],
            "z": encoding.z(table)[row, column],
            "minmax": encoding.minmax(table)[row, column],
        },
    )
