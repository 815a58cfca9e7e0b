"""Sentiment of a shop's reviews: one number a review, and means by customer, product and category.

A review's sentiment is 0 (bad) to 1 (good): the model's probability where there are words to read, the
rating where there are none. Reviews lose half their weight every `HALF_LIFE` days in the decayed mean.
"""
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportArgumentType=false
# (Ibis types every column as plain `Column`, which hides the methods of numbers, dates and texts.)

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Protocol

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from customers.features.lines import decayed, known_by
from customers.features.sentiment.model import SentimentModel
from customers.features.sentiment.reading import readable
from customers.schema import EventKind

if TYPE_CHECKING:
    from customers.profiles.workspace import Workspace

HALF_LIFE = 180.0
# Ratings are brought to what holds nearly all of a file: up to 5, 10 or 100.
SCALES = (5.0, 10.0, 100.0)
SHARE_WITHIN_SCALE = 0.99

_REVIEWS = pa.schema(
    {
        "event_id": pa.string(),
        "customer_id": pa.string(),
        "product_id": pa.string(),
        "ts": pa.timestamp("us"),
        "rating": pa.float64(),
        "sentiment": pa.float64(),
    }
)


class Scorer(Protocol):
    """What scores texts: `SentimentModel`, or another in its place."""

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probability of a positive review, shape (len(texts),)."""
        ...


def score_reviews(reviews: pa.Table, model: Scorer | None = None) -> pa.Table:
    """Sentiment of review events (columns event_id, customer_id, product_id, ts, rating, text, source): the
    same rows without text and source and with `sentiment`, null where neither text nor rating tells
    anything.

    `model` is loaded only where a text needs it. Each source has its own scale of ratings.
    """
    ratings = np.array(reviews["rating"].to_pylist(), dtype=float)
    sources = np.array([source or "" for source in reviews["source"].to_pylist()], dtype=object)
    sentiment = np.full(len(ratings), np.nan)
    for source in set(sources):
        sentiment[sources == source] = rated(ratings[sources == source])
    texts = reviews["text"].to_pylist()
    rows = [i for i, text in enumerate(texts) if readable(text)]
    if rows:
        sentiment[rows] = (model or SentimentModel.load()).score([texts[i] for i in rows])
    columns = {name: reviews[name] for name in _REVIEWS.names[:-1]}
    return pa.table(columns | {"sentiment": pa.array(sentiment, from_pandas=True)}).cast(_REVIEWS)


def rated(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratings as 0 (worst) to 1 (best), shape as given; NaN stays. The scale is 1 to 5, 1 to 10 or 0 to 100,
    the first that holds nearly all of them; what lies outside is at its end."""
    known = ratings[np.isfinite(ratings)]
    if not known.size:
        return np.full(ratings.shape, np.nan)
    fits = [scale for scale in SCALES if (known <= scale).mean() >= SHARE_WITHIN_SCALE]
    best = fits[0] if fits else SCALES[-1]
    worst = 0.0 if best == SCALES[-1] else 1.0
    return np.clip((ratings - worst) / (best - worst), 0.0, 1.0)


def sentiment_by(scored: ir.Table, by: Sequence[str], as_of: date, half_life: float = HALF_LIFE) -> ir.Table:
    """One row a value of the columns `by` ("customer_id", "product_id", "category" ...) with reviews up to
    `as_of`: `reviews`, mean `sentiment`, `decayed_sentiment` (weighted 0.5 ** (age in days / half_life)),
    `last_sentiment` and `last_ts` of the newest. Reviews without a sentiment are left out."""
    keyed = scored.filter(scored.sentiment.notnull(), *(scored[name].notnull() for name in by))
    table = known_by(keyed.mutate(day_n=keyed.ts.date().epoch_days().cast("int64")), as_of)
    weight = decayed(table.age, half_life)
    return table.group_by(*by).agg(
        reviews=table.count(),
        sentiment=table.sentiment.mean(),
        decayed_sentiment=(table.sentiment * weight).sum() / weight.sum(),
        last_sentiment=table.sentiment.argmax(ibis.struct({"ts": table.ts, "event_id": table.event_id})),
        last_ts=table.ts.max(),
    )


def review_sentiment(work: Workspace, model: Scorer | None = None) -> None:
    """Write the tables `review_sentiment` (event_id, customer_id, product_id, ts, rating, sentiment) and
    `category_sentiment` (customer_id, category, reviews, sentiment, decayed_sentiment as of the newest
    event's day) of a build. A shop without reviews gets them empty, and no model is loaded."""
    events = work.table("events")
    found = events.filter(events.kind == EventKind.REVIEW.value).order_by("ts", "event_id")
    columns = [*_REVIEWS.names[:-1], "text", "source"]
    scored = score_reviews(found.select(*columns).to_pyarrow(), model)
    work.keep_rows("review_sentiment", _REVIEWS, {name: scored[name] for name in _REVIEWS.names})
    products = work.table("products").select("product_id", "category")
    rows = work.table("review_sentiment").join(products, "product_id")
    last = events.ts.max().to_pyarrow().as_py()
    by_category = sentiment_by(rows, ("customer_id", "category"), last.date() if last else date.max)
    kept = by_category.select("customer_id", "category", "reviews", "sentiment", "decayed_sentiment")
    work.keep("category_sentiment", kept.order_by("customer_id", "category"))
