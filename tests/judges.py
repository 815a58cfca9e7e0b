"""What the tests of the judges share: answers, and judges of a scripted model."""

from __future__ import annotations

from typing import Any

from eval.judges.base import Item, Judge, Verdict
from eval.judges.floor import Floor
from eval.judges.tone import Tone
from tests.fakes import ScriptedLLM

QUESTION = "What does customer 900 buy most?"
CIVIL = Item(QUESTION, "Customer 900 spent $212.30 on soft drinks, 18.4% of their spending [1].", "en")
RUDE = "Cheese. Only a fool would ask that."
FLOOR = Floor()


def votes(*grades: Any) -> list[dict[str, Any] | Exception]:
    """A model's votes, for a script."""
    return [{"reason": "so", "grade": grade} for grade in grades]


def judged(item: Item, *script: Any, kind: type[Judge] = Tone, n: int = 3) -> tuple[Verdict, ScriptedLLM]:
    """The verdict on an item of a judge whose model says the script, and the model."""
    llm = ScriptedLLM(list(script))
    return kind(llm, votes=n, floor=FLOOR).grade(item), llm


def user_message(llm: ScriptedLLM, call: int = 0) -> str:
    """What a call said beside the rubric."""
    return str(llm.asked[call][1][1]["content"])
