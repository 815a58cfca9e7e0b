"""`measure`: any count, sum, mean, share or top-n of the behaviour data, from a typed
specification that is compiled to SQL by us. No text of a model or a user ever becomes SQL: fields
are enums, values are bound parameters. The contract is here, the SQL in `customers.measure_sql`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Quantity(StrEnum):
    """What is measured. SPEND money, UNITS pieces, BASKETS trips, CUSTOMERS distinct customers,
    PRODUCTS distinct products, MEAN_BASKET spend a trip, MEAN_SPEND spend a customer,
    MEAN_PRICE spend a unit, REDEMPTIONS coupons redeemed, RECEIVED customers sent a campaign.

    Beside purchases: SEARCHES, VIEWS (products looked at or clicked on), CART_ADDS, REVIEWS,
    GOOD_REVIEWS and BAD_REVIEWS (rated at 80 % of the scale or above, at 40 % or below), MEAN_RATING
    of the reviews that have one, INQUIRIES, RETURNS; each counts records."""

    SPEND = "spend"
    UNITS = "units"
    BASKETS = "baskets"
    CUSTOMERS = "customers"
    PRODUCTS = "products"
    MEAN_BASKET = "mean_basket"
    MEAN_SPEND = "mean_spend"
    MEAN_PRICE = "mean_price"
    REDEMPTIONS = "redemptions"
    RECEIVED = "received"
    SEARCHES = "searches"
    VIEWS = "views"
    CART_ADDS = "cart_adds"
    REVIEWS = "reviews"
    GOOD_REVIEWS = "good_reviews"
    BAD_REVIEWS = "bad_reviews"
    MEAN_RATING = "mean_rating"
    INQUIRIES = "inquiries"
    RETURNS = "returns"


PURCHASES = (Quantity.SPEND, Quantity.UNITS, Quantity.BASKETS, Quantity.CUSTOMERS, Quantity.PRODUCTS,
             Quantity.MEAN_BASKET, Quantity.MEAN_SPEND, Quantity.MEAN_PRICE)  # fmt: skip
CONTACTS = (Quantity.REDEMPTIONS, Quantity.RECEIVED)
"""What campaigns did."""
EVENTS = tuple(q for q in Quantity if q not in (*PURCHASES, *CONTACTS))
"""What customers did beside buying."""


class Dimension(StrEnum):
    """What the measure can be broken down by, or filtered on. ATTRIBUTE takes a customer
    attribute's name; filters on it look like ("age", "45-54").

    CAMPAIGN on purchases means "customers who were sent it" (over the spec's whole period; give
    the campaign's days for its own period); a product dimension on REDEMPTIONS or RECEIVED means
    "coupons valid for it". QUERY, of SEARCHES alone, is the search text in small letters without
    punctuation; a filter on it keeps the searches whose text holds any of the given words. Searches have no product dimension."""

    CUSTOMER = "customer"
    DEPARTMENT = "department"
    CATEGORY = "category"
    TYPE = "type"
    PRODUCT = "product"
    BRAND = "brand"
    SEGMENT = "segment"
    CAMPAIGN = "campaign"
    MONTH = "month"
    WEEKDAY = "weekday"
    ATTRIBUTE = "attribute"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Measure:
    """A question to the data.

    by: dimension to group by, or None for one figure. attribute: which attribute when `by` is
    ATTRIBUTE. where: dimension -> allowed keys (OR inside, AND between); attribute filters stand
    in `attributes` as attribute -> allowed values; `without` holds product dimensions -> keys that do not count.
    start, end: inclusive local days. top: keep the
    n largest (or smallest when `ascending`) groups; None keeps all. at_least, more_than, at_most,
    less_than: keep only the groups whose value lies so, in the quantity's own unit; a group without
    any record (a customer who bought nothing in the period) is no group and never kept. least_customers:
    groups that fewer customers than this stand behind are no groups.
    """

    quantity: Quantity
    by: Dimension | None = None
    attribute: str | None = None
    where: dict[Dimension, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    start: date | None = None
    end: date | None = None
    top: int | None = None
    ascending: bool = False
    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    less_than: float | None = None
    without: dict[Dimension, tuple[str, ...]] = field(default_factory=dict)
    least_customers: int = 1


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One group: its key (as in `names`, so "age=45-54" for an attribute; months as "2017-03",
    weekdays as "Monday"), its value, and its share (0..1) of the ungrouped total where the quantity
    adds up over the groups, else None. What has no key (a customer whose age is not known) is in no
    group but in the total, so such shares may add up to less than 1."""

    key: str
    value: float
    share: float | None


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """`rows` in order (months by time, else by value). `total` is the ungrouped value under the
    same filters; `groups` how many groups there were before `top`."""

    spec: Measure
    rows: tuple[MeasureRow, ...]
    total: float
    groups: int
    of: int = 0


def run(con: DuckDBPyConnection, spec: Measure) -> MeasureResult:
    """Answer `spec` from the shop's tables that `con` sees, its own or those of attached files.

    Raises BadInput for a specification that cannot be meant (top below 1, an empty filter, thresholds
    without groups or that exclude each other) and
    Unknown for a key or an attribute that the shop does not have.
    """
    from customers import measure_sql

    return measure_sql.run(con, spec)
