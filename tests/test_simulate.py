"""Simulated shops: the truth that is said to be planted is in the data, and everything is marked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import cli
from customers.errors import BadInput, NotBuilt
from customers.ingest.quality import rules
from customers.pipeline import STORE
from customers.profiles.label_counts import OPINIONS, SEARCHED
from customers.simulate import events_parquet
from customers.simulate.fill import fill, is_filled
from customers.simulate.shop import Asked, simulate
from customers.simulate.texts import level_of, phrases, questions
from customers.stores.events import open_store

EVENT_KINDS = {
    "browse", "click", "search", "cart", "purchase", "return", "review", "inquiry", "exposure", "redemption",
}  # fmt: skip


class Made:
    """A clean simulated shop, its tables read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.products: Any = pd.read_csv(folder / "simulated_products.csv").set_index("product_id")

    def events(self, name: str) -> Any:
        rows: Any = pd.read_csv(self.folder / f"simulated_{name}.csv")
        rows["ts"] = pd.to_datetime(rows["ts"])
        if "product_id" in rows:
            rows["category"] = rows["product_id"].map(self.products["category"])
            rows["type"] = rows["product_id"].map(self.products["type"])
        return rows[~rows["customer_id"].isin(self.truth("robots")["customer_id"])]

    def truth(self, name: str) -> Any:
        return pd.read_parquet(self.folder / "truth" / f"{name}.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("made") / "shop"
    simulate(folder, Asked(customers=600, days=365, seed=3, dirt=0.0))
    return Made(folder)


def _bytes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    asked = Asked(customers=40, days=60, dirt=0.1)
    simulate(tmp_path / "shop", asked)
    first = _bytes(tmp_path / "shop")
    simulate(tmp_path / "shop", asked)
    assert _bytes(tmp_path / "shop") == first
    simulate(tmp_path / "shop", Asked(customers=40, days=60, dirt=0.1, seed=2))
    assert _bytes(tmp_path / "shop")["simulated_purchases.csv"] != first["simulated_purchases.csv"]


def test_segments_can_be_found_in_what_customers_do(made):
    did: Any = pd.concat([made.events("browse"), made.events("purchases")])
    counts = did.groupby(["customer_id", "category"]).size().unstack(fill_value=0)
    segments = made.truth("segments").set_index("customer_id")["segment"][counts.index]
    shares = counts.div(counts.sum(axis=1), axis=0)
    found = KMeans(6, n_init=10, random_state=0).fit_predict(np.sqrt(shares))  # type: ignore[arg-type]
    assert adjusted_rand_score(segments, found) >= 0.95
    means = shares.groupby(segments.to_numpy()).mean()
    assert means["Diapers and wipes"].idxmax() == "young families"
    assert means["Computing"].idxmax() == "desk workers"
    # Every segment buys everyday things as well: the kinds of customer overlap.
    assert (means["Dairy"] > 0.02).all()


def test_tastes_move_towards_a_new_interest_on_the_day_of_drift(made):
    tastes = made.truth("tastes")
    assert tastes.groupby(["customer_id", "from"])["weight"].sum().to_numpy() == pytest.approx(1.0)
    late = tastes[tastes["from"] > tastes["from"].min() + pd.Timedelta(days=80)]
    gained = late.loc[late.groupby("customer_id")["weight"].idxmax()]
    looked = made.events("browse").merge(gained, on="customer_id")
    after = looked["ts"] >= looked["from"]
    hit = looked["category_x"] == looked["category_y"]
    assert hit[after].mean() > hit[~after].mean() + 0.08


def test_the_way_from_looking_to_buying_has_the_planted_rates(made):
    """Looks at types that are bought on a cycle are left out; no habit stands behind the others."""
    planted = made.truth("funnel").set_index("from")["rate"]
    habit = set(made.truth("replenishment")["type"])
    taken = set(made.truth("campaigns")["category"])
    counts = {}
    for name in ("browse", "click", "cart"):
        rows = made.events(name)
        counts[name] = (~rows["type"].isin(habit) & ~rows["category"].isin(taken)).sum()
    assert counts["click"] / counts["browse"] == pytest.approx(planted["browse"], abs=0.03)
    assert counts["cart"] / counts["click"] == pytest.approx(planted["click"], abs=0.03)


def test_campaigns_change_what_persuadables_do_and_not_what_sure_things_do(made):
    run = made.truth("campaigns")
    bought = made.events("purchases").merge(run, on=["customer_id", "category"])
    inside = (bought["ts"] >= bought["start_day"]) & (bought["ts"] < bought["end_day"] + pd.Timedelta(days=1))
    hit = set(map(tuple, bought[inside][["campaign_id", "customer_id"]].to_numpy()))
    run["hit"] = [pair in hit for pair in zip(run["campaign_id"], run["customer_id"], strict=True)]
    rates = run.groupby(["customer_type", "treated"])["hit"].mean().unstack()
    uplift = rates[True] - rates[False]
    planted = run.groupby("customer_type")["uplift"].first()
    for kind in ("persuadable", "sure thing", "lost cause"):
        assert uplift[kind] == pytest.approx(planted[kind], abs=0.13)
    assert uplift["persuadable"] > 0.15
    written_to = set(map(tuple, made.events("exposures")[["campaign_id", "customer_id"]].to_numpy()))
    treated = run[run["treated"]]
    assert written_to == set(map(tuple, treated[["campaign_id", "customer_id"]].to_numpy()))


def test_staples_are_bought_again_after_their_cycle(made):
    staples = made.truth("replenishment")
    bought = made.events("purchases").merge(staples, on=["customer_id", "type"]).sort_values("ts")
    bought["gap"] = bought.groupby(["customer_id", "type"])["ts"].diff().dt.total_seconds() / 86400
    by_staple = bought.groupby(["customer_id", "type"]).agg(
        gap=("gap", "median"), cycle=("cycle_days", "first"), times=("gap", "count")
    )
    often = by_staple[by_staple["times"] >= 5]
    assert len(often) > 300
    assert (often["gap"] / often["cycle"]).between(0.8, 1.2).mean() > 0.9


def test_categories_are_most_wanted_in_their_season(made):
    looked = made.events("browse")
    months = looked["ts"].dt.month
    share = looked.groupby(["category", months]).size().unstack(fill_value=0) / looked.groupby(months).size()
    planted = made.truth("seasonality").set_index("category")
    strong = planted[planted["amplitude"] >= 0.5]
    away = (share.loc[strong.index].idxmax(axis=1) - strong["peak_month"]).abs()
    assert np.minimum(away, 12 - away).max() <= 1


def test_robots_read_much_and_buy_nothing(made):
    robots = made.truth("robots")["customer_id"]
    pages: Any = pd.read_csv(made.folder / "simulated_browse.csv").groupby("customer_id").size()
    assert pages[robots].min() >= 300
    bought: Any = pd.read_csv(made.folder / "simulated_purchases.csv")
    assert not bought["customer_id"].isin(robots).any()


def test_reviews_say_what_is_felt_and_stars_agree(made):
    reviews = made.events("reviews").merge(made.truth("reviews"), on="event_id")
    assert len(reviews) == len(made.truth("reviews"))
    assert np.corrcoef(reviews["rating"], reviews["sentiment"])[0, 1] > 0.9
    chinese = reviews["text"].str.contains(r"[\u4e00-\u9fff]")
    assert 0.25 < chinese.mean() < 0.65
    assert [level_of(s) for s in (-1, -0.5, 0, 0.5, 1)] == [-2, -1, 0, 1, 2]


def test_there_are_phrases_enough_in_both_languages():
    for language in ("en", "zh"):
        clauses = [text for (lang, _), texts in phrases().items() if lang == language for text in texts]
        assert len(set(clauses)) >= 150
    intents = {intent for intent, _ in questions()}
    assert len(intents) == 12
    assert all(len(questions()[intent, lang]) >= 5 for intent in intents for lang in ("en", "zh"))


def test_accounts_of_one_person_are_both_customers(made):
    pairs = made.truth("accounts")
    listed: Any = pd.read_csv(made.folder / "simulated_customers.csv").set_index("customer_id")
    assert len(pairs) >= 5
    assert (pairs["customer_id"] != pairs["other_customer_id"]).all()
    one, other = listed.loc[pairs["customer_id"]], listed.loc[pairs["other_customer_id"]]
    assert (one["age"].to_numpy() == other["age"].to_numpy()).all()
    assert (one["email"].to_numpy() != other["email"].to_numpy()).any()


def _kept(store: Path) -> Any:
    with duckdb.connect(str(store), read_only=True) as con:
        return con.execute("SELECT kind, source, split_part(event_id, ':', -1) AS own_id FROM events").df()


@pytest.mark.slow
def test_the_folder_is_read_as_a_shop_and_dirt_is_found(tmp_path, capsys):
    folder, shop = tmp_path / "made", tmp_path / "shop"
    wanted = ["simulate", str(folder), "--customers", "40", "--days", "60", "--dirt", "0.05"]
    assert cli.main(wanted) == 0
    assert "SIMULATED DATA" in capsys.readouterr().err
    assert "SIMULATED DATA" in (folder / "README.md").read_text(encoding="utf-8")
    assert cli.main(["data", str(folder), "--yes", "--name", "Simulated shop", "--shop", str(shop)]) == 0
    kept = _kept(shop / STORE)
    assert set(kept["kind"]) == EVENT_KINDS
    assert kept["source"].str.startswith("simulated").all()
    dirt: Any = pd.read_parquet(folder / "truth" / "dirt.parquet")
    for kind in ("missing_customer", "missing_time", "future_time", "zero_quantity", "malformed_line"):
        planted = dirt[dirt["dirt"] == kind]["event_id"]
        assert len(planted), kind
        assert not planted.isin(kept["own_id"]).any(), kind
    clean = set(pd.read_parquet(folder / "truth" / "searches.parquet")["event_id"]) - set(dirt["event_id"])
    assert clean <= set(kept["own_id"])


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_other_formats_are_read_as_well(tmp_path, file_format):
    folder, shop = tmp_path / "made", tmp_path / "shop"
    made = simulate(folder, Asked(customers=40, days=60, dirt=0.0, format=file_format))
    path = folder / f"simulated_reviews.{file_format}"
    assert cli.main(["data", str(path), "--yes", "--shop", str(shop)]) == 0
    kept = _kept(shop / STORE)
    assert set(kept["kind"]) == {"review"}
    assert len(kept) == made["simulated_reviews"]


def test_what_cannot_be_simulated_is_said_in_one_line(tmp_path, capsys):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "keep.csv").write_text("a,b\n", encoding="utf-8")
    assert cli.main(["simulate", str(other)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert (other / "keep.csv").is_file()
    assert cli.main(["simulate", str(tmp_path / "new"), "--days", "5"]) == 2
    assert "days is 5" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert cli.main(["simulate"]) == 2
    assert cli.main(["simulate", "--fill", "--shop", str(tmp_path / "none")]) == 2


def test_a_stream_of_events_has_its_planted_shares(tmp_path):
    path = tmp_path / "events.parquet"
    written = events_parquet(path, 60_000, seed=4)
    first = hashlib.md5(path.read_bytes()).hexdigest()
    rows: Any = duckdb.connect().execute(f"SELECT * FROM '{path}'").df()
    assert len(rows) == written.events == 60_000
    assert set(rows["kind"]) == EVENT_KINDS
    assert rows["ts"].is_monotonic_increasing
    assert rows.duplicated().sum() == written.repeats == 300
    assert len(rows) - rows["event_id"].nunique() == 300
    assert 20 < rows["customer_id"].isna().sum() < 120
    assert 20 < (rows["quantity"] >= 20_000).sum() < 120
    top = rows["customer_id"].value_counts(normalize=True)
    assert top.head(len(top) // 10).sum() > 0.2
    events_parquet(path, 60_000, seed=4)
    assert hashlib.md5(path.read_bytes()).hexdigest() == first
    with pytest.raises(BadInput, match="too few"):
        events_parquet(path, 10)


def _bought_shop(tmp_path: Path) -> Path:
    """A store with nothing but purchases, read from a file."""
    rows = [
        {
            "customer_id": f"c{n % 40}", "ts": f"2025-{1 + n % 6:02d}-{1 + n % 27:02d} 12:00:00",
            "product_id": f"p{n % 50}", "quantity": 1, "amount": 2.5, "basket_id": f"b{n}",
            "category": f"category {n % 5}", "type": f"type {n % 10}",
        }
        for n in range(6000)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "purchases.csv", index=False)
    assert cli.main(["data", str(tmp_path / "purchases.csv"), "--yes", "--shop", str(tmp_path / "shop")]) == 0
    return tmp_path / "shop" / STORE


def test_fill_adds_marked_events_only_and_replaces_its_own(tmp_path, capsys):
    store = _bought_shop(tmp_path)
    query = "SELECT * FROM events WHERE kind = 'purchase' ORDER BY event_id"
    with duckdb.connect(str(store), read_only=True) as con:
        before = con.execute(query).fetchall()
    assert not is_filled(store)
    added = fill(store, seed=1)
    assert is_filled(store)
    assert set(added) == {"browse", "search", "review", "inquiry"}
    with duckdb.connect(str(store), read_only=True) as con:
        assert con.execute(query).fetchall() == before
        simulated: Any = con.execute("SELECT * FROM events WHERE kind <> 'purchase' ORDER BY event_id").df()
    assert (simulated["source"] == "simulated").all()
    assert simulated["event_id"].str.startswith("simulated:").all()
    assert simulated["event_id"].is_unique
    assert len(simulated) == sum(added.values())
    told = [row for row in rules(open_store(store)) if row.source == "simulated"]
    assert {row.rule: row.rows for row in told} == {f"simulated_{kind}": rows for kind, rows in added.items()}
    customers = {row[2] for row in before}
    assert set(simulated["customer_id"]) <= customers
    reviewed = simulated[simulated["kind"] == "review"]
    bought = {(row[2], row[4]) for row in before}
    assert set(zip(reviewed["customer_id"], reviewed["product_id"], strict=True)) <= bought
    assert simulated["ts"].max() <= max(row[3] for row in before)
    capsys.readouterr()
    assert cli.main(["simulate", "--fill", "--shop", str(tmp_path / "shop")]) == 0
    assert "simulated events" in capsys.readouterr().out
    with duckdb.connect(str(store), read_only=True) as con:
        again: Any = con.execute("SELECT * FROM events WHERE kind <> 'purchase' ORDER BY event_id").df()
        con.execute("CREATE TEMP TABLE customer_summary AS SELECT DISTINCT customer_id FROM events")
        said = [label for sql in (SEARCHED, OPINIONS) for label in con.execute(sql).fetchall()]
    pd.testing.assert_frame_equal(again, simulated)
    assert {label[1].split(":")[0] for label in said} == {"need", "likes", "dislikes"}
    assert all(en.endswith(" (simulated)") and zh.endswith("（模拟）") for _, _, en, zh, *_ in said)


def test_fill_leaves_kinds_alone_that_the_shop_has_itself(tmp_path):
    store = _bought_shop(tmp_path)
    with duckdb.connect(str(store)) as con:
        con.execute(
            "INSERT INTO events (event_id, kind, customer_id, ts, source) "
            "VALUES ('search:1', 'search', 'c1', TIMESTAMP '2025-02-02 10:00:00', 'log.csv')"
        )
    assert set(fill(store)) == {"browse", "review", "inquiry"}
    with pytest.raises(NotBuilt):
        fill(tmp_path / "none.duckdb")
