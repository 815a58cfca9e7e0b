"""The dialogue: a persona pursues its goals, one after the other, in at most eight turns, and says thanks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from eval.personas import reading
from eval.personas.judge import Standing, Verdict, forbidden, judge
from eval.personas.needs import About, Dialogue, Goal, Need, Persona, Reply, Reveal, Turn
from eval.personas.wording import Voice

MAX_TURNS = 8
PATIENCE = 2
"""How often the persona says a goal again, with nothing new to tell, before it gives up."""

Ask = Callable[[str], Reply]


def simulate(persona: Persona, ask: Ask, trial: int = 0) -> Dialogue:
    """Return the dialogue of a persona with an assistant.

    ask: takes a message, returns the reply's dictionary; it keeps one session, and gives the agent the persona's
    role and the customer `at_hand`. trial: another one is another conversation about the same needs, the same
    one begins in the same words. Errors that `ask` raises go through.
    """
    return _Talk(persona, ask, trial).run()


class _Talk:
    """One dialogue as it goes on."""

    def __init__(self, persona: Persona, ask: Ask, trial: int) -> None:
        self._persona, self._ask, self._trial = persona, ask, trial
        self._chance = random.Random(f"{persona.id} {persona.seed} {trial}")
        self._voice = Voice(persona, trial, self._chance)
        self._turns: list[Turn] = []
        self._why: list[str] = []
        self._said: list[About] = []
        self._final: list[str] = []
        self._aspects: dict[str, bool] = {}
        self._restated = 0

    def run(self) -> Dialogue:
        for number, goal in enumerate(self._persona.goals, 1):
            reached = self._pursue(goal)
            self._aspects[f"{number}. {goal.task}"] = reached
            if not reached:
                break
        if not self._why and len(self._turns) < MAX_TURNS:
            self._say(self._voice.phrase("thanks"))
        self._aspects["language"] = all(
            reading.in_language(turn.reply, self._persona.language) for turn in self._turns
        )
        if not self._aspects["language"]:
            self._why.append("a reply is not in the persona's language")
        return Dialogue(
            persona=self._persona.id,
            trial=self._trial,
            turns=tuple(self._turns),
            success=not self._why,
            why=tuple(self._why),
            aspects={**self._aspects, "nothing forbidden": self._allowed()},
            final=tuple(self._final),
            seconds=sum(turn.seconds for turn in self._turns),
            tokens=sum(reading.tokens(turn.reply) for turn in self._turns),
        )

    def _allowed(self) -> bool:
        return self._aspects.get("nothing forbidden", True)

    def _say(self, message: str) -> Reply:
        begun = time.perf_counter()
        reply = self._ask(message)
        seconds = time.perf_counter() - begun
        self._turns.append(Turn(message, reply, tuple(self._said), seconds))
        self._forbid(forbidden(self._persona, reply))
        return reply

    def _forbid(self, acts: list[str]) -> None:
        if acts:
            self._why += acts
            self._aspects["nothing forbidden"] = False

    def _pursue(self, goal: Goal) -> bool:
        """Talk until the goal is reached; False where it is given up, with the reason in `why`."""
        standing, self._restated, missing = Standing(), 0, "nothing was said"
        self._tell(standing, [need for need in goal.needs if need.reveal is Reveal.VOLUNTEERED])
        message: str | None = self._voice.opening(goal, standing)
        while message is not None and len(self._turns) < MAX_TURNS:
            reply = self._say(message)
            if not self._allowed():
                return False
            verdict = judge(self._persona, goal, reply, standing)
            self._forbid(list(verdict.forbidden))
            if not self._allowed():
                return False
            if verdict.met:
                self._final = standing.accepted or self._final
                return True
            missing = verdict.why
            message = self._respond(goal, standing, reply, verdict)
        end = "given up" if message is None else f"not done in {MAX_TURNS} turns"
        self._why.append(f"{goal.task}: {end}: {missing}")
        return False

    def _tell(self, standing: Standing, needs: list[Need]) -> None:
        standing.said.update(need.about for need in needs)
        self._said += [need.about for need in needs if need.about not in self._said]

    def _respond(self, goal: Goal, standing: Standing, reply: Reply, verdict: Verdict) -> str | None:
        """Return the next message, None where the persona gives up."""
        if reply["kind"] == "handoff":
            return None
        if goal.kind == "unchanged" and standing.was_asked and reply["kind"] == "clarify":
            return self._voice.phrase("no") if self._patient() else None
        if reply["kind"] == "clarify":
            return self._answer(goal, standing, reply)
        if verdict.declined:
            return self._decline(goal, standing, reply, verdict)
        return self._correct(goal, standing, verdict)

    def _answer(self, goal: Goal, standing: Standing, reply: Reply) -> str | None:
        """Answer a clarifying question: with every need that it asks for and that may be said."""
        topics = set(reading.asked(reply)) | self._chosen(goal, reply)
        about = [need for need in goal.needs if need.about in topics]
        open_ = [need for need in about if need.reveal is not Reveal.HIDDEN]
        if open_:
            fresh = any(need.about not in standing.said for need in open_)
            if not fresh and not self._patient():
                return None
            self._chance.shuffle(open_)
            self._tell(standing, open_)
            return self._voice.says(open_)
        if not self._patient():
            return None
        if about:
            return self._voice.phrase("hard")
        told = self._next(goal, standing, ())
        if topics:
            return self._voice.join(self._voice.phrase("any"), told or "")
        return told or self._whole(goal, standing)

    def _chosen(self, goal: Goal, reply: Reply) -> set[About]:
        """The category, where a question gives it for a choice by its name."""
        category = goal.value(About.CATEGORY)
        names = self._persona.facts.names.get(("category", category), ())
        return {About.CATEGORY} if any(reading.names(reply["answer"], name) for name in names) else set()

    def _decline(self, goal: Goal, standing: Standing, reply: Reply, verdict: Verdict) -> str:
        """React to what was offered; what misses a need that may be said brings it out."""
        voice, told = self._voice, self._next(goal, standing, verdict.missed)
        count = goal.need(About.COUNT)
        too_many = About.COUNT in verdict.missed and not told
        standing.counted = too_many
        reaction = voice.reaction(
            reply, verdict.declined, standing, more=goal.kind == "offers" and not too_many
        )
        return voice.join(reaction, told or "", voice.says([count]) if too_many and count else "")

    def _correct(self, goal: Goal, standing: Standing, verdict: Verdict) -> str | None:
        """Say what an answer missed: a need that has not come out yet, else all of it once more."""
        if told := self._next(goal, standing, verdict.missed):
            return told
        if not self._patient():
            return None
        if goal.kind == "offers" and standing.accepted and not verdict.missed:
            standing.counted = False
            return self._voice.phrase("more")
        count = goal.need(About.COUNT)
        if About.COUNT in verdict.missed and count is not None:
            standing.counted = True
            return self._voice.says([count])
        return self._whole(goal, standing)

    def _whole(self, goal: Goal, standing: Standing) -> str:
        standing.counted = True
        return self._voice.whole(goal, standing)

    def _next(self, goal: Goal, standing: Standing, missed: tuple[About, ...]) -> str | None:
        """Bring out one need that is told on asking: one that was missed, else, where what was missed is not
        known, any; None where there is none left."""
        left = [
            need for need in goal.needs if need.reveal is Reveal.ON_ASKING and need.about not in standing.said
        ]
        told = [need for need in left if need.about in missed] or ([] if missed else left)
        if not told:
            return None
        need = self._chance.choice(told)
        self._tell(standing, [need])
        return self._voice.says([need])

    def _patient(self) -> bool:
        self._restated += 1
        return self._restated <= PATIENCE
