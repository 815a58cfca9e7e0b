"""Says what a persona has to say, in its language: fills the templates by what has come out so far."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from eval.personas import templates
from eval.personas.judge import Standing
from eval.personas.needs import About, Goal, Need, Persona, Reply

_PART = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_SAYABLE = (About.CATEGORY, About.COUNT, About.NEW, About.PERIOD, About.GROUP, About.CAMPAIGN, About.NOTE)


class Voice:
    """The words of one persona in one trial; all chance comes from `chance`."""

    def __init__(self, persona: Persona, trial: int, chance: random.Random) -> None:
        self._persona, self._chance = persona, chance
        self._language = persona.language
        order = list(range(4))
        random.Random(f"{persona.id} {persona.seed}").shuffle(order)
        self._place, self._retold = order[trial % len(order)], 0

    def opening(self, goal: Goal, standing: Standing) -> str:
        """Return the goal as one message, with all that has come out of it; each of four trials begins it in
        another way."""
        return self._whole(goal, standing, self._place)

    def whole(self, goal: Goal, standing: Standing) -> str:
        """Return the goal once more in other words, with all that has come out by now, and that what was
        declined is not to come again."""
        self._retold += 1
        whole = self._whole(goal, standing, (self._place + self._retold) % 4)
        others = self.phrase("others") if goal.kind == "offers" and standing.declined else ""
        return self.join(self.phrase("again"), whole, others)

    def _whole(self, goal: Goal, standing: Standing, place: int) -> str:
        template = templates.OPENINGS[goal.task][self._language][place]
        slots = {"who": self._who(goal, standing)}
        for about in _SAYABLE:
            need = goal.need(about)
            if need is not None and about in standing.said:
                slots[about.value] = self._say(need) if about is About.NEW else self.value(need)
            elif about.value in templates.UNSAID:
                slots[about.value] = self._pick(templates.UNSAID[about.value])
        vague = goal.need(About.VAGUE)
        if vague is not None and About.CATEGORY not in standing.said:
            slots[About.VAGUE.value] = self.value(vague)
        return _tidy(fill(template, slots))

    def _who(self, goal: Goal, standing: Standing) -> str:
        need = goal.need(About.CUSTOMER)
        if need is not None and About.CUSTOMER in standing.said:
            return self.value(need)
        if self._persona.at_hand is not None:
            return self._pick(templates.AT_HAND)
        return self._pick(templates.UNSAID["who"])

    def says(self, needs: Sequence[Need]) -> str:
        """Return needs put in words, one sentence each."""
        return self._gap.join(self._say(need) for need in needs)

    def _say(self, need: Need) -> str:
        value = str(need.value) if need.about is About.CUSTOMER else self.value(need)
        said = self._pick(templates.SAYS[need.about.value]).format(value=value)
        return said[:1].upper() + said[1:]

    def value(self, need: Need) -> str:
        """Return a need's value as people say it."""
        chinese, value = self._language == "zh", need.value
        if need.about in (About.VAGUE, About.NOTE):
            return value[chinese]
        if need.about is About.PERIOD:
            year, month = str(value).split("-")
            return f"{year}年{int(month)}月" if chinese else f"in {_MONTHS[int(month) - 1]} {year}"
        if need.about is About.CUSTOMER:
            return f"{value}号顾客" if chinese else f"customer {value}"
        if need.about is About.CAMPAIGN:
            return f"活动{value}" if chinese else f"campaign {value}"
        if need.about is About.CATEGORY:
            return self._persona.facts.names[("category", value)][chinese].lower()
        if need.about is About.GROUP:
            name = self._persona.facts.names[("attribute_value", value)][chinese]
            return f"{name}的顾客" if chinese else f"customers {name[:1].lower()}{name[1:]}"
        return str(value)

    def reaction(
        self, reply: Reply, declined: Sequence[tuple[str, About]], standing: Standing, more: bool
    ) -> str:
        """Return what the persona makes of what a reply offered: what is declined, and why where that may be
        said, what is taken, and whether there is anything else."""
        items = {str(o["product_id"]): str(o["name"]) for o in reply.get("recommendations", ())}
        refused = [item for item, _ in declined]
        reason = self._reason({about for _, about in declined}, standing)
        parts = []
        if refused and len(refused) == len(items):
            parts.append(self.phrase("none", reason=reason))
        elif refused:
            parts.append(self.phrase("decline", these=self._these(refused, items), reason=reason))
        taken = [item for item in items if item in standing.accepted]
        if refused and taken and self._chance.random() < 0.5:
            parts.append(self.phrase("accept", these=self._these(taken, items)))
        if more:
            parts.append(self.phrase("more"))
        return _tidy(self._gap.join(parts))

    def _reason(self, abouts: set[About], standing: Standing) -> str:
        """A reason is given only where all that is declined fails one need that is said."""
        phrases = {About.NEW: "had", About.CATEGORY: "other"}
        (about, *others) = abouts or {About.AVOID}
        return (
            self.phrase(phrases[about]) if not others and about in phrases and about in standing.said else ""
        )

    def _these(self, refused: Sequence[str], items: Mapping[str, str]) -> str:
        """Items by their places or by their names; customers by their numbers."""
        chinese = self._language == "zh"
        places = [list(items).index(item) for item in refused if item in items]
        short = [_short(name) for name in items.values()]
        alike = len(set(short)) < len(short)
        if not places:
            named = [f"{item}号顾客" if chinese else f"customer {item}" for item in refused]
        elif max(places) < len(templates.ORDINALS) and (alike or self._chance.random() < 0.5):
            named = [
                f"第{templates.ORDINALS_ZH[p]}个" if chinese else f"the {templates.ORDINALS[p]}"
                for p in places
            ]
        else:
            named = [_short(items[item]) for item in refused]
        if chinese:
            return "、".join(named)
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)

    def phrase(self, name: str, **slots: str) -> str:
        """Return a fixed phrase in one of its ways."""
        return self._pick(templates.PHRASES[name]).format(**slots)

    def join(self, *parts: str) -> str:
        """Return sentences one after the other, empty ones left out."""
        return self._gap.join(part for part in parts if part)

    @property
    def _gap(self) -> str:
        return "" if self._language == "zh" else " "

    def _pick(self, ways: Mapping[str, Sequence[str]]) -> str:
        return self._chance.choice(ways[self._language])


def fill(template: str, slots: Mapping[str, str]) -> str:
    """Return a template with its slots filled; a [part] with a slot that is not given is left out. Raises
    KeyError where one outside of brackets is not given."""

    def part(found: re.Match[str]) -> str:
        return found[1] if all(slot in slots for slot in _SLOT.findall(found[1])) else ""

    return _PART.sub(part, template).format(**slots)


def _tidy(text: str) -> str:
    text = text.strip(" ,，")
    return text[:1].upper() + text[1:]


def _short(name: str) -> str:
    """A product's name as one would say it: without what stands in brackets or behind a comma."""
    return re.split(r"[,(（，]", name)[0].strip()[:40] or name[:40]
