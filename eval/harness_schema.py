"""The JSON schema of one turn, made of the caller's tools and of what the conversation names.

An argument that looks like an identifier can only be a value that the conversation gave: which it is, the model
chooses; that it exists, the code sees to, as our own planner's linking does. A tool for whose required identifier
nothing was given is not in the schema. A list of values that the caller gave (an enum) is left whole: nothing can be
invented inside it, and people seldom name a value as the schema writes it ("the cheapest cabin").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.harness_request import BadRequest, Function, Request, Turn, parsed

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS = frozenset({"id", "ids", "number", "numbers", "code", "codes"})
_GLUED = re.compile(
    r"(?:user|order|item|product|customer|account|ticket|booking|flight|payment)ids?|\w+(?:number|code)s?"
)
_KEPT = ("type", "const", "enum", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum",
         "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format")  # fmt: skip
_FORMATS = frozenset({"date", "time", "date-time", "email", "uuid"})
"""Those that every engine of ours can hold a model to."""
_LOOKS_ROUND = re.compile(r"\(\?[=!<]|\\[1-9]")  # no engine of grammars knows these

_TOKEN = re.compile(r"#?[A-Za-z0-9](?:[A-Za-z0-9_.:/@+-]*[A-Za-z0-9])?")
_PHONE = re.compile(r"\+?\(?\d[\d().\s-]{5,}\d")
_QUOTED = re.compile(r"[\"“`「『]([^\"“”`「」『』\n]{1,64})[\"”`」』]")
_INTRODUCED = re.compile(r"\b(?:id|number|code)\s*(?:is|:|=)\s*([A-Za-z0-9][\w-]*)", re.IGNORECASE | re.ASCII)


def is_identifier(name: str) -> bool:
    """Whether a parameter's name says that it holds an identifier: its last word is id, number or code."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return bool(words) and (words[-1] in _ENDINGS or _GLUED.fullmatch(words[-1]) is not None)


# what the conversation names -----------------------------------------------------------------
def named_values(turns: Sequence[Turn]) -> list[str]:
    """Return every text that could be an identifier in what users said and tools gave, in order, each once.

    Where no user has spoken, the system message is the task (a ticket), and counts too.
    """
    spoken = any(turn.role == "user" for turn in turns)
    sources = [t for t in turns if t.role in ("user", "tool") or (t.role == "system" and not spoken)]
    found: dict[str, None] = {}
    for turn in sources:
        value = parsed(turn.text) if turn.role == "tool" else None
        found |= dict.fromkeys(_in_text(turn.text) if value is None else _in_json(value))
    return [value for value in found if value]


def _in_json(value: Any) -> Iterator[str]:
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            # Things are often listed under their ids; a key without a digit is a field's name.
            yield from (k for k in value if _token_is_one(k) and any(c.isdigit() for c in k))
            waiting += reversed(value.items())
        elif isinstance(value, list):
            waiting += [(key, item) for item in reversed(value)]
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, str):
            if value and len(value) <= 128 and is_identifier(key):
                yield value
            yield from _in_text(value)


def _in_text(text: str) -> Iterator[str]:
    for m in _TOKEN.finditer(text):
        pieces = {m.group(): None, m.group().lstrip("#"): None} | dict.fromkeys(re.split("[/:#]", m.group()))
        yield from (piece for piece in pieces if _token_is_one(piece))
    yield from (" ".join(m.group().split()) for m in _PHONE.finditer(text))
    yield from (m.group(1).strip() for pattern in (_QUOTED, _INTRODUCED) for m in pattern.finditer(text))


def _token_is_one(token: str) -> bool:
    """Whether a word may be an identifier: "W2378156", "mia_li_3668", "JFK"; not "order"."""
    if not _TOKEN.fullmatch(token):
        return bool(token) and any(c.isdigit() for c in token) and " " not in token
    return any(c.isdigit() or c in "_@" for c in token) or (len(token) > 1 and token.isupper())


# the schema ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TurnSchema:
    """What the model's answer must look like: {"calls": [{"tool", "args"}]} or {"say": text}.

    schema: None where neither is possible. missing: identifiers that no value was given for, by tool that
    cannot be called for want of them.
    """

    schema: dict[str, Any] | None
    missing: dict[str, list[str]]


def turn_schema(request: Request) -> TurnSchema:
    """Return the schema of a request's answer. Raises BadRequest for a tool's schema that cannot be used."""
    values = named_values(request.turns)
    forms, missing = [], {}
    for tool in request.open:
        linker = _Linker(values, tool)
        args = linker.link({"type": "object", "properties": {}} | dict(tool.parameters), "")
        if args is None:
            missing[tool.name] = list(dict.fromkeys(linker.missing))
        else:
            forms.append(_object({"tool": {"const": tool.name}, "args": args}))
    kinds = []
    if forms:
        listed = {"type": "array", "items": {"anyOf": forms}, "minItems": 1, "maxItems": request.most}
        kinds.append(_object({"calls": listed}))
    if request.may_say:
        kinds.append(_object({"say": {"type": "string", "minLength": 1}}))
    schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else None
    return TurnSchema(schema, missing)


def _object(properties: Mapping[str, Any], required: Iterable[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


class _Linker:
    """Rewrites a tool's schema for one turn: references resolved, identifiers bound to the values named, and what
    no engine needs or knows left out. missing: required identifiers that nothing was named for."""

    def __init__(self, values: Sequence[str], tool: Function) -> None:
        self._values, self._tool = values, tool
        self.missing: list[str] = []

    def link(self, schema: Any, name: str, refs: tuple[str, ...] = ()) -> dict[str, Any] | None:
        """Return the schema for what is called `name`, or None where no value can fit it."""
        if not isinstance(schema, dict):
            return {} if schema else None  # true and false are schemas too
        schema, refs = self._resolved(schema, refs)
        if options := _options(schema):
            return self._any(options, name, refs)
        if "enum" in schema or "const" in schema:
            return {key: schema[key] for key in ("type", "enum", "const") if key in schema}
        kind = schema.get("type")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._members(schema, refs)
        if kind == "array":
            return self._list(schema, name, refs)
        if is_identifier(name) and kind in (None, "string", "integer"):
            return self._bound(schema, name, kind)
        return _kept(schema)

    def _any(self, options: Sequence[Any], name: str, refs: tuple[str, ...]) -> dict[str, Any] | None:
        linked = [found for option in options if (found := self.link(option, name, refs)) is not None]
        # Beside an object whose members are known, one of any members would let identifiers be made up.
        if any(found.get("properties") for found in linked):
            linked = [f for f in linked if f.get("type") != "object" or f.get("properties")]
        return linked[0] if len(linked) == 1 else {"anyOf": linked} if linked else None

    def _members(self, schema: Mapping[str, Any], refs: tuple[str, ...]) -> dict[str, Any] | None:
        properties, required = schema.get("properties") or {}, schema.get("required") or []
        if not properties and not required:
            more = schema.get("additionalProperties", "properties" not in schema)
            open_to = more if isinstance(more, bool) else self.link(more, "", refs) or False
            return _object({}) | {"additionalProperties": open_to}
        kept: dict[str, Any] = {}
        for name in [*properties, *(r for r in required if r not in properties)]:
            before = len(self.missing)
            linked = self.link(properties.get(name, {}), name, refs)
            if linked is not None:
                kept[name] = linked
            elif name in required:
                return None
            else:
                del self.missing[before:]  # it can go without
        return _object(kept, [name for name in required if name in kept])

    def _list(self, schema: Mapping[str, Any], name: str, refs: tuple[str, ...]) -> dict[str, Any] | None:
        items = self.link(schema.get("items", {}), name, refs)
        return None if items is None else _kept(schema) | {"items": items}

    def _bound(self, schema: Mapping[str, Any], name: str, kind: str | None) -> dict[str, Any] | None:
        if kind == "integer":
            # A page number is counted, not named; an id is.
            if _WORDS.findall(name)[-1].lower().startswith("number"):
                return _kept(schema)
            whole: list[Any] = [int(v) for v in self._values if re.fullmatch(r"\d{1,18}", v)]
            fitting = list(dict.fromkeys(whole))
        else:
            fitting = [value for value in self._values if _fits(value, schema)]
        if not fitting:
            self.missing.append(name)
            return None
        return {"type": kind or "string", "enum": fitting}

    def _resolved(
        self, schema: Mapping[str, Any], refs: tuple[str, ...]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return a schema with its reference and its allOf drawn into it."""
        merged = dict(schema)
        for part in merged.pop("allOf", []):
            merged, refs = _merged(merged, *self._resolved(part if isinstance(part, dict) else {}, refs))
        if "$ref" in merged:
            ref = str(merged.pop("$ref"))
            if ref in refs:
                raise BadRequest(f"the parameters of {self._tool.name} refer to themselves ({ref}).", "tools")
            target, inner = self._resolved(self._target(ref), (*refs, ref))
            return _merged(merged, target, inner)
        return merged, refs

    def _target(self, ref: str) -> Mapping[str, Any]:
        target: Any = self._tool.parameters
        for step in ref.removeprefix("#/").split("/") if ref.startswith("#/") else [ref]:
            target = (
                target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            )
        if not isinstance(target, dict):
            raise BadRequest(
                f"the parameters of {self._tool.name} refer to {ref!r}, which is not there.", "tools"
            )
        return target


def _merged(
    schema: Mapping[str, Any], more: Mapping[str, Any], refs: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    both = {**more, **schema}
    if "properties" in schema and "properties" in more:
        both["properties"] = {**more["properties"], **schema["properties"]}
    if "required" in schema and "required" in more:
        both["required"] = list(dict.fromkeys([*more["required"], *schema["required"]]))
    return both, refs


def _options(schema: Mapping[str, Any]) -> list[Any]:
    """Return a schema of several forms, or of several types, as one whole schema for each of them."""
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        return [_merged(form, rest, ())[0] if isinstance(form, dict) else form for form in forms]
    kinds = schema.get("type")
    if not isinstance(kinds, list) or "enum" in schema or "const" in schema:
        return []
    return [{**schema, "type": kind} for kind in kinds]


def _kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: schema[key] for key in _KEPT if key in schema}
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    if _LOOKS_ROUND.search(str(kept.get("pattern", ""))):
        del kept["pattern"]
    return kept


def _fits(value: str, schema: Mapping[str, Any]) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    try:
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    except re.error:
        return True  # a dialect that is not Python's: the tool itself will judge


def made_up(args: Any, schema: Mapping[str, Any], values: Iterable[str]) -> list[str]:
    """Return the identifiers in a call's arguments that neither the conversation's values nor the lists of the
    turn's schema have: where a tool takes an object of any members, no schema can bind them."""
    known = {*values, *_listed(schema)}
    return [
        str(v) for name, v in _leaves(args) if isinstance(v, str) and is_identifier(name) and v not in known
    ]


def _listed(schema: Mapping[str, Any]) -> Iterator[str]:
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for item in (*(value.get("enum") or ()), value.get("const")):
                if isinstance(item, str):
                    yield item
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]
        else:
            yield name, value
