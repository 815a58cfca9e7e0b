"""Draws the units of a label task from a shop's data: at random within strata, the same for the same seed.

Strata (proportional allocation, at least one of each where the sample allows; Cochran, Sampling Techniques,
1977, ch. 5): the language of a text, and for reviews its stars; for customers how often they bought. Of texts
that are the same word for word, one is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from customers.errors import BadInput, NotBuilt
from customers.labels.cards import customer_cards
from customers.labels.store import LabelStore
from customers.labels.values import LabelTask, Unit
from customers.stores import versions
from customers.stores.reader import Reader

# As in `pipeline`, which loads every builder.
STORE = Path("store") / "shop.duckdb"
MOST = 100_000
MOST_CHARS = 2000
_HAN = r"[\x{4e00}-\x{9fff}]"
# A unit's lot depends on the seed and its id alone, so a larger sample goes on where a smaller one ended.
_TEXTS = f"""
CREATE TEMP TABLE lots AS
WITH texts AS (
    SELECT coalesce(event_id, kind || ':' || md5(concat_ws('|', customer_id, ts, text))) AS unit_id,
           customer_id, text, product_id,
           CASE WHEN regexp_matches(text, '{_HAN}') THEN 'zh' ELSE 'other' END
           || coalesce(':' || CAST(least(greatest(round(rating), 0), 10) AS INTEGER), '') AS stratum
    FROM events WHERE kind = ? AND trim(coalesce(text, '')) <> ''
)
SELECT *, md5(? || ':' || unit_id) AS lot FROM texts
QUALIFY row_number() OVER (PARTITION BY lower(trim(text)) ORDER BY lot, unit_id) = 1
"""
_CUSTOMERS = """
CREATE TEMP TABLE lots AS
WITH people AS (
    SELECT customer_id, count(DISTINCT coalesce(basket_id, CAST(CAST(ts AS DATE) AS VARCHAR)))
                        FILTER (WHERE kind = 'purchase') AS trips
    FROM events WHERE kind IN ('purchase', 'cart', 'click', 'browse', 'search') GROUP BY customer_id
)
SELECT customer_id AS unit_id, customer_id, '' AS text, CAST(NULL AS VARCHAR) AS product_id,
       CAST(ntile(3) OVER (ORDER BY trips, customer_id) AS VARCHAR) AS stratum,
       ? AS kind, md5(? || ':' || customer_id) AS lot
FROM people
"""
_CHOSEN = """
SELECT unit_id, customer_id, text, coalesce(name, '') FROM (
    SELECT *, row_number() OVER (PARTITION BY stratum ORDER BY lot, unit_id) AS place FROM lots
) JOIN quotas USING (stratum) LEFT JOIN products USING (product_id)
WHERE place <= quota ORDER BY lot, unit_id
"""


class NothingToLabel(BadInput):
    """The shop's data has nothing of the kind that a task labels."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What `draw` did: units added, units in the sample now, units that could still be drawn."""

    added: int
    sample: int
    left: int


def draw(shop_dir: Path, task: LabelTask, size: int, seed: int = 0) -> Drawn:
    """Fill a task's sample up to `size` units; those that are in it stay.

    Raises NotBuilt where the shop has no data, NothingToLabel where that holds nothing of the task's kind.
    """
    if not 1 <= size <= MOST:
        raise BadInput(f"a sample has 1 to {MOST:,} units, not {size:,}")
    store = LabelStore.of(shop_dir)
    have = store.units(task.name)
    reader = _read(shop_dir)
    try:
        con = reader.connection()
        con.execute(_CUSTOMERS if task.unit == "customer" else _TEXTS, [task.unit, str(seed)])
        con.execute("CREATE TEMP TABLE had (unit_id VARCHAR, text VARCHAR)")
        if have:
            con.executemany("INSERT INTO had VALUES (?, ?)", [(u.unit_id, _same(u.text)) for u in have])
        con.execute(
            "DELETE FROM lots WHERE unit_id IN (SELECT unit_id FROM had)"
            " OR (text <> '' AND lower(trim(text)) IN (SELECT text FROM had))"
        )
        strata = dict(con.execute("SELECT stratum, count(*) FROM lots GROUP BY stratum").fetchall())
        if not strata and not have:
            raise NothingToLabel(_nothing(task))
        quotas = allocate(strata, size - len(have))
        con.execute("CREATE TEMP TABLE quotas (stratum VARCHAR, quota BIGINT)")
        con.executemany("INSERT INTO quotas VALUES (?, ?)", list(quotas.items()) or [("", 0)])
        units = [Unit(str(u), str(c), t[:MOST_CHARS], n) for u, c, t, n in con.execute(_CHOSEN).fetchall()]
        if task.unit == "customer":
            cards = customer_cards(con, [unit.unit_id for unit in units])
            units = [Unit(u.unit_id, u.customer_id, cards[u.unit_id]) for u in units]
    finally:
        reader.close()
    added = store.add_units(task.name, units) if units else 0
    return Drawn(added, len(have) + added, sum(strata.values()) - added)


def allocate(strata: Mapping[str, int], size: int) -> dict[str, int]:
    """Return how many to draw of each stratum: in proportion, by largest remainder, never more than there
    are, and at least one of each where `size` allows."""
    size = max(0, min(size, sum(strata.values())))
    if not size:
        return {}
    least = 1 if size >= len(strata) else 0
    spare, total = size - least * len(strata), sum(strata.values()) - least * len(strata)
    exact = {name: spare * (count - least) / total if total else 0.0 for name, count in strata.items()}
    quotas = {name: least + int(share) for name, share in exact.items()}
    by_rest = sorted(strata, key=lambda name: (int(exact[name]) - exact[name], name))
    for name in by_rest[: size - sum(quotas.values())]:
        quotas[name] += 1
    return quotas


def _read(shop_dir: Path) -> Reader:
    """Open what was brought in last, built or not; the current build where that cannot be read just now."""
    version = versions.find_current(shop_dir)
    found = [shop_dir / STORE, *([version / "shop.duckdb"] if version else [])]
    there = [path for path in found if path.is_file()]
    for path in there:
        try:
            return Reader(path)
        except NotBuilt:
            if path == there[-1]:
                raise
    raise NotBuilt(f"{shop_dir} holds no data; bring it in with `shopkeeper data SOURCE`")


def _same(text: str) -> str:
    return text.strip().lower()


def _nothing(task: LabelTask) -> str:
    if task.unit == "customer":
        return "the data holds no customer who bought, browsed or searched; bring such events in first"
    return (
        f"the data holds no {task.unit} with a text; bring events in whose `kind` is {task.unit} and whose "
        "`text` is what was written (`shopkeeper data FILE`)"
    )
