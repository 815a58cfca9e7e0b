"""A small shop whose truth is known, and scripted assistants for the personas of eval/personas."""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from eval.figures import Unit
from eval.personas import About, Dialogue, Goal, Persona, personas
from eval.raw import RawData

CATEGORIES = ("COFFEE", "YOGURT", "SOUP", "FROZEN PIZZA", "LUNCHMEAT", "COLD CEREAL")
EACH = 24  # products a category; the first of each costs 1.00, the next 1.25 ...
BEER = "999"


def product(category: str, place: int) -> str:
    return str(100 * (CATEGORIES.index(category) + 1) + place)


def price(place: int) -> float:
    return 1.0 + 0.25 * place


@cache
def lines() -> list[tuple[Any, ...]]:
    """Forty customers, the first twenty on twelve monthly trips, the others on fewer and fewer; customers 40 and 41
    buy beer, and 41 nothing else."""
    chance, lines = random.Random(5), []
    for customer in range(1, 41):
        for month in range(1, 13):
            if month > 12 - max(customer - 20, 0) // 2:
                continue
            basket, when = 100 * customer + month, f"2017-{month:02}-10 17:00"
            for category in chance.sample(CATEGORIES, 4):
                place = chance.randrange(EACH)
                count = 1 + chance.randrange(4)
                lines.append(
                    (customer, 1, basket, int(product(category, place)), count, count * price(place), when)
                )
    lines.append((40, 1, 4099, int(BEER), 1, 9.0, "2017-06-10 17:00"))
    lines.append((41, 1, 4199, int(BEER), 1, 9.0, "2017-06-10 17:00"))
    for category in CATEGORIES:  # every product was sold once at least
        lines += [
            (39, 1, 3999, int(product(category, p)), 1, price(p), "2017-07-01 17:00") for p in range(EACH)
        ]
    return lines


@cache
def raw_data() -> RawData:
    """The sample, written once a run."""
    folder = Path(tempfile.mkdtemp(prefix="personas-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    products = [
        (
            int(product(category, place)),
            1,
            "GROCERY",
            ("National", "Private")[place % 2],
            category,
            "KIND",
            "1 OZ",
        )
        for category in CATEGORIES
        for place in range(EACH)
    ]
    ages = ("19-24", "45-54", "65+")
    write(folder, "transactions", "household_id bigint, store_id bigint, basket_id bigint, product_id bigint,"
           " quantity bigint, sales_value double, transaction_timestamp timestamp", lines())  # fmt: skip
    write(folder, "products", "product_id bigint, manufacturer_id bigint, department varchar, brand varchar,"
           " product_category varchar, product_type varchar, package_size varchar",
           [*products, (int(BEER), 1, "GROCERY", "National", "BEERS/ALES", "BEER", "6 PK")])  # fmt: skip
    write(
        folder, "demographics", "household_id bigint, age varchar", [(c, ages[c % 3]) for c in range(1, 41)]
    )
    write(folder, "campaigns", "campaign_id bigint, household_id bigint",
           [(7, c) for c in range(1, 31)] + [(8, c) for c in range(1, 4)])  # fmt: skip
    write(folder, "coupon_redemptions", "household_id bigint, coupon_upc bigint, campaign_id bigint,"
           " redemption_date timestamp", [(c, 5, 7, "2017-06-01") for c in (1, 2, 3, 4)])  # fmt: skip
    write(folder, "coupons", "coupon_upc bigint, product_id bigint, campaign_id bigint", [(5, 100, 7)])
    write(folder, "campaign_descriptions", "campaign_id bigint, campaign_type varchar, start_date date,"
           " end_date date", [(7, "Type A", "2017-05-01", "2017-06-30"), (8, "Type B", "2017-05-01", "2017-06-30")])  # fmt: skip
    return RawData(folder)


@cache
def everybody() -> dict[str, Persona]:
    """The personas of one seed by their ids."""
    return {persona.id: persona for persona in personas(3, raw_data())}


def write(folder: Path, name: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    con = duckdb.connect()
    con.execute(f"create table t ({columns})")
    con.executemany(f"insert into t values ({', '.join('?' * len(rows[0]))})", rows)
    con.execute(f"copy t to '{folder}/{name}.parquet' (format parquet)")


LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


# Replies --------------------------------------------------------------------------------------


def reply(persona: Persona, answer: tuple[str, str], kind: str = "answer", **more: Any) -> dict[str, Any]:
    """A reply in the persona's language; `answer` in English and Chinese."""
    usage = {"llm_calls": 1, "prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 5}
    return {
        "answer": answer[persona.language == "zh"], "language": persona.language, "kind": kind, "steps": [],
        "citations": [], "recommendations": [], "usage": usage, **more,
    }  # fmt: skip


def offer(persona: Persona, products: Sequence[str], **more: Any) -> dict[str, Any]:
    offers = [{"product_id": p, "name": f"Product {p}", "score": 1.0, "reason": "popular"} for p in products]
    step = {"tool": "recommend", "args": {"customer": persona.customer}, "ms": 1.0, "facts": len(products)}
    return reply(persona, ("I recommend these products to them.", "我向这位顾客推荐以下商品。"), recommendations=offers,
                 steps=[step], **more)  # fmt: skip


def told(persona: Persona, text: tuple[str, str], cited: bool = True) -> dict[str, Any]:
    facts = [{"n": 1, "tool": "measure", "fact": text[persona.language == "zh"], "value": 1}] if cited else []
    return reply(persona, text, citations=facts)


def audience(persona: Persona, goal: Goal, members: Sequence[str], **args: Any) -> dict[str, Any]:
    names = (", ".join(f"customer {m}" for m in members), "、".join(f"{m}号顾客" for m in members))
    step = {
        "tool": "audience",
        "args": {"category": goal.value(About.CATEGORY), **args},
        "ms": 1.0,
        "facts": 1,
    }
    text = (
        f"Address these {len(members)} people: {names[0]}.",
        f"建议触达以下{len(members)}位顾客：{names[1]}。",
    )
    return reply(persona, text, steps=[step])


def ask_back(persona: Persona, en: str, zh: str) -> dict[str, Any]:
    return reply(persona, (en, zh), "clarify")


def suitable(persona: Persona, goal: Goal) -> list[str]:
    """Products that meet every need, by this file's own knowledge of the sample."""
    bought = {str(line[3]) for line in lines() if str(line[0]) == persona.customer}
    category, budget = goal.value(About.CATEGORY), goal.value(About.BUDGET, 100)
    return [
        product(key, place)
        for key in CATEGORIES
        for place in range(EACH)
        if key == (category or key) and key != goal.value(About.AVOID) and price(place) <= budget
        and (not goal.need(About.NEW) or product(key, place) not in bought)
    ]  # fmt: skip


def right(persona: Persona, goal: Goal) -> dict[str, Any]:
    """The reply that serves a goal whole, the hidden needs too."""
    if goal.kind == "offers":
        return offer(persona, suitable(persona, goal)[: goal.value(About.COUNT)])
    if goal.kind == "figure":
        written = [written_as(f.value, f.unit) for f in goal.figures]
        return told(persona, (f"It comes to {' and '.join(written)}.", f"合计为{'，还有'.join(written)}。"))
    if goal.kind == "ranking":
        names = [persona.facts.names[("category", key)] for key in goal.keys]
        return told(
            persona,
            ("The best were " + ", ".join(n[0] for n in names), "最好的是" + "、".join(n[1] for n in names)),
        )
    if goal.kind == "audience":
        buyers = sorted({str(line[0]) for line in lines() if int(line[0]) <= 20}, key=int)
        return audience(persona, goal, buyers[: goal.value(About.COUNT)])
    assert goal.kind == "refusal"
    return reply(persona, ("I cannot do that.", "这个我不能做。"), "refuse")


def written_as(value: float, unit: Unit) -> str:
    if unit is Unit.PERCENT:
        return f"{100 * value:.1f}%"
    return f"${value:,.2f}" if unit is Unit.MONEY else f"{value:,.0f}"


def writes(goal: Goal, persona: Persona) -> dict[str, Any]:
    note = goal.value(About.NOTE)
    return ask_back(persona, f"Shall I note: “{note[0]}”? (yes/no)", f"要记录“{note[1]}”吗？（是/否）")


class Ideal:
    """Serves the goals one after the other and never misses; `instead` changes one of its replies."""

    def __init__(
        self, persona: Persona, instead: Mapping[str, Callable[[Goal], dict[str, Any]]] = {}
    ) -> None:
        self._persona, self._instead = persona, instead
        self._left = list(persona.goals)
        self._noted = False

    def __call__(self, message: str) -> dict[str, Any]:
        if not self._left:
            return reply(self._persona, ("You are welcome.", "不客气。"))
        goal = self._left[0]
        if goal.kind == "unchanged" and not self._noted:
            self._noted = True
            return writes(goal, self._persona)
        self._left.pop(0)
        if goal.kind in self._instead:
            return self._instead[goal.kind](goal)
        if goal.kind == "unchanged":
            return reply(self._persona, ("Very well, nothing was changed.", "好的，未做任何更改。"))
        return right(self._persona, goal)


class Script:
    """Gives its replies in order, and the last one again and again."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        self._replies = list(replies)

    def __call__(self, message: str) -> dict[str, Any]:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


def thanks(persona: Persona) -> dict[str, Any]:
    return reply(persona, ("You are welcome.", "不客气。"))


def all_said(dialogue: Dialogue) -> str:
    return " ".join(turn.said for turn in dialogue.turns)
