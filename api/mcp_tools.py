"""The tools of the MCP server: those that customer-data platforms offer by name, and every tool of the registry.

A tool of ours is bound by code: its arguments become a JSON Schema, keys may be given as names, and its facts come
back as sentences in both languages and as typed values. One that changes something asks first: a call without the
confirmation that this question came with changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from api.callers import Caller
from api.errors import Problem
from api.names import resolve
from api.services import Services
from tools import TOOLS, WRITE_TOOLS
from tools.base import Access, CannotDo, Fact, Tool, ToolResult, TryAgain
from tools.scope import Scope

Found = dict[str, Any]
Schema = dict[str, Any]
_CUSTOMER: Schema = {
    "type": "string",
    "description": "The customer's number",
    "minLength": 1,
    "maxLength": 200,
}
_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 200, "description": "How many at most"}
_DAY: Schema = {"type": "string", "format": "date", "description": "YYYY-MM-DD, inclusive"}
_KEYS = ("department", "category", "type", "product", "brand", "segment", "campaign")
_INTERNAL = ("x-session", "x-derived")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as MCP lists it. `run(caller, arguments)` answers with JSON values or raises Problem."""

    name: str
    title: str
    description: str
    schema: Schema
    writes: bool
    erases: bool
    run: Callable[[Caller, Mapping[str, Any]], Found]


def offered(s: Services) -> dict[str, Offered]:
    """Return every tool by its name."""
    tools = [*_of_platforms(s), *(_bound(s, tool) for tool in TOOLS.values())]
    return {tool.name: tool for tool in tools}


# what customer-data platforms offer ------------------------------------------------------------
def _of_platforms(s: Services) -> list[Offered]:
    def one(name: str, title: str, words: str, give: Callable[[str], Found]) -> Offered:
        def run(caller: Caller, args: Mapping[str, Any]) -> Found:
            customer = str(args["customer"])
            _one_customer(caller, customer)
            return {"customer": s.known(customer), **give(customer)}

        return Offered(name, title, words, _object({"customer": _CUSTOMER}, ["customer"]), False, False, run)

    shop = s.shop
    return [
        Offered(
            "find_customer", "Find a customer",
            "Find customers by the beginning of their number; with an exact number, whether there is such a customer",
            _object({"query": {"type": "string", "minLength": 1, "maxLength": 200}, "n": _COUNT}, ["query"]),
            False, False, lambda caller, args: _find(s, caller, str(args["query"]), int(args.get("n", 10))),
        ),
        one(
            "get_customer_details", "Customer details",
            "Everything known of one customer: attributes, spending, visits, tastes, labels",
            lambda customer: {"details": shop().profile_document(customer)},
        ),
        one(
            "get_customer_segments", "A customer's segment", "The segment that a customer belongs to",
            lambda customer: {"segments": _segments_of(s, customer)},
        ),
        one(
            "get_customer_measures", "A customer's measures",
            "A customer's figures: spend, trips, mean basket, days since the last visit and between visits",
            lambda customer: {"measures": _measures_of(s, customer), "currency": shop().info.currency},
        ),
        one(
            "get_customer_predictions", "A customer's predictions",
            "What is expected of a customer: next order, churn, value, chance to buy a category within 30 days",
            lambda customer: {"predictions": _predictions_of(s, customer)},
        ),
    ]  # fmt: skip


def _find(s: Services, caller: Caller, query: str, n: int) -> Found:
    if caller.role == "merchandiser":
        _one_customer(caller, query)
    ids = s.shop().customer_ids()
    # A service key learns of the one customer that it names, not of others whose numbers begin alike.
    wanted = [query] if caller.role == "service" else [c for c in ids if c.startswith(query)]
    hidden = s.erased.among(wanted)
    found = [c for c in wanted if s.shop().has_customer(c) and c not in hidden]
    return {"customers": sorted(found, key=lambda c: (c != query, len(c), c))[:n], "found": len(found)}


def _segments_of(s: Services, customer: str) -> list[Found]:
    segment = s.shop().profile(customer).segment
    return [] if segment is None else [{"segment_id": segment.segment_id, "name": asdict(segment.name)}]


def _measures_of(s: Services, customer: str) -> Found:
    p = s.shop().profile(customer)
    names = (
        "spend",
        "baskets",
        "mean_basket",
        "days_between",
        "recency_days",
        "campaigns_received",
        "coupons_redeemed",
    )
    return {name: getattr(p, name) for name in names} | {
        "first_day": str(p.first_day),
        "last_day": str(p.last_day),
    }


def _predictions_of(s: Services, customer: str) -> Found:
    p = s.shop().profile(customer)
    likely = [
        {"category": c.category, "name": asdict(c.name), "probability": c.probability} for c in p.likely
    ]
    return {"outlook": plain(p.outlook), "buys_within_30_days": likely}


# our own tools -----------------------------------------------------------------------------------
def _bound(s: Services, tool: Tool) -> Offered:
    writes = tool.access is Access.WRITE
    properties = {
        name: _property(name, given) for name, given in tool.parameters.items() if not _hidden(given)
    }
    words = tool.describe[:1].upper() + tool.describe[1:]
    if writes:
        properties["confirmation"] = {
            "type": "string", "description": "What the first call gave, once the person has said yes to its question",
        }  # fmt: skip
        words += ". The first call only asks; put its question to the person"
    return Offered(
        tool.name, words.split(":")[0].split(";")[0][:80], words, _object(properties, list(tool.required)),
        writes, tool.name.startswith("erase"), lambda caller, args: _run(s, tool, caller, args),
    )  # fmt: skip


def _hidden(given: Mapping[str, Any]) -> bool:
    return any(mark in given for mark in _INTERNAL)


def _property(name: str, given: Mapping[str, Any]) -> Schema:
    """Return a parameter as plain JSON Schema, with what the planner's marks mean in words."""
    bare = {key: value for key, value in given.items() if not key.startswith("x-")}
    if "x-more" in given:
        bare["enum"] = [*bare["enum"], *given["x-more"]]
    kind = given.get("x-entity")
    if kind == "customer":
        return _CUSTOMER
    if kind == "all":
        return _filters()
    if kind:
        return bare | {"description": f"A {kind}: its key, or its name in English or Chinese"}
    if given.get("x-count"):
        return _COUNT
    if "x-period" in given:
        return _DAY
    if "x-add" in given:  # the attributes of the shop belong to the choices too
        return {
            "type": "string",
            "description": f"One of {', '.join(bare['enum'])}, or an attribute of the shop",
        }
    if "x-amount" in given:
        return _amount()
    return bare | {"description": name.replace("_", " ")}


def _filters() -> Schema:
    keys: Schema = {"type": "array", "items": {"type": "string"}, "maxItems": 50}
    return {
        "type": "object", "description": "Only purchases of these",
        "properties": {
            "customer": keys, **dict.fromkeys(_KEYS, keys),
            "attributes": {"type": "object", "additionalProperties": keys, "description": "Attribute -> values"},
        },
        "additionalProperties": False,
    }  # fmt: skip


def _amount() -> Schema:
    number = {"type": ["number", "null"]}
    return {
        "type": "object", "description": "Only groups whose figure lies within these bounds",
        "properties": {
            "low": number, "high": number, "strict_low": {"type": "boolean"}, "strict_high": {"type": "boolean"},
            "unit": {"type": "string", "enum": ["money", "baskets", "units", "customers", "share"]},
        },
        "required": ["unit"], "additionalProperties": False,
    }  # fmt: skip


def _run(s: Services, tool: Tool, caller: Caller, args: Mapping[str, Any]) -> Found:
    """Check what the caller may see, then run; the arguments keep to the schema already."""
    given = {key: value for key, value in args.items() if key != "confirmation"}
    customer = str(given["customer"]) if "customer" in given else None
    inside = (given.get("filters") or {}).get("customer") or []
    if caller.role == "service" and customer is None and tool.name == "measure" and len(inside) == 1:
        customer = str(inside[0])
    _within_scope(caller, tool, given, customer)
    for named in filter(None, [customer, *inside]):
        s.known(str(named))
    shop, given = s.shop(), _keys(s, given, tool)
    try:
        if tool.name in WRITE_TOOLS:
            question, wanted = (
                WRITE_TOOLS[tool.name].confirm(shop, given),
                _confirmation(s, caller, tool.name, given),
            )
            if not hmac.compare_digest(
                str(args.get("confirmation", "")).encode("utf-8", "replace"), wanted.encode()
            ):
                return {"question": dict(question), "confirmation": wanted}
        return _shown(tool.run(shop, given))
    except CannotDo as error:
        raise Problem(422, error.text["en"], code="cannot") from error
    except TryAgain as error:
        raise Problem(422, str(error), code="try_again") from error
    except ValueError as error:  # a quantity, breakdown or day that there is not
        raise Problem(422, str(error), code="bad_request") from error


def _within_scope(caller: Caller, tool: Tool, args: Mapping[str, Any], customer: str | None) -> None:
    if caller.role == "service" and customer is None:
        if "customer" in tool.required or tool.name == "measure":
            caller.scope(None)  # says that a customer is missing
        scope: Scope | None = Scope("service")
    else:
        scope = caller.scope(customer)
    why = scope.denies(tool, args) if scope is not None else None
    if why is not None:
        refusal, _, allowed = why["en"].partition(". ")
        raise Problem(403, refusal, code="role", allowed=allowed.rstrip(".") or None)


def _one_customer(caller: Caller, customer: str) -> None:
    """Refuse who may not see single customers."""
    scope = caller.scope(customer)
    why = scope.denies_naming([customer]) if scope is not None else None
    if why is not None:
        refusal, _, allowed = why["en"].partition(". ")
        raise Problem(403, refusal, code="role", allowed=allowed.rstrip("."))


def _keys(s: Services, args: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    """Put keys in the place of names; a product is known by its number."""
    shop, kept = s.shop(), dict(args)
    for name, given in tool.parameters.items():
        kind = given.get("x-entity")
        if name in kept and kind in _KEYS and kind != "product":
            kept[name] = resolve(shop, kind, str(kept[name]))
        elif name in kept and (each := given.get("x-each")):
            kept[name] = [resolve(shop, each, str(one)) for one in kept[name]]
    if isinstance(kept.get("filters"), Mapping):
        kept["filters"] = {
            kind: [resolve(shop, kind, str(one)) for one in given]
            if kind in _KEYS and kind != "product"
            else given
            for kind, given in kept["filters"].items()
        }
    return kept


def _confirmation(s: Services, caller: Caller, tool: str, args: Mapping[str, Any]) -> str:
    """What proves that this very change was asked about: it fits no other arguments and no other key."""
    said = "\0".join((tool, caller.id, caller.user, json.dumps(args, sort_keys=True))).encode()
    return hmac.new(s.secret, said, hashlib.sha256).hexdigest()[:32]


def _shown(result: ToolResult) -> Found:
    """A result as JSON: its facts, and a table's rows beyond them."""
    told: Found = {"facts": [_fact(fact) for fact in result.facts]}
    if result.found:
        told["found"] = {kind: list(keys[:_LISTED]) for kind, keys in result.found.items()}
    if result.table is not None:
        told["table"] = {
            "titles": list(result.table.titles["en"]),
            "rows": [list(r) for r in result.table.rows["en"]],
        }
    return told


def _fact(fact: Fact) -> Found:
    return {
        "text": dict(fact.text), "subject": fact.subject, "predicate": fact.predicate, "value": plain(fact.value),
        "unit": fact.unit, "period": fact.period, "quoted": fact.quoted,
    }  # fmt: skip


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def plain(value: Any) -> Any:
    """Return a value of ours as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return json.loads(json.dumps(value, default=str))
