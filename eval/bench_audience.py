"""`shopkeeper bench audience`: whom a coupon moves, on the shop's own campaigns and on a simulated shop's lotteries."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from customers.errors import NotBuilt
from customers.recommend import uplift
from customers.recommend import uplift_curves as curves
from customers.recommend.offers import Floats, Offer, Sales, read_offers, read_sales
from customers.simulate.shop import Asked, draw
from eval import lookalikes
from eval.bench_profiles import render
from eval.simulated_sales import Trial, trial

Row = dict[str, Any]
CUSTOMERS, DAYS = 6000, 480
ROUNDS = 200


def run(shop: Path, *, quick: bool = False, as_json: bool = False, seed: int = 0) -> list[Row]:
    """Measure the models on the campaigns of a shop's store and on a simulated shop, print a table of each part, or one
    JSON object. quick: a smaller simulated shop."""
    store = shop / "store" / "shop.duckdb"
    if not store.is_file():
        raise NotBuilt(f"{store} does not exist; run `shopkeeper data SOURCE` first")
    rounds = 50 if quick else ROUNDS
    parts: dict[str, Callable[[], list[Row]]] = {
        "campaigns": lambda: real(store, rounds, seed),
        "simulated lotteries": lambda: simulated(2000 if quick else CUSTOMERS, rounds, seed),
        "lookalikes": lambda: lookalikes.measure(store, seed),
        "linked accounts": lambda: linked(1500 if quick else 4000, seed),
    }
    rows: list[Row] = []
    for name, measure in parts.items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        found = measure()
        rows += [{"part": name, **row} for row in found]
        if not as_json:
            print(render(name, found, time.perf_counter() - begun), flush=True)
    if as_json:
        print(json.dumps({"rows": rows}, ensure_ascii=False))
    return rows


# the shop's own campaigns ---------------------------------------------------------------------
def real(store: Path, rounds: int, seed: int) -> list[Row]:
    """Response, effect and ranking on the last third of a shop's campaigns, learnt on those that ended before."""
    con = duckdb.connect(str(store), read_only=True)
    try:
        sales = read_sales(con)
        offers = uplift.usable(sales, read_offers(con, sales))
    finally:
        con.close()
    train, test = split(offers)
    if len(train) < 3 or len(test) < 2:
        return []
    seen, held = _panels(sales, offers, train, test)
    if not seen.redeemed.any() or not held.redeemed.any():
        return []
    return [
        *_response(seen, held, seed),
        *_effects(sales, offers, train, test, seen, held),
        *_ranking(seen, held, rounds, seed),
    ]


def split(offers: list[Offer], share: float = 0.3) -> tuple[list[Offer], list[Offer]]:
    """The campaigns that began last, and those whose purchases were all made before the first of them."""
    later = sorted(offers, key=lambda o: o.start)[-max(2, round(share * len(offers))) :]
    first = min((o.start for o in later), default=0)
    return [o for o in offers if o.start + uplift.DAYS <= first], later


def _panels(
    sales: Sales, offers: list[Offer], train: list[Offer], test: list[Offer], shift: int = 0
) -> tuple[uplift.Panel, uplift.Panel]:
    """Rows of both sides; the past of each campaign is all that was known by then."""
    whole = uplift.panel(sales, offers, shift=shift)
    place = {o.campaign_id: n for n, o in enumerate(offers)}
    sides = [np.isin(whole.campaign, [place[o.campaign_id] for o in side]) for side in (train, test)]
    return whole.at(sides[0]), whole.at(sides[1])


def _response(seen: uplift.Panel, held: uplift.Panel, seed: int) -> list[Row]:
    """Who redeems among those who received it, against simple rules, with intervals over customers."""
    fit, new = seen.at(seen.sent), held.at(held.sent)
    names = {name: n for n, name in enumerate(_columns())}
    scores = {
        "response, linear": uplift.chance_of(uplift.linear_chance, fit.features, fit.redeemed)(new.features),
        "response, trees": uplift.chance_of(uplift.tree_chance, fit.features, fit.redeemed)(new.features),
        "redeemed before": new.features[:, names["redeemed"]],
        "bought of it in 90 days": new.features[:, names["target_trips_90"]],
        "spent most in 90 days": new.features[:, names["spend_90"]],
    }
    rows = []
    for name, score in scores.items():
        draws = curves.draw_weights(new.customer, 100, seed)
        aucs = [roc_auc_score(new.redeemed, score, sample_weight=w) for w in draws]
        low, high = np.percentile(aucs[1:], [2.5, 97.5])
        rows.append({
            "model": name, "received": len(new), "redeemed": float(new.redeemed.mean()), "ROC-AUC": float(aucs[0]),
            "low": float(low), "high": float(high), "PR-AUC": float(average_precision_score(new.redeemed, score)),
        })  # fmt: skip
    return rows


def _columns() -> list[str]:
    from customers.recommend.offers import NAMES

    return list(NAMES)


def _effects(
    sales: Sales,
    offers: list[Offer],
    train: list[Offer],
    test: list[Offer],
    seen: uplift.Panel,
    held: uplift.Panel,
) -> list[Row]:
    """What receipt went with: as it is, and adjusted; and the same in the weeks before, when nothing had been sent."""
    early, late = _panels(sales, offers, train, test, shift=uplift.DAYS)
    rows = []
    for name, part in (("earlier campaigns", seen), ("later campaigns", held),
                       ("earlier, weeks before", early), ("later, weeks before", late)):  # fmt: skip
        chance = uplift.propensity(part)
        inside = uplift.overlapping(chance)
        kept = part.at(inside)
        effect = uplift.pseudo_outcomes(kept, kept.bought.astype(float), chance[inside])
        before, after = uplift.balance(kept, chance[inside])
        error = _error(effect, kept)
        rows.append({
            "model": name, "buyers among sent": float(part.bought[part.sent].mean()),
            "among not sent": float(part.bought[~part.sent].mean()), "adjusted effect": float(effect.mean()),
            "low": float(effect.mean() - 1.96 * error), "high": float(effect.mean() + 1.96 * error),
            "comparable": float(inside.mean()), "worst imbalance": float(np.abs(before).max()),
            "weighted": float(np.abs(after).max()),
        })  # fmt: skip
    return rows


def _error(effect: Floats, part: uplift.Panel) -> float:
    """Standard error of the mean over customers, who have several rows."""
    people, place = np.unique(part.customer, return_inverse=True)
    off = np.bincount(place, effect - effect.mean(), len(people))
    return float(np.sqrt((off**2).sum()) / len(effect))


def _ranking(seen: uplift.Panel, held: uplift.Panel, rounds: int, seed: int) -> list[Row]:
    chance, new_chance = uplift.propensity(seen), uplift.propensity(held)
    inside, new_inside = uplift.overlapping(chance), uplift.overlapping(new_chance)
    new = held.at(new_inside)
    effect = uplift.pseudo_outcomes(new, new.bought.astype(float), new_chance[new_inside])
    scores = scores_of(seen, seen.at(inside), chance[inside], new.features, seed)
    return [
        _measured(name, score, scores["response"], effect, new, rounds, seed)
        for name, score in scores.items()
    ]


def scores_of(
    seen: uplift.Panel, comparable: uplift.Panel, chance: Floats, new: Floats, seed: int
) -> dict[str, Floats]:
    """What each model says of new rows; higher is sent first."""
    sent = seen.at(seen.sent)
    found = {
        "by lot": np.random.default_rng(seed).random(len(new)),
        "response": uplift.chance_of(uplift.linear_chance, sent.features, sent.redeemed)(new),
        "likeliest buyers": uplift.chance_of(uplift.linear_chance, sent.features, sent.bought)(new),
    }
    for base in (uplift.LINEAR, uplift.TREES):
        for learner in uplift.LEARNERS:
            name = f"uplift, {learner}, {base.name}"
            found[name] = uplift.fit_uplift(learner, comparable, chance, base)(new)
    return found


def _measured(
    name: str, score: Floats, response: Floats, effect: Floats, new: uplift.Panel, rounds: int, seed: int
) -> Row:
    ranked, other = (curves.within(s, new.campaign, seed) for s in (score, response))
    found = curves.curve(ranked, effect, new.customer, rounds=rounds, seed=seed)
    row: Row = {
        "model": name, "Qini x 1000": 1000 * found.qini, "low": 1000 * found.qini_low, "high": 1000 * found.qini_high,
        "AUUC x 1000": 1000 * found.auuc, "effect, best fifth": found.top, "its low": found.top_low,
        "its high": found.top_high,
    }  # fmt: skip
    more = curves.difference(ranked, other, effect, new.customer, rounds=rounds, seed=seed)
    return row | {
        "over response x 1000": 1000 * more[0],
        "over, low": 1000 * more[1],
        "over, high": 1000 * more[2],
    }


# a simulated shop's lotteries -----------------------------------------------------------------
def simulated(customers: int, rounds: int, seed: int) -> list[Row]:
    """The same models where sending was decided by lot and the effect on each customer is known: learnt on all but the
    last three campaigns, judged on these."""
    made = trial(draw(Asked(customers=customers, days=DAYS, seed=5 + seed, dirt=0.0)))
    whole = uplift.panel(made.sales, made.offers, members=made.members)
    late = whole.campaign >= len(made.offers) - 3
    seen, new = whole.at(~late), whole.at(late)
    truth = np.array([made.effect[c][p] for c, p in zip(new.campaign, new.customer, strict=True)])
    effect = new.bought.astype(float) * np.where(new.sent, 2.0, -2.0)  # sent by a fair coin
    half = np.full(len(seen), 0.5)
    scores = scores_of(seen, seen, half, new.features, seed) | _peers(seen, new) | {"the truth itself": truth}
    rows = []
    for name, score in scores.items():
        row = _measured(name, score, scores["response"], effect, new, rounds, seed)
        true = curves.curve(
            curves.within(score, new.campaign, seed), truth, new.customer, rounds=0, seed=seed
        )
        rows.append(row | {"true Qini x 1000": 1000 * true.qini, "true effect, best fifth": true.top})
    return [_lottery(made, whole), *rows]


def _lottery(made: Trial, whole: uplift.Panel) -> Row:
    planted = np.array([made.effect[c][p] for c, p in zip(whole.campaign, whole.customer, strict=True)])
    effect = whole.bought.astype(float) * np.where(whole.sent, 2.0, -2.0)
    error = _error(effect, whole)
    return {
        "model": "mean effect of the lotteries", "found": float(effect.mean()), "low": float(effect.mean() - 1.96 * error),
        "high": float(effect.mean() + 1.96 * error), "planted": float(planted.mean()), "rows": len(whole),
    }  # fmt: skip


# one person's accounts ------------------------------------------------------------------------
def linked(customers: int, seed: int) -> list[Row]:
    """Planted second accounts, written otherwise, that linking finds; all owners agreed."""
    if importlib.util.find_spec("splink") is None:
        return []
    from customers.linking import link_accounts

    world = draw(Asked(customers=customers, days=60, seed=3 + seed, dirt=0.0))
    rows = world.customers.rename(columns={"household_size": "household"}).assign(consent="yes")
    ids = world.held.ids
    truth = {frozenset((str(ids[a]), str(ids[b]))) for a, b in enumerate(world.held.second) if b >= 0}
    found = []
    for threshold in (0.5, 0.9, 0.99):
        links = link_accounts(rows.to_dict("records"), threshold=threshold).links
        hits = sum(frozenset((one.customer_id, one.other_id)) in truth for one in links)
        found.append({
            "model": f"links of {threshold:g} and more", "accounts": len(rows), "planted": len(truth), "found": len(links),
            "precision": hits / max(len(links), 1), "recall": hits / max(len(truth), 1),
        })  # fmt: skip
    return found


def _peers(seen: uplift.Panel, new: uplift.Panel) -> dict[str, Floats]:
    """scikit-uplift's own models on the same features, where it is installed."""
    try:
        models = importlib.import_module("sklift.models")
    except ImportError:
        return {}
    found = {}
    for base, make in (("linear", uplift.linear_chance), ("trees", uplift.tree_chance)):
        peers = {
            "solo": models.SoloModel(make()), "two models": models.TwoModels(make(), make(), method="vanilla"),
            "class transformation": models.ClassTransformation(make()),
        }  # fmt: skip
        for name, model in peers.items():
            model.fit(seen.features, seen.bought.astype(int), seen.sent.astype(int))
            found[f"scikit-uplift, {name}, {base}"] = np.asarray(model.predict(new.features), float)
    return found
