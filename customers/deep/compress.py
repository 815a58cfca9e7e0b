"""Smaller models after training: int8 weights, and small weights set to zero."""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import io
import warnings

import torch
from torch import nn
from torch.nn.utils import prune

from customers.errors import BadInput


def merged(model: nn.Module) -> nn.Module:
    """A copy in which what PEFT put beside the encoder's matrices is added into them."""
    made = copy.deepcopy(model).cpu().eval()
    encoder = getattr(made, "encoder", None)
    if encoder is not None and hasattr(encoder, "merge_and_unload"):
        made.encoder = encoder.merge_and_unload()
    return made


def int8(model: nn.Module) -> nn.Module:
    """A copy whose linear (and recurrent) layers hold int8 weights and compute in int8, on the CPU (dynamic
    quantisation; Jacob et al. 2018). Raises BadInput where this torch has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.ao.quantization.quantize_dynamic(
                merged(model), {nn.Linear, nn.GRU}, dtype=torch.qint8
            )
        except (AttributeError, RuntimeError) as error:
            raise BadInput(
                f"this torch ({torch.__version__}) cannot quantise; use torch 2.11 to 2.13"
            ) from error


def pruned(model: nn.Module, share: float) -> nn.Module:
    """A copy in which the `share` of all weights of linear and convolutional layers that are smallest in size
    are zero (global magnitude pruning; Han et al. 2015)."""
    if not 0 <= share < 1:
        raise BadInput(f"pruning a share of {share:g} is not possible; give one from 0 to below 1")
    made = merged(model)
    layers = [(part, "weight") for part in made.modules() if isinstance(part, (nn.Linear, nn.Conv1d))]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=share)
    for part, name in layers:
        prune.remove(part, name)
    return made


def size(model: nn.Module) -> int:
    """Bytes of the model's weights as they are saved."""
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model.state_dict(), held)
    return held.tell()
