"""Labels of every customer, each with its source and its confidence, written at the build.

Tables: customer_labels (customer_id, kind, key, label_en, label_zh, value, source, confidence, as_of) and
label_rules (key, rule_en, rule_zh), what a label means with its thresholds; a key with a colon stands for
all keys that begin so ("category:" for "category:PASTA").

Two ways to a confidence. What is known or counted has 1. A rate (weekend trips of all trips) is compared
with the shop's: the confidence is the posterior probability that the customer's own rate is above it, with
a Beta prior worth 10 cases at the shop's rate. A count against an expected count (trips with pasta) is a
Poisson rate ratio with a Gamma prior worth 10 expected cases at 1: the value is the posterior mean, the
lift shrunk towards 1, and the confidence the posterior probability that the ratio is above a margin
(Gelman et al., Bayesian Data Analysis, 3rd ed., 2.4 and 2.6).
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# (pandas types what an index gives as any of several things, which hides the methods of a Series.)

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from customers.profiles import label_words as words
from customers.profiles.label_counts import (
    FACETS,
    INTERESTS,
    OPINIONS,
    RATES,
    SEARCHED,
    TOTALS,
    has_column,
)

COLUMNS = ["customer_id", "kind", "key", "label_en", "label_zh", "value", "source", "confidence", "as_of"]
SURE = 0.9
# An estimate is never certain; 1 stands for what is known or counted.
MOST = 0.9999
_PRIOR = 10.0
_FIFTH = 0.2
_LEAST_TRIPS = 5
_MOST_INTERESTS = _MOST_LIKELY = 5
_LEAST_CHANCE = 0.3


def write_labels(con: duckdb.DuckDBPyConnection, own_brands: Sequence[str]) -> None:
    """Label everybody. `con` holds the build's tables and its held_lines and held_baskets."""
    (day,) = con.execute("SELECT max(last_day) FROM customer_summary").fetchall()[0]
    rules: dict[str, tuple[str, str]] = {}
    parts = [
        _basic(con),
        _totals(con, rules),
        _rates(con, own_brands, rules),
        _plain(con, words.STATES, "behaviour", "purchases", rules),
        _facets(con, own_brands, rules),
        _interests(con, rules),
        _segments(con, rules),
        _preferences(con, rules),
        _counted(con, SEARCHED, "need", "searches", words.NEED, rules),
        _counted(con, OPINIONS, "opinion", "reviews", words.OPINION, rules),
    ]
    labels = pd.concat([p for p in parts if len(p)] or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)
    labels["as_of"] = day
    con.register("computed_labels", labels[COLUMNS])
    con.execute(
        "CREATE TABLE customer_labels AS SELECT customer_id::VARCHAR AS customer_id, kind::VARCHAR AS kind,"
        " key::VARCHAR AS key, label_en::VARCHAR AS label_en, label_zh::VARCHAR AS label_zh, value::VARCHAR AS value,"
        " source::VARCHAR AS source, confidence::DOUBLE AS confidence, as_of::DATE AS as_of"
        " FROM computed_labels ORDER BY customer_id, kind, confidence DESC, key"
    )
    con.unregister("computed_labels")
    con.execute("CREATE TABLE label_rules (key VARCHAR, rule_en VARCHAR, rule_zh VARCHAR)")
    for key, (en, zh) in rules.items():
        con.execute("INSERT INTO label_rules VALUES (?, ?, ?)", [key, en, zh])


def share_above(hits: ArrayLike, cases: ArrayLike, usual: float) -> NDArray[np.float64]:
    """P(own rate > usual), from hits of cases with a Beta prior worth 10 cases at the usual rate."""
    a = _PRIOR * usual + np.asarray(hits, float)
    b = _PRIOR * (1 - usual) + np.asarray(cases, float) - np.asarray(hits, float)
    return np.minimum(stats.beta.sf(usual, np.maximum(a, 1e-9), np.maximum(b, 1e-9)), MOST)


def ratio_above(seen: ArrayLike, expected: ArrayLike, margin: float = 1.0) -> tuple[NDArray, NDArray]:
    """(posterior mean of seen / expected, P(ratio > margin)), with a Gamma prior worth 10 cases at 1."""
    shape, rate = _PRIOR + np.asarray(seen, float), _PRIOR + np.asarray(expected, float)
    return shape / rate, np.minimum(stats.gamma.sf(margin, shape, scale=1 / rate), MOST)


def _basic(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Customer data as it is; a value without a name of its own is told with what it is of."""
    return con.execute(
        """SELECT a.customer_id, 'basic' AS kind, a.attribute || '=' || a.value AS key,
            CASE WHEN v.name_en IS NULL OR v.name_en = a.value
                THEN coalesce(n.name_en, a.attribute) || ': ' || a.value ELSE v.name_en END AS label_en,
            CASE WHEN v.name_en IS NULL OR v.name_en = a.value
                THEN coalesce(n.name_zh, n.name_en, a.attribute) || '：' || coalesce(v.name_zh, a.value)
                ELSE coalesce(v.name_zh, v.name_en) END AS label_zh,
            a.value, 'customer data' AS source, 1.0 AS confidence
        FROM attributes a JOIN customer_summary USING (customer_id)
        LEFT JOIN names n ON n.kind = 'attribute' AND n.key = a.attribute
        LEFT JOIN names v ON v.kind = 'attribute_value' AND v.key = a.attribute || '=' || a.value"""
    ).df()


def _totals(con: duckdb.DuckDBPyConnection, rules: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """The top and the bottom fifth of what every customer has: spend, trips, money a trip."""
    table = con.execute(TOTALS).df()
    found = []
    for column, (high, low) in words.TOTALS.items():
        values = table[column].to_numpy(float)
        enough = table["baskets"].to_numpy() >= (_LEAST_TRIPS if column == "mean_basket" else 1)
        top, bottom = (
            float(np.quantile(values[enough], q)) if enough.any() else 0.0 for q in (1 - _FIFTH, _FIFTH)
        )
        for word, keep, bound in ((high, values >= top, top), (low, values <= bottom, bottom)):
            if top > bottom:
                rules[word.key] = word.rule(bound)
                rows = np.flatnonzero(keep & enough)
                found.append(
                    _labels(
                        table["customer_id"].to_numpy()[rows], "behaviour", word, values[rows], "purchases"
                    )
                )
    return _joined(found)


def _rates(
    con: duckdb.DuckDBPyConnection, own_brands: Sequence[str], rules: dict[str, tuple[str, str]]
) -> pd.DataFrame:
    """Rates in the top fifth that are surely above the shop's."""
    con.execute("CREATE OR REPLACE TEMP TABLE held_own_brands (brand VARCHAR)")
    for brand in own_brands:
        con.execute("INSERT INTO held_own_brands VALUES (?)", [brand])
    table = con.execute(RATES).df()
    found = []
    for word in words.RATES:
        hits, cases = (table[f"{word.key}_{end}"].to_numpy(float) for end in ("hits", "cases"))
        usual = float(hits.sum() / max(cases.sum(), 1))
        own = hits / np.maximum(cases, 1)
        if not 0 < usual < 1:
            continue
        bound = float(np.quantile(own[cases > 0], 1 - _FIFTH))
        sure = share_above(hits, cases, usual)
        rules[word.key] = word.rule(100 * max(bound, usual), 100 * usual)
        rows = np.flatnonzero((sure >= SURE) & (own >= max(bound, usual)) & (cases >= _LEAST_TRIPS))
        ids = table["customer_id"].to_numpy()[rows]
        found.append(_labels(ids, "behaviour", word, own[rows], "purchases", sure[rows]))
    return _joined(found)


def _plain(
    con: duckdb.DuckDBPyConnection,
    states: Sequence[words.State],
    kind: str,
    source: str,
    rules: dict[str, tuple[str, str]],
) -> pd.DataFrame:
    """States told by one condition on the customer's summary, each with its own confidence."""
    found = []
    for state in states:
        rows = con.execute(state.sql).df()
        rules[state.word.key] = state.word.rule()
        found.append(
            _labels(rows["customer_id"], kind, state.word, rows["value"], source, rows["confidence"])
        )
    return _joined(found)


def _facets(
    con: duckdb.DuckDBPyConnection, own_brands: Sequence[str], rules: dict[str, tuple[str, str]]
) -> pd.DataFrame:
    """Brand, price level and pack size, against what the same categories would lead one to expect."""
    table = con.execute(FACETS).df()
    table = table[~((table["facet"] == "brand") & table["value"].isin(list(own_brands)))]
    lift, sure = ratio_above(table["seen"].to_numpy(), table["expected"].to_numpy())
    keep = (lift >= 1.15) & (sure >= SURE) & (table["seen"].to_numpy() >= _LEAST_TRIPS)
    table, lift, sure = table[keep], lift[keep], sure[keep]
    words.facet_rules(rules)
    named = [
        words.facet(*row) for row in table[["facet", "value", "name_en", "name_zh"]].itertuples(index=False)
    ]
    return _named(table["customer_id"], "product", named, lift, "purchases", sure)


def _interests(con: duckdb.DuckDBPyConnection, rules: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """The categories bought most above what their share of all trips would lead one to expect."""
    table = con.execute(INTERESTS).df()
    lift, sure = ratio_above(table["seen"].to_numpy(), table["expected"].to_numpy(), words.INTEREST_MARGIN)
    table = table.assign(lift=lift, sure=sure)
    table = table[(table["seen"] >= 3) & (table["lift"] >= 1.5) & (table["sure"] >= SURE)]
    table = table.sort_values(["customer_id", "lift", "key"], ascending=[True, False, True])
    table = table.groupby("customer_id", sort=False).head(_MOST_INTERESTS)
    rules["category:"] = words.INTEREST_RULE
    named = [
        (f"category:{k}", en, zh)
        for k, en, zh in table[["key", "name_en", "name_zh"]].itertuples(index=False)
    ]
    return _named(table["customer_id"], "interest", named, table["lift"], "purchases", table["sure"])


def _segments(con: duckdb.DuckDBPyConnection, rules: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """The segment; as sure as the clustering is found again (agreement of random halves)."""
    sure = None
    if has_column(con, "segment_choice", "stability"):
        sure = con.execute("SELECT max(stability) FROM segment_choice WHERE chosen").fetchall()[0][0]
    table = con.execute(
        "SELECT customer_id, 'segment:' || segment_id AS key, name_en, name_zh"
        " FROM customer_segments JOIN segments USING (segment_id)"
    ).df()
    rules["segment:"] = words.SEGMENT_RULE
    named = list(table[["key", "name_en", "name_zh"]].itertuples(index=False, name=None))
    sure = float(np.clip(0.5 if sure is None else sure, 0, MOST))
    return _named(table["customer_id"], "interest", named, table["key"].str[8:], "segments", sure)


def _preferences(con: duckdb.DuckDBPyConnection, rules: dict[str, tuple[str, str]]) -> pd.DataFrame:
    table = con.execute(
        f"""SELECT customer_id, category, probability, coalesce(name_en, category) AS name_en,
            coalesce(name_zh, name_en, category) AS name_zh FROM preferences
        LEFT JOIN names ON kind = 'category' AND key = category WHERE probability >= {_LEAST_CHANCE}
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY probability DESC, category) <= {_MOST_LIKELY}"""
    ).df()
    rules["buys:"] = words.LIKELY_RULE
    named = [words.likely(*row) for row in table[["category", "name_en", "name_zh"]].itertuples(index=False)]
    chance = table["probability"].clip(upper=MOST)
    return _named(table["customer_id"], "preference", named, chance, "preference model", chance)


def _counted(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    kind: str,
    source: str,
    rule: tuple[str, str, str],
    rules: dict[str, tuple[str, str]],
) -> pd.DataFrame:
    """Labels that a query counts and names itself."""
    table = con.execute(sql).df()
    if len(table):
        rules[rule[0]] = rule[1:]
    named = list(table[["key", "name_en", "name_zh"]].itertuples(index=False, name=None))
    return _named(table["customer_id"], kind, named, table["value"], source, table["confidence"])


def _labels(customers, kind: str, word: words.Word, values, source: str, confidence=1.0) -> pd.DataFrame:
    return _named(
        customers, kind, [(word.key, word.en, word.zh)] * len(customers), values, source, confidence
    )


def _named(
    customers, kind: str, named: list[tuple[str, str, str]], values, source: str, confidence
) -> pd.DataFrame:
    made = pd.DataFrame(named, columns=["key", "label_en", "label_zh"])
    columns = {"customer_id": customers, "value": values, "confidence": confidence}
    for name, column in columns.items():
        made[name] = column.to_numpy() if isinstance(column, pd.Series) else column
    made["value"] = [f"{x:.4g}" if isinstance(x, float) else str(x) for x in made["value"].tolist()]
    return made.assign(kind=kind, source=source)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([p for p in parts if len(p)] or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)
