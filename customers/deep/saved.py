"""A trained model's folder: best.safetensors with the weights, about.json with what it is and how good."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from customers.deep import checkpoint
from customers.deep.behaviour import BehaviourTransformer, SeriesConvolution
from customers.deep.extra import encoder_folder
from customers.deep.loop import BEST
from customers.deep.text import ReviewReader, TextClassifier
from customers.errors import BadInput

ABOUT = "about.json"


def describe(folder: Path, about: dict[str, Any]) -> None:
    """Write about.json; `about` needs "name" and what `load` builds the model from."""
    partial = folder / f"{ABOUT}.partial"
    partial.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, folder / ABOUT)


def load(folder: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The model of a folder, ready to be asked, and its about.json. Raises BadInput where it holds none."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        name = about["name"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder}: holds no trained model; make one with `shopkeeper train`") from error
    if name in ("conv", "behaviour"):
        made = SeriesConvolution if name == "conv" else BehaviourTransformer
        model: torch.nn.Module = made(len(about["categories"]), len(about["kinds"]))
    elif name == "gru":
        model = ReviewReader(len(about["classes"]))
    else:
        given = Path(about["encoder"]) if about.get("encoder") else None
        model = TextClassifier(encoder_folder(given), len(about["classes"]), about["variant"])
    checkpoint.put_back(model, checkpoint.read(folder / BEST)[0])
    return model.eval(), about
