"""Bench part "deep": the deep models beside the plain-feature ones, on the same rows and split.

"buys from the category within 30 days": trained before the last 30 days, scored on them; "both" weighs the two
models' log-odds on the dev customers' 30 days before. Inquiries and reviews: the simulator's wordings, none of
the test's wordings trained on. Nothing where the extra `deep` is not installed. Minutes on two cores.
`python -m eval.profiles.deep SHOP [--quick]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from customers.deep import extra
from customers.pipeline import STORE

PART = "deep"
Row = dict[str, Any]


def run(shop: Path, *, quick: bool = False) -> list[Row]:
    """Rows of a shop's folder, or of its store; `quick` trains for two epochs and only the recurrent reader."""
    if any(find_spec(name) is None for name in extra.NEEDED):
        return []
    extra.require()
    store = shop if shop.is_file() else shop / STORE
    with tempfile.TemporaryDirectory(prefix="shopkeeper-deep-") as scratch:
        return _purchases(store, Path(scratch), quick) + _texts(Path(scratch), quick)


def _purchases(store: Path, scratch: Path, quick: bool) -> list[Row]:
    from customers.deep import plain, preference
    from customers.deep.command import compared
    from customers.deep.sequences import bought_after, read_sequences
    from customers.profiles.quality import quality

    bar = plain.preferences(store)
    held = read_sequences(store, bar.categories)
    rows: list[Row] = []
    kinds: tuple[preference.Kind, ...] = ("conv", "behaviour")
    for kind in kinds:
        data = preference.rows(kind, held, bar.test.cut)
        model = preference.build(kind, held)
        seconds = 0.0
        if not rows:
            flat = plain.counts(held, data.train_at, (data.test_who, data.cut))
            truth = bought_after(held, data.test_who, data.cut).astype(float)
            figures = preference.figures(quality(truth, flat))
            rows.append({"part": PART, "model": "counts of every kind", "task": "next 30 days", **figures})
        if kind == "behaviour" and not quick:
            seconds = preference.pretrain(
                model, held, data, preference.PRETRAINING, scratch / "before"
            ).seconds
        recipe = preference.with_epochs(preference.RECIPES[kind], 2 if quick else None)
        seconds += preference.train(kind, model, data, recipe, scratch / kind).seconds
        found = compared(held, data, bar, model)
        names = {
            "deep": kind,
            "both": f"{kind} and plain",
            **({} if len(rows) > 1 else {"plain": "plain features"}),
        }
        for key, name in names.items():
            figures = preference.figures(quality(found["truth"], found[key]))
            rows.append({"part": PART, "model": name, "task": "next 30 days", **figures})
        rows[-len(names)]["seconds"] = round(seconds, 1)
    return rows


def _texts(scratch: Path, quick: bool) -> list[Row]:
    from customers.deep import plain, reading, text, wordings

    rows: list[Row] = []
    for task in wordings.TASKS:
        found = wordings.simulated(task)
        rows.append({"part": PART, "model": "plain features", "task": task, **plain.words(found).figures()})
        encoders: list[tuple[str, Path | None, text.Variant]] = [("gru", None, "full")]
        if not quick:
            pretrained = extra.encoder_folder()
            for variant in text.VARIANTS:
                encoders.append((variant, pretrained, variant))
        for name, encoder, variant in encoders:
            data = reading.rows(found, encoder)
            model = reading.build(len(found.classes), encoder, variant, target=data.train["target"])
            recipe = reading.GRU if encoder is None else reading.RECIPES[variant]
            history = reading.train(model, data, recipe, scratch / task / name)
            figures = reading.tested(model, data).figures()
            told = {"weights": history.trained, "seconds": round(history.seconds, 1)}
            rows.append({"part": PART, "model": name, "task": task, **figures, **told})
    return rows


def main() -> None:
    """Print the rows, one JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m eval.profiles.deep", description=__doc__)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    for row in run(args.shop, quick=args.quick):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
