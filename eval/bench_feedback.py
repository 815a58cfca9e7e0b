"""`shopkeeper bench feedback`: what learning from clicks brings on a simulated shop, and whether a log tells it."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from customers.recommend.bandit import Bandit, Floats, Shown, Slate
from customers.recommend.policy_value import policy_value
from customers.simulate.shop import Asked
from eval.bench_profiles import render
from eval.simulated_clicks import Clicks, clicks

Row = dict[str, Any]
SHOWN = 5
ROUNDS, CUSTOMERS, DAYS = 40, 300, 220
EXPLORATIONS = (0.0, 0.05, 0.1, 0.3, 1.0)


def run(*, quick: bool = False, as_json: bool = False, seed: int = 0) -> list[Row]:
    """Measure regret and off-policy estimates, print a table of each, or one JSON object. quick: a smaller shop."""
    asked = Asked(customers=200 if quick else CUSTOMERS, days=DAYS, seed=11 + seed, dirt=0.0)
    rounds = 15 if quick else ROUNDS
    world = clicks(asked, seed)
    begun = time.perf_counter()
    parts = {
        "regret": regrets(world, rounds, seed),
        "off-policy": estimates(world, max(rounds // 3, 5), seed),
    }
    seconds = time.perf_counter() - begun
    if as_json:
        rows = [{"part": part, **row} for part, found in parts.items() for row in found]
        print(json.dumps({"rows": rows}, ensure_ascii=False))
        return rows
    lists = rounds * len(world.slates)
    print(f"{len(world.slates):,} simulated customers, {lists:,} lists of {SHOWN} out of up to 30 offers")
    for part, found in parts.items():
        print(render(part, found, seconds))
    return [{"part": part, **row} for part, found in parts.items() for row in found]


@dataclass
class _Played:
    """Expected reward lost against the best list, over all lists and over the last quarter of them; clicks."""

    regret: float = 0.0
    late: float = 0.0
    clicks: int = 0
    lists: int = 0


Chooser = Callable[[Slate], Any]
Learner = Callable[[Slate, Any, Floats], None]


def play(
    world: Clicks, rounds: int, choose: Chooser, places: Callable[[Any], Any], learn: Learner, seed: int
) -> _Played:
    """Show every customer a list in each round; the same draws of clicks for whoever ranks."""
    order, draws = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    played = _Played()
    for turn in range(rounds):
        for who in order.permutation(len(world.slates)).tolist():
            slate, chance = world.slates[who], world.chances[who]
            luck = draws.random(len(chance))
            shown = choose(slate)
            chosen = np.asarray(places(shown))
            reward = (luck[chosen] < chance[chosen]).astype(float)
            lost = float(np.sort(chance)[::-1][:SHOWN].sum() - chance[chosen].sum())
            played.regret += lost
            played.late += lost if turn >= rounds - rounds // 4 else 0.0
            played.clicks += int(reward.sum())
            played.lists += 1
            learn(slate, shown, reward)
    return played


def regrets(world: Clicks, rounds: int, seed: int) -> list[Row]:
    """Regret of the static blend, of the bandit at several exploration shares, and of peers where they are installed."""
    static = play(
        world, rounds, lambda s: np.argsort(-s.score, kind="stable")[:SHOWN], lambda x: x, _nothing, seed
    )
    lot = np.random.default_rng([seed, 3])
    by_lot = play(
        world, rounds, lambda s: lot.permutation(len(s.product))[:SHOWN], lambda x: x, _nothing, seed
    )
    rows = [_row("blend, static", static, static), _row("by lot", by_lot, static)]
    for share in EXPLORATIONS:
        bandit = Bandit(share, random_state=seed)
        played = play(
            world, rounds, lambda s, b=bandit: b.rank(s, SHOWN), lambda x: x.chosen, bandit.learn, seed
        )
        rows.append(_row(f"bandit, exploration {share:g}", played, static))
    return rows + _peers(world, rounds, static, seed)


def _nothing(slate: Slate, shown: Any, reward: Floats) -> None:
    """A ranking that does not learn."""


def _row(name: str, played: _Played, static: _Played) -> Row:
    return {
        "model": name, "clicks per list": played.clicks / played.lists, "regret per list": played.regret / played.lists,
        "of static": played.regret / static.regret, "of static, last quarter": played.late / max(static.late, 1e-9),
    }  # fmt: skip


def _peers(world: Clicks, rounds: int, static: _Played, seed: int) -> list[Row]:
    """MABWiser's bandits, products as arms, learning after every round as its interface wants it."""
    try:
        mab = importlib.import_module("mabwiser.mab")
    except ImportError:
        return []
    arms = sorted({int(p) for s in world.slates for p in s.product})
    policies = {
        "MABWiser epsilon-greedy 0.1": mab.LearningPolicy.EpsilonGreedy(0.1),
        "MABWiser UCB1 0.3": mab.LearningPolicy.UCB1(0.3),
        "MABWiser Thompson": mab.LearningPolicy.ThompsonSampling(),
    }
    rows = []
    for name, policy in policies.items():
        model = mab.MAB(arms, policy, seed=seed)
        model.fit(arms, [0] * len(arms))
        seen: tuple[list[int], list[float]] = ([], [])

        def choose(slate: Slate, model: Any = model) -> Any:
            worth = model.predict_expectations()
            return np.argsort([-worth[int(p)] for p in slate.product], kind="stable")[:SHOWN]

        def learn(slate: Slate, chosen: Any, reward: Floats, model: Any = model, seen: Any = seen) -> None:
            seen[0].extend(int(slate.product[c]) for c in chosen)
            seen[1].extend(reward.tolist())
            if len(seen[0]) >= SHOWN * len(world.slates) // 10:
                model.partial_fit(seen[0], seen[1])
                seen[0].clear()
                seen[1].clear()

        rows.append(_row(name, play(world, rounds, choose, lambda x: x, learn, seed), static))
    return rows


# off-policy -----------------------------------------------------------------------------------
def estimates(world: Clicks, rounds: int, seed: int) -> list[Row]:
    """What logs of an exploring bandit tell of other rankings' first offers, beside the truth."""
    logs = _log(world, rounds, seed)
    rows = []
    for name, first in _judged(world).items():
        wanted = np.array([float(first(world.slates[who], x) == a) for who, x, a, _, _ in logs])
        logged = np.array([chance for *_, chance, _ in logs])
        reward = np.array([r for *_, r in logs])
        predicted, expected = _predictions(logs, world, first)
        truth = float(np.mean([world.chances[who][first(world.slates[who], x)] for who, x, *_ in logs]))
        group = np.array([who for who, *_ in logs])
        for v in policy_value(
            reward, logged, wanted, predicted, expected, group=group, rounds=300, seed=seed
        ):
            rows.append({
                "model": f"{name}, {v.method}", "estimate": v.value, "low": v.low, "high": v.high, "truth": truth,
                "inside": "yes" if v.low <= truth <= v.high else "no", "effective": v.effective,
            })  # fmt: skip
    return rows


Logged = tuple[int, Floats, int, float, float]


def _log(world: Clicks, rounds: int, seed: int) -> list[Logged]:
    """(customer, features, first place, its chance, reward) of each list of a bandit that explores by half, and half
    of that by lot."""
    place = {id(s): n for n, s in enumerate(world.slates)}
    bandit, logs = Bandit(0.5, lot=0.5, random_state=seed), []

    def learn(slate: Slate, shown: Shown, reward: Floats) -> None:
        logs.append((place[id(slate)], shown.features, int(shown.chosen[0]), shown.chance, float(reward[0])))
        bandit.learn(slate, shown, reward)

    play(world, rounds, lambda s: bandit.rank(s, SHOWN), lambda x: x.chosen, learn, seed)
    return logs


def _judged(world: Clicks) -> dict[str, Callable[[Slate, Floats], int]]:
    """Rankings to judge, as the place of their first offer: the blend's, and what was clicked most of late."""
    return {
        "blend": lambda slate, x: int(np.argmax(slate.score)),
        "most clicked": lambda slate, x: int(np.argmax(x[:, 3] + x[:, 4])),
    }


def _predictions(
    logs: list[Logged], world: Clicks, first: Callable[[Slate, Floats], int]
) -> tuple[Floats, Floats]:
    """A ridge model of reward, each half of the customers by the other half's; of the action taken, and of the judged."""
    x = np.array([f[a] for _, f, a, _, _ in logs])
    judged = np.array([f[first(world.slates[who], f)] for who, f, *_ in logs])
    y = np.array([r for *_, r in logs])
    half = np.array([who % 2 for who, *_ in logs])
    predicted, expected = np.zeros(len(y)), np.zeros(len(y))
    for side in (0, 1):
        fit, held = half != side, half == side
        w = np.linalg.solve(x[fit].T @ x[fit] + np.eye(x.shape[1]), x[fit].T @ y[fit])
        predicted[held], expected[held] = x[held] @ w, judged[held] @ w
    return predicted, expected
