"""What the profile builders find of what was planted in a simulated shop (docs/simulator.md).

`python -m eval.profiles.planted SHOP TRUTH`: a shop's folder, and the folder `truth` beside the simulator's files.

segments: adjusted Rand index of the served segmentation with the planted kinds of customer. needs: what the
knowledge graph says that a search leads to, against what the search was about: the share of search texts whose
first answer is the category of the planted type of product (`first`), whose answers hold it (`among`), and
what drawing categories by their purchases would hit (`chance`); and, of words of a planted need ("balcony
garden"), the share that the graph knows at all (`known`), with the share of their answers that are categories of
the need (`precision`) and of the need's categories that are found (`recall`). rates and leaving: see `prediction`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from customers.graph.needs import SPELT, find_needs
from customers.simulate.catalogue import rows as planted_rows
from eval.profiles import interest, prediction

Row = dict[str, Any]
PART = "planted"

_ABOUT = f"""
    SELECT {SPELT.format(text="e.text")} AS word, s.query_type AS type, s.need, count(*) AS n
    FROM events e JOIN truth_searches s ON e.event_id = 'search:' || s.event_id OR e.event_id = s.event_id
    WHERE e.kind = 'search' AND e.text IS NOT NULL GROUP BY ALL"""


def run(shop: Path, truth: Path, *, quick: bool = False) -> list[Row]:
    """All rows of a shop's folder (or its store) and its truth."""
    store = shop / "store" / "shop.duckdb" if shop.is_dir() else shop
    rows = needs(store, truth)
    rows += [
        row for row in interest.run(store, quick=quick, truth=truth / "segments.parquet") if "truth" in row
    ]
    return [{"part": PART} | row for row in rows + prediction.planted(shop, truth)]


def needs(store: Path, truth: Path) -> list[Row]:
    """Rows of searches and of planted needs."""
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    con.execute(f"ATTACH '{store}' AS shop (READ_ONLY)")
    for table in ("events", "products"):
        con.execute(f"CREATE TEMP VIEW {table} AS FROM shop.{table}")
    con.execute(f"CREATE TEMP VIEW truth_searches AS FROM '{truth / 'searches.parquet'}'")
    _, answers = find_needs(con)
    about = con.execute(_ABOUT).df()
    home = dict(
        con.execute('SELECT DISTINCT "type", category FROM products WHERE "type" IS NOT NULL').fetchall()
    )
    bought = con.execute(
        "SELECT category, count(*) AS n FROM events JOIN products USING (product_id) WHERE kind = 'purchase' GROUP BY 1"
    ).df()
    con.close()
    ranked = {word: found["category"].tolist() for word, found in answers.groupby("need", sort=False)}
    usual = dict(zip(bought["category"], bought["n"] / bought["n"].sum(), strict=True))
    return [_searches(about.loc[about["need"].isna(), :], ranked, home, usual), _planted(about, ranked, home)]


def _searches(
    about: pd.DataFrame, ranked: dict[Any, list[str]], home: dict[str, str], usual: dict[str, float]
) -> Row:
    """Each text once, with the type that most of its searches were about."""
    most = (
        about.sort_values(by="n").set_index("word")["type"].to_dict()
    )  # the last of a word, the most, stays
    asked = [(word, home[kind]) for word, kind in most.items() if word in ranked]

    def share(hits: Iterable[float]) -> float:
        return sum(hits) / max(len(asked), 1)

    return {
        "model": "search -> category (knowledge graph)",
        "words": len(asked),
        "first": share(ranked[word][0] == category for word, category in asked),
        "among": share(category in ranked[word] for word, category in asked),
        "chance": share(usual.get(category, 0.0) for _, category in asked),
    }


def _planted(about: pd.DataFrame, ranked: dict[Any, list[str]], home: dict[str, str]) -> Row:
    of_need = {
        row["need"]: {home[t] for t in row["types"].split("|") if t in home}
        for row in planted_rows("needs.csv")
    }
    words = sorted(
        {
            (word, need)
            for word, need in zip(about["word"], about["need"], strict=True)
            if isinstance(need, str)
        }
    )
    asked = [(word, of_need[need]) for word, need in words]
    known = [(ranked[word], wanted) for word, wanted in asked if word in ranked]
    hits = sum(len(wanted & set(found)) for found, wanted in known)
    return {
        "model": "planted need -> categories (knowledge graph)",
        "words": len(asked),
        "known": len(known) / max(len(asked), 1),
        "precision": hits / max(sum(len(found) for found, _ in known), 1),
        "recall": hits / max(sum(len(wanted) for _, wanted in known), 1),
        "chance": sum(len(wanted) / len(set(home.values())) for _, wanted in known) / max(len(known), 1),
    }


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m eval.profiles.planted", description=__doc__)
    parser.add_argument("shop", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    for row in run(args.shop, args.truth, quick=args.quick):
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items() if k != "part"}
        print("  ".join(f"{k}={v}" for k, v in shown.items()), flush=True)


if __name__ == "__main__":
    main()
