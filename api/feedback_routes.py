"""POST /v1/feedback: what became of offers; it is on disk when the answer comes."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from api.callers import Caller
from api.errors import Problem, documented
from api.services import Services
from api.shapes import FeedbackBatch, FeedbackGiven, FeedbackKept
from customers.errors import BadInput
from customers.stores.feedback import FeedbackEvent


def feedback_router(s: Services) -> APIRouter:
    """Return the route; a service key's call is about one customer."""
    router = APIRouter(
        prefix="/v1",
        tags=["feedback"],
        responses=documented(400, 401, 403, 404, 408, 409, 413, 422, 429, 503),
    )
    sender = s.callers.require("service", "push")

    @router.post("/feedback", summary="Tell what became of offers", status_code=202)
    def feedback(batch: FeedbackBatch, caller: Annotated[Caller, Depends(sender)]) -> FeedbackKept:
        named = {one.customer for one in batch.feedback}
        if caller.role == "service" and len(named) > 1:
            raise Problem(
                403, "a service key's call is about one customer", code="role", param="customer",
                allowed="send each customer's feedback in a call of its own, or use a push key",
            )  # fmt: skip
        for customer in named:
            s.known(customer)
        now = datetime.now(UTC)
        given = [_event(one, now) for one in batch.feedback]
        try:
            new = s.feedback.record_all(given)
        except BadInput as error:
            if error.__cause__ is None:
                raise Problem(409, str(error), code="used", param="id") from error
            raise Problem(503, str(error), code="busy", headers={"Retry-After": "30"}) from error
        return FeedbackKept(accepted=new, repeated=len(given) - new)

    return router


def _event(given: FeedbackGiven, now: datetime) -> FeedbackEvent:
    context = {"rank": given.rank, "chance": given.chance}
    return FeedbackEvent(
        id=given.id or uuid.uuid4().hex, customer_id=given.customer, product_id=given.product, action=given.action,
        at=given.at or now, session=given.session, context={k: v for k, v in context.items() if v is not None},
    )  # fmt: skip
