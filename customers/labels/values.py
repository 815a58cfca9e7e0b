"""Plain values of labelling: tasks, units, and the labels that people and models gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from customers.values import Name

UnitKind = Literal["review", "inquiry", "search", "customer"]
LabellerKind = Literal["human", "llm"]


@dataclass(frozen=True, slots=True)
class Label:
    """One of a task's labels: `key` is stored, the rest is shown."""

    key: str
    name: Name
    description: Name


@dataclass(frozen=True, slots=True)
class LabelTask:
    """What is asked of every unit. `ordered`: the labels are steps of one scale, in their order.

    `examples` (text, label key) show people and models what is meant.
    """

    name: str
    unit: UnitKind
    title: Name
    question: Name
    labels: tuple[Label, ...]
    ordered: bool = False
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(label.key for label in self.labels)

    def label(self, key: str) -> Label:
        """Return the label of a key. Raises KeyError."""
        for one in self.labels:
            if one.key == key:
                return one
        raise KeyError(key)


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to label, as it was when it was drawn. `context`: what it is about (a product's name)."""

    unit_id: str
    customer_id: str
    text: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Labeller:
    """Who labels. For a model: its name and file's checksum, and the hash of the prompt it was given."""

    kind: LabellerKind
    name: str
    model: str = ""
    model_print: str = ""
    prompt: str = ""

    @property
    def words(self) -> str:
        """The name as it is shown: a person and a model are told apart."""
        return self.name if self.kind == "human" else f"{self.name} (LLM)"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A label that a labeller gave a unit at a time (UTC). `raw`: a model's answer, word for word."""

    unit_id: str
    label: str
    labeller: Labeller
    written: datetime
    raw: str = ""
