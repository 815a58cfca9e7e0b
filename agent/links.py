"""What one question names: the result of step 1, and all that a plan may be made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.amounts import Amount
from agent.lexicon import Named
from agent.periods import Period


@dataclass(slots=True)
class Links:
    """What was found in one question. Lists keep the order of the text, without repeats."""

    text: str
    customers: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    """Ids that do not exist: (kind, id as written)."""
    things: dict[str, list[str]] = field(default_factory=dict)
    """Kind (category, department, type, brand, segment, campaign, product) -> keys."""
    attributes: dict[str, list[str]] = field(default_factory=dict)
    periods: list[Period] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    """What each count counts, by the noun beside it: a kind such as customer or product, or ""."""
    amounts: list[Amount] = field(default_factory=list)
    """The thresholds: "more than $5,000", "at least 50 trips"."""
    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """Where each thing stands first in the text, by kind and key; an attribute's value is of the kind
    attribute_value with a key such as "age=45-54"."""
    note: str = ""
    """The asker's own words of a note that they dictate; nothing inside them is linked."""
    note_number: int | None = None
    """The number of the note that is to go ("delete note 3")."""
    modifiers: set[str] = field(default_factory=set)
    ambiguous: list[tuple[str, tuple[Named, ...]]] = field(default_factory=list)
    alike: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Ambiguous words that name each of a few kinds of goods as well as the others ("wine"), and where they stand."""
    terms: list[str] = field(default_factory=list)
    """Content words that name nothing the shop has."""
    topic: str = ""
    """The asker's own words for what they look for (names and terms), for product search."""
    parents: dict[str, str] = field(default_factory=dict)
    """The category that each linked product type belongs to."""
    joined: set[str] = field(default_factory=set)
    """Attributes whose several values were named by one word ("with kids"): no comparison."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """What is named only to be left out ("instead of coffee"), by kind; it stands in `things` as well."""
    pronoun: bool = False
    same_thing: bool = False

    def keys(self, kind: str) -> list[str]:
        """Return the linked keys of a kind."""
        return self.customers if kind == "customer" else self.things.get(kind, [])

    def add(self, kind: str, key: str, span: tuple[int, int] | None = None) -> None:
        """Note a linked thing once, and where it stands first."""
        if span:
            self.spans.setdefault((kind, key), span)
        if kind == "attribute_value":
            attribute, _, value = key.partition("=")
            kept = self.attributes.setdefault(attribute, [])
            if value not in kept:
                kept.append(value)
            return
        kept = self.customers if kind == "customer" else self.things.setdefault(kind, [])
        if key not in kept:
            kept.append(key)

    def any(self) -> bool:
        """Whether the text named anything at all."""
        return bool(
            self.customers or any(self.things.values()) or self.attributes or self.periods or self.unknown
        )
