"""One person labelling one task: which unit is next, back, skip. The same on the page and in a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field

from customers.labels.store import LabelStore
from customers.labels.values import Labeller, LabelTask, Unit


@dataclass
class Sitting:
    """Where a person is. Holds ids only; units and labels are read anew, so several sittings do not disturb each
    other. `at`: the unit shown, None when nothing is left. `trail`: those shown before it, the latest last."""

    task: LabelTask
    who: Labeller
    at: str | None = None
    trail: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)

    def given(self, store: LabelStore) -> dict[str, str]:
        """This person's labels so far, by unit."""
        mine = (self.who.kind, self.who.name)
        return {
            a.unit_id: a.label
            for a in store.annotations(self.task.name)
            if (a.labeller.kind, a.labeller.name) == mine
        }

    def unit(self, store: LabelStore) -> Unit | None:
        """Return the unit to show, moving on where there is none yet or it was erased."""
        units = {u.unit_id: u for u in store.units(self.task.name)}
        if self.at not in units:
            done = self.given(store).keys()
            self.at = next((u for u in units if u not in done and u not in self.skipped), None)
        return units[self.at] if self.at is not None else None

    def give(self, store: LabelStore, key: str) -> None:
        """Label the unit shown and go on. Raises ValueError for a label that the task does not have."""
        if self.at is None:
            return
        if key not in self.task.keys:
            raise ValueError(f"{self.task.name} has no label {key!r}")
        store.put(self.task.name, self.at, key, self.who)
        self._leave(store)

    def skip(self, store: LabelStore) -> None:
        """Leave the unit shown for another time."""
        if self.at is not None:
            self.skipped.add(self.at)
            self._leave(store)

    def back(self) -> None:
        """Return to the unit shown before, to label it again; nothing happens at the first."""
        if self.trail:
            self.at = self.trail.pop()
            self.skipped.discard(self.at)

    def _leave(self, store: LabelStore) -> None:
        if self.at is not None:
            self.trail.append(self.at)
        self.at = None
        self.unit(store)
