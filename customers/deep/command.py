"""`shopkeeper train`: train a deep model on the shop, beside the plain-feature model on the same rows."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from customers.deep.extra import encoder_folder, require
from customers.deep.recipe import Recipe
from customers.errors import BadInput

Say = Callable[[str], None]
NAMES = ("conv", "behaviour", "gru", "text")
STORE = Path("store") / "shop.duckdb"
_SHOWN = {
    "test": "this model",
    "plain": "plain features",
    "both": "both together",
    "counts": "counts of every kind of event",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `shopkeeper train`."""
    parser.add_argument(
        "name", choices=NAMES,
        help="conv (convolution) and behaviour (transformer) foresee purchases, gru and text read texts",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, help="folder of the model (default: deep/NAME of the shop); goes on there"
    )
    parser.add_argument("--epochs", type=int, help="at most so many passes over the data")
    parser.add_argument(
        "--trials", type=int, default=0, metavar="N", help="try N recipes first, and take the best"
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="start anew instead of going on")
    parser.add_argument(
        "--no-pretraining", action="store_true", help="behaviour: without unlabelled sequences"
    )
    parser.add_argument(
        "--variant", default="lora", help="text: full, frozen, lora, adalora, ia3, adapter or prefix"
    )
    parser.add_argument("--encoder", type=Path, help="text: folder of a pretrained encoder (Hugging Face)")
    parser.add_argument(
        "--texts", default="shop", metavar="WHAT",
        help="gru, text: the shop's reviews (shop), a CSV file, reviews or inquiries (the simulator's wordings)",
    )  # fmt: skip
    parser.add_argument("--language", choices=("en", "zh"), help="gru, text: only texts in it")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, shop: Path, say: Say) -> int:
    """Train, measure, save, print."""
    require()
    out = args.out or shop / "deep" / args.name
    if args.again and (out / "last.safetensors").is_file():
        shutil.rmtree(out)
    first = os.environ.get("RANK", "0") == "0"
    told = say if first else (lambda _: None)
    about = (_behaviour if args.name in ("conv", "behaviour") else _text)(args, shop, out, told)
    if not first:
        return 0
    from customers.deep import saved

    saved.describe(out, about)
    print(json.dumps(about, ensure_ascii=False) if args.json else render(about))
    say(f"Saved in {out}; curves: tensorboard --logdir {out}")
    return 0


def render(about: dict[str, Any]) -> str:
    """A trained model and its bar, as a table for people."""
    names = list(about["test"])
    lines = [
        f"{about['name']}: {about['trained']:,} weights, {about['seconds']:.0f} s, best after epoch {about['best_epoch']}"
    ]
    lines += ["", "| held out | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, shown in _SHOWN.items():
        if label in about:
            lines.append(
                f"| {shown} | " + " | ".join(f"{about[label].get(n, float('nan')):.4f}" for n in names) + " |"
            )
    if "report" in about:
        lines += ["", about["report"]]
    return "\n".join(lines)


def _recipe(
    args: argparse.Namespace, base: Recipe, dev_loss: Callable[[Recipe, Path], float], out: Path, say: Say
) -> Recipe:
    base = replace(
        base, device=args.device, seed=args.seed, epochs=base.epochs if args.epochs is None else args.epochs
    )
    if not args.trials:
        return base
    from customers.deep.search import search

    folder = out / "trials"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return search(dev_loss, base, args.trials, folder, say)


def _behaviour(args: argparse.Namespace, shop: Path, out: Path, say: Say) -> dict[str, Any]:
    from customers.deep import plain, preference
    from customers.deep.sequences import bought_after, read_sequences
    from customers.profiles.quality import quality

    store = shop / STORE
    say("Plain features")
    bar = plain.preferences(store)
    held = read_sequences(store, bar.categories)
    data = preference.rows(args.name, held, bar.test.cut, args.seed)

    def dev_loss(recipe: Recipe, folder: Path) -> float:
        return min(
            preference.train(
                args.name, preference.build(args.name, held, args.seed), data, recipe, folder
            ).dev_loss
        )

    recipe = _recipe(args, preference.RECIPES[args.name], dev_loss, out, say)
    model = preference.build(args.name, held, args.seed)
    if args.name == "behaviour" and not args.no_pretraining:
        say("Pretraining on sequences without labels")
        before = replace(preference.PRETRAINING, device=args.device, seed=args.seed)
        preference.pretrain(model, held, data, before, out / "pretraining", say)
    history = preference.train(args.name, model, data, recipe, out, say)
    say("Counts of every kind of event, without depth")
    flat = plain.counts(held, data.train_at, (data.test_who, data.cut))
    aligned = compared(held, data, bar, model) | {
        "counts": flat[_shared(held, data.test_who, bar.test.customers)[0]]
    }
    return {
        "name": args.name, "categories": held.categories, "kinds": held.kinds, "cut": str(bar.test.cut),
        "test": preference.figures(quality(aligned["truth"], aligned["deep"])),
        "plain": preference.figures(quality(aligned["truth"], aligned["plain"])),
        "both": preference.figures(quality(aligned["truth"], aligned["both"])),
        "counts": preference.figures(quality(aligned["truth"], aligned["counts"])),
        **_history(history), "recipe": recipe.signature(), "rows": int(bought_after(held, data.test_who, data.cut).shape[0]),
    }  # fmt: skip


def compared(held: Any, data: Any, bar: Any, model: Any) -> dict[str, Any]:
    """Truth and the probabilities of the deep model, the plain one and both together (weighed on the dev
    customers' 30 days before the test cut), of the customers that both know; each (customers, categories)."""
    import numpy as np

    from customers.deep import preference

    deep_test = preference.probability(model, data.test)
    deep_then = preference.probability(model, data.latest_dev)
    test = _shared(held, data.test_who, bar.test.customers)
    then = _shared(held, data.dev_who, bar.earlier.customers)
    if data.cut - timedelta(days=30) != bar.earlier.cut or not np.any(bar.earlier.truth[then[1]]):
        raise BadInput("the data covers too few days to weigh both models; half a year is needed")
    both = preference.stacked(
        bar.earlier.probability[then[1]], deep_then[then[0]], bar.earlier.truth[then[1]],
        bar.test.probability[test[1]], deep_test[test[0]],
    )  # fmt: skip
    return {
        "truth": bar.test.truth[test[1]], "deep": deep_test[test[0]], "plain": bar.test.probability[test[1]], "both": both,
    }  # fmt: skip


def _shared(held: Any, who: Any, customers: list[str]) -> tuple[list[int], list[int]]:
    """Rows in `who` and in `customers` of those who are in both."""
    row = {key: n for n, key in enumerate(customers)}
    pairs = [(n, row[held.customers[i]]) for n, i in enumerate(who) if held.customers[i] in row]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _text(args: argparse.Namespace, shop: Path, out: Path, say: Say) -> dict[str, Any]:
    from customers.deep import plain, reading, text

    if args.variant not in text.VARIANTS:
        raise BadInput(f"{args.variant!r} is no variant; use {', '.join(text.VARIANTS)}")
    folder = None if args.name == "gru" else encoder_folder(args.encoder)
    found = labelled(args, shop)
    data = reading.rows(found, folder)
    base = reading.GRU if folder is None else reading.RECIPES[args.variant]

    def made() -> Any:
        return reading.build(len(found.classes), folder, args.variant, args.seed, data.train["target"])

    def dev_loss(recipe: Recipe, to: Path) -> float:
        return min(reading.train(made(), data, recipe, to).dev_loss)

    recipe = _recipe(args, base, dev_loss, out, say)
    model = made()
    history = reading.train(model, data, recipe, out, say)
    result = reading.tested(model, data)
    return {
        "name": args.name, "variant": args.variant, "encoder": None if args.encoder is None else str(folder),
        "classes": found.classes, "texts": found.source, "rows": result.rows, "test": result.figures(),
        "plain": plain.words(found).figures(), "report": result.table, **_history(history), "recipe": recipe.signature(),
    }  # fmt: skip


def labelled(args: argparse.Namespace, shop: Path) -> Any:
    """The texts that the arguments name."""
    from customers.deep import wordings

    if args.texts == "shop":
        # The encoder of the extra reads English.
        language = args.language or ("en" if args.name == "text" and args.encoder is None else None)
        return wordings.shop_reviews(shop / STORE, language)
    if args.texts in wordings.TASKS:
        return wordings.simulated(args.texts, args.language or "en", seed=args.seed)
    return wordings.from_csv(Path(args.texts), args.seed)


def _history(history: Any) -> dict[str, Any]:
    shown = ("train_loss", "dev_loss", "best_epoch", "seconds", "stopped_early", "trained")
    return {name: getattr(history, name) for name in shown}
