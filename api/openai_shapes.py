"""What the OpenAI-compatible routes take, and what they share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.events import Reply
from api.callers import Caller
from api.errors import Problem
from api.histories import Said
from api.shapes import Id, Question

MODEL = "shopkeeper"
AS_ROLE = {f"{MODEL}-service": "service", f"{MODEL}-merchandiser": "merchandiser"}
"""Names by which an admin key chooses the role that it asks in."""
CustomerHeader = Annotated[
    str | None, Header(alias="X-Shopkeeper-Customer", max_length=200, description="The customer it is about")
]
Text = Annotated[str, StringConstraints(max_length=200_000)]


class Part(BaseModel):
    """A piece of a message; only text can be read, so no images, sounds or files."""

    model_config = ConfigDict(extra="allow")

    type: Literal["text", "input_text", "output_text", "refusal"]
    text: Text = ""


class UserMessage(BaseModel):
    """What the user said; the last one is the question."""

    model_config = ConfigDict(extra="allow")

    role: Literal["user"]
    content: Question | Annotated[list[Part], Field(min_length=1, max_length=50)]


class OtherMessage(BaseModel):
    """What others said. Only the assistant's words are read, to know the conversation by: nobody but the user
    instructs the agent."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None


Message = Annotated[UserMessage | OtherMessage, Field(discriminator="role")]
Messages = Annotated[
    list[Message],
    Field(
        min_length=1, max_length=1000,
        json_schema_extra={
            "contains": {
                "type": "object", "required": ["role", "content"],
                "properties": {"role": {"const": "user"}, "content": {"type": "string"}},
            }
        },
    ),
]  # fmt: skip


def said_in(messages: Sequence[UserMessage | OtherMessage]) -> list[Said]:
    """Return what user and assistant said, up to the last thing that the user said: the question. Raises Problem
    where they said nothing."""
    said = [(m.role, _text(m.content)) for m in messages if m.role in ("user", "assistant")]
    while said and (said[-1][0] != "user" or not said[-1][1].strip()):
        said.pop()
    if not said:
        raise Problem(422, "there is no message of the user to answer", code="bad_request", param="messages")
    return said


def _text(content: str | list[Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content)


class Common(BaseModel):
    """What both ways of asking have. Fields that are not named here are accepted and have no effect."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[
        str, StringConstraints(max_length=200), Field(json_schema_extra={"enum": [MODEL, *AS_ROLE]})
    ]
    stream: bool | None = None
    metadata: dict[str, Any] | None = Field(
        None, description="`customer`: whom it is about; `session`: a name of your own"
    )
    customer: Id | None = Field(None, description="Whom it is about (`extra_body` in the openai package)")

    def about(self, header: str | None) -> str | None:
        """Return the customer that the call names. Raises Problem where two places name two."""
        inside = (self.metadata or {}).get("customer")
        named = {str(one) for one in (self.customer, inside, header) if one not in (None, "")}
        if len(named) > 1:
            raise Problem(409, "the call names two customers; name one", code="bad_request", param="customer")
        return named.pop() if named else None

    @property
    def session(self) -> str | None:
        """The name that the caller gave the conversation."""
        given = (self.metadata or {}).get("session")
        return str(given)[:200] if given else None

    def role(self, caller: Caller) -> str | None:
        """Return the role that the model's name asks for. Raises Problem 404 for another model."""
        return AS_ROLE.get(known_model(self.model, caller))


def models(caller: Caller) -> list[str]:
    """Return the models that a caller may name."""
    return [MODEL, *AS_ROLE] if caller.role == "admin" else [MODEL]


def known_model(name: str, caller: Caller) -> str:
    """Return a model that a caller may name. Raises Problem 404 for another."""
    if name not in models(caller):
        raise Problem(
            404, f"there is no model {name[:60]!r}", code="model_not_found", param="model",
            allowed=f"one of {', '.join(models(caller))}",
        )  # fmt: skip
    return name


def now() -> int:
    """Return the time as the OpenAI API writes it."""
    return int(time.time())


def beside(reply: Reply) -> Mapping[str, Any]:
    """Return what a reply holds beside its text, as the field `shopkeeper` of an answer."""
    told = {key: value for key, value in asdict(reply).items() if key not in ("answer", "usage")}
    return {"shopkeeper": told}
