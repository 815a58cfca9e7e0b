"""What the page needs from the rooms below; `agent.Agent` and `customers.shop.Shop` offer it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from agent.events import Event, Role
from customers.profiles.spreads import ChanceSpread, InterestSpread, Reliability
from customers.values import Label, Name, Profile, Segment, ShopInfo


class ShopView(Protocol):
    """The part of `customers.shop.Shop` that the page shows."""

    info: ShopInfo

    def name(self, kind: str, key: str) -> Name: ...
    def keys(self, kind: str) -> Sequence[str]: ...
    def has_customer(self, customer_id: str) -> bool: ...
    def profile(self, customer_id: str) -> Profile: ...
    def labels(self, customer_id: str) -> list[Label]: ...
    def segments(self) -> list[Segment]: ...
    def segment_map(self) -> Sequence[tuple[str, str, float, float]]:
        """(customer, segment, x, y) of every customer."""
        ...

    def interest_spread(self) -> list[InterestSpread]: ...
    def chance_spread(self) -> list[ChanceSpread]: ...
    def reliability(self) -> Reliability | None: ...


class Assistant(Protocol):
    """The part of `agent.Agent` that the page talks to."""

    @property
    def shop(self) -> Any: ...

    def stream(
        self,
        question: str,
        role: Role = "service",
        customer: str | None = None,
        session: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]: ...
    def forget(self, session: str) -> None: ...
