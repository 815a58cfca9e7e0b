"""Who may see what: a service caller one customer, a merchandiser groups. Asked before any tool runs.

What a caller may see follows from the tools' own arguments: a tool that needs a customer is about one
customer; a measure is, where its filter names one; the others are about groups or about products.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tools.words import both, label

if TYPE_CHECKING:
    from tools.base import Tool

_PRODUCTS = frozenset({"search_products", "bought_with", "why_together", "newcomer"})
"""About products alone, or about nobody who is known: open to everybody."""
_OTHERS = frozenset({"similar_customers"})
"""Asked of one customer, answered with others."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one call may see. `customer` is the one that a service caller's call is about; a
    merchandiser's is about nobody in particular. A caller without limits has no scope."""

    role: Literal["service", "merchandiser"]
    customer: str | None = None

    def denies(self, tool: Tool, args: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return why a call is not allowed, and what would be, by language; None where it is allowed."""
        if tool.name in _PRODUCTS or (tool.name == "family" and not args.get("customer")):
            return None
        personal = "customer" in tool.required or tool.name == "family"
        named = (args.get("filters") or {}).get("customer") if tool.name == "measure" else None
        if self.role == "merchandiser":
            # Customers that another call finds are a group; those in a list were named one by one.
            return _GROUPS_ONLY if personal or isinstance(named, list | tuple) else None
        if personal and tool.name not in _OTHERS:
            return self.denies_naming([str(args.get("customer"))])
        alone = isinstance(named, list | tuple) and list(named) == [self.customer]
        if alone and args.get("by") != "customer":
            return None
        return self._one_only(_GROUPS)

    def denies_naming(self, customers: Iterable[str]) -> Mapping[str, str] | None:
        """Return why these customers may not be named in this call; None where they may."""
        if self.role == "merchandiser":
            return _GROUPS_ONLY if any(True for _ in customers) else None
        return self._one_only(_ANOTHER) if any(c != self.customer for c in customers) else None

    def _one_only(self, why: Mapping[str, str]) -> Mapping[str, str]:
        known = self.customer is not None
        who = {"en": f"customer {label(self.customer or '')}", "zh": f"{label(self.customer or '')}号顾客"}
        anyone = {"en": "one customer", "zh": "一位顾客"}
        return {lang: text.format(who=(who if known else anyone)[lang]) for lang, text in why.items()}


_ANOTHER = both(
    en="This call is about {who} and may not name another one. Ask about {who} or about products here; ask about"
    " another customer in a call of its own.",
    zh="本次调用仅限{who}，不能涉及其他顾客。您可以询问{who}或商品；其他顾客请另行发起调用。",
)
_GROUPS = both(
    en="Groups and lists of customers are for merchandisers. Ask about {who} or about products here.",
    zh="顾客群体与名单仅供商品运营人员查询。此处可以询问{who}或商品。",
)
_GROUPS_ONLY = both(
    en="Single customers are for service agents. Ask about segments, audiences, campaigns, figures of the shop or"
    " products here.",
    zh="单个顾客的信息仅供客服查询。此处可以询问顾客分群、目标人群、营销活动、店铺数据或商品。",
)
