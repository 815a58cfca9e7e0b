"""Reads profile cards and segments from a version's tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from customers import values as v
from customers.catalogue import Catalogue
from customers.profiles.segment_cards import segment_cards
from customers.stores.reader import Reader

_TOP = 8
_LIKELY = 5
_SHARED = 3


class Cards:
    """Everything that is known about one customer or one segment; segments are held in memory."""

    def __init__(self, reader: Reader, catalogue: Catalogue) -> None:
        self._reader = reader
        self._catalogue = catalogue
        self.segments = self._read_segments()

    def profile(self, customer_id: str) -> v.Profile:
        """The card of a customer that exists."""
        rows = self._reader.rows
        summary = self._summaries[customer_id]
        first_day, last_day, recency, baskets, spend, mean, between, received, redeemed = summary
        months = rows(
            "SELECT month, spend FROM customer_months WHERE customer_id = ? ORDER BY month", [customer_id]
        )
        likely = rows(
            "SELECT category, probability FROM preferences WHERE customer_id = ?"
            f" ORDER BY probability DESC, category LIMIT {_LIKELY}",
            [customer_id],
        )
        return v.Profile(
            customer_id=customer_id,
            segment=self.segments.get(self._segment_of.get(customer_id, "")),
            attributes=dict(self._attributes.get(customer_id, {})),
            first_day=first_day,
            last_day=last_day,
            recency_days=recency,
            baskets=baskets,
            spend=spend,
            mean_basket=mean,
            days_between=between,
            spend_by_month=tuple(months),
            top_categories=self._tastes(customer_id, f"ORDER BY spend DESC, category LIMIT {_TOP}"),
            likely=tuple(v.Propensity(key, self._category(key), p) for key, p in likely),
            campaigns_received=received,
            coupons_redeemed=redeemed,
            outlook=self._outlook(customer_id),
            guesses=self._guesses(customer_id),
        )

    def taste(self, customer_id: str, category: str) -> v.CategoryTaste | None:
        """One category in a customer's behaviour; None where it was never bought."""
        found = self._tastes(customer_id, "AND category = ?", category)
        return found[0] if found else None

    def shared_categories(self, one: str, other: str) -> tuple[str, ...]:
        """The categories that both buy more than others do, the strongest in common first."""
        rows = self._reader.rows(
            "SELECT a.category FROM customer_categories a JOIN customer_categories b USING (category)"
            " WHERE a.customer_id = ? AND b.customer_id = ? AND least(a.lift, b.lift) >= 1.2"
            f" ORDER BY least(a.share, b.share) DESC, category LIMIT {_SHARED}",
            [one, other],
        )
        return tuple(key for (key,) in rows)

    def segment_name_of(self, customer_id: str) -> v.Name | None:
        """What the customer's segment is called."""
        segment = self.segments.get(self._segment_of.get(customer_id, ""))
        return segment.name if segment else None

    def segment_map(self) -> list[tuple[str, str, float, float]]:
        """(customer, segment, x, y) of every customer."""
        return self._reader.rows(
            "SELECT customer_id, segment_id, x, y FROM customer_map JOIN customer_segments USING (customer_id)"
            " ORDER BY customer_id"
        )

    def _tastes(self, customer_id: str, rest: str, *params: str) -> tuple[v.CategoryTaste, ...]:
        rows = self._reader.rows(
            "SELECT category, spend, baskets, share, lift, days_since FROM customer_categories"
            f" WHERE customer_id = ? {rest}",
            [customer_id, *params],
        )
        return tuple(v.CategoryTaste(row[0], self._category(row[0]), *row[1:]) for row in rows)

    def _outlook(self, customer_id: str) -> v.Outlook | None:
        if not self._reader.has_table("customer_predictions"):  # a version of an earlier release
            return None
        found = self._reader.rows(
            "SELECT as_of, next_order_low, next_order, next_order_high, alive, churn, value, value_low, value_high"
            " FROM customer_predictions WHERE customer_id = ?",
            [customer_id],
        )
        return v.Outlook(*found[0]) if found else None

    def _guesses(self, customer_id: str) -> dict[str, v.Guess]:
        if not self._reader.has_table("attribute_guesses"):
            return {}
        found = self._reader.rows(
            "SELECT attribute, value, probability FROM attribute_guesses WHERE customer_id = ? ORDER BY attribute",
            [customer_id],
        )
        return {attribute: v.Guess(value, chance) for attribute, value, chance in found}

    def _category(self, key: str) -> v.Name:
        return self._catalogue.name("category", key)

    @cached_property
    def _summaries(self) -> dict[str, tuple[Any, ...]]:
        rows = self._reader.rows(
            "SELECT customer_id, first_day, last_day, recency_days, baskets, spend, mean_basket, days_between,"
            " campaigns_received, coupons_redeemed FROM customer_summary"
        )
        return {key: tuple(rest) for key, *rest in rows}

    @cached_property
    def _attributes(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for key, attribute, value in self._reader.rows(
            "SELECT customer_id, attribute, value FROM attributes ORDER BY attribute"
        ):
            found.setdefault(key, {})[attribute] = value
        return found

    @cached_property
    def _segment_of(self) -> dict[str, str]:
        return dict(self._reader.rows("SELECT customer_id, segment_id FROM customer_segments"))

    def _read_segments(self) -> dict[str, v.Segment]:
        tops: dict[str, list[v.CategoryTaste]] = {}
        for segment_id, *row in self._reader.rows(
            "SELECT segment_id, category, spend, baskets, share, lift FROM segment_categories"
            " ORDER BY segment_id, rank"
        ):
            tops.setdefault(segment_id, []).append(v.CategoryTaste(row[0], self._category(row[0]), *row[1:]))
        card = segment_cards(self._reader, self._category)
        rows = self._reader.rows(
            "SELECT segment_id, size, share, mean_spend, mean_baskets, mean_recency_days"
            " FROM segments ORDER BY size DESC, segment_id"
        )
        return {
            row[0]: v.Segment(
                row[0],
                self._catalogue.name("segment", row[0]),
                *row[1:],
                top=tuple(tops.get(row[0], ())),
                **card(row[0]),
            )
            for row in rows
        }
