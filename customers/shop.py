"""Shop: the read side of a finished build, and the only thing that tools and UI ask.

Opened on a shop directory (`var/complete-journey`), it reads the version that the directory's
CURRENT file names. Every method answers from that version; a build that finishes meanwhile is
seen by the next `Shop.open`. Safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from customers import values as v
from customers.measure import Measure, MeasureResult
from customers.ports import TextEncoder


class Shop:
    """See the module. Raises NotBuilt on open where there is no finished build, and Unknown from
    any method that is given an id or key that the shop does not have."""

    info: v.ShopInfo

    @classmethod
    def open(cls, path: Path, encoder: TextEncoder | None = None) -> Shop: ...

    # names ---------------------------------------------------------------------------------
    def name(self, kind: str, key: str) -> v.Name: ...
    def keys(self, kind: str) -> Sequence[str]:
        """All keys of a kind: customer, department, category, type, brand, segment, campaign,
        attribute, attribute_value ("age=45-54"), in a stable order."""
        ...
    def has_customer(self, customer_id: str) -> bool: ...
    def product_name(self, product_id: str) -> str: ...

    # profiles ------------------------------------------------------------------------------
    def profile(self, customer_id: str) -> v.Profile: ...
    def explain_preference(self, customer_id: str, category: str) -> v.PreferenceExplanation: ...
    def similar_customers(self, customer_id: str, n: int = 5) -> list[v.SimilarCustomer]: ...
    def segments(self) -> list[v.Segment]: ...
    def segment(self, segment_id: str) -> v.Segment: ...
    def category_history(self, customer_id: str, category: str) -> v.CategoryTaste | None: ...

    # recommendations -----------------------------------------------------------------------
    def recommend(
        self, customer_id: str, n: int = 5, category: str | None = None, new_only: bool = False
    ) -> list[v.Recommendation]: ...
    def audience(
        self,
        category: str | None = None,
        product_id: str | None = None,
        n: int = 20,
        segment_id: str | None = None,
    ) -> v.Audience: ...
    def search_products(self, text: str, n: int = 5, category: str | None = None) -> list[v.ProductHit]: ...
    def bought_with(
        self, category: str | None = None, product_id: str | None = None, n: int = 5
    ) -> list[v.Together]: ...

    # measures ------------------------------------------------------------------------------
    def campaign(self, campaign_id: str) -> v.CampaignResult: ...
    def measure(self, spec: Measure) -> MeasureResult: ...
    def query(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run our own SQL (never a model's) with bound parameters."""
        ...
