"""One call that keeps what came of a recommendation, for whoever has a shop at hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from customers.errors import Unknown
from customers.stores.feedback import Action, FeedbackEvent

if TYPE_CHECKING:
    from customers.shop import Shop


def record_feedback(
    shop: Shop, customer: str, product: str, action: Action, at: datetime, id: str, session: str = ""
) -> bool:
    """Keep that a customer did something with an offered product; return whether it is new. `id` is the sender's own:
    the same event again changes nothing. Raises Unknown for a customer or product that the shop does not have, and
    BadInput as `FeedbackStore.record` does."""
    if not shop.has_customer(customer):
        raise Unknown(f"there is no customer {customer!r} in this shop")
    shop.product_name(product)
    return shop.feedback.record(FeedbackEvent(id, customer, product, action, at, session))
