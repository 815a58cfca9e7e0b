"""Segments named by a language model, in the words of a merchandiser, each name checked by a rule.

The model sees the categories that set a segment apart and nothing of any customer. A name that the rule
(`customers.profiles.naming.refusal`) turns down is asked for again with the reason; after `TRIES` the
segment keeps the name that was made of its categories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent.errors import BadOutput
from agent.events import Usage
from agent.llm import Messages, Schema
from agent.prompts import Prompts
from customers.profiles.naming import LONGEST, Synonyms, marks, refusal
from customers.profiles.segments import defining
from customers.stores import segment_names
from customers.stores.segment_names import GivenName
from customers.values import Name, Segment

if TYPE_CHECKING:
    from customers.shop import Shop

TRIES = 3
MOST_TOKENS = 80
_SHOWN = 5
_SCHEMA = {
    "type": "object",
    "properties": {key: {"type": "string", "minLength": 2, "maxLength": LONGEST} for key in ("en", "zh")},
    "required": ["en", "zh"],
    "additionalProperties": False,
}


class Model(Protocol):
    """The part of `agent.llm.LLM` that names."""

    def plan(
        self, messages: Messages, schema: Schema, *, max_tokens: int, slot: str = "plan"
    ) -> tuple[dict[str, Any], Usage]: ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """What came of one segment: the name that holds, or None, and (name, why) of those turned down."""

    segment: Segment
    name: Name | None
    refused: tuple[tuple[Name, str], ...]


def propose(
    segments: Sequence[Segment],
    synonyms: Synonyms,
    model: Model,
    prompts: Prompts,
    told: Callable[[Proposal], None] = lambda proposal: None,
) -> list[Proposal]:
    """Ask for a name of each segment, the largest first. Raises what `agent.llm.LLM` raises, but for an
    answer that cannot be read, which counts as turned down."""
    words, found = list(synonyms), []
    taken: list[Name] = [segment.name for segment in segments]
    for segment in segments:
        said, refused = marks(segment, words), []
        name = None
        while name is None and len(refused) < TRIES and said["en"]:
            asked = _ask(segment, refused, model, prompts)
            others = [other for other in taken if other != segment.name]
            why = refusal(asked, said, others) if asked.en else "the answer could not be read"
            if why is None:
                name = asked
                taken.append(name)
            else:
                refused.append((asked, why))
        found.append(Proposal(segment, name, tuple(refused)))
        told(found[-1])
    return found


def save(version: Path, proposals: Sequence[Proposal], model: str, prompts: Prompts) -> dict[str, GivenName]:
    """Keep the names that hold beside the version, in place of earlier ones."""
    digest = hashlib.sha256(prompts.fill("segment_name_system").encode()).hexdigest()[:12]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    names = {
        p.segment.segment_id: GivenName(p.name.en, p.name.zh, model, digest, at) for p in proposals if p.name
    }
    segment_names.write(version, names)
    return names


def run(shop: Shop, model: Model, name: str, prompts: Prompts, say: Callable[[str], None]) -> list[Proposal]:
    """Name a shop's segments; `name` is the model's."""

    def told(proposal: Proposal) -> None:
        for given, why in proposal.refused:
            say(f"turned down: {given.en} / {given.zh} ({why})")
        kept = proposal.name or proposal.segment.name
        say(
            f"segment {proposal.segment.segment_id}: {kept.en} / {kept.zh}{'' if proposal.name else ' (kept)'}"
        )

    proposals = propose(shop.segments(), shop.synonyms(), model, prompts, told)
    save(shop.version, proposals, name, prompts)
    return proposals


def _ask(segment: Segment, refused: list[tuple[Name, str]], model: Model, prompts: Prompts) -> Name:
    categories = ", ".join(f"{name.en} / {name.zh}" for name in defining(list(segment.top))[:_SHOWN])
    again = "".join(f"Not “{name.en} / {name.zh}”: {why}.\n" for name, why in refused)
    messages = [
        {"role": "system", "content": prompts.fill("segment_name_system").strip()},
        {"role": "user", "content": prompts.fill("segment_name", categories=categories, again=again).strip()},
    ]
    try:
        answer, _ = model.plan(messages, _SCHEMA, max_tokens=MOST_TOKENS, slot="answer")
    except BadOutput:
        return Name("", "")
    return Name(str(answer.get("en", "")).strip(), str(answer.get("zh", "")).strip())
