"""A judge: grades an answer from 1 to 5 by a rubric, in several votes, where nothing verifiable decides.

What keeps the answer from setting its own grade: it stands between random marks, stripped of whatever imitates them;
the output's schema leaves a number to choose; rules that need no model come first (`eval.judges.floor`); and what
cannot be read, or is not agreed on, is counted apart as a failure instead of being a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, ClassVar, Protocol

from agent.errors import BadOutput, LLMRejected
from agent.events import Language, Usage
from agent.prompts import Prompts, default_prompts
from eval.judges.floor import Floor
from eval.judges.quoting import clipped, fenced

GRADES = (1, 2, 3, 4, 5)
WORST, BEST = GRADES[0], GRADES[-1]
MOST_APART = 2
"""Votes further apart than this do not agree on anything, and their median is no grade."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 100}, "grade": {"enum": list(GRADES)}},
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
"""The reason comes first: a grade that is given before it is not led by it."""
MAX_TOKENS = 160
QUESTION_CHARS, ANSWER_CHARS = 600, 3000
"""What goes into the model's context beside a rubric. Of a longer question a part is enough; a longer answer (a list of
a hundred customers) gets no grade: a judge that read only a part would miss what the rest says."""
_LANGUAGES: dict[Language, str] = {"en": "English", "zh": "Chinese"}
_TOO_LARGE = (400, 413)


class Asks(Protocol):
    """The part of `agent.llm.LLM` that a judge uses; it answers at temperature 0."""

    def plan(
        self, messages: Sequence[Any], schema: Mapping[str, Any], *, max_tokens: int, slot: str = "plan"
    ) -> tuple[dict[str, Any], Usage]: ...


@dataclass(frozen=True, slots=True)
class Item:
    """What is judged: an answer, and the question (with its language) that it was given to."""

    question: str
    answer: str
    language: Language


@dataclass(frozen=True, slots=True)
class Vote:
    """One rubric's grade, 1 to 5, with its reason; grade None: why it could not be read is in `failed`."""

    rubric: str
    grade: int | None
    reason: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one answer.

    grade: 1 to 5; None where the votes could not be read or did not agree (`failed` says how): no score, to be counted
    apart. floor: the rules that the answer broke; where they leave only grade 1, no model was asked and there are no
    votes.
    """

    judge: str
    grade: int | None
    floor: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    failed: str = ""
    usage: Usage = field(default_factory=Usage)

    @property
    def score(self) -> float | None:
        """The grade as a part of 1 (1 is 0.0, 5 is 1.0); None where there is none."""
        return None if self.grade is None else (self.grade - WORST) / (BEST - WORST)


class Judge:
    """Grades one aspect of answers. A subclass names its aspect and rubrics, and may add rules of its own.

    llm: the judge's model, perhaps another one than the agent's. votes: how many rubrics vote, an odd number.
    prompts: where the rubrics stand (the package's own, so that prompts under test do not change their judge).
    """

    name: ClassVar[str]
    ungraded: ClassVar[frozenset[str]] = frozenset()
    """Rules of the floor that say nothing about this aspect."""
    rubrics: ClassVar[tuple[str, ...]]
    """Prompts under prompts/judges: the same rubric, its grades in the other order, and in other words."""

    def __init__(
        self, llm: Asks, *, votes: int = 3, floor: Floor | None = None, prompts: Prompts | None = None
    ) -> None:
        if votes % 2 == 0 or not 0 < votes <= len(self.rubrics):
            raise ValueError(f"{votes} votes: give an odd number up to {len(self.rubrics)}.")
        self._llm, self._floor = llm, floor or Floor()
        self._prompts = prompts or default_prompts()
        self._rubrics = self.rubrics[:votes]

    def caps(self, item: Item) -> dict[str, int]:
        """Return the rules that an answer breaks, each with the highest grade that it leaves."""
        found = self._floor.faults(item.answer, item.language)
        return {name: WORST for name in found if name not in self.ungraded}

    def grade(self, item: Item) -> Verdict:
        """Grade one answer. Raises LLMUnavailable, LLMRejected: a server that does not answer is no verdict."""
        return self.grade_all([item])[0]

    def grade_all(self, items: Sequence[Item]) -> list[Verdict]:
        """Grade answers, in their order. One rubric goes over all of them before the next, so that the server
        computes it once. Raises as `grade` does."""
        caps = [self.caps(item) for item in items]
        asked = [
            i
            for i, item in enumerate(items)
            if WORST not in caps[i].values() and len(item.answer) <= ANSWER_CHARS
        ]
        votes: dict[int, list[tuple[Vote, Usage]]] = {i: [] for i in asked}
        for rubric in self._rubrics:
            for i in asked:
                votes[i].append(self._vote(rubric, items[i]))
        return [self._verdict(broken, votes.get(i, [])) for i, broken in enumerate(caps)]

    def _vote(self, rubric: str, item: Item) -> tuple[Vote, Usage]:
        try:
            output, usage = self._llm.plan(
                self._messages(rubric, item), SCHEMA, max_tokens=MAX_TOKENS, slot="answer"
            )
        except BadOutput as error:
            return Vote(rubric, None, failed=f"unreadable output: {error}"), Usage(llm_calls=1)
        except LLMRejected as error:
            # An answer may be made of characters that fill the context; a wrong key is everybody's matter.
            if getattr(error.__cause__, "status_code", None) not in _TOO_LARGE:
                raise
            return Vote(rubric, None, failed=str(error)), Usage(llm_calls=1)
        return _read(rubric, output), usage

    def _messages(self, rubric: str, item: Item) -> list[dict[str, str]]:
        asked = self._prompts.fill(
            "judges/question",
            aspect=self.name,
            language=_LANGUAGES[item.language],
            question=fenced("question", clipped(item.question, QUESTION_CHARS)),
            answer=fenced("answer", item.answer),
        )
        return [
            {"role": "system", "content": self._prompts.fill(f"judges/{rubric}")},
            {"role": "user", "content": asked},
        ]

    def _verdict(self, caps: Mapping[str, int], voted: Sequence[tuple[Vote, Usage]]) -> Verdict:
        votes, floor = tuple(vote for vote, _ in voted), tuple(caps)
        usage = _total([usage for _, usage in voted])
        if WORST in caps.values():
            return Verdict(self.name, WORST, floor)
        if not votes:
            return Verdict(self.name, None, floor, failed=f"longer than {ANSWER_CHARS} characters: not read")
        grades = [vote.grade for vote in votes if vote.grade is not None]
        if len(grades) < len(votes):
            failed = next(f"{vote.rubric}: {vote.failed}" for vote in votes if vote.failed)
        elif max(grades) - min(grades) > MOST_APART:
            failed = f"the votes do not agree: {', '.join(map(str, grades))}"
        else:
            return Verdict(self.name, min([int(median(grades)), *caps.values()]), floor, votes, usage=usage)
        return Verdict(self.name, None, floor, votes, failed, usage)


def _read(rubric: str, output: Mapping[str, Any]) -> Vote:
    """A server that does not hold its model to the schema may give anything: only what the schema allows counts."""
    grade, reason = output.get("grade"), output.get("reason")
    if set(output) != {"grade", "reason"} or not isinstance(reason, str):
        return Vote(rubric, None, failed=f"not a reason and a grade, but {', '.join(output) or 'nothing'}")
    if type(grade) is not int or grade not in GRADES:
        return Vote(rubric, None, reason, failed=f"no grade from {WORST} to {BEST}: {str(grade)[:40]!r}")
    return Vote(rubric, grade, reason)


def _total(spent: Sequence[Usage]) -> Usage:
    return Usage(
        sum(u.llm_calls for u in spent),
        sum(u.prompt_tokens for u in spent),
        sum(u.cached_tokens for u in spent),
        sum(u.completion_tokens for u in spent),
    )
