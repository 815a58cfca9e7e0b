"""What callers send to the REST routes, and what they get back; the OpenAPI document is made of these."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from agent.core import MAX_QUESTION
from customers.stores.feedback import Action

# One sign at least that shows; spelt out, since engines differ in what they call white space.
_SHOWN = r"[^\s\x00-\x1f\x7f-\xa0]"
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_SHOWN)]
Question = Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUESTION, pattern=_SHOWN)]
Language = Literal["en", "zh"]
Number = Annotated[int, Field(ge=1, le=20)]


class Asked(BaseModel):
    """A question. `session` is a name of your own: questions under one name follow each other."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    customer: Id | None = None
    session: Id | None = None
    role: Literal["service", "merchandiser"] | None = Field(
        None, description="Asked as; only an admin key may choose"
    )


class Named(BaseModel):
    """A name in both languages."""

    en: str
    zh: str


class Recommended(BaseModel):
    """A product for a customer with the reason, and the reason's own figures."""

    product_id: str
    name: str
    category: str
    score: float
    reason: Named
    evidence: dict[str, float | str]


class Recommendations(BaseModel):
    """Products for one customer, best first."""

    customer: str
    recommendations: list[Recommended]


class Asking(BaseModel):
    """A question to somebody without a history: whether they buy a category regularly."""

    category: str
    text: Named


class Newcomers(BaseModel):
    """What to offer to a customer without a history, and what to ask next. `agreeing` of the shop's `customers` would
    have answered alike."""

    popular: list[Recommended]
    reduced: list[Recommended] = Field(description="The price is reduced now")
    questions: list[Asking]
    agreeing: int
    customers: int


class SegmentShown(BaseModel):
    """A group of customers that buy alike."""

    segment_id: str
    name: Named
    size: int
    share: float
    mean_spend: float
    mean_baskets: float
    mean_recency_days: float
    categories: list[dict[str, Any]] = Field(description="The categories that set it apart, by lift")


class Segments(BaseModel):
    """Every segment, the largest first."""

    segments: list[SegmentShown]


class Member(BaseModel):
    """A customer worth addressing."""

    customer_id: str
    probability: float
    baskets: int
    days_since: int | None


class AudienceShown(BaseModel):
    """Whom to address for a category or a product: the best of those eligible."""

    target: Named
    members: list[Member]
    eligible: int
    expected_buyers: float
    base_rate: float


def _written(value: Any) -> Any:
    """Take a time as it is documented, and no number that pydantic would take for one."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", value):
        raise ValueError("write ISO 8601, such as 2024-06-30T18:05:00+08:00")
    return value


class FeedbackGiven(BaseModel):
    """What a customer did with an offered product. `at` in ISO 8601, UTC where it tells no offset; now if left out.
    An `id` of your own makes sending again harmless. `rank` and `chance` are the place that the product stood at,
    and how likely it was to stand there, where that is known: a ranking learns better from them."""

    model_config = ConfigDict(extra="forbid")

    customer: Id
    product: Id
    action: Action
    at: Annotated[datetime, BeforeValidator(_written)] | None = None
    id: Id | None = None
    session: Annotated[str, StringConstraints(max_length=200)] = ""
    rank: Annotated[int, Field(ge=1, le=1000)] | None = None
    chance: Annotated[float, Field(gt=0, le=1)] | None = None


class FeedbackBatch(BaseModel):
    """Up to a thousand pieces of feedback, kept all or none."""

    model_config = ConfigDict(extra="forbid")

    feedback: Annotated[list[FeedbackGiven], Field(min_length=1, max_length=1000)]


class FeedbackKept(BaseModel):
    """How many were new; the others had come before."""

    accepted: int
    repeated: int


class Receipt(BaseModel):
    """What was erased, place by place, and what builds hold until the next ones take their place."""

    customer: str
    receipt: str
    at: str
    by: str
    purpose: str
    erased: dict[str, int]
    remaining: dict[str, int]
    complete: bool
    next_step: str


class Erasure(BaseModel):
    """The receipts of a customer, and what is left of them now."""

    customer: str
    receipts: list[dict[str, Any]]
    remaining: dict[str, int]
    complete: bool


class Export(BaseModel):
    """Everything that is kept of one customer."""

    customer: str
    exported_at: datetime
    profile: dict[str, Any]
    records: dict[str, list[dict[str, Any]]] = Field(description="Events and attributes in the current build")
    kept: dict[str, list[dict[str, Any]]] = Field(
        description="Notes, feedback, and what else is kept beside it"
    )
