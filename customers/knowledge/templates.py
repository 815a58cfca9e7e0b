"""Which reply suits, in what order, and its slots filled by code."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Mapping

from customers.knowledge.values import Record, Template, intent_of

_LATER = 0.98
"""What a reply's place among its answer's replies costs it: the plainer ones stand behind."""
_OWN = 1.05
"""What the shop's own replies have over those of the starter set."""
WORKS = 0.5
"""A reply that is expected to work less often than this is not given any more."""


def ranked(
    templates: Iterable[Template],
    shares: Mapping[str, float],
    records: Mapping[str, Record],
    *,
    language: str,
    own: Collection[str] = (),
    barred: Collection[str] = (),
) -> list[Template]:
    """Return the replies in one language that suit, the best first: by the share of their answer, how often they
    worked, and their place. shares: label -> share, of one intent. own: keys of the shop's own replies. barred: keys of
    replies that failed here."""
    whole = sum(shares.values()) or 1.0
    intents = {intent_of(label) for label in shares}

    def score(template: Template) -> float:
        share = shares.get(template.label, whole if template.label in intents else 0.0) / whole
        mine = _OWN if template.key in own else 1.0
        return share * records.get(template.key, Record()).rate * mine * _LATER**template.rank

    suited = [
        t
        for t in templates
        if t.language == language
        and intent_of(t.label) in intents
        and t.key not in barred
        and records.get(t.key, Record()).rate >= WORKS
    ]
    return sorted(suited, key=score, reverse=True)


def fill(template: Template, slots: Mapping[str, str]) -> str | None:
    """Return the reply with its slots filled, or None where one is not known."""
    if any(not slots.get(name) for name in template.slots):
        return None
    # Names have dots, {order.day} is one name; str.format would take it for an attribute of "order".
    parts = string.Formatter().parse(template.text)
    return "".join(literal + (slots[name] if name else "") for literal, name, _, _ in parts)
