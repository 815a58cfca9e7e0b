"""Attacks the scorers with mutants of kept replies: what the mutants are made of, and the table of what was caught."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from download import ensure_sample_data
from eval.cases import SUITES, USERS, Case, load
from eval.mutate import Escaped, Turn, World, attack, table
from eval.raw import load_names
from eval.replies import Replies
from eval.scorers import Ground
from eval.truth import Truth
from settings import Settings

_SOLD = "select product from lines where category {sign} ? group by product order by product limit 3"


def worlds(ground: Ground) -> Callable[[Turn, Mapping[str, Any]], World]:
    """Return what makes a turn's world from the sample's files: names, and products that the turn must not be given."""
    names = _names()

    def world(turn: Turn, reply: Mapping[str, Any]) -> World:
        products = _products(turn, reply, ground) if reply.get("recommendations") else {}
        return World(names, products, *_expected(turn, ground))

    return world


def _expected(turn: Turn, ground: Ground) -> tuple[list[tuple[float, float]], list[str]]:
    """The figures that a turn expects with their tolerances, and the names of what it expects in a ranking."""
    numbers, tops = [], []
    for check in turn.get("expect") or ():
        if "figure" in check and (rows := ground.rows(check["sql"])):
            numbers.append((float(rows[0][0] or 0), float(check.get("tolerance", 0))))
        if check.get("top") in ("category", "department"):
            known = load_names()
            tops += [
                n for row in ground.rows(check["sql"]) for n in known.get((check["top"], str(row[0])), ())
            ]
    return numbers, [name for name in tops if not any(name != other and name in other for other in tops)]


@cache
def _names() -> dict[str, tuple[str, ...]]:
    known = load_names()
    return {
        f"{kind}-{language}": tuple(
            dict.fromkeys(both[i] for (k, _), both in known.items() if k == kind and both[i])
        )
        for kind in ("category", "department")
        for i, language in enumerate(("en", "zh"))
    }


def _products(turn: Turn, reply: Mapping[str, Any], ground: Ground) -> dict[str, Sequence[str]]:
    steps = [step["args"] for step in reply.get("steps", ()) if step["tool"] == "recommend"]
    only = steps[0] if len(steps) == 1 else {}
    expect = turn.get("expect") or ()
    category = next((c["category"] for c in expect if "category" in c), only.get("category"))
    customer = next((c["never_bought"] for c in expect if "never_bought" in c), None)
    customer = customer or (only.get("customer") if only.get("new_only") else None)
    found: dict[str, Sequence[str]] = {"unsold": ("999999999",)}
    if category:
        found["category"] = _ids(ground, _SOLD.format(sign="<>"), category)
    if customer:
        bought = "select product from lines where customer = ? group by product order by product limit 3"
        found["bought"] = _ids(ground, bought, str(customer))
    for barred in list(turn.get("none_of") or ())[:1]:
        found["barred"] = _ids(ground, _SOLD.format(sign="="), barred)
    return found


def _ids(ground: Ground, sql: str, value: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in ground.rows(sql, [value]))


def attack_all(
    played: Iterable[tuple[Case, Sequence[Mapping[str, Any]]]], ground: Ground, most: int = 400
) -> tuple[dict[str, int], list[Escaped], int]:
    """Attack many cases: mutants of each kind, those that escaped, and how many cases were judged right at all."""
    totals: dict[str, int] = {}
    left: list[Escaped] = []
    right, of = 0, worlds(ground)
    for case, replies in played:
        made, escaped = attack(case, replies, ground, of, most=most)
        right += bool(made)
        left += escaped
        for kind, number in made.items():
            totals[kind] = totals.get(kind, 0) + number
    return totals, left, right


def kept(settings: Settings, cases: Mapping[str, Case]) -> list[tuple[Case, Sequence[Mapping[str, Any]]]]:
    """Return the cases of the last runs with the replies that the cache holds. Runs say under which identity they were
    played only in part, so a reply is found by the words of its answer."""
    from eval import records

    folder, replies = settings.var / "eval" / "cache", {}
    store = Replies(folder)
    for path in sorted(folder.glob("*.json")):
        if played := store.find(path.stem):
            replies["\n\n".join(str(reply["answer"]) for reply in played.replies)] = played.replies
    found = {}
    for run in sorted((settings.var / "eval" / "runs").glob("*/run.json")):
        for result in records.read(run.parent).results:
            case = cases.get(f"{result.suite}:{result.case}")
            if case and result.answer in replies and result.score == 1:
                found[result.suite, result.case, result.epoch] = (case, replies[result.answer])
    return list(found.values())


def main() -> int:
    """Print the table; 1 where less than 99 % of a kind is caught or no run has kept anything."""
    settings = Settings()
    truth = Truth(ensure_sample_data(settings.cache))
    first, last = truth.raw.rows("select min(day), max(day) from lines")[0]
    ground = Ground((first.isoformat(), last.isoformat()), lambda: truth)
    found = load([s for s in SUITES if s != USERS], seed=0, raw=lambda: truth.raw)
    played = kept(settings, {f"{suite}:{case.id}": case for suite, cases in found.items() for case in cases})
    if not played:
        print(
            f"No run has kept a right reply in {Path(settings.var) / 'eval'}; run `shopkeeper eval all` first."
        )
        return 1
    totals, escaped, right = attack_all(played, ground, most=60)
    print(f"{right} cases judged right\n{table(totals, escaped)}")
    return int(any(sum(e.kind == k for e in escaped) > 0.01 * n for k, n in totals.items()))
