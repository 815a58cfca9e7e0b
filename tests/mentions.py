"""Mentions of a shop's things as people type them, with what each names, and how well linking finds it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from agent.link import Linker
from agent.links import Links

MENTIONS = Path(__file__).parent / "data" / "mentions.jsonl"


@dataclass(slots=True)
class Score:
    """What was to be found, what was found, what of it was right, and each text that was not."""

    wanted: int = 0
    found: int = 0
    right: int = 0
    wrong: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    """Text, what it missed, what it found falsely."""

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0


def named(links: Links) -> set[str]:
    """Return what was linked as words: "category YOGURT", "period 2017-06-01/2017-08-31", "ask SNACKS"."""
    found = {f"customer {c}" for c in links.customers}
    found |= {f"unknown {kind} {written}" for kind, written in links.unknown}
    found |= {f"{kind} {key}" for kind, keys in links.things.items() for key in keys}
    found |= {f"{attribute} {value}" for attribute, values in links.attributes.items() for value in values}
    found |= {f"period {p.start}/{p.end}" for p in links.periods}
    found |= {f"count {n}" for n in links.counts}
    for a in links.amounts:
        low = f"{'>' if a.strict_low else '>='}{a.low:g}" if a.low is not None else ""
        high = f"{'<' if a.strict_high else '<='}{a.high:g}" if a.high is not None else ""
        found.add(f"amount {low}{high} {a.unit}".strip())
    found |= {f"ask {thing.key}" for _, things in links.ambiguous for thing in things}
    found |= {f"term {term}" for term in links.terms}
    return found


def score(linker: Linker, path: Path = MENTIONS) -> Score:
    """Link every mention of a file ({"text", "names"} a line) and count what was found."""
    total = Score()
    for line in path.read_text(encoding="utf-8").splitlines():
        mention = json.loads(line)
        wanted, found = set(mention["names"]), named(linker.link(mention["text"]))
        total.wanted += len(wanted)
        total.found += len(found)
        total.right += len(wanted & found)
        if wanted != found:
            total.wrong.append((mention["text"], sorted(wanted - found), sorted(found - wanted)))
    return total
