"""Mutants of what an answer says: a figure, its unit or sign, a name, a direction, an id, a date, an order, a footnote, and
a tool's own figure, each wrong in one place. Pure; eval/mutate.py says which suites must see which."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.cited import FOOTNOTE, ID, MONTHS, NUMBERED, OPPOSITES, PRODUCT_ID
from eval.figures import Unit, figures, says

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What mutants are made of. names: pairs of names of one kind by language. products: what may stand in an offer's
    place, by what is wrong with it ("unsold", "bought", "category", "barred")."""

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    products: Mapping[str, Sequence[str]] = field(default_factory=dict)
    figures: Sequence[tuple[float, float]] = ()
    tops: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Mutant:
    """kind: of the mutation; what: where it is wrong, in words; reply: the wrong reply, the true one is untouched."""

    kind: str
    what: str
    reply: Reply


def reworded(kind: str, what: str, reply: Mapping[str, Any], answer: str) -> Iterator[Mutant]:
    """Yield the reply with another answer, nothing where it is the same."""
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
            yield from reworded(
                "figure", f"{number.text} {how}: {text}", reply, answer[:begin] + text + answer[end:]
            )
        if number.unit is not Unit.PLAIN and number.value and not answer[:begin].rstrip().endswith("–"):
            yield from reworded("sign", number.text, reply, f"{answer[:begin]}-{answer[begin:]}")


def _unit(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for begin, end, number in _spots(answer):
        text = answer[begin:end]
        if number.unit is Unit.MONEY and text.startswith("$"):
            yield from reworded("unit", f"{text} to %", reply, f"{answer[:begin]}{text[1:]}%{answer[end:]}")
        elif number.unit is Unit.PERCENT:
            yield from reworded("unit", f"{text} to $", reply, f"{answer[:begin]}${text[:-1]}{answer[end:]}")
        for one, other in (
            (" trips", " customers"),
            (" customers", " trips"),
            ("次", "位顾客"),
            ("位顾客", "次"),
        ):
            if reply.get("citations") and number.unit is Unit.PLAIN and answer.startswith(one, end):
                text = answer[:end] + other + answer[end + len(one) :]
                yield from reworded("unit", f"{number.text}{one} to{other}", reply, text)


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
                yield from reworded("name", f"{name} to {spare[0]}", reply, text)


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
                    yield from reworded("direction", f"{word} to {other}", reply, text)


def _id(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    for found in ID.finditer(answer):
        group = next(i for i in (1, 2, 3) if found[i])
        if reply.get("citations"):
            other = f"{int(found[group]) + 7919}"
            text = answer[: found.start(group)] + other + answer[found.end(group) :]
            yield from reworded("id", f"{found[group]} to {other}", reply, text)


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
                yield from reworded("date", f"{found.group()} to {word}", reply, text)
                break


def _order(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    lines = str(reply["answer"]).split("\n")
    for i in range(len(lines) - 1):
        one, two = NUMBERED.match(lines[i]), NUMBERED.match(lines[i + 1])
        if one and two and FOOTNOTE.search(lines[i]) and FOOTNOTE.search(lines[i + 1]):
            swapped = [one.group() + lines[i + 1][two.end() :], two.group() + lines[i][one.end() :]]
            text = "\n".join([*lines[:i], *swapped, *lines[i + 2 :]])
            yield from reworded("order", f"{one[1]} and {two[1]}", reply, text)


def _footnote(reply: Mapping[str, Any], world: World) -> Iterator[Mutant]:
    answer = str(reply["answer"])
    facts = {int(c["n"]): str(c["fact"]) for c in reply.get("citations", ())}
    for found in FOOTNOTE.finditer(answer):
        own = facts.get(int(found[1].split(",")[0]), "")
        others = [n for n, fact in facts.items() if fact != own and not _covers(fact, own)]
        for other in [*others[:1], max(facts, default=0) + 1]:
            text = f"{answer[: found.start()]}[{other}]{answer[found.end() :]}"
            yield from reworded("footnote", f"{found.group()} to [{other}]", reply, text)


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
            if not says(number, float(value), coarsest=1.0) or (
                number.unit is Unit.PLAIN and citation["tool"] == "profile"
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


SAID: tuple[Callable[[Mapping[str, Any], World], Iterator[Mutant]], ...] = (
    _figure, _unit, _name, _direction, _id, _date, _order, _footnote, _told,
)  # fmt: skip
