"""The Label tab: people label a sample of the shop's texts, and see how far labellers agree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from customers import labels
from customers.errors import CustomersError, Unknown
from customers.labels.sample import MOST, NothingToLabel
from customers.labels.sitting import Sitting
from ui import label_cards
from ui.texts import text

_SIZE = 100
_MOST_NAME = 60


class LabelTab:
    """What the tab shows of one shop. Call `layout` inside its gr.Tab, and `wire` after it.

    shop_dir: the shop's directory, None where the page has none.
    """

    def __init__(self, shop_dir: Path | None) -> None:
        self.shop_dir = shop_dir
        self.store = labels.LabelStore.of(shop_dir) if shop_dir else None

    # layout ----------------------------------------------------------------------------------
    def layout(self) -> None:
        """Lay out the tab."""
        self.sitting = gr.State(None)
        # The unit that the browser shows: a second press on an old picture labels nothing.
        self.looking_at = gr.Textbox(visible=False)
        with gr.Row(elem_id="label-head"):
            self.task = gr.Dropdown([], value=None, label=text("label_task", "en"), elem_id="label-task")
            self.name = gr.Textbox(
                label=text("label_name", "en"),
                info=text("label_name_hint", "en"),
                max_length=_MOST_NAME,
                elem_id="label-name",
            )
        self.progress = gr.HTML(elem_id="label-progress")
        self.card = gr.HTML(elem_id="label-card")
        with gr.Row(elem_id="label-choices"):
            self.choices = [
                gr.Button("", visible=False, elem_id=f"label-key-{key}", elem_classes="label-choice")
                for key in labels.KEYS
            ]
        with gr.Row(elem_id="label-moves"):
            self.back = gr.Button(text("label_back", "en"), visible=False, size="sm", elem_id="label-key-b")
            self.skip = gr.Button(text("label_skip", "en"), visible=False, size="sm", elem_id="label-key-s")
        self.meanings = gr.HTML(elem_id="label-meanings")
        with gr.Row(elem_id="label-sample"):
            self.size = gr.Number(
                _SIZE, label=text("label_size", "en"), precision=0, minimum=1, maximum=MOST, visible=False
            )
            self.draw = gr.Button(
                text("label_draw", "en"), visible=False, variant="primary", elem_id="label-draw"
            )
        self.report = gr.HTML(elem_id="label-report")

    def wire(self, tab: gr.Tab, language: gr.Radio, closed: dict[str, Any]) -> None:
        """Connect what is used with what happens. closed: how this page's handlers are registered."""
        views = self._views()
        # One after the other, in the order they were used: a late answer to an earlier one would show the past.
        closed = {"concurrency_id": "label", "concurrency_limit": 1, **closed}
        chosen = [self.task, self.name, self.sitting, language]
        acted = [self.sitting, self.looking_at, self.task, self.name, language]
        anew = [tab.select, language.input, self.task.input, self.name.submit, self.name.blur]
        # What is chosen last counts, also where it is chosen while the one before is under way.
        gr.on(anew, self.open, chosen, views, trigger_mode="always_last", **closed)
        for place, button in enumerate(self.choices):
            button.click(self._acts(partial(_give, place)), acted, views, **closed)
        self.back.click(self._acts(_back), acted, views, **closed)
        self.skip.click(self._acts(_skip), acted, views, **closed)
        self.draw.click(self.draw_sample, [self.size, *chosen], views, **closed)

    def _views(self) -> list[Any]:
        return [
            self.sitting, self.looking_at, self.task, self.name, self.progress, self.card, *self.choices,
            self.back, self.skip, self.meanings, self.size, self.draw, self.report,
        ]  # fmt: skip

    # what happens ----------------------------------------------------------------------------
    def open(
        self, task: str | None, name: str | None, sitting: Sitting | None, language: str
    ) -> dict[Any, Any]:
        """Show a task to a person, going on where they were."""
        if self.shop_dir is None:
            return self._bare(language) | {self.card: label_cards.notice(text("label_no_shop", language))}
        try:
            known = labels.tasks(self.shop_dir)
            found = next((one for one in known if one.name == task), known[0])
            choices = gr.update(
                choices=[(one.title[language], one.name) for one in known],
                value=found.name,
                label=text("label_task", language),
            )
            who = labels.person(name) if name and name.strip() else None
            if who is None:
                sitting = None
            elif sitting is None or (sitting.task, sitting.who) != (found, who):
                sitting = Sitting(found, who)
            return self._shown(found, sitting, language) | {self.task: choices}
        except CustomersError as error:
            return self._bare(language) | {self.card: label_cards.notice(str(error))}

    def draw_sample(
        self, size: float | None, task: str | None, name: str | None, sitting: Sitting | None, language: str
    ) -> dict[Any, Any]:
        """Draw `size` more units for the task and show the first."""
        if self.shop_dir is None or self.store is None:
            return self.open(task, name, sitting, language)
        found, why, none_left = None, "", False
        try:
            found = labels.task(self.shop_dir, task or "")
            have = len(self.store.units(found.name))
            none_left = not labels.draw(self.shop_dir, found, have + int(size or _SIZE)).added
        except NothingToLabel:
            why = _none_of(found.unit, language) if found else ""
        except CustomersError as error:
            why = str(error)
        shown = self.open(task, name, sitting, language)
        if none_left:
            return shown | {
                self.card: label_cards.notice(text("label_all_drawn", language)) + shown[self.card]
            }
        return shown | {self.card: label_cards.notice(why)} if why else shown

    def _acts(self, act: Callable[[Sitting, labels.LabelStore], None]) -> Callable[..., dict[Any, Any]]:
        """A handler that acts on the unit that the browser shows, and shows the next one."""

        def acts(
            sitting: Sitting | None, looking_at: str, task: str | None, name: str | None, language: str
        ) -> dict[Any, Any]:
            if sitting is None or self.store is None:
                return self.open(task, name, sitting, language)
            gone = ""
            try:
                if (sitting.at or "") == looking_at:
                    act(sitting, self.store)
            except Unknown:
                gone = text("label_gone", language)
            except CustomersError as error:
                return {self.card: label_cards.notice(str(error))}
            shown = self._shown(sitting.task, sitting, language)
            return shown | {self.card: label_cards.notice(gone) + shown[self.card]} if gone else shown

        return acts

    # what is shown ---------------------------------------------------------------------------
    def _shown(self, task: labels.LabelTask, sitting: Sitting | None, language: str) -> dict[Any, Any]:
        assert self.store is not None
        units = self.store.units(task.name)
        found = labels.report(
            task, len(units), self.store.annotations(task.name), self.store.failures(task.name)
        )
        told: dict[Any, Any] = self._bare(language) | {
            self.report: label_cards.report(task, found, language) if units else "",
            self.size: gr.update(visible=True, label=text("label_size", language)),
            self.draw: gr.update(
                visible=True,
                value=text("label_more" if units else "label_draw", language),
                variant="secondary" if units else "primary",
            ),
        }
        if not units:
            return told | {self.card: label_cards.notice(text("label_no_sample", language))}
        if sitting is None:
            return told | {self.card: label_cards.notice(text("label_name_first", language))}
        return told | self._at(task, sitting, len(units), language)

    def _at(self, task: labels.LabelTask, sitting: Sitting, every: int, language: str) -> dict[Any, Any]:
        """The unit at hand with its buttons, or that nothing is left."""
        assert self.store is not None
        unit, given = sitting.unit(self.store), sitting.given(self.store)
        told: dict[Any, Any] = {
            self.sitting: sitting,
            self.progress: label_cards.progress(len(given), every, sitting.who.name, language),
            self.back: gr.update(visible=bool(sitting.trail), value=text("label_back", language)),
        }
        if unit is None:
            skipped = len(sitting.skipped - given.keys())
            key = "label_done_skipped" if skipped else "label_done"
            return told | {self.card: label_cards.notice(text(key, language, n=skipped))}
        keyed = zip(self.choices, labels.KEYS, task.labels, strict=False)
        return told | {
            self.looking_at: unit.unit_id,
            self.card: label_cards.unit_card(task, unit, language, given.get(unit.unit_id, "")),
            **{b: gr.update(value=f"{key} · {one.name[language]}", visible=True) for b, key, one in keyed},
            self.skip: gr.update(visible=True, value=text("label_skip", language)),
            self.meanings: label_cards.meanings(task, language),
        }

    def _bare(self, language: str) -> dict[Any, Any]:
        """Everything that depends on a unit or a task put away."""
        hidden = gr.update(visible=False)
        return {
            self.sitting: None,
            self.looking_at: "",
            self.name: gr.update(label=text("label_name", language), info=text("label_name_hint", language)),
            self.progress: "",
            self.card: "",
            **dict.fromkeys([*self.choices, self.back, self.skip, self.size, self.draw], hidden),
            self.meanings: "",
            self.report: "",
        }


def shop_dir_of(shop: Any) -> Path | None:
    """Return a shop's directory, None where it names no version directory."""
    version = getattr(shop, "version", None)
    return Path(version).parents[1] if version is not None else None


def _none_of(unit: str, language: str) -> str:
    if unit == "customer":
        return text("label_none_customer", language)
    return text("label_none_text", language, unit=text(f"label_unit_{unit}", language), kind=unit)


def _give(place: int, sitting: Sitting, store: labels.LabelStore) -> None:
    sitting.give(store, sitting.task.keys[place])


def _back(sitting: Sitting, store: labels.LabelStore) -> None:
    sitting.back()


def _skip(sitting: Sitting, store: labels.LabelStore) -> None:
    sitting.skip(store)
