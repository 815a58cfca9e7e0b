"""Groups of customers: segments and audiences. For merchandiser keys, and admin's."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.callers import Caller
from api.errors import documented
from api.names import resolve
from api.services import Services
from api.shapes import AudienceShown, Member, Named, Segments, SegmentShown
from customers.values import Name, Segment


def group_router(s: Services) -> APIRouter:
    """Return the routes /v1/segments and /v1/audience."""
    router = APIRouter(prefix="/v1", tags=["groups"], responses=documented(401, 403, 404, 422, 429, 503))
    merchandiser = s.callers.require("merchandiser")

    @router.get("/segments", summary="Every segment, the largest first")
    def segments(_: Annotated[Caller, Depends(merchandiser)]) -> Segments:
        return Segments(segments=[_shown(one) for one in s.shop().segments()])

    @router.get("/segments/{segment}", summary="One segment")
    def segment(
        segment: Annotated[str, Path(min_length=1, max_length=200, description="A key or a name")],
        _: Annotated[Caller, Depends(merchandiser)],
    ) -> SegmentShown:
        shop = s.shop()
        return _shown(shop.segment(resolve(shop, "segment", segment)))

    @router.get("/audience", summary="Whom to address for a category or a product")
    def audience(
        _: Annotated[Caller, Depends(merchandiser)],
        kind: Annotated[Literal["category", "product"], Query(description="What it is for")],
        key: Annotated[
            str, Query(max_length=200, description="A category's key or name, or a product's number")
        ],
        segment: Annotated[
            str | None, Query(max_length=200, description="Only of this one: a key or a name")
        ] = None,
        n: Annotated[int, Query(ge=1, le=5000)] = 20,
    ) -> AudienceShown:
        shop = s.shop()
        found = shop.audience(
            category=resolve(shop, "category", key) if kind == "category" else None,
            product_id=key if kind == "product" else None,
            segment_id=resolve(shop, "segment", segment) if segment is not None else None,
            n=n,
        )
        erased = s.erased.among([m.customer_id for m in found.members])
        return AudienceShown(
            target=_named(found.target),
            members=[Member(**asdict(m)) for m in found.members if m.customer_id not in erased],
            eligible=found.eligible, expected_buyers=found.expected_buyers, base_rate=found.base_rate,
        )  # fmt: skip

    return router


def _named(name: Name) -> Named:
    return Named(en=name.en, zh=name.zh)


def _shown(one: Segment) -> SegmentShown:
    """A segment without the customers that are its examples: a group is told of, nobody in it."""
    return SegmentShown(
        segment_id=one.segment_id, name=_named(one.name), size=one.size, share=one.share, mean_spend=one.mean_spend,
        mean_baskets=one.mean_baskets, mean_recency_days=one.mean_recency_days,
        categories=[
            {"category": t.category, "name": asdict(t.name), "share": t.share, "lift": t.lift} for t in one.top
        ],
    )  # fmt: skip
