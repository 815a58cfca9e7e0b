"""Plain values that the profiling core hands out; no storage, no library types in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Name:
    """What something is called in both languages; `zh` equals `en` where no Chinese name exists."""

    en: str
    zh: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class ShopInfo:
    """What the shop is, and the period (inclusive, local days) that its data covers. `simulated` counts
    the events that a simulator made; `events` are the others, unless all are simulated."""

    name: str
    currency: str
    first_day: date
    last_day: date
    customers: int
    products: int
    events: int
    simulated: int = 0

    @property
    def filled(self) -> bool:
        """Whether a simulator made some of the events but not all: those of kinds that the shop lacks."""
        return 0 < self.simulated != self.events


@dataclass(frozen=True, slots=True)
class CategoryTaste:
    """One category in one customer's or one segment's behaviour.

    `spend` money over the whole period, `baskets` trips with the category, `share` of the spend
    (0..1), `lift` that share over all customers' share (1 = like everybody), `days_since` the last
    purchase counted from the shop's last day (None for a segment).
    """

    category: str
    name: Name
    spend: float
    baskets: int
    share: float
    lift: float
    days_since: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentTrait:
    """A value of an attribute that a segment's customers have more often than chance would let them:
    `share` of those of its customers whose attribute is known (0..1), `usual` of all such customers."""

    attribute: str
    value: str
    customers: int
    share: float
    usual: float


@dataclass(frozen=True, slots=True)
class SegmentMove:
    """Customers of a segment by the segment that they were in at the last build (`matched`: the one that
    goes on in this one); `name` None: they were in none."""

    name: Name | None
    customers: int
    matched: bool


@dataclass(frozen=True, slots=True)
class TogetherRule:
    """Customers interested in all of `when` are interested in `then` too: in a segment `customers` of it, with
    its own `confidence` (0..1); `lift` is the rule's among all customers."""

    when: tuple[Name, ...]
    then: Name
    customers: int
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A group of customers that buy alike. `top` are the categories that set it apart, by lift; `traits`
    who they are more often than others; `examples` the customers nearest to its middle; `moves` where its
    customers were at the last build, most first; `size_before` how many it had then (None: it is new, or
    there was no build before); `together` the interests that go together in it."""

    segment_id: str
    name: Name
    size: int
    share: float
    mean_spend: float
    mean_baskets: float
    mean_recency_days: float
    top: tuple[CategoryTaste, ...] = ()
    traits: tuple[SegmentTrait, ...] = ()
    examples: tuple[str, ...] = ()
    moves: tuple[SegmentMove, ...] = ()
    size_before: int | None = None
    together: tuple[TogetherRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Propensity:
    """Calibrated probability (0..1) that a customer buys from a category in the next 30 days."""

    category: str
    name: Name
    probability: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of a customer after `as_of`, the data's last day; estimates, never facts.

    `next_order` is the median date of the next order, `next_low` and `next_high` enclose it 8 times in
    10; None means later than 90 days. `churn` is the chance (0..1) of no order within 60 days, `alive`
    that the customer has not stopped for good. `value` is the money expected within 90 days, between
    `value_low` and `value_high` 8 times in 10.
    """

    as_of: date
    next_low: date | None
    next_order: date | None
    next_high: date | None
    alive: float
    churn: float
    value: float
    value_low: float
    value_high: float


@dataclass(frozen=True, slots=True)
class Guess:
    """The most likely value of an attribute that nobody told, with its probability (0..1)."""

    value: str
    probability: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything the profile card of one customer shows.

    `spend` etc. cover the whole period of the data; `days_between` is the median number of days
    between two trips (None below two trips); `attributes` maps attribute -> value and is empty
    where nothing is known; `guesses` maps attributes that nobody told, where a build was asked to guess.
    """

    customer_id: str
    segment: Segment | None
    attributes: dict[str, str]
    first_day: date
    last_day: date
    recency_days: int
    baskets: int
    spend: float
    mean_basket: float
    days_between: float | None
    spend_by_month: tuple[tuple[date, float], ...]
    top_categories: tuple[CategoryTaste, ...]
    likely: tuple[Propensity, ...]
    campaigns_received: int
    coupons_redeemed: int
    outlook: Outlook | None = None
    guesses: dict[str, Guess] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one behaviour moved a score: `value` is the feature's own value in its own unit,
    `usual` all customers' mean of it, `logit` the coefficient times the scaled difference."""

    feature: str
    value: float
    usual: float
    logit: float


@dataclass(frozen=True, slots=True)
class Change:
    """A customer's probability had they bought the category on `trips` more (or fewer, below 0) of the trips
    that they made in the last `days` days; `crosses`: it comes to the other side of one half."""

    trips: int
    days: int
    probability: float
    crosses: bool


@dataclass(frozen=True, slots=True)
class PreferenceExplanation:
    """Why a customer's 30-day probability for a category is what it is (logistic regression), and what would
    change it, where anything plausible would."""

    category: str
    name: Name
    probability: float
    base_rate: float
    contributions: tuple[Contribution, ...]
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One product for one customer. `reason` names the strongest evidence by its kind, with the
    evidence's own figures in `evidence` (counts, days, ids), so that any language can render it:
    "repeat" {baskets, days_since, every_days}, "together" {because: product_id, baskets},
    "alike" {category, share_of_similar}, "popular" {customers}; "crowd" and "reduced" (`customers.recommend.onboarding`
    says what they hold); "family" {because: product_id of the same maker, baskets, customers}."""

    product_id: str
    name: str
    category: str
    score: float
    reason: str
    evidence: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimilarCustomer:
    """A customer near another in behaviour embedding; `similarity` is the cosine (-1..1)."""

    customer_id: str
    similarity: float
    segment: Name | None
    shared_categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """A customer like those of a list; `score` (0..1) ranks, and is no probability."""

    customer_id: str
    score: float


@dataclass(frozen=True, slots=True)
class AudienceMember:
    """A customer worth addressing for a category or product, with the probability to buy."""

    customer_id: str
    probability: float
    baskets: int
    days_since: int | None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who to address: the best `members` of `eligible` customers, with the expected buyers among
    them (sum of probabilities) and the share that buys anyway (base rate over all customers)."""

    target: Name
    members: tuple[AudienceMember, ...]
    eligible: int
    expected_buyers: float
    base_rate: float


@dataclass(frozen=True, slots=True)
class ProductHit:
    """A product found by text; `score` is the cosine to the query."""

    product_id: str
    name: str
    category: str
    brand: str
    price: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Together:
    """What is bought in the same basket: `baskets` with both, `confidence` = both / baskets with
    the first, `lift` = confidence over the second's share of all baskets."""

    key: str
    name: Name
    baskets: int
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """One campaign: who received it, who redeemed, and what was redeemed most."""

    campaign_id: str
    name: str
    kind: str
    start_day: date
    end_day: date
    received: int
    redeemers: int
    redemptions: int
    coupons: int
    products: int
    top_categories: tuple[tuple[str, int], ...]


NoteKind = Literal["note", "offered", "handoff"]
"""The staff's own words; products that were recommended in a session; a matter passed to a colleague."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted of a customer. `id` is the number that people see, unique in the shop; `text` is
    what somebody wrote ("" for "offered", which has the ids of `products` instead); `written` is in UTC;
    `session` is the one it came from ("" for none)."""

    id: int
    customer_id: str
    written: datetime
    kind: NoteKind
    text: str
    products: tuple[str, ...] = ()
    session: str = ""

    @property
    def day(self) -> date:
        """The local day on which it was written."""
        return self.written.astimezone().date()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason why two things go together (`customers.graph.why` says what each kind's figures are):
    "baskets", "buyers", "next", "segment", "need", "category", "department", "brand" or "through".
    `key` and `name` are of the third thing that it speaks of (the segment, the need, the brand, the
    category between the two), None where there is none."""

    kind: str
    figures: dict[str, float]
    key: str | None = None
    name: Name | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why `first` and `second` go together, the strongest kinds of evidence first. `lift` is that of
    sharing baskets: above 1 they do so more often than chance, below 1 more seldom."""

    first: Name
    second: Name
    lift: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class NewCategory:
    """A category that a customer never bought, near to what they buy. `score` ranks it; `because` is the
    category they buy that leads to it the most, by the `relation` ("together": `support` baskets hold
    both; "after": `support` next trips; "buyers": `support` customers buy both) of that `lift`; None
    where only its being taken up by many speaks for it."""

    category: str
    name: Name
    score: float
    because: str | None = None
    because_name: Name | None = None
    relation: str = ""
    support: int = 0
    lift: float = 1.0


LABEL_KINDS = ("basic", "behaviour", "product", "interest", "preference", "need", "opinion")
"""Customer data; how they shop; brands, sizes and price levels; what they buy more than others; what they
will buy; what they searched for; what they think of what they bought."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label of one customer. `key` is stable over builds ("lapsed", "category:PASTA"); `value` is the
    figure or text behind it; `source` says what it comes from; `confidence` (0..1) how sure it is: 1 for
    what is known or counted, a probability for what is estimated; `as_of` the day it was known."""

    kind: str
    key: str
    name: Name
    value: str
    source: str
    confidence: float
    as_of: date
