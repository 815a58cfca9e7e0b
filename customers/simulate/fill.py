"""Simulated browsing, searches, reviews and questions for a shop whose data has none of them.

Everything is derived from what each customer truly bought, goes into kinds of event that the shop
lacks, and is marked: the `source` is "simulated" and ids begin with "simulated:". Purchases and
all other events stay as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd

from customers.errors import BadInput, NotBuilt
from customers.ingest.cleaning import NOTED
from customers.ports import Progress
from customers.schema import EventKind
from customers.simulate import texts
from customers.simulate.catalogue import Frame
from customers.simulate.words import AFTER
from customers.stores import events
from customers.stores.events import EventStore

SOURCE = "simulated"
KINDS = (EventKind.BROWSE, EventKind.SEARCH, EventKind.REVIEW, EventKind.INQUIRY)
# Purchase lines of ten thousand that events of a kind are derived from.
SAMPLED = {EventKind.BROWSE: 420, EventKind.SEARCH: 280, EventKind.REVIEW: 85, EventKind.INQUIRY: 28}
_KIND_ZH = {"browse": "浏览", "search": "搜索", "review": "评价", "inquiry": "咨询"}
CHINESE = 5  # one customer of so many writes Chinese
OTHERS = 1.5  # further products of the same type that are looked at before one is bought
DAY = 86400


def fill(path: Path, seed: int = 1, progress: Progress | None = None) -> dict[str, int]:
    """Add simulated events to the store `path` and return how many by kind.

    Only kinds of `KINDS` of which the shop has no event of its own are filled; what an earlier call
    added is replaced, in one transaction. The same seed and store give the same events. Raises
    NotBuilt where there is no store, BadInput where it holds no purchase or is in use.
    """
    if not path.is_file():
        raise NotBuilt(f"{path}: there is no store; run `shopkeeper data SOURCE` first")
    if progress is not None:
        progress.stage("Simulating browsing, searches, reviews and questions")
    with events.update(path) as store, store.transaction():
        con = store.backend.con
        for table in ("events", "quality"):
            con.execute(f"DELETE FROM {table} WHERE source = ?", [SOURCE])
        there = {kind for (kind,) in con.execute("SELECT DISTINCT kind FROM events").fetchall()}
        if EventKind.PURCHASE.value not in there:
            raise BadInput(f"{path}: holds no purchases to derive anything from; bring some in first")
        added = {}
        for kind in KINDS:
            if kind.value in there:
                continue
            rows = _MAKERS[kind](_Lines(store, kind, seed))
            added[kind.value] = _append(store, kind, rows)
        _tell(store, added)
    return added


def is_filled(path: Path) -> bool:
    """Whether the store has events that `fill` added. Raises NotBuilt where there is none."""
    store = events.open_store(path)
    try:
        query = "SELECT count(*) FROM (SELECT 1 FROM events WHERE source = ? LIMIT 1)"
        return bool(store.backend.con.execute(query, [SOURCE]).fetchall()[0][0])
    finally:
        store.close()


def _append(store: EventStore, kind: EventKind, rows: Frame) -> int:
    """Put rows in order of time, with ids and marks, into the store; times beyond the shop's last
    day are left out."""
    last = store.backend.con.execute("SELECT max(ts) FROM events WHERE kind = 'purchase'").fetchone()[0]
    rows = rows[rows["ts"] <= last].sort_values(["ts", "customer_id"], kind="stable").reset_index(drop=True)
    if rows.empty:
        return 0
    rows["event_id"] = [f"{SOURCE}:{kind.value}:{number}" for number in range(len(rows))]
    rows["kind"], rows["source"] = kind.value, SOURCE
    store.append("events", ibis.memtable(rows))
    return len(rows)


def _tell(store: EventStore, added: dict[str, int]) -> None:
    """Say in the quality report, and so in every build's, what was made up."""
    rows = [
        {
            "source": SOURCE, "rule": f"simulated_{kind}",
            "reason_en": f"SIMULATED: {kind} events, made up for a shop that has none of its own",
            "reason_zh": f"模拟数据:本店没有{_KIND_ZH[kind]}记录,由模拟器生成",
            "action": NOTED, "rows": many, "of_rows": many, "examples": "[]",
        }
        for kind, many in added.items() if many
    ]  # fmt: skip
    if rows:
        store.append("quality", ibis.memtable(rows))


class _Lines:
    """A sample of the shop's purchase lines, with what is known of their products.

    `rows` has customer_id, ts, product_id, basket_id, store_id, type, `thing` (the product's type
    or category in English and Chinese) and `chinese`; `rng` is the kind's own.
    """

    def __init__(self, store: EventStore, kind: EventKind, seed: int) -> None:
        self.store = store
        self.rng = np.random.default_rng([seed, KINDS.index(kind)])
        query = f"""
            SELECT e.customer_id, e.ts, e.product_id, e.basket_id, e.store_id, p.type,
              coalesce(t.name_en, c.name_en, p.name) AS thing_en, coalesce(t.name_zh, c.name_zh, p.name) AS thing_zh,
              coalesce(c.name_en, t.name_en, p.name) AS category_en,
              coalesce(c.name_zh, t.name_zh, p.name) AS category_zh,
              substr(md5(e.customer_id), 1, 6) AS customer_hash, substr(md5(e.product_id), 1, 6) AS product_hash
            FROM events e JOIN products p USING (product_id)
            LEFT JOIN (SELECT DISTINCT ON (key) * FROM names WHERE kind = 'type' ORDER BY key) t ON t.key = p.type
            LEFT JOIN (SELECT DISTINCT ON (key) * FROM names WHERE kind = 'category' ORDER BY key) c
              ON c.key = p.category
            WHERE e.kind = 'purchase' AND e.customer_id IS NOT NULL
              AND ('0x' || substr(md5(e.event_id || ?), 1, 7))::BIGINT % 10000 < {SAMPLED[kind]}
            ORDER BY e.ts, e.event_id"""
        self.rows = store.backend.con.execute(query, [f"{kind.value}{seed}"]).df()
        self.chinese = _uniform(self.rows["customer_hash"]) < 1 / CHINESE

    def words(self, level: str) -> list[str]:
        """What each line's type ("thing") or "category" is called in its customer's language."""
        english = self.rows[f"{level}_en"].fillna("").str.lower()
        return list(np.where(self.chinese, self.rows[f"{level}_zh"].fillna(""), english))

    def languages(self) -> list[str]:
        return ["zh" if chinese else "en" for chinese in self.chinese]

    def at(self, seconds: np.ndarray) -> pd.Series:
        """The lines' times, moved by seconds."""
        return self.rows["ts"] + pd.to_timedelta(np.round(seconds), unit="s")


def _uniform(hashes: pd.Series) -> np.ndarray:
    """A number in [0, 1) for each hash of six hexadecimal digits."""
    return np.array([int(text, 16) for text in hashes]) / 16**6


def _browses(lines: _Lines) -> Frame:
    """The product and others of its type, shortly before it is bought; a fifth a day or more before."""
    rng, rows = lines.rng, lines.rows
    many = 1 + rng.poisson(OTHERS, len(rows))
    start = rng.uniform(300, 3600, len(rows)) + np.where(
        rng.random(len(rows)) < 0.2, rng.integers(1, 7, len(rows)) * DAY, 0
    )
    line = np.repeat(np.arange(len(rows)), many)
    turn = np.arange(len(line)) - np.repeat(np.cumsum(many) - many, many)
    before = start[line] * (1 - 0.9 * turn / many[line]) - rng.uniform(0, 20, len(line))
    seen = rows["product_id"].to_numpy(dtype=object)[line]
    others = np.flatnonzero(turn < many[line] - 1)  # the last one looked at is the one bought
    seen[others] = _of_same_type(lines, line[others])
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"].to_numpy()[line],
            "ts": rows["ts"].to_numpy()[line] - pd.to_timedelta(np.round(before), unit="s"),
            "product_id": seen,
        }
    )


def _of_same_type(lines: _Lines, line: np.ndarray) -> np.ndarray:
    """A sold product of the same type as each line's, the line's own where there is no other."""
    con = lines.store.backend.con
    sold = con.execute(
        "SELECT type, product_id FROM products WHERE product_id IN "
        "(SELECT product_id FROM events WHERE kind = 'purchase') AND type IS NOT NULL ORDER BY type, product_id"
    ).df()
    first = sold.groupby("type", sort=False)["product_id"].agg(["size"])
    first["start"] = first["size"].cumsum() - first["size"]
    kinds = lines.rows["type"].iloc[line]
    found = first.reindex(kinds)
    place = found["start"].to_numpy() + np.floor(lines.rng.random(len(line)) * found["size"].to_numpy())
    own = lines.rows["product_id"].to_numpy(dtype=object)[line]
    known = ~np.isnan(place)
    own[known] = sold["product_id"].to_numpy(dtype=object)[place[known].astype(np.int64)]
    return own


def _searches(lines: _Lines) -> Frame:
    """A type (or, for one in four, its category) as words, minutes before it is bought."""
    rng = lines.rng
    wide = rng.random(len(lines.rows)) < 0.25
    said = np.where(wide, lines.words("category"), lines.words("thing"))
    text = [
        texts.query(words.replace("|", " "), "", language, rng)
        for words, language in zip(said, lines.languages(), strict=True)
    ]
    when = lines.at(-rng.uniform(60, 3600, len(text)))
    rows = pd.DataFrame({"customer_id": lines.rows["customer_id"], "ts": when, "text": text})
    return rows[rows["text"] != ""]


def _reviews(lines: _Lines) -> Frame:
    """What customers think of products: each product's hidden quality less the customer's strictness."""
    rng, rows = lines.rng, lines.rows
    quality = 2.4 * _uniform(rows["product_hash"]) - 1.2
    strict = 1.6 * _uniform(rows["customer_hash"]) - 0.8
    mood = np.tanh(0.35 + quality - strict + 0.45 * rng.normal(size=len(rows)))
    rating = np.clip(np.round(3 + 2 * mood + 0.35 * rng.normal(size=len(rows))), 1, 5)
    text = [
        texts.review(value, language, thing, rng)
        for value, language, thing in zip(mood, lines.languages(), lines.words("thing"), strict=True)
    ]
    when = lines.at(rng.uniform(1, 14, len(rows)) * DAY)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "ts": when,
            "product_id": rows["product_id"],
            "rating": rating,
            "text": text,
        }
    )


def _inquiries(lines: _Lines) -> Frame:
    """Questions to the service on baskets that were bought."""
    rng, rows = lines.rng, lines.rows
    names = list(AFTER)
    shares = np.array([AFTER[name][0] for name in names])
    picked = rng.choice(len(names), size=len(rows), p=shares / shares.sum())
    low, high = (np.array([AFTER[name][at] for name in names])[picked] for at in (1, 2))
    baskets = rows["basket_id"].fillna("").astype(str)
    text = [
        texts.inquiry(names[intent], language, thing, basket, rng)
        for intent, language, thing, basket in zip(
            picked, lines.languages(), lines.words("thing"), baskets, strict=True
        )
    ]
    when = lines.at(3600 + (low + (high - low) * rng.random(len(rows))) * DAY)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "ts": when,
            "product_id": rows["product_id"],
            "basket_id": rows["basket_id"],
            "text": text,
        }
    )


_MAKERS: dict[EventKind, Any] = {
    EventKind.BROWSE: _browses,
    EventKind.SEARCH: _searches,
    EventKind.REVIEW: _reviews,
    EventKind.INQUIRY: _inquiries,
}
