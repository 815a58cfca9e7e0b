"""A figure of the shop: the calls that get it, and the SQL that computes it from the raw files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eval.generate.periods import WHOLE, Period

Call = dict[str, Any]
Plans = tuple[tuple[Call, ...], ...]
TOLERANCE = 0.005
"""The product keeps a handful of absurd quantities aside that the raw files hold."""

QUANTITIES = {
    "spend": ("sum(amount)", "money"),
    "units": ("sum(quantity)", "plain"),
    "baskets": ("count(distinct basket_id)", "plain"),
    "customers": ("count(distinct customer)", "plain"),
    "products": ("count(distinct product)", "plain"),
    "mean_basket": ("sum(amount) / count(distinct basket_id)", "money"),
    "mean_spend": ("sum(amount) / count(distinct customer)", "money"),
    "mean_price": ("sum(amount) / sum(quantity)", "money"),
}
_COLUMNS = ("customer", "category", "department", "brand")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a figure is about; keys as the shop has them. attribute: name and value."""

    customer: str | None = None
    category: str | None = None
    department: str | None = None
    brand: str | None = None
    attribute: tuple[str, str] | None = None
    period: Period = WHOLE

    def where(self) -> str:
        """Return the condition on the raw files' `lines`."""
        parts = [f"{name} = {quoted(key)}" for name in _COLUMNS if (key := getattr(self, name))]
        if self.attribute:
            name, value = self.attribute
            parts.append(f"customer in (select customer from people where {name} = {quoted(value)})")
        if self.period.start:
            parts.append(f"day >= date {quoted(self.period.start)}")
        if self.period.end:
            parts.append(f"day <= date {quoted(self.period.end)}")
        return " and ".join(parts) or "true"

    def filters(self) -> dict[str, Any]:
        """Return the filters of a `measure` call."""
        found: dict[str, Any] = {name: [key] for name in _COLUMNS if (key := getattr(self, name))}
        return found | ({"attributes": {self.attribute[0]: [self.attribute[1]]}} if self.attribute else {})

    def dimensions(self) -> tuple[str, ...]:
        """Return what the scope names one thing of; breaking its figure down by that changes nothing."""
        return (*(n for n in _COLUMNS if getattr(self, n)), *((self.attribute[0],) if self.attribute else ()))


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def call(quantity: str, scope: Scope, by: str = "none", n: int | None = None, ascending: bool = False,
         amount: Mapping[str, Any] | None = None) -> Call:  # fmt: skip
    """Return a call of `measure` with every argument, null where it must not be set; the count only where one
    is asked for."""
    args = {
        "quantity": quantity, "by": by, "filters": scope.filters(), "start": scope.period.start,
        "end": scope.period.end, "ascending": ascending or None, "amount": dict(amount) if amount else None,
    }  # fmt: skip
    return {"tool": "measure", "args": args | ({"n": n} if n else {})}


def one(quantity: str, scope: Scope) -> Plans:
    """Return the plans that find one figure."""
    start, end = scope.period.start, scope.period.end
    month = ("month",) if start and end and start[:7] == end[:7] else ()
    return tuple((call(quantity, scope, by),) for by in ("none", *scope.dimensions(), *month))


def sql(quantity: str, scope: Scope) -> str:
    """Return the query for one figure."""
    return f"select {QUANTITIES[quantity][0]} from lines where {scope.where()}"


def figure(quantity: str, scope: Scope) -> dict[str, Any]:
    """Return the check of one figure."""
    return checked(quantity, sql(quantity, scope), QUANTITIES[quantity][1])


def checked(name: str, query: str, unit: str, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Return the check that an answer states the number of a query."""
    return {"figure": name, "sql": query, "unit": unit, "tolerance": tolerance}


def ranked(quantity: str, scope: Scope, by: str, ascending: bool = False) -> str:
    """Return the query for the groups of a breakdown: keys and values, the largest (or smallest) first."""
    people = "join people using (customer) " if by == "age" else ""
    order = "" if ascending else " desc"
    return (
        f"select {by} as key, {QUANTITIES[quantity][0]} as v from lines {people}where {scope.where()}"
        f" and {by} is not null group by 1 order by v{order}, key"
    )
