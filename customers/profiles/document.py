"""A customer's profile as one JSON document (profile.schema.json beside this file), and as text.

`kinds` decides which kinds of label a document holds: whoever asks for a purpose that may not see some
kinds leaves them out here, and the document says which it holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from customers import values as v
from customers.errors import BadInput, NotBuilt
from customers.profiles.forecast import CHURN_DAYS, ORDER_DAYS, VALUE_DAYS
from customers.stores.reader import Reader

VERSION = "1.1"
# The share of ranges that hold what comes, as the models are fitted and the bench checks.
HELD = 0.8
_SCHEMA = Path(__file__).with_name("profile.schema.json")


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every document keeps to."""
    return json.loads(_SCHEMA.read_text(encoding="utf-8"))


def read_labels(reader: Reader, customer_id: str, kinds: Collection[str] = v.LABEL_KINDS) -> list[v.Label]:
    """Labels of a customer by kind, the surest first. Raises BadInput for a kind that does not exist,
    NotBuilt where the version is older than labels."""
    if unknown := sorted(set(kinds) - set(v.LABEL_KINDS)):
        raise BadInput(f"there is no kind of label {unknown[0]!r}; kinds are {', '.join(v.LABEL_KINDS)}")
    if not reader.has_table("customer_labels"):
        raise NotBuilt("this build has no labels; run `shopkeeper build`")
    rows = reader.rows(
        "SELECT kind, key, label_en, label_zh, value, source, confidence, as_of FROM customer_labels"
        " WHERE customer_id = ? ORDER BY confidence DESC, key",
        [customer_id],
    )
    labels = [v.Label(row[0], row[1], v.Name(row[2], row[3]), *row[4:]) for row in rows if row[0] in kinds]
    return sorted(labels, key=lambda label: v.LABEL_KINDS.index(label.kind))


def read_rules(reader: Reader) -> dict[str, v.Name]:
    """What each label means, by its key or by the part of its key up to the colon."""
    return {
        key: v.Name(en, zh) for key, en, zh in reader.rows("SELECT key, rule_en, rule_zh FROM label_rules")
    }


def rule_of(rules: dict[str, v.Name], key: str) -> v.Name | None:
    """The rule behind a label; None for customer data, which has none."""
    prefix = key.partition(":")[0] + ":"
    return rules.get(key) or rules.get("likes:" if prefix == "dislikes:" else prefix)


def document(
    info: v.ShopInfo,
    profile: v.Profile,
    labels: Sequence[v.Label],
    rules: dict[str, v.Name],
    attribute_names: dict[str, tuple[v.Name, v.Name]],
    kinds: Collection[str] = v.LABEL_KINDS,
) -> dict[str, Any]:
    """The document as plain JSON values. `attribute_names`: attribute -> (its name, its value's name).
    Attributes stand in it where "basic" is among the kinds, chances and predictions where "preference" is, the
    segment and the tastes where "interest" is."""
    return {
        "schema_version": VERSION,
        "customer_id": profile.customer_id,
        "as_of": info.last_day.isoformat(),
        "shop": {
            "name": info.name,
            "currency": info.currency,
            "first_day": info.first_day.isoformat(),
            "last_day": info.last_day.isoformat(),
        },
        "label_kinds": [kind for kind in v.LABEL_KINDS if kind in kinds],
        "behaviour": _behaviour(profile),
        "attributes": [
            {"key": key, "value": value, "name": _name(names[0]), "value_name": _name(names[1])}
            for key, value in profile.attributes.items()
            if "basic" in kinds and (names := attribute_names[key])
        ],
        "segment": _segment(profile.segment) if "interest" in kinds else None,
        "tastes": [_taste(taste) for taste in profile.top_categories] if "interest" in kinds else [],
        "likely": [
            {"category": p.category, "name": _name(p.name), "probability": p.probability, "days": 30}
            for p in profile.likely
            if "preference" in kinds
        ],
        "predictions": _predictions(profile.outlook) if "preference" in kinds else None,
        "labels": [_label(label, rule_of(rules, label.key)) for label in labels if label.kind in kinds],
    }


def _behaviour(p: v.Profile) -> dict[str, Any]:
    return {
        "first_day": p.first_day.isoformat(),
        "last_day": p.last_day.isoformat(),
        "days_since_last_trip": p.recency_days,
        "trips": p.baskets,
        "spend": round(p.spend, 2),
        "mean_basket": round(p.mean_basket, 2),
        "usual_gap_days": p.days_between,
        "campaigns_received": p.campaigns_received,
        "coupons_redeemed": p.coupons_redeemed,
        "spend_by_month": [{"month": f"{day:%Y-%m}", "spend": round(s, 2)} for day, s in p.spend_by_month],
    }


def _segment(segment: v.Segment | None) -> dict[str, Any] | None:
    if segment is None:
        return None
    return {"segment_id": segment.segment_id, "name": _name(segment.name), "share": segment.share}


def _taste(taste: v.CategoryTaste) -> dict[str, Any]:
    return {
        "category": taste.category,
        "name": _name(taste.name),
        "spend": round(taste.spend, 2),
        "trips": taste.baskets,
        "share": taste.share,
        "lift": taste.lift,
        "days_since": taste.days_since,
    }


def _predictions(ahead: v.Outlook | None) -> dict[str, Any] | None:
    """Estimates, each with its range or as a probability; None where the data is too short for any."""
    if ahead is None:
        return None
    days = [day and day.isoformat() for day in (ahead.next_low, ahead.next_order, ahead.next_high)]
    return {
        "as_of": ahead.as_of.isoformat(),
        "next_order": {
            "low": days[0], "median": days[1], "high": days[2], "within_days": ORDER_DAYS, "range_holds": HELD,
        },
        "churn": {"probability": ahead.churn, "days": CHURN_DAYS},
        "value": {
            "expected": round(ahead.value, 2), "low": round(ahead.value_low, 2), "high": round(ahead.value_high, 2),
            "days": VALUE_DAYS, "range_holds": HELD,
        },
    }  # fmt: skip


def _label(label: v.Label, rule: v.Name | None) -> dict[str, Any]:
    return {
        "kind": label.kind,
        "key": label.key,
        "name": _name(label.name),
        "value": label.value,
        "source": label.source,
        "confidence": round(label.confidence, 4),
        "as_of": label.as_of.isoformat(),
        "rule": None if rule is None else _name(rule),
    }


def _name(name: v.Name) -> dict[str, str]:
    return {"en": name.en, "zh": name.zh}


def render_text(doc: dict[str, Any], language: str = "en") -> str:
    """The document as lines for a terminal, in English or Chinese ("zh")."""
    from customers.profiles.page import KIND_TITLES, WORDS, outlook_words, percent

    words = WORDS[language]
    told = doc["behaviour"]
    money = f"{doc['shop']['currency']}{told['spend']:,.2f}"
    lines = [
        f"{words['customer']} {doc['customer_id']}  ({doc['shop']['name']}, {doc['as_of']})",
        f"  {words['spend']} {money} · {words['trips']} {told['trips']:,} · {words['last_trip']} {told['last_day']}",
    ]
    if doc["segment"]:
        lines.append(f"  {words['segment']} {doc['segment']['name'][language]}")
    lines += [f"  {name} {said}" for name, said in outlook_words(doc, language)]
    for kind in doc["label_kinds"]:
        own = [label for label in doc["labels"] if label["kind"] == kind]
        if own:
            lines.append(KIND_TITLES[kind][language])
            lines += [
                f"  {percent(label['confidence']):>5}  {_flat(label['name'][language])}  ({label['value']})"
                for label in own
            ]
    return "\n".join(_flat(line) for line in lines)


def _flat(text: str) -> str:
    """Data holds no line breaks and nothing that a terminal obeys."""
    return "".join(c if c.isprintable() else " " for c in text)
