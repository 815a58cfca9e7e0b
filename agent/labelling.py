"""A language model as labeller: one constrained call a unit, with where each label comes from kept.

The answer's grammar leaves the task's labels only, so the worst that a text can bring about is a wrong label.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from agent.endpoint import Endpoint
from agent.errors import BadOutput
from agent.events import Usage
from agent.llm import Messages, parse_object
from agent.prompts import Prompts
from customers.errors import Unknown
from customers.labels.store import LabelStore
from customers.labels.values import Labeller, LabelTask, Unit

MOST_TOKENS = 40
_SUBJECT = {
    "review": "the product",
    "inquiry": "their wish",
    "search": "what they look for",
    "customer": "their interests",
}


class Model(Protocol):
    """The part of `agent.llm.LLM` that labels."""

    def text(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        slot: str = "answer",
    ) -> tuple[str, Usage]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: units labelled, answers that could not be read, units labelled before."""

    labelled: int
    unreadable: int
    before: int


class LLMLabeller:
    """Labels the units of one task. model: what answers. name, model_print: the model's name and its file's
    checksum ("" where a server does not tell it)."""

    def __init__(
        self, task: LabelTask, model: Model, prompts: Prompts, *, name: str, model_print: str = ""
    ) -> None:
        self._task, self._model, self._prompts = task, model, prompts
        self.system = prompts.fill(
            "label_system",
            subject=_SUBJECT[task.unit],
            question=task.question.en,
            labels="\n".join(_described(task)),
            examples="\n".join(f"Text: {quoted(text)}\n{_answer(label)}" for text, label in task.examples),
        ).strip()
        prompt = _sha256(json.dumps(self.messages(Unit("", "", "", "")), ensure_ascii=False))
        # Another wording of the prompt, or another file of that name, is another labeller: they can be compared.
        self.labeller = Labeller(
            "llm", f"{name}@{_sha256(prompt + model_print)[:8]}", name, model_print, prompt
        )

    @classmethod
    def at(cls, task: LabelTask, endpoint: Endpoint, model: Model, prompts: Prompts) -> LLMLabeller:
        """The labeller that the model at an endpoint is."""
        return cls(task, model, prompts, name=endpoint.model, model_print=endpoint.model_print)

    def messages(self, unit: Unit) -> list[dict[str, str]]:
        """Return the chat messages of one unit; the first is the same bytes for all units of a task."""
        about = f"About: {quoted(unit.context)}\n" if unit.context else ""
        asked = self._prompts.fill(
            "label_unit", text=quoted(unit.text), context=about, question=self._task.question.en
        )
        return [{"role": "system", "content": self.system}, {"role": "user", "content": asked.strip()}]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema that an answer follows."""
        label = {"type": "string", "enum": list(self._task.keys)}
        return {
            "type": "object",
            "properties": {"label": label},
            "required": ["label"],
            "additionalProperties": False,
        }

    def label(self, unit: Unit) -> tuple[str, str]:
        """Return a unit's label and the model's answer word for word.

        Raises BadOutput for an answer that is no label of the task, and what `agent.llm.LLM` raises.
        """
        raw, _ = self._model.text(
            self.messages(unit), max_tokens=MOST_TOKENS, schema=self.schema(), slot="answer"
        )
        label = parse_object(raw).get("label")
        if label not in self._task.keys:
            raise BadOutput(f"the model's answer is no label of {self._task.name}", raw)
        return str(label), raw

    def run(
        self,
        store: LabelStore,
        units: Iterable[Unit],
        *,
        limit: int | None = None,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Outcome:
        """Label the units that this labeller has not labelled yet, at most `limit` of them.

        Each label is kept at once, so a run that is cut short goes on where it ended. on_step: told how many of
        how many are done. Answers that cannot be read are kept apart and asked again by the next run.
        """
        every = list(units)
        done = {a.unit_id for a in store.annotations(self._task.name) if _same(a.labeller, self.labeller)}
        todo = [unit for unit in every if unit.unit_id not in done][:limit]
        unreadable = 0
        for n, unit in enumerate(todo, start=1):
            try:
                label, raw = self.label(unit)
            except BadOutput as error:
                unreadable += 1
                with suppress(Unknown):
                    store.fail(self._task.name, unit.unit_id, self.labeller, str(error), error.output)
            else:
                with suppress(Unknown):  # erased while the model was at it
                    store.put(self._task.name, unit.unit_id, label, self.labeller, raw)
            on_step(n, len(todo))
        return Outcome(len(todo) - unreadable, unreadable, len(done & {u.unit_id for u in every}))


def quoted(text: str) -> str:
    """Return a text as one JSON string: no text can end its own quotes or begin a line of the prompt."""
    written = json.dumps(text, ensure_ascii=False)
    for ends_line in "\x85\u2028\u2029":
        written = written.replace(ends_line, f"\\u{ord(ends_line):04x}")
    return written


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(label: str) -> str:
    return json.dumps({"label": label}, ensure_ascii=False, separators=(",", ":"))


def _described(task: LabelTask) -> Iterable[str]:
    for label in task.labels:
        told = " / ".join(dict.fromkeys((label.name.en, label.name.zh)))
        yield f"- {label.key}: {told}" + (f"; {label.description.en}" if label.description.en else "")


def _same(one: Labeller, other: Labeller) -> bool:
    return (one.kind, one.name) == (other.kind, other.name)
