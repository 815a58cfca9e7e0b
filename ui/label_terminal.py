"""`shopkeeper label …`: its arguments, and what each form of it does. Light to import: the rest loads when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.texts import text

if TYPE_CHECKING:
    from customers.labels import LabelStore, LabelTask
    from customers.labels.sitting import Sitting
    from settings import Settings

FORMS = """\
shopkeeper label                        the tasks, and how far each is
shopkeeper label TASK --sample 100      draw a random sample to label
shopkeeper label TASK --by NAME         label it by hand
shopkeeper label TASK --llm             have the language model label it
shopkeeper label TASK --report          who labelled how much, and how far they agree
shopkeeper label TASK --export FILE     write the labels to train on, as CSV
shopkeeper label new TASK --unit review --labels good,bad    make a task of your own"""


class LabelUsage(ValueError):
    """The command asks for something that cannot be; one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `shopkeeper label`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = FORMS
    parser.add_argument("task", nargs="?", default="list", help="a label task, or `new`")
    parser.add_argument("name", nargs="?", help="for new: what to call the task")
    parser.add_argument("--sample", type=int, metavar="N", help="fill the sample up to so many")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--by", metavar="NAME", help="label by hand under this name")
    parser.add_argument("--llm", action="store_true", help="label with the language model")
    parser.add_argument("--limit", type=int, help="for --llm: at most so many now")
    parser.add_argument("--report", action="store_true", help="agreement of the labellers")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the labels to train on")
    parser.add_argument(
        "--who", action="append", default=[], metavar="NAME", help="for --export: only these labellers"
    )
    parser.add_argument(
        "--min-agreement",
        type=float,
        metavar="KAPPA",
        help="for --export: only models that agree so far with people",
    )
    parser.add_argument(
        "--unit", choices=("review", "inquiry", "search", "customer"), help="for new: of what"
    )
    parser.add_argument("--labels", help="for new: the labels, with commas between")
    parser.add_argument("--question", default="", help="for new: what is asked")
    parser.add_argument("--ordered", action="store_true", help="for new: the labels are steps of one scale")
    parser.add_argument("--language", choices=("en", "zh"), default=_of_terminal(), help="of what is shown")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(args: argparse.Namespace, settings: Settings, bar: Any) -> int:
    """Do what was asked for. bar: shows the progress of long work (`stage`, `step`). Raises LabelUsage."""
    from customers import labels

    if args.limit is not None and args.limit < 1:
        raise LabelUsage("--limit is a number from 1 on")
    if args.task == "new":
        return _new(args, settings.shop)
    if args.name:
        raise LabelUsage(
            f"`shopkeeper label {args.task}` takes no {args.name!r}; see `shopkeeper label --help`"
        )
    if not settings.shop.is_dir():
        raise LabelUsage(f"there is no shop {settings.shop}; bring data in first: `shopkeeper data SOURCE`")
    store = labels.LabelStore.of(settings.shop)
    if args.task == "list":
        return _list(settings.shop, store, args.language)
    task = labels.task(settings.shop, args.task)
    steps: list[Callable[[], None]] = []
    if args.sample is not None:
        steps.append(lambda: _sample(args, settings.shop, task))
    if args.llm:
        steps.append(lambda: _by_model(args, settings, task, store, bar))
    if args.by is not None:
        steps.append(lambda: by_hand(task, store, args.by, args.language, input))
    if args.export is not None:
        steps.append(lambda: _export(args, settings.shop, task))
    if args.report or args.json or not steps:
        steps.append(lambda: _report(args, task, store))
    for step in steps:
        step()
    return 0


def _new(args: argparse.Namespace, shop: Path) -> int:
    from customers import labels

    if not (args.name and args.unit and args.labels):
        raise LabelUsage(
            "a new task needs a name, --unit and --labels: shopkeeper label new TASK --unit review --labels good,bad"
        )
    split = args.labels.replace("，", ",").split(",")
    labels.create(shop, args.name, args.unit, split, question=args.question, ordered=args.ordered)
    print(f"{shop / 'label-tasks' / args.name}.yaml")
    _say(f"Refine it there if you like. Next: shopkeeper label {args.name} --sample 100 --shop {shop}")
    return 0


def _list(shop: Path, store: LabelStore, language: str) -> int:
    from customers import labels

    for task in labels.tasks(shop):
        done = {a.unit_id for a in store.annotations(task.name)}
        unit = text(f"label_unit_{task.unit}", language)
        print(
            f"{task.name:<20} {unit:<10} {len(done):>6}/{len(store.units(task.name)):<6} {task.title[language]}"
        )
    return 0


def _sample(args: argparse.Namespace, shop: Path, task: LabelTask) -> None:
    from customers import labels

    drawn = labels.draw(shop, task, args.sample, args.seed)
    _say(f"{drawn.added} drawn, {drawn.sample} in the sample; {drawn.left} more could be drawn")


def _by_model(
    args: argparse.Namespace, settings: Settings, task: LabelTask, store: LabelStore, bar: Any
) -> None:
    from agent.labelling import LLMLabeller
    from agent.llm import LLM
    from agent.prompts import default_prompts
    from agent.serving import connect

    units = _drawn(task, store)
    endpoint = connect(settings, _say)
    llm = LLM(endpoint)
    try:
        labeller = LLMLabeller.at(task, endpoint, llm, default_prompts())
        with bar:
            bar.stage(f"label with {labeller.labeller.name}")
            done = labeller.run(store, units, limit=args.limit, on_step=bar.step)
    finally:
        llm.close()
        endpoint.close()
    _say(
        f"{labeller.labeller.name}: {done.labelled} labelled, {done.unreadable} answers unreadable, "
        f"{done.before} labelled before, of {len(units)}"
    )


def _drawn(task: LabelTask, store: LabelStore) -> list[Any]:
    units = store.units(task.name)
    if not units:
        raise LabelUsage(f"nothing is drawn for {task.name} yet: shopkeeper label {task.name} --sample 100")
    return units


def by_hand(task: LabelTask, store: LabelStore, name: str, language: str, ask: Callable[[str], str]) -> None:
    """Label in the terminal until nothing is left or the person quits. ask: shows a prompt and reads a line."""
    from customers.errors import Unknown
    from customers.labels import KEYS, person
    from customers.labels.sitting import Sitting

    _drawn(task, store)
    sitting = Sitting(task, person(name))
    keys = dict(zip(KEYS, task.keys, strict=False))
    _print_labels(task, language)
    while (unit := sitting.unit(store)) is not None:
        _print_unit(unit, sitting, store, language)
        try:
            typed = ask("> ").strip().lower()
        except EOFError:
            typed = "q"
        try:
            if typed == "q":
                break
            if typed == "s":
                sitting.skip(store)
            elif typed == "b":
                sitting.back()
            elif typed in keys:
                sitting.give(store, keys[typed])
            else:
                print(text("label_unknown_key", language, keys=" ".join([*keys, "s", "b", "q"])))
        except Unknown:
            print(text("label_gone", language))
    _print_end(sitting, store, language)


def _print_labels(task: LabelTask, language: str) -> None:
    from customers.labels import KEYS

    print(f"{task.title[language]} – {task.question[language]}")
    for key, label in zip(KEYS, task.labels, strict=False):
        print(f"  {key}  {label.name[language]}  {label.description[language]}".rstrip())
    print(text("label_keys_terminal", language))


def _print_unit(unit: Any, sitting: Sitting, store: LabelStore, language: str) -> None:
    from customers.labels import KEYS
    from customers.stores.notes import clean

    task, given = sitting.task, sitting.given(store)
    print(f"\n[{len(given) + (unit.unit_id not in given)}/{len(store.units(task.name))}]")
    if unit.context:
        print(text("label_about", language, context=clean(unit.context)))
    for line in unit.text.splitlines():
        print(f"  {clean(line)}")  # without control characters: a text may not drive the terminal
    if unit.unit_id in given and given[unit.unit_id] in task.keys:
        print(text("label_said", language, label=task.label(given[unit.unit_id]).name[language]))
    print(" · ".join(f"{k} {one.name[language]}" for k, one in zip(KEYS, task.labels, strict=False)))


def _print_end(sitting: Sitting, store: LabelStore, language: str) -> None:
    given, every = sitting.given(store), len(store.units(sitting.task.name))
    print()
    print(text("label_progress", language, done=len(given), all=every, who=sitting.who.name))
    if sitting.at is None:
        skipped = len(sitting.skipped - given.keys())
        print(text("label_done_skipped" if skipped else "label_done", language, n=skipped))


def _export(args: argparse.Namespace, shop: Path, task: LabelTask) -> None:
    from customers import labels

    rows = labels.training_set(shop, task, who=args.who, min_agreement=args.min_agreement)
    if not rows:
        raise LabelUsage(f"{task.name} has no labels to write; label some first, or ask for less agreement")
    labels.export_csv(rows, args.export)
    people = sum(row.kind == "human" for row in rows)
    _say(f"{args.export}: {len(rows)} labels, {people} by people, {len(rows) - people} by models")


def _report(args: argparse.Namespace, task: LabelTask, store: LabelStore) -> None:
    from customers import labels

    found = labels.report(
        task, len(store.units(task.name)), store.annotations(task.name), store.failures(task.name)
    )
    if args.json:
        print(json.dumps(found.to_dict(), ensure_ascii=False))
        return
    print("\n".join(report_lines(task, found, args.language)))


def report_lines(task: LabelTask, found: Any, language: str) -> list[str]:
    """Return a report for a terminal."""
    from ui.label_cards import agreement_lines

    lines = [f"{task.title[language]} ({found.sample})"]
    for one in found.labellers:
        counts = ", ".join(f"{task.label(k).name[language]} {n}" for k, n in one.counts.items() if n)
        unreadable = f" · {text('label_unreadable', language)} {one.unreadable}" if one.unreadable else ""
        lines.append(f"  {one.labeller.words}: {one.units}  {counts}{unreadable}")
    if not found.labellers:
        lines.append(f"  {text('label_nobody', language)}")
    for pair in found.agreements:
        names = {"one": pair.one.words, "other": pair.other.words}
        lines += ["", text("label_pair", language, **names)]
        lines += [f"  {line}" for line in agreement_lines(task, pair, language)]
        lines += [f"  {text('label_confusion', language, **names)}"]
        width = max(len(key) for key in task.keys) + 2
        lines.append("  " + "".join(f"{key:>{width}}" for key in ("", *task.keys)))
        for key, row in zip(task.keys, pair.confusion, strict=True):
            lines.append("  " + f"{key:>{width}}" + "".join(f"{n or '.':>{width}}" for n in row))
    if found.labellers and not found.agreements:
        lines += ["", text("label_alone", language, task=task.name)]
    return lines


def _of_terminal() -> str:
    spoken = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    return "zh" if spoken.lower().startswith("zh") else "en"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
