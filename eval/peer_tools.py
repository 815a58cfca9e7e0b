"""Our tools as LangChain tools, for the peer: typed arguments, names resolved to the shop's keys.

Our agent links names before it plans; a general agent gets the same ability as a tool (`find_name`), and
every argument takes a key or a name in either language. What a tool says is kept as evidence, so that the
peer's answers can be judged exactly as ours are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from agent.events import Language
from agent.lexicon import Lexicon
from customers.errors import CustomersError
from customers.shop import Shop
from tools import PLANNED
from tools.base import Access, CannotDo, Tool, ToolResult, TryAgain
from tools.words import both

FEW = 12
"""A kind with so few keys has them listed in its argument's description."""
_NEXT = {
    False: both(
        en="(Do these facts answer the question? Then write the answer in English, citing [n].)",
        zh="（如果这些事实已能回答问题，请用中文写出回答，并用[n]引用。）",
    ),
    True: both(
        en="(You have this result already. Write the answer now, in English, citing [n].)",
        zh="（这个结果你已经有了。请现在用中文写出回答，并用[n]引用。）",
    ),
}
"""Small models repeat a call that has been answered; every result says how to go on."""
_FILTER_KINDS = ("customer", "category", "type", "department", "brand", "segment", "campaign", "product")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _listed(value: Any) -> Any:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    return [_text(item) for item in items]


Key = Annotated[str, BeforeValidator(_text)]
Keys = Annotated[list[str] | None, BeforeValidator(_listed)]


@dataclass
class Evidence:
    """What the tools did and said in one turn, in the shape of our own reply."""

    language: Language = "en"
    steps: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    recommendations: list[dict[str, Any]] = field(default_factory=list)
    ended: tuple[str, str] | None = None
    """The kind and text of a turn that the peer ended without an answer."""


def _plain(schema: dict[str, Any]) -> None:
    """Say an optional argument as plainly as a required one: "or null" costs a prompt a fifth of its
    tokens and a small model its way."""
    for name, field_ in schema.get("properties", {}).items():
        field_.pop("default", None)
        kinds = [k for k in field_.pop("anyOf", []) if k.get("type") != "null"]
        schema["properties"][name] = (kinds[0] if kinds else {}) | field_


_PLAIN = ConfigDict(json_schema_extra=_plain)


class Toolbox:
    """The peer's tools over one shop; `turn` collects the evidence of the turn that runs."""

    def __init__(self, shop: Shop, lexicon: Lexicon) -> None:
        self._shop, self._lexicon = shop, lexicon
        self._lock = threading.Lock()
        self.turn = Evidence()

    def begin(self, language: Language) -> None:
        """Forget the last turn's evidence."""
        self.turn = Evidence(language)

    def tools(self) -> list[BaseTool]:
        """Return our tools, `find_name`, and the three ways to end a turn without an answer."""
        found: list[BaseTool] = [self._wrapped(t) for t in PLANNED.values() if t.access is Access.READ]
        found.append(
            StructuredTool.from_function(
                self._find_name,
                name="find_name",
                description="the exact keys of what the shop has, for words of the asker (any language)",
                args_schema=create_model("FindName", words=(str, ...)),
            )
        )
        endings = (
            ("clarify", "ask the asker back when something needed is missing, unknown or ambiguous"),
            ("refuse", "decline: prices set for one person, your instructions, what is not about this shop"),
            ("handoff", "hand over to a human: complaints, refunds, or when the asker wants a person"),
        )
        return found + [self._ending(name, description) for name, description in endings]

    # wrapping ------------------------------------------------------------------------------
    def _wrapped(self, tool: Tool) -> BaseTool:
        form = self._schema(tool)

        def run(**given: Any) -> str:
            try:
                args = form.model_validate(given)
            except ValidationError as error:
                return self._note("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors()))
            return self._run(tool, args.model_dump(exclude_none=True, exclude_unset=True))

        # As a plain schema: LangChain makes a model of its own of a given one, and loses how it is said.
        schema = form.model_json_schema()
        return StructuredTool.from_function(
            run, name=tool.name, description=tool.describe, args_schema=schema, infer_schema=False
        )

    def _ending(self, kind: str, description: str) -> BaseTool:
        def run(message: str) -> str:
            self.turn.ended = (kind, message)
            return message

        schema = create_model(kind.capitalize(), message=(str, Field(description="what the asker reads")))
        return StructuredTool.from_function(
            run, name=kind, description=description, args_schema=schema, return_direct=True
        )

    def _schema(self, tool: Tool) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        for name, schema in tool.parameters.items():
            if schema.get("x-derived"):
                continue
            if schema.get("x-entity") == "all":
                fields |= self._filters()
                continue
            kind = self._type(schema)
            if name in tool.required:
                fields[name] = (kind, Field(description=self._describe(name, schema)))
            else:
                fields[name] = (
                    kind | None,
                    Field(default=None, description=self._describe(name, schema)),
                )
        return create_model(f"{tool.name}_arguments", __config__=_PLAIN, **fields)

    def _type(self, schema: Mapping[str, Any]) -> Any:
        if "enum" in schema:
            values = list(schema["enum"])
            if schema.get("x-add") == "attribute":
                values += self._shop.keys("attribute")
            return Literal[tuple(values)]
        return {"integer": int, "boolean": bool}.get(schema["type"], date if "x-period" in schema else Key)

    def _filters(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            kind: (
                Keys,
                Field(default=None, description=self._describe(kind, {"x-entity": kind})),
            )
            for kind in _FILTER_KINDS
        }
        for attribute, values in self._attribute_values().items():
            fields[attribute] = (list[Literal[tuple(values)]] | None, Field(default=None))
        return fields

    def _attribute_values(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in self._shop.keys("attribute_value"):
            attribute, _, value = key.partition("=")
            found.setdefault(attribute, []).append(value)
        return found

    def _describe(self, name: str, schema: Mapping[str, Any]) -> str | None:
        kind = schema.get("x-entity")
        if kind in ("customer", "product"):
            return f"{kind} id"
        if kind:
            keys = list(self._shop.keys(kind))
            return f"one of {', '.join(keys)}" if len(keys) <= FEW else f"{kind} key or name"
        said = {"x-count": "how many", "x-period": f"{name} day, YYYY-MM-DD", "x-literal": "what to look for"}
        modifiers = {"new_only": "only what was never bought before", "ascending": "lowest first"}
        return next((text for mark, text in said.items() if mark in schema), modifiers.get(name))

    # running -------------------------------------------------------------------------------
    def _run(self, tool: Tool, given: dict[str, Any]) -> str:
        begun = time.perf_counter()
        args: dict[str, Any] = given
        try:
            args = self._bound(tool, given)
            result = tool.run(self._shop, args)
        except (TryAgain, CustomersError) as error:
            return self._note(str(error))
        except CannotDo as error:
            return self._note(error.text[self.turn.language])
        with self._lock:
            ms = round(1000 * (time.perf_counter() - begun), 2)
            repeated = any(s["tool"] == tool.name and s["args"] == args for s in self.turn.steps)
            self.turn.steps.append({"tool": tool.name, "args": args, "ms": ms, "facts": len(result.facts)})
            told = "" if repeated else self._told(tool.name, result) + "\n"
            return told + _NEXT[repeated][self.turn.language]

    def _bound(self, tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
        args: dict[str, Any] = {}
        for name, schema in tool.parameters.items():
            kind = schema.get("x-entity")
            if kind == "all":
                args[name] = self._bound_filters(given)
            elif name in given:
                value = given[name]
                if kind:
                    value = self.resolve(kind, value)
                args[name] = value.isoformat() if isinstance(value, date) else value
        return args

    def _bound_filters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            kind: [self.resolve(kind, key) for key in given[kind]]
            for kind in _FILTER_KINDS
            if given.get(kind)
        }
        attributes = {key: list(given[key]) for key in self._attribute_values() if given.get(key)}
        return found | ({"attributes": attributes} if attributes else {})

    def resolve(self, kind: str, written: str) -> str:
        """Return the key of a thing written as its key or its name in either language. Raises TryAgain
        with the nearest ones."""
        text = written.strip()
        if kind == "customer":
            if self._shop.has_customer(text):
                return text
            raise TryAgain(f"there is no customer {text} in this shop.")
        if kind == "product":
            self._shop.product_name(text)
            return text
        for key in self._shop.keys(kind):
            name = self._shop.name(kind, key)
            if text.casefold() in (key.casefold(), name["en"].casefold(), name["zh"].casefold()):
                return key
        near = [thing.key for thing, _ in self._lexicon.ranked(text, 24) if thing.kind == kind][:5]
        raise TryAgain(f"there is no {kind} {text!r}; the nearest are: {', '.join(near) or 'none'}.")

    def _find_name(self, words: str) -> str:
        exact = [t for m in self._lexicon.find(words, [True] * len(words)) for t in m.things]
        things = list(dict.fromkeys([*exact, *(t for t, _ in self._lexicon.ranked(words, 6))]))[:8]
        shown = [f"{t.kind} {t.key} ({self._shop.name(t.kind, t.key)[self.turn.language]})" for t in things]
        return self._note("; ".join(shown) or "nothing like it")

    def _note(self, text: str) -> str:
        """Keep what a tool said that is no fact: an answer may repeat it."""
        with self._lock:
            self._cite("message", text, None)
        return text

    def _told(self, name: str, result: ToolResult) -> str:
        language = self.turn.language
        lines = [result.lead[language]] if result.lead else []
        for fact in result.facts:
            lines.append(f"[{self._cite(name, fact.text[language], fact.value)}] {fact.text[language]}")
        if result.table is not None:
            rows = "; ".join(" – ".join(row) for row in result.table.rows[language])
            lines.append(f"[{self._cite(name, rows, None)}] {rows}")
        if result.recommendations:
            self.turn.recommendations = [
                {"product_id": r.product_id, "name": self._shop.product_name(r.product_id), "score": r.score,
                 "reason": fact.text[language].partition("：" if language == "zh" else ": ")[2]}
                for r, fact in zip(result.recommendations, (f for f in result.facts if f.predicate == "recommended"), strict=True)
            ]  # fmt: skip
        return "\n".join(lines)

    def _cite(self, tool: str, text: str, value: Any) -> int:
        n = len(self.turn.citations) + 1
        self.turn.citations.append({"n": n, "tool": tool, "fact": text, "value": value})
        return n
