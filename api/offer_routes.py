"""Offers of a kind: to customers without a history, and within a brand's family. For service keys, and admin's."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.callers import Caller
from api.errors import Problem, documented
from api.names import resolve
from api.services import Services
from api.shapes import Asking, Named, Newcomers, Number, Recommendations, Recommended
from customers.shop import Shop
from customers.values import Recommendation
from tools.newcomer import question
from tools.recommend import reason

Categories = Annotated[
    list[Annotated[str, Query(max_length=200)]], Query(max_length=20, description="Keys or names")
]


def offer_router(s: Services) -> APIRouter:
    """Return the routes /v1/newcomer and /v1/customers/ID/family."""
    router = APIRouter(prefix="/v1", tags=["customers"], responses=documented(401, 403, 404, 422, 429, 503))
    service = s.callers.require("service")

    @router.get("/newcomer", summary="What to offer to, and to ask, a customer without a history")
    def newcomer(
        _: Annotated[Caller, Depends(service)],
        n: Number = 5,
        buys: Categories = [],  # noqa: B006  (FastAPI makes a new list for each request)
        buys_not: Categories = [],  # noqa: B006
        store: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Newcomers:
        shop = s.shop()
        answers = {resolve(shop, "category", name): False for name in buys_not}
        for name in buys:
            key = resolve(shop, "category", name)
            if key in answers:
                raise Problem(
                    422, "a category is both bought and not bought; send one of the two", param="buys"
                )
            answers[key] = True
        found = shop.newcomer(n, answers, store)
        return Newcomers(
            popular=_shown(shop, found.popular), reduced=_shown(shop, found.reduced),
            questions=[Asking(category=key, text=Named(**question(shop, key))) for key in found.questions],
            agreeing=found.agreeing, customers=found.customers,
        )  # fmt: skip

    @router.get(
        "/customers/{customer_id}/family", summary="Further products of the makers that a customer buys from"
    )
    def family(
        customer_id: Annotated[str, Path(min_length=1, max_length=200)],
        _: Annotated[Caller, Depends(service)],
        n: Number = 5,
        product: Annotated[
            str | None, Query(max_length=200, description="Only of this product's maker")
        ] = None,
    ) -> Recommendations:
        shop, customer = s.shop(), s.known(customer_id)
        found = shop.family(customer, product, n).recommendations
        return Recommendations(customer=customer, recommendations=_shown(shop, found))

    return router


def _shown(shop: Shop, found: Sequence[Recommendation]) -> list[Recommended]:
    return [
        Recommended(
            product_id=rec.product_id, name=rec.name, category=rec.category, score=rec.score,
            reason=Named(**reason(shop, rec)), evidence=rec.evidence,
        )
        for rec in found
    ]  # fmt: skip
