"""Rules of recommending: what the case expects (how many, of which category, never bought), and what holds for every
offer: it is sold, it stands there once, and it keeps to what its own step was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.cited import misnamed
from eval.scorers.ground import Ground, Reply, Turn, Wrong

_EXPECTED = ("count", "category", "never_bought")


def of_rules(expected: Mapping[str, Any]) -> bool:
    """Whether a check of eval/truth.py is one of this scorer's; the members of an audience have a category too."""
    return any(name in expected for name in _EXPECTED) and "members" not in expected


def check(turn: Turn, reply: Reply, ground: Ground) -> Wrong:
    """Aspect "rules", where something is expected or anything is recommended."""
    checks = [c for c in turn.get("expect") or () if of_rules(c)]
    offered = [str(offer["product_id"]) for offer in reply.get("recommendations", ())]
    if not checks and not offered:
        return {}
    wrong = ground.check(turn, reply, checks) if checks else []
    wrong += _barred(offered, turn.get("none_of") or (), ground)
    return {"rules": list(dict.fromkeys([*wrong, *_always(offered, reply, ground)]))}


def _barred(offered: list[str], categories: Sequence[str], ground: Ground) -> list[str]:
    """Offers of categories that this customer must not be offered (`none_of`): alcohol and tobacco, to who buys none."""
    found = ground.rows(
        "select distinct product from lines where list_contains(?, product) and list_contains(?, category) order by 1",
        [offered, list(categories)],
    )
    return [f"must not be offered: {', '.join(row[0] for row in found)}"] if found else []


def _always(offered: list[str], reply: Reply, ground: Ground) -> list[str]:
    if not offered:
        return []
    sold = dict(
        ground.rows(
            "select product, any_value(category) from lines where list_contains(?, product) group by product",
            [offered],
        )
    )
    unknown = [product for product in offered if product not in sold]
    wrong = [f"products that the shop never sold: {', '.join(unknown)}"] if unknown else []
    steps = [step["args"] for step in reply.get("steps", ()) if step["tool"] == "recommend"]
    if len(set(offered)) != len(offered) and len(steps) < 2:
        wrong.append("the same product is recommended twice")
    wrong += misnamed(reply)
    # Of several steps it is not told which offer came from which.
    return wrong + (_asked(offered, sold, steps[0], ground) if len(steps) == 1 else [])


def _asked(offered: list[str], sold: Mapping[str, str], args: Mapping[str, Any], ground: Ground) -> list[str]:
    wrong = []
    category, n = args.get("category"), args.get("n")
    other = [product for product in offered if category and sold.get(product) != category]
    if other:
        wrong.append(f"not of {category}: {', '.join(other)}")
    if isinstance(n, int) and len(offered) > n:
        wrong.append(f"{len(offered)} products recommended, at most {n} asked for")
    if args.get("new_only"):
        bought = ground.rows(
            "select distinct product from lines where customer = ? and list_contains(?, product) order by 1",
            [str(args.get("customer")), offered],
        )
        wrong += [f"bought before: {', '.join(row[0] for row in bought)}"] if bought else []
    return wrong
