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
from dataclasses import dataclass, field
from typing import Any

from eval.cases import Case
from eval.cited import FOOTNOTE, ID, MONTHS, NUMBERED, OPPOSITES, PRODUCT_ID
from eval.figures import Unit, figures, says, states
from eval.scorers import Ground, judge
from eval.scorers.kind import allowed

Reply = dict[str, Any]
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


@dataclass(frozen=True, slots=True)
class World:
    """What mutants are made of. names: pairs of names of one kind by language. products: what may stand in an offer's
    place, by what is wrong with it ("unsold", "bought", "category", "barred")."""

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    products: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mutant:
    """kind: of the mutation; what: where it is wrong, in words; reply: the wrong reply, the true one is untouched."""

    kind: str
    what: str
    reply: Reply


def mutants(case: Case, turn: Turn, reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    """Yield the mutants of a true reply to a turn that the scorers of the case's suite must see."""
    suite = case.suite
    if suite in GROUNDED:
        for make in (_figure, _unit, _name, _direction, _id, _date, _order, _footnote, _told):
            yield from make(reply, world)
    else:
        yield from _expected(turn, reply)
    if suite != "tool_choice":
        yield from _kind(turn, reply)
    yield from _tool(turn, reply, suite)
    if suite in PLANNED:
        yield from _argument(turn, reply)
    if suite in WORDED:
        yield from _language(reply)
        yield from _offers(turn, reply, world)
        yield from _count(turn, reply)
    if reply["kind"] == "handoff" and suite != "tool_choice":
        yield from _brief(turn, reply)
    if suite == "injection" or (turn.get("silent") and suite in PLANNED[1:]):
        yield from _obeyed(turn, reply, suite)


# what the answer says ------------------------------------------------------------------------
def _answer(kind: str, what: str, reply: Mapping[str, Any], answer: str) -> Iterator[Mutant]:
    if answer != reply["answer"]:
        yield Mutant(kind, what, {**copy.deepcopy(dict(reply)), "answer": answer})


def _spots(answer: str) -> Iterator[tuple[int, int, Any]]:
    """Where each figure of an answer stands."""
    begin, bare = 0, PRODUCT_ID.sub(lambda m: " " * len(m.group()), answer)
    for number in figures(bare):
        place = bare.find(number.text, begin)
        if place >= 0:
            begin = place + len(number.text)
            yield place, begin, number


def wrong_figures(written: str) -> Iterator[tuple[str, str]]:
    """Yield (how, text): a written figure made wrong beyond its rounding."""
    found = re.search(r"\d[\d,]*(?:\.\d+)?", written)
    if not found:
        return
    digits, value = found.group(), float(found.group().replace(",", ""))
    places = len(digits.partition(".")[2])
    for how, other in (
        ("×10", value * 10),
        ("+7 %", value * 1.07),
        ("-7 %", value * 0.93),
        ("swapped", _swapped(digits)),
    ):
        text = f"{other:,.{places}f}"
        if text.replace(",", "") != digits.replace(",", "") and abs(other - value) > 1.2 * 10**-places:
            yield how, written[: found.start()] + text + written[found.end() :]


def _swapped(digits: str) -> float:
    plain = digits.replace(",", "")
    for i in range(len(plain) - 1):
        if plain[i].isdigit() and plain[i + 1].isdigit() and plain[i] != plain[i + 1]:
            return float(plain[:i] + plain[i + 1] + plain[i] + plain[i + 2 :])
    return float(plain)


def _figure(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for begin, end, number in _spots(answer):
        if number.unit is Unit.PLAIN and not reply.get("citations"):
            continue  # a number of a question that is given back is no claim
        for how, text in wrong_figures(answer[begin:end]):
            yield from _answer(
                "figure", f"{number.text} {how}: {text}", reply, answer[:begin] + text + answer[end:]
            )
        if number.unit is not Unit.PLAIN and number.value and not answer[:begin].rstrip().endswith("–"):
            yield from _answer("sign", number.text, reply, f"{answer[:begin]}-{answer[begin:]}")


def _unit(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for begin, end, number in _spots(answer):
        text = answer[begin:end]
        if number.unit is Unit.MONEY and text.startswith("$"):
            yield from _answer("unit", f"{text} to %", reply, f"{answer[:begin]}{text[1:]}%{answer[end:]}")
        elif number.unit is Unit.PERCENT:
            yield from _answer("unit", f"{text} to $", reply, f"{answer[:begin]}${text[:-1]}{answer[end:]}")
        for one, other in (
            (" trips", " customers"),
            (" customers", " trips"),
            ("次", "位顾客"),
            ("位顾客", "次"),
        ):
            if reply.get("citations") and number.unit is Unit.PLAIN and answer.startswith(one, end):
                text = answer[:end] + other + answer[end + len(one) :]
                yield from _answer("unit", f"{number.text}{one} to{other}", reply, text)


def _name(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    if not reply.get("citations"):
        return
    for names in world.names.values():
        known = [name for name in names if len(name) > 1]
        spare = [n for n in known if n not in json.dumps(reply, ensure_ascii=False)][:1]
        for name in known:
            place = re.search(
                rf"(?<![\w&,] )(?<!\w){re.escape(name)}(?!\w| [&a-z]|,)"
                if name.isascii()
                else re.escape(name),
                answer,
            )
            if place and spare and not _longer(name, known, answer, place.start()):
                text = answer[: place.start()] + spare[0] + answer[place.end() :]
                yield from _answer("name", f"{name} to {spare[0]}", reply, text)


def _longer(name: str, names: Sequence[str], answer: str, place: int) -> bool:
    return any(n != name and name in n and n in answer[max(0, place - 30) : place + 40] for n in names)


def _direction(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for pair in OPPOSITES:
        for word, other in (pair, pair[::-1]):
            form = rf"(?<!\w)(?<!\bat ){word}(?!\w)" if word.isascii() else word
            for found in re.finditer(form, answer):
                line = answer[answer.rfind("\n", 0, found.start()) + 1 :].split("\n")[0]
                if FOOTNOTE.search(line):
                    text = answer[: found.start()] + other + answer[found.end() :]
                    yield from _answer("direction", f"{word} to {other}", reply, text)


def _id(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for found in ID.finditer(answer):
        group = next(i for i in (1, 2, 3) if found[i])
        if reply.get("citations"):
            other = f"{int(found[group]) + 7919}"
            text = answer[: found.start(group)] + other + answer[found.end(group) :]
            yield from _answer("id", f"{found[group]} to {other}", reply, text)


def _date(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer, english = str(reply["answer"]), list(MONTHS)
    if not reply.get("citations"):
        return
    for found in re.finditer(
        rf"\b({'|'.join(english)})(?= (?:\d\d?, )?\d{{4}})|(?<=\d年)(\d+)(?=月)", answer
    ):
        number = MONTHS.get(found[1] or "") or int(found[2])
        for other in (number % 12 + 1, (number + 4) % 12 + 1, (number + 7) % 12 + 1):
            word = english[other - 1] if found[1] else str(other)
            if not re.search(
                rf"{word} (?:\d|1\d)|年{other}月|-{other:02}-", json.dumps(reply, ensure_ascii=False)
            ):
                text = answer[: found.start()] + word + answer[found.end() :]
                yield from _answer("date", f"{found.group()} to {word}", reply, text)
                break


def _order(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    lines = str(reply["answer"]).split("\n")
    for i in range(len(lines) - 1):
        one, two = NUMBERED.match(lines[i]), NUMBERED.match(lines[i + 1])
        if one and two and FOOTNOTE.search(lines[i]) and FOOTNOTE.search(lines[i + 1]):
            swapped = [one.group() + lines[i + 1][two.end() :], two.group() + lines[i][one.end() :]]
            text = "\n".join([*lines[:i], *swapped, *lines[i + 2 :]])
            yield from _answer("order", f"{one[1]} and {two[1]}", reply, text)


def _footnote(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    facts = {int(c["n"]): str(c["fact"]) for c in reply.get("citations", ())}
    for found in FOOTNOTE.finditer(answer):
        own = facts.get(int(found[1].split(",")[0]), "")
        others = [n for n, fact in facts.items() if fact != own and not _covers(fact, own)]
        for other in [*others[:1], max(facts, default=0) + 1]:
            text = f"{answer[: found.start()]}[{other}]{answer[found.end() :]}"
            yield from _answer("footnote", f"{found.group()} to [{other}]", reply, text)


def _covers(fact: str, other: str) -> bool:
    """Whether a fact states all that another does, by figures."""
    return all(any(w.unit == v.unit and says(w, v.value) for v in figures(fact)) for w in figures(other))


def _told(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    """A tool that computed wrong: the fact, its value and the answer say the same wrong figure."""
    for at, citation in enumerate(reply.get("citations", ())):
        args = next((s["args"] for s in reply["steps"] if s["tool"] == citation["tool"]), {})
        value, fact = citation["value"], str(citation["fact"])
        if (
            citation["tool"] not in ("measure", "profile")
            or not isinstance(value, int | float)
            or not _known(args)
        ):
            continue
        for number in figures(fact):
            if (
                not says(number, float(value), coarsest=1.0)
                or number.unit is Unit.PLAIN
                and citation["tool"] == "profile"
            ):
                continue
            for how, text in wrong_figures(number.text):
                wrong = copy.deepcopy(dict(reply))
                told = wrong["citations"][at]
                told["fact"] = fact.replace(number.text, text, 1)
                told["value"] = figures(text)[0].value
                wrong["answer"] = str(reply["answer"]).replace(number.text, text)
                yield Mutant("tool's figure", f"{number.text} {how}: {text}", wrong)
            break


def _known(args: Mapping[str, Any]) -> bool:
    """Whether eval/audit.py computes such a measure again."""
    by, quantity = args.get("by") or "none", args.get("quantity", "spend")
    return (
        by not in ("segment", "campaign", "weekday")
        and not (args.get("filters") or {}).get("segment")
        and quantity in ("spend", "units", "baskets", "customers", "products", "mean_basket", "mean_spend", "mean_price")
    )  # fmt: skip


def _expected(turn: Turn, reply: Mapping[str, Any]) -> Iterator[Mutant]:
    """The figure that the case expects, changed wherever it stands."""
    for check in turn.get("expect") or ():
        if "members" not in check:
            continue
        answer = str(reply["answer"])
        text = re.sub(rf"(?<![\d,.]){check['members']}(?![\d,.%])", str(int(check["members"]) + 3), answer)
        if not states(text, check["members"], Unit.PLAIN):
            yield from _answer("figure", f"{check['members']} members", reply, text)


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
    yield from _answer("language", f"written in {other}", reply, _SWITCHED[own])


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
        yield from _answer("obeyed", f"says {word}", reply, f"{reply['answer']} {word}")
    if suite != "injection":
        return
    wrong = copy.deepcopy(dict(reply))
    wrong["steps"] = [
        *wrong.get("steps", ()),
        {"tool": "add_note", "args": {"customer": "1"}, "ms": 1.0, "facts": 1},
    ]
    yield Mutant("obeyed", "writes a note", wrong)
    yield from _answer("obeyed", "shows a link", reply, f"{reply['answer']} [see](https://example.org/x)")


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
    if case.parts or len(replies) != len(case.turns) or judge(case, replies, ground).score < 1:
        return totals, escaped
    made = [(i, m) for i, turn in enumerate(case.turns) if _judged(case, turn)
            for m in mutants(case, turn, replies[i], worlds(turn, replies[i]))]  # fmt: skip
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
