"""Fresh cases: the same for a seed, in both languages, about what the shop has, and answerable by the raw files."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from download import ensure_sample_data
from eval.cases import from_dict, load
from eval.figures import Unit
from eval.generate import SUITES, generate
from eval.generate.measures import Scope, figure
from eval.generate.periods import any_period
from eval.generate.pool import RESTRICTED, Pool, count
from eval.generate.wording import FEWEST, LANGUAGES, Both, Deck, fill, wordings
from eval.raw import RawData, load_names
from eval.truth import Truth, load_cases
from settings import Settings
from tests.conftest import FETCH
from tools import TOOLS

CACHE = Settings().cache
MAY_FETCH = bool(os.environ.get(FETCH))  # both read before the tests hide them
HANDWRITTEN = Path(__file__).parents[1] / "eval" / "cases" / "suites" / "handwritten.jsonl"
CHECKS = {"figure", "top", "count", "category", "never_bought", "members", "mentions", "silent", "no_figures"}
KINDS = {"answer", "clarify", "refuse", "handoff"}
SEED = 7
Case = Mapping[str, Any]


@pytest.fixture(scope="module")
def raw() -> RawData:
    if not (CACHE / "complete-journey").is_dir() and not MAY_FETCH:
        pytest.skip(f"LEFT OUT: the sample data is not in {CACHE}; `make run` fetches it, or set {FETCH}=1")
    return RawData(ensure_sample_data(CACHE, quiet=True))


@pytest.fixture(scope="module")
def fresh(raw: RawData) -> list[dict[str, Any]]:
    return generate(SEED, raw)


@pytest.fixture(scope="module")
def every(fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*fresh, *load_cases(HANDWRITTEN)]


# without the sample ------------------------------------------------------------------------------
def test_every_kind_of_question_has_enough_wordings_a_language() -> None:
    fewest = min(len(set(by[language])) for by in wordings().values() for language in LANGUAGES)
    assert fewest >= FEWEST


def test_empty_slots_leave_no_gap_and_numbers_stay_apart() -> None:
    slots = {"c": Both("1842", "1842"), "when": Both("", "5月")}
    assert fill("What did {c} buy {when}?", slots, "en") == "What did 1842 buy?"
    assert fill("顾客{c}{when}来过几次？", slots, "zh") == "顾客1842 5月来过几次？"


def test_a_deck_deals_every_wording_before_it_repeats_one() -> None:
    deck, kind = Deck("1"), "measures.goods_spend"
    among = set(wordings()[kind]["zh"])
    assert {deck.deal(kind, "zh") for _ in among} == among


def test_both_languages_take_the_same_wording_where_wordings_differ_in_meaning() -> None:
    deck, kind = Deck("4"), "policy.change"
    found = wordings()[kind]
    for _ in range(2 * len(found["en"])):
        assert found["en"].index(deck.deal(kind, "en")) == found["zh"].index(deck.deal(kind, "zh"))


@given(st.randoms(use_true_random=False))
def test_periods_lie_within_the_year_and_say_so(rng: Any) -> None:
    period = any_period(rng)
    start, end = date.fromisoformat(period.start or ""), date.fromisoformat(period.end or "2017-12-31")
    assert date(2017, 1, 1) <= start < end <= date(2017, 12, 31)
    assert start.day == 1
    assert period.said.en
    assert period.said.zh


@given(st.randoms(use_true_random=False))
def test_a_count_lies_within_its_bounds_and_is_said_in_both_languages(rng: Any) -> None:
    n, said = count(rng, 2, 12)
    assert 2 <= n <= 12
    assert said.zh in (str(n), "两" if n == 2 else "一二三四五六七八九十"[n - 1 : n])
    assert said.en == str(n) or said.en.isalpha()


def test_quotes_in_a_key_stay_inside_its_literal() -> None:
    assert Scope(category="VALENTINE'S").where() == "category = 'VALENTINE''S'"


# from the sample ---------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_seed_gives_the_same_cases_and_another_seed_others(raw: RawData, fresh: list[Case]) -> None:
    assert generate(SEED, RawData(ensure_sample_data(CACHE, quiet=True))) == fresh
    other = generate(SEED + 1, raw)
    shared = {_asked(c) for c in fresh} & {_asked(c) for c in other}
    assert len(shared) < len(fresh) / 5
    assert not {c["id"] for c in fresh} & {c["id"] for c in other}


def test_a_suite_is_the_same_alone_as_among_others(raw: RawData, fresh: list[Case]) -> None:
    assert generate(SEED, raw, ["policy"]) == [c for c in fresh if c["suite"] == "policy"]


def test_an_unknown_suite_is_named_with_those_that_there_are(raw: RawData) -> None:
    with pytest.raises(ValueError, match="no suite sports; the suites are tool_choice"):
        generate(SEED, raw, ["sports"])


def test_every_suite_has_its_share(fresh: list[Case]) -> None:
    found = Counter(c["suite"] for c in fresh)
    assert found.keys() == SUITES.keys()
    assert min(found.values()) >= 24
    assert found.total() >= 320


def test_every_case_comes_in_both_languages(every: list[Case]) -> None:
    pairs: dict[str, list[Case]] = {}
    for case in every:
        pairs.setdefault(case["pair"], []).append(case)
    for name, pair in pairs.items():
        assert sorted(c["language"] for c in pair) == ["en", "zh"], name
        en, zh = sorted(pair, key=lambda c: c["language"])
        for same in ("suite", "topic", "role", "customer"):
            assert en.get(same) == zh.get(same), name
        # What is right is the same in both; only the words asked with differ.
        assert [_right(t) for t in en["turns"]] == [_right(t) for t in zh["turns"]], name


def test_questions_are_written_in_their_language(every: list[Case]) -> None:
    for case in every:
        for turn in case["turns"]:
            text = turn["question"]
            assert not any(mark in text for mark in "{}"), case["id"]
            han = any("\u4e00" <= letter <= "\u9fff" for letter in text)
            assert han == (case["language"] == "zh") or not any(letter.isalpha() for letter in text), case[
                "id"
            ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_two_questions_are_alike(raw: RawData, seed: int) -> None:
    asked = Counter(_asked(c) for c in [*generate(seed, raw), *load_cases(HANDWRITTEN)])
    assert [question for question, times in asked.items() if times > 1] == []


def test_every_case_can_be_read_by_the_runner(every: list[Case]) -> None:
    assert len({from_dict(case).id for case in every}) == len(every)


def test_every_check_is_known_and_its_sql_has_its_shape(raw: RawData, every: list[Case]) -> None:
    for case in every:
        for check in _checks(case):
            name = next(iter(check))
            assert name in CHECKS, case["id"]
            if name == "figure":
                rows = raw.rows(check["sql"])
                assert len(rows) == 1, case["id"]
                assert len(rows[0]) == 1
                assert isinstance(float(rows[0][0]), float)
                assert Unit(check["unit"])
            elif name == "top":
                keys = [str(row[0]) for row in raw.rows(check["sql"])]
                assert keys, case["id"]
                assert len(set(keys)) == len(keys), case["id"]


def test_every_plan_names_what_the_shop_has(raw: RawData, every: list[Case]) -> None:
    known = _known(raw)
    for case in every:
        for turn in case["turns"]:
            kinds = [turn["kind"]] if isinstance(turn["kind"], str) else turn["kind"]
            assert set(kinds) <= KINDS, case["id"]
            assert set(turn["tools"]) <= TOOLS.keys(), case["id"]
            for call in (c for plan in turn.get("plans", ()) for c in plan):
                assert call["args"].keys() <= set(TOOLS[call["tool"]].parameters), case["id"]
                wrong = [pair for pair in _named(call["args"]) if pair[1] not in known[pair[0]]]
                assert wrong == [], case["id"]


def test_figures_are_worth_asking(raw: RawData, fresh: list[Case]) -> None:
    """A figure of nothing would be right for whoever finds nothing."""
    zero = [
        c["id"] for c in fresh for check in _checks(c) if check.get("figure") and not raw.value(check["sql"])
    ]
    assert zero == []


def test_alcohol_is_asked_for_only_for_somebody_who_never_bought_any(raw: RawData, fresh: list[Case]) -> None:
    kept = [t for c in fresh for t in c["turns"] if "none_of" in t]
    assert kept
    asked = [plan[0]["args"]["customer"] for turn in kept for plan in turn.get("plans", ())]
    assert asked
    for customer in asked:
        bought = raw.rows("select distinct category from lines where customer = ?", [customer])
        assert not {category for (category,) in bought} & set(RESTRICTED)


def test_what_is_planted_is_a_note_of_a_customer(raw: RawData, fresh: list[Case]) -> None:
    customers = _known(raw)["customer"]
    planted = [note for c in fresh for note in c.get("plant", {}).get("notes", ())]
    assert planted
    assert all(note["customer"] in customers and note["text"] for note in planted)


def test_right_answers_pass_and_wrong_ones_do_not(raw: RawData, fresh: list[Case]) -> None:
    truth = Truth(ensure_sample_data(CACHE, quiet=True))
    case = next(
        c
        for c in fresh
        if c["topic"] == "goods_spend" and c["language"] == "en" and c["suite"] == "arguments"
    )
    turn = case["turns"][0]
    true = raw.value(turn["expect"][0]["sql"])
    step = {"tool": turn["plans"][0][0]["tool"], "args": {}}
    reply = {
        "kind": "answer",
        "language": "en",
        "answer": f"All customers together spent ${true:,.2f}.",
        "steps": [step],
    }
    assert truth.check({**case, **turn}, reply) == []
    reply["answer"] = f"All customers together spent ${1.1 * true:,.2f}."
    assert len(truth.check({**case, **turn}, reply)) == 1


def test_the_pool_draws_only_what_it_says(raw: RawData) -> None:
    pool, rng = Pool(raw), random.Random(3)
    assert pool.stranger(rng) not in _known(raw)["customer"]
    buyer = pool.buyer(rng, "COFFEE", 6)
    trips = "select count(distinct basket_id) from lines where customer = ? and category = 'COFFEE'"
    assert raw.value(trips, [buyer]) >= 6
    top = pool.clear_top("spend", Scope(), "department", 2)
    assert top == ["GROCERY", "DRUG GM"]
    assert pool.clear_top("spend", Scope(category="COFFEE"), "department", 2) is None
    assert raw.value(figure("spend", Scope(category="COFFEE"))["sql"]) == pytest.approx(36875, abs=1)


# helpers -----------------------------------------------------------------------------------------
def _asked(case: Case) -> tuple[Any, ...]:
    return case["language"], case.get("customer"), tuple(turn["question"] for turn in case["turns"])


def _right(turn: Case) -> dict[str, Any]:
    return {name: value for name, value in turn.items() if name != "question"}


def _checks(case: Case) -> Iterator[Mapping[str, Any]]:
    for turn in case["turns"]:
        yield from turn["expect"]


def _known(raw: RawData) -> dict[str, set[str]]:
    """What there is of each kind, by the raw files."""

    def column(sql: str) -> set[str]:
        return {str(row[0]) for row in raw.rows(sql)}

    known = {
        kind: column(f"select distinct {kind} from lines")
        for kind in ("customer", "category", "department", "brand")
    }
    known |= {kind: column(f"select distinct {kind} from lines") for kind in ("product", "type")}
    known["campaign"] = column("select campaign from campaigns")
    known["segment"] = {"1", "2", "3"}
    known["attributes"] = {key for kind, key in load_names() if kind == "attribute_value"}
    known["day"] = column("select distinct day from lines")
    return known


def _named(args: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, key) of everything that a call's arguments name."""
    for name, value in args.items():
        if value is None:
            continue
        if name == "filters":
            attributes = value.get("attributes", {})
            yield from (("attributes", f"{a}={v}") for a, values in attributes.items() for v in values)
            yield from ((kind, key) for kind, keys in value.items() if kind != "attributes" for key in keys)
        elif name in ("start", "end"):
            yield "day", value
        elif name in ("customer", "category", "product", "segment", "campaign"):
            yield name, value


def test_more_draws_are_the_cases_of_the_next_seeds(raw: RawData) -> None:
    drawn = load(["templates"], seed=SEED, draws=2, raw=lambda: raw)["templates"]
    apart = [load(["templates"], seed=seed, raw=lambda: raw)["templates"] for seed in (SEED, SEED + 1)]
    assert {case.id for case in drawn} == {case.id for of_seed in apart for case in of_seed}
    assert len(drawn) > len(apart[0])
