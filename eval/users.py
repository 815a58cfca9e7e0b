"""The suite `users`: personas (eval/personas) talk with the agent until they have what they need, or give up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eval.cases import USERS, Case
from eval.raw import RawData
from eval.replies import Played

Ask = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class User:
    """A persona as a case; its dialogue is judged by the persona itself, turn by turn."""

    case: Case
    persona: Any

    @property
    def digest(self) -> str:
        """A digest of who the persona is and what they need; the dialogue follows from it and the replies."""
        return hashlib.sha256(f"{USERS} {self.persona!r}".encode()).hexdigest()

    def play(self, ask: Ask, epoch: int) -> Played:
        """Let the persona talk; each epoch is another conversation about the same needs. Raises what `ask` raises."""
        from eval.personas.simulate import simulate

        talk = simulate(self.persona, ask, epoch)
        verdict = {
            "score": float(talk.success),
            "aspects": dict(talk.aspects),
            "why": list(talk.why),
        }
        replies = [dict(turn.reply) for turn in talk.turns]
        return Played(replies, talk.seconds, said=[turn.said for turn in talk.turns], verdict=verdict)


def users(seed: int, raw: RawData, draws: int = 1) -> dict[str, User]:
    """Return the personas of a seed, and of the next ones by `draws`, by the ids of their cases. Raises ValueError, in one line, where there are none."""
    try:
        from eval.personas import personas
    except ImportError as error:
        raise ValueError(
            f"the suite {USERS} needs eval/personas, which is not there ({error}); run the others"
        ) from error
    seeds = range(max(seed, 0), max(seed, 0) + draws)
    return {one.id: User(_case(one), one) for drawn in seeds for one in personas(drawn, raw)}


def _case(persona: Any) -> Case:
    tasks = ", ".join(goal.task for goal in persona.goals)
    return Case(
        id=persona.id,
        suite=USERS,
        topic=persona.goals[0].kind,
        language=persona.language,
        role=persona.role,
        turns=({"question": f"{persona.name}: {tasks}"},),
        pair=persona.pair,
        customer=persona.at_hand,
    )


def cases(found: Mapping[str, User]) -> list[Case]:
    """Return the cases of these users."""
    return [user.case for user in found.values()]
