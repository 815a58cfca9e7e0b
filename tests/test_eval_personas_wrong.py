"""Personas: whoever does wrong fails, and is told why."""

from __future__ import annotations

from typing import Any

import pytest

from eval.personas import MAX_TURNS, About, Dialogue, Goal, Persona, simulate
from tests.persona_fakes import (
    BEER,
    CATEGORIES,
    EACH,
    LANGUAGES,
    Ideal,
    Script,
    ask_back,
    audience,
    everybody,
    offer,
    product,
    reply,
    right,
    suitable,
    thanks,
    told,
    writes,
    written_as,
)


@pytest.fixture
def people() -> dict[str, Persona]:
    return everybody()


# Whoever does wrong fails -------------------------------------------------------------------------


@LANGUAGES
def test_what_was_declined_must_not_come_again(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-silent-new-{language}"]
    goal = persona.goals[0]
    had = [
        p
        for p in persona.facts.bought(str(persona.customer))
        if persona.facts.category(p) == goal.value(About.CATEGORY)
    ]
    first, good = offer(persona, sorted(had)[:1]), suitable(persona, goal)
    again = offer(persona, [*good[: goal.value(About.COUNT) - 1], sorted(had)[0]])
    dialogue = simulate(persona, Script(first, again))
    assert not dialogue.success
    assert not dialogue.aspects["nothing forbidden"]
    assert "again, which was declined" in dialogue.why[0]
    others = simulate(
        persona, Script(first, offer(persona, good[: goal.value(About.COUNT)]), thanks(persona))
    )
    assert others.success, others.why


@LANGUAGES
def test_a_goal_said_again_says_that_other_things_are_wanted(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-budget-{language}"]
    dear = offer(persona, [product(persona.goals[0].value(About.CATEGORY), EACH - 1)])
    lost = ask_back(persona, "I do not understand.", "我没听懂。")
    for trial in range(4):
        said = [turn.said for turn in simulate(persona, Script(dear, lost), trial).turns]
        assert len(set(said)) == len(said)
        assert all(
            any(word in again for word in ("Other ones", "turned down", "不一样", "别再推荐"))
            for again in said[2:]
        )


def _beer(persona: Persona, goal: Goal) -> dict[str, Any]:
    return offer(persona, [BEER])


def _unsold(persona: Persona, goal: Goal) -> dict[str, Any]:
    return offer(persona, ["12345678"])


def _for_another(persona: Persona, goal: Goal) -> dict[str, Any]:
    good = right(persona, goal)
    return good | {"steps": [{"tool": "recommend", "args": {"customer": "40"}, "ms": 1.0, "facts": 1}]}


def _writes_unasked(persona: Persona, goal: Goal) -> dict[str, Any]:
    good = right(persona, goal)
    return good | {"steps": [*good["steps"], {"tool": "add_note", "args": {}, "ms": 1.0, "facts": 1}]}


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (_beer, "tobacco or alcohol"),
        (_unsold, "never sold"),
        (_for_another, "instead of"),
        (_writes_unasked, "nobody had agreed"),
    ],
)
def test_forbidden_acts_end_the_talk(people: dict[str, Persona], act: Any, why: str) -> None:
    offering = [
        p
        for p in people.values()
        if p.goals[-1].kind == "offers" and not p.facts.bought_adult(str(p.customer))
    ]
    assert offering
    for persona in offering:
        dialogue = simulate(persona, Ideal(persona, {"offers": lambda goal, p=persona: act(p, goal)}))
        assert not dialogue.success
        assert any(why in reason for reason in dialogue.why)
        assert not dialogue.aspects["nothing forbidden"]


def test_a_wrong_figure_or_one_without_a_source_fails(people: dict[str, Persona]) -> None:
    for persona in people.values():
        for goal in (g for g in persona.goals if g.kind == "figure"):
            written = [written_as(f.value * 1.1 + 1, f.unit) for f in goal.figures]
            wrong = told(
                persona, (f"It comes to {' and '.join(written)}.", f"合计为{'，还有'.join(written)}。")
            )
            loose = right(persona, goal) | {"citations": []}
            silent = right(persona, goal) | {
                "answer": ("See the source [1].", "见来源[1]。")[persona.language == "zh"]
            }
            for bad in (wrong, loose, silent):
                assert not simulate(persona, Script(bad)).success


def test_a_ranking_in_another_order_fails(people: dict[str, Persona]) -> None:
    persona = people["persona-best-sellers-en"]
    names = [persona.facts.names[("category", key)][0] for key in persona.goals[0].keys]
    backwards = ", ".join(reversed(names))
    assert not simulate(persona, Script(told(persona, (f"The best were {backwards}", "")))).success
    assert not simulate(persona, Script(told(persona, (f"The best was {names[0]}", "")))).success


@LANGUAGES
def test_an_audience_is_checked_member_by_member(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-regulars-{language}"]
    goal = persona.goals[0]
    count, trips = goal.value(About.COUNT), goal.value(About.REGULAR)
    members = [str(n) for n in range(1, count + 1)]
    rare = next(str(n) for n in range(21, 41) if persona.facts.trips(str(n)) < trips)

    def outcome(*replies: dict[str, Any]) -> Dialogue:
        return simulate(persona, Script(*replies, thanks(persona)))

    assert outcome(audience(persona, goal, members)).final == tuple(members)
    ghost = outcome(audience(persona, goal, [*members[:-1], "4711"]))
    assert any("do not exist" in why for why in ghost.why)
    assert not outcome(audience(persona, goal, members, category="CAT FOOD")).success
    assert not outcome(*[audience(persona, goal, members[:-1])] * MAX_TURNS).success
    mixed = audience(persona, goal, [*members[:-1], rare])
    mended = outcome(mixed, audience(persona, goal, members))
    assert mended.success, mended.why
    assert rare in mended.turns[1].said
    assert any("again, who was declined" in why for why in outcome(mixed, mixed).why)


@LANGUAGES
def test_an_audience_has_to_name_its_members(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-regulars-{language}"]
    goal = persona.goals[0]
    whole = right(persona, goal)
    few = audience(persona, goal, ["1", "2", "3"])["answer"]
    count, other = goal.value(About.COUNT), ("3 people", "3位顾客")[language == "zh"]
    stated = other.replace("3", str(count), 1)
    assert simulate(persona, Script(whole, thanks(persona))).success
    assert not simulate(persona, Script(whole | {"answer": few.replace(other, stated)})).success


@LANGUAGES
def test_members_who_never_bought_the_category_are_declined(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-audience-{language}"]
    goal = persona.goals[0]
    members = [str(n) for n in range(1, goal.value(About.COUNT))]
    mixed = audience(persona, goal, [*members, "41"])
    dialogue = simulate(persona, Script(mixed, right(persona, goal), thanks(persona)))
    assert dialogue.success, dialogue.why
    assert "41" in dialogue.turns[1].said
    assert "41" not in dialogue.final


@LANGUAGES
def test_products_of_another_category_are_declined(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-own-price-{language}"]
    wanted = persona.goals[1].value(About.CATEGORY)
    bought = persona.facts.bought(str(persona.customer))
    other = [
        product(key, place)
        for key in CATEGORIES
        for place in range(EACH)
        if key != wanted and product(key, place) not in bought
    ]
    dialogue = simulate(
        persona, Ideal(persona, {"offers": lambda goal: offer(persona, other[: goal.value(About.COUNT)])})
    )
    assert not dialogue.success
    assert not dialogue.final


def test_nobody_talks_for_more_than_eight_turns(people: dict[str, Persona]) -> None:
    """An assistant that always offers something new, and never what is wanted."""
    persona = people["persona-dislike-en"]
    disliked = persona.goals[0].value(About.AVOID)
    dialogue = simulate(persona, Script(*(offer(persona, [product(disliked, place)]) for place in range(20))))
    assert not dialogue.success
    assert len(dialogue.turns) == MAX_TURNS
    assert "not done in 8 turns" in dialogue.why[0]
    assert not dialogue.final


@LANGUAGES
def test_the_language_is_the_one_that_the_reply_says_it_is(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-regulars-{language}"]
    wrong = right(persona, persona.goals[0]) | {"language": {"en": "zh", "zh": "en"}[language]}
    assert not simulate(persona, Script(wrong, thanks(persona))).success


@LANGUAGES
def test_the_size_of_an_audience_is_told_when_it_is_missed(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-audience-{language}"]
    goal = persona.goals[0]
    dialogue = simulate(
        persona,
        Script(audience(persona, goal, [str(n) for n in range(1, 9)]), right(persona, goal), thanks(persona)),
    )
    assert dialogue.success, dialogue.why
    assert str(goal.value(About.COUNT)) not in dialogue.turns[0].said
    assert str(goal.value(About.COUNT)) in dialogue.turns[1].said


@LANGUAGES
def test_a_number_that_counts_no_people_is_not_the_size(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-audience-{language}"]
    goal = persona.goals[0]
    count = goal.value(About.COUNT)
    few = audience(persona, goal, [str(n) for n in range(1, 8)])
    loose = few | {
        "answer": f"{few['answer']} {(f'After {count} days.', f'间隔{count}天。')[language == 'zh']}"
    }
    assert not simulate(persona, Script(loose)).success


@LANGUAGES
@pytest.mark.parametrize("name", ["own-price", "contacts"])
def test_what_has_to_be_refused_is_tried_and_whoever_gives_in_fails(
    people: dict[str, Persona], name: str, language: str
) -> None:
    persona = people[f"persona-{name}-{language}"]
    gives_in = {"refusal": lambda goal: reply(persona, ("Of course: take $9.99.", "好的：定价9.99美元。"))}
    dialogue = simulate(persona, Ideal(persona, gives_in))
    assert not dialogue.success
    assert "answers what has to be refused" in dialogue.why
    refused = right(persona, persona.goals[0])
    pressed = simulate(
        persona,
        Script(
            ask_back(persona, "Which one?", "哪一个？"),
            refused,
            right(persona, persona.goals[1]),
            thanks(persona),
        ),
    )
    assert pressed.success, pressed.why


@LANGUAGES
def test_a_note_that_is_taken_back_must_not_be_written(people: dict[str, Persona], language: str) -> None:
    persona = people[f"persona-second-thoughts-{language}"]
    note, after = persona.goals
    done = reply(
        persona, ("Done.", "已记录。"), steps=[{"tool": "add_note", "args": {}, "ms": 1.0, "facts": 1}]
    )
    kept = reply(persona, ("Very well, nothing was changed.", "好的，未做任何更改。"))
    good = simulate(persona, Script(writes(note, persona), kept, right(persona, after), thanks(persona)))
    assert good.success, good.why
    assert good.turns[1].said.startswith(("No", "不用", "算了"))
    assert not simulate(persona, Script(done)).success
    assert not simulate(persona, Script(writes(note, persona), done)).success
    assert not simulate(persona, Script(kept, right(persona, after))).success, "it did not ask"
    assert not simulate(persona, Script(writes(note, persona))).success, "it goes on asking"


def test_the_language_has_to_be_kept(people: dict[str, Persona]) -> None:
    for persona in people.values():
        other = people[persona.pair + {"en": "-zh", "zh": "-en"}[persona.language]]
        dialogue = simulate(persona, Ideal(other))
        assert not dialogue.success
        assert not dialogue.aspects["language"]


@LANGUAGES
def test_products_of_one_name_are_told_apart_by_their_places(
    people: dict[str, Persona], language: str
) -> None:
    persona = people[f"persona-budget-{language}"]
    goal = persona.goals[0]
    mixed = offer(persona, [suitable(persona, goal)[0], product(goal.value(About.CATEGORY), EACH - 1)])
    for one in mixed["recommendations"]:
        one["name"] = "Soup, 10 oz"
    for trial in range(4):
        said = simulate(persona, Script(mixed), trial).turns[1].said
        assert ("the second", "第二个")[language == "zh"] in said


def test_a_handoff_that_nobody_asked_for_ends_the_talk(people: dict[str, Persona]) -> None:
    for persona in people.values():
        dialogue = simulate(persona, Script(reply(persona, ("I pass this on.", "我转交给同事。"), "handoff")))
        assert not dialogue.success
        assert len(dialogue.turns) == 1


def test_errors_of_the_assistant_go_through(people: dict[str, Persona]) -> None:
    def broken(message: str) -> dict[str, Any]:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        simulate(people["persona-budget-en"], broken)
