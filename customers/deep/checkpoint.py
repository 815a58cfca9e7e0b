"""Weights on disk: one safetensors file, replaced whole, so that a killed run leaves the one before it."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from customers.errors import BadInput

Tensors = dict[str, torch.Tensor]


def own_weights(model: torch.nn.Module) -> Tensors:
    """A model's weights without those of the pretrained encoder that it left as they were."""
    left_out = getattr(model, "pretrained_names", frozenset())
    return {k: v.detach() for k, v in model.state_dict().items() if k not in left_out}


def put_back(model: torch.nn.Module, weights: Tensors) -> None:
    """Load what `own_weights` gave."""
    missing, unexpected = model.load_state_dict(weights, strict=False)
    wanted = set(missing) - getattr(model, "pretrained_names", frozenset())
    if wanted or unexpected:
        raise BadInput(
            f"the weights are of another model ({sorted(wanted | set(unexpected))[0]}); train it anew"
        )


def write(path: Path, tensors: Tensors, about: dict[str, Any]) -> None:
    """Write tensors with a JSON value beside them."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(flat, partial, metadata={"about": json.dumps(about)})
        os.replace(partial, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error}); choose another folder with --out") from error
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read what `write` wrote. Raises BadInput where the file is missing or damaged."""
    try:
        with safe_open(str(path), framework="pt") as opened:
            about = json.loads((opened.metadata() or {})["about"])
            return {name: opened.get_tensor(name) for name in list(opened.keys())}, about
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: no readable weights; remove the folder and train again") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """An optimiser's state as named tensors."""
    return {
        f"optimiser.{row}.{name}": value if torch.is_tensor(value) else torch.tensor(value)
        for row, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Load what `optimiser_tensors` gave."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, row, name = key.split(".", 2)
            state.setdefault(int(row), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
