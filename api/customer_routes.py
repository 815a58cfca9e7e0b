"""What is known of one customer: profile, recommendations, export, erasure. For service keys, and admin's."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from agent.forgetting import conversations_of, forget_conversations
from api.callers import Caller
from api.desk.queue import FILE as DESK_FILE
from api.desk.queue import DeskQueue
from api.errors import Problem, documented
from api.names import resolve
from api.services import Services, customer_mark
from api.shapes import (
    Erasure,
    Export,
    Named,
    Number,
    Receipt,
    Recommendations,
    Recommended,
)
from customers import erasing
from customers.errors import BadInput
from tools.recommend import reason

CustomerId = Annotated[str, Path(min_length=1, max_length=200)]
REBUILD = (
    "builds hold the customer's figures: `shopkeeper erase ID` on the server builds anew and removes them; erase"
    " them in the files that the data was loaded from, too"
)


def customer_router(s: Services) -> APIRouter:
    """Return the routes under /v1/customers."""
    router = APIRouter(
        prefix="/v1/customers/{customer_id}",
        tags=["customers"],
        responses=documented(401, 403, 404, 422, 429, 503),
    )
    service, admin = s.callers.require("service"), s.callers.require("admin")

    @router.get("", summary="All that is known of a customer")
    def profile(customer_id: CustomerId, _: Annotated[Caller, Depends(service)]) -> dict[str, Any]:
        return s.shop().profile_document(s.known(customer_id))

    @router.get("/recommendations", summary="Products to offer a customer, with reasons")
    def recommend(
        customer_id: CustomerId,
        _: Annotated[Caller, Depends(service)],
        n: Number = 5,
        category: Annotated[str | None, Query(max_length=200, description="A key or a name")] = None,
        new_only: Annotated[bool, Query(description="Only what they never bought")] = False,
    ) -> Recommendations:
        return recommended(s, customer_id, n, category, new_only)

    @router.get("/export", summary="Everything that is kept of a customer")
    def export(customer_id: CustomerId, _: Annotated[Caller, Depends(service)]) -> Export:
        shop, customer = s.shop(), s.known(customer_id)
        return Export(
            customer=customer,
            exported_at=datetime.now(UTC),
            profile=shop.profile_document(customer),
            records=erasing.raw_records(s.shop_dir, customer),
            kept=erasing.kept_besides(s.shop_dir, customer),
        )

    @router.delete("", summary="Erase a customer; the receipt tells what went and what is left")
    async def erase(customer_id: CustomerId, caller: Annotated[Caller, Depends(admin)]) -> Receipt:
        return await asyncio.to_thread(_erase, s, customer_id, caller)

    @router.get("/erasure", summary="The receipts of an erased customer, checked against what is left now")
    def erasure(customer_id: CustomerId, _: Annotated[Caller, Depends(admin)]) -> Erasure:
        receipts = s.erased.of(customer_id)
        if not receipts:
            raise Problem(404, "this customer was not erased", code="unknown")
        left = _remaining(s, customer_id)
        return Erasure(customer=customer_id, receipts=receipts, remaining=left, complete=not left)

    return router


def recommended(
    s: Services, customer_id: str, n: int, category: str | None, new_only: bool
) -> Recommendations:
    """Return products for a customer, without those that they turned down."""
    shop, customer = s.shop(), s.known(customer_id)
    key = resolve(shop, "category", category) if category is not None else None
    found = shop.recommend(customer, n=n, category=key, new_only=new_only)
    return Recommendations(
        customer=customer,
        recommendations=[
            Recommended(
                product_id=rec.product_id, name=rec.name, category=rec.category, score=rec.score,
                reason=Named(**reason(shop, rec)), evidence=rec.evidence,
            )
            for rec in found
        ],
    )  # fmt: skip


def _erase(s: Services, customer: str, caller: Caller) -> Receipt:
    """Erase first what a build could bring back, then the rest; the receipt is kept last."""
    held = s.opened.state != "none" and s.shop().has_customer(customer)
    if not held and not _remaining(s, customer):
        raise Problem(404, "there is no such customer in this shop", code="unknown", param="customer")
    try:
        gone = erasing.erase(s.shop_dir, customer)
    except BadInput as error:
        raise Problem(503, str(error), code="busy", headers={"Retry-After": "30"}) from error
    gone["conversations"] = forget_conversations(s.shop_dir, customer, _sessions(customer))
    gone["desk"] = DeskQueue(s.shop_dir).erase(customer) if (s.shop_dir / DESK_FILE).is_file() else 0
    note = s.erased.note(customer, caller.name, caller.purpose, gone)
    left = _remaining(s, customer)
    return Receipt(
        customer=customer, **note, remaining=left, complete=not left, next_step=REBUILD if left else ""
    )


def _remaining(s: Services, customer: str) -> dict[str, int]:
    talked = len(conversations_of(s.shop_dir, customer, _sessions(customer)))
    return erasing.remaining(s.shop_dir, customer) | ({"conversations": talked} if talked else {})


def _sessions(customer: str) -> str:
    return f"api:{customer_mark(customer)}:"
