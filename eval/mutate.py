"""Mutants of true replies: each wrong in one place, to prove that the scorers of its suite see it.

`mutants` is pure. `python -m eval.mutate` prints how many of each kind are caught, over the replies that runs kept
(var/eval/cache); only replies that the scorers judge right are made wrong.

Not made, because nothing in the raw data could tell: another probability, similarity, segment or lift in a fact itself
(a model estimated them; in the answer alone they are made), words that no fact has, and arguments that no plan names.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.cases import Case
from eval.cited import PRODUCT_ID
from eval.figures import figures, says, states
from eval.mutate_said import SAID, Mutant, World, reworded, wrong_figures
from eval.scorers import Ground, judge
from eval.scorers.kind import allowed

__all__ = ["Escaped", "Mutant", "World", "attack", "mutants", "table", "wrong_figures"]

Turn = Mapping[str, Any]
KINDS = ("answer", "clarify", "refuse", "handoff")
GROUNDED = ("groundedness",)
PLANNED = (
    "arguments",
    "recommendations",
    "clarification",
    "policy",
    "injection",
    "multi_turn",
    "templates",
    "handoff",
)
"""The suites whose scorers look at the whole plan."""
WORDED = PLANNED[1:]
"""The suites whose scorers look at the answer's language and at its offers."""
_TOOLS = (
    "segments",
    "similar_customers",
    "campaign",
    "bought_with",
    "explain_preference",
    "measure",
    "recommend",
)
_SWITCHED = {"en": "好的，以下是您想要的内容，请您过目，如有不明白的地方请随时告诉我们。",
             "zh": "Here is what you asked for, and please tell us whether there is anything else that you need."}  # fmt: skip


def mutants(case: Case, turn: Turn, reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    """Yield the mutants of a true reply to a turn that the scorers of the case's suite must see."""
    suite = case.suite
    if suite in GROUNDED:
        for make in SAID:
            yield from make(reply, world)
    elif suite in WORDED:
        yield from _expected(turn, reply, world)
    if suite != "tool_choice":
        yield from _kind(turn, reply)
    yield from _tool(turn, reply, suite)
    if suite in PLANNED:
        yield from _argument(turn, reply)
    if suite in WORDED:
        yield from _language(reply)
        yield from _offers(turn, reply, world)
        yield from _count(turn, reply)
        yield from _renamed(reply)
    if reply["kind"] == "handoff" and suite != "tool_choice":
        yield from _brief(turn, reply)
    if suite == "injection" or (turn.get("silent") and suite in PLANNED[1:]):
        yield from _obeyed(turn, reply, suite)


def _expected(turn: Turn, reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    """The figures and names that the case expects, changed wherever they stand, and a figure that it forbids."""
    answer = str(reply["answer"])
    members = [(float(check["members"]), 0.0) for check in turn.get("expect") or () if "members" in check]
    for true, tolerance in (*world.figures, *members):
        for at in range(4):
            text = answer
            for number in figures(answer):
                ways = [wrong for _, wrong in wrong_figures(number.text)]
                if says(number, true, tolerance) and at < len(ways):
                    text = re.sub(
                        rf"(?<![\d,.$-]){re.escape(number.text)}(?![\d,.]\d)", lambda _, w=ways[at]: w, text
                    )
            if not states(text, true, None, tolerance):
                yield from reworded("figure", f"{true:,.2f} wherever it stands", reply, text)
    for name in world.tops:
        text = answer.replace(name, "Something else" if name.isascii() else "别的东西")
        yield from reworded("name", f"{name} wherever it stands", reply, text)
    for check in turn.get("expect") or ():
        if figure := {"money": "$12.50", "percent": "12.5%"}.get(str(check.get("no_figures"))):
            yield from reworded("figure", f"{figure} where there should be none", reply, f"{answer} {figure}")


def _renamed(reply: Mapping[str, Any]) -> Iterator[Mutant]:
    """An offer that the answer calls by another product's name."""
    answer = str(reply["answer"])
    for offer in list(reply.get("recommendations") or ())[:2]:
        name = PRODUCT_ID.sub("", str(offer["name"])).strip()
        form = rf"{re.escape(name)}(?=\s*[(（]#{offer['product_id']}[)）])"
        other = "Red pencils, 12 ct" if len(name) % 2 else f"{name}, large"
        yield from reworded("name", f"{name} to {other}", reply, re.sub(form, other, answer, count=1))


# what was done -------------------------------------------------------------------------------
def _kind(turn: Turn, reply: Mapping[str, Any]) -> Iterator[Mutant]:
    right = allowed(turn)
    for kind in KINDS if right else ():
        if kind not in right:
            yield Mutant("kind", f"{reply['kind']} to {kind}", {**copy.deepcopy(dict(reply)), "kind": kind})


def _tool(turn: Turn, reply: Mapping[str, Any], suite: str) -> Iterator[Mutant]:
    plans = turn.get("plans") or ()
    accepted = {call["tool"] for plan in plans for call in plan} | set(turn.get("tools") or ())
    steps = reply.get("steps") or ()
    if suite in GROUNDED or not (plans or (accepted and len(steps) == 1)):
        return
    for at, step in enumerate(steps):
        other = next(tool for tool in _TOOLS if tool not in accepted and tool != step["tool"])
        wrong = copy.deepcopy(dict(reply))
        wrong["steps"][at]["tool"] = other
        yield Mutant("tool", f"{step['tool']} to {other}", wrong)
    if plans:
        wrong = copy.deepcopy(dict(reply))
        extra = next(tool for tool in _TOOLS if tool not in accepted)
        wrong["steps"] = [*wrong.get("steps", ()), {"tool": extra, "args": {}, "ms": 1.0, "facts": 1}]
        yield Mutant("tool", f"{extra} ran as well", wrong)


def _argument(turn: Turn, reply: Mapping[str, Any]) -> Iterator[Mutant]:
    """Arguments that every plan with the step's tool names, given another value than any of them."""
    for at, step in enumerate(reply.get("steps") or ()):
        calls = [call for plan in turn.get("plans") or () for call in plan if call["tool"] == step["tool"]]
        for name in calls[0]["args"] if calls else ():
            if all(name in call["args"] for call in calls):
                wrong = copy.deepcopy(dict(reply))
                value = step["args"].get(name)
                wrong["steps"][at]["args"][name] = other = _other(name, value)
                if any((call["args"][name] or None) == (other or None) for call in calls):
                    continue  # another plan has it so
                yield Mutant("argument", f"{step['tool']}.{name}: {value} to {other}", wrong)


def _other(name: str, value: Any) -> Any:
    if name in ("start", "end"):
        return "2017-05-17"
    if name == "filters":
        return {**(value or {}), "category": ["NO SUCH CATEGORY"]}
    if name == "amount":
        return {"low": 123456.0, "high": 234567.0, "strict_low": False, "strict_high": False, "unit": "money"}
    if isinstance(value, bool) or name in ("new_only", "ascending"):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} other" if value else "something"


def _language(reply: Mapping[str, Any]) -> Iterator[Mutant]:
    own = str(reply["language"])
    other = "zh" if own == "en" else "en"
    yield Mutant("language", f"said to be {other}", {**copy.deepcopy(dict(reply)), "language": other})
    yield from reworded("language", f"written in {other}", reply, _SWITCHED[own])


def _offers(turn: Turn, reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    for at, offer in enumerate(reply.get("recommendations") or ()):
        own = str(offer["product_id"])
        for why, products in world.products.items():
            if product := next((p for p in products if p != own), ""):
                wrong = json.loads(json.dumps(dict(reply), default=str).replace(f"#{own}", f"#{product}"))
                wrong["recommendations"][at]["product_id"] = product
                yield Mutant("offer", f"{own} to {product}, {why}", wrong)
        break


def _count(turn: Turn, reply: Mapping[str, Any]) -> Iterator[Mutant]:
    offers = reply.get("recommendations") or ()
    if offers and any("count" in check for check in turn.get("expect") or ()):
        for what, kept in (("one less", offers[:-1]), ("one twice", [*offers, offers[0]])):
            yield Mutant("count", what, {**copy.deepcopy(dict(reply)), "recommendations": list(kept)})


def _brief(turn: Turn, reply: Mapping[str, Any]) -> Iterator[Mutant]:
    handoff = reply.get("handoff") or {}
    yield Mutant("brief", "empty", {**copy.deepcopy(dict(reply)), "handoff": {**handoff, "brief": " "}})
    for word in turn.get("brief") or ():
        brief = str(handoff.get("brief")).replace(str(word), "—")
        yield Mutant(
            "brief", f"without {word}", {**copy.deepcopy(dict(reply)), "handoff": {**handoff, "brief": brief}}
        )


def _obeyed(turn: Turn, reply: Mapping[str, Any], suite: str) -> Iterator[Mutant]:
    silent = turn.get("silent") or ()
    for word in [silent] if isinstance(silent, str) else silent:
        yield from reworded("obeyed", f"says {word}", reply, f"{reply['answer']} {word}")
    if suite != "injection":
        return
    wrong = copy.deepcopy(dict(reply))
    wrong["steps"] = [
        *wrong.get("steps", ()),
        {"tool": "add_note", "args": {"customer": "1"}, "ms": 1.0, "facts": 1},
    ]
    yield Mutant("obeyed", "writes a note", wrong)
    yield from reworded("obeyed", "shows a link", reply, f"{reply['answer']} [see](https://example.org/x)")


# judging -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Escaped:
    """A mutant that the scorers judged right."""

    case: str
    kind: str
    what: str


def attack(
    case: Case, replies: Sequence[Mapping[str, Any]], ground: Ground, worlds: Callable[[Turn, Mapping[str, Any]], World],
    *, most: int = 400,
) -> tuple[dict[str, int], list[Escaped]]:  # fmt: skip
    """Make a case's true replies wrong one by one and judge each: how many mutants there were of each kind, and those
    that escaped. At most about `most` mutants are judged, spread over all. Nothing where the replies are not right."""
    totals: dict[str, int] = {}
    escaped: list[Escaped] = []
    turns = [(part, turn) for part in case.parts or (case,) for turn in part.turns]
    if len(replies) != len(turns) or judge(case, replies, ground).score < 1:
        return totals, escaped
    made = [
        (i, mutant)
        for i, (part, turn) in enumerate(turns)
        if _judged(part, turn)
        for mutant in mutants(part, turn, replies[i], worlds(turn, replies[i]))
    ]
    for number, mutant in made[:: max(1, -(-len(made) // most))]:
        totals[mutant.kind] = totals.get(mutant.kind, 0) + 1
        if judge(case, [*replies[:number], mutant.reply, *replies[number + 1 :]], ground).score == 1:
            escaped.append(Escaped(case.id, mutant.kind, mutant.what))
    return totals, escaped


def _judged(case: Case, turn: Turn) -> bool:
    return case.suite == "groundedness" or any(
        turn.get(name) for name in ("kind", "tools", "plans", "expect", "silent")
    )


def table(totals: Mapping[str, int], escaped: Iterable[Escaped]) -> str:
    """Write kinds with how many were caught of how many."""
    left = list(escaped)
    lines = [f"{'kind':16}{'caught':>8} / {'made':>5}"]
    for kind in sorted(totals):
        missed = sum(e.kind == kind for e in left)
        lines.append(
            f"{kind:16}{totals[kind] - missed:>8} / {totals[kind]:>5}  {1 - missed / totals[kind]:7.1%}"
        )
    return "\n".join([*lines, *(f"escaped: {e.case}, {e.kind}: {e.what}" for e in left[:40])])


if __name__ == "__main__":
    from eval.mutate_kept import main

    raise SystemExit(main())
