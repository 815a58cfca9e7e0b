"""The Complete Journey sample's files: what they are called, what is in them, what they cover."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from customers.errors import BadInput
from customers.ports import Progress
from customers.stores.events import EventStore, Table

SHOP_NAME, CURRENCY = "Complete Journey", "$"
ZONE, FIRST_DAY, LAST_DAY = "America/New_York", date(2017, 1, 1), date(2017, 12, 31)

# File -> the columns it must have.
FILES = {
    "transactions": (
        "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc",
        "coupon_disc", "coupon_match_disc", "week", "transaction_timestamp",
    ),
    "products": (
        "product_id", "manufacturer_id", "department", "brand", "product_category", "product_type",
        "package_size",
    ),
    "demographics": (
        "household_id", "age", "income", "home_ownership", "marital_status", "household_size",
        "household_comp", "kids_count",
    ),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date", "end_date"),
    "coupons": ("coupon_upc", "product_id", "campaign_id"),
    "coupon_redemptions": ("household_id", "coupon_upc", "campaign_id", "redemption_date"),
    "promotions": ("product_id", "store_id", "display_location", "mailer_location", "week"),
}  # fmt: skip

Sources = dict[str, Table]


class Steps:
    """Forwards progress to whoever listens, if anybody does."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def begin(self, name: str) -> None:
        if self._progress is not None:
            self._progress.stage(name)

    def done(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress.step(done, total)


def require_files(data_dir: Path) -> None:
    """Raise BadInput where the directory or one of the files is not there."""
    if not data_dir.is_dir():
        raise BadInput(f"{data_dir}: no such directory; give the one that holds the sample's parquet files")
    missing = [f"{name}.parquet" for name in FILES if not (data_dir / f"{name}.parquet").is_file()]
    if missing:
        raise BadInput(f"{data_dir}: lacks {', '.join(missing)}; fetch the sample again")


def forget_sources(store: EventStore) -> None:
    """Drop the views that `open_sources` made, so that the store does not point at the files."""
    for name in FILES:
        store.forget_view(_view(name))


def _view(name: str) -> str:
    return f"source_{name}"


def open_sources(store: EventStore, data_dir: Path) -> Sources:
    """Return the files as expressions with the columns of FILES; BadInput where one lacks any."""
    sources: Sources = {}
    for name, columns in FILES.items():
        path = data_dir / f"{name}.parquet"
        try:
            table = store.backend.read_parquet(path, table_name=_view(name))
        except duckdb.Error as error:
            raise BadInput(f"{path}: not a readable parquet file; fetch the sample again") from error
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise BadInput(f"{path}: lacks the column(s) {', '.join(missing)}; fetch the sample again")
        sources[name] = table.select(*columns)
    return sources


def distinct(rows: Table, column: str) -> list[str]:
    """Return a column's values in order, without null."""
    values = rows.select(column).filter(rows[column].notnull()).distinct().order_by(column)
    return values.to_pyarrow()[column].to_pylist()
