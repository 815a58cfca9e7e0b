"""The deep models on a GPU, timed: `python -m customers.deep.gpu_check OUT --data FOLDER`.

`--prepare` writes FOLDER on a machine that has the shops; the machine with the GPU needs torch, transformers,
peft, safetensors, tensorboard, scikit-learn and pandas, and no network. Every result is printed as one JSON line
and kept in OUT/gpu.json; parts that would begin after `--seconds` are left out and named.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from customers.deep.extra import encoder_folder, require
from customers.deep.plain import Outcome, PlainPreferences
from customers.deep.wordings import Labelled, from_csv, simulated
from customers.errors import CustomersError

TEXTS = ("inquiries", "reviews", "reviews_en")


def main(argv: list[str] | None = None) -> int:
    """Prepare the data, or run the check."""
    parser = argparse.ArgumentParser(prog="python -m customers.deep.gpu_check", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the results")
    parser.add_argument("--data", type=Path, required=True, help="folder that --prepare wrote")
    parser.add_argument(
        "--prepare", nargs="*", type=Path, metavar="SHOP", help="write --data from these shops"
    )
    parser.add_argument(
        "--reviews", type=Path, metavar="CSV", help="with --prepare: real English reviews with stars"
    )
    parser.add_argument("--seconds", type=float, default=230.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--only", default="", metavar="PART", help="parts whose name begins so, comma-separated"
    )
    parser.add_argument("--seeds", type=int, default=2, help="runs of each text model")
    parser.add_argument("--epochs", type=int, help="at most so many (default: each recipe's own)")
    args = parser.parse_args(argv)
    try:
        if args.prepare is not None:
            prepare(args.data, args.prepare, args.reviews)
            return 0
        return check(args)
    except CustomersError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return 2


def prepare(folder: Path, shops: list[Path], reviews: Path | None) -> None:
    """Write sequences and plain-feature bars of shops, labelled texts with their bars, and the encoder in bf16."""
    from customers.deep import plain
    from customers.deep.sequences import read_sequences

    folder.mkdir(parents=True, exist_ok=True)
    for shop in shops:
        bar = plain.preferences(shop / "store" / "shop.duckdb")
        read_sequences(shop / "store" / "shop.duckdb", bar.categories).save(folder / f"{shop.name}.npz")
        _save_bar(bar, folder / f"{shop.name}.bar.npz")
    for seed in range(3):
        sets = {task: simulated(task, "en", seed=seed) for task in ("inquiries", "reviews")}
        if reviews is not None:
            sets["reviews_en"] = from_csv(reviews, seed)
        for name, found in sets.items():
            held = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(found).items()}
            held["plain"] = plain.words(found).figures()
            (folder / f"{name}-{seed}.json").write_text(json.dumps(held), encoding="utf-8")
    _half_encoder(encoder_folder(), folder / "encoder")


def _half_encoder(source: Path, target: Path) -> None:
    """Copy the pretrained encoder with its weights in bf16: half the bytes."""
    import torch
    from safetensors.torch import load_file, save_file

    target.mkdir(exist_ok=True)
    for name in (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.txt",
    ):
        shutil.copyfile(source / name, target / name)
    weights = {
        n: w.to(torch.bfloat16) if w.is_floating_point() else w
        for n, w in load_file(source / "model.safetensors").items()
    }
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})


def _save_bar(bar: PlainPreferences, path: Path) -> None:
    columns: dict[str, Any] = {"categories": np.array(bar.categories)}
    for name in ("test", "earlier"):
        found: Outcome = getattr(bar, name)
        columns[f"{name}_cut"] = np.array(found.cut.isoformat())
        columns[f"{name}_customers"] = np.array(found.customers)
        columns[f"{name}_truth"] = found.truth.astype(np.int8)
        columns[f"{name}_probability"] = found.probability.astype(np.float32)
    np.savez_compressed(path, **columns)


def load_bar(path: Path) -> PlainPreferences:
    """Read the plain-feature bar that `prepare` wrote."""
    with np.load(path, allow_pickle=False) as data:
        found = [
            Outcome(
                date.fromisoformat(str(data[f"{n}_cut"])), data[f"{n}_customers"].tolist(),
                data[f"{n}_truth"].astype(float), data[f"{n}_probability"].astype(float),
            )
            for n in ("test", "earlier")
        ]  # fmt: skip
        return PlainPreferences(data["categories"].tolist(), *found)


def load_labelled(path: Path) -> tuple[Labelled, dict[str, float]]:
    """Read texts that `prepare` wrote, and the figures of the plain-feature model on their test rows."""
    held = json.loads(path.read_text(encoding="utf-8"))
    bar = held.pop("plain")
    arrays = {n: np.array(held[n], dtype=np.int64) for n in ("label", "train", "dev", "test")}
    return Labelled(**(held | arrays)), bar


def check(args: argparse.Namespace) -> int:
    """Run every part that there is time for."""
    require(("torch", "transformers", "peft", "safetensors", "tensorboard"))
    begun, kept = time.perf_counter(), []
    args.out.mkdir(parents=True, exist_ok=True)
    first = os.environ.get("RANK", "0") == "0"
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() and args.device != "cpu" else "cpu"
    if first:
        print(
            json.dumps(
                {"device": device, "torch": torch.__version__, "processes": os.environ.get("WORLD_SIZE", "1")}
            )
        )
    for name, part in _parts(args):
        if args.only and not any(name.startswith(start) for start in args.only.split(",")):
            continue
        spent = time.perf_counter() - begun
        if spent > args.seconds:
            result: dict[str, Any] = {"part": name, "left_out": f"after {spent:.0f} s"}
        else:
            result = {"part": name, "device": device, **part()}
        kept.append(result)
        if first:
            print(json.dumps(result), flush=True)
            (args.out / "gpu.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


def _parts(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Parts by name, the most telling first."""
    from functools import partial

    shops = sorted(p.name.removesuffix(".bar.npz") for p in args.data.glob("*.bar.npz"))
    for shop in shops:
        yield f"behaviour {shop}", partial(_preference, args, shop, "behaviour", True)
        yield f"conv {shop}", partial(_preference, args, shop, "conv", False)
    for task in TEXTS:
        if (args.data / f"{task}-0.json").is_file():
            for variant in ("full", "lora", "adalora", "adapter", "ia3", "prefix", "frozen", "gru"):
                yield f"{task} {variant}", partial(_text, args, task, variant)
    for shop in shops:
        yield f"scratch {shop}", partial(_preference, args, shop, "behaviour", False)
        for pretrained in (True, False):
            name = "tenth pretrained" if pretrained else "tenth scratch"
            yield f"{name} {shop}", partial(_preference, args, shop, "behaviour", pretrained, 0.1)


def _preference(
    args: argparse.Namespace, shop: str, kind: Any, pretrained: bool, labelled: float = 1.0
) -> dict[str, Any]:
    from customers.deep import preference
    from customers.deep.command import compared
    from customers.deep.sequences import Sequences
    from customers.profiles.quality import quality

    held, bar = Sequences.load(args.data / f"{shop}.npz"), load_bar(args.data / f"{shop}.bar.npz")
    data = preference.rows(kind, held, bar.test.cut, labelled=labelled)
    model = preference.build(kind, held)
    before, folder = 0.0, args.out / f"run-{shop}-{kind}-{pretrained}-{labelled}"
    shutil.rmtree(folder, ignore_errors=True)
    if pretrained:
        recipe = replace(preference.PRETRAINING, device=args.device)
        recipe = preference.with_epochs(recipe, args.epochs)
        before = preference.pretrain(model, held, data, recipe, folder / "before").seconds
    recipe = replace(preference.RECIPES[kind], device=args.device)
    history = preference.train(kind, model, data, preference.with_epochs(recipe, args.epochs), folder)
    found = compared(held, data, bar, model)
    gain = preference.paired_gain(found["truth"], found["both"], found["plain"], 50)
    scored = {
        name: preference.figures(quality(found["truth"], found[name])) for name in ("deep", "plain", "both")
    }
    return {
        **scored, "gain_pr_auc_of_both": [round(value, 4) for value in gain],
        "pretraining_seconds": round(before, 1), "seconds": round(history.seconds, 1), "weights": history.trained,
        "epochs": len(history.dev_loss), "rows": len(data.train["target"]),
    }  # fmt: skip


def _text(args: argparse.Namespace, task: str, model_name: Any) -> dict[str, Any]:
    from customers.deep import compress, reading

    encoder = None if model_name == "gru" else args.data / "encoder"
    variant: Any = "full" if encoder is None else model_name
    figures, bars, seconds, trained, size, smaller = [], [], 0.0, 0, 0, {}
    for seed in range(min(args.seeds, 3)):
        found, bar = load_labelled(args.data / f"{task}-{seed}.json")
        data = reading.rows(found, encoder)
        model = reading.build(len(found.classes), encoder, variant, seed, data.train["target"])
        base = reading.GRU if encoder is None else reading.RECIPES[variant]
        recipe = replace(base, device=args.device, seed=seed)
        recipe = replace(recipe, epochs=min(recipe.epochs, args.epochs or recipe.epochs))
        folder = args.out / f"run-{task}-{model_name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        history = reading.train(model, data, recipe, folder)
        figures.append(reading.tested(model, data).figures())
        bars.append(bar)
        seconds, trained = seconds + history.seconds, history.trained
        size = (folder / "best.safetensors").stat().st_size
        if seed == 0 and model_name in ("full", "lora", "gru"):
            smaller["int8"] = {
                "bytes": compress.size(compress.int8(model)),
                **reading.tested(compress.int8(model), data).figures(),
            }
            smaller["whole_bytes"] = compress.size(compress.merged(model))
            for share in (0.3, 0.5, 0.7):
                smaller[f"pruned_{share:g}"] = reading.tested(compress.pruned(model, share), data).figures()
    return {
        "mean": _mean(figures), "plain": _mean(bars), "runs": figures, "weights": trained, "saved_bytes": size,
        "seconds_a_run": round(seconds / len(figures), 1), **({"smaller": smaller} if smaller else {}),
    }  # fmt: skip


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


if __name__ == "__main__":
    sys.exit(main())
