"""From a draft of a question to the two cases of a pair."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eval.generate.measures import Plans
from eval.generate.pool import Pool
from eval.generate.wording import LANGUAGES, Both, Deck, fill, leaves_to_page

NO_CALL: Plans = ((),)
"""The plan of a turn that must run no tool."""
_PICKED = 0.25
"""The share of questions about a customer that leave it to the page who that is."""
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Ask:
    """A turn: the kind of question (`wordings/` "file.kind"), what fills it, and what is right.

    kind: acceptable kinds of reply. plans: as eval/plans.py; empty where any way to the answer will do. tools:
    acceptable tools; taken from the plans where there are any. silent: words that must not stand in the answer.
    more: further keys of the turn (`brief`, `none_of`, …).
    """

    wording: str
    slots: Mapping[str, Both] = field(default_factory=dict)
    kind: str | tuple[str, ...] = "answer"
    plans: Plans = ()
    expect: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A case without its words. customer: whom the page has picked where the wording of the first turn names
    nobody; such wordings come up now and then. notes: customer and text, planted before the first turn."""

    turns: tuple[Ask, ...]
    role: str = "service"
    customer: str | None = None
    notes: tuple[tuple[str, Both], ...] = ()


Make = Callable[[random.Random, Pool], Draft | None]


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of case, how many pairs a seed yields of it, and how one is drafted (None: that draw has no clear
    answer, draw again)."""

    name: str
    pairs: int
    make: Make


def written(suite: str, topics: tuple[Topic, ...], seed: int, pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield the cases of a suite. Raises ValueError where the data cannot fill a topic."""
    deck, asked = Deck(f"{seed}/{suite}"), set()
    for topic in topics:
        rng = random.Random(f"{seed}/{suite}/{topic.name}")
        for number in range(1, topic.pairs + 1):
            pair = f"{suite}-{topic.name}-{number:02d}-{seed}"
            yield from _fresh(suite, topic, pair, rng, pool, deck, asked)


def _fresh(
    suite: str, topic: Topic, pair: str, rng: random.Random, pool: Pool, deck: Deck, asked: set[Any]
) -> list[dict[str, Any]]:
    """Return a pair that nobody has asked yet."""
    for _ in range(_TRIES):
        draft = topic.make(rng, pool)
        if draft is None:
            continue
        cases = _pair(suite, topic.name, pair, draft, rng, deck)
        said = {(c["language"], c.get("customer"), tuple(t["question"] for t in c["turns"])) for c in cases}
        if not said & asked:
            asked |= said
            return cases
    raise ValueError(f"the data has no clear answer for {suite}/{topic.name}; generate from the whole sample")


def _pair(
    suite: str, topic: str, pair: str, draft: Draft, rng: random.Random, deck: Deck
) -> list[dict[str, Any]]:
    picked = None
    if draft.customer is not None:
        picked = rng.random() < _PICKED and leaves_to_page(draft.turns[0].wording)
    return [
        _case(suite, topic, f"{pair}-{language}", pair, language, draft, picked, deck)
        for language in LANGUAGES
    ]


def _case(
    suite: str, topic: str, name: str, pair: str, language: str, draft: Draft, picked: bool | None, deck: Deck
) -> dict[str, Any]:
    case: dict[str, Any] = {
        "id": name, "pair": pair, "suite": suite, "topic": topic, "language": language, "role": draft.role
    }  # fmt: skip
    if picked:
        case["customer"] = draft.customer
    if draft.notes:
        notes = [{"customer": c, "text": text.within(language)} for c, text in draft.notes]
        case["plant"] = {"notes": notes}
    case["turns"] = [
        _turn(ask, deck.deal(ask.wording, language, picked if i == 0 else None), language)
        for i, ask in enumerate(draft.turns)
    ]
    return case


def _turn(ask: Ask, wording: str, language: str) -> dict[str, Any]:
    turn: dict[str, Any] = {"question": fill(wording, ask.slots, language)}
    turn["kind"] = ask.kind if isinstance(ask.kind, str) else list(ask.kind)
    turn["tools"] = list(ask.tools or dict.fromkeys(c["tool"] for plan in ask.plans for c in plan))
    if ask.plans:
        turn["plans"] = [list(plan) for plan in ask.plans]
    turn["expect"] = [dict(check) for check in ask.expect]
    return turn | ({"silent": list(ask.silent)} if ask.silent else {}) | dict(ask.more)
