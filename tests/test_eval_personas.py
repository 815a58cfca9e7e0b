"""Personas: whoever serves the need succeeds, and nothing hidden is ever said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.personas import MAX_TURNS, About, Persona, Reveal, personas, simulate
from eval.personas.facts import Facts
from eval.personas.wording import fill
from eval.raw import RawData
from tests.persona_fakes import (
    BEER,
    EACH,
    LANGUAGES,
    Ideal,
    Script,
    all_said,
    ask_back,
    everybody,
    lines,
    offer,
    product,
    raw_data,
    reply,
    right,
    suitable,
    thanks,
    told,
    write,
)


@pytest.fixture
def raw() -> RawData:
    return raw_data()


@pytest.fixture
def people() -> dict[str, Persona]:
    return everybody()


# The personas ------------------------------------------------------------------------------------


def test_there_are_pairs_in_both_languages_with_the_same_needs(people: dict[str, Persona]) -> None:
    assert len(people) >= 24
    for persona in people.values():
        other = people[persona.pair + {"en": "-zh", "zh": "-en"}[persona.language]]
        assert (other.goals, other.customer, other.role) == (persona.goals, persona.customer, persona.role)
        assert other.language != persona.language
    assert {persona.role for persona in people.values()} == {"service", "merchandiser"}
    assert all(any(p.needs(reveal) for p in people.values()) for reveal in Reveal)


def test_a_seed_makes_the_same_personas_and_another_seed_others(raw: RawData) -> None:
    first, again, other = personas(1, raw), personas(1, raw), personas(2, raw)
    assert first == again
    assert [p.goals for p in first] != [p.goals for p in other]
    assert [p.id for p in first] == [p.id for p in other]


def test_too_little_data_is_told_in_one_line(tmp_path: Path) -> None:
    """Without a category of enough products no persona can be made."""
    write(tmp_path, "transactions", "household_id bigint, store_id bigint, basket_id bigint, product_id bigint,"
           " quantity bigint, sales_value double, transaction_timestamp timestamp",
           [(1, 1, 1, 100, 1, 1.0, "2017-01-01")])  # fmt: skip
    write(tmp_path, "products", "product_id bigint, manufacturer_id bigint, department varchar, brand varchar,"
           " product_category varchar, product_type varchar, package_size varchar",
           [(100, 1, "GROCERY", "National", "COFFEE", "KIND", "1 OZ")])  # fmt: skip
    write(tmp_path, "demographics", "household_id bigint, age varchar", [(1, "65+")])
    write(tmp_path, "campaigns", "campaign_id bigint, household_id bigint", [(7, 1)])
    write(tmp_path, "coupon_redemptions", "household_id bigint, coupon_upc bigint, campaign_id bigint,"
           " redemption_date timestamp", [(1, 5, 7, "2017-06-01")])  # fmt: skip
    write(tmp_path, "coupons", "coupon_upc bigint, product_id bigint, campaign_id bigint", [(5, 100, 7)])
    write(tmp_path, "campaign_descriptions", "campaign_id bigint, campaign_type varchar, start_date date,"
           " end_date date", [(7, "Type A", "2017-05-01", "2017-06-30")])  # fmt: skip
    with pytest.raises(ValueError, match=r"holds no category to make personas of; name the whole sample"):
        personas(1, RawData(tmp_path))


def test_the_figures_are_those_of_the_data(people: dict[str, Persona]) -> None:
    goal = people["persona-month-spend-en"].goals[0]
    customer, category, month = (goal.value(a) for a in (About.CUSTOMER, About.CATEGORY, About.PERIOD))
    products = {product(category, place) for place in range(EACH)}
    true = sum(
        line[5]
        for line in lines()
        if str(line[0]) == customer and str(line[3]) in products and line[6].startswith(month)
    )
    assert goal.figures[0].value == pytest.approx(true)
    assert [f.value for f in people["persona-campaign-zh"].goals[0].figures] == [30, 4]


def test_the_usual_price_is_the_median_of_what_was_paid_for_one_piece(raw: RawData) -> None:
    facts = Facts(raw)
    assert facts.usual_price(product("SOUP", 3)) == pytest.approx(1.75)
    assert facts.usual_price("12345678") == float("inf")
    assert facts.is_adult(BEER)
    assert facts.bought_adult("40")
    assert not facts.bought_adult("1")


# Whoever serves the need succeeds -------------------------------------------------------------------


def test_an_ideal_assistant_succeeds_with_everybody_in_every_trial(people: dict[str, Persona]) -> None:
    for persona in people.values():
        for trial in range(4):
            dialogue = simulate(persona, Ideal(persona), trial)
            assert dialogue.success, (persona.id, trial, dialogue.why)
            assert all(dialogue.aspects.values())
            assert len(dialogue.turns) <= MAX_TURNS
            assert dialogue.tokens == 15 * len(dialogue.turns)
        assert len({simulate(persona, Ideal(persona), t).turns[0].said for t in range(4)}) == 4


def test_a_trial_can_be_repeated_word_for_word(people: dict[str, Persona]) -> None:
    persona = people["persona-unnamed-en"]
    talks = [
        all_said(simulate(persona, Script(ask_back(persona, "Which customer?", "")), 2)) for _ in range(2)
    ]
    assert talks[0] == talks[1]


def test_an_assistant_that_ignores_the_need_fails_with_everybody(people: dict[str, Persona]) -> None:
    for persona in people.values():
        dialogue = simulate(persona, Script(reply(persona, ("I like shops.", "我喜欢商店。"))))
        assert not dialogue.success
        assert dialogue.why
        assert len(dialogue.turns) <= MAX_TURNS


def test_whoever_only_asks_back_fails_in_eight_turns_at_most(people: dict[str, Persona]) -> None:
    for persona in people.values():
        question = ask_back(
            persona,
            "Which customer, category, month, group and how many?",
            "哪位顾客、什么品类、哪个月、要几个？",
        )
        dialogue = simulate(persona, Script(question))
        assert not dialogue.success
        assert len(dialogue.turns) <= MAX_TURNS


# What is told, and when ----------------------------------------------------------------------------


@LANGUAGES
def test_whoever_asks_is_told(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-unnamed-{language}"]
    goal = persona.goals[0]
    category = persona.facts.names[("category", goal.value(About.CATEGORY))][language == "zh"].lower()
    dialogue = simulate(
        persona,
        Script(
            ask_back(persona, "Which customer do you mean?", "您指的是哪位顾客？"),
            ask_back(persona, "For which category?", "请问是针对哪个品类？"),
            right(persona, goal),
            thanks(persona),
        ),
    )
    assert dialogue.success, dialogue.why
    opening, who, what, closing = (turn.said for turn in dialogue.turns)
    assert str(persona.customer) not in opening
    assert category not in opening.lower()
    assert str(persona.customer) in who
    assert category not in who.lower()
    assert category in what.lower()
    assert dialogue.turns[0].revealed == (About.COUNT,)
    assert dialogue.turns[3].revealed == (About.COUNT, About.CUSTOMER, About.CATEGORY)
    assert closing.startswith(("Thank", "Great", "谢", "好的", "太好"))


@LANGUAGES
def test_a_choice_that_holds_the_category_is_answered_with_it(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-vague-{language}"]
    goal = persona.goals[0]
    en, zh = persona.facts.names[("category", goal.value(About.CATEGORY))]
    choice = ask_back(persona, f"Do you mean {en} or Ham?", f"您指的是{zh}还是火腿？")
    dialogue = simulate(persona, Script(choice, right(persona, goal), thanks(persona)))
    assert dialogue.success
    assert (en, zh)[language == "zh"].lower() in dialogue.turns[1].said.lower()


@LANGUAGES
@pytest.mark.parametrize("name", ["month-spend", "age-spend", "campaign", "best-sellers"])
def test_an_answer_that_misses_the_point_brings_the_need_out(
    people: dict[str, Persona], name: str, language: str
) -> None:
    persona = people[f"persona-{name}-{language}"]
    goal = persona.goals[0]
    wrong = told(persona, ("It comes to $0.13 and 77.", "合计为$0.13，还有77。"))
    dialogue = simulate(persona, Script(wrong, right(persona, goal), thanks(persona)))
    assert dialogue.success, dialogue.why
    (asked,) = persona.needs(Reveal.ON_ASKING)
    assert asked.about not in dialogue.turns[0].revealed
    assert asked.about in dialogue.turns[1].revealed
    assert not simulate(persona, Script(wrong)).success


@LANGUAGES
def test_what_was_bought_before_is_declined_and_then_explained(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-new-things-{language}"]
    goal = persona.goals[0]
    had = [
        p
        for p in persona.facts.bought(str(persona.customer))
        if persona.facts.category(p) == goal.value(About.CATEGORY)
    ]
    mixed = [*suitable(persona, goal)[: goal.value(About.COUNT) - 1], sorted(had)[0]]
    dialogue = simulate(persona, Script(offer(persona, mixed), right(persona, goal), thanks(persona)))
    assert dialogue.success, dialogue.why
    assert About.NEW not in dialogue.turns[0].revealed
    assert About.NEW in dialogue.turns[1].revealed
    assert any(word in dialogue.turns[1].said for word in ("never bought", "没买过"))
    assert mixed[-1] not in dialogue.final
    assert len(dialogue.final) >= goal.value(About.COUNT)


@LANGUAGES
@pytest.mark.parametrize("trial", range(4))
def test_what_is_hidden_is_never_said(people: dict[str, Persona], language: str, trial: int) -> None:
    persona = people[f"persona-budget-{language}"]
    goal = persona.goals[0]
    dear = [product(goal.value(About.CATEGORY), EACH - 1 - place) for place in range(goal.value(About.COUNT))]
    dialogue = simulate(
        persona,
        Script(
            ask_back(persona, "What is the budget?", "预算是多少？"),
            offer(persona, dear),
            right(persona, goal),
            thanks(persona),
        ),
        trial,
    )
    assert dialogue.success, dialogue.why
    assert not set(dear) & set(dialogue.final)
    said = all_said(dialogue).lower()
    assert str(goal.value(About.BUDGET)) not in said
    assert not any(
        word in said for word in ("price", "budget", "dear", "expensive", "$", "价", "预算", "贵", "钱")
    )
    assert not set(dialogue.turns[-1].revealed) & {About.BUDGET}


def test_a_disliked_category_is_declined_without_its_name(people: dict[str, Persona]) -> None:
    persona = people["persona-dislike-en"]
    goal = persona.goals[0]
    disliked = goal.value(About.AVOID)
    offered = [product(disliked, place) for place in range(goal.value(About.COUNT))]
    dialogue = simulate(persona, Script(offer(persona, offered), right(persona, goal), thanks(persona)))
    assert dialogue.success
    assert persona.facts.names[("category", disliked)][0].lower() not in all_said(dialogue).lower()
    assert not set(offered) & set(dialogue.final)
    assert len(dialogue.turns) == 3


@LANGUAGES
def test_too_many_products_are_not_what_was_asked_for(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-budget-{language}"]
    goal = persona.goals[0]
    many = offer(persona, suitable(persona, goal)[: goal.value(About.COUNT) + 1])
    dialogue = simulate(persona, Script(many, right(persona, goal), thanks(persona)))
    assert dialogue.success
    assert str(goal.value(About.COUNT)) in dialogue.turns[1].said
    assert not simulate(persona, Script(many)).success


@LANGUAGES
def test_whoever_is_asked_for_something_else_may_offer_as_many_as_they_like(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-budget-{language}"]
    goal = persona.goals[0]
    dear = offer(persona, [product(goal.value(About.CATEGORY), EACH - 1)])
    many = offer(persona, suitable(persona, goal)[: goal.value(About.COUNT) + 2])
    dialogue = simulate(persona, Script(dear, many, thanks(persona)))
    assert dialogue.success, dialogue.why


# Templates ---------------------------------------------------------------------------------------


@given(st.text(alphabet="{}[]ab ", max_size=12), st.booleans())
def test_values_are_never_read_as_templates(value: str, known: bool) -> None:
    slots = {"who": value} | ({"what": value} if known else {})
    assert fill("For {who}[, in {what}].", slots) == (
        f"For {value}, in {value}." if known else f"For {value}."
    )


def test_a_slot_outside_of_brackets_has_to_be_given() -> None:
    with pytest.raises(KeyError):
        fill("For {who}.", {})
