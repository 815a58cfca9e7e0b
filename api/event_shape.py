"""The shape of a pushed event, and the text fields it becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from customers.ingest.headers import EVENT_FIELDS
from customers.schema import EventKind

_NUMBERS = ("quantity", "amount", "unit_price", "discount", "rating")
_LATEST = 4_102_444_800  # the year 2100, in seconds; above it an epoch is in milliseconds
_BAD_SIGNS = re.compile("[\x00\ud800-\udfff]")


def _scalar(value: Any) -> Any:
    """An id or a number as text; what is nested or true/false is neither."""
    if isinstance(value, bool | dict | list):
        raise ValueError("must be text or a number")
    return value if value is None or isinstance(value, str) else str(value)


def _readable(text: Any) -> Any:
    if isinstance(text, str) and _BAD_SIGNS.search(text):
        raise ValueError("holds a sign that no text may hold (NUL or half a surrogate pair)")
    return text


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


_ID = StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
_Id = Annotated[str, _ID, BeforeValidator(_readable), BeforeValidator(_scalar)]
_Words = Annotated[
    str, StringConstraints(max_length=20_000), BeforeValidator(_readable), BeforeValidator(_scalar)
]
_Number = Annotated[float, BeforeValidator(_number)]


class Event(BaseModel):
    """One event as it is pushed; fields that are not named here are kept as they come."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    kind: EventKind
    customer_id: _Id
    ts: str | int | float
    event_id: _Id | None = None
    product_id: _Id | None = None
    quantity: _Number | None = None
    amount: _Number | None = None
    unit_price: _Number | None = None
    discount: _Number | None = None
    rating: _Number | None = None
    basket_id: _Id | None = None
    store_id: _Id | None = None
    campaign_id: _Id | None = None
    text: _Words | None = None
    name: _Words | None = None
    department: _Words | None = None
    category: _Words | None = None
    type: _Words | None = None
    brand: _Words | None = None
    manufacturer: _Words | None = None
    size: _Words | None = None


class Rejected(ValueError):
    """An event that cannot be accepted; one line."""


def event_fields(given: Any, zone: ZoneInfo | None) -> dict[str, str | None]:
    """Return an event's fields as text, and under `raw` the JSON text of whatever else it says.

    Times with an offset, or counted from the epoch (seconds or milliseconds, UTC), become local times
    of `zone`; without a zone they stay as they are written. Raises Rejected.
    """
    if not isinstance(given, Mapping):
        raise Rejected("not an object")
    try:
        event = Event.model_validate(given)
    except ValidationError as error:
        raise Rejected(_reasons(error)) from error
    fields: dict[str, str | None] = {}
    for field in EVENT_FIELDS:
        value = getattr(event, field)
        fields[field] = None if value is None else str(value)
    fields |= {
        field: format(value, ".10g") for field in _NUMBERS if (value := getattr(event, field)) is not None
    }
    fields["ts"] = _local(event.ts, zone)
    fields["raw"] = json.dumps(event.model_extra) if event.model_extra else None
    return fields


def _reasons(error: ValidationError) -> str:
    told = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(map(str, fault["loc"][:1]))
        told.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(dict.fromkeys(told))


def _local(ts: str | int | float, zone: ZoneInfo | None) -> str:
    try:
        if isinstance(ts, str) and not re.fullmatch(r"\d{9,13}(\.\d+)?", ts.strip()):
            at = datetime.fromisoformat(ts.strip())
        else:
            seconds = float(ts)
            at = datetime.fromtimestamp(seconds / 1000 if abs(seconds) > _LATEST else seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Rejected("ts: write ISO 8601 (2024-06-30T18:05:00+08:00) or seconds since 1970") from error
    if at.tzinfo is not None and zone is not None:
        at = at.astimezone(zone)
    return at.replace(tzinfo=None).isoformat(
        sep=" ", timespec="microseconds" if at.microsecond else "seconds"
    )
