"""The sample's own files, read anew for checking: nothing here comes from the profiling core.

The exclusions are those of the baselines' protocol; local days are those of America/New_York; money
is `sales_value`, what the till took for the line.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

# The names people see are data of the sample, shared with the product; the figures are not.
NAMES = Path(__file__).parents[1] / "customers" / "ingest" / "complete_journey_names.csv"

_VIEWS = """
create table lines as
select cast(t.household_id as varchar) as customer, t.basket_id, cast(t.product_id as varchar) as product,
       t.quantity, t.sales_value as amount, p.department, p.brand, p.product_category as category,
       p.product_type as type, p.manufacturer_id as manufacturer,
       (t.transaction_timestamp at time zone 'UTC' at time zone 'America/New_York') as ts
from read_parquet('{dir}/transactions.parquet') t
join read_parquet('{dir}/products.parquet') p using (product_id)
where t.quantity <> 0
  and coalesce(p.department, '') not in
      ('FUEL', 'COUPON', 'MISCELLANEOUS', 'CNTRL/STORE SUP', 'PROD-WHS SALES')
  and coalesce(p.product_category, '') not in
      ('COUPON/MISC ITEMS', 'COUPON', 'COUPONS/STORE & MFG', 'FUEL', 'PROD SUPPLIES')
  and not regexp_matches(coalesce(p.product_type, ''), 'GASOLINE|GIFT CARD');
alter table lines add column day date;
update lines set day = cast(ts as date);
alter table lines add column month varchar;
update lines set month = strftime(ts, '%Y-%m');
create view people as
select cast(household_id as varchar) as customer, * exclude (household_id)
from read_parquet('{dir}/demographics.parquet');
create view products as
select cast(product_id as varchar) as product, department, brand, product_category as category,
       product_type as type, package_size as size
from read_parquet('{dir}/products.parquet');
create view received as
select distinct cast(campaign_id as varchar) as campaign, cast(household_id as varchar) as customer
from read_parquet('{dir}/campaigns.parquet');
create view redeemed as
select cast(campaign_id as varchar) as campaign, cast(household_id as varchar) as customer,
       coupon_upc as coupon, cast(redemption_date as date) as day
from read_parquet('{dir}/coupon_redemptions.parquet');
create view coupons as
select distinct cast(campaign_id as varchar) as campaign, coupon_upc as coupon,
       cast(product_id as varchar) as product
from read_parquet('{dir}/coupons.parquet');
create view campaigns as
select cast(campaign_id as varchar) as campaign, campaign_type as kind,
       cast(start_date as date) as first_day, cast(end_date as date) as last_day
from read_parquet('{dir}/campaign_descriptions.parquet');
"""


class RawData:
    """The sample's files behind SQL. Tables: lines, people, products, received, redeemed, coupons,
    campaigns; ids are text. Raises FileNotFoundError where the directory is not the sample."""

    def __init__(self, data_dir: Path) -> None:
        data_dir = Path(data_dir)
        if not (data_dir / "transactions.parquet").exists():
            raise FileNotFoundError(
                f"no transactions.parquet in {data_dir}; name the sample's data directory"
            )
        self._con = duckdb.connect()
        self._con.execute("set threads = 2")
        self._con.execute(_VIEWS.replace("{dir}", str(data_dir).replace("'", "''")))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._con.execute(sql, list(params)).fetchall()

    def value(self, sql: str, params: Sequence[Any] = ()) -> float:
        """Return the one number of a query; no row or null counts as 0."""
        rows = self.rows(sql, params)
        return float(rows[0][0] or 0) if rows else 0.0


def load_names(path: Path = NAMES) -> dict[tuple[str, str], tuple[str, str]]:
    """Return (kind, key) -> (English, Chinese)."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["kind"], row["key"]): (row["name_en"], row["name_zh"]) for row in csv.DictReader(file)}
