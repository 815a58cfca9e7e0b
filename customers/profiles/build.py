"""The profile stages of a build, in order: behaviour tables, features, preferences, segments, embeddings.

Tables written: customer_summary, customer_months, customer_categories, category_totals,
category_rhythm, customer_rhythm, category_looks (where the shop has looks), preferences, preference_usual, customer_segments, segments,
segment_categories, segment_choice, segment_traits, segment_examples, segment_moves, segment_before,
interest_rules, segment_rules, customer_map, review_sentiment, category_sentiment,
customer_predictions, attribute_guesses, and those of
`profiles.encoded`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import numpy as np
import pyarrow as pa

from customers.features.behaviour import category_rhythm, contacts, customer_rhythm, decayed_counts
from customers.features.lines import own_brand_keys
from customers.features.looks import look_rhythm
from customers.features.sentiment.tables import review_sentiment
from customers.profiles import summary
from customers.profiles.alike import SCORES
from customers.profiles.clustering import InterestSegments, KRow
from customers.profiles.design import ALL_COLUMNS, design
from customers.profiles.embedding import count_matrix
from customers.profiles.encoded import write_encoded
from customers.profiles.forecast import write_predictions
from customers.profiles.gaps import write_guesses
from customers.profiles.naming import carry
from customers.profiles.profile_labels import write_labels
from customers.profiles.rules import write_rules
from customers.profiles.segment_facts import last_build, write_segment_facts
from customers.profiles.segments import describe
from customers.profiles.training import hold_out, hold_out_cut, rhythm_at, served_categories, train
from customers.profiles.vectors import write_vectors
from customers.profiles.workspace import Behaviours, Workspace, behaviours
from customers.stages import Stopwatch
from customers.values import Segment

HALF_LIFE = 120.0


def run(work: Workspace, watch: Stopwatch, *, fill_gaps: bool = False) -> None:
    """Run every stage, writing into `work`; unknown attributes are guessed only on `fill_gaps`."""
    with watch.stage("behaviour tables"):
        data = behaviours(work)
        write_summaries(work, data)
    with watch.stage("features of every kind of event"):
        write_encoded(work, hold_out_cut(data), data.last_day)
    with watch.stage("sentiment of reviews"):
        review_sentiment(work)
    with watch.stage("preference models") as told:
        write_preferences(work, data, lambda done, total: told.step(done, total))
    with watch.stage("next orders, churn and value"):
        write_predictions(work, data)
        write_guesses(work, fill=fill_gaps)
    with watch.stage("segments"):
        customers, segments = write_segments(work, data)
    with watch.stage("labels"):
        write_labels(work.con, own_brand_keys(work.table("names")))
    with watch.stage("text embeddings and behaviour vectors") as told:
        write_vectors(work, data, customers, segments, told)


def write_summaries(work: Workspace, data: Behaviours) -> None:
    """Tables that profile cards are read from."""
    reached = contacts(work.table("events"), data.last_day)
    work.keep("customer_summary", _sorted(summary.customer_summary(data.baskets, reached, data.last_day)))
    work.keep("customer_months", _sorted(summary.customer_months(data.lines)))
    totals = work.keep("category_totals", summary.category_totals(data.lines).order_by("category"))
    own = summary.customer_categories(data.categories, totals, data.last_day)
    work.keep("customer_categories", _sorted(own))
    work.keep("category_rhythm", _sorted(category_rhythm(data.categories, data.last_day)))
    work.keep("customer_rhythm", _sorted(customer_rhythm(data.baskets, data.last_day)))
    if data.looks is not None:
        work.keep("category_looks", _sorted(look_rhythm(data.looks, data.last_day)))


def write_preferences(work: Workspace, data: Behaviours, step) -> None:
    """Held-out quality, then the served models: fitted on everything, predicting from the last day."""
    done = iter(range(1, 10))

    def tell() -> None:
        step(next(done), 8)

    scored = hold_out(data, tell)
    categories = served_categories(data.categories, data.last_day)
    model = train(data, data.last_day, categories, tell) if categories else None
    quality = None if scored is None else asdict(scored)
    (work.out / "preference.json").write_text(json.dumps(quality, default=str, indent=1), encoding="utf-8")
    rhythm = rhythm_at(data, data.last_day, categories if model is not None else [])
    columns = design(rhythm)
    probability = np.empty((0,)) if model is None else model.probability(columns).ravel()
    if model is not None:
        model.save(work.out / "preference.npz")
    text, number = pa.string(), pa.float64()
    kept = {"customer_id": text, "category": text, "probability": number} | dict.fromkeys(SCORES, number)
    work.keep_rows(
        "preferences",
        pa.schema(kept),
        {
            "customer_id": [key for key in rhythm.customers for _ in rhythm.categories],
            "category": rhythm.categories * len(rhythm.customers),
            "probability": probability,
            **{name: rhythm.others[name].ravel() for name in SCORES},
        },
    )
    usual = usual_values(rhythm.categories, columns, rhythm.behaviours())
    fields = ("category", "column_name", "usual")
    work.keep_rows(
        "preference_usual",
        pa.schema({"category": pa.string(), "column_name": pa.string(), "usual": pa.float64()}),
        {name: [row[i] for row in usual] for i, name in enumerate(fields)},
    )


def usual_values(
    categories: list[str], columns: np.ndarray, shown: dict[str, np.ndarray]
) -> list[tuple[str, str, float]]:
    """All customers' means, per category: of the models' columns ("log_days") and of the behaviours
    ("behaviour:baskets")."""
    rows: list[tuple[str, str, float]] = []
    means = columns.mean(axis=0, dtype=np.float64)
    for i, name in enumerate(list(ALL_COLUMNS)[: columns.shape[-1]]):
        rows += [(category, name, float(means[j, i])) for j, category in enumerate(categories)]
    for name, values in shown.items():
        mean = values.mean(axis=0)
        rows += [(category, f"behaviour:{name}", float(mean[j])) for j, category in enumerate(categories)]
    return rows


def write_segments(work: Workspace, data: Behaviours) -> tuple[list[str], list[Segment]]:
    """Cluster, describe and store segments; customers come in text order."""
    totals = work.con.execute(
        "SELECT customer_id, spend, baskets, recency_days FROM customer_summary ORDER BY customer_id"
    ).fetchnumpy()
    customers = [str(key) for key in totals["customer_id"]]
    counts = decayed_counts(data.categories, "category", data.last_day, HALF_LIFE).to_pandas()
    categories = sorted(counts["category"].unique().tolist())
    place = (counts["customer_id"].tolist(), counts["category"].tolist())
    baskets, spend = (
        count_matrix(*place, counts[column].tolist(), customers, categories)
        for column in ("baskets", "spend")
    )
    found = InterestSegments().fit(baskets)
    figures = np.column_stack([totals[name] for name in ("spend", "baskets", "recency_days")]).astype(float)
    segments = describe(found.labels_, spend, baskets, categories, work.names("category"), figures)
    _keep_segments(work, customers, found, segments)
    distances = found.distances(baskets).min(axis=1)
    ids, before = [segments[i].segment_id for i in found.labels_], last_build(work.out)
    write_segment_facts(work, customers, ids, distances, before)
    write_rules(work, baskets, categories, ids)
    if before:
        words = work.con.execute("SELECT kind, key, language, synonym FROM synonyms ORDER BY ALL").fetchall()
        members = dict(zip(customers, ids, strict=True))
        carry(before.version, work.out, members, before.segment_of, segments, words)
    return customers, segments


def _keep_segments(
    work: Workspace, customers: list[str], found: InterestSegments, segments: list[Segment]
) -> None:
    ids, factors = [segments[label].segment_id for label in found.labels_], found.factors_
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    members = {"customer_id": customers, "segment_id": ids}
    work.keep_rows("customer_segments", pa.schema({"customer_id": text, "segment_id": text}), members)
    flat = np.zeros((len(customers), 2))
    flat[:, : min(2, factors.shape[1])] = factors[:, :2]
    places = {"customer_id": customers, "x": flat[:, 0], "y": flat[:, 1]}
    work.keep_rows("customer_map", pa.schema({"customer_id": text, "x": number, "y": number}), places)
    plain = {
        "segment_id": text, "size": whole, "share": number,
        "mean_spend": number, "mean_baskets": number, "mean_recency_days": number,
    }  # fmt: skip
    rows = {name: [getattr(s, name) for s in segments] for name in plain}
    rows |= {"name_en": [s.name.en for s in segments], "name_zh": [s.name.zh for s in segments]}
    work.keep_rows("segments", pa.schema(plain | {"name_en": text, "name_zh": text}), rows)
    tastes = {"category": text, "spend": number, "baskets": whole, "share": number, "lift": number}
    tops = [(s.segment_id, rank, taste) for s in segments for rank, taste in enumerate(s.top)]
    rows = {name: [getattr(taste, name) for *_, taste in tops] for name in tastes}
    rows |= {"segment_id": [top[0] for top in tops], "rank": [top[1] for top in tops]}
    work.keep_rows("segment_categories", pa.schema({"segment_id": text, "rank": whole} | tastes), rows)
    tried = {"k": whole} | {field.name: number for field in fields(KRow)[1:]} | {"chosen": pa.bool_()}
    table = [asdict(row) | {"chosen": row.k == found.n_clusters_} for row in found.table_]
    work.keep_rows("segment_choice", pa.schema(tried), {name: [row[name] for row in table] for name in tried})


def _sorted(table):
    return table.order_by("customer_id")
